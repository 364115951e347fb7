"""One pass over a long recording: bounded memory, findings of the right row, runs that begin anew."""

import numpy as np
import pytest

from holdfast.agent.perception.limits import Limits
from holdfast.agent.perception.over_file import Pass
from holdfast.agent.perception.recording import Recording, layout
from holdfast.agent.perception.trace import STRETCHES_MAX, Trace

QUIET = np.random.default_rng(1).normal(size=(300, 2))


def limits() -> Limits:
    detector = Limits()
    detector.fit(QUIET, ["a", "b"])
    return detector


def test_a_trace_keeps_the_extremes_of_ever_longer_stretches() -> None:
    trace, rng = Trace(1), np.random.default_rng(2)
    rows = rng.normal(size=(3 * STRETCHES_MAX + 5, 1))
    rows[4000] = 99.0
    for part in np.array_split(rows, 11):
        trace.add(part)
    assert (trace.rows, trace.rows_each) == (6149, 4)
    assert trace.low.shape == (1538, 1)  # 6149 / 4, rounded up
    assert trace.high[1000, 0] == 99.0
    assert trace.low.min() == rows.min()
    assert trace.high[0, 0] == rows[:4].max()


def test_a_stretch_without_numbers_has_none() -> None:
    trace = Trace(2)
    trace.add(np.array([[1.0, np.nan], [2.0, 5.0]]))
    assert np.isnan(trace.low[0, 1])
    assert trace.high[1, 1] == 5.0


def test_a_finding_names_the_tag_of_its_own_row_even_if_another_moves_later_in_the_same_block() -> None:
    rows = np.zeros((100, 2))
    rows[10:20, 0] = 9.0
    rows[60:, 1] = 30.0
    over = Pass(limits(), ["a", "b"], 1.0, normal=0.5, confirm_rows=3)
    for _ in over.feed(rows, []):
        pass
    assert [(one.onset, one.found, one.cleared, one.shares[0][0]) for one in over.found] == [(10, 12, 49, "a"), (60, 62, None, "b")]
    assert (over.rows, over.alarms, over.first, over.runs) == (100, 50, 10, 1)


def test_another_run_ends_a_finding_without_an_end_and_begins_anew() -> None:
    rows = np.zeros((60, 2))
    rows[20:40, 0] = 9.0
    over = Pass(limits(), ["a", "b"], 1.0, normal=0.5, confirm_rows=3)
    parts = list(over.feed(rows, [30]))
    assert [part.shape[0] for part, _ in parts] == [30, 30]
    assert [(one.onset, one.found, one.cleared) for one in over.found] == [(20, 22, None), (30, 32, None)]
    assert over.runs == 2


def test_without_a_limit_above_nought_rows_are_told_and_findings_are_not() -> None:
    over = Pass(limits(), ["a", "b"], -1.0, normal=0.5, confirm_rows=3)
    for _ in over.feed(np.zeros((10, 2)), []):
        pass
    assert (over.alarms, over.found) == (10, [])


@pytest.mark.parametrize(
    ("header", "rows", "starts"),
    [
        ("engine,x", ["1,5.0", "1,5.1", "2,7.0", "2,7.1"], [2]),
        ("cycle,x", ["1,5.0", "2,5.1", "3,5.0", "1,7.0", "2,7.1"], [3]),
        ("id,x", ["4,5.0", "9,5.1", "7,5.0", "8,7.0"], []),  # no count: it is never back at what it began with
        ("x,y", ["1,5.0", "2,5.1", "1,5.2"], []),
    ],
)
def test_runs_are_told_by_another_unit_or_a_count_that_begins_anew(tmp_path, header: str, rows: list[str], starts: list[int]) -> None:
    path = tmp_path / "data.csv"
    path.write_text("\n".join([header, *rows]))
    recording = Recording(layout(path), ["x"])
    (_,) = recording.blocks()
    assert recording.starts == starts
