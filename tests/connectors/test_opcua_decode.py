"""The fast decoder beside asyncua's: the same bits out of the same bytes, whatever a server puts into them."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportPrivateImportUsage=false
import datetime
import struct
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.gate.connectors.opcua import decode
from holdfast.gate.connectors.opcua.columns import Columns
from holdfast.gate.connectors.opcua.decode import NO_TIME, Answer, Changes
from holdfast.gate.connectors.row import Row
from holdfast.terms import Scale, Tag, TagTable

UTC = datetime.UTC
V = ua.VariantType
_INTEGERS = {V.SByte: (-(2**7), 2**7), V.Byte: (0, 2**8), V.Int16: (-(2**15), 2**15), V.UInt16: (0, 2**16), V.Int32: (-(2**31), 2**31)}
_WIDE = {V.UInt32: (0, 2**32), V.Int64: (-(2**63), 2**63), V.UInt64: (0, 2**64)}


def _numbers() -> st.SearchStrategy[ua.Variant]:
    whole = [st.integers(low, end - 1).map(lambda n, k=kind: ua.Variant(n, k)) for kind, (low, end) in (_INTEGERS | _WIDE).items()]
    return st.one_of(
        st.floats(width=64).map(lambda x: ua.Variant(x, V.Double)),
        st.floats(width=32).map(lambda x: ua.Variant(x, V.Float)),
        st.booleans().map(lambda b: ua.Variant(b, V.Boolean)),
        *whole,
    )


def _others() -> st.SearchStrategy[ua.Variant]:
    return st.one_of(
        st.text(max_size=5).map(lambda text: ua.Variant(text, V.String)),
        st.just(ua.Variant(None, V.String)),
        st.just(ua.Variant(None, V.Null)),
        st.lists(st.floats(width=64), max_size=3).map(lambda xs: ua.Variant(xs, V.Double, is_array=True)),
        st.just(ua.Variant(datetime.datetime(2026, 1, 2, tzinfo=UTC), V.DateTime)),
        st.just(ua.Variant(ua.StatusCode(0x80000000), V.StatusCode)),
        st.just(ua.Variant(ua.LocalizedText("a"), V.LocalizedText)),
        st.just(ua.Variant(ua.NodeId("x", 2), V.NodeId)),
    )


_TIMES = st.one_of(
    st.none(),
    st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    st.sampled_from([datetime.datetime(year, 1, 1, tzinfo=UTC) for year in (1601, 1602, 1677, 1970, 2262, 2263, 9999)]),
)
_PICO = st.one_of(st.none(), st.integers(0, 9999))
_STATUS = st.one_of(st.none(), st.sampled_from([0, 0x40000000, 0x80000000, 0x80740000, 0xC0000001, 0x00000480]).map(ua.StatusCode))


@st.composite
def _values(draw: st.DrawFn) -> ua.DataValue:
    variant = draw(st.one_of(_numbers(), _numbers(), st.none(), _others()))
    data = ua.DataValue(variant if variant is not None else ua.Variant(None, V.Null), draw(_STATUS), draw(_TIMES), draw(_TIMES))
    data.ServerPicoseconds = draw(_PICO)
    if data.ServerTimestamp is None:  # asyncua 2.1 has both times before both picoseconds, the standard has not
        data.SourcePicoseconds = draw(_PICO)
    if variant is None:
        data.Value = None
    return data


_ITEMS = st.lists(st.tuples(_values(), st.sampled_from([1, 1, 2, 33, 70])), max_size=8)  # (value, how many times in a row)


def response(parts: list[Any], *, subscription: int = 7, sequence: int = 3, available: list[int] | None = None) -> bytes:
    answer: Any = ua.PublishResponse()
    answer.Parameters.SubscriptionId = subscription
    answer.Parameters.AvailableSequenceNumbers = available or []
    answer.Parameters.NotificationMessage.SequenceNumber = sequence
    answer.Parameters.NotificationMessage.PublishTime = datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    answer.Parameters.NotificationMessage.NotificationData = parts
    answer.Parameters.Results = [ua.StatusCode(0)] * 2
    return struct_to_binary(answer)


def changes(values: list[ua.DataValue], first: int = 0) -> Any:
    items = [ua.MonitoredItemNotification(first + i, value) for i, value in enumerate(values)]
    return ua.DataChangeNotification(MonitoredItems=items)


def by_asyncua(body: bytes) -> Answer:
    found: Any = struct_from_binary(ua.PublishResponse, Buffer(body))
    return decode.decoded(found.Parameters)


def columns_of(answer: Answer) -> list[np.ndarray[Any, Any]]:
    """Each column of all changes, floats as their bits with every NaN alike."""
    none = Changes(
        handle=np.zeros(0, np.int64),
        value=np.zeros(0),
        status=np.zeros(0, np.uint32),
        source_ns=np.zeros(0, np.int64),
        kind=np.zeros(0, np.uint8),
    )
    parts = (none, *answer.changes)
    value = np.concatenate([part.value for part in parts])
    bits = np.where(np.isnan(value), np.nan, value).view(np.uint64)
    rest = [np.concatenate([getattr(part, name) for part in parts]) for name in ("handle", "status", "source_ns", "kind")]
    return [bits, *rest]


def same(body: bytes) -> Answer:
    fast, slow = decode.answer(body), by_asyncua(body)
    assert fast is not None, "an answer of data changes alone is decoded here"
    head = [(a.subscription, a.sequence, a.server_ns, a.ended, a.data) for a in (fast, slow)]
    assert head[0] == head[1]
    for mine, theirs in zip(columns_of(fast), columns_of(slow), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tolist() == theirs.tolist()
    return fast


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=_ITEMS, second=_ITEMS, available=st.lists(st.integers(0, 2**32 - 1), max_size=3))
def test_every_data_change_comes_out_as_asyncua_decodes_it(first: Any, second: Any, available: list[int]) -> None:
    parts = [changes([value for value, times in items for _ in range(times)]) for items in (first, second)]
    same(response(parts, available=available))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_broken_bytes_are_given_back_or_read_alike_and_never_raise(data: st.DataObject) -> None:
    body = bytearray(response([changes([ua.DataValue(ua.Variant(1.5, V.Double))] * 40)]))
    at = data.draw(st.integers(28, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(4, len(body)))]) if data.draw(st.booleans()) else bytes(body)
    fast = decode.answer(cut)
    if fast is None:
        return
    slow = by_asyncua(cut)  # what is accepted here, asyncua accepts too
    for mine, theirs in zip(columns_of(fast), columns_of(slow), strict=True):
        assert mine.tolist() == theirs.tolist()


def test_ten_thousand_values_of_one_layout_are_read_as_arrays() -> None:
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    values = [ua.DataValue(ua.Variant(i * 0.5, V.Double), ua.StatusCode(0), at, at) for i in range(10_000)]
    fast = same(response([changes(values)]))
    assert len(fast.changes) == 3, "4096 at a time"
    assert fast.changes[2].value[-1] == 4999.5
    assert fast.changes[0].source_ns[0] == 1767323045_678900_000  # date -u -d '2026-01-02 03:04:05' +%s
    assert fast.changes[0].kind[0] == 11


def test_one_text_among_numbers_goes_through_asyncua_alone() -> None:
    number, text = ua.DataValue(ua.Variant(2, V.UInt16)), ua.DataValue(ua.Variant("DC01", V.String))
    fast = same(response([changes([number] * 50 + [text] + [number] * 200)]))
    kinds = np.concatenate([part.kind for part in fast.changes]).tolist()
    assert kinds == [5] * 50 + [0] + [5] * 200
    assert len(fast.changes) == 3, "two runs of numbers, and singles around the text"


def test_an_answer_with_events_or_a_status_change_is_left_to_asyncua() -> None:
    ended = response([ua.StatusChangeNotification(ua.StatusCode(ua.StatusCodes.BadTimeout))])
    assert decode.answer(ended) is None
    assert by_asyncua(ended).ended == "the server ended the subscription (BadTimeout)"
    assert decode.answer(response([ua.EventNotificationList()])) is None


@pytest.mark.parametrize("times", [1, 40])
def test_picoseconds_lie_where_the_standard_has_them(times: int) -> None:
    """Behind the time that each belongs to (OPC 10000-6 §5.2.2.17). Without a source time, the server's holds."""
    item = struct.pack("<IBBdHqH", 5, 0x39, 11, 2.5, 4, 133_805_811_780_000_010, 6)
    part = struct.pack("<i", times) + item * times + struct.pack("<i", 0)
    body = response([changes([])])
    at = body.index(b"\x01\x00\x2b\x03\x01") + 5
    found = decode.answer(body[:at] + struct.pack("<i", len(part)) + part + body[at + 12 :])
    assert found is not None
    assert found.changes[0].source_ns.tolist() == [1736107578_000_001_000] * times  # (ticks - 116444736e9) * 100
    assert found.changes[0].value.tolist() == [2.5] * times


def test_a_keep_alive_brings_no_data_and_the_servers_clock() -> None:
    fast = same(response([], sequence=9))
    assert not fast.data
    assert fast.server_ns == 1767323045_678900_000


def test_an_answer_without_a_publish_time_is_still_decoded_here() -> None:
    body = bytearray(response([changes([ua.DataValue(ua.Variant(1.5, V.Double))])]))
    assert struct.unpack_from("<q", body, 41) == (134_117_966_456_789_000,)  # 1767323045.6789 s + 11644473600 s
    struct.pack_into("<q", body, 41, 0)  # as node-opcua sends it
    assert same(bytes(body)).server_ns is None


def test_a_time_that_means_no_time_is_none() -> None:
    never = datetime.datetime(1601, 1, 1, tzinfo=UTC)
    fast = same(response([changes([ua.DataValue(ua.Variant(1.0, V.Double), ua.StatusCode(0), never, None)] * 40)]))
    assert fast.changes[0].source_ns.tolist() == [int(NO_TIME)] * 40


def test_a_count_that_lies_costs_nothing() -> None:
    body = bytearray(response([changes([ua.DataValue(ua.Variant(1.0, V.Double))] * 2)]))
    at = body.index(b"\x01\x00\x2b\x03\x01") + 9
    struct.pack_into("<i", body, at, 2**31 - 1)
    assert decode.answer(bytes(body)) is None


TABLE = TagTable(
    id="t",
    connection="mill",
    period_s=1.0,
    tags=(
        Tag(name="plain", connection="mill", address="plain", unit="1"),
        Tag(name="scaled", connection="mill", address="scaled", unit="1", scale=Scale(raw=(0, 27648), eng=(0, 150))),
    ),
)


def placed(values: list[ua.DataValue], first: int = 0) -> tuple[Any, Columns, dict[str, Any]]:
    learnt: dict[str, Any] = {}
    row = Row(TABLE, 5)
    columns = Columns(TABLE, row, learnt.__setitem__, lambda: 77)
    columns.missing.update((0, 1))
    for part in same(response([changes(values, first)])).changes:
        columns.put(part)
    return row.frame(0, 0), columns, learnt


def test_values_reach_their_columns_scaled_typed_and_timed() -> None:
    frame, columns, learnt = placed([ua.DataValue(ua.Variant(2.5, V.Float)), ua.DataValue(ua.Variant(13824, V.Int16))])
    assert frame.values.tolist() == [[2.5, 75.0]]
    assert frame.source_ns.tolist() == [[77, 77]], "neither side said when: now"
    assert learnt == {"plain": V.Float, "scaled": V.Int16}
    assert not columns.missing


@pytest.mark.parametrize(("value", "status"), [(float("nan"), 0x803C0000), (float("inf"), 0x803C0000)])
def test_a_value_that_is_not_finite_is_bad(value: float, status: int) -> None:
    frame, _, _ = placed([ua.DataValue(ua.Variant(value, V.Double))])
    assert frame.status[0, 0] == status
    assert np.isnan(frame.values[0, 0])


def test_a_value_under_a_handle_that_nobody_asked_for_touches_no_column() -> None:
    frame, columns, _ = placed([ua.DataValue(ua.Variant(1.0, V.Double))], first=2)
    assert columns.stray == 1
    assert np.isnan(frame.values).all()
    assert columns.missing == {0, 1}
