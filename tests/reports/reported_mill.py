"""An incident of the demo mill in lockstep: found, diagnosed, refused by the guard, refused by a person, approved and written."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx

from holdfast.agent.diagnosis.wording import quote
from holdfast.clock import VirtualClock
from holdfast.console.reports.graph import Graph, Query, gather
from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.gate.identity.seal import Cost, opened
from holdfast.gate.process import Doors, open_gate
from holdfast.link.direct import DirectLink
from holdfast.run.lockstep import Lockstep
from holdfast.run.mill import SteppedMill
from holdfast.sim.mill import EPOCH_NS
from holdfast.terms import SECOND_NS, Cause, Contribution, Diagnosis, Evidence, Finding, Proposal, Write

AGENT, FINDING, INCIDENT, PASSWORD = "mill-agent", "finding-7", "chatter-7", "brass kettle orchard"
NAMES = {"lubrication_loss": ("loss of lubrication in the roll bite", "轧辊咬入区润滑不足")}
TAGS = ("stand-4/force", "stand-4/vibration", "stand-4/tension.sp", "stand-4/tension.pv")


class Reported:
    """`home` is what a command is given."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = VirtualClock(EPOCH_NS)

    async def open(self) -> None:
        cheap = Cost(passes=1, memory_kib=8, lanes=1)
        plant = await SteppedMill.start("normal", 1, "ask")
        connectors = plant.connectors(self.clock, self.home / "gate")
        self.gate, self.agents = open_gate(
            plant.site, self.home / "gate", self.clock, connectors, durable=False, cost=cheap, boot="virtual"
        )
        self.gate.people.add("li.wei", ["operator"], PASSWORD)
        self.gate.start(clock="virtual")
        self.token = self.agents.add(AGENT)
        self.link = DirectLink(self.gate, AGENT)
        self._driver = Lockstep(plant, self.gate, None, self.clock)
        doors = {
            self.home / "gate" / "people.sock": people_app(self.gate, self.agents),
            self.home / "link.sock": agents_app(self.gate, self.agents),
        }
        self._doors = Doors(doors)
        self._serving = asyncio.create_task(self._doors.serve())
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(self.home / "gate" / "people.sock")), base_url="http://gate", timeout=20.0
        )

    async def shut(self) -> None:
        await self._http.aclose()
        self._doors.close()
        await self._serving
        self.gate.close()

    async def ask(self, path: str, query: Query) -> Any:
        answer = await self._http.get(path, params=dict(query))
        answer.raise_for_status()
        return answer.json()

    async def graph(self) -> Graph:
        return await gather(self.ask, FINDING, names=NAMES)

    async def run(self, seconds: int) -> None:
        for _ in range(seconds):
            await self._driver.tick()

    async def happen(self) -> None:
        """The whole story: some minutes of plant time."""
        await self.run(300)
        now = self.clock.now_ns()
        shares = (("stand-4/force", 0.62), ("stand-4/vibration", 0.38))
        await self.link.find(
            Finding(
                id=FINDING, incident=INCIDENT, detector="dynamic@00", onset_ns=now - 90 * SECOND_NS, found_ns=now,
                confidence=0.9, score=1.53, shares=shares,
            )
        )  # fmt: skip
        await self.link.diagnose(self.diagnosis(now))
        await self.propose("too far", 135.0)
        await self.propose("unwanted", 101.0)
        self.vote("unwanted", yes=False, reason="the coil ends in 2 min")
        await self.propose("trim", 102.0)
        self.vote("trim", yes=True, reason="agreed")
        await self.run(180)

    def diagnosis(self, now_ns: int) -> Diagnosis:
        span = f"{now_ns - 60 * SECOND_NS}..{now_ns}"
        rose = quote("up", "en", tag="stand-4/force", before=5.44, now=5.701, unit="MN", z=17.49)
        covers = quote("carried", "en", percent=76)
        supporting = (
            Evidence(kind="history", ref=f"stand-4/force@{span}", quote=rose),
            Evidence(kind="finding", ref=FINDING, quote=covers),
            Evidence(kind="document", ref="stand-4 manual.pdf#p42.3", quote="Clean the nozzles every 500 h."),
        )
        steady = Evidence(
            kind="history", ref=f"stand-4/vibration@{span}", quote=quote("steady", "en", tag="stand-4/vibration", now=1.577, unit="mm/s")
        )
        causes = (
            Cause(mode="lubrication_loss", probability=0.81, supporting=supporting, opposing=(steady,)),
            Cause(mode="none of these", probability=0.19, supporting=(), opposing=()),
        )
        course = tuple(
            Contribution(
                at_ns=now_ns - (10 - i) * 20 * SECOND_NS, score=0.4 + 0.15 * i, shares=(("stand-4/vibration", 0.5), ("stand-4/force", 0.3))
            )
            for i in range(10)
        )
        return Diagnosis(id="diagnosis-7", incident=INCIDENT, at_ns=now_ns, causes=causes, course=course)

    async def propose(self, id: str, tension: float) -> None:
        reason = quote(
            "reason", "en", mode=NAMES["lubrication_loss"][0], percent=81, tag="stand-4/tension.sp", before=100, after=tension, unit="kN"
        )
        expect = quote("expect", "en", tag="stand-4/vibration", direction="falls", by=0.05, unit="mm/s", within=120)
        wanted = Write(sets=(("stand-4/tension.sp", tension),))
        await self.link.propose(Proposal(id=id, incident=INCIDENT, action=wanted, reason=reason, expect=expect))

    def vote(self, id: str, *, yes: bool, reason: str) -> None:
        attempt = self.gate.people.begin("li.wei")
        key = self.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))
        self.gate.acts.sign(id, "li.wei", "", key, yes=yes, reason=reason)


@contextlib.asynccontextmanager
async def reported() -> AsyncGenerator[Reported]:
    home = Path(tempfile.mkdtemp(prefix="hf"))  # a socket's path is short
    world = Reported(home)
    await world.open()
    try:
        await world.happen()
        yield world
    finally:
        await world.shut()
        shutil.rmtree(home)
