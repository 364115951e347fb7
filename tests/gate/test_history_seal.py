"""Sealed or not, history gives back the same rows; late rows find their hour, changed columns their names, old files a way in."""

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.gate.history import seal as sealing
from holdfast.gate.history.file import HOUR_NS
from holdfast.gate.history.rows import BAD_NO_DATA
from holdfast.gate.history.store import History, HistoryError
from holdfast.gate.history.trend import Trend, trend
from holdfast.terms import SECOND_NS, Frame, Tag, TagTable, pack

HOUR_S = 3600
EVER = 2**62
NUMBERS = itertools.count()


def table(*names: str, id: str = "t") -> TagTable:
    return TagTable(id=id, connection="c", period_s=1.0, tags=tuple(Tag(name=n, connection="c", address=n, unit="1") for n in names))


AB = table("a", "b")


def frame(seq: int, at_s: Sequence[float], values: Sequence[Sequence[float]], *, status: int = 0, id: str = "t") -> Frame:
    received = np.array([round(s * SECOND_NS) for s in at_s], np.int64)
    array = np.array(values, np.float64)
    source = np.repeat(received[:, None], array.shape[1], axis=1) - 250_000_000
    return Frame(table=id, seq=seq, received_ns=received, source_ns=source, values=array, status=np.full(array.shape, status, np.uint32))


def ticks(history: History, seconds: Sequence[float], *, seq: int = 0) -> None:
    """A row a second; a counts, b is 5."""
    for n, s in enumerate(seconds):
        history.append(frame(seq + n, [s], [[float(seq + n), 5.0]]))


def count(path: Path, name: str) -> int:
    with contextlib.closing(apsw.Connection(str(path))) as db:
        return int(str(db.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]))  # noqa: S608


def same(a: Frame, b: Frame) -> None:
    for one, other in ((a.received_ns, b.received_ns), (a.source_ns, b.source_ns), (a.status, b.status)):
        assert one.tolist() == other.tolist()
    assert a.values.view(np.uint64).tolist() == b.values.view(np.uint64).tolist()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 3 * HOUR_S * 2), st.integers(0, 2**64 - 1)), min_size=1, max_size=4),
            st.sampled_from([0, 0x8031_0000, 0x4000_0000]),
            st.booleans(),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_sealed_at_any_moment_in_any_order_of_times_the_rows_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, given_frames: list[tuple[list[tuple[int, int]], int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("h")
    plain, history = (History(folder / name, durable=False, tables=[AB]) for name in ("plain.db", "sealed.db"))
    seq = 0
    for rows, status, seal in given_frames:
        values = np.array([[bits, bits ^ 1] for _, bits in rows], np.uint64).view(np.float64)
        made = frame(seq, [half / 2 for half, _ in rows], values.tolist(), status=status)
        made = Frame(table="t", seq=seq, received_ns=made.received_ns, source_ns=made.source_ns, values=values, status=made.status)
        for to in (plain, history):
            to.append(made)
        seq += len(rows)
        if seal:
            history.seal(3 * HOUR_NS + 1, all_=True)
    history.seal(10 * HOUR_NS, all_=True)
    assert count(folder / "sealed.db", "hot") == 0
    same(history.read("t", 0, EVER, 10_000, 2), plain.read("t", 0, EVER, 10_000, 2))
    same(history.read("t", HOUR_NS, 2 * HOUR_NS, 3, 2), plain.read("t", HOUR_NS, 2 * HOUR_NS, 3, 2))
    assert history.next_seq("t") == plain.next_seq("t") == seq
    for history_file in (plain, history):
        history_file.close()
    for points in (1, 7, 2000):
        one, other = (trend(folder / name, {"t": AB}, ["a", "b"], 0, 3 * HOUR_NS, points) for name in ("plain.db", "sealed.db"))
        assert (one.at_ns, one.min, one.max, one.good) == (other.at_ns, other.min, other.max, other.good)


def test_frames_wait_ten_minutes_and_an_hour_that_is_over_is_one_segment(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    for minute in range(0, 65, 5):
        ticks(history, [minute * 60.0 + s for s in range(0, 300, 10)], seq=minute * 6)
        history.seal((minute + 5) * 60 * SECOND_NS)
    assert (count(tmp_path / "h.db", "segment"), count(tmp_path / "h.db", "hot")) == (6, 30)  # ten minutes each, and the last five
    history.seal(70 * 60 * SECOND_NS)
    assert (count(tmp_path / "h.db", "segment"), count(tmp_path / "h.db", "hot")) == (2, 0)
    assert history.read("t", 0, EVER, 1000, 2).values[:, 0].tolist() == [float(i) for i in range(390)]


def test_a_late_row_finds_its_hour(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    ticks(history, [10.0, 30.0, 3 * HOUR_S + 1.0])
    history.seal(4 * HOUR_NS)
    history.append(frame(3, [20.0], [[77.0, 5.0]]))
    history.seal(5 * HOUR_NS)
    assert count(tmp_path / "h.db", "segment") == 2
    assert history.read("t", 0, HOUR_NS, 10, 2).values[:, 0].tolist() == [0.0, 77.0, 1.0]
    found = trend(tmp_path / "h.db", {"t": AB}, ["a"], 0, HOUR_NS, 1)
    assert (found.last, found.max) == (((1.0,),), ((77.0,),))


def test_a_frame_that_is_sealed_already_is_not_kept_twice(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    ticks(history, [1.0, 2.0])
    history.seal(2 * HOUR_NS)
    ticks(history, [1.0, 2.0, 3.0])
    assert history.read("t", 0, EVER, 10, 2).rows == 3
    history.close()
    again = History(tmp_path / "h.db", durable=False, tables=[AB])
    ticks(again, [1.0])
    assert (again.read("t", 0, EVER, 10, 2).rows, again.next_seq("t")) == (3, 3)


def test_a_frame_from_a_clock_that_ran_ahead_holds_nothing_up(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    ticks(history, [1.0, 9e8, 2.0, 3.0])
    history.seal(2 * HOUR_NS)
    assert count(tmp_path / "h.db", "hot") == 0
    assert history.read("t", 0, HOUR_NS, 10, 2).values[:, 0].tolist() == [0.0, 2.0, 3.0]


def test_a_table_that_changed_its_columns_keeps_what_each_tag_had(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = History(path, durable=False, tables=[AB])
    ticks(history, [1.0, 2.0])
    history.close()
    ac = table("c", "a")
    for sealed in (False, True):
        history = History(path, durable=False, tables=[ac])
        if not sealed:
            history.append(frame(2, [3.0], [[9.0, 7.0]]))
        else:
            history.seal(2 * HOUR_NS)
        found = history.read("t", 0, EVER, 10, 2)
        assert found.values[:, 1].tolist() == [0.0, 1.0, 7.0]
        assert found.status[:, 0].tolist() == [BAD_NO_DATA, BAD_NO_DATA, 0]
        assert trend(path, {"t": ac}, ["a"], 0, 4 * SECOND_NS, 4).last == ((None, 0.0, 1.0, 7.0),)
        assert trend(path, {"t": ac}, ["c"], 0, 4 * SECOND_NS, 4).last == ((None, None, None, 9.0),)
        history.close()


def test_a_tag_that_moved_to_another_table_keeps_its_past(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    ticks(history, [1.0, 2.0])
    history.seal(2 * HOUR_NS)
    history.close()
    moved = table("b", id="slow")
    History(tmp_path / "h.db", durable=False, tables=[moved]).close()
    assert trend(tmp_path / "h.db", {"slow": moved}, ["b"], 0, 4 * SECOND_NS, 1).last == ((5.0,),)


def test_a_file_of_the_time_before_chunks_just_works(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(
            "CREATE TABLE hot(tbl TEXT, seq INTEGER, from_ns INTEGER, to_ns INTEGER, frame BLOB, PRIMARY KEY(tbl, seq)) WITHOUT ROWID"
        )
        db.execute("CREATE INDEX hot_time ON hot(tbl, to_ns)")
        for n in range(5):
            at = n * SECOND_NS
            db.execute("INSERT INTO hot VALUES(?,?,?,?,?)", ("t", n, at, at, pack(frame(n, [float(n)], [[float(n), 5.0]]))))
    assert trend(path, {"t": AB}, ["a"], 0, 5 * SECOND_NS, 1).last == ((4.0,),)
    history = History(path, durable=False, tables=[AB])
    assert history.next_seq("t") == 5
    history.seal(2 * HOUR_NS)
    assert count(path, "hot") == 0
    assert history.read("t", 0, EVER, 10, 2).values[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert trend(path, {"t": AB}, ["a"], 0, 5 * SECOND_NS, 1).last == ((4.0,),)


def test_of_weeks_each_point_stands_for_whole_five_minutes(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = History(path, durable=False, tables=[AB])
    history.append(frame(0, [10.0 * n for n in range(3 * 360)], [[float(n), 5.0] for n in range(3 * 360)]))
    history.seal(5 * HOUR_NS)
    found: Trend = trend(path, {"t": AB}, ["a", "b"], 400 * SECOND_NS, 3 * HOUR_NS, 20)  # 520 s a point: ten minutes
    assert (found.width_ns, found.at_ns[:2], len(found.at_ns)) == (600 * SECOND_NS, (300 * SECOND_NS, 900 * SECOND_NS), 18)
    assert (found.min[0][:2], found.max[0][:2], found.last[0][:2]) == ((30.0, 90.0), (89.0, 149.0), (89.0, 149.0))
    assert set(found.min[1]) == {5.0}
    assert all(found.good[1])


def test_bad_and_uncertain_rows_are_told_the_same_from_what_was_rolled_up(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = History(path, durable=False, tables=[AB])
    for n, status in enumerate((0x8000_0000, 0x4000_0000, 0)):
        history.append(frame(n, [n * 300.0], [[float(n), float("nan")]], status=status))
    history.seal(2 * HOUR_NS)
    found = trend(path, {"t": AB}, ["a", "b"], 0, 900 * SECOND_NS, 3)
    assert found.width_ns == 300 * SECOND_NS
    assert found.last == ((None, 1.0, 2.0), (None, None, None))
    assert found.good == ((False, False, True), (False, False, True))


def test_a_table_that_fills_memory_sooner_is_sealed_sooner_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "SLICE_SAMPLES", 40)
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    ticks(history, [float(s) for s in range(50)])
    assert history.seal(60 * SECOND_NS) == (40, 80)  # two slices; the rest is neither old nor much
    history.seal(3 * HOUR_NS)
    assert count(tmp_path / "h.db", "segment") == 3  # pieces this large stay pieces
    assert history.read("t", 0, EVER, 100, 2).values[:, 0].tolist() == [float(i) for i in range(50)]


def test_a_damaged_chunk_is_an_error_with_a_word_and_other_tags_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = History(path, durable=False, tables=[AB])
    ticks(history, [1.0, 2.0])
    history.seal(2 * HOUR_NS)
    history.close()
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute("UPDATE chunk SET data=x'28b52ffd00' WHERE id % 65536 = 0")
    with pytest.raises(HistoryError, match="damaged"):
        trend(path, {"t": AB}, ["a"], 0, 4 * SECOND_NS, 4)
    assert trend(path, {"t": AB}, ["b"], 0, 4 * SECOND_NS, 1).last == ((5.0,),)


def test_months_over_the_cap_lose_their_oldest_hours_first(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    rng = np.random.default_rng(1)
    history = History(path, durable=False, tables=[AB], bytes_max=400_000)
    for hour in range(20):
        seconds = [hour * HOUR_S + s for s in range(HOUR_S)]
        history.append(frame(hour * HOUR_S, seconds, rng.normal(size=(HOUR_S, 2)).tolist()))
        history.seal((hour + 2) * HOUR_NS)
    dropped = history.trim()
    assert dropped % HOUR_S == 0
    assert 10 * HOUR_S < dropped < 20 * HOUR_S
    assert int(history.read("t", 0, EVER, 10**6, 2).received_ns[0]) == dropped * SECOND_NS
    assert history.trim() == 0
    history.close()
    assert path.stat().st_size <= 420_000
    assert count(path, "roll") == 2 * (20 - dropped // HOUR_S)
    assert count(path, "chunk") == 2 * (20 - dropped // HOUR_S)


def test_frames_of_one_call_are_one_on_the_disk_unless_a_number_is_missing(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    cd = [frame(n, [float(n)], [[float(n), 1.0]], id="u") for n in range(2)]
    history.append(*(frame(n, [float(n)], [[float(n), 5.0]]) for n in (0, 1, 2, 5, 6)), *cd)
    assert count(tmp_path / "h.db", "hot") == 3
    assert history.read("t", 0, EVER, 10, 2).values[:, 0].tolist() == [0.0, 1.0, 2.0, 5.0, 6.0]
    assert history.read("u", 0, EVER, 10, 2).rows == 2
    history.seal(HOUR_NS, all_=True)
    assert history.read("t", 0, EVER, 10, 2).values[:, 0].tolist() == [0.0, 1.0, 2.0, 5.0, 6.0]
    assert history.next_seq("t") == 7


def test_a_value_that_stands_still_but_is_uncertain_for_five_minutes_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    history = History(path, durable=False, tables=[AB])
    for n, status in enumerate((0, 0x4000_0000, 0)):
        history.append(frame(n, [n * 300.0], [[7.0, 7.0]], status=status))
    history.seal(2 * HOUR_NS)
    found = trend(path, {"t": AB}, ["a"], 0, 900 * SECOND_NS, 3)
    assert (found.last, found.good) == (((7.0, 7.0, 7.0),), ((True, False, True),))


def test_a_sealed_read_is_thinned_evenly_with_both_ends(tmp_path: Path) -> None:
    history = History(tmp_path / "h.db", durable=False, tables=[AB])
    ticks(history, [float(s) for s in range(80)])
    history.seal(HOUR_NS, all_=True)
    ticks(history, [float(s) for s in range(80, 101)], seq=80)
    assert history.read("t", 0, EVER, 5, 2).values[:, 0].tolist() == [0.0, 25.0, 50.0, 75.0, 100.0]
