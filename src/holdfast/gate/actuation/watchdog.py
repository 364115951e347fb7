"""The heartbeat that lets the PLC know whether to listen: it beats only while all that stands behind a write is well.

A heartbeat is one register that counts; plc/HF_Loop.st holds or falls back by itself when it stops changing. So there
is nothing to send when something breaks: Holdfast falls silent.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from holdfast.clock import Clock
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.ports import Connector
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Tag

BEAT_S = 1.0
COUNT_MAX = 32_000  # wraps within a 16-bit integer
BEAT_TIMEOUT_S = 1.0
AGENT_SILENT_S = 10.0  # an agent that was not heard for so long is lost


class Watchdog:
    def __init__(self, site: Site, clock: Clock, stop: StopSwitch, connectors: Mapping[str, Connector]) -> None:
        tags = {tag.name: tag for tag in site.tags}
        written = {envelope.tag: envelope.equipment for envelope in site.envelopes}
        self._beats: tuple[tuple[Tag, str], ...] = tuple(
            (tags[loop.heartbeat], written[loop.sp]) for loop in site.loops if loop.heartbeat and loop.sp in written
        )
        self._clock = clock
        self._stop = stop
        self._connectors = connectors
        self._count = 0
        self._due_ns = 0
        self._heard_ns: int | None = None
        self.well = True  # the gate's own state: disk, record, clock
        self.beating = False

    def heard(self) -> None:
        """An agent spoke."""
        self._heard_ns = self._clock.monotonic_ns()

    @property
    def agent_lost(self) -> bool:
        return self._heard_ns is None or self._clock.monotonic_ns() - self._heard_ns > AGENT_SILENT_S * SECOND_NS

    async def beat(self) -> None:
        """Once each BEAT_S, to every loop that Holdfast may write. A beat that fails is not tried again: the next one comes."""
        now = self._clock.monotonic_ns()
        if now < self._due_ns:
            return
        self._due_ns = now + round(BEAT_S * SECOND_NS)
        self.beating = self.well and not self.agent_lost
        if not self.beating:
            return
        self._count = self._count % COUNT_MAX + 1
        stopped = self._stop.stopped()
        for tag, equipment in self._beats:
            if "*" in stopped or equipment in stopped:
                continue
            # A loop that can't be reached falls back by itself; a connector that hangs must not hold up the others for long.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2 * BEAT_TIMEOUT_S):
                    await self._connectors[tag.connection].write(tag, float(self._count), timeout_s=BEAT_TIMEOUT_S)
