"""Plant, gate and agent on one virtual clock: each waits for the others each second, so a run is a function of its seed."""

from typing import Protocol

import numpy as np

from holdfast.agent.diagnosis.agent import Agent
from holdfast.clock import VirtualClock
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.ports import ConnectionLost, Connector
from holdfast.run.inprocess import InProcess
from holdfast.terms import Frame, TagTable


class Steps(Protocol):
    """A plant that moves only when told; the mill itself, or its servers in a process of their own."""

    async def step(self, dt_s: float) -> None: ...


class Lockstep:
    """`tick` is one period of the plant: it moves, the gate takes its frames, the agent thinks, the gate acts."""

    def __init__(self, plant: Steps, gate: Gatekeeper, agent: Agent | None, clock: VirtualClock, *, period_s: float = 1.0) -> None:
        self._plant = plant
        self._gate = gate
        self._agent = agent
        self._clock = clock
        self._period_s = period_s
        self._up: dict[str, bool] = dict.fromkeys(gate.connectors, False)
        self.frames = 0

    async def tick(self) -> None:
        await self._plant.step(self._period_s)
        self._clock.advance(self._period_s)
        for table in self._gate.tables.values():
            await self._poll(table)
        await self._gate.errands.step()
        await self._gate.advance()
        if self._agent is not None:
            await self._agent.step()
            await self._gate.advance()

    async def _poll(self, table: TagTable) -> None:
        name = table.connection
        try:
            if not self._up[name]:
                await self._gate.connectors[name].connect()
            frame = await poll(self._gate.connectors[name], table, self._clock.now_ns())
        except (ConnectionLost, OSError, TimeoutError) as error:
            if self._up[name]:
                self._up[name] = False
                self._gate.lost(name, str(error))
            return
        if not self._up[name]:
            self._up[name] = True
            self._gate.found(name)
        self._gate.ingest(frame)
        self.frames += 1


async def poll(connector: Connector, table: TagTable, now_ns: int) -> Frame:
    """One row of a table, read now. Raises ConnectionLost."""
    if isinstance(connector, InProcess):
        return connector.row(table)
    samples = await connector.read(table.tags)
    return Frame(
        table=table.id,
        seq=0,
        received_ns=np.array([now_ns], np.int64),
        source_ns=np.array([[s.source_ns for s in samples]], np.int64),
        values=np.array([[s.value if isinstance(s.value, float | int) else np.nan for s in samples]], np.float64),
        status=np.array([[s.status for s in samples]], np.uint32),
    )
