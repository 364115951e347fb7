"""The demo mill some minutes into a scenario, in lockstep, held open: what questions and tools are tried on."""

import dataclasses
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from holdfast.agent.diagnosis.agent import Agent
from holdfast.clock import VirtualClock
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.process import open_gate
from holdfast.link.direct import DirectLink
from holdfast.run.headless import AGENT, CHEAP, KEEP_EVERY
from holdfast.run.lockstep import Lockstep
from holdfast.run.mill import SteppedMill, past
from holdfast.sim.mill import EPOCH_NS
from holdfast.site.model import Site
from holdfast.terms import Autonomy


@dataclasses.dataclass
class Day:
    gate: Gatekeeper
    link: DirectLink
    site: Site
    clock: VirtualClock
    home: Path
    driver: Lockstep


@asynccontextmanager
async def mill_day(home: Path, *, seconds: int = 900, scenario: str = "chatter", autonomy: Autonomy = "ask") -> AsyncGenerator[Day]:
    clock = VirtualClock(EPOCH_NS)
    plant = await SteppedMill.start(scenario, 1, autonomy)
    gate, _ = open_gate(plant.site, home / "gate", clock, plant.connectors(clock, home / "gate"), durable=False, cost=CHEAP, boot="virtual")
    try:
        gate.intake.keep_every = KEEP_EVERY
        gate.remember(past(plant.site, 1, EPOCH_NS))
        gate.start(clock="virtual")
        link = DirectLink(gate, AGENT)
        site = await link.site()
        agent = Agent(link, site, clock, name=AGENT)
        await agent.start()
        driver = Lockstep(plant, gate, agent, clock)
        for _ in range(seconds):
            await driver.tick()
        yield Day(gate, link, site, clock, home, driver)
    finally:
        for connector in gate.connectors.values():
            await connector.close()
        gate.close()
        await plant.close()
