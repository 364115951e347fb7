"""What went wrong is taken back only where that was decided beforehand, once, read back, and while the setpoint is still ours."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from small_plant import F, T, World, envelope, proposal, site

from holdfast.site.model import Expect, Rate, Rule, Settles, Site, Writes

SP, FLOW = f"{T}.sp", f"{F}.sp"
WRONG = {"settles": Settles(tag=f"{T}.pv", within=1.0, after_s=5.0)}  # the small plant's pv stays at 100


def restoring(tension: Mapping[str, Any] | None = None, *, flow: bool = True, **changes: Any) -> Site:
    first = {"restore": True, **WRONG, **(tension or {})}
    return site(envelopes=(envelope(T, **first), envelope(F, restore=flow)), **changes)


async def advanced(folder: Path, of: Site, *, seconds: int = 3) -> World:
    world = World(folder, of)
    await world.run(3)
    assert world.propose(103.0).verdict == "permit"
    await world.run(seconds)
    return world


async def test_a_wrong_effect_is_taken_back_once_and_read_back(tmp_path: Path) -> None:
    world = await advanced(tmp_path, restoring(), seconds=15)
    assert world.plc.written == [(SP, 103.0), (SP, 100.0)]
    assert world.state() == "restored"
    assert world.records("intent")[0]["restores"] is True
    assert [r["steps"][0]["wanted"] for r in world.records("retreat")] == [100.0]
    assert [s["value"] for s in world.records("restored")[0]["readback"]] == [100.0]
    assert [(m.before, m.after) for m in world.gate.moves_since(0)] == [(100.0, 103.0), (103.0, 100.0)]
    assert world.records("taken") == []  # nobody's hand but ours


async def test_what_settled_in_time_is_not_judged_by_what_was_before_it(tmp_path: Path) -> None:
    world = await advanced(tmp_path, restoring(), seconds=2)
    world.plc.pv[T] = 103.0  # it has followed, three seconds before it is looked at
    await world.run(13)
    assert (world.state(), world.plc.written) == ("done", [(SP, 103.0)])
    assert world.records("effect")[0]["outcome"]["code"] == "effect.settled"


async def test_a_wrong_effect_that_nobody_decided_to_take_back_is_told_and_left(tmp_path: Path) -> None:
    world = await advanced(tmp_path, site(tension=WRONG), seconds=15)
    assert world.plc.written == [(SP, 103.0)]
    assert [(r["code"], r["waits"]) for r in world.records("escalated")] == [("restore.not_decided", False)]
    assert world.state() == "done"


async def test_an_effect_that_is_merely_none_is_not_taken_back(tmp_path: Path) -> None:
    expect = {"settles": None, "expect": Expect(tag=f"{T}.pv", direction="falls", by=1.0, within_s=5.0)}
    world = await advanced(tmp_path, restoring(expect), seconds=15)
    assert (world.state(), world.plc.written) == ("done", [(SP, 103.0)])


@pytest.mark.parametrize("what", ["setpoint", "permit", "mode", "stop", "blind"])
async def test_what_is_no_longer_ours_or_not_allowed_is_left_to_a_person(tmp_path: Path, what: str) -> None:
    world = await advanced(tmp_path, restoring())
    block = world.plc.blocks[T]
    match what:
        case "setpoint":
            block.sp_ext = 102.0
            block.scan(1.0)
        case "permit":
            block.ext_permit = False
        case "mode":
            block.mode = 1
        case "stop":
            world.gate.acts.press_stop("stand", "someone")
        case _:
            world.plc.bad = {f"{T}.mode"}
    await world.run(15)
    assert world.plc.written == [(SP, 103.0)]
    assert world.state() == "escalated"
    assert [r["waits"] for r in world.records("escalated")] == [True]
    assert world.failed(world.propose(101.0, id="p2")) >= {"busy.busy"}


async def test_a_forbidding_rule_holds_for_the_way_back_too(tmp_path: Path) -> None:
    forbid = Rule(id="not down", effect="forbid", agents=("*",), tags=("*",), when="proposed < present")
    permit = Rule(id="all", effect="permit", agents=("*",), tags=("*",))
    world = await advanced(tmp_path, restoring(rules=(permit, forbid)), seconds=15)
    assert (world.state(), world.plc.written) == ("escalated", [(SP, 103.0)])


async def test_the_way_back_is_reserved_when_the_advance_is_decided(tmp_path: Path) -> None:
    """Two writes and 6 kN are just enough for 3 kN there and back; a dwell of an hour does not hold the way back up."""
    tight = {"rate": Rate(max=6.0, per_s=600.0), "writes": Writes(max=2, per_s=3600.0), "dwell_s": 3600.0}
    world = await advanced(tmp_path, restoring(tight), seconds=15)
    assert world.plc.written == [(SP, 103.0), (SP, 100.0)]


@pytest.mark.parametrize(
    ("short", "code"),
    [({"rate": Rate(max=5.9, per_s=600.0)}, "envelope.rate.over"), ({"writes": Writes(max=1, per_s=3600.0)}, "envelope.writes.over")],
)
async def test_an_advance_without_room_for_the_way_back_is_refused(tmp_path: Path, short: Mapping[str, Any], code: str) -> None:
    world = World(tmp_path, restoring(short))
    await world.run(3)
    assert world.failed(world.propose(103.0)) == {code}


@pytest.mark.parametrize("answer", ["rejected", "lost", "unknown"])
async def test_a_way_back_that_fails_is_not_tried_again(tmp_path: Path, answer: str) -> None:
    world = await advanced(tmp_path, restoring())
    world.plc.answers = [answer]
    await world.run(30)
    assert world.plc.written == [(SP, 103.0), (SP, 100.0)]
    assert world.state() == ("restored" if answer == "unknown" else "escalated")


@pytest.mark.parametrize("landed", [True, False])
async def test_killed_on_the_way_back_it_is_read_and_never_sent_again(tmp_path: Path, landed: bool) -> None:
    world = await advanced(tmp_path, restoring())

    def ends(tag: str, value: float) -> None:
        if landed:
            world.plc.blocks[T].sp_ext = value
        raise asyncio.CancelledError

    world.plc.on_write = ends
    with pytest.raises(asyncio.CancelledError):
        await world.run(10)
    world.plc.on_write = lambda tag, value: None
    world.again(after_s=5.0)
    assert world.state() == "retreating"
    await world.run(30)
    assert world.state() == ("restored" if landed else "escalated")
    assert world.plc.written == [(SP, 103.0), (SP, 100.0)]


async def test_half_a_group_is_taken_back_in_reverse_where_each_member_was_decided_to_be(tmp_path: Path) -> None:
    world = World(tmp_path, restoring({"settles": None}))
    await world.run(3)
    world.plc.answers = ["acked", "rejected"]
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(10)
    assert world.plc.written == [(SP, 103.0), (FLOW, 103.0), (SP, 100.0)]
    assert world.state() == "restored"
    assert world.records("outcome")[0]["outcome"]["code"] == "write.partial"


async def test_a_whole_group_is_taken_back_last_first(tmp_path: Path) -> None:
    world = World(tmp_path, restoring())
    await world.run(3)
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(15)
    assert world.plc.written == [(SP, 103.0), (FLOW, 103.0), (FLOW, 100.0), (SP, 100.0)]
    assert world.state() == "restored"


async def test_half_a_group_stays_where_one_member_was_not_decided_to_be_taken_back(tmp_path: Path) -> None:
    world = World(tmp_path, restoring({"settles": None}, flow=False))
    await world.run(3)
    world.plc.answers = ["acked", "rejected"]
    world.gate.propose("ann-agent", proposal((SP, 103.0), (FLOW, 103.0)))
    await world.run(10)
    assert (world.state(), len(world.plc.written)) == ("indeterminate", 2)


async def test_a_person_frees_what_was_escalated(tmp_path: Path) -> None:
    from small_plant import PASSWORD

    from holdfast.gate.identity.seal import opened

    world = await advanced(tmp_path, restoring())
    world.gate.people.add("ann", ["operator"], PASSWORD)
    world.plc.answers = ["rejected"]
    await world.run(15)
    assert world.state() == "escalated"
    attempt = world.gate.people.begin("ann")
    key = world.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))
    assert world.gate.acts.resolve("p1", "ann", key, result="verified", reason="looked").state == "done"
    assert world.failed(world.propose(101.0, id="p2")) == set()


async def test_after_a_restart_the_former_value_over_a_direct_connection_tells_that_nothing_landed(tmp_path: Path) -> None:
    for direct in (True, False):
        world = World(tmp_path / str(direct))
        await world.run(3)
        world.plc.direct = direct  # type: ignore[attr-defined]
        await world.dies_in_the_write(103.0)
        await world.run(30)
        assert world.state() == ("failed" if direct else "indeterminate")
        assert len(world.plc.written) == 1


async def test_a_live_gate_whose_connection_still_stands_does_not_conclude_from_the_former_value(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.plc.direct = True  # type: ignore[attr-defined]
    await world.run(3)
    world.plc.answers = ["lost"]
    world.propose(103.0)
    await world.run(30)
    assert world.state() == "indeterminate"
