"""Frames come in: the newest values, the ring that agents read, and history on the disk."""

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Iterable, Mapping

from holdfast.gate.actuation.contacts import Contacts
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.context.live import Live
from holdfast.gate.history.ring import Ring
from holdfast.gate.history.store import History, HistoryError
from holdfast.terms import SECOND_NS, Frame, TagTable

HISTORY_ROWS_MAX = 86_400
READS_AT_ONCE = 2  # each in a thread, with what it found in memory
BREATH_S = 0.001  # between two columns that are sealed: whoever else has something to do does it first


class Intake:
    """A frame's rows get the gate's own sequence numbers here."""

    def __init__(self, *, tables: Mapping[str, TagTable], live: Live, history: History, debts: Debts, contacts: Contacts) -> None:
        self.tables = tables
        self.live = live
        self.rings = {table.id: Ring(table.id, len(table.tags)) for table in tables.values()}
        self.store = history
        self.keep_every = 1  # frames: at once, unless somebody calls keep_beside
        self._debts = debts
        self._unsealed = False
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._contacts = contacts
        self._unkept: deque[Frame] = deque()  # at most keep_every, which bounds it
        self._place = {tag.name: (table.id, i) for table in tables.values() for i, tag in enumerate(table.tags)}
        for ring in self.rings.values():
            ring.next_seq = history.next_seq(ring.table)

    def take(self, frame: Frame) -> Frame:
        ring = self.rings[frame.table]
        frame = dataclasses.replace(frame, seq=ring.next_seq)
        self.live.ingest(frame)
        self._contacts.came(self.tables[frame.table].connection, frame)
        ring.append(frame)
        self._unkept.append(frame)
        if len(self._unkept) >= self.keep_every:
            self.keep()
        return frame

    def remember(self, frames: Iterable[Frame]) -> None:
        """Take in what an older historian kept, before the first frame of its own."""
        for frame in frames:
            self.store.append(frame)
            self.rings[frame.table].next_seq = frame.seq + frame.rows

    def keep(self) -> None:
        """Put the frames that came since the last time on the disk, in one transaction."""
        if frames := self._frames_to_keep():
            try:
                self.store.append(*frames)
                self._debts.history_kept = True
            except HistoryError as error:
                self._unwell(error)

    async def keep_beside(self) -> None:
        """The same with the disk's part in a thread, so that nothing else waits for it."""
        if frames := self._frames_to_keep():
            try:
                await asyncio.to_thread(self.store.append, *frames)
                self._debts.history_kept = True
            except HistoryError as error:
                self._unwell(error)

    async def seal_beside(self, now_ns: int) -> None:
        """Make chunks of what has waited long enough, in a thread. What can't be sealed stays as it came, and once is said why."""
        try:
            await asyncio.to_thread(self.store.seal, now_ns, breathe=_breathe)
            self._unsealed = False
        except HistoryError as error:
            if not self._unsealed:
                self._debts.owe("history", {"dropped": 0, "why": f"can't be sealed, and grows: {error}"})
            self._unsealed = True

    def trim(self) -> int:
        """Rows that the cap on the disk, or its end, cost. A disk that refuses makes the gate unwell."""
        try:
            return self.store.trim()
        except HistoryError as error:
            self._debts.ill(error)
            return 0

    def history(self, table: str, from_ns: int, to_ns: int, rows_max: int) -> Frame:
        """Stored rows, evenly thinned to `rows_max` and never more than HISTORY_ROWS_MAX."""
        self.keep()
        return self.store.read(table, from_ns, to_ns, min(max(rows_max, 1), HISTORY_ROWS_MAX), len(self.tables[table].tags))

    async def history_beside(self, table: str, from_ns: int, to_ns: int, rows_max: int) -> Frame:
        """The same in a thread: months may be asked for."""
        await self.keep_beside()
        width = len(self.tables[table].tags)
        async with self._reads:
            return await asyncio.to_thread(self.store.read, table, from_ns, to_ns, min(max(rows_max, 1), HISTORY_ROWS_MAX), width)

    def mean(self, tag: str, seconds: float) -> float | None:
        """Of the Good values of the last seconds; None where there is none: what an outage left is no news of the process."""
        table, column = self._place[tag]
        period_s = self.tables[table].period_s
        frame = self.rings[table].last(max(1, round(seconds / period_s)))
        if frame is None:
            return None
        since_ns = self._debts.now_ns() - round((max(seconds, period_s) + period_s) * SECOND_NS)  # a row may be a period old
        good = (frame.status[:, column] == 0) & (frame.received_ns >= since_ns)
        return float(frame.values[good, column].mean()) if good.any() else None

    def _frames_to_keep(self) -> list[Frame]:
        return [self._unkept.popleft() for _ in range(len(self._unkept))]

    def _unwell(self, error: HistoryError) -> None:
        self._debts.history_kept = False
        self._debts.ill(error)


def _breathe() -> None:
    time.sleep(BREATH_S)
