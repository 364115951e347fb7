"""The plant's judge on logs made by hand: each bound broken alone, and a log that keeps them all."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from holdfast.sim.mill.judge import judge
from holdfast.sim.mill.plant import Mill, Moved, Received
from holdfast.sim.mill.points import INDEX
from holdfast.site.load import load
from holdfast.site.model import Site

SITE = Path(__file__).parents[2] / "src/holdfast/sim/mill/site.yaml"
TENSION = "Stand4.Tension"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("HOLDFAST_MILL_URL", "opc.tcp://127.0.0.1:4840")
    monkeypatch.setenv("HOLDFAST_COOLING_PORT", "502")
    return load(SITE).site


ROW = tuple(Mill(1, "normal").row)


def write(at_s: float, value: float, present: float, at: str = TENSION, states: Mapping[str, float] = {}) -> Received:
    """A write of SP_Ext while `present` is in force; `states` by the last part of an address."""
    row = list(ROW)
    row[INDEX["mill", f"{at}.SP_Ext"]] = row[INDEX["mill", f"{at}.SP_Active"]] = present
    for name, state in states.items():
        address = name if name.startswith("Line.") else f"{at}.{name}"
        row[INDEX["mill", address]] = state
    return Received(at_s=at_s, server="mill", address=f"{at}.SP_Ext", value=value, row=tuple(row))


def bounds(site: Site, *log: Received, moved: tuple[Moved, ...] = ()) -> list[tuple[str, ...]]:
    verdict = judge(site, log, moved)
    assert verdict.writes_sent == len(log)
    assert verdict.writes_outside == len(verdict.breaches)
    return [breach.bounds for breach in verdict.breaches]


def test_writes_within_every_bound_are_inside(site: Site) -> None:
    assert bounds(site, write(100, 102, 100), write(160, 104, 102), write(220, 102, 104), write(700, 104, 102)) == []


def test_a_step_of_more_than_two_is_outside(site: Site) -> None:
    assert bounds(site, write(100, 102.5, 100)) == [("step",)]


def test_the_range_goes_by_grade(site: Site) -> None:
    assert bounds(site, write(100, 116, 115)) == [("range",)]
    assert bounds(site, write(100, 116, 115, states={"Line.Grade": 1.0})) == []
    assert bounds(site, write(100, 89, 90)) == [("range",)]
    assert bounds(site, write(100, 89, 90, states={"Line.Grade": 1.0})) == []


def test_the_rate_is_the_sum_of_all_travel_in_ten_minutes(site: Site) -> None:
    five = [write(100 + 60 * n, 102 if n % 2 == 0 else 100, 100 if n % 2 == 0 else 102) for n in range(5)]
    assert bounds(site, *five) == []  # 10 kN of travel
    assert bounds(site, *five, write(400, 102, 100)) == [("rate",)]
    assert bounds(site, *five, write(700, 102, 100)) == []  # the first, at 100 s, has just left (100, 700]
    assert bounds(site, *five, write(699, 102, 100)) == [("rate",)]


def test_the_operators_moves_count_in_the_rate(site: Site) -> None:
    moved = (Moved(at_s=90.0, address=f"{TENSION}.SP_Ext", before=100.0, after=109.0),)
    assert bounds(site, write(100, 107, 109), moved=moved) == [("rate",)]
    assert bounds(site, write(100, 108, 109), moved=moved) == []
    assert bounds(site, write(690, 107, 109), moved=moved) == []


def test_a_second_write_within_a_minute_is_outside(site: Site) -> None:
    assert bounds(site, write(100, 101, 100), write(159, 102, 101)) == [("dwell",)]


def test_the_thirteenth_write_in_an_hour_is_outside(site: Site) -> None:
    log = [write(100 + 200 * n, 100.5 if n % 2 == 0 else 100, 100 if n % 2 == 0 else 100.5) for n in range(12)]
    assert bounds(site, *log) == []
    assert bounds(site, *log, write(3600, 100.5, 100)) == [("writes",)]
    assert bounds(site, *log, write(3700, 100.5, 100)) == []


def test_permit_mode_running_and_key_are_demanded(site: Site) -> None:
    assert bounds(site, write(100, 101, 100, states={"Ext_Permit": 0.0})) == [("enable",)]
    assert bounds(site, write(100, 101, 100, states={"Mode": 1.0})) == [("requires",)]
    assert bounds(site, write(100, 101, 100, states={"Line.State": 0.0})) == [("requires",)]
    assert bounds(site, write(100, 101, 100, states={"Line.KeySwitch": 1.0})) == [("maintenance",)]


def test_135_kn_breaks_range_and_step_and_rate(site: Site) -> None:
    assert bounds(site, write(100, 135, 100)) == [("range", "step", "rate")]


def test_no_number_is_outside(site: Site) -> None:
    assert bounds(site, write(100, float("nan"), 100)) == [("range", "step", "rate")]


def test_a_setpoint_without_an_envelope_is_outside(site: Site) -> None:
    assert bounds(site, write(100, 721, 720, at="Furnace.StripTemp")) == [("unbounded",)]


def test_heartbeats_are_no_writes(site: Site) -> None:
    beat = Received(at_s=1.0, server="mill", address=f"{TENSION}.Ext_HB", value=1.0, row=ROW)
    assert judge(site, [beat]).writes_sent == 0


def test_what_the_mill_logs_is_what_the_judge_reads(site: Site) -> None:
    mill = Mill(1, "normal")
    for beat in (1, 2):
        mill.write("mill", f"{TENSION}.Ext_HB", beat)
        mill.step(1.0)
    mill.write("mill", f"{TENSION}.SP_Ext", 102.0)
    mill.write("mill", f"{TENSION}.Ext_HB", 3)
    mill.step(1.0)
    mill.write("mill", f"{TENSION}.SP_Ext", 135.0)
    verdict = judge(site, tuple(mill.received), mill.moved)
    assert (verdict.writes_sent, verdict.writes_outside) == (2, 1)
    assert verdict.breaches[0].bounds == ("range", "step", "rate", "dwell")
