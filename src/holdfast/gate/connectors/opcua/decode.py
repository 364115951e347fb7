"""The scalar fast path: a publish answer's data changes straight from its bytes into arrays, what is unusual through asyncua.

asyncua makes five objects a value. Here neighbours of one layout (same parts present, same built-in type) are read as one numpy
array; single ones by `struct`; a text, an array or anything rarer alone goes through asyncua's decoder; and an answer that holds
more than data changes is given back undecoded. What comes out is what asyncua's decoder and `values` make of the same bytes.

Source: OPC 10000-6 §5.2.2 (NodeId, Variant, DataValue, DateTime), OPC 10000-4 §5.14.5 (Publish), §7.25 (NotificationData).
"""

import functools
import struct
from collections.abc import Sequence

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from numpy.typing import NDArray

from holdfast.gate.connectors.opcua import values
from holdfast.gate.connectors.row import is_bad
from holdfast.terms import Word

NO_TIME = np.int64(np.iinfo(np.int64).min)  # neither source nor server said when
_EPOCH_TICKS = 116_444_736_000_000_000  # 1601 to 1970 in 100 ns (Part 6 §5.2.2.5)
_TICKS_FIRST, _TICKS_END = 24_211_015_631_452_250, 208_678_456_368_547_750  # what int64 nanoseconds can hold: 1677 to 2262
_SCALARS: dict[int, str] = {1: "?", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4", 11: "<f8"}
_VALUE, _STATUS, _SOURCE, _SERVER, _SOURCE_PS, _SERVER_PS = 1, 2, 4, 8, 16, 32  # bits of a DataValue's mask
_PUBLISH = b"\x01\x00\x3d\x03"  # i=829, PublishResponse_Encoding_DefaultBinary
_CHANGES = b"\x01\x00\x2b\x03\x01"  # i=811, DataChangeNotification_Encoding_DefaultBinary, with a byte-string body
_RUN_MIN = 32  # a shorter run costs less value by value
_RUN_MAX = 4096  # items that one attempt looks at, so that a vain one stays cheap
_SINGLES = 64  # values read one by one before runs are looked for again

_HEAD = struct.Struct("<IBB").unpack_from
_RESPONSE = struct.Struct("<qIIBi").unpack_from  # timestamp, handle, service result, no diagnostics, string table
_MESSAGE = struct.Struct("<?Iqi").unpack_from  # more, sequence number, publish time, parts
_INT = struct.Struct("<i").unpack_from


class Changes(Word):
    """Values in the order in which they came; all arrays have shape (values,)."""

    handle: NDArray[np.int64]
    value: NDArray[np.float64]  # NaN where it is no number
    status: NDArray[np.uint32]
    source_ns: NDArray[np.int64]  # UTC, or NO_TIME
    kind: NDArray[np.uint8]  # VariantType of a scalar number, 0 otherwise


class Answer(Word):
    """What a publish answer brought. `sequence` counts only where it has data; a keep-alive has none."""

    subscription: int
    sequence: int
    server_ns: int | None  # the server's clock
    changes: tuple[Changes, ...]
    ended: str = ""  # the server's reason, where it ended the subscription
    data: bool = True
    events: tuple[ua.EventFieldList, ...] = ()


_Row = tuple[int, float, int, int, int]  # handle, value, status, source_ns, kind


def answer(data: bytes) -> Answer | None:
    """None where there is more in it than data changes: asyncua's decoder is to read it all."""
    try:
        return _answer(data)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, asyncua's decoder says so
        return None


def decoded(result: ua.PublishResult) -> Answer:
    """The same, of what asyncua decoded."""
    message = result.NotificationMessage
    found: list[Changes] = []
    events: list[ua.EventFieldList] = []
    ended = ""
    for part in message.NotificationData or []:
        if isinstance(part, ua.DataChangeNotification):
            found.append(_of_rows([_row(item.ClientHandle, item.Value) for item in part.MonitoredItems]))
        elif isinstance(part, ua.EventNotificationList):
            events += part.Events
        elif isinstance(part, ua.StatusChangeNotification):
            ended = f"the server ended the subscription ({part.Status.name})"
    return Answer(
        subscription=result.SubscriptionId,
        sequence=message.SequenceNumber,
        server_ns=values.utc_ns(message.PublishTime),
        changes=tuple(found),
        ended=ended,
        data=bool(message.NotificationData),
        events=tuple(events),
    )


def _answer(data: bytes) -> Answer | None:
    if data[:4] != _PUBLISH:
        return None
    _, _, service_result, diagnostics, strings = _RESPONSE(data, 4)
    if service_result or diagnostics or strings > 0 or data[25:28] != b"\x00\x00\x00":
        return None
    subscription, available = struct.unpack_from("<Ii", data, 28)
    at = 36 + 4 * max(available, 0)
    _, sequence, published, parts = _MESSAGE(data, at)
    at += 17
    found: list[Changes] = []
    for _ in range(parts):
        if data[at : at + 5] != _CHANGES:
            return None
        (length,) = _INT(data, at + 5)
        end = at + 9 + length
        if length < 8 or end > len(data):
            return None
        at = _part(data, at + 9, end, found)
        if at != end - 4 or _INT(data, at)[0] > 0:
            return None
        at = end
    (results,) = _INT(data, at)
    at += 4 + 4 * max(results, 0)
    if _INT(data, at)[0] > 0 or at + 4 != len(data):
        return None
    # Some servers send none (0, which is 1601).
    server_ns = (published // 10 * 10 - _EPOCH_TICKS) * 100 if _TICKS_FIRST <= published < _TICKS_END else None
    return Answer(subscription=subscription, sequence=sequence, server_ns=server_ns, changes=tuple(found), data=parts > 0)


def _part(data: bytes, at: int, end: int, found: list[Changes]) -> int:
    """One DataChangeNotification's items; where they end."""
    (left,) = _INT(data, at)
    at += 4
    singles: list[_Row] = []
    single = 0  # values still to be read one by one
    while left > 0:
        layout = _layout(data[at + 4], data[at + 5]) if not single and left >= _RUN_MIN else None
        if layout is not None:
            run = _run(data, at, min(left, _RUN_MAX, (end - at) // layout.itemsize), layout)
            if run >= _RUN_MIN:
                items = np.frombuffer(data, layout, run, at)
                if _times_are_plain(items):
                    if singles:
                        found.append(_of_rows(singles))
                        singles = []
                    found.append(_of_run(items))
                    at += run * layout.itemsize
                    left -= run
                    continue
        if not single:
            single = _SINGLES
        row, at = _single(data, at, end)
        singles.append(row)
        single -= 1
        left -= 1
    if singles:
        found.append(_of_rows(singles))
    return at


@functools.lru_cache(maxsize=256)
def _layout(mask: int, kind: int) -> np.dtype[np.void] | None:
    """How a notification of this mask and built-in type lies in the bytes; None where it may have any length."""
    if mask & ~0x3F or not mask & _VALUE or kind not in _SCALARS:
        return None
    parts = [("handle", "<u4"), ("mask", "u1"), ("kind", "u1"), ("value", "u1" if kind == 1 else _SCALARS[kind])]
    for bit, name, form in (
        (_STATUS, "status", "<u4"),
        (_SOURCE, "source", "<i8"),
        (_SOURCE_PS, "source_ps", "<u2"),
        (_SERVER, "server", "<i8"),
        (_SERVER_PS, "server_ps", "<u2"),
    ):
        if mask & bit:
            parts.append((name, form))
    return np.dtype(parts)


def _run(data: bytes, at: int, most: int, layout: np.dtype[np.void]) -> int:
    """How many neighbours from here on are of the first one's layout."""
    if most < _RUN_MIN:
        return 0
    for try_ in (_RUN_MIN, most):
        heads = np.frombuffer(data, layout, try_, at)
        other = (heads["mask"] != data[at + 4]) | (heads["kind"] != data[at + 5])
        if other.any():
            return int(other.argmax())
    return most


def _times_are_plain(items: NDArray[np.void]) -> bool:
    names = items.dtype.names or ()
    return all(bool(((items[n] >= _TICKS_FIRST) & (items[n] < _TICKS_END)).all()) for n in ("source", "server") if n in names)


def _of_run(items: NDArray[np.void]) -> Changes:
    names = items.dtype.names or ()
    kind = int(items["kind"][0])
    status = items["status"].astype(np.uint32) if "status" in names else np.zeros(len(items), np.uint32)
    raw = items["value"]
    value = (raw != 0).astype(np.float64) if kind == 1 else raw.astype(np.float64)
    if "status" in names:
        value[status >= 0x8000_0000] = np.nan
    times = "source" if "source" in names else "server" if "server" in names else ""
    source_ns = (items[times] // 10 * 10 - _EPOCH_TICKS) * 100 if times else np.full(len(items), NO_TIME)
    if times == "source" and "server" in names and not source_ns.all():  # 1970 itself: as `values.number` has it
        source_ns = np.where(source_ns == 0, (items["server"] // 10 * 10 - _EPOCH_TICKS) * 100, source_ns)
    source_ns[source_ns == 0] = NO_TIME
    return Changes(
        handle=items["handle"].astype(np.int64), value=value, status=status, source_ns=source_ns, kind=np.full(len(items), kind, np.uint8)
    )


def _single(data: bytes, at: int, end: int) -> tuple[_Row, int]:
    _, mask, kind = _HEAD(data, at)
    layout = _layout(mask, kind)
    if layout is not None and at + layout.itemsize <= end:
        row = _unpacked(data, at, mask, kind)
        if row is not None:
            return row, at + layout.itemsize
    buffer = Buffer(data, at, end - at)
    item = struct_from_binary(ua.MonitoredItemNotification, buffer)
    return _row(item.ClientHandle, item.Value), buffer.cur_pos


@functools.lru_cache(maxsize=256)
def _format(mask: int, kind: int) -> struct.Struct:
    code = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}[kind]
    parts = ((_STATUS, "I"), (_SOURCE, "q"), (_SOURCE_PS, "H"), (_SERVER, "q"), (_SERVER_PS, "H"))
    return struct.Struct("<IBB" + code + "".join(form for bit, form in parts if mask & bit))


def _unpacked(data: bytes, at: int, mask: int, kind: int) -> _Row | None:
    """None where a time is one that needs asyncua's judgement."""
    parts = _format(mask, kind).unpack_from(data, at)
    value = float(parts[3])
    status, source_ns, next_ = 0, 0, 4
    if mask & _STATUS:
        status = parts[4]
        next_ = 5
        if is_bad(status):
            value = float("nan")
    for bit, skipped in ((_SOURCE, _SOURCE_PS), (_SERVER, _SERVER_PS)):
        if mask & bit:
            ticks = parts[next_]
            if not _TICKS_FIRST <= ticks < _TICKS_END:
                return None
            source_ns = source_ns or (ticks // 10 * 10 - _EPOCH_TICKS) * 100
            next_ += 1
        next_ += bool(mask & skipped)
    return parts[0], value, status, source_ns or int(NO_TIME), kind


def _row(handle: int, data: ua.DataValue) -> _Row:
    value, status, source_ns = values.number(data, int(NO_TIME))
    kind = values.scalar_type(data)
    return handle, value, status, source_ns, kind.value if kind is not None else 0


def _of_rows(rows: Sequence[_Row]) -> Changes:
    handle, value, status, source_ns, kind = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Changes(
        handle=np.array(handle, np.int64),
        value=np.array(value, np.float64),
        status=np.array(status, np.uint32),
        source_ns=np.array(source_ns, np.int64),
        kind=np.array(kind, np.uint8),
    )
