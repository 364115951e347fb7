"""The context tables of a site as they are right now: fresh, or missing. An old value is never said.

Two ages are bounded. How long ago the gate itself last saw that a source says this: PERIODS_MAX of its looks, on the
gate's monotonic clock, and it is the time that a fact carries. And how old the row is that says it (its own `at`, else
the file's time): `newer_than`.
"""

import asyncio
import dataclasses
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from holdfast.clock import Clock
from holdfast.gate.context.live import Live
from holdfast.gate.context.rows import AHEAD_S_MAX, Flaw, Rows, read
from holdfast.gate.context.sources import SQL_TIMEOUT_S, Mark, Unread, csv_rows, mark, postgres_rows, sqlite_rows
from holdfast.link import ContextFact, ContextState, PlantContext, Slot
from holdfast.lots import Lot
from holdfast.site.context import SLOT_FIELDS
from holdfast.site.model import ContextTable, Site
from holdfast.terms import GOOD, SECOND_NS

PERIODS_MAX = 3  # of its looks: if nobody looked for so long, what was last seen is no longer said
READ_TIMEOUT_S = 3 * SQL_TIMEOUT_S  # of connecting, asking and reading
FACTS_TOLD_MAX = 5_000
LOTS_TOLD_MAX = 2_000  # the newest
SLOTS_TOLD_MAX = 200  # the next


@dataclasses.dataclass
class _Held:
    """What is known of one table. Times are monotonic ns, except `written_ns` (UTC: of the file, None for SQL)."""

    table: ContextTable
    due_ns: int
    rows: Rows | None = None
    confirmed_ns: int = 0
    written_ns: int | None = None
    seen: Mark | None = None
    flaws: tuple[Flaw, ...] = ()
    told: tuple[bool, tuple[Flaw, ...]] | None = None
    pending: "asyncio.Future[tuple[Mark | None, Rows] | None] | None" = None  # a reading that outlasted its time


class Context:
    """`folder` is the site file's, None where there is none: then only tags feed context."""

    def __init__(self, site: Site, live: Live, clock: Clock, folder: Path | None) -> None:
        self._live, self._clock, self._folder = live, clock, folder
        self._zone = _zone(site.timezone)
        self._states: Mapping[str, Mapping[int, str]] = {t.name: dict(t.states) for t in site.tags if t.states}
        now = clock.monotonic_ns()
        self._tags = tuple(t for t in site.context if t.source == "tag")
        self._held = {t.name: _Held(table=t, due_ns=now) for t in site.context if t.source != "tag"}

    # ---- reading -----------------------------------------------------------------------------------------------------

    def due(self) -> bool:
        now = self._clock.monotonic_ns()
        return any(held.due_ns <= now for held in self._held.values())

    async def refresh(self) -> None:
        """Look at every source that is due, all at once, each in a thread of its own. Never raises for a source."""
        now = self._clock.monotonic_ns()
        late = [held for held in self._held.values() if held.due_ns <= now]
        await asyncio.gather(*(self._look(held) for held in late))

    async def _look(self, held: _Held) -> None:
        """What can't be read now is missing from now on: what it said before is old."""
        now = self._clock.monotonic_ns()
        held.due_ns = now + round(held.table.every_s * SECOND_NS)
        late, held.pending = held.pending, None
        seen = held.seen if held.rows is not None else None
        reading = late or asyncio.get_running_loop().run_in_executor(None, self._read, held.table, seen)
        done, _ = await asyncio.wait([reading], timeout=READ_TIMEOUT_S)
        if not done:
            held.pending = reading  # no second thread beside one that hangs
            self._miss(held, Flaw(where=held.table.name, code="context.slow"))
            return
        try:
            found = reading.result()
        except Unread as unread:
            self._miss(held, unread.flaw)
            return
        if late is not None:  # it says what was true when it was begun, long ago
            self._miss(held, Flaw(where=held.table.name, code="context.slow"))
            return
        held.confirmed_ns = now  # from before the read, so that a slow source is not taken for a fresh one
        if found is not None:
            held.seen, held.rows = found
            held.flaws = held.rows.flaws
            held.written_ns = None if held.seen is None else held.seen.modified_ns

    @staticmethod
    def _miss(held: _Held, flaw: Flaw) -> None:
        held.rows, held.seen, held.flaws = None, None, (flaw,)

    def _read(self, table: ContextTable, seen: Mark | None) -> tuple[Mark | None, Rows] | None:
        """In a thread. None: the file looks as it did, so it says what it said. Raises Unread."""
        if self._folder is None:
            raise Unread(Flaw(where=table.name, code="context.no_folder"))
        now: Mark | None = None
        raw: Any
        shown = str(table.option("file", ""))
        match table.source:
            case "csv":
                if seen is not None and mark(self._folder / shown, shown) == seen:
                    return None
                now, raw = csv_rows(self._folder / shown, shown)
            case "sqlite":
                raw = sqlite_rows(self._folder / shown, shown, str(table.option("query")))
            case "postgres":
                raw = postgres_rows(table, self._folder)
            case "tag":
                raise AssertionError(table.name)
        return now, read(raw, table.kind, dict(table.columns), self._zone)

    # ---- saying ------------------------------------------------------------------------------------------------------

    def facts(self, now_ns: int, wanted: frozenset[str] | None = None) -> tuple[tuple[str, str | float | bool, int], ...]:
        """("kind:NAME", value, when the gate last saw it said, UTC ns): what is fresh now, of `wanted` or of everything.

        A name that two tables give is ambiguous and left out.
        """
        found: dict[str, tuple[str | float | bool, int]] = {}
        doubtful: set[str] = set()
        for name, value, at_ns in self._all(now_ns):
            if wanted is not None and name not in wanted:
                continue
            if name in found:
                doubtful.add(name)
            found[name] = (value, at_ns)
        return tuple((name, *said) for name, said in found.items() if name not in doubtful)

    def lots(self, now_ns: int) -> tuple[Lot, ...]:
        """Every lot that a fresh table tells of, oldest first."""
        found: dict[Lot, None] = {}
        for held in self._held.values():
            if held.table.kind == "lots" and (rows := self._usable(held)) is not None and "*" not in rows.poisoned:
                found.update((lot, None) for lot, at_ns in rows.lots if self._new(held, at_ns, now_ns))
        return tuple(sorted(found, key=lambda lot: (lot.from_ns, lot.lot)))

    def slots(self, now_ns: int) -> tuple[Slot, ...]:
        """What runs now and what is to come, in order. Of two schedules neither: nobody could tell which of them holds."""
        found = [
            rows.slots
            for held in self._held.values()
            if held.table.kind == "schedule" and (rows := self._usable(held)) is not None and "*" not in rows.poisoned
            if all(self._new(held, slot.at_ns, now_ns) for slot in rows.slots)
        ]
        return tuple(slot for slot in found[0] if slot.to_ns > now_ns) if len(found) == 1 else ()

    def told(self, now_ns: int) -> PlantContext:
        """For agents: facts, the newest lots, and how each table is. Names of files, never addresses."""
        return PlantContext(
            facts=tuple(ContextFact(name=name, value=value, at_ns=at) for name, value, at in self.facts(now_ns)[:FACTS_TOLD_MAX]),
            lots=self.lots(now_ns)[-LOTS_TOLD_MAX:],
            slots=self.slots(now_ns)[:SLOTS_TOLD_MAX],
            tables=tuple(self._state(held) for held in self._held.values()),
        )

    def news(self) -> Iterator[Mapping[str, Any]]:
        """Tables whose state or flaws have changed since the last call, for the record."""
        for held in self._held.values():
            usable = self._usable(held) is not None
            if (usable, held.flaws) != held.told and (held.told is not None or held.rows is not None or held.flaws):
                held.told = (usable, held.flaws)
                yield {"table": held.table.name, "usable": usable, "flaws": held.flaws}

    def _state(self, held: _Held) -> ContextState:
        flaws = tuple((flaw.where, flaw.code) for flaw in held.flaws)
        return ContextState(name=held.table.name, kind=held.table.kind, usable=self._usable(held) is not None, flaws=flaws)

    def _all(self, now_ns: int) -> Iterator[tuple[str, str | float | bool, int]]:
        for table in self._tags:
            yield from self._of_tag(table, now_ns)
        for held in self._held.values():
            rows = self._usable(held)
            if rows is None or "*" in rows.poisoned:
                continue
            at_ns = now_ns - (self._clock.monotonic_ns() - held.confirmed_ns)
            if held.table.kind == "schedule":
                for field, word in _words(self._running(held, rows.slots, now_ns)):
                    yield f"schedule:{field}", word, at_ns
            for row in rows.numbers:
                if self._new(held, row.at_ns, now_ns):
                    yield f"{held.table.kind}:{row.name}", row.value, at_ns

    def _of_tag(self, table: ContextTable, now_ns: int) -> Iterator[tuple[str, str | float | bool, int]]:
        reading = self._live.reading(str(table.option("tag")))
        name = f"{table.kind}:{table.option('as')}"
        bound_s = table.newer_than_s
        if reading is None or reading.status != GOOD or reading.age_s > bound_s or abs(reading.skew_s) > min(bound_s, AHEAD_S_MAX):
            return
        at_ns = now_ns - round(reading.age_s * SECOND_NS)
        if table.kind == "schedule":
            word = self._states.get(reading.tag, {}).get(int(reading.value)) if reading.value == int(reading.value) else None
            if word is not None:
                yield name, word, at_ns
            return
        value = reading.value
        if table.scale is not None:
            raw, eng = table.scale.raw, table.scale.eng
            value = eng[0] + (value - raw[0]) * (eng[1] - eng[0]) / (raw[1] - raw[0])
        yield name, value, at_ns

    def _usable(self, held: _Held) -> Rows | None:
        """The rows, while the source was seen to say them not too long ago."""
        bound_ns = round(PERIODS_MAX * held.table.every_s * SECOND_NS)
        return held.rows if self._clock.monotonic_ns() - held.confirmed_ns <= bound_ns else None

    def _new(self, held: _Held, at_ns: int | None, now_ns: int) -> bool:
        """Whether a row is new enough by its own time, else by its file's. One from the future is as good as none."""
        at_ns = held.written_ns if at_ns is None else at_ns
        if at_ns is None:
            return True  # an answer to a question just asked
        return -AHEAD_S_MAX * SECOND_NS <= now_ns - at_ns <= held.table.newer_than_s * SECOND_NS

    def _running(self, held: _Held, slots: Sequence[Slot], now_ns: int) -> Iterable[tuple[str, Slot]]:
        current = [s for s in slots if s.from_ns <= now_ns < s.to_ns]
        following = [s for s in slots if s.from_ns > now_ns]
        found = [("current", current[0])] if len(current) == 1 else []
        found += [("next", following[0])] if following else []
        return [(which, slot) for which, slot in found if self._new(held, slot.at_ns, now_ns)]


def _words(slots: Iterable[tuple[str, Slot]]) -> Iterator[tuple[str, str]]:
    for which, slot in slots:
        for field in SLOT_FIELDS:
            if word := getattr(slot, field):
                yield f"{which}.{field}", word


def _zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return UTC
