"""A person looks at what an agent asks, and answers it with their own password."""

from collections.abc import Callable

import pytest
from console_scene import AGENT, PASSWORD, Scene, fresh_id
from playwright.sync_api import Page, expect

from holdfast.terms import Decision, Evidence, Proposal, Write

Open = Callable[..., Page]


def asks_for(scene: Scene, tension: float, *, reason: str = "vibration grows with tension", valid_s: float = 300.0) -> str:
    """An agent's question about stand 4's tension; its id."""
    wanted = Proposal(
        id=fresh_id("trim"),
        incident="i-1",
        action=Write(sets=(("stand-4/tension.sp", tension),)),
        reason=reason,
        evidence=(Evidence(kind="finding", ref="f-1"),),
        expect="vibration falls by 0.3 mm/s",
        valid_s=valid_s,
    )

    def decided() -> Decision | None:
        decision = scene.agent(lambda link: link.propose(wanted))
        return decision

    decision = decided()
    assert decision is not None
    assert decision.verdict == "ask", [reason for reason in decision.reasons if not reason.passed]
    return wanted.id


@pytest.fixture(scope="module")
def asking(scene: Scene) -> Scene:
    """The mill may be written to, and everything is asked."""
    scene.plant("mode tension external")
    scene.desk(lambda desk: desk.autonomy("*", "ask", "li.wei", PASSWORD))

    def ready() -> bool:
        health = scene.desk(lambda desk: desk.status())
        return all(n > 3 for n in health["rows"].values())

    scene.until(ready)
    return scene


def test_a_yes_with_the_own_password_is_written(asking: Scene, look: Open) -> None:
    proposal = asks_for(asking, 101.0)
    page = look(f"/approvals/{proposal}")
    expect(page.get_by_role("heading", name=f"{AGENT} asks")).to_be_visible()
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved")).to_be_visible()
