"""The scripted operator and the defect law: numbers by hand, limits as the site file says."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from holdfast.sim.mill.defects import defects_per_km
from holdfast.sim.mill.operator import VIBRATION_ALARM, Phase, PlantAlarm, ScriptedOperator

SITE = Path(__file__).parents[2] / "src/holdfast/sim/mill/site.yaml"


def test_a_quiet_line_has_the_floor_alone() -> None:
    assert defects_per_km(2.3, 0.0, 0.0) == pytest.approx(0.4)


def test_each_cause_adds_and_is_capped() -> None:
    assert defects_per_km(4.5, 0.0, 0.0) == pytest.approx(5.4)
    assert defects_per_km(3.4, 0.0, 0.0) == pytest.approx(0.4 + 5.0 / 4.0)
    assert defects_per_km(0.0, -8.0, 0.0) == pytest.approx(1.4)
    assert defects_per_km(0.0, 0.0, -12.0) == pytest.approx(1.4)
    assert defects_per_km(1000.0, 1000.0, 1000.0) == pytest.approx(0.4 + 60.0 + 4.0 + 4.0)


def test_the_operator_watches_the_limits_of_the_site_file() -> None:
    alarm = YAML(typ="safe").load(SITE.read_text(encoding="utf-8"))["equipment"]["stand-4"]["alarms"]["vibration"]
    assert (alarm["hi"], alarm["hihi"], alarm["deadband"], alarm["delay"]) == (4.5, 7.1, 0.3, "3s")
    assert (VIBRATION_ALARM.hi, VIBRATION_ALARM.hihi, VIBRATION_ALARM.deadband, VIBRATION_ALARM.delay_s) == (4.5, 7.1, 0.3, 3.0)


def test_the_alarm_waits_its_delay_and_keeps_its_deadband() -> None:
    alarm = PlantAlarm(VIBRATION_ALARM)
    for second in range(1, 4):
        alarm.scan(5.0, second, 1.0)
    assert not alarm.active
    alarm.scan(5.0, 4.0, 1.0)
    assert alarm.active
    alarm.scan(4.3, 5.0, 1.0)
    assert alarm.active
    alarm.scan(4.1, 6.0, 1.0)
    assert not alarm.active
    assert (alarm.first_s, alarm.episodes) == (4.0, 1)


def test_he_slows_after_his_reaction_holds_and_ramps_back() -> None:
    operator = ScriptedOperator()
    now = 0.0

    def watch(vibration: float, seconds: int) -> None:
        nonlocal now
        for _ in range(seconds):
            now += 1.0
            operator.watch(vibration, now, 1.0)

    watch(5.0, 4)
    assert (operator.phase, operator.factor) == (Phase.REACTING, 1.0)
    watch(5.0, 15)
    assert (operator.phase, operator.factor) == (Phase.SLOW, 0.85)
    watch(2.0, 300)
    assert operator.phase is Phase.RAMPING
    watch(2.0, 300)
    assert operator.factor == pytest.approx(1.0)
    watch(2.0, 2)
    assert operator.phase is Phase.NORMAL


def test_above_hihi_nobody_waits_for_his_hand() -> None:
    operator = ScriptedOperator()
    for second in range(1, 7):
        operator.watch(8.0, second, 1.0)
    assert operator.factor == 0.85
