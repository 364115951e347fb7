"""Sparkplug B's payload: the protobuf message of metrics, read by hand, and the message of one metric, written.

Source: Sparkplug 3.0 §6.4 (payload) and the file sparkplug_b.proto (field numbers); protobuf's encoding guide (wire types).
"""

import math
import struct
from typing import Any

from holdfast.gate.connectors.row import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from holdfast.terms import BAD, BAD_DECODING_ERROR, GOOD, TagType, Word

UNCERTAIN_LAST_USABLE = 0x4090_0000
BOOLEAN, FLOAT, DOUBLE = 11, 9, 10
# Datatypes (§6.4.16): bits and whether signed.
_INTEGERS = {
    1: (8, True), 2: (16, True), 3: (32, True), 4: (64, True),
    5: (8, False), 6: (16, False), 7: (32, False), 8: (64, False), 13: (64, False),
}  # fmt: skip
_QUALITIES = {192: GOOD, 0: BAD, 500: UNCERTAIN_LAST_USABLE}  # the property "Quality" (§6.4.14)
METRICS_MAX = 100_000  # of one message
PROPERTIES_MAX = 256  # of one metric
_INT, _LONG, _FLOAT, _DOUBLE, _BOOL = 10, 11, 12, 13, 14  # field numbers of a metric's value; a property's are seven less
_Field = tuple[int, int | bytes]


class Metric(Word):
    """`raw` is what the wire has, (field number, content), None without a value; `number` makes a value of it."""

    name: str = ""
    alias: int | None = None
    time_ms: int | None = None
    datatype: int = 0
    historical: bool = False
    null: bool = False
    raw: tuple[int, int | bytes] | None = None
    properties: tuple[tuple[str, float | str], ...] = ()


class Payload(Word):
    time_ms: int | None = None
    seq: int | None = None
    metrics: tuple[Metric, ...] = ()


def decode(data: bytes) -> Payload:
    """Raises ValueError for what is no Sparkplug payload."""
    time_ms: int | None = None
    seq: int | None = None
    metrics: list[Metric] = []
    for number, content in _fields(data):
        if number == 1 and isinstance(content, int):
            time_ms = content
        elif number == 3 and isinstance(content, int):
            seq = content
        elif number == 2 and isinstance(content, bytes):
            if len(metrics) >= METRICS_MAX:
                raise ValueError(f"more than {METRICS_MAX} metrics in one message")
            metrics.append(_metric(content))
    return Payload(time_ms=time_ms, seq=seq, metrics=tuple(metrics))


def number(metric: Metric, datatype: int) -> tuple[float, int]:
    """(value, status) of a metric whose birth said `datatype`. Integers come unsigned: here they get their sign."""
    if metric.null or metric.raw is None:
        return math.nan, BAD
    field, content = metric.raw
    value: float | None = None
    if datatype in _INTEGERS and field in (_INT, _LONG) and isinstance(content, int):
        value = _integer(content, datatype)
    elif datatype == FLOAT and field == _FLOAT and isinstance(content, bytes):
        value = struct.unpack("<f", content)[0]
    elif datatype == DOUBLE and field == _DOUBLE and isinstance(content, bytes):
        value = struct.unpack("<d", content)[0]
    elif datatype == BOOLEAN and field == _BOOL and isinstance(content, int):
        value = float(content != 0)
    elif datatype not in _INTEGERS and datatype not in (FLOAT, DOUBLE, BOOLEAN):
        return math.nan, BAD_TYPE_MISMATCH
    if value is None:
        return math.nan, BAD_DECODING_ERROR
    if not math.isfinite(value):
        return math.nan, BAD_OUT_OF_RANGE
    status = _quality(metric)
    return (math.nan if status == BAD else value), status


def tag_type(datatype: int) -> TagType | None:
    """None for what is no number."""
    if datatype == BOOLEAN:
        return "bool"
    if datatype in (FLOAT, DOUBLE):
        return "float"
    return "integer" if datatype in _INTEGERS else None


def wire_value(datatype: int, raw: float) -> float:
    """What a device of this datatype would get. Raises ValueError where it does not fit."""
    if not math.isfinite(raw):
        raise ValueError(f"{raw} can't be written")
    if datatype == DOUBLE:
        return raw
    if datatype == FLOAT:
        try:
            return struct.unpack("<f", struct.pack("<f", raw))[0]
        except OverflowError:
            raise ValueError(f"{raw:g} does not fit a 32-bit float") from None
    if datatype == BOOLEAN:
        if raw not in (0.0, 1.0):
            raise ValueError(f"{raw:g} is neither 0 nor 1")
        return raw
    if datatype not in _INTEGERS or datatype == 13:
        raise ValueError(f"Sparkplug datatype {datatype} can't be written as a number")
    bits, signed = _INTEGERS[datatype]
    whole = round(raw)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= whole <= high or abs(whole) > 1 << 53:
        raise ValueError(f"{raw:g} does not fit {bits} bits, {'signed' if signed else 'unsigned'}")
    return float(whole)


def command(*, name: str, alias: int | None, datatype: int, raw: float, field: int, time_ms: int) -> bytes:
    """An NCMD or DCMD of one metric. With an alias the name is left out (§6.4.6). `field`: where the birth had its value.

    Raises ValueError as `wire_value`.
    """
    value = wire_value(datatype, raw)
    metric = _field(1, name.encode()) if alias is None else _field(2, alias)
    metric += _field(3, time_ms) + _field(4, datatype)
    if datatype == FLOAT:
        metric += bytes((_FLOAT << 3 | 5,)) + struct.pack("<f", value)
    elif datatype == DOUBLE:
        metric += bytes((_DOUBLE << 3 | 1,)) + struct.pack("<d", value)
    elif datatype == BOOLEAN:
        metric += _field(_BOOL, int(value))
    else:
        wide = field == _LONG or _INTEGERS[datatype][0] == 64
        metric += _field(_LONG if wide else _INT, int(value) & ((1 << (64 if wide else 32)) - 1))
    return _field(1, time_ms) + _field(2, metric)


def value_field(metric: Metric, datatype: int) -> int:
    """Where this device's encoder puts the metric's value; the specification leaves room with UInt32."""
    if metric.raw is not None and metric.raw[0] in (_INT, _LONG):
        return metric.raw[0]
    return _LONG if _INTEGERS.get(datatype, (0, False))[0] == 64 or datatype == 7 else _INT


def _integer(content: int, datatype: int) -> float | None:
    bits, signed = _INTEGERS[datatype]
    if signed:
        # Two's complement in as many bits as the sender's field has: 8 or 16, as a rule 32, some write all 64.
        for width in (bits, 32, 64):
            if content < 1 << width:
                content -= (content >> width - 1) << width
                break
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return float(content) if low <= content <= high else None


def _quality(metric: Metric) -> int:
    for name, value in metric.properties:
        if name == "Quality":
            return _QUALITIES.get(int(value), BAD) if isinstance(value, float) else BAD
    return GOOD


def _metric(data: bytes) -> Metric:
    found: dict[str, Any] = {}
    for number_, content in _fields(data):
        if isinstance(content, int):
            if number_ == 2:
                found["alias"] = content
            elif number_ == 3:
                found["time_ms"] = content
            elif number_ == 4:
                found["datatype"] = content
            elif number_ == 5:
                found["historical"] = content != 0
            elif number_ == 7:
                found["null"] = content != 0
            elif number_ in (_INT, _LONG, _BOOL):
                found["raw"] = (number_, content)
        elif number_ == 1:
            found["name"] = content.decode()
        elif number_ == 9:
            found["properties"] = _properties(content)
        elif number_ in (_FLOAT, _DOUBLE):
            if len(content) != (4 if number_ == _FLOAT else 8):
                raise ValueError("a float of another length")
            found["raw"] = (number_, content)
        elif 15 <= number_ <= 19:
            found["raw"] = (number_, b"")  # text, bytes, data sets, templates: no numbers
    return Metric(**found)


def _properties(data: bytes) -> tuple[tuple[str, float | str], ...]:
    """Keys and values are two lists of one length (§6.4.13); values that are neither number nor text are left out."""
    keys: list[str] = []
    values: list[float | str | None] = []
    for number_, content in _fields(data):
        if not isinstance(content, bytes):
            continue
        if number_ == 1:
            keys.append(content.decode())
        elif number_ == 2:
            values.append(_property(content))
        if len(keys) > PROPERTIES_MAX or len(values) > PROPERTIES_MAX:
            raise ValueError(f"more than {PROPERTIES_MAX} properties of one metric")
    return tuple([(key, value) for key, value in zip(keys, values, strict=False) if value is not None])


def _property(data: bytes) -> float | str | None:
    datatype, raw = 0, None
    for number_, content in _fields(data):
        if number_ == 1 and isinstance(content, int):
            datatype = content
        elif number_ == 8 and isinstance(content, bytes):
            return content.decode()
        elif 3 <= number_ <= 7:
            raw = (number_ + 7, content)
    if raw is None or (raw[0] in (_FLOAT, _DOUBLE) and not (isinstance(raw[1], bytes) and len(raw[1]) == (4 if raw[0] == _FLOAT else 8))):
        return None
    value, status = number(Metric(raw=raw), datatype)
    return value if status == GOOD else None


def _fields(data: bytes) -> list[_Field]:
    """(field number, varint or bytes) of one protobuf message, in order. Raises ValueError."""
    found: list[_Field] = []
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number_, wire = key >> 3, key & 7
        if wire == 0:
            content, at = _varint(data, at)
            found.append((number_, content))
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"protobuf wire type {wire}")
        if length > end - at or not number_:
            raise ValueError("cut short")
        found.append((number_, data[at : at + length]))
        at += length
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value >> 64:
                raise ValueError("a number of more than 64 bits")
            return value, at
        shift += 7
    raise ValueError("cut short")


def _field(number_: int, content: int | bytes) -> bytes:
    if isinstance(content, int):
        return _number(number_ << 3) + _number(content)
    return _number(number_ << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)
