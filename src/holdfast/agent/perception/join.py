"""Frames of several tables become aligned rows of one detector's tags.

The table of the shortest period leads: each of its rows is a tick. At a tick every tag has the value of its table's
newest row received at or before it. A value is NaN where its status is Bad, or where its table's row is older than
`PERIODS_MAX` of that table's periods; Uncertain values count. Times are those of receipt, by one clock, so servers whose
clocks disagree still align.

A tick waits until every other table has come as far, or the leading one is `PERIODS_MAX` periods of the slowest table
past it: so rows depend on the frames alone, not on how they were cut or which table's frame came first. Only a row that
arrives after that wait comes too late for its tick.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import BAD, SECOND_NS, Frame, TagTable, Word

PERIODS_MAX = 3
PENDING_MAX = 8192  # rows of one table that wait; more: the oldest tick goes out with what is there


class Rows(Word, eq=False):
    """Aligned rows of a detector's tags."""

    at_ns: NDArray[np.int64]  # (rows,), UTC, rising
    values: NDArray[np.float64]  # (rows, tags), in each tag's unit, NaN where there is none


class _Source:
    """One table's rows that no tick has passed yet."""

    def __init__(self, table: TagTable, columns: Sequence[int], places: Sequence[int]) -> None:
        self.id = table.id
        self.columns, self.places = np.array(columns, dtype=np.intp), np.array(places, dtype=np.intp)
        self.old_ns = round(PERIODS_MAX * table.period_s * SECOND_NS)
        self.waiting: deque[tuple[int, NDArray[np.float64]]] = deque()  # bounded by PENDING_MAX in Join.push
        self.newest_ns = -1
        self.now: tuple[int, NDArray[np.float64]] | None = None  # newest row at or before the last tick

    def take(self, frame: Frame) -> int:
        """Queue a frame's rows; the number dropped because their time had passed already."""
        if frame.values.shape[1] <= int(self.columns.max()):
            raise ValueError(f"a frame of {self.id} has {frame.values.shape[1]} columns: it belongs to another configuration")
        bad = (frame.status[:, self.columns] & np.uint32(BAD)) != 0
        values = np.where(bad, np.nan, frame.values[:, self.columns])
        late = 0
        for row, at in enumerate(frame.received_ns.tolist()):
            if at <= self.newest_ns:
                late += 1
                continue
            self.newest_ns = at
            self.waiting.append((at, values[row]))
        return late

    def upto(self, tick_ns: int) -> NDArray[np.float64] | None:
        while self.waiting and self.waiting[0][0] <= tick_ns:
            self.now = self.waiting.popleft()
        if self.now is None or tick_ns - self.now[0] > self.old_ns:
            return None
        return self.now[1]


class Join:
    """`push` frames of any table in any order of tables; rows of one table must come in order of time."""

    def __init__(self, tables: Sequence[TagTable], tags: Sequence[str]) -> None:
        """Raises ValueError for a tag that no table has."""
        if len(set(tags)) != len(tags) or not tags:
            raise ValueError("a detector needs at least one tag, each named once")
        self.tags = tuple(tags)
        home = {tag.name: (table, column) for table in tables for column, tag in enumerate(table.tags)}
        missing = [tag for tag in tags if tag not in home]
        if missing:
            raise ValueError(f"no table carries {', '.join(missing)}: check the detector's tags against the site file")
        picked: dict[str, list[int]] = {}
        for place, tag in enumerate(tags):
            picked.setdefault(home[tag][0].id, []).append(place)
        used = sorted((table for table in tables if table.id in picked), key=lambda table: table.period_s)  # stable: site order breaks ties
        self._sources = {table.id: _Source(table, [home[tags[place]][1] for place in picked[table.id]], picked[table.id]) for table in used}
        self._lead = self._sources[used[0].id]
        self._others = tuple(self._sources[table.id] for table in used[1:])
        self._wait_ns = max(source.old_ns for source in self._sources.values())
        self.late = 0
        """Rows dropped because a newer one of the same table had come before: its clock went backwards."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose frames are wanted."""
        return tuple(self._sources)

    def push(self, frame: Frame) -> Rows:
        """The rows that are complete now, often none. A frame of a table that is not wanted is passed over."""
        source = self._sources.get(frame.table)
        if source is None or not frame.rows:
            return self._rows([], [])
        self.late += source.take(frame)
        at_ns: list[int] = []
        values: list[NDArray[np.float64]] = []
        lead = self._lead
        while lead.waiting:
            tick = lead.waiting[0][0]
            complete = all(other.newest_ns >= tick for other in self._others)
            if not (complete or lead.newest_ns - tick > self._wait_ns or len(lead.waiting) > PENDING_MAX):
                break
            row = np.full(len(self.tags), np.nan)
            for each in self._sources.values():
                have = each.upto(tick)
                if have is not None:
                    row[each.places] = have
            at_ns.append(tick)
            values.append(row)
        for other in self._others:
            while len(other.waiting) > PENDING_MAX:
                other.now = other.waiting.popleft()
        return self._rows(at_ns, values)

    def _rows(self, at_ns: list[int], values: list[NDArray[np.float64]]) -> Rows:
        stacked = np.array(values, dtype=np.float64).reshape(len(values), len(self.tags))
        return Rows(at_ns=np.array(at_ns, dtype=np.int64), values=stacked)
