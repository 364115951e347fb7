"""What a query answered, as one cell a tag: a column of the only row, or the row of a key. What is doubtful is Bad, never a guess."""

import math
import zoneinfo
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Literal

from holdfast.gate.connectors import registers
from holdfast.gate.connectors.polled import Polled
from holdfast.gate.connectors.row import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from holdfast.terms import BAD_DECODING_ERROR, BAD_NODE_ID_UNKNOWN, BAD_OUT_OF_SERVICE, GOOD, SECOND_NS, Tag, Word

Shape = Literal["columns", "rows"]
TimeUnit = Literal["", "s", "ms", "us", "ns"]
AHEAD_S_MAX = 10.0  # a row's own time may run ahead by as much as clocks differ
BAD_NO_DATA = 0x809B_0000
BAD_CONFIGURATION_ERROR = 0x8089_0000
_NAN = float("nan")
_UNIT_NS: Mapping[TimeUnit, int] = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}


class Unusable(Exception):
    """An answer of which nothing can be used; the text says what to change."""


class Answer(Word, eq=False):
    """What a query gave: names of the columns, and rows as the driver has them."""

    columns: tuple[str, ...]
    rows: tuple[Sequence[object], ...]


class Layout(Word):
    """How an answer is to be read. `time` empty: a row is as fresh as its asking."""

    shape: Shape
    key: str
    value: str
    time: str
    zone: tzinfo | None
    time_unit: TimeUnit
    newer_than_s: float


class Cell(Word, eq=False):
    """One tag's value as the driver has it, and its row's time: UTC ns, or None where it has none."""

    value: object
    at_ns: int | None
    status: int = GOOD  # of the row: whether its time can be read, and whether it is the only one


def zone_of(name: str) -> tzinfo | None:
    """The zone of times without an offset; None for no name. Raises ValueError for a name that is none."""
    if not name:
        return None
    if name.upper() == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'there is no time zone "{name}"; write one as Asia/Shanghai or UTC') from None


def cells(answer: Answer, layout: Layout) -> Mapping[str, Cell]:
    """By address. Raises Unusable."""
    missing = [c for c in (*_needed(layout), layout.time) if c and c not in answer.columns]
    if missing:
        raise Unusable(f"the query has no column {missing[0]!r}; it has {', '.join(answer.columns)}")
    return _of_row(answer, layout) if layout.shape == "columns" else _of_keys(answer, layout)


def said(tag: Tag, cell: Cell | None, layout: Layout, now_ns: int) -> Polled:
    """A tag's value, status and source time. `cell` None: the answer has no such column or key."""
    if cell is None:
        return _NAN, BAD_NODE_ID_UNKNOWN, now_ns
    at_ns = now_ns if cell.at_ns is None else cell.at_ns
    status = cell.status or _age(at_ns, layout, now_ns)
    if status:
        return _NAN, status, at_ns
    number = _number(tag, cell.value)
    if isinstance(number, int):
        return _NAN, number, at_ns
    value = registers.to_eng(tag.scale, number)
    return (value, GOOD, at_ns) if math.isfinite(value) else (_NAN, BAD_OUT_OF_RANGE, at_ns)


def _needed(layout: Layout) -> tuple[str, ...]:
    return (layout.key, layout.value) if layout.shape == "rows" else ()


def _of_row(answer: Answer, layout: Layout) -> Mapping[str, Cell]:
    if len(answer.rows) > 1:
        raise Unusable("the query gives more than one row, so which of them counts can't be said: let it give one, or write shape: rows")
    if not answer.rows:
        return {name: Cell(value=None, at_ns=None) for name in answer.columns}
    (row,) = answer.rows
    at_ns, status = _time(row[answer.columns.index(layout.time)], layout) if layout.time else (None, GOOD)
    found: dict[str, Cell] = {}
    for name, value in zip(answer.columns, row, strict=True):
        twice = name in found
        found[name] = Cell(value=value, at_ns=at_ns, status=BAD_CONFIGURATION_ERROR if twice else status)
    return found


def _of_keys(answer: Answer, layout: Layout) -> Mapping[str, Cell]:
    key, value = answer.columns.index(layout.key), answer.columns.index(layout.value)
    time = answer.columns.index(layout.time) if layout.time else None
    found: dict[str, Cell] = {}
    for row in answer.rows:
        if row[key] is None:
            continue  # it is about no tag
        at_ns, status = _time(row[time], layout) if time is not None else (None, GOOD)
        name, new = str(row[key]), Cell(value=row[value], at_ns=at_ns, status=status)
        found[name] = new if name not in found else _newer(found[name], new)
    return found


def _newer(one: Cell, other: Cell) -> Cell:
    """Of two rows of one key the later one, where that can be told."""
    if one.status or other.status:  # the row whose time can't be read may be the newest
        return one if one.status else other
    if one.at_ns is None or other.at_ns is None or one.at_ns == other.at_ns:
        return Cell(value=None, at_ns=one.at_ns, status=BAD_CONFIGURATION_ERROR)
    return one if one.at_ns > other.at_ns else other


def _age(at_ns: int, layout: Layout, now_ns: int) -> int:
    if not layout.time:
        return GOOD
    if now_ns - at_ns > layout.newer_than_s * SECOND_NS:
        return BAD_OUT_OF_SERVICE  # nobody writes these rows any more
    return BAD_OUT_OF_RANGE if at_ns - now_ns > AHEAD_S_MAX * SECOND_NS else GOOD


def _number(tag: Tag, value: object) -> float | int:
    """A float, or as int the status of what is none."""
    if value is None:
        return BAD_NO_DATA
    if isinstance(value, str) and tag.type == "state":
        return next((float(number) for number, name in tag.states if name == value), BAD_OUT_OF_RANGE)
    if not isinstance(value, bool | int | float | Decimal):
        return BAD_TYPE_MISMATCH  # text that looks like a number too: let the query CAST it
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return BAD_OUT_OF_RANGE
    return number if math.isfinite(number) else BAD_OUT_OF_RANGE


def _time(value: object, layout: Layout) -> tuple[int | None, int]:
    """(UTC ns, status). Raises Unusable where the site file does not say how times are meant."""
    at = value
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at.strip())
        except ValueError:
            return None, BAD_DECODING_ERROR
    at_ns: int | None = None
    if isinstance(at, datetime):
        at_ns = _dated(at, layout)
    elif isinstance(at, int | float | Decimal) and not isinstance(at, bool):
        if not layout.time_unit:
            raise Unusable(f"{layout.time} holds numbers ({at}): write time_unit: s, ms, us or ns, counted from 1970 in UTC")
        if math.isfinite(at):
            at_ns = round(at * _UNIT_NS[layout.time_unit])
    return (at_ns, GOOD) if at_ns is not None and 0 <= at_ns < 1 << 63 else (None, BAD_DECODING_ERROR)


def _dated(at: datetime, layout: Layout) -> int | None:
    if at.tzinfo is None:
        if layout.zone is None:
            raise Unusable(f"{layout.time} holds times without an offset ({at}): write timezone: Asia/Shanghai, or what they are in")
        at = at.replace(tzinfo=layout.zone)
        if at.utcoffset() != at.replace(fold=1).utcoffset():  # in the hour that a clock change skips or repeats
            return None
    return int(at.replace(microsecond=0).timestamp()) * SECOND_NS + at.microsecond * 1_000
