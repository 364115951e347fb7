"""Clocks: time comes in as an argument, and only here is it read from the machine.

`RealClock` is all that `holdfast run` can construct. `ScaledClock` serves the interactive demo: real, times a stated
factor, the same in every process that is given the same epoch. `VirtualClock` moves only when told, for replay,
evaluation and headless runs.
"""

import asyncio
import time
from typing import Protocol

from holdfast.terms import SECOND_NS


class Clock(Protocol):
    def now_ns(self) -> int:
        """UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Never goes back; its zero means nothing."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Of this clock's seconds."""
        ...

    def real_s(self, seconds: float) -> float:
        """This clock's seconds as wall-clock seconds, for time limits on sockets."""
        ...


class RealClock:
    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))

    def real_s(self, seconds: float) -> float:
        return seconds


class ScaledClock:
    """`factor` times as fast as the wall clock since `epoch_ns` (UTC); both are passed to every process of a demo."""

    def __init__(self, epoch_ns: int, factor: float) -> None:
        if not factor > 0:
            raise ValueError(f"time factor must be above 0, not {factor}")
        self.epoch_ns = epoch_ns
        self.factor = factor
        # One reading of the two clocks, so that a step of the wall clock can't move this process's time.
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        real = time.monotonic_ns() + self._offset_ns
        return self.epoch_ns + int((real - self.epoch_ns) * self.factor)

    def monotonic_ns(self) -> int:
        return int(time.monotonic_ns() * self.factor)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / self.factor)

    def real_s(self, seconds: float) -> float:
        return seconds / self.factor


class VirtualClock:
    """Stands still until `advance`. Its sleep refuses: what runs in lockstep is stepped, it does not wait."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        self.advance_to(self._now_ns + round(seconds * SECOND_NS))

    def advance_to(self, at_ns: int) -> None:
        if at_ns < self._now_ns:
            raise ValueError("a virtual clock does not go back")
        self._now_ns = at_ns

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError("nothing sleeps on a virtual clock: it is stepped")

    def real_s(self, seconds: float) -> float:
        return max(seconds, 5.0)  # sockets of a lockstep run wait in real time, generously
