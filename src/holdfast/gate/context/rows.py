"""Rows as they were written become typed rows; what can't be read is named with its place and never guessed.

A row that is bad takes with it what it may have been about: its name, where that can be read; else the whole table, since
what it hid could be the very thing that is asked for. A bad slot of a schedule, or a bad lot, takes the whole table.
"""

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from holdfast.link import Slot
from holdfast.lots import Lot
from holdfast.site.context import COLUMNS, SLOT_FIELDS
from holdfast.site.model import ContextKind
from holdfast.terms import SECOND_NS, Word

TEXT_MAX = 200  # characters of a name or a schedule's word
NUMBER_MAX = 1e15  # as the guard believes it
FLAWS_MAX = 20  # told; more are counted
PARENTS_MAX = 64
AHEAD_S_MAX = 10.0  # a row's own time may run ahead by as much as clocks differ
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}:.*))?")
_MANY = re.compile(r"[;|、\s]+")


class Flaw(Word):
    """What is wrong and where ("plan.csv:3"); `code` is told in people's words by language.say."""

    where: str
    code: str
    facts: tuple[tuple[str, str], ...] = ()


class Named(Word):
    """A number under a name, and the row's own time where it has one."""

    name: str
    value: float
    at_ns: int | None = None


class Rows(Word):
    """What one reading of a source gave. `poisoned`: names that a bad or doubtful row was about; "*" for all."""

    numbers: tuple[Named, ...] = ()
    slots: tuple[Slot, ...] = ()
    lots: tuple[tuple[Lot, int | None], ...] = ()  # (lot, the row's own time)
    poisoned: frozenset[str] = frozenset()
    flaws: tuple[Flaw, ...] = ()


class _Bad(Exception):
    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code = code
        self.facts = tuple((name, fact[:TEXT_MAX]) for name, fact in facts.items())


Raw = Iterable[tuple[str, Mapping[str, Any]]]  # (where, cells by the source's column)


def read(raw: Raw, kind: ContextKind, columns: Mapping[str, str], zone: tzinfo) -> Rows:
    """Typed rows. `columns` are the source's names by ours, where they differ; times without an offset are in `zone`."""
    reader = _Reader(kind, columns, zone)
    for where, cells in raw:
        reader.take(where, cells)
    return reader.rows()


class _Reader:
    def __init__(self, kind: ContextKind, columns: Mapping[str, str], zone: tzinfo) -> None:
        self._kind, self._zone = kind, zone
        self._theirs = {ours: columns.get(ours, ours) for ours in (*COLUMNS[kind][0], *COLUMNS[kind][1])}
        self._numbers: dict[str, Named] = {}
        self._slots: list[Slot] = []
        self._lots: list[tuple[Lot, int | None]] = []
        self._poisoned: set[str] = set()
        self._flaws: list[Flaw] = []

    def take(self, where: str, cells: Mapping[str, Any]) -> None:
        try:
            for ours in COLUMNS[self._kind][0]:
                if self._theirs[ours] not in cells:
                    raise _Bad("context.column", column=self._theirs[ours])
            match self._kind:
                case "health" | "inventory":
                    self._number(where, cells)
                case "schedule":
                    self._slots.append(self._slot(cells))
                case _:
                    self._lots.append(self._lot(cells))
        except _Bad as bad:
            self._flaw(where, bad)
            self._poisoned.add(self._named(cells) if self._kind in ("health", "inventory") else "*")

    def rows(self) -> Rows:
        self._no_overlap()
        return Rows(
            numbers=tuple(n for n in self._numbers.values() if n.name not in self._poisoned),
            slots=tuple(sorted(self._slots, key=lambda s: s.from_ns)),
            lots=tuple(self._lots),
            poisoned=frozenset(self._poisoned),
            flaws=tuple(self._flaws),
        )

    def _number(self, where: str, cells: Mapping[str, Any]) -> None:
        name = self._text(cells, "name", needed=True)
        row = Named(name=name, value=self._float(cells, "value"), at_ns=self._time(cells, "at"))
        other = self._numbers.get(name)
        if other is None or (row.at_ns is not None and other.at_ns is not None and row.at_ns > other.at_ns):
            self._numbers[name] = row
        elif row.at_ns is None or other.at_ns is None or row.at_ns == other.at_ns:
            self._flaw(where, _Bad("context.twice", name=name))
            self._poisoned.add(name)

    def _slot(self, cells: Mapping[str, Any]) -> Slot:
        start, end = self._time(cells, "from", needed=True), self._time(cells, "to", needed=True)
        assert start is not None and end is not None  # noqa: S101, PT018  both are needed
        if not start < end:
            raise _Bad("context.span", low=str(cells[self._theirs["from"]]), high=str(cells[self._theirs["to"]]))
        words = {field: self._text(cells, field, needed=field == "kind") for field in SLOT_FIELDS}
        return Slot(from_ns=start, to_ns=end, at_ns=self._time(cells, "at"), **words)

    def _lot(self, cells: Mapping[str, Any]) -> tuple[Lot, int | None]:
        start, end = self._time(cells, "from", needed=True), self._time(cells, "to")
        assert start is not None  # noqa: S101  it is needed
        if end is not None and end < start:
            raise _Bad("context.span", low=str(cells[self._theirs["from"]]), high=str(cells[self._theirs["to"]]))
        parents = tuple(dict.fromkeys(p for p in _MANY.split(self._text(cells, "parents")) if p))
        if len(parents) > PARENTS_MAX:
            raise _Bad("context.parents", count=str(len(parents)), max=str(PARENTS_MAX))
        lot = Lot(
            lot=self._text(cells, "lot", needed=True),
            material=self._text(cells, "material"),
            supplier=self._text(cells, "supplier"),
            supplier_lot=self._text(cells, "supplier_lot"),
            parents=parents,
            from_ns=start,
            to_ns=end,
        )
        return lot, self._time(cells, "at")

    def _no_overlap(self) -> None:
        """Two slots at one time: which of them is current can't be said."""
        ordered = sorted(self._slots, key=lambda s: s.from_ns)
        for earlier, later in itertools.pairwise(ordered):
            if later.from_ns < earlier.to_ns:
                self._flaw("", _Bad("context.overlap", one=earlier.kind, other=later.kind))
                self._poisoned.add("*")
                return

    # ---- cells -------------------------------------------------------------------------------------------------------

    def _named(self, cells: Mapping[str, Any]) -> str:
        try:
            return self._text(cells, "name", needed=True)
        except _Bad:
            return "*"

    def _text(self, cells: Mapping[str, Any], ours: str, *, needed: bool = False) -> str:
        value = cells.get(self._theirs[ours])
        text = "" if value is None else str(value).strip()
        if (needed and not text) or len(text) > TEXT_MAX or any(ord(c) < 32 for c in text):
            raise _Bad("context.text", column=self._theirs[ours])
        return text

    def _float(self, cells: Mapping[str, Any], ours: str) -> float:
        value = cells[self._theirs[ours]]
        try:
            number = math.nan if isinstance(value, bool) or value is None else float(value)
        except (ValueError, TypeError, OverflowError):
            number = math.nan
        if not abs(number) <= NUMBER_MAX:
            raise _Bad("context.number", column=self._theirs[ours], value=str(value))
        return number

    def _time(self, cells: Mapping[str, Any], ours: str, *, needed: bool = False) -> int | None:
        """UTC ns; None for an empty cell that may be empty."""
        value = cells.get(self._theirs[ours])
        text = "" if value is None else str(value).strip()
        if not text:
            # A declared time that is empty makes its row undatable; only an end may be open.
            if needed or (ours == "at" and self._theirs["at"] in cells):
                raise _Bad("context.time", column=self._theirs[ours], value="")
            return None
        at = value if isinstance(value, datetime) else self._dated(text, self._theirs[ours])
        if at.tzinfo is None:
            placed = at.replace(tzinfo=self._zone)
            if placed.utcoffset() != placed.replace(fold=1).utcoffset():  # in the hour that a clock change skips or repeats
                raise _Bad("context.time.twice", column=self._theirs[ours], value=text)
            at = placed
        seconds = int(at.replace(microsecond=0).timestamp())
        return seconds * SECOND_NS + at.microsecond * 1000

    @staticmethod
    def _dated(text: str, column: str) -> datetime:
        """ISO 8601, or as a spreadsheet writes it: 2026/3/1 8:05."""
        match = _DATE.fullmatch(text)
        try:
            if match is None:
                return datetime.fromisoformat(text)
            year, month, day, rest = match.groups()
            clock = rest or "00:00"
            clock = clock if clock[1] != ":" else "0" + clock
            return datetime.fromisoformat(f"{year}-{int(month):02d}-{int(day):02d}T{clock.replace(' +', '+')}")
        except ValueError:
            raise _Bad("context.time", column=column, value=text) from None

    def _flaw(self, where: str, bad: _Bad) -> None:
        if len(self._flaws) < FLAWS_MAX:
            self._flaws.append(Flaw(where=where, code=bad.code, facts=bad.facts))
