"""A model's second opinion is published beside what the rules said, as the model's; nothing of theirs is lost or moved."""

from pathlib import Path

import pytest
from scripted_engine import Scripted, endpoint
from test_rerank import BAND, DIAGNOSIS, says

from holdfast.agent.ask.opinion import WAITING_MAX, Opinions, opinions_of
from holdfast.agent.models.serving.router import Router
from holdfast.clock import RealClock
from holdfast.link import LinkError
from holdfast.run.mill import mill_site
from holdfast.terms import Label, Report, ReportText

OURS = Report(id="d-1-report", incident="i-1", texts=(ReportText(text="Check first: the oil.", language="en"),))
MOVED = says(("bearing_wear", ["e2"]), ("lubrication_loss", []), ("none of these", []))


class Kept:
    """The part of a link that is used."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.away = False

    async def publish(self, report: Report) -> None:
        if self.away:
            raise LinkError("the gate is away")
        self.reports.append(report)


async def heard(*does: object, clearance: Label = "restricted", away: bool = False) -> tuple[Kept, Scripted]:
    link, engine = Kept(), Scripted(*does)
    link.away = away
    router = Router([endpoint("llm", clearance, skills=("rerank",))], {"llm": engine}, RealClock())
    opinions = Opinions(link, mill_site().site, router, RealClock())  # type: ignore[arg-type]
    opinions.hear(DIAGNOSIS, OURS)
    await opinions.settled()
    await opinions.close()
    return link, engine


async def test_another_order_is_published_beside_our_own_words_as_the_models() -> None:
    link, _ = await heard(MOVED)
    (report,) = link.reports
    assert (report.id, report.incident, report.texts[0]) == ("d-1-report-opinion", "i-1", OURS.texts[0])
    assert report.texts[1].made_by == "model:llm@m"
    assert "bearing_wear > lubrication_loss > none of these" in report.texts[1].text
    assert f"{BAND.quote} [{BAND.ref}]" in report.texts[1].text


@pytest.mark.parametrize(
    "does",
    [
        says(("lubrication_loss", []), ("bearing_wear", []), ("none of these", [])),  # the same order
        says(("bearing_wear", ["e2"]), ("bearing_wear", ["e2"]), ("none of these", [])),  # one is dropped
        says(("bearing_wear", []), ("lubrication_loss", []), ("none of these", [])),  # moved up without evidence
        "no JSON",
        RuntimeError("broken engine"),
    ],
)
async def test_what_is_no_reasoned_order_is_not_published(does: object) -> None:
    link, _ = await heard(does)
    assert link.reports == []


async def test_a_model_below_the_labels_is_not_asked() -> None:
    link, engine = await heard(MOVED, clearance="partner")
    assert (link.reports, engine.got) == ([], [])


async def test_a_gate_that_is_away_costs_the_opinion_alone() -> None:
    link, _ = await heard(MOVED, away=True)
    assert link.reports == []


async def test_the_oldest_of_too_many_is_let_go() -> None:
    link = Kept()
    engine = Scripted(*[MOVED] * (WAITING_MAX + 2))
    router = Router([endpoint("llm", "restricted", skills=("rerank",))], {"llm": engine}, RealClock())
    opinions = Opinions(link, mill_site().site, router, RealClock())  # type: ignore[arg-type]
    for number in range(WAITING_MAX + 2):
        opinions.hear(DIAGNOSIS, Report(id=f"r{number}", incident="i-1", texts=()))
    await opinions.settled()
    assert [report.id for report in link.reports] == [f"r{n}-opinion" for n in range(2, WAITING_MAX + 2)]


def test_a_site_without_a_model_for_it_has_no_opinions(tmp_path: Path) -> None:
    assert opinions_of(Kept(), mill_site().site, clock=RealClock(), sockets=tmp_path) is None  # type: ignore[arg-type]
