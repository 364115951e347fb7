"""The course of an incident whose cause is mended by people: lots are held, then the work is ordered, each once."""

import dataclasses

from mill_site import MILL

from holdfast.agent.diagnosis.bind import bind
from holdfast.agent.diagnosis.course import Course, Pause
from holdfast.agent.diagnosis.rank import Match, Ranking
from holdfast.agent.knowledge.modes import library
from holdfast.link import ContextFact, PlantContext, Slot
from holdfast.lots import Lot
from holdfast.site.model import WorkPlan
from holdfast.terms import SECOND_NS, Cause, Diagnosis, Evidence, Order, Proposal

H = 3600 * SECOND_NS
NOW_NS = 490_000 * H  # 2025-11-24 16:00 UTC, midnight in Shanghai
WORK = WorkPlan(mode="bearing_wear", equipment=("stand-4",), parts=(("22230-E1", 2),), takes_s=4 * 3600.0, skills=("fitter",), holds=True)
CONTEXT = PlantContext(
    facts=(ContextFact(name="inventory:22230-E1", value=1.0, at_ns=NOW_NS),),
    slots=(
        Slot(from_ns=NOW_NS - H, to_ns=NOW_NS + 2 * H, kind="production"),
        Slot(from_ns=NOW_NS + 2 * H, to_ns=NOW_NS + 9 * H, kind="maintenance"),
    ),
    lots=(Lot(lot="C1", from_ns=NOW_NS - 9 * H, to_ns=NOW_NS - 5 * H), Lot(lot="C2", from_ns=NOW_NS - 5 * H)),
)
SEEN = Evidence(kind="history", ref="stand-4/bearing_vib@1..2")


def course(*work: WorkPlan) -> Course:
    return Course(dataclasses.replace(MILL, work=work, language="en", timezone="Asia/Shanghai"), "mill-agent", "i-1")


def following(of: Course, onset_ns: int, context: PlantContext = CONTEXT) -> Proposal | Pause:
    bound = next(b for b in bind(MILL, library()) if b.mode.id == "bearing_wear" and b.equipment == "stand-4")
    cause = Cause(mode=bound.id, probability=0.9, supporting=(SEEN,), opposing=())
    ranking = Ranking(
        diagnosis=Diagnosis(id="d", incident="i-1", at_ns=NOW_NS, causes=(cause,)),
        matches=(Match(id=bound.id, probability=0.9, bound=bound, presence=1.0),),
    )
    return of.next(
        ranking, presence=1.0, active=True, value_of=lambda tag: 1.0, moves=(), taken={}, now_ns=NOW_NS, context=context, onset_ns=onset_ns
    )


def order(found: Proposal | Pause) -> Order:
    assert isinstance(found, Proposal)
    assert isinstance(found.action, Order)
    return found.action


def test_the_lots_that_ran_since_it_began_are_held_first_and_once_then_the_work_is_ordered() -> None:
    of = course(WORK)
    held = following(of, NOW_NS - 4 * H)
    assert (order(held).kind, order(held).target) == ("hold_batch", "stand-4")
    assert order(held).text == "Hold these lots for inspection, which ran since it began: C2."
    work = following(of, NOW_NS - 4 * H)
    assert order(work).kind == "work_order"
    assert order(work).parts == (("22230-E1", 2),)
    assert order(work).slot_ns == (NOW_NS + 2 * H, NOW_NS + 6 * H)
    assert order(work).text.endswith(
        "Parts: 22230-E1 × 2. Not enough in stock: 22230-E1: 1 of 2. "
        "It fits the planned stop (maintenance) from 2025-11-25 02:00 to 2025-11-25 06:00. Needed: fitter."
    )
    assert isinstance(work, Proposal)
    assert [(e.kind, e.ref) for e in work.evidence] == [("history", SEEN.ref), ("context", "inventory:22230-E1"), ("context", "schedule")]


def test_without_lots_nothing_is_held_and_without_a_plan_the_advice_stands_alone() -> None:
    assert order(following(course(WORK), NOW_NS - 4 * H, PlantContext())).kind == "work_order"
    plain = order(following(course(), NOW_NS - 4 * H))
    assert (plain.kind, plain.parts, plain.slot_ns) == ("work_order", (), None)
    assert "Parts" not in plain.text
