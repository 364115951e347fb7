"""Every page as people see it, in both languages and at both sizes: nothing that axe calls serious, nothing wider than the screen.

With HOLDFAST_PICTURES=FOLDER the pages are kept as pictures; `make screenshots` makes those in docs/ so.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from console_scene import Scene, fresh_id
from console_visitor import DESK, PHONE
from playwright.sync_api import Page, expect

from holdfast.terms import SECOND_NS, Cause, Contribution, Diagnosis, Evidence, Finding, Proposal, Write

Open = Callable[..., Page]
INCIDENT = "incident-1"
KEPT = ("overview", "approvals-one", "alarms", "incidents-one", "ledger", "policy", "compliance", "reports-one", "detectors")  # as pictures
IN_SIGHT = """() => {
  const open = document.querySelector("nav.pages [aria-current]").getBoundingClientRect();
  return open.left >= 0 && open.right <= innerWidth + 1 && open.bottom <= innerHeight;
}"""
PAGES = (
    "/", "/approvals", "/alarms", "/incidents", "/ask", "/reports", "/reports/shift", "/reports/compliance", "/detectors", "/models",
    "/compliance", "/ledger", "/policy", "/commissioning", "/connections", "/people", "/stop",
)  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Something was found, explained and asked for; something else was refused."""
    made = Scene(tmp_path_factory.mktemp("scene"), with_past=True)
    try:
        made.start_asking()
        happen(made)
        yield made
    finally:
        made.end()


def happen(scene: Scene) -> None:
    now_ns = scene.desk(lambda desk: desk.status())["at_ns"]
    finding = Finding(
        id="finding-1", incident=INCIDENT, detector="chatter precursor@1", onset_ns=now_ns - 90 * 10**9, found_ns=now_ns, confidence=0.93,
        score=1.4, shares=(("stand-4/vibration", 0.6), ("stand-4/force", 0.25), ("stand-4/tension.pv", 0.15)),
    )  # fmt: skip
    of = Evidence(kind="finding", ref=finding.id)
    causes = (
        Cause(mode="chatter", probability=0.82, supporting=(of,), opposing=()),
        Cause(mode="none of these", probability=0.18, supporting=(), opposing=(of,)),
    )
    trim = Write(sets=(("stand-4/tension.sp", 98.5),))
    wild = Write(sets=(("stand-4/tension.sp", 135.0),))
    scene.agent(lambda link: link.find(finding))
    scene.agent(
        lambda link: link.diagnose(Diagnosis(id="diagnosis-1", incident=INCIDENT, at_ns=now_ns, causes=causes, course=course(now_ns)))
    )
    for action, reason in ((wild, "trust me, this is urgent"), (trim, "chatter at stand 4 (82 %): less tension damps it")):
        wanted = Proposal(id=fresh_id("trim"), incident=INCIDENT, action=action, reason=reason, evidence=(of,), expect="vibration falls")
        scene.agent(lambda link, wanted=wanted: link.propose(wanted))


def course(now_ns: int) -> tuple[Contribution, ...]:
    """Ten minutes in which a score rises over its limit."""
    shares = (("stand-4/vibration", 0.6), ("stand-4/force", 0.25), ("stand-4/tension.pv", 0.15))
    return tuple(
        Contribution(at_ns=now_ns - (30 - i) * 20 * SECOND_NS, score=0.5 + 0.0011 * i * i + 0.06 * (i % 3), shares=shares)
        for i in range(30)
    )


@pytest.mark.parametrize(("lang", "size"), [("en", DESK), ("zh", DESK), ("zh", PHONE)], ids=["en", "zh", "zh-phone"])
def test_every_page_can_be_read_by_everybody(scene: Scene, look: Open, pictures: Path | None, lang: str, size: tuple[int, int]) -> None:
    page = look("/", person="chen.jie", lang=lang, size=size)
    expect(page.locator("[data-tag][data-quality=good]").first).to_be_attached()
    waits = scene.desk(lambda desk: desk.waiting())
    wrong: list[str] = []
    for path in (
        *PAGES,
        f"/approvals/{waits[0]['proposal']}",
        "/incidents/finding-1",
        "/incidents/finding-1/cause",
        "/reports/incidents/finding-1",
    ):
        answer = page.goto(path)
        assert answer is not None
        if answer.status >= 400:
            wrong.append(f"{path}: {answer.status}")
            continue
        first, *rest = path.strip("/").split("/")
        name = "-".join((first or "overview", *(("one",) if rest else ()), *(rest[1:] if first == "incidents" else ())))
        if pictures is not None and name in KEPT:
            page.wait_for_timeout(1500)  # for the pictures alone: values and trends have come by then
            page.screenshot(path=pictures / f"{name}.{lang}{'-phone' if size == PHONE else ''}.png")
        wrong += [f"{path}: {said}" for said in serious(page)]
        if path in PAGES[:-1]:
            page.wait_for_function(IN_SIGHT)
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            wrong.append(f"{path}: wider than the screen")
    assert not wrong, "\n".join(wrong)


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical, each with the first place."""
    found: Any = Axe().run(page).response
    return [
        f"{fault['id']}: {fault['help']} ({fault['nodes'][0]['target']})"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
