"""The gate's history: sealed beside its thread, read over the door, dropped and refused with a word on record."""

from pathlib import Path

import pytest
from small_plant import START_NS, World

from holdfast.gate.history.store import HistoryError
from holdfast.gate.history.trend import trend
from holdfast.terms import SECOND_NS


async def test_what_the_gate_saw_is_the_same_after_it_was_sealed_and_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(30)
    (table,) = world.gate.tables
    before = world.gate.history(table, 0, 2**62, 100)
    await world.gate.intake.seal_beside(START_NS + 3600 * SECOND_NS)
    assert world.gate._history._db.execute("SELECT count(*) FROM hot").fetchall() == [(0,)]
    await world.run(5)
    after = world.gate.history(table, 0, 2**62, 100)
    assert (before.rows, after.rows) == (30, 35)
    assert after.values[:30].tolist() == before.values.tolist()
    beside = await world.gate.intake.history_beside(table, 0, 2**62, 100)
    assert beside.values.tolist() == after.values.tolist()
    world.again()
    world.see()
    frame = world.gate.frames(table, -1)
    assert frame is not None
    assert frame.seq == 35
    tag = world.gate.tables[table].tags[2].name
    found = trend(tmp_path / "history.db", world.gate.tables, [tag], START_NS, START_NS + 60 * SECOND_NS, 1)
    assert found.last == ((100.0,),)
    world.gate.close()


async def test_history_that_cannot_be_sealed_is_on_record_once_and_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    await world.run(3)

    def refuses(*_: object, **__: object) -> None:
        raise HistoryError("the disk refuses")

    with monkeypatch.context() as patch:
        patch.setattr(world.gate._history, "seal", refuses)
        await world.gate.intake.seal_beside(START_NS)
        await world.gate.intake.seal_beside(START_NS)
    await world.gate.intake.seal_beside(START_NS)
    await world.run(2)
    (told,) = world.records("history")
    assert "the disk refuses" in told["why"]
    assert world.propose(103.0).verdict == "permit"
    world.gate.close()


async def test_what_is_sealed_and_dropped_at_the_cap_is_on_record(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(60)
    await world.gate.intake.seal_beside(START_NS + 3600 * SECOND_NS)
    world.gate._history._room.bytes_max = 0
    await world.run(120)
    assert world.records("history")[0]["dropped"] >= 60
    (table,) = world.gate.tables
    assert world.gate.frames(table, 100) is not None  # what is in memory stays
    world.gate.close()
