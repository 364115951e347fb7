"""What every tag says now, the ring of the last rows, and the history behind it: Bad is Bad, gaps are seen, the oldest go first."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from small_plant import START_NS, World

from holdfast.clock import VirtualClock
from holdfast.gate.context.live import Live
from holdfast.gate.history.ring import Ring
from holdfast.gate.history.store import History
from holdfast.terms import BAD_NO_COMMUNICATION, SECOND_NS, Frame, Sample, Tag, TagTable

TABLE = TagTable(
    id="plc@1.0", connection="plc", period_s=1.0, tags=tuple(Tag(name=n, connection="plc", address=n, unit="1") for n in ("a", "b"))
)


def frame(
    values: Sequence[Sequence[float]], *, seq: int = 0, at_ns: int = START_NS, status: int = 0, source_ns: int | None = None
) -> Frame:
    rows = len(values)
    received = at_ns + np.arange(rows, dtype=np.int64) * SECOND_NS
    source = received if source_ns is None else np.full(rows, source_ns, np.int64)
    array = np.array(values, np.float64)
    return Frame(
        table=TABLE.id,
        seq=seq,
        received_ns=received,
        source_ns=np.repeat(source[:, None], array.shape[1], axis=1),
        values=array,
        status=np.full(array.shape, status, np.uint32),
    )


# ---- live ------------------------------------------------------------------------------------------------------------


def live() -> tuple[Live, VirtualClock]:
    clock = VirtualClock(START_NS)
    return Live((TABLE,), clock), clock


def test_before_data_a_tag_is_bad() -> None:
    now, _ = live()
    reading = now.reading("a")
    assert reading is not None
    assert reading.status >= 0x8000_0000
    assert now.good_value("a") is None
    assert now.reading("nothing") is None


def test_a_steady_tag_is_young_and_still() -> None:
    now, clock = live()
    now.ingest(frame([[0.5, 2.0]], at_ns=clock.now_ns()))  # so that it is seen to move once
    for _ in range(3):
        now.ingest(frame([[1.0, 2.0]], at_ns=clock.now_ns()))
        clock.advance(1.0)
    reading = now.reading("a")
    assert reading is not None
    assert (reading.value, reading.age_s, reading.still_s) == (1.0, 1.0, 3.0)


def test_a_lost_connection_makes_all_its_tags_bad_and_says_no_old_value() -> None:
    now, clock = live()
    now.ingest(frame([[1.0, 2.0]], at_ns=clock.now_ns()))
    now.lost("plc")
    for tag in ("a", "b"):
        reading = now.reading(tag)
        assert reading is not None
        assert (reading.status, reading.value) == (BAD_NO_COMMUNICATION, 0.0)
        assert now.good_value(tag) is None


def test_an_outage_is_no_sign_of_life_of_a_stuck_sensor() -> None:
    now, clock = live()
    now.ingest(frame([[0.5, 1.0]], at_ns=clock.now_ns()))
    now.ingest(frame([[1.0, 2.0]], at_ns=clock.now_ns()))
    clock.advance(400.0)
    now.lost("plc")
    now.ingest(frame([[1.0, 2.5]], at_ns=clock.now_ns()))
    stuck, moved = now.reading("a"), now.reading("b")
    assert stuck is not None
    assert moved is not None
    assert (stuck.still_s, moved.still_s) == (400.0, 0.0)


def test_a_bad_value_in_between_is_no_sign_of_life_either() -> None:
    now, clock = live()
    now.ingest(frame([[0.5, 1.0]], at_ns=clock.now_ns()))
    now.ingest(frame([[1.0, 2.0]], at_ns=clock.now_ns()))
    clock.advance(100.0)
    now.take([Sample(tag="a", value=9.0, status=0x8000_0000, source_ns=START_NS)])
    now.take([Sample(tag="a", value=1.0, status=0, source_ns=START_NS)])
    reading = now.reading("a")
    assert reading is not None
    assert reading.still_s == 100.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_good_status_on_what_is_no_number_is_not_believed(value: float) -> None:
    now, clock = live()
    now.ingest(frame([[value, 2.0]], at_ns=clock.now_ns()))
    reading = now.reading("a")
    assert reading is not None
    assert reading.status >= 0x8000_0000
    assert now.good_value("a") is None


def test_a_source_whose_stamps_run_ahead_or_behind_shows_it() -> None:
    now, clock = live()
    now.ingest(frame([[1.0, 2.0]], at_ns=clock.now_ns(), source_ns=START_NS - 50 * SECOND_NS))
    first = now.reading("a")
    clock.advance(1.0)
    now.ingest(frame([[1.1, 2.0]], at_ns=clock.now_ns(), source_ns=START_NS - 49 * SECOND_NS))
    behind = now.reading("a")
    clock.advance(1.0)
    now.ingest(frame([[1.2, 2.0]], at_ns=clock.now_ns(), source_ns=START_NS + 62 * SECOND_NS))
    ahead = now.reading("a")
    assert first is not None
    assert behind is not None
    assert ahead is not None
    assert (first.skew_s, behind.skew_s, ahead.skew_s) == (0.0, -50.0, 60.0)  # one stamp alone may be an old steady value's


# ---- ring ------------------------------------------------------------------------------------------------------------


def ring_of(rows: int, rows_max: int) -> Ring:
    ring = Ring(TABLE.id, 2, rows_max)
    for i in range(rows):
        ring.append(frame([[float(i), -float(i)]], seq=i))
    return ring


@pytest.mark.parametrize("rows", [1, 4, 5, 8, 9, 23])
def test_the_ring_gives_the_newest_rows_in_order_however_often_it_wrapped(rows: int) -> None:
    found = ring_of(rows, 4).read(-1)
    assert found is not None
    held = min(rows, 4)
    assert found.seq == rows - held
    assert found.values[:, 0].tolist() == [float(i) for i in range(rows - held, rows)]


def test_who_is_too_slow_sees_a_gap() -> None:
    found = ring_of(10, 4).read(2)
    assert found is not None
    assert found.seq == 6  # not 3: three rows are gone, and seq says so


def test_who_has_everything_gets_nothing() -> None:
    assert ring_of(5, 4).read(4) is None
    assert ring_of(0, 4).read(-1) is None


def test_one_read_is_bounded_and_the_next_goes_on() -> None:
    ring = ring_of(9, 16)
    first = ring.read(-1, 4)
    assert first is not None
    second = ring.read(first.seq + first.rows - 1, 4)
    assert second is not None
    assert (first.rows, second.seq, second.rows) == (4, 4, 4)


def test_what_was_read_does_not_change_afterwards() -> None:
    ring = ring_of(4, 4)
    found = ring.read(-1)
    assert found is not None
    before = found.values.copy()
    for i in range(4, 12):
        ring.append(frame([[float(i), 0.0]], seq=i))
    assert (found.values == before).all()


# ---- history ---------------------------------------------------------------------------------------------------------


def filled(path: Path, rows: int, **more: int) -> History:
    history = History(path, durable=False, **more)  # type: ignore[arg-type]
    for i in range(rows):
        history.append(frame([[float(i), 0.0]], seq=i, at_ns=START_NS + i * SECOND_NS))
    return history


def test_history_gives_what_was_received_between_two_times(tmp_path: Path) -> None:
    found = filled(tmp_path / "h.db", 10).read(TABLE.id, START_NS + 2 * SECOND_NS, START_NS + 5 * SECOND_NS, 100, 2)
    assert found.values[:, 0].tolist() == [2.0, 3.0, 4.0, 5.0]


def test_history_is_thinned_evenly_with_both_ends(tmp_path: Path) -> None:
    found = filled(tmp_path / "h.db", 101).read(TABLE.id, 0, 2**62, 5, 2)
    assert found.values[:, 0].tolist() == [0.0, 25.0, 50.0, 75.0, 100.0]


def test_bad_data_is_kept_as_bad(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False)
    history.append(frame([[float("nan"), 1.0]], status=BAD_NO_COMMUNICATION))
    found = history.read(TABLE.id, 0, 2**62, 10, 2)
    assert np.isnan(found.values[0, 0])
    assert found.status[0, 0] == BAD_NO_COMMUNICATION


def test_nothing_is_an_empty_frame(tmp_path: Path) -> None:
    assert History(tmp_path / "h.db", durable=False).read("x", 0, 1, 10, 3).values.shape == (0, 3)


def test_the_numbers_of_rows_go_on_after_a_restart(tmp_path: Path) -> None:
    filled(tmp_path / "h.db", 7).close()
    assert History(tmp_path / "h.db", durable=False).next_seq(TABLE.id) == 7


async def test_a_restarted_gate_goes_on_counting(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(5)
    world.again(after_s=10.0)
    (table,) = world.gate.tables
    world.see()
    found = world.gate.frames(table, -1)
    assert found is not None
    assert found.seq == 5


def test_over_its_cap_the_oldest_go_and_the_file_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = filled(path, 3000, bytes_max=200_000)
    dropped = history.trim()
    found = history.read(TABLE.id, 0, 2**62, 10_000, 2)
    assert dropped > 0
    assert found.rows == 3000 - dropped
    assert found.values[-1, 0] == 2999.0
    assert found.values[0, 0] == float(dropped)
    assert history._room.used_bytes() <= 200_000
    history.close()
    assert path.stat().st_size <= 300_000


async def test_what_history_dropped_is_on_record(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.gate._history._room.bytes_max = 60_000
    for _ in range(4):
        await world.run(60)
    assert world.records("history")
    assert world.records("history")[0]["dropped"] > 0
