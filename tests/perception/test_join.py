"""Frames of several tables become the same aligned rows however they are cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.agent.perception.join import Join, Rows
from holdfast.terms import BAD, GOOD, SECOND_NS, UNCERTAIN, Frame, Tag, TagTable


def table(name: str, period_s: float, *tags: str) -> TagTable:
    made = tuple(Tag(name=tag, connection=name, address=tag, unit="1", period_s=period_s) for tag in tags)
    return TagTable(id=f"{name}@{period_s:g}", connection=name, period_s=period_s, tags=made)


FAST, SLOW = table("mill", 1, "a", "b", "c"), table("cooling", 4, "x", "y")


def frame(of: TagTable, at_s: list[float], values: list[list[float]], status: list[list[int]] | None = None) -> Frame:
    at_ns = np.array([round(at * SECOND_NS) for at in at_s], dtype=np.int64)
    rows = np.array(values, dtype=np.float64).reshape(len(at_s), len(of.tags))
    codes = np.full(rows.shape, GOOD, dtype=np.uint32) if status is None else np.array(status, dtype=np.uint32)
    return Frame(
        table=of.id, seq=0, received_ns=at_ns, source_ns=np.repeat(at_ns[:, None], len(of.tags), axis=1), values=rows, status=codes
    )


def test_each_tick_takes_the_latest_value_at_or_before_it_in_the_detectors_order() -> None:
    join = Join([FAST, SLOW], ["y", "c", "a"])
    join.push(frame(SLOW, [0.5, 4.5], [[10, 11], [20, 21]]))
    rows = join.push(frame(FAST, [1, 4, 4.5], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    assert rows.at_ns.tolist() == [SECOND_NS, 4 * SECOND_NS, round(4.5 * SECOND_NS)]
    assert rows.values.tolist() == [[11, 3, 1], [11, 6, 4], [21, 9, 7]]


def test_a_tick_waits_for_the_slower_table() -> None:
    join = Join([FAST, SLOW], ["a", "x"])
    join.push(frame(SLOW, [0], [[10, 0]]))
    assert join.push(frame(FAST, [1, 2], [[1, 0, 0], [2, 0, 0]])).values.shape == (0, 2)
    assert join.push(frame(SLOW, [4], [[20, 0]])).values.tolist() == [[1, 10], [2, 10]]


def test_a_lost_table_turns_its_tags_to_nan_and_holds_nobody_up_for_long() -> None:
    join = Join([FAST, SLOW], ["a", "x"])
    join.push(frame(SLOW, [0], [[10, 0]]))
    got = [join.push(frame(FAST, [t], [[t, 0, 0]])) for t in range(1, 40)]
    values = np.concatenate([rows.values for rows in got])
    assert values.shape[0] == 39 - 13  # each tick waits until the leading table is over 12 s past it
    assert values[:12, 1].tolist() == [10] * 12  # up to three periods old
    assert np.isnan(values[12:, 1]).all()


def test_bad_is_nan_and_uncertain_counts() -> None:
    rows = Join([FAST], ["a", "b"]).push(frame(FAST, [1, 2], [[1, 2, 3], [4, 5, 6]], [[BAD | 0x310000, UNCERTAIN, 0], [0, BAD, 0]]))
    assert np.array_equal(rows.values, [[np.nan, 2], [4, np.nan]], equal_nan=True)


def test_rows_whose_time_goes_back_are_dropped_and_counted() -> None:
    join = Join([FAST], ["a"])
    rows = join.push(frame(FAST, [1, 3, 2, 3, 4], [[1, 0, 0], [3, 0, 0], [2, 0, 0], [9, 0, 0], [4, 0, 0]]))
    assert rows.values[:, 0].tolist() == [1, 3, 4]
    assert join.late == 2


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_rows_do_not_depend_on_how_frames_are_cut_or_which_table_comes_first(data: st.DataObject) -> None:
    fast: list[tuple[float, list[float]]] = [(float(t) + 0.01 * (t % 3), [t, 2 * t, 3 * t]) for t in range(60)]
    slow: list[tuple[float, list[float]]] = [(4.0 * t + 0.3, [100 + t, 200 + t]) for t in range(16)]

    def pieces(of: TagTable, rows: list[tuple[float, list[float]]]) -> list[Frame]:
        cuts = sorted(data.draw(st.sets(st.integers(1, len(rows) - 1), max_size=10)))
        return [
            frame(of, [r[0] for r in rows[a:b]], [r[1] for r in rows[a:b]]) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)
        ]

    def joined(frames: list[Frame]) -> Rows:
        join = Join([FAST, SLOW], ["a", "c", "x"])
        got = [join.push(each) for each in frames]
        return Rows(at_ns=np.concatenate([r.at_ns for r in got]), values=np.concatenate([r.values for r in got]))

    whole = joined([frame(SLOW, [r[0] for r in slow], [r[1] for r in slow]), frame(FAST, [r[0] for r in fast], [r[1] for r in fast])])
    # Any interleaving in which no table runs more than the wait ahead of the other: here by time of the first row.
    cut = sorted([*pieces(SLOW, slow), *pieces(FAST, fast)], key=lambda f: int(f.received_ns[0]))
    once = joined(cut)
    n = once.at_ns.shape[0]
    assert n >= 45
    assert np.array_equal(once.at_ns, whole.at_ns[:n])
    late = [i for i in range(n) if not np.array_equal(once.values[i], whole.values[i], equal_nan=True)]
    assert all(np.isnan(once.values[i]).any() or once.values[i][2] < whole.values[i][2] for i in late)
    if all(f.rows <= 8 for f in cut if f.table == FAST.id):
        assert late == []


def test_an_unknown_tag_and_a_frame_of_another_configuration_are_refused() -> None:
    with pytest.raises(ValueError, match="no table carries z"):
        Join([FAST], ["a", "z"])
    other = frame(table("mill", 1, "a"), [1], [[1]])
    with pytest.raises(ValueError, match="another configuration"):
        Join([FAST], ["b"]).push(other)
