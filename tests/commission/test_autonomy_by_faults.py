"""Faults lower autonomy, people raise it, and a restart changes neither."""

import json
from pathlib import Path

import pytest
import typer
from small_plant import T, World, site  # pyright: ignore[reportMissingImports]
from typer.testing import CliRunner

from holdfast.cli import resolve
from holdfast.cli.showing import status_rows
from holdfast.gate.actuation import faults, watchdog
from holdfast.gate.actuation.acts import Acts
from holdfast.site.model import Settles
from holdfast.terms import canonical

SP = f"{T}.sp"
# The process value of this plant never moves by itself, so a write that should settle it has a wrong effect.
SETTLES = {"settles": Settles(tag=f"{T}.pv", within=0.1, after_s=5.0), "yield_s": 0.0}


def lowered(world: World) -> list[tuple[str, str, str]]:
    return [(r["scope"], r["level"], r["code"]) for r in world.records("autonomy") if r["by"] == "fault"]


async def wrong(world: World, value: float, id: str) -> None:
    world.propose(value, id=id)
    await world.run(12)
    assert world.records("effect")[-1]["outcome"]["effect"] == "wrong"


async def test_two_wrong_effects_in_a_row_lower_the_tag_by_one_level_and_a_restart_keeps_it_lowered(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension=SETTLES))
    await world.run(3)
    await wrong(world, 101.0, "a")
    assert lowered(world) == []
    await wrong(world, 102.0, "b")
    assert lowered(world) == [(SP, "ask", "fault.effect")]
    world.again()
    await world.run(3)
    assert world.propose(101.0, id="c").verdict == "ask"
    assert world.gate.status()["lowered"] == ((SP, "ask", "fault.effect"),)
    assert lowered(world) == [(SP, "ask", "fault.effect")]


async def test_a_right_effect_between_two_wrong_ones_forgives_the_first(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension=SETTLES))
    await world.run(3)
    await wrong(world, 101.0, "a")
    world.plc.pv[T] = 102.0
    await world.run(32)  # effects are judged on the mean of 30 s
    world.propose(102.0, id="b")
    await world.run(12)
    assert world.records("effect")[-1]["outcome"]["effect"] == "expected"
    await wrong(world, 103.0, "c")
    assert lowered(world) == []


async def test_a_wrong_effect_is_still_remembered_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension=SETTLES))
    await world.run(3)
    await wrong(world, 101.0, "a")
    world.again()
    await world.run(3)
    await wrong(world, 102.0, "b")
    assert lowered(world) == [(SP, "ask", "fault.effect")]


async def test_a_write_of_unknown_fate_lowers_its_tag_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.answers = ["lost"]
    world.propose(103.0)
    await world.run(30)
    assert (world.state(), lowered(world)) == ("indeterminate", [(SP, "ask", "fault.indeterminate")])
    assert world.propose(103.0, id="other", tag="stand/flow.sp").verdict == "permit"


async def test_only_a_person_raises_what_a_fault_lowered(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate.faults.lower("*", "ask", "fault.clock")
    acts: Acts = world.gate.acts
    with pytest.raises(ValueError, match="only a person"):
        acts.set_autonomy("*", "act", "a fault", "fault")
    acts.set_autonomy("*", "act", "ann", "person")
    assert world.gate.status()["lowered"] == ()
    assert world.propose(101.0).verdict != "ask"


async def test_a_step_of_the_clock_by_a_minute_lowers_the_plant_and_one_by_seconds_does_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(2)
    with world.gate._state.transaction():
        world.gate.faults.clock_stepped(-59.0)
    assert lowered(world) == []
    with world.gate._state.transaction():
        world.gate.faults.clock_stepped(-60.0)
    assert lowered(world) == [("*", "ask", "fault.clock")]


async def test_an_agent_that_falls_silent_for_a_minute_three_times_in_an_hour_lowers_the_plant(tmp_path: Path) -> None:
    world = World(tmp_path)
    for lost in range(3):
        assert len(lowered(world)) == 0
        await world.run(1)
        await world.run(round(watchdog.AGENT_LOST_S) + 2, agent=False)
        silent = [r["agent"] for r in world.records("fault") if r["code"] == "agent.lost"]
        assert silent == ["ann-agent", "other"] * (lost + 1)
    assert lowered(world) == [("*", "ask", "fault.agent_lost")]


async def test_losses_spread_over_more_than_an_hour_lower_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(4):
        await world.run(1)
        await world.run(round(watchdog.AGENT_LOST_S) + 2, agent=False)
        world.clock.advance(faults.WINDOW_S / 2)
    assert lowered(world) == []


async def test_a_record_that_fails_twice_in_an_hour_lowers_the_plant_when_it_is_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(2)
    for count in (1, 2):
        world.fill_disk()
        world.gate.debts.owe("connection", {"connection": "plc", "state": "lost", "why": "x" * 5000})
        assert world.gate.debts.fault is not None
        world.free_disk()
        await world.run(2)
        assert world.gate.debts.fault is None
        assert lowered(world) == ([("*", "ask", "fault.record")] if count == 2 else [])


async def test_a_blocked_gate_sends_one_late_pulse_and_no_burst_and_records_the_fault(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    beats = world.plc.beats
    world.clock.advance(20.0)
    world.gate.watchdog.heard()
    await world.gate.advance()
    await world.gate.advance()
    assert world.plc.beats - beats == 2  # one to each of the two loops
    late = [r for r in world.records("fault") if r["code"] == "watchdog.late"]
    assert [r["late_s"] for r in late] == [19.0]  # due one second after the last


async def test_a_pulse_that_is_a_little_late_is_no_fault(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.clock.advance(watchdog.BEAT_S + watchdog.LATE_S)
    await world.gate.advance()
    assert json.dumps(world.records("fault")) == "[]"


async def test_an_agent_that_did_not_write_the_loop_does_not_keep_its_heartbeat_alive(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(101.0, author="ann-agent")
    await world.run(5)
    assert world.state() in ("verified", "done")
    for _ in range(12):
        world.gate.watchdog.heard("other")
        await world.run(1, agent=False)
    beats = world.plc.blocks[T].ext_hb, world.plc.blocks["stand/flow"].ext_hb
    world.gate.watchdog.heard("other")
    await world.run(1, agent=False)
    assert world.plc.blocks[T].ext_hb == beats[0]  # its author is silent
    assert world.plc.blocks["stand/flow"].ext_hb == beats[1] + 1  # nobody's setpoint stands there, and `other` may write it


async def test_a_stranger_keeps_no_heartbeat_alive(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate.watchdog.heard("stranger")
    await world.run(3, agent=False)
    assert world.plc.beats == 0


async def test_the_status_shows_what_a_fault_lowered_and_how_long_each_agent_is_silent(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.answers = ["lost"]
    world.propose(103.0)
    await world.run(30)
    shown = json.loads(canonical(world.gate.status()))
    assert ("LOWERED", f"{SP}: ask; the fate of a write is unknown") in status_rows(shown)
    assert shown["agents"]["ann-agent"] == 0.0


@pytest.mark.parametrize("result", ["perhaps", "VERIFIED"])
def test_a_result_that_is_none_is_wrong_use(result: str, tmp_path: Path) -> None:
    app = typer.Typer()
    resolve.register(app)
    app.command("other")(lambda: None)
    found = CliRunner().invoke(app, ["resolve", "p1", result, "--as", "ann", "--home", str(tmp_path)])
    assert (found.exit_code, "verified" in found.output) == (2, True)
