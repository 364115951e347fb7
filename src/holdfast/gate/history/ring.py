"""The last rows of one table in memory, from which agents and pages read live frames; who is too slow sees a gap."""

import asyncio

import numpy as np

from holdfast.terms import Frame

ROWS_MAX = 4096  # over an hour at 1 Hz
ROWS_A_READ = 600


class Ring:
    def __init__(self, table: str, columns: int, rows_max: int = ROWS_MAX) -> None:
        self.table = table
        self._rows_max = rows_max
        # Twice the size, so that the newest rows_max rows always lie in one piece and reading copies nothing twice.
        self._received = np.zeros(2 * rows_max, np.int64)
        self._source = np.zeros((2 * rows_max, columns), np.int64)
        self._values = np.zeros((2 * rows_max, columns))
        self._status = np.zeros((2 * rows_max, columns), np.uint32)
        self._end = 0  # of the rows in the arrays
        self.next_seq = 0
        self._arrived = asyncio.Event()

    def append(self, frame: Frame) -> None:
        rows = min(frame.rows, self._rows_max)
        if self._end + rows > 2 * self._rows_max:
            keep = slice(self._end - self._rows_max, self._end)
            for array in (self._received, self._source, self._values, self._status):
                array[: self._rows_max] = array[keep]
            self._end = self._rows_max
        at = slice(self._end, self._end + rows)
        self._received[at] = frame.received_ns[-rows:]
        self._source[at] = frame.source_ns[-rows:]
        self._values[at] = frame.values[-rows:]
        self._status[at] = frame.status[-rows:]
        self._end += rows
        self.next_seq = frame.seq + frame.rows
        self._arrived.set()

    def read(self, after: int, rows_max: int = ROWS_A_READ) -> Frame | None:
        """Rows with seq > after, oldest first. Rows that have left the ring are a gap, seen as a jump of seq."""
        held = min(self._end, self._rows_max)
        first = max(after + 1, self.next_seq - held)
        rows = min(self.next_seq - first, rows_max)
        if rows <= 0:
            return None
        start = self._end - (self.next_seq - first)
        at = slice(start, start + rows)
        return Frame(
            table=self.table,
            seq=first,
            received_ns=self._received[at].copy(),
            source_ns=self._source[at].copy(),
            values=self._values[at].copy(),
            status=self._status[at].copy(),
        )

    def last(self, rows: int) -> Frame | None:
        return self.read(self.next_seq - rows - 1, rows)

    async def wait(self, after: int) -> None:
        """Until there is a row with seq > after."""
        while self.next_seq <= after + 1:
            self._arrived.clear()
            await self._arrived.wait()
