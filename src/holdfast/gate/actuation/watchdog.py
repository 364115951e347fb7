"""The heartbeat that lets the PLC know whether to listen: it beats only while all that stands behind a write is well.

A heartbeat is one register that counts; plc/HF_Loop.st holds or falls back by itself when it stops changing. So there
is nothing to send when something breaks: Holdfast falls silent. A pulse that was missed is never made up for: a burst
would tell the PLC that all is well at the moment when it was not.

A loop's heartbeat needs the agent that stands behind the loop: whoever wrote the setpoint that stands, or has an action on
its way there; before that, any agent that the policy lets write it. Another agent's voice keeps nothing alive.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

from holdfast.clock import Clock
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.ports import Connector
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Tag, Word

BEAT_S = 1.0
COUNT_MAX = 32_000  # wraps within a 16-bit integer
BEAT_TIMEOUT_S = 1.0
AGENT_SILENT_S = 10.0  # an agent that was not heard for so long keeps no heartbeat alive
AGENT_LOST_S = 60.0  # … and for so long is a fault
LATE_S = 5.0  # pulses that come so late are a fault: the PLC's block has given up by then


class Late(Word):
    """A pulse that did not come when it was due."""

    late_s: float


class Lost(Word):
    """An agent that was heard once and is silent."""

    agent: str


class _Beat(Word):
    tag: Tag
    equipment: str
    sp: str
    may: frozenset[str]  # agents that the policy lets write the loop


class Watchdog:
    """`standing(sp)` names the agents whose setpoint stands or is on its way at a loop; none: nobody's."""

    def __init__(
        self,
        site: Site,
        clock: Clock,
        stop: StopSwitch,
        connectors: Mapping[str, Connector],
        *,
        may: Mapping[str, Sequence[str]] | None = None,
        standing: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> None:
        self._standing = standing
        self._clock = clock
        self._stop = stop
        self._connectors = connectors
        self._count = 0
        self._due_ns = 0
        self._heard_ns: dict[str, int] = {}
        self._lost: set[str] = set()
        self._faults: list[Late | Lost] = []
        self.well = True  # the gate's own state: disk, record, clock
        self.beating = False
        self.adopt(site, may)

    def adopt(self, site: Site, may: Mapping[str, Sequence[str]] | None) -> None:
        """Other loops to beat to, and others who may write them; who was heard stays heard."""
        tags = {tag.name: tag for tag in site.tags}
        written = {envelope.tag: envelope.equipment for envelope in site.envelopes}
        everyone = [agent.name for agent in site.agents]
        self._beats = tuple(
            _Beat(
                tag=tags[loop.heartbeat],
                equipment=written[loop.sp],
                sp=loop.sp,
                may=frozenset(everyone if may is None else may.get(loop.sp, ())),
            )
            for loop in site.loops
            if loop.heartbeat and loop.sp in written
        )
        self._everyone = everyone

    def heard(self, agent: str | None = None) -> None:
        """An agent of the site file spoke; None: all of them, where one hand steps them all."""
        now = self._clock.monotonic_ns()
        for name in self._everyone if agent is None else (agent,):
            if name in self._everyone:  # bounded by the site file: others' names are no key here
                self._heard_ns[name] = now
                self._lost.discard(name)

    def silent_s(self, agent: str) -> float | None:
        """None for an agent that was never heard."""
        heard_ns = self._heard_ns.get(agent)
        return None if heard_ns is None else (self._clock.monotonic_ns() - heard_ns) / SECOND_NS

    @property
    def agent_lost(self) -> bool:
        """Nobody is heard."""
        return not any(self._is_heard(name) for name in self._everyone)

    def alive(self, sp: str) -> bool:
        """Whether those are heard who stand behind a loop."""
        return any(self._alive(beat) for beat in self._beats if beat.sp == sp)

    def faults(self) -> tuple[Late | Lost, ...]:
        """What went wrong since the last call."""
        found, self._faults = tuple(self._faults), []
        return found

    async def beat(self) -> None:
        """Once each BEAT_S, to every loop that Holdfast may write. A beat that fails is not tried again: the next one comes."""
        now = self._clock.monotonic_ns()
        if now < self._due_ns:
            return
        late_s = (now - self._due_ns) / SECOND_NS
        if self._due_ns and late_s > LATE_S:
            self._faults.append(Late(late_s=late_s))
        self._due_ns = now + round(BEAT_S * SECOND_NS)
        self._look_for_lost()
        stopped = self._stop.stopped()
        alive = [beat for beat in self._beats if self.well and self._alive(beat)]
        self.beating = bool(alive)
        if not alive:
            return
        self._count = self._count % COUNT_MAX + 1
        for beat in alive:
            if "*" in stopped or beat.equipment in stopped:
                continue
            # A loop that can't be reached falls back by itself; a connector that hangs must not hold up the others for long.
            with contextlib.suppress(Exception):
                await self._send(beat.tag)

    async def pulse(self, sp: str) -> tuple[Tag, int] | None:
        """One beat to one loop, for its wiring check, and the count that it carried; None where none may be sent.

        Raises whatever the connector raises.
        """
        beat = next((b for b in self._beats if b.sp == sp), None)
        stopped = self._stop.stopped()
        if beat is None or not self.well or "*" in stopped or beat.equipment in stopped:
            return None
        self._count = self._count % COUNT_MAX + 1
        count = self._count
        return (beat.tag, count) if await self._send(beat.tag) == "acked" else None

    async def _send(self, tag: Tag) -> str:
        async with asyncio.timeout(2 * BEAT_TIMEOUT_S):
            return await self._connectors[tag.connection].write(tag, float(self._count), timeout_s=BEAT_TIMEOUT_S)

    def _alive(self, beat: _Beat) -> bool:
        return any(self._is_heard(name) for name in (self._standing(beat.sp) or beat.may))

    def _is_heard(self, agent: str) -> bool:
        silent_s = self.silent_s(agent)
        return silent_s is not None and silent_s <= AGENT_SILENT_S

    def _look_for_lost(self) -> None:
        for name in self._heard_ns:
            if name not in self._lost and (self.silent_s(name) or 0.0) > AGENT_LOST_S:
                self._lost.add(name)
                self._faults.append(Lost(agent=name))
