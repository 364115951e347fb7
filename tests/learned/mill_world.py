"""The demo mill, a gate and an agent in lockstep: a short quiet stretch, and a policy that asks before it adopts."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from holdfast.agent.diagnosis.agent import Agent
from holdfast.clock import VirtualClock
from holdfast.gate.actuation.learned import InForce
from holdfast.gate.actuation.relearning import Asked, DetectorNow
from holdfast.gate.identity.seal import Cost, opened
from holdfast.gate.process import open_gate
from holdfast.link import Link
from holdfast.link.direct import DirectLink
from holdfast.run.inprocess import InProcess
from holdfast.run.lockstep import Lockstep
from holdfast.run.mill import SteppedMill, mill_site, past
from holdfast.sim.mill import EPOCH_NS
from holdfast.sim.mill.plant import Mill
from holdfast.site.model import Rule, Site
from holdfast.terms import Record

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
PASSWORD = "brass kettle orchard"
NAME = "chatter precursor"
QUIET_ROWS = 400
AGENT = "mill-agent"
ADOPTING = Rule(id="adopt", effect="ask", agents=("*",), tags=("learned/*",), actions=("adopt",), approvals=("operator",))


def learning_site(*, rules: tuple[Rule, ...] = (ADOPTING,), **changes: Any) -> Site:
    site = mill_site().site
    spec = dataclasses.replace(site.perception[0], **{"quiet_rows": QUIET_ROWS, "limit": 6.0, **changes})
    without = tuple(rule for rule in site.policy.rules if "adopt" not in rule.actions)
    policy = dataclasses.replace(site.policy, rules=(*without, *rules))
    return dataclasses.replace(site, perception=(spec,), policy=policy)


class MillWorld:
    """`run` is seconds of all three; `agent_again` is an agent that was started anew, `again` a gate over the same folder."""

    def __init__(self, folder: Path, site: Site | None = None, *, again: bool = False) -> None:
        """`again`: people and past are there already."""
        self.folder, self.site = folder, site or learning_site()
        self.clock = VirtualClock(EPOCH_NS)
        self.plant = SteppedMill(Mill(1, "normal"), self.site)
        self._open()
        if not again:
            self.gate.people.add("ann", ["operator"], PASSWORD)
            self.gate.people.add("ben", ["process-engineer"], PASSWORD)
            self.gate.remember(past(self.site, 1, EPOCH_NS))
        self.gate.start(clock="virtual")
        self.agent: Agent | None = None
        self._driver = Lockstep(self.plant, self.gate, None, self.clock)

    def _open(self) -> None:
        connectors = {c.name: InProcess(self.plant.mill, c.name, self.clock, registers=c.type == "modbus") for c in self.site.connections}
        self.gate, self.agents = open_gate(self.site, self.folder, self.clock, connectors, durable=False, cost=CHEAP, boot="virtual")
        self.gate.intake.keep_every = 400

    def again(self, site: Site | None = None) -> None:
        self.gate.close()
        self.site = site or self.site
        self._open()
        self.agent = None
        self._driver = Lockstep(self.plant, self.gate, None, self.clock)

    async def agent_again(self, *, learned: dict[str, bytes] | None = None, link: Link | None = None) -> Agent:
        link = link or DirectLink(self.gate, AGENT)
        self.agent = Agent(link, await link.site(), self.clock, name=AGENT, learned=learned)
        await self.agent.start()
        self._driver = Lockstep(self.plant, self.gate, self.agent, self.clock)
        return self.agent

    async def run(self, seconds: int) -> None:
        for _ in range(seconds):
            await self._driver.tick()

    def records(self, kind: str) -> list[Any]:
        found: list[Record] = []
        while page := self.gate.log.read(found[-1].seq if found else 0):
            found += page
        return [json.loads(json.dumps(r.body)) for r in found if r.kind == kind]

    def key(self, person: str) -> Any:
        attempt = self.gate.people.begin(person)
        return self.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))

    def relearn(self, person: str = "ann") -> Asked:
        return self.gate.learning.relearn(NAME, person, self.key(person), reason="new rolls")

    def put_back(self, digest: str, person: str = "ann") -> InForce:
        return self.gate.learning.put_back(NAME, digest, person, self.key(person), reason="it cries wolf")

    def sign(self, proposal: str, *, yes: bool = True) -> str:
        return self.gate.acts.sign(proposal, "ann", "", self.key("ann"), yes=yes, reason="seen").state

    def asked(self) -> str:
        """The one adoption that waits for people."""
        (found,) = [job.proposal.id for job in self.gate.jobs.open() if job.state == "asked"]
        return found

    def now(self) -> DetectorNow:
        (found,) = self.gate.learning.detectors()
        return found

    @property
    def in_force(self) -> str:
        found = self.now().in_force
        return found.digest if found else ""

    def used(self) -> str:
        """The state that the agent scores by."""
        assert self.agent is not None
        states = self.agent.learned()
        return hashlib.sha256(states[NAME]).hexdigest() if NAME in states else ""

    def close(self) -> None:
        self.gate.close()
