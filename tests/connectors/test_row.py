"""A row carries what was last heard, and never a value that is Bad."""

import math

from holdfast.gate.connectors.row import BAD_OUT_OF_RANGE, Row
from holdfast.terms import BAD_DECODING_ERROR, BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA, Tag, TagTable

TABLE = TagTable(
    id="c@1", connection="c", period_s=1.0, tags=tuple(Tag(name=f"e/{n}", connection="c", address=n, unit="1") for n in ("a", "b", "c"))
)


def test_before_its_first_value_a_column_waits_and_is_bad() -> None:
    frame = Row(TABLE, 5).frame(0, 7)
    assert frame.status.tolist() == [[BAD_WAITING_FOR_INITIAL_DATA] * 3]
    assert frame.received_ns.tolist() == [7]


def test_a_bad_or_impossible_value_is_never_shown_and_a_frame_does_not_change_afterwards() -> None:
    row = Row(TABLE, 0)
    row.put(0, 1.5, 0, 10)
    row.put(1, 2.5, BAD_DECODING_ERROR, 11)
    row.put(2, math.inf, 0, 12)
    frame = row.frame(3, 20)
    row.lose(BAD_NO_COMMUNICATION, 30)
    assert frame.values[0, 0] == 1.5
    assert [math.isnan(v) for v in frame.values[0].tolist()] == [False, True, True]
    assert frame.status.tolist() == [[0, BAD_DECODING_ERROR, BAD_OUT_OF_RANGE]]
    assert frame.source_ns.tolist() == [[10, 11, 12]]
    assert row.frame(4, 30).status.tolist() == [[BAD_NO_COMMUNICATION] * 3]
