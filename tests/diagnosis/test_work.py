"""From a cause to work that can be done: parts against the stock, a stop that is long enough, who is needed, which lots to hold."""

from datetime import UTC

import pytest

from holdfast.agent.diagnosis.work import affected, plan_of, planned
from holdfast.link import ContextFact, PlantContext, Slot
from holdfast.lots import Lot
from holdfast.site.model import WorkPlan
from holdfast.terms import SECOND_NS

H = 3600 * SECOND_NS
NOW = 1_000 * H
BEARING = WorkPlan(
    mode="bearing_wear", parts=(("22230-E1", 2), ("grease", 1)), takes_s=4 * 3600.0, skills=("mechanical fitter", "crane driver")
)


def stock(**items: float) -> tuple[ContextFact, ...]:
    return tuple(ContextFact(name=f"inventory:{name.replace('_', '-')}", value=value, at_ns=NOW) for name, value in items.items())


def slot(kind: str, from_h: float, to_h: float) -> Slot:
    return Slot(from_ns=NOW + round(from_h * H), to_ns=NOW + round(to_h * H), kind=kind)


FULL = (ContextFact(name="inventory:22230-E1", value=3.0, at_ns=NOW), ContextFact(name="inventory:grease", value=1.0, at_ns=NOW))
PLAN = (
    slot("production", -2, 6),
    slot("changeover", 6, 7),
    slot("production", 7, 20),
    slot("maintenance", 20, 30),
    slot("production", 30, 40),
)


def test_parts_in_stock_a_planned_stop_that_is_long_enough_and_the_skills_are_told() -> None:
    found = planned(BEARING, PlantContext(facts=FULL, slots=PLAN), NOW)
    assert found.short == ()
    assert found.slot_ns == (NOW + 20 * H, NOW + 24 * H)  # the changeover of an hour is too short
    assert [code for code, _ in found.said] == ["work.parts", "work.slot", "work.skills"]
    assert dict(found.said[0][1])["parts"] == "22230-E1 × 2, grease × 1"
    assert dict(found.said[1][1])["kind"] == "maintenance"
    assert dict(found.said[2][1])["skills"] == "mechanical fitter, crane driver"


def test_what_is_short_is_told_with_what_there_is_and_nothing_is_guessed_where_the_stock_is_unknown() -> None:
    few = (ContextFact(name="inventory:22230-E1", value=1.0, at_ns=NOW),)
    found = planned(BEARING, PlantContext(facts=few, slots=PLAN), NOW)
    assert found.short == (("22230-E1", 2, 1.0), ("grease", 1, None))
    assert [code for code, _ in found.said][:3] == ["work.parts", "work.short", "work.stock_unknown"]
    assert dict(found.said[1][1])["short"] == "22230-E1: 1 of 2"
    assert dict(found.said[2][1])["parts"] == "grease"


def test_a_gap_between_two_slots_is_a_stop_too() -> None:
    slots = (slot("production", -2, 3), slot("production", 8, 20))
    assert planned(BEARING, PlantContext(facts=FULL, slots=slots), NOW).slot_ns == (NOW + 3 * H, NOW + 7 * H)


def test_stops_that_follow_on_each_other_are_one() -> None:
    slots = (slot("production", -2, 3), slot("changeover", 3, 5), slot("maintenance", 5, 8), slot("production", 8, 20))
    assert planned(BEARING, PlantContext(facts=FULL, slots=slots), NOW).slot_ns == (NOW + 3 * H, NOW + 7 * H)


def test_a_stop_that_runs_already_counts_from_now() -> None:
    slots = (slot("maintenance", -5, 4.5), slot("production", 4.5, 20))
    assert planned(BEARING, PlantContext(facts=FULL, slots=slots), NOW).slot_ns == (NOW, NOW + 4 * H)


def test_where_no_stop_is_long_enough_the_longest_is_told_and_no_slot_is_wanted() -> None:
    slots = (slot("production", -2, 3), slot("changeover", 3, 5.5), slot("production", 5.5, 20))
    found = planned(BEARING, PlantContext(facts=FULL, slots=slots), NOW)
    assert found.slot_ns is None
    code, facts = next(said for said in found.said if said[0].startswith("work.no"))
    assert (code, dict(facts)["longest_s"]) == ("work.no_slot", "9000")
    assert "It takes 4 h; no planned stop is that long, the longest lasts 150 min." in found.told(UTC, "en")


def test_after_the_end_of_the_plan_nothing_is_known() -> None:
    """The last entry is the end of what is known, not the beginning of a stop."""
    assert planned(BEARING, PlantContext(facts=FULL, slots=(slot("production", -2, 3),)), NOW).slot_ns is None


def test_without_a_schedule_it_says_so() -> None:
    assert "work.no_schedule" in [code for code, _ in planned(BEARING, PlantContext(facts=FULL), NOW).said]


def test_work_that_needs_nothing_says_nothing() -> None:
    assert planned(WorkPlan(mode="m"), PlantContext(slots=PLAN), NOW).said == ()


@pytest.mark.parametrize(("equipment", "found"), [("stand-4", "there"), ("stand-5", "everywhere"), ("", "everywhere")])
def test_work_for_one_piece_of_equipment_comes_before_work_for_all(equipment: str, found: str) -> None:
    there, everywhere = WorkPlan(mode="m", equipment=("stand-4",), skills=("there",)), WorkPlan(mode="m", skills=("everywhere",))
    of = plan_of((everywhere, WorkPlan(mode="other"), there), "m", equipment)
    assert of is not None
    assert of.skills == (found,)
    assert plan_of((there,), "m", "stand-5") is None


def lot(name: str, from_h: float, to_h: float | None, supplier_lot: str = "", parents: tuple[str, ...] = ()) -> Lot:
    return Lot(
        lot=name, supplier="S" if supplier_lot else "", supplier_lot=supplier_lot, parents=parents, from_ns=NOW + round(from_h * H),
        to_ns=None if to_h is None else NOW + round(to_h * H),
    )  # fmt: skip


def test_lots_that_ran_since_it_began_are_affected_and_those_before_are_not() -> None:
    lots = (lot("A", -9, -6), lot("B", -6, -3), lot("C", -3, -1), lot("D", -1, None))
    found = affected(lots, NOW - 4 * H, NOW)
    assert found.lots == ("B", "C", "D")
    assert found.shared == ()


def test_a_suppliers_lot_that_all_of_them_have_and_none_before_has_is_evidence() -> None:
    reels = (lot("R1", -50, -40, "S-1"), lot("R2", -50, -40, "S-2"))
    lots = (*reels, lot("A", -9, -6, parents=("R1",)), lot("B", -6, -3, parents=("R2",)), lot("C", -3, None, parents=("R2",)))
    assert affected(lots, NOW - 4 * H, NOW).shared == (("S", "S-2"),)
    same = (*reels, lot("A", -9, -6, parents=("R2",)), lot("B", -6, -3, parents=("R2",)))
    assert affected(same, NOW - 4 * H, NOW).shared == ()  # what was good was made of it too


def test_one_affected_lot_alone_shows_nothing_about_its_supplier() -> None:
    lots = (lot("R1", -50, -40, "S-1"), lot("R2", -50, -40, "S-2"), lot("A", -9, -6, parents=("R1",)), lot("B", -3, None, parents=("R2",)))
    assert affected(lots, NOW - 2 * H, NOW).shared == ()
