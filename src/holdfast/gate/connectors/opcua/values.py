"""OPC UA values as numbers and back: DataValue in, (value, status, source time) out, and a number in a node's own type."""

import datetime
import math
import struct
from typing import Any

from asyncua import ua

from holdfast.gate.connectors.row import BAD_TYPE_MISMATCH, is_bad
from holdfast.terms import GOOD, TagType

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)
_NS_MAX = 2**63 - 1_000
_INTEGERS: dict[ua.VariantType, tuple[int, int]] = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
}
_FLOATS = (ua.VariantType.Float, ua.VariantType.Double)

Notice = tuple[float, int, int]  # value (NaN where Bad), status, source time in UTC ns


def utc_ns(at: datetime.datetime | None) -> int | None:
    """UTC nanoseconds of what asyncua decodes: aware, or naive and meant as UTC.

    None also before 1677 and after 2262, which int64 nanoseconds can't hold: a server sends 1601 where it has no time and
    9999 for "never" (OPC 10000-6 §5.2.2.5).
    """
    if at is None:
        return None
    aware = at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)
    ns = (aware - _EPOCH) // _MICROSECOND * 1000
    return ns if -_NS_MAX < ns < _NS_MAX else None


def number(data: ua.DataValue, now_ns: int) -> Notice:
    """A scalar number or truth value; anything else is Bad (type mismatch). Missing times become `now_ns`."""
    status = data.StatusCode.value if data.StatusCode is not None else GOOD
    source_ns = utc_ns(data.SourceTimestamp) or utc_ns(data.ServerTimestamp) or now_ns
    if is_bad(status):
        return math.nan, status, source_ns
    value = data.Value.Value if data.Value is not None else None
    if isinstance(value, bool | int | float):
        return float(value), status, source_ns
    return math.nan, BAD_TYPE_MISMATCH, source_ns


def other(data: ua.DataValue) -> str | tuple[float, ...] | None:
    """Text, or a one-dimensional array of numbers; None for all else."""
    value: Any = data.Value.Value if data.Value is not None else None
    if isinstance(value, str):
        return value
    if isinstance(value, ua.LocalizedText):
        return value.Text or ""
    if isinstance(value, list) and all(isinstance(item, bool | int | float) for item in value):
        return tuple(float(item) for item in value)
    return None


def scalar_type(data: ua.DataValue) -> ua.VariantType | None:
    """The built-in type that the node's value has; None where it tells none or is no scalar number."""
    variant = data.Value
    if variant is None or variant.is_array or variant.Value is None:
        return None
    known = variant.VariantType
    return known if known is ua.VariantType.Boolean or known in _INTEGERS or known in _FLOATS else None


def tag_type(kind: ua.VariantType) -> TagType:
    return "bool" if kind is ua.VariantType.Boolean else "integer" if kind in _INTEGERS else "float"


def encode(kind: ua.VariantType, raw: float) -> ua.Variant:
    """A number in the node's own type, integers rounded. Raises ValueError outside its range; never clamps."""
    if not math.isfinite(raw):
        raise ValueError(f"{raw} can't be written")
    if kind is ua.VariantType.Boolean:
        if raw not in (0.0, 1.0):
            raise ValueError(f"{raw:g} is neither 0 nor 1")
        return ua.Variant(bool(raw), kind)
    if kind in _INTEGERS:
        low, high = _INTEGERS[kind]
        rounded = round(raw)
        if not low <= rounded <= high:
            raise ValueError(f"{raw:g} lies outside {kind.name} ({low} to {high})")
        return ua.Variant(rounded, kind)
    if kind is ua.VariantType.Float:
        try:
            return ua.Variant(struct.unpack("<f", struct.pack("<f", raw))[0], kind)
        except OverflowError:
            raise ValueError(f"{raw:g} lies outside Float") from None
    if kind is ua.VariantType.Double:
        return ua.Variant(float(raw), kind)
    raise ValueError(f"a {kind.name} can't be written")
