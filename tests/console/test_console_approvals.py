"""A person looks at what an agent asks, and answers it with their own password."""

import re
from collections.abc import Callable, Iterator

import pytest
from console_scene import AGENT, PASSWORD, PEOPLE, Scene, fresh_id, ready
from console_visitor import PHONE
from playwright.sync_api import Page, expect

from holdfast.run.desk import Vote
from holdfast.terms import Evidence, Proposal, Write

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The mill may be written to, everything is asked, and from 101.5 kN on two roles are."""

    def two_roles(policy: str) -> str:
        wide = policy.replace("proposed > 112.0", "proposed > 101.5")
        return wide.replace("approvals: [operator]", "approvals: [operator, process-engineer]")

    made = Scene(
        tmp_path_factory.mktemp("scene"),
        policy_edit=two_roles,
        site_edit=quickly,
        people={**PEOPLE, "sun.li": ("operator", "process-engineer")},
    )
    try:
        made.start_asking()
        yield made
    finally:
        made.end()


def quickly(site: str) -> str:
    """One test need not wait for another's write."""
    return site.replace("dwell: 60s", "dwell: none").replace("within: 120s", "within: 1s").replace("after: 20s", "after: 1s")


@pytest.fixture(autouse=True)
def nothing_waits(scene: Scene) -> Iterator[None]:
    """A tag takes one action at a time: what a test leaves open is refused after it."""
    yield
    for progress in scene.desk(lambda desk: desk.waiting()):
        refuse(scene, str(progress["proposal"]))
    scene.until(lambda: not scene.desk(lambda desk: desk.status())["jobs"])


def refuse(scene: Scene, proposal: str) -> None:
    """By somebody who signs nothing else here, in a role that has not signed yet."""
    card = scene.desk(lambda desk: desk._ask("GET", f"/v1/approvals/{proposal}"))
    role = next(role for role in card["roles"] if role not in {answer["role"] for answer in card["signed"]})
    vote = Vote(proposal=proposal, person="sun.li", password=PASSWORD, yes=False, reason="end of test", role=role)
    scene.desk(lambda desk: desk.vote(vote))


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
    decision = scene.agent(lambda link: link.propose(wanted))
    assert decision.verdict == "ask", [reason for reason in decision.reasons if not reason.passed]
    return wanted.id


def records(scene: Scene, kind: str) -> list[dict[str, object]]:
    return [record["body"] for record in scene.desk(lambda desk: desk.records(0)) if record["kind"] == kind]


def sign(page: Page, answer: str, password: str = PASSWORD, *, person: str = "", reason: str = "") -> None:
    if person:
        page.fill("input[name=person]", person)
    page.fill("input[name=password]", password)
    page.fill("input[name=reason]", reason)
    page.get_by_role("button", name=answer).click()


def test_a_card_shows_what_a_signature_would_stand_on(scene: Scene, look: Open) -> None:
    page = look(f"/approvals/{asks_for(scene, 101.0)}")
    expect(page.get_by_role("heading", name=f"{AGENT} asks")).to_be_visible()
    card = page.locator("#card")
    for told in ("100 kN", "101 kN", "vibration grows with tension", "vibration falls by 0.3 mm/s", "0 of 1", "trim while rolling"):
        expect(card).to_contain_text(told)
    expect(card).to_contain_text("If nobody answers: refused, nothing is written.")
    expect(card.locator("svg.envelope")).to_have_attribute("aria-label", "Envelope 90 to 115 kN; now 100 kN, proposed 101 kN")


def test_a_no_needs_a_reason_and_then_stands(scene: Scene, look: Open) -> None:
    proposal = asks_for(scene, 101.0)
    page = look(f"/approvals/{proposal}")
    sign(page, "Refuse")
    expect(page.get_by_role("alert").first).to_contain_text("Say why you refuse")
    sign(page, "Refuse", reason="the strip is being welded")
    expect(page.get_by_text("Refused. Nothing was written.")).to_be_visible()
    told = [answer for answer in records(scene, "approval") if answer["proposal"] == proposal]
    assert [(answer["yes"], answer["reason"]) for answer in told] == [(False, "the strip is being welded")]


def test_a_wrong_password_signs_nothing_and_is_on_record(scene: Scene, look: Open) -> None:
    proposal = asks_for(scene, 101.0)
    page = look(f"/approvals/{proposal}", person="zhang.min")
    sign(page, "Approve", "not the password")
    expect(page.get_by_role("alert").first).to_contain_text("Name and password don't belong together")
    assert not [answer for answer in records(scene, "approval") if answer["proposal"] == proposal]


def test_two_roles_are_two_people(scene: Scene, look: Open) -> None:
    page = look(f"/approvals/{asks_for(scene, 102.0)}", person="zhang.min")
    expect(page.locator("#card")).to_contain_text("0 of 2")
    sign(page, "Approve")
    expect(page.locator("#card")).to_contain_text("1 of 2")
    sign(page, "Approve", person="zhang.min")
    expect(page.get_by_role("alert").first).to_contain_text("four eyes are two people")
    expect(page.locator("#card")).to_contain_text("1 of 2")


def test_who_proposes_or_was_not_asked_cannot_sign(scene: Scene, look: Open) -> None:
    page = look(f"/approvals/{asks_for(scene, 101.0)}", person="wu.hao")
    sign(page, "Approve", person="wu.hao")
    expect(page.get_by_role("alert").first).to_contain_text("may look at everything and change nothing")


def test_what_changed_since_the_card_was_opened_is_shown_before_a_signature_counts(scene: Scene, look: Open) -> None:
    proposal = asks_for(scene, 101.0)
    page = look(f"/approvals/{proposal}")
    # As if the setpoint had been another when the page was made: what was shown is not what is signed.
    page.evaluate("document.querySelector('input[name=binds]').value = 'f'.repeat(64)")
    page.evaluate("document.querySelector('input[name=shown]').value = 'stand-4/tension.sp=97.5'")
    sign(page, "Approve")
    expect(page.get_by_text("This has changed since you opened the card.")).to_be_visible()
    expect(page.get_by_text("97.5 → 100 kN")).to_be_visible()
    assert not [answer for answer in records(scene, "approval") if answer["proposal"] == proposal]


def test_what_is_typed_and_what_was_shown_stay_while_the_card_is_fetched_anew(scene: Scene, look: Open) -> None:
    proposal = asks_for(scene, 101.0)
    page = look(f"/approvals/{proposal}")
    page.fill("input[name=password]", "half of a passw")
    page.evaluate("document.querySelector('input[name=binds]').value = 'what was shown'")
    with page.expect_response(lambda answer: answer.url.endswith("/card")):
        pass
    expect(page.locator("input[name=password]")).to_have_value("half of a passw")
    assert page.locator("input[name=binds]").input_value() == "what was shown"


def test_a_question_runs_out_before_the_eyes_of_who_looks(scene: Scene, look: Open) -> None:
    page = look(f"/approvals/{asks_for(scene, 101.0, valid_s=8.0)}")
    expect(page.locator("[data-until]")).to_have_class(re.compile("soon"))
    expect(page.get_by_text("Its time ended: refused, nothing was written.")).to_be_visible()


def test_it_can_be_signed_with_the_keyboard_alone_on_a_phone_in_chinese(scene: Scene, look: Open) -> None:
    proposal = asks_for(scene, 101.0)
    page = look("/approvals", lang="zh", size=PHONE)
    page.get_by_role("link", name="查看并答复").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/approvals/{proposal}")
    page.locator("input[name=person]").focus()
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="批准")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#card .standing")).to_contain_text("已批准")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_half_signed_card_survives_a_gate_that_restarts_without_misleading_anybody(scene: Scene, look: Open) -> None:
    proposal = asks_for(scene, 102.0)
    page = look(f"/approvals/{proposal}", person="zhang.min")
    sign(page, "Approve")
    expect(page.locator("#card")).to_contain_text("1 of 2")
    page.reload()
    expect(page.locator("#card")).to_contain_text("1 of 2")  # a reload signs nothing again
    late = look(f"/approvals/{proposal}", person="li.wei")
    scene.end("gate")
    expect(page.locator("[data-stale-banner]")).to_be_visible()
    sign(late, "Approve", person="li.wei")
    expect(late.get_by_role("heading", name="The gate does not answer")).to_be_visible()  # said at once, and not kept to be sent later
    scene.start_gate()
    ready(scene)
    assert [answer["person"] for answer in records(scene, "approval") if answer["proposal"] == proposal] == ["zhang.min"]
    # Its session ended with the gate, and the page notices by itself: nobody signs on with an old one.
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=15_000)
    page.fill("input[name=person]", "li.wei")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    expect(page.locator("#card")).to_contain_text("1 of 2")
    # The plant's block may have fallen back without a heartbeat: then it is void, and says so. Else it waits for the other role.
    void = page.get_by_text("Void: the plant changed meanwhile. Nothing was written.")
    expect(page.locator("#sign").or_(void)).to_be_visible()
    if not void.is_visible():
        sign(page, "Approve")
        expect(page.locator("#card .standing")).to_contain_text(re.compile("Approved|being written|read back"))
