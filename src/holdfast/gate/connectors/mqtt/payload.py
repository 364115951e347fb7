"""Payloads of plain topics: a number as text, or JSON with a path to it; and the same way back for a command."""

import json
import math
import re
from datetime import datetime
from typing import Any, Literal, NoReturn

from holdfast.gate.connectors.mqtt.addresses import Path
from holdfast.gate.connectors.row import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from holdfast.terms import BAD_DECODING_ERROR, GOOD, SECOND_NS

TimeUnit = Literal["s", "ms", "us", "ns", "iso"]
BAD_NO_DATA = 0x809B_0000
_NS: dict[TimeUnit, int] = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
_TIMES_NS = range(2**63)
_NUMBER = re.compile(rb"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?\s*")
_NUMBER_BYTES_MAX = 64
_WORDS = {b"true": 1.0, b"false": 0.0}
_NOTHING = object()
Value = tuple[float, int]  # NaN where Bad; status


def number(payload: bytes) -> Value:
    """Decimal text, `true` or `false`; anything else is Bad."""
    if len(payload) <= _NUMBER_BYTES_MAX:
        if _NUMBER.fullmatch(payload):
            return _finite(float(payload))
        word = _WORDS.get(payload.strip().lower())
        if word is not None:
            return word, GOOD
    return math.nan, BAD_DECODING_ERROR


def document(payload: bytes) -> Any:
    """The JSON of a payload. Raises ValueError; NaN and infinities are no JSON."""
    try:
        return json.loads(payload, parse_constant=_no)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def at(found: Any, path: Path) -> Value:
    """The number at a path; truth values are 1 and 0."""
    found = _walk(found, path)
    if found is _NOTHING:
        return math.nan, BAD_NO_DATA
    if type(found) not in (int, float, bool):
        return math.nan, BAD_TYPE_MISMATCH
    try:
        return _finite(float(found))
    except OverflowError:
        return math.nan, BAD_OUT_OF_RANGE


def time_ns(found: Any, path: Path, unit: TimeUnit) -> int:
    """The source time at a path, UTC ns. Raises ValueError where there is none; text has to say its offset from UTC."""
    found = _walk(found, path)
    try:
        if unit == "iso" and type(found) is str:
            moment = datetime.fromisoformat(found)
            if moment.tzinfo is not None:
                return _time(round(moment.timestamp() * 1e6) * 1_000)
        elif unit != "iso" and type(found) in (int, float):
            return _time(found * _NS[unit] if type(found) is int else round(found * _NS[unit]))
    except OverflowError:
        pass
    raise ValueError("no source time where the connection says that there is one")


def encode(value: float, path: tuple[str, ...], *, kind: str) -> bytes:
    """A command: the number as the shortest text that is read back as the same, in JSON inside the names of `path`.

    A truth value is 1 or 0 as a whole payload, `true` or `false` in JSON.
    """
    plain: Any = int(value) if kind != "float" else value
    if not path:
        return repr(plain).encode()
    if kind == "bool":
        plain = bool(value)
    for name in reversed(path):
        plain = {name: plain}
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _walk(found: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, str):
            if not isinstance(found, dict) or step not in found:
                return _NOTHING
            found = found[step]
        else:
            if not isinstance(found, list) or step >= len(found):
                return _NOTHING
            found = found[step]
    return found


def _finite(value: float) -> Value:
    return (value, GOOD) if math.isfinite(value) else (math.nan, BAD_OUT_OF_RANGE)


def _time(at_ns: int) -> int:
    if at_ns not in _TIMES_NS:
        raise OverflowError
    return at_ns


def _no(_constant: str) -> NoReturn:
    raise ValueError("NaN and infinities are no JSON")
