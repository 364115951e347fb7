"""The overview tells what is abnormal first and moves with the plant; nothing old or bad on it looks like what may be trusted."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_scene import PASSWORD, Scene
from playwright.sync_api import Page, expect

from holdfast.console.gauge import Gauge, Limit, gauge

Open = Callable[..., Page]
PHONE = (390, 844)
PV, VIBRATION, NOWHERE = "stand-4/tension.pv", "stand-4/vibration", "stand-4/bearing_vib"
SEEN_MS = 6_000
VALUE = f"[data-loop='stand-4/tension'] .numbers [data-tag='{PV}']"


def edited(text: str) -> str:
    """One tag that the server does not have, and a limit that the operator can go beyond and come back from."""
    text = text.replace("address: Stand4.BearingBand", "address: Stand4.NoSuchTag")
    limits = "      tension.pv: {hi: 103, hihi: 130, deadband: 0.5, delay: 0s, priority: high}\n      vibration: {hi: 4.5"
    return text.replace("      vibration: {hi: 4.5", limits)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("overview"), site_edit=edited)
    try:
        yield made.start()
    finally:
        made.end()


def stays(page: Page) -> None:
    """From now on a reload would be seen."""
    page.evaluate("window.notReloaded = true")


def stayed(page: Page) -> bool:
    return page.evaluate("window.notReloaded === true")


def test_values_and_pointers_move_without_a_reload(look: Open) -> None:
    page = look("/")
    value = page.locator(VALUE)
    expect(value).not_to_have_text("–", timeout=SEEN_MS)
    stays(page)
    text = value.inner_text()
    pointer = page.locator("[data-row='line/speed'] .dial .pv")
    at = pointer.evaluate("one => one.style.transform")
    expect(value).not_to_have_text(text, timeout=SEEN_MS)
    page.wait_for_function("([one, was]) => one.style.transform !== was", arg=[pointer.element_handle(), at], timeout=SEEN_MS)
    assert stayed(page)


def test_a_bad_tag_looks_bad_and_is_named_among_the_abnormal(look: Open) -> None:
    page = look("/")
    bad = page.locator(f"[data-row='{NOWHERE}'] [data-tag]")
    expect(bad).to_have_attribute("data-quality", "bad", timeout=SEEN_MS)
    assert "✕" in bad.evaluate("one => getComputedStyle(one, '::before').content")
    expect(page.locator(f"[data-row='{NOWHERE}'] .dial .pv")).to_be_hidden()
    expect(page.locator("[data-bad]")).to_contain_text(NOWHERE, timeout=SEEN_MS)
    expect(page.locator(f"[data-row='{VIBRATION}'] [data-tag]")).to_have_attribute("data-quality", "good")


def test_an_excursion_stays_marked_after_it_came_back(scene: Scene, look: Open) -> None:
    page = look("/", lang="zh")
    stays(page)
    scene.plant("operator tension 106")
    alarm = page.locator(f".alarm[data-alarm='{PV}']")
    expect(alarm).to_have_class(re.compile("unacknowledged high"), timeout=10_000)
    expect(alarm).to_contain_text("高于 103\u202fkN")
    mark = page.locator(f"[data-mark='{PV}']")
    expect(mark).to_have_class("mark unacknowledged high")
    # The operator's hand is on the loop: Holdfast keeps off, and the card says so.
    expect(page.locator("[data-loop='stand-4/tension'] [data-field=yield]")).to_contain_text("Holdfast 回避", timeout=SEEN_MS)
    scene.plant("operator tension 100")
    expect(alarm).to_have_class(re.compile("returned high"), timeout=10_000)
    expect(mark).to_have_class("mark returned high")
    assert stayed(page)


def test_a_loop_shows_how_far_holdfast_may_go_as_it_changes(scene: Scene, look: Open) -> None:
    page = look("/")
    stays(page)
    card = page.locator("[data-loop='stand-4/emulsion']")
    expect(card.locator("[data-field=autonomy]")).to_have_text("act")
    expect(card.locator("[data-field=band]")).to_have_text("200 … 420\u202fL/min")
    expect(card).to_contain_text("Operator's permit")
    scene.desk(lambda desk: desk.autonomy("stand-4/emulsion.sp", "ask", "li.wei", PASSWORD))
    expect(card.locator("[data-field=autonomy]")).to_have_text("ask", timeout=SEEN_MS)
    expect(page.locator("[data-loop='furnace/strip_temp'] [data-field=autonomy]")).to_have_text("reads only")
    assert stayed(page)


def test_a_trend_opens_and_its_range_grows_by_keyboard_alone(look: Open) -> None:
    page = look("/")
    row = page.locator(f"[data-row='{VIBRATION}']")
    row.locator("button").focus()
    page.keyboard.press("Enter")
    expect(row.locator("canvas")).to_be_visible(timeout=SEEN_MS)
    hour = page.locator("[data-range='3600']")
    hour.focus()
    with page.expect_response(lambda answer: "range_s=3600" in answer.url and answer.ok):
        page.keyboard.press("Space")
    expect(hour).to_have_attribute("aria-pressed", "true")
    row.locator("button").focus()
    page.keyboard.press("Enter")
    expect(row.locator("canvas")).to_have_count(0)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_is_wider_than_a_phone(look: Open, lang: str, pictures: Path | None) -> None:
    page = look("/", lang=lang, size=PHONE)
    expect(page.get_by_role("heading", name="总览" if lang == "zh" else "Overview")).to_be_visible()
    expect(page.locator("[data-loop='stand-4/tension'] canvas")).to_be_visible(timeout=SEEN_MS)
    page.locator(f"[data-row='{VIBRATION}'] button").click()
    expect(page.locator(f"[data-row='{VIBRATION}'] canvas")).to_be_visible(timeout=SEEN_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if pictures:
        page.screenshot(path=pictures / f"overview-phone-{lang}.png", full_page=True)


def told(event: str, data: object) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def test_a_tag_of_which_nothing_new_comes_is_stale_alone(look: Open) -> None:
    """A stream of our own making: everything is fresh but one table, whose newest row is ten seconds old."""
    now = 1_700_000_000_000
    state = {"t": now, "stopped": [], "fault": False, "agent_lost": False, "asked": 0, "alarms": 0, "records": 1}
    stream = (
        "retry: 300\n"
        + told("tables", {"old": {"names": [VIBRATION], "period_s": 1.0}, "new": {"names": ["line/speed"], "period_s": 1.0}})
        + told("state", state)
        + told("values", {"table": "old", "t": now - 10_000, "v": [1.5], "bad": {}})
        + told("values", {"table": "new", "t": now, "v": [940.0], "bad": {}})
    )
    page = look("/sign-in")
    page.route("**/live", lambda route: route.fulfill(content_type="text/event-stream", body=stream))
    page.goto("/")
    expect(page.locator(f"[data-row='{VIBRATION}'] [data-tag]")).to_have_attribute("data-quality", "stale", timeout=SEEN_MS)
    assert "STALE" in page.locator(f"[data-row='{VIBRATION}']").evaluate("one => getComputedStyle(one, '::after').content")
    expect(page.locator("[data-old]")).to_contain_text(VIBRATION)
    expect(page.locator("[data-row='line/speed'] [data-tag]")).to_have_attribute("data-quality", "good")
    expect(page.locator("[data-stale-banner]")).to_be_hidden()


def test_a_lost_console_is_told_and_whoever_is_signed_out_meanwhile_is_asked_to_sign_in(scene: Scene, look: Open) -> None:
    page, left = look("/"), look("/", lang="zh")
    for one in (page, left):
        expect(one.locator(VALUE)).to_have_attribute("data-quality", "good", timeout=SEEN_MS)
    stays(page)
    left.context.clear_cookies()
    scene.end("console")
    expect(page.locator("[data-stale-banner]")).to_be_visible(timeout=4_000)
    scene.start_console(scene.address.removeprefix("http://"))
    expect(page.locator("[data-stale-banner]")).to_be_hidden(timeout=15_000)
    assert stayed(page)
    left.wait_for_url("**/sign-in?to=/", timeout=15_000)


def test_a_lost_plant_is_told_tag_by_tag_and_a_lost_gate_over_everything(scene: Scene, look: Open) -> None:
    page = look("/")
    value = page.locator(VALUE)
    expect(value).to_have_attribute("data-quality", "good", timeout=SEEN_MS)
    stays(page)
    scene.end("gate")
    expect(page.locator("[data-stale-banner]")).to_be_visible(timeout=4_000)
    said = "one => getComputedStyle(one, '::after').content"
    assert "STALE" in page.locator("[data-loop='stand-4/tension']").evaluate(said)
    scene.start_gate()
    expect(page.locator("[data-stale-banner]")).to_be_hidden(timeout=15_000)
    expect(value).to_have_attribute("data-quality", "good", timeout=15_000)
    text = value.inner_text()
    expect(value).not_to_have_text(text, timeout=SEEN_MS)
    scene.end("plant")
    expect(value).to_have_attribute("data-quality", re.compile("bad|stale"), timeout=10_000)
    expect(page.locator("[data-stale-banner]")).to_be_hidden()
    assert stayed(page)


def limit(side: str, at: float) -> Limit:
    return Limit(side=side, at=at, priority="high")  # type: ignore[arg-type]


def test_the_scale_reaches_a_fifth_beyond_the_outermost_limit() -> None:
    found = gauge([limit("hi", 4.0), limit("hihi", 5.0)], (), None)
    assert (found.low, found.high) == (0.0, 6.0)
    assert found.share(4.5) == 750.0
    both = gauge([limit("lo", 10.0), limit("hi", 20.0)], (), None)
    assert (both.low, both.high) == (8.0, 22.0)


def test_the_scale_ends_where_the_instrument_does_and_never_before_a_limit() -> None:
    assert gauge([limit("hi", 9.5)], (), (0.0, 10.0)).high == 10.0
    assert gauge([limit("hi", 12.0)], (), (0.0, 10.0)).high == 12.0
    assert gauge((), (), (0.0, 10.0)) == Gauge(low=0.0, high=10.0)
    assert gauge((), (), None) == Gauge(low=None, high=None)
    assert gauge((), (90.0, 115.0), None).share(90.0) == pytest.approx(142.9)
