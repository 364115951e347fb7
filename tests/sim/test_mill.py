"""The mill as a plant: reproducible, quiet when normal, in chatter when its lubrication goes, and correctable."""

import math
from pathlib import Path

import pytest

from holdfast.sim.mill.ideal import Ideal
from holdfast.sim.mill.plant import INDEX_VIBRATION, Mill
from holdfast.sim.mill.points import INDEX, POINTS, from_register, to_register
from holdfast.sim.mill.scenarios import NAMES
from holdfast.site.load import load
from holdfast.site.model import Site
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, GOOD

SITE = Path(__file__).parents[2] / "src/holdfast/sim/mill/site.yaml"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("HOLDFAST_MILL_URL", "opc.tcp://127.0.0.1:4840")
    monkeypatch.setenv("HOLDFAST_COOLING_PORT", "502")
    return load(SITE).site


def run(mill: Mill, seconds: int) -> Mill:
    for _ in range(seconds):
        mill.step(1.0)
    return mill


def test_every_tag_of_the_site_file_is_a_point_of_the_plant_with_its_unit(site: Site) -> None:
    usual = {"Cel": "°C", "[degC]": "°C"}
    for tag in site.tags:
        point = POINTS[INDEX[tag.connection, tag.address]]
        assert usual.get(tag.unit, tag.unit) in (point.unit, f"/{point.unit}"), tag.name
        assert tag.writable <= point.writable, tag.name
        assert tag.scale == point.scale, tag.name


def test_seed_scenario_and_writes_give_every_number() -> None:
    first, second = Mill(3, "chatter"), Mill(3, "chatter")
    for mill in (first, second):
        run(mill, 50)
        mill.write("mill", "Stand4.Tension.Ext_HB", 1)
        run(mill, 1)
        mill.write("mill", "Stand4.Tension.Ext_HB", 2)
        mill.write("mill", "Stand4.Tension.SP_Ext", 102.0)
        run(mill, 5)
    assert first.row == second.row
    assert first.row[INDEX["mill", "Stand4.Tension.SP_Active"]] == 102.0


def test_a_quiet_stretch_is_the_same_plant_with_other_noise() -> None:
    quiet, normal = Mill.quiet(3), Mill(3, "normal")
    assert quiet.physics.__dict__ == normal.physics.__dict__
    assert run(quiet, 5).row != run(normal, 5).row


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_normal_hours_have_no_alarm(seed: int) -> None:
    mill = Mill(seed, "normal")
    most = 0.0
    for _ in range(7200):
        mill.step(1.0)
        most = max(most, mill.row[INDEX_VIBRATION])
    assert mill.operator.alarm.first_s is None
    assert most < 3.0
    assert mill.metres_off_gauge == 0.0


@pytest.mark.parametrize("seed", range(1, 21))
def test_lost_lubrication_sounds_the_alarm_well_after_it_begins(seed: int) -> None:
    mill = Mill(seed, "chatter")
    start = mill.schedule.clog_from_s
    assert start is not None
    while mill.operator.alarm.first_s is None and mill.time_s < 3600.0:
        mill.step(1.0)
    assert mill.operator.alarm.first_s is not None
    assert mill.operator.alarm.first_s - start > 600.0


@pytest.mark.parametrize("seed", [2, 11])
def test_an_ideal_controller_keeps_the_line_fast_and_the_strip_clean(seed: int, site: Site) -> None:
    alone, steered = Mill(seed, "chatter"), Mill(seed, "chatter")
    tension, emulsion = site.envelope("stand-4/tension.sp"), site.envelope("stand-4/emulsion.sp")
    assert tension is not None
    assert emulsion is not None
    ideal = Ideal(steered, tension, emulsion)
    for _ in range(int(alone.schedule.duration_s)):
        alone.step(1.0)
        ideal.act()
        steered.step(1.0)
    assert steered.defect_rate_per_km < 0.4 * alone.defect_rate_per_km
    assert steered.tonnes >= alone.tonnes
    assert steered.operator.alarm.first_s is None


def test_too_much_tension_or_emulsion_makes_the_strip_worse() -> None:
    physics = Mill(1, "normal").physics
    assert physics.roughness(100.0, 300.0, 1.0) == 1.0
    assert physics.roughness(115.0, 300.0, 1.0) > 2.0
    assert physics.roughness(100.0, 420.0, 0.9) > 1.5
    assert physics.roughness(100.0, 370.0, 1.4) > 2.0


def test_wear_shows_in_the_bearings_band_and_temperature() -> None:
    mill = Mill(4, "bearing")
    band, temperature = INDEX["mill", "Stand4.BearingBand"], INDEX["mill", "Stand4.BearingTemp"]
    run(mill, 500)
    before = mill.row[band], mill.row[temperature]
    run(mill, 5500)
    assert mill.row[band] > 2.0 * before[0]
    assert mill.row[temperature] > before[1] + 8.0


def test_a_clogged_header_shows_as_pressure_at_the_same_flow() -> None:
    mill = Mill(5, "chatter")
    pressure, flow = INDEX["cooling", "40001:uint16"], INDEX["mill", "Stand4.Emulsion.PV"]
    run(mill, 500)
    before = mill.row[pressure]
    run(mill, 1200)
    assert mill.row[pressure] > 1.2 * before
    assert mill.row[flow] == pytest.approx(300.0, abs=6.0)


def test_a_frozen_sensor_repeats_its_value_while_the_plant_goes_on() -> None:
    mill = Mill(6, "frozen-sensor")
    start = mill.schedule.vibration_frozen_from_s
    assert start is not None
    run(mill, int(start) + 1)
    stuck = mill.row[INDEX_VIBRATION]
    seen = {run(mill, 1).row[INDEX_VIBRATION] for _ in range(50)}
    assert seen == {stuck}
    assert mill.read("mill", "Stand4.VibRMS") == (stuck, GOOD)


def test_a_lost_link_neither_answers_nor_takes_a_write() -> None:
    mill = Mill(6, "lost-link")
    (_, cooling_from, cooling_to), (_, mill_from, _) = mill.schedule.link_down
    run(mill, int(cooling_from))
    value, status = mill.read("cooling", "40001:uint16")
    assert math.isnan(value)
    assert status == BAD_NO_COMMUNICATION
    run(mill, int(cooling_to - cooling_from))
    assert mill.read("cooling", "40001:uint16")[1] == GOOD
    run(mill, int(mill_from - cooling_to))
    assert not mill.write("mill", "Stand4.Tension.SP_Ext", 101.0)
    assert not mill.received


def test_the_operator_of_his_scenario_takes_the_loop_and_gives_it_back() -> None:
    mill = Mill(6, "operator")
    takes, gives = mill.schedule.moves
    mode = INDEX["mill", "Stand4.Tension.Mode"]
    run(mill, int(takes.at_s) + 10)
    assert mill.row[mode] == 1.0
    assert mill.tension.sp_active == pytest.approx(101.5)
    run(mill, int(gives.at_s - takes.at_s))
    assert mill.row[mode] == 2.0
    assert [(move.before, move.after) for move in mill.moved] == [(100.0, 101.5)]


def test_only_what_is_writable_takes_a_write() -> None:
    mill = run(Mill(1, "normal"), 1)
    assert not mill.write("mill", "Stand4.Tension.Mode", 1)
    assert not mill.write("mill", "Nowhere", 1.0)
    assert mill.read("mill", "Nowhere")[1] == BAD_NODE_ID_UNKNOWN
    assert mill.write("mill", "Stand4.Tension.SP_Ext", 103.0)
    assert mill.read("mill", "Stand4.Tension.SP_Ext") == (103.0, GOOD)
    run(mill, 1)  # no heartbeat: the block does not select it and lets it track
    assert mill.read("mill", "Stand4.Tension.SP_Ext") == (100.0, GOOD)


def test_what_modbus_shows_is_what_its_registers_hold() -> None:
    mill = run(Mill(1, "normal"), 3)
    for offset, point in enumerate(p for p in POINTS if p.server == "cooling"):
        raw = mill.registers[offset]
        assert mill.read("cooling", point.address)[0] == from_register(point, raw)
        assert to_register(point, from_register(point, raw)) == raw


def test_an_unknown_scenario_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="frozen-sensor"):
        Mill(1, "storm")


@pytest.mark.parametrize("scenario", NAMES)
def test_every_scenario_stays_within_what_its_sensors_can_show(scenario: str) -> None:
    mill = Mill(8, scenario)
    for _ in range(3600):
        mill.step(1.0)
        for point, value in zip(POINTS, mill.row, strict=True):
            assert point.eu_range is None or point.eu_range[0] <= value <= point.eu_range[1], (point.address, value)
