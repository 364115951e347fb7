"""`bench box` reads history back: a value that is another tag's, or Bad, is seen."""

import math
from pathlib import Path

import numpy as np
import pytest

from holdfast.evals.bench.box import _judged  # pyright: ignore[reportPrivateUsage]
from holdfast.gate.history.store import History
from holdfast.terms import Frame, Tag, TagTable

TABLE = TagTable(
    id="mill@1",
    connection="mill",
    period_s=1.0,
    tags=tuple(Tag(name=f"t{i}", connection="mill", address=f"T{i}", unit="1") for i in range(3)),
)


def row(seq: int, values: list[float], status: int = 0) -> Frame:
    at_ns = np.array([1_772_366_400_000_000_000 + seq * 1_000_000_000], np.int64)
    return Frame(
        table="mill@1",
        seq=seq,
        received_ns=at_ns,
        source_ns=np.tile(at_ns, (1, 3)),
        values=np.array([values]),
        status=np.array([[0, 0, status]], np.uint32),
    )


def judged(folder: Path, *frames: Frame) -> dict[str, object]:
    history = History(folder / "history.db", durable=False, tables=[TABLE])
    for frame in frames:
        history.append(frame)
    try:
        return _judged(TABLE, history, 1, 4)
    finally:
        history.close()


def test_rows_that_came_while_it_was_measured_are_counted_and_each_value_is_its_own_tags(tmp_path: Path) -> None:
    found = judged(tmp_path, *(row(n, [n, 1000 + n, 2000 + n]) for n in range(6)))
    assert (found["rows"], found["expected_rows"], found["values"]) == (3, 3, 9)
    assert (found["bad"], found["wrong"], found["late_rows"], found["fresh"]) == (0, 0, 0, 6)


@pytest.mark.parametrize(("third", "status", "what"), [(1002.0, 0, "wrong"), (math.nan, 0x8031_0000, "bad")])
def test_anothers_value_and_a_bad_one_are_seen(tmp_path: Path, third: float, status: int, what: str) -> None:
    found = judged(tmp_path, row(1, [1, 1001, 2001]), row(2, [2, 1002, third], status), row(3, [3, 1003, 2003]))
    assert (found["wrong"], found["bad"]) == ((1, 0) if what == "wrong" else (0, 1))
