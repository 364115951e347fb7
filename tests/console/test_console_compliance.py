"""Clauses that limits are bound to: what is not kept stands first, since when and how far, in the reader's language."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from console_scene import Scene
from console_visitor import PHONE
from playwright.sync_api import Page, expect

Open = Callable[..., Page]
ASKS = '{en: "Do not run on above it for longer than it takes to plan a stop.", zh: "超过时应尽快安排停机。"}'
ALARMS = f"""      vibration:
        hi: 45
        hihi: 46
        clauses:
          - {{limit: hi, standard: "ISO 20816-3:2022", clause: zone B/C}}
          - {{limit: hihi, standard: "ISO 20816-3:2022", clause: zone C/D, asks: {ASKS}}}
      coolant_temp: {{hi: 1, delay: 0s, clauses: [{{limit: hi, standard: GB/T 3811-2008, clause: "6.2", asks: {ASKS}}}]}}
"""


def _bound(text: str) -> str:
    """One limit that the running mill is beyond, and two that it keeps."""
    at = text.index("      vibration: {hi: 4.5")
    return text[:at] + ALARMS + text[text.index("}}]}\n", at) + 5 :]


def holdfast(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the browser's driver has this one's event loop."""
    command = [sys.executable, "-c", "from holdfast.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"), site_edit=_bound)
    try:
        made.start()
        made.until(lambda: made.desk(lambda desk: desk.status())["alarms"])
        yield made
    finally:
        made.end()


def test_what_is_beyond_its_limit_stands_first_with_since_when_how_far_and_what_the_clause_asks(scene: Scene, look: Open) -> None:
    page = look("/compliance")
    expect(page.locator("p.standing")).to_have_text("Clauses: 3; beyond their limit now: 1; unknown: 0.")
    first = page.locator(".clause").first
    expect(first.locator("h2")).to_have_text("◆ GB/T 3811-2008 · 6.2")
    expect(first).to_contain_text("Do not run on above it")
    expect(first).to_contain_text("stand-4/coolant_temp > 1\u202f°C (high)")
    since_ns = scene.desk(lambda desk: desk.status())["alarms"][0]["since_ns"]
    told = scene.desk(lambda desk: desk.look("/v1/compliance", {}))["clauses"]
    beyond = next(one for one in told if one["now"] == "beyond")
    assert (beyond["tag"], beyond["since_ns"], beyond["times"]) == ("stand-4/coolant_temp", since_ns, 1)
    assert beyond["margin"] == pytest.approx(1.0 - beyond["value"])
    expect(first).to_contain_text("passed 1 times")
    expect(page.locator(".clause.kept")).to_have_count(2)
    expect(page.locator(".clause.kept").last).to_contain_text("inside the limit")
    first.get_by_role("link", name="Its records").click()
    expect(page.locator(".records .kind").first).to_have_text("alarm")


def test_it_is_read_in_chinese_on_a_phone_and_over_another_period(look: Open) -> None:
    page = look("/compliance", lang="zh", size=PHONE)
    first = page.locator(".clause").first
    expect(first).to_contain_text("超过时应尽快安排停机。")
    expect(first).to_contain_text("超限 1 次")
    page.locator("a[href='/compliance?days=30']").click()
    expect(page.locator("a[href='/compliance?days=30']")).to_have_attribute("aria-current", "page")
    expect(page.locator(".clause").first).to_contain_text("最近 30 天")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_command_says_the_same_and_that_the_answer_is_no(scene: Scene) -> None:
    asked = ["compliance", "--home", str(scene.home.path), "--days", "1", "--lang", "zh"]
    shown = holdfast(*asked)
    assert shown.returncode == 1, shown.stderr
    assert "GB/T 3811-2008 6.2: 超过时应尽快安排停机。" in shown.stdout
    assert "3 条条款中有 1 条不能确认符合" in shown.stdout
    data = json.loads(holdfast(*asked, "--json").stdout)
    assert [(one["standard"], one["now"]) for one in data["clauses"]] == [
        ("ISO 20816-3:2022", "kept"),
        ("ISO 20816-3:2022", "kept"),
        ("GB/T 3811-2008", "beyond"),
    ]
