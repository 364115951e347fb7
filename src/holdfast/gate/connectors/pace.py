"""When a connector acts: the ticks of a table's period, and the most requests a second that a device may get."""

import asyncio

from holdfast.clock import Clock
from holdfast.terms import SECOND_NS


class Pace:
    """Ticks of one table on the connection's clock; the tick's number is the row's `seq`, so a missed tick is a gap.

    It outlives a lost connection: the first row after an outage carries the number of its own tick.
    """

    def __init__(self, clock: Clock, period_s: float) -> None:
        self._clock = clock
        self._period_ns = round(period_s * SECOND_NS)
        self._zero_ns = clock.monotonic_ns() - self._period_ns  # so that the first row is due at once
        self._last = -1
        self._lost = False  # the last number went to a row that told a loss

    async def start(self) -> None:
        """Refuses a clock that stands still (RuntimeError): what runs in lockstep reads, it does not subscribe."""
        await self._clock.sleep(0.0)

    def take(self) -> int:
        """The number of the tick that is due or was last; always above the one taken before."""
        self._lost = False
        self._last = max(self._due(), self._last + 1)
        return self._last

    def lose(self, asked: int | None = None) -> int | None:
        """The number of the row that tells a loss: of the tick that was `asked` for and not answered (the one taken last), or else the
        next, before its time. None where the last row told a loss and its period is not over, as the tags are Bad already: a connection
        that comes and goes may not use up a slow table's ticks.
        """
        due = self._due()
        if asked is None and self._lost and due <= self._last:
            return None
        self._lost = True
        self._last = max(due, self._last + (asked is None))
        return self._last

    def wait_s(self) -> float:
        """Real seconds until the next tick, 0 when it is due."""
        due_ns = self._zero_ns + (self._last + 2) * self._period_ns - self._clock.monotonic_ns()
        return self._clock.real_s(due_ns / SECOND_NS) if due_ns > 0 else 0.0

    def _due(self) -> int:
        return (self._clock.monotonic_ns() - self._zero_ns) // self._period_ns - 1


class Budget:
    """At most `per_s` requests a second, real time (it is the device that is spared), with one second's worth at once.

    `per_s` 0 is no limit. Waiting is bounded by the caller's own time limit.
    """

    def __init__(self, per_s: float) -> None:
        if per_s < 0:
            raise ValueError(f"requests_per_s must be above 0, or 0 for no limit, not {per_s:g}")
        self._per_s = per_s
        self._tokens = max(per_s, 1.0)
        self._at_s: float | None = None

    @property
    def limited(self) -> bool:
        """Whether `spend` may wait at all: where it can't, no time limit has to be set around it."""
        return self._per_s > 0

    async def spend(self) -> None:
        """Return when one more request may go out."""
        if not self._per_s:
            return
        now_s = asyncio.get_running_loop().time()
        full = max(self._per_s, 1.0)
        if self._at_s is not None:
            self._tokens = min(full, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        self._tokens -= 1.0  # may go below zero: that is the queue of those who wait, in order
        if self._tokens < 0:
            try:
                await asyncio.sleep(-self._tokens / self._per_s)
            except asyncio.CancelledError:
                self._tokens += 1.0  # gave up before sending
                raise
