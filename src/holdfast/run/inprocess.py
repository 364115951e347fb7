"""A connector to a plant in the same process, for lockstep runs: the same contract, no wire between.

Values go through the same encodings as on the wire, so that both forms decide alike.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from holdfast.clock import Clock
from holdfast.gate.connectors.registers import parse, wire_value
from holdfast.gate.connectors.writable import demand
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NODE_ID_UNKNOWN, Frame, Sample, Sent, Tag, TagTable


class Plant(Protocol):
    """What a simulated plant offers in process."""

    def link_up(self, server: str) -> bool: ...
    def read(self, server: str, address: str) -> tuple[float, int]: ...
    def write(self, server: str, address: str, value: float) -> bool: ...


class InProcess:
    """`name` is both the connection's name in the site file and the plant's server."""

    def __init__(self, plant: Plant, name: str, clock: Clock, *, registers: bool) -> None:
        self.plant = plant
        self.name = name
        self.writes = 0
        self._clock = clock
        self._registers = registers  # addresses are Modbus registers

    async def connect(self) -> None:
        if not self.plant.link_up(self.name):
            raise ConnectionLost(f"{self.name}: the simulated server does not answer now")

    async def close(self) -> None:
        return

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        for tag in ():
            yield tag

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        await self.connect()
        now_ns = self._clock.now_ns()
        found = [self.plant.read(self.name, tag.address) for tag in tags]
        return [Sample(tag=tag.name, value=v, status=s, source_ns=now_ns) for tag, (v, s) in zip(tags, found, strict=True)]

    async def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """One row, then it waits for ever: what runs in lockstep is polled with `row`."""
        yield self.row(table)
        await asyncio.Event().wait()

    def row(self, table: TagTable) -> Frame:
        """The plant's values now, as a frame of one row. Raises ConnectionLost."""
        if not self.plant.link_up(self.name):
            raise ConnectionLost(f"{self.name}: the simulated server does not answer now")
        found = [self.plant.read(self.name, tag.address) for tag in table.tags]
        now_ns = self._clock.now_ns()
        return Frame(
            table=table.id,
            seq=0,
            received_ns=np.array([now_ns], np.int64),
            source_ns=np.full((1, len(found)), now_ns, np.int64),
            values=np.array([[value for value, _ in found]]),
            status=np.array([[status for _, status in found]], np.uint32),
        )

    def health(self) -> Mapping[str, float]:
        return {"writes": float(self.writes)}

    def wire_value(self, tag: Tag, value: float) -> float:
        if not self.plant.link_up(self.name):  # as over the wire, where the node's type is known only while connected
            raise ValueError(f"{tag.name}: {self.name} is not connected")
        value = demand(tag, value)
        return wire_value(parse(tag.address), tag.scale, value) if self._registers else value

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        if not self.plant.link_up(self.name):
            return "unknown"
        if self.plant.read(self.name, tag.address)[1] == BAD_NODE_ID_UNKNOWN:
            return "rejected"
        self.writes += 1
        return "acked" if self.plant.write(self.name, tag.address, value) else "rejected"
