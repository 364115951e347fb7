"""An agent uses what people put in force, and tells what it really loaded."""

import sys
from pathlib import Path

import pytest
from packed import card, key_file, packed, trust  # pyright: ignore[reportMissingImports]

sys.path.insert(0, str(Path(__file__).parents[1] / "agent"))

from scripted_link import ScriptedLink  # pyright: ignore[reportMissingImports]

from holdfast.agent.models.bundles.bundle import ship
from holdfast.agent.models.bundles.hardware.device import Device, Probed
from holdfast.agent.models.bundles.in_use import LOOK_NS, TELL_NS, InUse
from holdfast.agent.models.bundles.registry import Registry
from holdfast.link import LinkError
from holdfast.site import modellayout
from holdfast.site.modelroles import ModelRunning, ModelStanding

BOX = (Probed(kind="cpu", devices=(Device(kind="cpu", name="c", memory_mib=1000, free_mib=1000),)),)


class Scene:
    """A home with two models that a trusted key signed, a release that ships another, and an agent's link."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.key = tmp_path / "home", key_file(tmp_path)
        trust(self.home, self.key)
        shipped = tmp_path / "shipped"
        shipped.mkdir()
        monkeypatch.setattr(modellayout, "SHIPPED", shipped)
        (tmp_path / "w.onnx").write_bytes(b"\x08shipped")
        self.released = ship(name="registers", version="0", weights=tmp_path / "w.onnx", card=card(), folder=shipped).digest
        self.first, self.second = (
            Registry(self.home).import_(packed(tmp_path, key=self.key, version=version, weights=version.encode()).path) for version in "12"
        )
        self.link = ScriptedLink.__new__(ScriptedLink)
        self.link.cut, self.link.standing, self.link.told_models = False, (), []
        self.in_use = InUse(self.link, self.home, lambda: BOX)
        self.now_ns = 0

    def promoted(self, of: str) -> None:
        self.link.standing = (ModelStanding(role="registers", digest=of),) if of else ()

    async def look(self) -> ModelRunning:
        self.now_ns += LOOK_NS
        await self.in_use.step(self.now_ns)
        (told,) = self.link.told_models[-1].running
        return told


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


async def test_the_model_of_the_release_serves_where_nobody_put_another(scene: Scene) -> None:
    assert await scene.look() == ModelRunning(role="registers", digest=scene.released, name="registers", version="0")
    used = scene.in_use.of("registers")
    assert used is not None
    assert used.weights.read_bytes() == b"\x08shipped"
    assert scene.in_use.of("requests") is None


async def test_a_promotion_is_followed_and_a_rollback_too(scene: Scene) -> None:
    await scene.look()
    scene.promoted(scene.first.digest)
    assert (await scene.look()).digest == scene.first.digest
    scene.promoted(scene.second.digest)
    assert (await scene.look()).digest == scene.second.digest
    scene.promoted("")
    assert (await scene.look()).digest == scene.released


async def test_a_model_that_was_changed_is_trouble_and_nothing_serves_in_its_place(scene: Scene) -> None:
    scene.first.weights.write_bytes(b"\x08other")
    scene.promoted(scene.first.digest)
    assert await scene.look() == ModelRunning(role="registers", trouble="model.changed")
    assert scene.in_use.of("registers") is None


async def test_a_model_that_is_gone_is_trouble_until_it_is_back(scene: Scene) -> None:
    scene.promoted("ab" * 32)
    assert (await scene.look()).trouble == "model.gone"
    scene.promoted(scene.first.digest)
    folder = scene.first.layout.folder
    folder.rename(folder.with_name("aside"))
    assert (await scene.look()).trouble == "model.gone"
    folder.with_name("aside").rename(folder)
    assert (await scene.look()).digest == scene.first.digest


async def test_a_model_whose_key_nobody_trusts_any_more_is_not_loaded(scene: Scene) -> None:
    (scene.home / "models" / "trusted" / "mill.pem").unlink()
    scene.promoted(scene.first.digest)
    assert (await scene.look()).trouble == "model.untrusted"


async def test_what_runs_is_told_again_where_the_gate_was_away(scene: Scene) -> None:
    scene.link.cut = True
    with pytest.raises(LinkError):
        await scene.in_use.step(LOOK_NS)
    scene.link.cut = False
    assert (await scene.look()).digest == scene.released


async def test_what_has_not_changed_is_told_now_and_then_and_no_oftener(scene: Scene) -> None:
    for _ in range(5):
        await scene.look()
    assert len(scene.link.told_models) == 1
    scene.now_ns += TELL_NS
    await scene.look()
    assert len(scene.link.told_models) == 2


async def test_how_each_model_fits_this_box_is_told_with_it(scene: Scene) -> None:
    await scene.look()
    fits = scene.link.told_models[-1].fits
    assert {one.digest for one in fits} == {scene.released, scene.first.digest, scene.second.digest}
    assert {(one.fits, one.needs_mib, one.has_mib) for one in fits} == {("fits", 65, 1000)}


async def test_an_agent_that_is_shown_no_home_uses_what_is_shipped(scene: Scene) -> None:
    scene.in_use = InUse(scene.link, None, lambda: BOX)
    assert (await scene.look()).digest == scene.released
    scene.promoted(scene.first.digest)
    assert (await scene.look()).trouble == "model.gone"


async def test_a_folder_that_holds_another_model_than_its_name_says_is_trouble(scene: Scene) -> None:
    first, second = scene.first.layout.folder, scene.second.layout.folder
    first.rename(first.with_name("aside"))
    second.rename(first)
    scene.promoted(first.name)
    assert (await scene.look()).trouble == "model.changed"


async def test_a_key_that_can_not_be_read_takes_no_other_with_it(scene: Scene) -> None:
    (scene.home / "models" / "trusted" / "broken.pem").write_text("no key")
    scene.promoted(scene.first.digest)
    assert (await scene.look()).digest == scene.first.digest
