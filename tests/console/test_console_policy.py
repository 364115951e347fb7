"""A change of the configuration is looked at, tried on what happened, signed into force, and taken back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from console_scene import PASSWORD, PEOPLE, Scene, fresh_id
from console_visitor import PHONE
from playwright.sync_api import Page, expect

from holdfast.run.desk import Vote
from holdfast.run.mill import site_file
from holdfast.terms import Evidence, Proposal, Write

Open = Callable[..., Page]
LOW = 96.0  # kN; inside 90 to 115 of DC01, outside 97 to 115


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two decisions are on record: one would stand in a narrower range, one would not. Two roles sign configurations."""

    def two_sign(site: str) -> str:
        return site.replace(
            "default_approvals: [operator]", "default_approvals: [operator]\nconfiguration_approvals: [operator, process-engineer]"
        )

    made = Scene(tmp_path_factory.mktemp("scene"), site_edit=lambda site: two_sign(site.replace("step: 2.0", "step: 6.0")), people=PEOPLE)
    (made.site / "policy.cases.yaml").write_text(site_file().with_name("policy.cases.yaml").read_text())
    try:
        made.start_asking()
        for tension in (101.0, LOW):
            decided(made, tension)
        yield made
    finally:
        made.end()


def decided(scene: Scene, tension: float) -> None:
    """Asked, and refused by a person: the tag is free for the next."""
    of = (Evidence(kind="finding", ref="f-1"),)
    wanted = Proposal(
        id=fresh_id("trim"), incident="i-1", action=Write(sets=(("stand-4/tension.sp", tension),)), reason="r", evidence=of, expect="e"
    )
    decision = scene.agent(lambda link: link.propose(wanted))
    assert decision.verdict == "ask", [reason for reason in decision.reasons if not reason.passed]
    vote = Vote(proposal=wanted.id, person="li.wei", password=PASSWORD, yes=False, reason="for the test")
    scene.desk(lambda desk: desk.vote(vote))


def files(scene: Scene, folder: Path, revision: int, edit: Callable[[str], str] = lambda site: site) -> list[Path]:
    """Files as an engineer has them on a machine of their own."""
    folder.mkdir()
    made = {
        "site.yaml": edit((scene.site / "site.yaml").read_text()),
        "policy.yaml": (scene.site / "policy.yaml").read_text().replace("revision: 1", f"revision: {revision}"),
        "policy.cases.yaml": (scene.site / "policy.cases.yaml").read_text(),
    }
    for name, text in made.items():
        (folder / name).write_text(text)
    return [folder / name for name in made]


def in_force(scene: Scene) -> list[Any]:
    return scene.desk(lambda desk: desk._ask("GET", "/v1/configurations"))["in_force"]


def narrower(site: str) -> str:
    assert "DC01: [90, 115]" in site
    return site.replace("DC01: [90, 115]", "DC01: [97, 115.00000000000001]")


def lay(page: Page, paths: list[Path]) -> None:
    page.set_input_files("input[name=files]", paths)
    page.locator("form[enctype] input[name=password]").fill(PASSWORD)
    page.locator("form[enctype] button").click()


def test_files_with_errors_are_refused_with_their_lines_and_nothing_is_kept(scene: Scene, look: Open, tmp_path: Path) -> None:
    page = look("/policy/propose")
    lay(page, files(scene, tmp_path / "new", 2, lambda site: site.replace("step: 6.0", "step: -6.0")))
    expect(page.get_by_role("alert")).to_contain_text("The files have errors, so nothing was kept.")
    expect(page.locator(".checks")).to_contain_text("site.yaml:")
    assert scene.desk(lambda desk: desk._ask("GET", "/v1/configurations"))["proposed"] == []


def test_a_change_is_shown_exactly_tried_on_what_happened_and_in_force_with_the_last_signature(
    scene: Scene, look: Open, tmp_path: Path
) -> None:
    page = look("/policy/propose", person="zhang.min")
    lay(page, files(scene, tmp_path / "new", 2, narrower))
    row = page.get_by_role("row", name="range at DC01")
    # Wider at one end and tighter at the other is neither, and a difference in the last digit is seen.
    expect(row).to_contain_text("≠ changed")
    expect(row).to_contain_text("90 to 115 kN")
    expect(row).to_contain_text("97 to 115.00000000000001 kN")
    expect(page.get_by_text("come out as they say")).to_be_visible()
    page.select_option("select[name=days]", "1")
    page.get_by_role("button", name="Decide them again").click()
    expect(page.locator("#replay .verdict")).to_have_text("Of 2 decisions it would have refused 1, and allowed 0 more.")
    record = page.locator("#replay tbody a").get_attribute("href")
    assert record is not None
    seq = int(record.rpartition("/")[2])
    told = next(r for r in scene.desk(lambda desk: desk.records(seq - 1)) if r["seq"] == seq)
    assert (told["kind"], told["body"]["proposal"]["action"]["sets"]) == ("decision", [["stand-4/tension.sp", LOW]])
    # Two roles sign; an auditor only looks, and the gate says so.
    page.fill("form.sign input[name=person]", "wu.hao")
    page.fill("form.sign input[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign only").click()
    expect(page.get_by_role("alert")).to_contain_text("This person may look at everything")
    page.fill("form.sign input[name=person]", "li.wei")
    page.locator("form.sign input[name=password]").focus()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("form.sign")).to_contain_text("✓ li.wei (operator)")
    assert [r["revision"] for r in in_force(scene)] == [1]
    page.fill("form.sign input[name=person]", "zhang.min")
    page.fill("form.sign input[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign and put in force").click()
    expect(page.get_by_role("heading", name="Revision 2")).to_contain_text("in force")
    assert [(r["revision"], r["active"]) for r in in_force(scene)] == [(2, True), (1, False)]


def test_two_revisions_stand_side_by_side_and_the_elder_is_the_left_one(scene: Scene, look: Open, tmp_path: Path) -> None:
    digests = [r["digest"] for r in in_force(scene)]
    page = look(f"/policy/compare?old={digests[0]}&new={digests[1]}", lang="zh", size=PHONE)
    row = page.locator("table.changes tbody tr").filter(has_text="DC01")
    expect(row.locator(".was")).to_have_attribute("data-label", "第 1 版")
    expect(row.locator(".was")).to_have_text("90 至 115 kN")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_going_back_shows_what_it_changes_and_needs_the_same_signatures(scene: Scene, look: Open) -> None:
    page = look("/policy/rollback")
    expect(page.get_by_role("row", name="range at DC01")).to_be_visible()
    for person in ("li.wei", "zhang.min"):
        page.fill("input[name=person]", person)
        page.fill("input[name=password]", PASSWORD)
        page.locator("form.sign button").click()
        if person == "li.wei":
            expect(page.get_by_role("alert")).to_contain_text("Signed. Still wanted: process engineer.")
    expect(page.get_by_role("heading", name="Revision 1 is in force")).to_be_visible()
    assert next((r["revision"], r["how"], r["active"]) for r in in_force(scene)) == (1, "rollback", True)


def test_a_file_on_the_disk_that_is_not_in_use_is_said_and_can_be_laid_before_the_gate(scene: Scene, look: Open) -> None:
    policy = scene.site / "policy.yaml"
    policy.write_text(policy.read_text().replace("revision: 1", "revision: 7"))
    scene.end("gate")
    scene.start_gate()
    page = look("/policy")
    expect(page.get_by_text("The site file on the disk is not what is in force, and is not used.")).to_be_visible()
    page.get_by_role("link", name="Look at the file").click()
    expect(page.get_by_text("Its policy says revision 7.")).to_be_visible()
    page.locator("form:has(input[name=from]) input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Lay it before the gate", exact=True).click()
    expect(page.get_by_role("heading", name="Revision 7")).to_be_visible()
    expect(page.locator("form.sign")).to_contain_text("Proposed by li.wei")
