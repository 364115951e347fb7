"""An operator sees what rings, acknowledges and shelves it; what perception found stands beside."""

import time
from collections.abc import Callable, Iterator

import pytest
from console_scene import Scene, fresh_id
from console_visitor import PHONE
from playwright.sync_api import Page, expect

from holdfast.terms import Finding

Open = Callable[..., Page]
ALARMS = """      vibration: {hi: 0.05, deadband: 0.01, delay: 0s, priority: high}
      coolant_temp: {hi: 1, deadband: 0.1, delay: 0s, priority: urgent}
      lube_temp: {hi: 1, deadband: 0.1, delay: 0s, priority: low}
      tension.sp_now: {hi: 100.6, deadband: 0.1, delay: 0s, priority: medium}
"""


def _low_limits(text: str) -> str:
    """Limits that the running mill is beyond from the start on, and one that the operator can cross and come back from."""
    at = text.index("      vibration: {hi: 4.5")
    return text[:at] + ALARMS + text[text.index("}}]}\n", at) + 5 :]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"), site_edit=_low_limits)
    try:
        yield made.start()
    finally:
        made.end()


def test_the_most_urgent_stands_first_with_its_shape_and_the_value_against_the_limit(look: Open) -> None:
    page = look("/alarms")
    expect(page.locator(".alarm")).to_have_count(3)
    expect(page.locator(".alarm .mark b")).to_have_text(["Urgent", "High", "Low"])
    expect(page.locator(".alarm .shape")).to_have_text(["◆", "▲", "●"])
    first = page.locator(".alarm").first
    expect(first).to_contain_text("stand-4/coolant_temp")
    expect(first.locator(".limit")).to_have_text("> 1\u202f°C (high)")


def test_an_alarm_is_acknowledged_by_the_keyboard_alone(look: Open) -> None:
    page = look("/alarms")
    urgent = page.locator(".alarm.urgent")
    page.get_by_role("button", name="Acknowledge stand-4/coolant_temp, limit high").press("Enter")
    expect(urgent).to_contain_text("acknowledged, still stands")
    expect(urgent).to_contain_text("acknowledged by li.wei")
    expect(urgent.get_by_role("button")).to_have_count(0)


def test_an_alarm_is_shelved_with_a_time_and_a_reason_and_comes_back(look: Open) -> None:
    page = look("/alarms", lang="zh", size=PHONE)
    rings = page.locator("[data-count=alarms]")
    expect(rings).to_have_text("3")
    page.get_by_role("link", name="搁置 stand-4/lube_temp，限值 高").press("Enter")
    page.get_by_label("30 分钟").check()
    page.get_by_label("原因（下一班会看到）").fill("<b>探头</b>更换")
    page.get_by_role("button", name="搁置").press("Enter")
    shelved = page.locator(".alarm.shelved")
    expect(shelved).to_contain_text("<b>探头</b>更换")
    expect(shelved).to_contain_text("li.wei")
    expect(rings).to_have_text("2")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.get_by_role("button", name="取消搁置 stand-4/lube_temp，限值 高").press("Enter")
    expect(shelved).to_have_count(0)
    expect(page.locator(".alarm.low.unacknowledged")).to_have_count(1)


def test_what_came_and_went_unseen_stays_until_somebody_has_seen_it(scene: Scene, look: Open) -> None:
    page = look("/alarms")
    scene.plant("operator tension 101.5")
    expect(page.locator(".alarm.medium")).to_contain_text("not acknowledged", timeout=15_000)
    scene.plant("operator tension 100")
    expect(page.locator(".alarm.medium.returned")).to_contain_text("returned to normal, not acknowledged", timeout=15_000)
    page.get_by_role("button", name="Acknowledge stand-4/tension.sp_now, limit high").press("Enter")
    expect(page.locator(".alarm.medium")).to_have_count(0)


def test_what_perception_found_stands_beside_with_each_tags_share(scene: Scene, look: Open) -> None:
    page = look("/alarms")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    now = time.time_ns()
    finding = Finding(
        id=fresh_id("finding"), incident=fresh_id("incident"), detector="dynamic@00", onset_ns=now - 60_000_000_000,
        found_ns=now, confidence=0.93, score=2.41, shares=(("stand-4/vibration", 0.75), ("stand-4/force", 0.25)),
    )  # fmt: skip
    scene.agent(lambda link: link.find(finding))
    found = page.locator(".finding")
    expect(found).to_contain_text("2.41 times the detector's limit, 93 % sure")
    expect(found.locator(".shares td.number")).to_have_text(["75 %", "25 %"])
    found.get_by_role("link").click()
    page.wait_for_url(f"**/incidents/{finding.id}")
