"""What a connector's frames must never show while faults come and go: a wrong value, an old one as Good, a gap in silence."""

import asyncio
import math
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Frame

Truth = Callable[[NDArray[np.float64]], NDArray[np.bool_]]  # which of a row's values (tags,) can be what the device holds
_LATE_ROWS = 1.0  # the last rows may all be late by the machine's other work, by less than this
_LOOKED_AT = 5


class Watch:
    """Judges rows as they come and keeps none of them. `now_s` is the event loop's clock."""

    def __init__(self, truth: Truth, period_s: float, silent_s_max: float, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._truth = truth
        self._period_s = period_s
        self._silent_s_max = silent_s_max  # how long after a loss Good rows may still come: data on their way, the limit on silence
        self._last_seq = -1
        self._phase_s = math.inf  # when row 0 was due, by the row that came soonest
        self._behind: deque[float] = deque(maxlen=_LOOKED_AT)  # periods that `seq` is behind the time that passed
        self._good = asyncio.Event()
        self._came = asyncio.Event()
        self.down_s: float | None = None  # since when the device is gone, None while it is there
        self.rows = 0
        self.bad_rows = 0
        self.wrong = 0
        self.stale = 0
        self.gaps = 0  # told in seq
        self.told = asyncio.Event()  # a loss was told
        self.why: list[str] = []  # losses as they are told to people, the last eight

    def ingest(self, frame: Frame) -> None:
        now_s = self._now_s()
        seq = frame.seq
        self._came.set()
        if self.rows:
            self.gaps += seq - self._last_seq > 1
            self.wrong += seq <= self._last_seq
        self._last_seq = seq
        self.rows += 1
        good = frame.status[0] < 0x4000_0000
        if good.any():  # a row that tells a loss comes at once, before its period: it says nothing of the others' time
            due_s = now_s - seq * self._period_s
            self._phase_s = min(self._phase_s, due_s)
            self._behind.append((due_s - self._phase_s) / self._period_s)
        self.wrong += int(np.count_nonzero(good & ~self._truth(frame.values[0])))
        if not good.all():
            self.bad_rows += 1
            return
        if self.down_s is not None and now_s > self.down_s + self._silent_s_max:
            self.stale += 1
        self._good.set()

    @property
    def silent_gaps(self) -> int:
        """Periods that passed without a row and that no `seq` tells of, up to now: then all later rows are behind their time."""
        return int(max(min(self._behind, default=0.0), 0.0) / _LATE_ROWS)

    async def in_time(self, limit_s: float) -> None:
        """Return once no silent gap is seen, or after `limit_s`: rows that a busy machine made late are in time again sooner or later,
        those behind a silent gap never."""
        try:
            async with asyncio.timeout(limit_s):
                while self.silent_gaps:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return

    def lost(self, why: str) -> None:
        self.why = [*self.why[-7:], why]
        self.told.set()

    def found(self) -> None:
        """Connected: what counts is the first Good row."""

    async def next_good(self, limit_s: float) -> float | None:
        """Seconds until the next row that is Good in every tag; None where none came within `limit_s`."""
        begun_s = self._now_s()
        self._good.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._good.wait()
        except TimeoutError:
            return None
        return self._now_s() - begun_s
