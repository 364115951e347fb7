"""The operator wins: what others do is told from what our own writes do, counted once, and starts a yield."""

from pathlib import Path

from small_plant import ASKING, PASSWORD, F, T, World, site

from holdfast.sim.loop_block import AUTO, EXTERNAL
from holdfast.terms import SECOND_NS


def others_travel(world: World) -> float:
    return sum(abs(m.after - m.before) for m in world.gate.moves_since(0) if not m.ours)


async def test_a_ramp_of_our_own_write_is_ours(tmp_path: Path) -> None:
    world = World(tmp_path, rate_per_s=0.5)
    await world.run(3)
    assert world.propose(102.0).verdict == "permit"
    await world.run(8)
    assert world.state() == "done"
    await world.run(15)
    assert world.records("taken") == []
    assert others_travel(world) == 0.0


async def test_an_operators_step_counts_once_though_two_tags_show_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.blocks[T].mode = AUTO
    world.plc.blocks[T].sp_op = 103.0
    await world.run(20)
    assert world.plc.blocks[T].sp_ext == 103.0  # the external setpoint follows, so two tags changed
    assert others_travel(world) == 3.0
    assert [m.tag for m in world.gate.moves_since(0)] == [f"{T}.sp"]
    assert sorted(r["what"] for r in world.records("taken")) == ["mode", "setpoint"]


async def test_an_operators_ramp_is_one_act_of_two_records_and_its_whole_travel_counts(tmp_path: Path) -> None:
    world = World(tmp_path, rate_per_s=0.5)
    await world.run(3)
    world.plc.blocks[T].mode = AUTO
    world.plc.blocks[T].sp_op = 110.0
    await world.run(40)
    setpoint = [r for r in world.records("taken") if r["what"] == "setpoint"]
    assert [(r["phase"], r["before"], r["after"]) for r in setpoint] == [("begun", 100.0, 100.5), ("ended", 100.0, 110.0)]
    assert others_travel(world) == 10.0
    assert len(world.gate.moves_since(0)) == 1


async def test_a_ramp_up_and_down_travels_both_ways(tmp_path: Path) -> None:
    world = World(tmp_path, rate_per_s=1.0)
    await world.run(3)
    world.plc.blocks[T].mode = AUTO
    world.plc.blocks[T].sp_op = 104.0
    await world.run(4)
    world.plc.blocks[T].sp_op = 100.0
    await world.run(6)
    assert others_travel(world) == 8.0


async def test_a_hand_that_never_rests_does_not_flood_the_record(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.blocks[T].mode = AUTO
    for i in range(600):
        world.plc.blocks[T].sp_op = 100.0 + i % 7
        await world.run(1)
    assert len([r for r in world.records("taken") if r["what"] == "setpoint"]) <= 3


async def test_after_a_verified_write_any_other_value_is_somebody_elses(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(104.0)
    await world.run(5)
    assert world.state() == "done"
    world.plc.blocks[T].sp_ext = 102.0  # between former and wanted: another client's write
    await world.run(2)
    assert others_travel(world) == 2.0


async def test_turning_back_a_ramp_of_ours_is_somebody_elses(tmp_path: Path) -> None:
    world = World(tmp_path, rate_per_s=1.0)
    await world.run(3)
    world.propose(105.0)
    await world.run(3)
    world.plc.blocks[T].sp_ext = 100.0
    await world.run(2)
    assert any(r["what"] in ("setpoint", "external setpoint") for r in world.records("taken"))


async def test_a_value_of_ours_that_comes_back_by_another_hand_is_not_ours(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(103.0)
    await world.run(5)
    world.plc.blocks[T].sp_ext = 101.0
    await world.run(1)
    world.plc.blocks[T].sp_ext = 103.0
    await world.run(1)
    assert others_travel(world) == 4.0


async def test_a_change_of_mode_or_permit_starts_a_yield(tmp_path: Path) -> None:
    for part in ("mode", "permit"):
        world = World(tmp_path / part)
        await world.run(3)
        block = world.plc.blocks[T]
        if part == "mode":
            block.mode = AUTO
        else:
            block.ext_permit = False
        await world.run(1)
        block.mode, block.ext_permit = EXTERNAL, True
        await world.run(30)
        assert world.failed(world.propose(101.0)) == {"yield.operator"}
        assert world.propose(101.0, id="f", tag=f"{F}.sp").verdict == "permit"  # the other loop is not concerned


async def test_a_yield_ends_after_its_time(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension={"yield_s": 60.0}))
    await world.run(3)
    world.plc.blocks[T].ext_permit = False
    await world.run(1)
    world.plc.blocks[T].ext_permit = True
    await world.run(60)
    assert world.failed(world.propose(101.0)) == {"yield.operator"}
    await world.run(1)
    assert world.propose(101.0, id="p2").verdict == "permit"


async def test_an_operators_act_voids_what_waits_for_that_loop_alone(tmp_path: Path) -> None:
    world = World(tmp_path, site(rules=ASKING))
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    world.propose(101.0)
    world.propose(101.0, id="f", tag=f"{F}.sp")
    world.plc.blocks[T].ext_permit = False
    await world.run(1)
    assert (world.state(), world.state("f")) == ("voided", "asked")


async def test_what_others_did_while_the_gate_was_away_is_seen_at_its_next_start(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.again(after_s=30.0)
    world.plc.blocks[T].mode = AUTO
    world.plc.blocks[T].sp_op = 104.0
    world.plc.scan(1.0)
    world.plc.blocks[T].mode = EXTERNAL
    await world.run(1)
    assert others_travel(world) == 4.0
    assert "yield.operator" in world.failed(world.propose(105.0))


async def test_a_restart_alone_is_no_act_of_anyone(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(103.0)
    await world.run(5)
    world.again(after_s=1.0)
    await world.run(3)
    assert world.records("taken") == []


async def test_bad_data_hides_an_act_only_until_it_is_good_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.bad = {f"{T}.sp_now", f"{T}.sp", f"{T}.mode"}
    world.plc.blocks[T].mode = AUTO
    world.plc.blocks[T].sp_op = 102.0
    await world.run(3)
    assert world.records("taken") == []
    world.plc.bad = set()
    await world.run(1)
    assert others_travel(world) == 2.0


async def test_setting_the_clock_forward_ends_no_yield_and_empties_no_window(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension={"writes": None, "rate": None}))
    await world.run(3)
    world.plc.blocks[T].ext_permit = False
    await world.run(1)
    world.plc.blocks[T].ext_permit = True
    await world.run(2)
    before = world.clock.now_ns
    world.clock.now_ns = lambda: before() + 3600 * SECOND_NS  # type: ignore[method-assign]
    await world.run(2)
    assert world.failed(world.propose(101.0)) == {"yield.operator"}
    assert [r["step_s"] for r in world.records("clock")] == [3600.0]


async def test_time_that_the_gate_was_down_counts_as_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.plc.blocks[T].ext_permit = False
    await world.run(1)
    world.plc.blocks[T].ext_permit = True
    await world.run(1)
    world.again(after_s=100_000.0)
    await world.run(2)
    assert world.failed(world.propose(101.0)) == {"yield.operator"}


async def test_an_external_setpoint_that_moves_nothing_starts_a_yield_and_travels_nowhere(tmp_path: Path) -> None:
    world = World(tmp_path, rate_per_s=0.1)
    await world.run(3)
    world.plc.blocks[T].sp_ext = 110.0  # another client's write, taken back before the block has followed far
    await world.run(1)
    world.plc.blocks[T].sp_ext = world.plc.blocks[T].sp_active
    await world.run(2)
    assert [r["what"] for r in world.records("taken") if r["phase"] == "begun"][0:1] == ["setpoint"]
    assert others_travel(world) < 0.5
    assert "yield.operator" in world.failed(world.propose(101.0))


async def test_a_write_that_is_acknowledged_and_not_there_may_have_been_put_back_so_the_loop_is_theirs(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(103.0)
    await world.run(1)
    assert world.plc.written == [(f"{T}.sp", 103.0)]
    world.plc.blocks[T].sp_ext = 100.0  # before anybody looked
    await world.run(20)
    assert (world.state(), [r["outcome"]["code"] for r in world.records("outcome")]) == ("failed", ["readback.former"])
    assert others_travel(world) == 3.0
    assert [(r["phase"], r["before"], r["after"]) for r in world.records("taken")] == [("perhaps", 103.0, 100.0)]
    assert "yield.operator" in world.failed(world.propose(101.0, id="p2"))
