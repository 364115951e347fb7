"""Every flow by the keyboard alone, in both languages, at a desk and on a phone: what Tab does not reach can't be used with gloves on."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_scene import PASSWORD, PEOPLE, Scene, fresh_id
from console_visitor import DESK, PHONE
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PatienceOver

from holdfast.terms import Evidence, Finding, Proposal, Write

Open = Callable[..., Page]
LOOKS_MS = 5_000  # for the looks of a page that has just come
TABS_MAX = 250  # stops on the longest page, with room
TENSION = "stand-4/tension.sp"
TURNS = itertools.cycle((100.5, 101.0))  # kN; what is there already would be no write
RINGING = ("coolant_temp", "lube_temp", "force", "current", "coolant_flow")  # one to acknowledge for each variant, and one to shelve
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.tagName + "." + e.className).slice(0, 20)"""
ALONE = {f"keys.{name}": ("administrator", "operator") for name in ("en-desk", "en-phone", "zh-desk", "zh-phone")}


def _always_ringing(site: str) -> str:
    """Limits that the running mill is beyond from the start on; and a write that need not wait for the one before it."""
    rows = "".join(f"      {name}: {{hi: 0.1, deadband: 0.01, delay: 0s, priority: low}}\n" for name in RINGING)
    at = site.index("      vibration: {hi: 4.5")
    quick = site[:at] + rows + site[at:]
    # No effect is judged: wrong ones would lower the autonomy, and then nobody is asked any more.
    judged = ("expect:", "settles:")
    return "".join(line for line in quick.replace("dwell: 60s", "dwell: none").splitlines(True) if not line.lstrip().startswith(judged))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    found = Finding(
        id="f-1", incident="i-1", detector="d@0", onset_ns=1, found_ns=2, confidence=0.9, score=1.1, shares=(("stand-4/force", 1.0),)
    )
    made = Scene(tmp_path_factory.mktemp("scene"), site_edit=_always_ringing, people={**PEOPLE, **ALONE})
    try:
        made.start_asking()
        made.agent(lambda link: link.find(found))
        yield made
    finally:
        made.end()


class Keys:
    """Somebody before a page with no pointer at all."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name = page, name

    def to(self, target: Locator) -> None:
        """With Tab, from wherever the focus is, around the whole page once. The focus must be seen."""
        expect(target).to_be_visible()
        for _ in range(TABS_MAX):
            if target.evaluate("e => e === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        expect(target).to_be_focused(timeout=LOOKS_MS)
        # A page that has just come may have its elements before its looks.
        looks = "e => { const s = getComputedStyle(e); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; }"
        try:
            self.page.wait_for_function(looks, arg=target.element_handle(), timeout=LOOKS_MS)
        except PatienceOver:
            pytest.fail(f"nobody sees that {target} has the focus")

    def press(self, target: Locator, key: str = "Enter") -> None:
        self.to(target)
        self.page.keyboard.press(key)

    def type(self, target: Locator, text: str) -> None:
        self.to(target)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def go(self, section: str) -> None:
        """By the links that every page has."""
        self.press(self.page.locator(f"nav.pages a[href='{section}']"))
        expect(self.page.locator(f"nav.pages a[href='{section}']")).to_have_attribute("aria-current", "page")

    def sign_in(self, person: str) -> None:
        self.type(self.page.locator("input[name=person]"), person)
        self.type(self.page.locator("input[name=password]"), PASSWORD)
        self.press(self.page.locator("main button"))
        expect(self.page.locator("form[action='/sign-out'] button")).to_contain_text(person)


@pytest.fixture(params=["en-desk", "en-phone", "zh-desk", "zh-phone"])
def keys(request: pytest.FixtureRequest, look: Open) -> Iterator[Keys]:
    """Signed in as an operator, on the overview."""
    lang, where = request.param.split("-")
    page = look("/sign-in", person="", lang=lang, size=DESK if where == "desk" else PHONE)
    made = Keys(page, request.param)
    made.sign_in("li.wei")
    yield made
    page.wait_for_load_state("load")  # its styles too
    assert page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[lang]
    assert page.evaluate(TOO_WIDE) == [], f"wider than the screen: {page.url}"


def asked(scene: Scene, tension: float) -> str:
    wanted = Proposal(
        id=fresh_id("keys"),
        incident="i-1",
        action=Write(sets=((TENSION, tension),)),
        reason="vibration grows",
        evidence=(Evidence(kind="finding", ref="f-1"),),
        expect="it falls",
        valid_s=300.0,
    )
    decision = scene.agent(lambda link: link.propose(wanted))
    assert decision.verdict == "ask", [reason for reason in decision.reasons if not reason.passed]
    return wanted.id


def idle(scene: Scene) -> None:
    scene.until(lambda: not scene.desk(lambda desk: desk.status())["jobs"])


def test_a_proposal_is_found_asked_about_and_approved(scene: Scene, keys: Keys) -> None:
    page = keys.page
    proposal = asked(scene, next(TURNS))
    keys.go("/approvals")
    keys.press(page.locator(f"main a[href='/approvals/{proposal}']").last)
    keys.type(page.locator("#ask input[name=text]"), "为什么？ why?")
    keys.press(page.locator("#ask button"))
    expect(page.locator(".questions .asked")).to_contain_text("为什么？ why?")
    keys.type(page.locator("#sign input[name=password]"), PASSWORD)
    keys.press(page.locator("#sign button.yes"))
    expect(page.locator("#card .standing")).to_have_class(re.compile("consumed|approved"))
    idle(scene)


def test_a_proposal_is_refused_with_a_reason(scene: Scene, keys: Keys) -> None:
    page = keys.page
    proposal = asked(scene, 99.5)
    keys.go("/approvals")
    keys.press(page.locator(f"main a[href='/approvals/{proposal}']").last)
    keys.type(page.locator("#sign input[name=password]"), PASSWORD)
    keys.type(page.locator("#sign input[name=reason]"), "not before the coil change")
    keys.press(page.locator("#sign button.no"))
    expect(page.locator("#card .signature").first).to_contain_text("✗ li.wei")
    expect(page.locator("#card .signature").first).to_contain_text("not before the coil change")
    idle(scene)


def test_an_alarm_is_acknowledged_and_another_shelved_and_taken_back(keys: Keys) -> None:
    page = keys.page
    mine = RINGING[list(ALONE).index(f"keys.{keys.name}")]
    keys.go("/alarms")
    row = page.locator(".alarm", has=page.locator(f"[data-tag='stand-4/{mine}']"))
    keys.press(row.locator("form button.yes"))
    expect(row.locator("form button.yes")).to_have_count(0)
    expect(row).to_contain_text("li.wei")
    last = page.locator(".alarm", has=page.locator(f"[data-tag='stand-4/{RINGING[-1]}']"))
    keys.press(last.locator("a.button"))
    keys.press(page.locator("input[name=minutes]:checked"), "ArrowDown")
    expect(page.locator("input[name=minutes]").nth(1)).to_be_checked()
    keys.type(page.locator("input[name=reason]"), "sensor is being changed")
    keys.press(page.locator("form button.yes"))
    shelved = page.locator(".alarm.shelved")
    expect(shelved).to_contain_text("sensor is being changed")
    keys.press(shelved.locator("button"))
    expect(shelved).to_have_count(0)


def test_the_plant_is_stopped_and_resumed(scene: Scene, keys: Keys) -> None:
    page = keys.page
    keys.press(page.locator("[data-stop]"))
    keys.press(page.locator("button.stop-now"))
    expect(page.locator(".banner.stopped")).to_be_visible()
    assert scene.desk(lambda desk: desk.status())["stopped"] == ["*"]
    keys.type(page.locator("form.resume input[name=password]"), PASSWORD)
    keys.press(page.locator("form.resume button"))
    expect(page.locator("button.stop-now")).to_be_visible()
    assert scene.desk(lambda desk: desk.status())["stopped"] == []


def test_a_trend_opens_and_its_range_grows(keys: Keys) -> None:
    page = keys.page
    keys.go("/")
    row = page.locator("[data-row='stand-4/vibration']")
    keys.press(row.locator("button"))
    expect(row.locator("canvas")).to_be_visible()
    hour = page.locator("[data-range='3600']")
    with page.expect_response(lambda answer: "range_s=3600" in answer.url and answer.ok):
        keys.press(hour, "Space")
    expect(hour).to_have_attribute("aria-pressed", "true")


def test_an_incident_is_read_in_all_three_ways_down_to_its_records(keys: Keys) -> None:
    page = keys.page
    keys.go("/incidents")
    keys.press(page.locator(".incidents a").first)
    for view in ("timeline", "raw"):
        keys.press(page.locator(f"a.button[href$='view={view}']"))
        expect(page.locator(f"a.button[href$='view={view}']")).to_have_attribute("aria-current", "page")
    keys.press(page.locator("main a[href^='/ledger/']").first)
    expect(page.locator("pre.bytes")).to_be_visible()


def test_the_record_is_filtered_read_verified_and_taken_along(keys: Keys) -> None:
    page = keys.page
    keys.go("/ledger")
    keys.to(page.locator("select[name=kind]"))
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    kind = page.locator("select[name=kind]").input_value()
    assert kind
    keys.press(page.locator("form.filters button.yes"))
    page.wait_for_url(f"**kind={kind}*")
    keys.go("/ledger")
    keys.press(page.locator(".records a").first)
    expect(page.locator("pre.bytes")).to_be_visible()
    keys.go("/ledger")
    keys.press(page.locator("a[href='/ledger/verify']"))
    keys.press(page.locator("form[data-verify] button"))
    expect(page.locator("[data-verify-result] p").first).to_contain_text("✓")
    with page.expect_download() as download:
        keys.press(page.locator("form[action='/ledger/export'] button"))
    assert "holdfast export/1" in Path(download.value.path()).read_text(encoding="utf-8")


def test_a_change_of_the_files_is_laid_before_the_gate_and_two_revisions_compared(
    scene: Scene, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = keys.page
    folder = tmp_path_factory.mktemp("files")
    revision = 1 + scene.desk(lambda desk: desk._ask("GET", "/v1/configurations"))["in_force"][0]["revision"]
    (folder / "site.yaml").write_text((scene.site / "site.yaml").read_text().replace("SPCC: [80, 120]", f"SPCC: [{80 + revision}, 120]"))
    (folder / "policy.yaml").write_text((scene.site / "policy.yaml").read_text().replace("revision: 1", f"revision: {revision}"))
    keys.go("/policy")
    keys.press(page.locator("a[href='/policy/propose']").last)
    with page.expect_file_chooser() as chosen:
        keys.press(page.locator("input[name=files]"))
    chosen.value.set_files([folder / "site.yaml", folder / "policy.yaml"])
    form = page.locator("form[enctype]")
    keys.type(form.locator("input[name=password]"), PASSWORD)
    keys.press(form.locator("button"))
    expect(page.locator("main")).to_contain_text(str(80 + revision))
    keys.type(page.locator("form.sign input[name=password]"), PASSWORD)
    keys.press(page.locator("form.sign button.yes"))
    expect(page.get_by_role("heading", name=re.compile(rf"\b{revision}\b"))).to_be_visible()
    now = scene.desk(lambda desk: desk._ask("GET", "/v1/configurations"))["in_force"][0]
    assert (now["revision"], now["active"]) == (revision, True)
    keys.go("/policy")
    keys.press(page.locator("form[action='/policy/compare'] button"))
    expect(page.locator("table.changes")).to_contain_text(str(80 + revision))


def test_clauses_are_looked_at_over_another_period_and_a_report_is_read_and_saved(keys: Keys) -> None:
    page = keys.page
    keys.go("/compliance")
    keys.press(page.locator("a[href='/compliance?days=30']"))
    expect(page.locator("a[href='/compliance?days=30']")).to_have_attribute("aria-current", "page")
    keys.go("/reports")
    keys.press(page.locator("main a[href^='/reports/incidents/']").first)
    expect(page.locator("main h1").first).to_be_visible()
    with page.expect_download() as download:
        keys.press(page.locator("a[href$='as=pdf']").first)
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")


def test_a_loop_is_looked_at_and_a_check_without_a_sensible_step_is_refused(keys: Keys) -> None:
    page = keys.page
    keys.go("/commissioning")
    keys.press(page.locator("main a[href*='loop=stand-4/tension']").first)
    keys.type(page.locator("#check input[name=step]"), "-50")
    keys.press(page.locator("#check button"))
    expect(page.get_by_role("alert").filter(has_text="2")).to_be_visible()
    keys.press(page.locator("a[href^='/commissioning/protocol']"))
    expect(page.locator("main table").first).to_be_visible()


def test_a_connection_and_a_detector_are_looked_at_and_learning_now_is_refused_with_its_reason(keys: Keys) -> None:
    page = keys.page
    keys.go("/connections")
    keys.press(page.locator("main h2 a").first)
    expect(page.locator("main table").first).to_be_visible()
    keys.go("/detectors")
    keys.press(page.locator("details.act summary").first)
    keys.type(page.locator("details.act input[name=password]").first, PASSWORD)
    keys.press(page.locator("details.act button.yes").first)
    expect(page.locator("main [role=alert]")).to_be_visible()


def test_an_administrator_adds_changes_and_removes_a_person_and_changes_their_own_password(keys: Keys) -> None:
    page, name = keys.page, f"new.{keys.name}"
    keys.press(page.locator("form[action='/sign-out'] button"))
    keys.sign_in(f"keys.{keys.name}")
    keys.go("/people")
    keys.press(page.locator("a[href='/people/add']"))
    keys.type(page.locator("input[name=name]"), name)
    keys.press(page.locator("input[name='role.operator']"), "Space")
    for field, value in (("new", "five-brass-kettles"), ("again", "five-brass-kettles"), ("password", PASSWORD)):
        keys.type(page.locator(f"input[name={field}]"), value)
    keys.press(page.locator("main form button.yes"))
    row = page.get_by_role("row", name=name)
    keys.press(row.locator("a.button"))
    gone = page.locator("form[action$='/remove']")
    keys.type(gone.locator("input[name=password]"), PASSWORD)
    keys.press(gone.locator("button"))
    expect(page.get_by_role("row", name=name)).to_have_count(0)
    keys.press(page.locator("a[href='/people/password']"))
    for field, value in (("password", PASSWORD), ("new", "six-copper-kettles"), ("again", "six-copper-kettles")):
        keys.type(page.locator(f"input[name={field}]"), value)
    keys.press(page.locator("main form button.yes"))
    expect(page.locator("p.said[role=status]")).to_contain_text("✓")


def test_the_language_is_changed_and_back(keys: Keys) -> None:
    page = keys.page
    was = page.locator("html").get_attribute("lang")
    keys.press(page.locator("form[action='/language'] button"))
    expect(page.locator("html")).not_to_have_attribute("lang", str(was))
    keys.press(page.locator("form[action='/language'] button"))
    expect(page.locator("html")).to_have_attribute("lang", str(was))
