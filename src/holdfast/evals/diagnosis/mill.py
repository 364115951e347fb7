"""The demo plant: what the agent on duty says of each scenario, seed by seed, headless on a virtual clock.

Plant, gate and agent run as in the demo, and the agent acts as it may. A run ends ten minutes after the first finding of the
process: what the agent has told by then is judged, the last word and the first. A frozen sensor is a second incident with an
answer of its own. The `normal` run is half an hour in which any cause but "none of these" is wrong.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.agent.diagnosis.agent import STILLNESS, Agent
from holdfast.agent.diagnosis.rank import NONE
from holdfast.clock import VirtualClock
from holdfast.gate.process import open_gate
from holdfast.link.direct import DirectLink
from holdfast.run.headless import AGENT, CHEAP, KEEP_EVERY
from holdfast.run.lockstep import Lockstep
from holdfast.run.mill import SteppedMill, past
from holdfast.sim.mill import EPOCH_NS
from holdfast.terms import SECOND_NS, Record, Word

RIGHT: Mapping[str, str] = {
    "chatter": "lubrication_loss",
    "bearing": "bearing_wear",
    "frozen-sensor": "lubrication_loss",
    "lost-link": "lubrication_loss",
    "operator": "lubrication_loss",
    "normal": NONE,
}
FROZEN = "sensor_frozen"
AFTER_S, LONGEST_S, NORMAL_S = 600, 9000, 1800
PAST_ROWS = 3600


class Told(Word):
    """One incident of one run: what was said of it first and last, best cause first."""

    id: str
    right: str
    found_s: float | None
    first: tuple[tuple[str, float], ...]
    last: tuple[tuple[str, float], ...]

    @property
    def is_right(self) -> bool:
        return (self.last[0][0] if self.last else NONE) == self.right

    @property
    def was_right(self) -> bool:
        return (self.first[0][0] if self.first else NONE) == self.right


class Heard:
    """Takes findings and diagnoses from the record as they are written."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[str, float]] = {}  # incident: (detector, plant second)
        self.said: dict[str, list[tuple[tuple[str, float], ...]]] = {}

    def __call__(self, record: Record) -> None:
        body: Any = record.body
        if record.kind == "finding":
            finding = body["finding"]
            self.found.setdefault(finding["incident"], (finding["detector"], (finding["found_ns"] - EPOCH_NS) / SECOND_NS))
        elif record.kind == "diagnosis":
            told = body["diagnosis"]
            causes = tuple((cause["mode"], cause["probability"]) for cause in told["causes"])
            self.said.setdefault(told["incident"], []).append(causes)

    @property
    def process_s(self) -> float | None:
        """When the first finding of the process was made."""
        return min((at for detector, at in self.found.values() if detector != STILLNESS), default=None)


def run_one(job: tuple[str, int]) -> tuple[Told, ...]:
    """(scenario, seed): its incidents."""
    scenario, seed = job
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        heard = asyncio.run(_run(scenario, seed, Path(folder)))
    return told(scenario, seed, heard)


def told(scenario: str, seed: int, heard: Heard) -> tuple[Told, ...]:
    """Every incident of the run judged; a scenario that has something to find and was not found is wrong."""
    found: list[Told] = []
    for incident, (detector, at_s) in heard.found.items():
        still = detector == STILLNESS
        right = (FROZEN if scenario == "frozen-sensor" else NONE) if still else RIGHT[scenario]
        said = heard.said.get(incident, [()])
        name = f"{scenario}-{seed}" + ("-stillness" if still else "")
        found.append(Told(id=name, right=right, found_s=at_s, first=said[0], last=said[-1]))
    if heard.process_s is None:
        found.append(Told(id=f"{scenario}-{seed}", right=RIGHT[scenario], found_s=None, first=(), last=()))
    if scenario == "frozen-sensor" and not any(one.right == FROZEN for one in found):
        found.append(Told(id=f"{scenario}-{seed}-stillness", right=FROZEN, found_s=None, first=(), last=()))
    return tuple(found)


async def _run(scenario: str, seed: int, home: Path) -> Heard:
    clock = VirtualClock(EPOCH_NS)
    plant = await SteppedMill.start(scenario, seed, "act")
    site = plant.site
    gate, _ = open_gate(site, home, clock, plant.connectors(clock, home), durable=False, cost=CHEAP, boot="virtual")
    gate.intake.keep_every = KEEP_EVERY
    heard = Heard()
    gate.listeners.append(heard)
    gate.remember(past(site, seed, EPOCH_NS, PAST_ROWS))
    gate.start(clock="virtual")
    link = DirectLink(gate, AGENT)
    agent = Agent(link, await link.site(), clock, name=AGENT)
    await agent.start()
    driver = Lockstep(plant, gate, agent, clock)
    for second in range(NORMAL_S if scenario == "normal" else LONGEST_S):
        await driver.tick()
        if heard.process_s is not None and second > heard.process_s + AFTER_S:
            break
    for connector in gate.connectors.values():
        await connector.close()
    gate.close()
    await plant.close()
    return heard
