"""One request a setpoint, in the stated order, until one does not get through; and what reads show of it afterwards."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence

from holdfast.clock import Clock
from holdfast.gate.actuation.failpoints import reach
from holdfast.gate.actuation.jobs import Step
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.ports import Connector
from holdfast.site.model import Envelope, Readback, Site
from holdfast.terms import Sample, Sent, Tag, Word

WRITE_TIMEOUT_S = 2.0
WRITE_HUNG_FACTOR = 2.0  # times that: for a connector that does not keep its own limit
FLOAT32_ROUNDING = 2.0**-23  # of a value that travelled as a 32-bit float, both ways


class Look(Word):
    """What the devices show of steps that were sent, in order."""

    samples: tuple[Sample, ...]
    equal: bool  # every one shows what was wanted
    former: bool  # every one shows what was there before


class Wire:
    """`read` is Eyes.read: from the devices, now."""

    def __init__(
        self,
        *,
        site: Site,
        clock: Clock,
        moves: Moves,
        stop: StopSwitch,
        connectors: Mapping[str, Connector],
        read: Callable[[Sequence[str]], Awaitable[Mapping[str, Sample]]],
    ) -> None:
        self._clock = clock
        self._moves = moves
        self._stop = stop
        self._connectors = connectors
        self._read = read
        self._tags: Mapping[str, Tag]
        self._envelopes: Mapping[str, Envelope]
        self.adopt(site)

    def adopt(self, site: Site) -> None:
        self._tags, self._envelopes = {tag.name: tag for tag in site.tags}, {e.tag: e for e in site.envelopes}

    async def send(self, steps: Sequence[Step], what: str) -> tuple[tuple[Step, ...], str]:
        """Those that may have arrived, and why the rest was not sent. `what` names the failpoints."""
        sent: list[Step] = []
        for step in steps:
            envelope, tag = self._envelopes[step.tag], self._tags[step.tag]
            if self._stop.covers(envelope.equipment):
                return tuple(sent), "stop.pressed"
            if self._moves.yields.get(step.tag, 0) > self._clock.now_ns():
                return tuple(sent), "operator.wins"  # taken over while an earlier step of the group was on its way
            reach(f"{what}:before")
            answer: Sent
            try:
                async with asyncio.timeout(WRITE_HUNG_FACTOR * WRITE_TIMEOUT_S):
                    answer = await self._connectors[tag.connection].write(tag, step.wanted, timeout_s=WRITE_TIMEOUT_S)
            except Exception:  # noqa: BLE001 - whatever a plug-in raises after it may have sent, the fate is unknown
                answer = "unknown"
            reach(f"{what}:after")
            if answer == "rejected":
                return tuple(sent), "write.rejected"
            sent.append(dataclasses.replace(step, sent=True, acked=answer == "acked"))
            if answer == "unknown":
                return tuple(sent), "write.unknown"
        return tuple(sent), "action.no_carrier"  # what is no write has nobody who would carry it out

    async def look(self, steps: Sequence[Step]) -> Look | None:
        """None where one of them can't be read. Reads, never writes."""
        places = [self.place(step) for step in steps]
        found = await self._read([place.tag for place in places])
        samples: list[Sample] = []
        equal = former = bool(steps)
        for step, place in zip(steps, places, strict=True):
            sample = found.get(place.tag)
            if sample is None or sample.status != 0 or not isinstance(sample.value, float | int):
                return None
            samples.append(sample)
            equal = equal and abs(sample.value - step.wanted) <= place.within
            former = former and sample.value == step.former
        return Look(samples=tuple(samples), equal=equal, former=former)

    def place(self, step: Step) -> Readback:
        """Where a step shows: what the site file says, else the setpoint itself."""
        own = Readback(tag=step.tag, within=abs(step.wanted) * FLOAT32_ROUNDING, after_s=0.0)
        return self._envelopes[step.tag].readback or own

    def direct(self, steps: Sequence[Step]) -> bool:
        """Whether the devices themselves are at the other end of each connection, so that no late write can land."""
        return all(getattr(self._connectors[self._tags[step.tag].connection], "direct", False) is True for step in steps)
