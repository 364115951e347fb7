"""The console under attack: what is stored is shown as text, and what is signed is what was shown."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from console_scene import PASSWORD, Scene, fresh_id
from console_visitor import Visitor, sign_in
from playwright.sync_api import Browser, Page, expect

from attacks.attacked import EVIL, SETPOINT, SHOWN, all_records, asks_for, bodies, refusals, refuse
from holdfast.site.load import load
from holdfast.site.model import SiteError
from holdfast.terms import Finding, Word


def test_a_tag_cant_be_named_as_a_script(scene: Scene, tmp_path: Path) -> None:
    text = (scene.site / "site.yaml").read_text()
    (tmp_path / "policy.yaml").write_text((scene.site / "policy.yaml").read_text())
    (tmp_path / "site.yaml").write_text(text.replace("coolant_temp:", '"<img src=x onerror=y>":'))
    with pytest.raises(SiteError, match="can't name a tag"):
        load(tmp_path / "site.yaml")


@pytest.mark.timeout(240)  # it opens every page
def test_a_stored_script_is_text_on_every_page_that_shows_it(scene: Scene, browser: Browser, waiting: str) -> None:
    finding = Finding(
        id=fresh_id("f"), incident=EVIL[:100], detector=EVIL, onset_ns=1, found_ns=2, confidence=0.9, score=2.0, shares=((SETPOINT, 1.0),)
    )
    scene.agent(lambda link: link.find(finding))
    refuse(scene, waiting, EVIL)
    proposal = asks_for(scene, text=EVIL)
    context = browser.new_context(base_url=scene.address, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    wrong: list[str] = []
    page.on("dialog", lambda dialog: wrong.append(f"dialog on {page.url}"))
    page.on("pageerror", lambda error: wrong.append(f"{error} on {page.url}"))
    page.on("console", lambda message: wrong.append(f"{message.text} on {page.url}") if "Security" in message.text else None)
    try:
        sign_in(page, "li.wei")
        _ask_and_answer(scene, page, proposal)
        _shelve(page)
        seqs = [
            record["seq"] for record in all_records(scene) if record["kind"] in ("finding", "proposal", "decision", "approval", "question")
        ]
        shows = 0
        for path in (
            "/", "/approvals", f"/approvals/{proposal}", "/alarms", "/incidents", f"/incidents/of/{proposal}", f"/incidents/of/{waiting}",
            "/ledger", *(f"/ledger/{seq}" for seq in seqs[-6:]), "/connections", "/commissioning", "/policy",
        ):  # fmt: skip
            page.goto(path)
            expect(page.locator("main")).to_be_visible()
            shows += SHOWN in (page.locator("body").text_content() or "")
            assert page.evaluate("window.taken") is None, path
            assert page.locator("script:not([src]), [onerror], [onload]").count() == 0, path
            assert "49" not in (page.locator(".claim").first.text_content() or "" if page.locator(".claim").count() else ""), path
        assert shows >= 6, "the pages did not show what was to be shown"
    finally:
        context.close()
    assert not wrong


class Answered(Word):
    question: str
    text: str


def _ask_and_answer(scene: Scene, page: Page, proposal: str) -> None:
    """A person's question and the agent's answer, both a script."""
    page.goto(f"/approvals/{proposal}")
    page.fill("#ask input[name=text]", EVIL)
    page.click("#ask button")
    expect(page.locator(".asked")).to_contain_text(SHOWN)
    asked = scene.desk(lambda desk: desk._ask("GET", f"/v1/questions?proposal={proposal}"))[-1]["id"]
    scene.agent(lambda link: link._ask("POST", "/v1/answers", body=Answered(question=asked, text=EVIL)))
    expect(page.locator(".questions .claim")).to_contain_text(SHOWN)


def _shelve(page: Page) -> None:
    page.goto("/alarms")
    page.locator("a[href$='/shelve']").first.click()
    page.locator("main input[name=reason]").fill(EVIL)
    page.locator("main form button").last.click()
    expect(page.locator("main")).to_contain_text(SHOWN)


def vote_of(page: str, proposal: str, **changes: str) -> dict[str, str]:
    binds = re.search(r'name="binds" value="([^"]+)"', page)
    assert binds is not None
    return {"answer": "yes", "person": "li.wei", "password": PASSWORD, "binds": binds[1], "reason": "fine", **changes}


def test_the_same_approval_sent_twice_counts_once_and_the_second_is_on_record(
    scene: Scene, visitor: Callable[..., Visitor], waiting: str
) -> None:
    someone = visitor("li.wei")
    vote = vote_of(someone.get(f"/approvals/{waiting}").text, waiting)
    assert someone.act(f"/approvals/{waiting}", vote).status_code == 303
    assert someone.act(f"/approvals/{waiting}", vote).status_code == 409
    assert [one["person"] for one in bodies(scene, "approval") if one["proposal"] == waiting] == ["li.wei"]
    assert ("li.wei", "POST /v1/approvals", "approval.twice") in refusals(scene)


@pytest.mark.parametrize("binds", ["0" * 64, ""])
def test_an_approval_of_another_proposal_than_the_one_that_is_there_signs_nothing(
    scene: Scene, visitor: Callable[..., Visitor], waiting: str, binds: str
) -> None:
    someone = visitor("li.wei")
    vote = vote_of(someone.get(f"/approvals/{waiting}").text, waiting, binds=binds)
    assert someone.act(f"/approvals/{waiting}", vote).status_code == 409
    assert not [one for one in bodies(scene, "approval") if one["proposal"] == waiting]
    assert ("li.wei", "POST /v1/approvals", "approval.changed") in refusals(scene)
