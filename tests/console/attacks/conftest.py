"""One plant, gate and console for all attacks: they come up once."""

from collections.abc import Callable, Iterator

import pytest
from console_scene import PEOPLE, Scene
from console_visitor import Visitor

from attacks.attacked import EVIL, asks_for, quoted, refuse


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The mill with an alarm that stands, descriptions that are scripts, and everything asked of two people."""

    def hostile(site: str) -> str:
        site = site.replace("hi: 4.5", "hi: 0.01").replace(
            "{template: loop, on: mill, at: Stand4.Tension,",
            f"{{description: {quoted(EVIL)}, template: loop, on: mill, at: Stand4.Tension,",
        )
        return site.replace("vibration:    {on: mill,", f"vibration:    {{description: {quoted(EVIL)}, on: mill,")

    def two_roles(policy: str) -> str:
        return policy.replace("proposed > 112.0", "proposed > 100.1").replace(
            "approvals: [operator]", "approvals: [operator, process-engineer]"
        )

    made = Scene(tmp_path_factory.mktemp("scene"), site_edit=hostile, policy_edit=two_roles, people=PEOPLE)
    try:
        made.start_asking()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="package")
def visitor(scene: Scene) -> Iterator[Callable[..., Visitor]]:
    """Who is signed in stays so for the whole module: a password takes its time."""
    known: dict[str, Visitor] = {}
    made: list[Visitor] = []

    def come(person: str = "", *, anew: bool = False) -> Visitor:
        if not anew and person in known:
            return known[person]
        made.append(Visitor(scene, person))
        if person and not anew:
            known[person] = made[-1]
        return made[-1]

    yield come
    for one in made:
        one.close()


@pytest.fixture
def waiting(scene: Scene) -> Iterator[str]:
    """A proposal that waits; what the test leaves of it is refused."""
    proposal = asks_for(scene)
    yield proposal
    for progress in scene.desk(lambda desk: desk.waiting()):
        refuse(scene, str(progress["proposal"]))
    scene.until(lambda: not scene.desk(lambda desk: desk.status())["jobs"])
