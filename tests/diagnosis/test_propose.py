"""The agent's account of an envelope: what it may ask for now, by hand from the demo mill's site file."""

import dataclasses
from collections.abc import Mapping

import pytest
from mill_site import MILL

from holdfast.agent.diagnosis.propose import Room, keeps, room
from holdfast.agent.knowledge.modes import Trim
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Move

NOW_NS = 100_000 * SECOND_NS
TENSION, EMULSION = "stand-4/tension.sp", "stand-4/emulsion.sp"
VALUES = {
    "line/grade": 0.0,  # DC01: 90 to 115 kN
    "line/state": 1.0,
    "line/key_switch": 0.0,
    "line/speed": 800.0,
    "line/speed_ref": 800.0,
    "stand-4/tension.sp_now": 100.0,
    "stand-4/tension.permit": 1.0,
    "stand-4/tension.mode": 2.0,
    "stand-4/emulsion.sp_now": 300.0,
    "stand-4/emulsion.permit": 1.0,
    "stand-4/emulsion.mode": 2.0,
}


def ask(
    sp: str = TENSION,
    *,
    up: bool = True,
    by: float = 1.0,
    site: Site = MILL,
    moves: tuple[Move, ...] = (),
    taken_ago_s: float = 0.0,
    values: Mapping[str, float | None] | None = None,
) -> Room:
    known: dict[str, float | None] = {**VALUES, **(values or {})}
    loop, envelope = site.loop_of(sp), site.envelope(sp)
    assert loop is not None
    assert envelope is not None
    trim = Trim(role="tension", move="up" if up else "down", by=by, expect_role="vibration", expect="falls")
    taken_ns = NOW_NS - round(taken_ago_s * SECOND_NS) if taken_ago_s else 0
    return room(site, loop, envelope, trim, value_of=known.get, moves=moves, taken_ns=taken_ns, now_ns=NOW_NS, agent="mill-agent")


def move(before: float, after: float, ago_s: float, sp: str = TENSION, *, ours: bool = True, shadow: bool = False) -> Move:
    by = "mill-agent" if ours else "operator"
    return Move(tag=sp, before=before, after=after, at_ns=NOW_NS - round(ago_s * SECOND_NS), by=by, ours=ours, shadow=shadow)


def test_one_step_up_or_down() -> None:
    assert ask() == Room(before=100.0, target=102.0)
    assert ask(up=False) == Room(before=100.0, target=98.0)
    assert ask(by=0.5) == Room(before=100.0, target=101.0)


def test_the_last_step_ends_at_the_bound_of_the_grade() -> None:
    assert ask(values={"stand-4/tension.sp_now": 114.0}) == Room(before=114.0, target=115.0)
    assert ask(values={"stand-4/tension.sp_now": 114.0, "line/grade": 1.0}) == Room(before=114.0, target=116.0)  # SPCC: to 120
    assert ask(values={"stand-4/tension.sp_now": 115.0}).held == "at_bound"


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ({"line/grade": 7.0}, "range_unknown"),
        ({"line/grade": None}, "range_unknown"),
        ({"stand-4/tension.sp_now": None}, "no_value"),
        ({"stand-4/tension.permit": 0.0}, "enable"),
        ({"stand-4/tension.mode": 1.0}, "requires"),
        ({"line/state": 0.0}, "requires"),
        ({"line/key_switch": 1.0}, "maintenance"),
    ],
)
def test_what_holds_it_back_has_a_code(values: dict[str, float | None], held: str) -> None:
    assert ask(values=values).held == held


def test_dwell_is_waited_for() -> None:
    assert ask(moves=(move(98, 100, 60),)).held == "dwell"
    assert ask(moves=(move(98, 100, 61),)).target == 102.0


def test_the_rate_window_counts_everyones_travel_and_forgets_what_is_older() -> None:
    four = tuple(move(100 - d, 102 - d, ago) for d, ago in ((8, 500), (6, 400), (4, 300), (2, 200)))
    assert ask(moves=four).target == 102.0  # 8 of 10 kN used
    five = (move(88, 90, 590), *four)
    assert ask(moves=five).held == "rate"
    assert ask(moves=(move(88, 90, 601), *four)).target == 102.0
    assert ask(moves=(move(92, 93, 550), *four)).target == 101.0  # 9 used: one is left


def test_a_way_back_is_reserved_where_a_wrong_effect_is_taken_back() -> None:
    restoring = tuple(dataclasses.replace(e, restore=True) for e in MILL.envelopes)
    site = dataclasses.replace(MILL, envelopes=restoring)
    seven = (move(93, 95, 500), move(95, 97, 400), move(97, 98, 300), move(98, 100, 200))
    assert ask(moves=seven, site=site).target == 101.5  # of the 3 kN left, half


def test_an_operators_move_is_yielded_to_for_half_an_hour() -> None:
    held = ask(moves=(move(99, 100, 1799, ours=False),))
    assert (held.held, held.target) == ("yield", 102.0)
    assert ask(moves=(move(99, 100, 1801, ours=False),)).held is None


def test_a_mode_or_permit_that_changed_is_yielded_to_as_well() -> None:
    assert ask(taken_ago_s=1799.0).held == "yield"
    assert ask(taken_ago_s=1801.0).held is None


def test_a_would_be_move_uses_nothing_up() -> None:
    assert ask(moves=(move(98, 100, 10, shadow=True),)).target == 102.0


def test_the_hourly_budget_counts_our_writes() -> None:
    twelve = tuple(move(300, 301, 3500 - 100 * i, EMULSION) for i in range(12))
    assert ask(EMULSION, moves=twelve).held == "writes"
    assert ask(EMULSION, moves=twelve[1:]).target == 330.0


def test_under_observe_nothing_is_asked_for() -> None:
    assert ask(site=dataclasses.replace(MILL, autonomy="observe")).held == "observe"


def test_a_target_never_leaves_step_or_range_by_rounding() -> None:
    for i in range(2000):
        before = 90.0 + i * 0.0123457
        for up in (True, False):
            found = ask(up=up, values={"stand-4/tension.sp_now": before})
            if found.target is not None:
                assert abs(found.target - before) <= 2.0
                assert 90.0 <= found.target <= 115.0


def test_the_objectives_keep_is_told_broken_only_by_values_that_are_known() -> None:
    assert keeps(MILL, {"line/speed": 790.0, "line/speed_ref": 800.0}.get) == ()  # 98 % is 784
    assert keeps(MILL, {"line/speed": 783.0, "line/speed_ref": 800.0}.get) == ("line/speed",)
    assert keeps(MILL, {"line/speed": 783.0}.get) == ()
