"""From the record: why an incident fired, and why what was proposed was refused."""

import time
from collections.abc import Callable

import pytest
from console_scene import PASSWORD, Scene, fresh_id
from console_visitor import PHONE
from playwright.sync_api import Page, expect

from holdfast.run.desk import Vote
from holdfast.terms import Cause, Diagnosis, Evidence, Finding, Proposal, Report, ReportText, Write

Open = Callable[..., Page]
SCRIPT = "<script>document.title='taken'</script> tension is too high"


@pytest.fixture(scope="module")
def incident(scene: Scene) -> str:
    """Found, diagnosed, refused once by the guard and once by a person; its id."""
    scene.plant("mode tension external")
    scene.desk(lambda desk: desk.autonomy("*", "ask", "li.wei", PASSWORD))
    scene.until(lambda: all(n > 3 for n in scene.desk(lambda desk: desk.status())["rows"].values()))
    now, name = time.time_ns(), fresh_id("incident")
    finding = Finding(
        id=fresh_id("finding"), incident=name, detector="dynamic@00", onset_ns=now - 90_000_000_000, found_ns=now - 30_000_000_000,
        confidence=0.9, score=1.5, shares=(("stand-4/vibration", 0.6), ("stand-4/force", 0.4)),
    )  # fmt: skip
    seen = Evidence(kind="history", ref="stand-4/vibration@1..2", quote="vibration rose from 1.2 to 2.9 mm/s")
    causes = (
        Cause(mode="third-octave chatter", probability=0.8, supporting=(seen,), opposing=()),
        Cause(mode="none of these", probability=0.2, supporting=(), opposing=()),
    )
    scene.agent(lambda link: link.find(finding))
    scene.agent(lambda link: link.diagnose(Diagnosis(id=fresh_id("d"), incident=name, at_ns=now, causes=causes)))
    _proposes(scene, name, 135.0)
    asked = _proposes(scene, name, 101.0)
    scene.desk(
        lambda desk: desk.vote(Vote(proposal=asked, person="li.wei", password=PASSWORD, yes=False, reason="the coil ends in a minute"))
    )
    return finding.id


def _proposes(scene: Scene, incident: str, tension: float) -> str:
    wanted = Proposal(id=fresh_id("trim"), incident=incident, action=Write(sets=(("stand-4/tension.sp", tension),)), reason=SCRIPT)
    scene.agent(lambda link: link.propose(wanted))
    return wanted.id


def test_the_list_says_how_each_incident_ended(incident: str, look: Open) -> None:
    page = look("/incidents")
    line = page.locator(".incidents li")
    expect(line).to_contain_text("refused, nothing written")
    line.get_by_role("link").press("Enter")
    page.wait_for_url(f"**/incidents/{incident}")


def test_why_it_fired_and_why_it_was_refused_is_said_with_numbers_and_units(incident: str, look: Open) -> None:
    page = look(f"/incidents/{incident}")
    why = page.locator(".panel", has_text="Why did this fire?")
    expect(why).to_contain_text("1.5 times the detector's limit, 90 % sure")
    expect(why).to_contain_text("found after 1 min")
    expect(why).to_contain_text("third-octave chatter: 80 %")
    by_guard, by_person = page.locator(".story").all()
    expect(by_guard).to_contain_text("Why was this refused?")
    expect(by_guard.locator(".answer")).to_contain_text("135 kN is above the range 90…115 kN")
    expect(by_guard.locator(".chain li.wrong")).to_contain_text("Decision")
    expect(by_person.locator(".answer")).to_contain_text("li.wei (operator) refused")
    expect(by_person.locator(".answer")).to_contain_text("the coil ends in a minute")
    expect(by_person.locator(".claim").first).to_contain_text(SCRIPT)
    assert "taken" not in page.title()


def test_what_to_check_first_is_told_in_the_visitors_language_and_a_models_text_is_marked(scene: Scene, look: Open) -> None:
    now, name = time.time_ns(), fresh_id("incident")
    finding = Finding(
        id=fresh_id("finding"), incident=name, detector="dynamic@00", onset_ns=now, found_ns=now,
        confidence=0.9, score=1.5, shares=(("stand-4/vibration", 1.0),),
    )  # fmt: skip
    texts = (
        ReportText(text="Check first:\n1. The strip under a lamp.", language="en"),
        ReportText(text="先检查：\n1. 用灯照带钢。", language="zh"),
        ReportText(text="It may be the rolls.", made_by="model:small@00"),
    )
    scene.agent(lambda link: link.find(finding))
    scene.agent(lambda link: link.publish(Report(id=fresh_id("report"), incident=name, texts=texts)))
    page = look(f"/incidents/{finding.id}")
    own, model = page.locator(".panel", has_text="Why did this fire?").locator(".claim").all()
    assert own.inner_text().splitlines()[-1] == "1. The strip under a lamp."
    expect(own.locator(".mark")).to_have_count(0)
    expect(model).to_contain_text("AI-generated")
    expect(look(f"/incidents/{finding.id}", lang="zh").locator(".claim").first).to_contain_text("用灯照带钢")


def test_the_timeline_is_read_in_chinese_on_a_phone(incident: str, look: Open) -> None:
    page = look(f"/incidents/{incident}", lang="zh", size=PHONE)
    expect(page.get_by_role("heading", name="为什么被拒绝？").first).to_be_visible()
    page.get_by_role("link", name="时间线").press("Enter")
    kinds = page.locator(".timeline p > a").all_inner_texts()
    assert kinds == ["发现", "诊断", "建议与决定", "建议与决定", "请人审批", "审批"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_raw_view_shows_the_records_and_leads_to_the_ledger(incident: str, look: Open) -> None:
    page = look(f"/incidents/{incident}?view=raw")
    expect(page.locator(".rawrecord")).to_have_count(6)
    page.locator(".rawrecord a").first.click()
    expect(page.get_by_role("heading", name="finding")).to_be_visible()


def test_a_proposal_without_a_finding_has_its_own_story(scene: Scene, incident: str, look: Open) -> None:
    page = look(f"/incidents/of/{_proposes(scene, 'nobody-found-this', 200.0)}")
    expect(page.locator(".story .answer")).to_contain_text("200 kN is above the range")
    answer = page.goto("/incidents/nobody-found-this")
    assert answer is not None
    assert answer.status == 404


def test_a_person_says_what_the_cause_was_and_takes_it_back(scene: Scene, incident: str, look: Open) -> None:
    page = look(f"/incidents/{incident}")
    page.get_by_role("link", name="Confirm or correct the cause").press("Enter")
    page.locator("select").select_option("third-octave chatter")
    page.get_by_label("How you know").first.fill("marks on the strip, 6 cm apart")
    page.locator("form").filter(has_text="What was the cause?").get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign", exact=True).press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("How you know").first).to_have_value("marks on the strip, 6 cm apart")
    page.locator("form").filter(has_text="What was the cause?").get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign", exact=True).press("Enter")
    page.wait_for_url(f"**/incidents/{incident}")
    expect(page.locator(".confirmed")).to_contain_text("li.wei confirmed the cause")
    (told,) = scene.desk(lambda desk: desk.look("/v1/causes", {}))
    assert (told["mode"], told["person"]) == ("third-octave chatter", "li.wei")
    page.get_by_role("link", name="Confirm or correct the cause").press("Enter")
    page.locator("form").filter(has_text="Take it back").get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Take it back").press("Enter")
    page.wait_for_url(f"**/incidents/{incident}")
    expect(page.locator(".confirmed")).to_have_count(0)


def test_the_causes_are_named_in_the_visitors_language(incident: str, look: Open) -> None:
    page = look(f"/incidents/{incident}/cause", lang="zh", size=PHONE)
    expect(page.get_by_role("heading", name="原因是什么？")).to_be_visible()
    assert "外圈缺陷" in " ".join(page.locator("optgroup").nth(1).locator("option").all_inner_texts())
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
