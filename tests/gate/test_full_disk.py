"""No record, no write: on a full disk the gate decides nothing, sends nothing, falls silent to the PLC, and still obeys stop."""

from pathlib import Path

import pytest
from small_plant import ASKING, PASSWORD, T, World, site

from holdfast.gate.history.store import HistoryError
from holdfast.gate.ledger.store import StateError
from holdfast.terms import Finding, Frame

SP = f"{T}.sp"


async def test_a_permit_whose_intent_cannot_be_recorded_is_not_sent_and_is_once_it_can(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    assert world.propose(103.0).verdict == "permit"
    world.fill_disk()
    await world.run(3)
    assert world.plc.written == []
    assert (world.gate.watchdog.well, world.gate.watchdog.beating) == (False, False)
    beats = world.plc.beats
    await world.run(5)
    assert world.plc.beats == beats
    world.free_disk()
    await world.run(3)
    assert world.gate.watchdog.well
    assert world.plc.written in ([], [(SP, 103.0)])  # it may have lapsed; it is never sent twice
    assert [r["code"] for r in world.records("fault")] == ["state.full"]
    assert len(world.records("recovered")) == 1


async def test_a_proposal_that_cannot_be_recorded_leaves_nothing_behind(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.fill_disk()
    with pytest.raises(StateError):
        world.propose(103.0)
    assert world.state() == "none"
    assert world.gate.jobs.open() == ()
    with pytest.raises(StateError):
        world.gate.find(
            "ann-agent", Finding(id="f", incident="i", detector="d", onset_ns=0, found_ns=1, confidence=1.0, score=1.0, shares=())
        )
    world.free_disk()
    await world.run(2)
    assert world.propose(103.0).verdict == "permit"
    await world.run(3)
    assert world.plc.written == [(SP, 103.0)]


async def test_stop_works_on_a_full_disk_and_is_recorded_when_there_is_room(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(103.0)
    world.fill_disk()
    world.gate.acts.press_stop("*", "somebody")
    assert world.gate.stop.stopped() == ("*",)
    await world.run(2)
    assert world.records("stop") == []
    world.free_disk()
    await world.run(3)
    assert [r["by"] for r in world.records("stop")] == ["somebody"]
    assert world.plc.written == []


async def test_what_others_did_on_a_full_disk_is_not_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.fill_disk()
    world.plc.blocks[T].ext_permit = False
    await world.run(1)
    world.plc.blocks[T].ext_permit = True
    await world.run(3)
    world.free_disk()
    await world.run(2)
    assert "yield.operator" in world.failed(world.propose(103.0))
    assert [r["what"] for r in world.records("taken")] == ["permit"]


async def test_a_person_is_still_heard_from_the_reserve_and_no_write_uses_it(tmp_path: Path) -> None:
    world = World(tmp_path, site(rules=ASKING))
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    world.propose(103.0)
    world.fill_disk()
    give, keep = world.gate._state.release_reserve, world.gate._state.restore_reserve

    def release() -> bool:
        world.free_disk()  # what it gives free is room on the disk
        return give()

    world.gate._state.release_reserve = release  # type: ignore[method-assign]
    world.gate._state.restore_reserve = lambda: False  # type: ignore[method-assign]  # no other room than that
    assert world.sign() == "approved"
    await world.run(3)
    assert (world.state(), world.plc.written, world.gate.watchdog.beating) == ("approved", [], False)
    world.gate._state.restore_reserve = keep  # type: ignore[method-assign]
    await world.run(3)
    assert world.plc.written == [(SP, 103.0)]


async def test_a_resume_that_cannot_be_recorded_does_not_resume(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate.acts.press_stop("*", "somebody")
    world.fill_disk()
    world.gate._state.release_reserve()
    with pytest.raises(StateError):
        world.gate.acts.resume("*", "ann", b"s", 1)
    assert world.gate.stop.stopped() == ("*",)


async def test_a_disk_that_refuses_history_stops_the_writes_and_not_the_gate(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    keep = world.gate._history.append

    def full(*frames: Frame) -> None:
        raise HistoryError("history: the disk is full")

    world.gate._history.append = full  # type: ignore[method-assign]
    await world.run(2)
    with pytest.raises(HistoryError):
        world.propose(103.0)
    assert not world.gate.watchdog.beating
    world.gate._history.append = keep  # type: ignore[method-assign]
    await world.run(2)
    assert world.propose(103.0).verdict == "permit"
    assert len(world.records("fault")) == 1
