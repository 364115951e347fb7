"""One life of a gate, in a process of its own: it reconciles, works for an agent and a person, and is killed by whoever started it.

Time runs FACTOR times as fast, so that a read-back's second does not last one; a write's time limit is real and short.
"""

import asyncio
import contextlib
import os
from pathlib import Path
from random import Random

from holdfast.clock import ScaledClock
from holdfast.gate.actuation import failpoints, saga, wire
from holdfast.gate.actuation.transitions import WAIT_FOR_PERSON
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.connectors import keep as keeping
from holdfast.gate.connectors.modbus import Modbus
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.people import Cost
from holdfast.gate.identity.seal import opened
from holdfast.gate.process import open_gate, pulse
from holdfast.site.model import Site
from holdfast.terms import Proposal, Write

FACTOR = 40.0
WRITE_TIMEOUT_S = 0.08
BACKOFF_S = 0.01
UNREADABLE_AGAIN_S = 0.4  # of the clock: 10 ms
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
PASSWORD, PERSON = "brass kettle orchard", "ann"
PROPOSALS = 60  # of one life, more than it has time for
PAUSE_S = 0.012
READY_S_MAX = 3.0
SETTLE_S_MAX = 12.0
ASKS_TRIED = 5  # old questions whose answers must not serve again
YES_SHARE, ANSWERED_SHARE = 0.8, 0.9  # of questions: yes, then no, then no answer
A, B = "stand/a_sp", "stand/b_sp"


class _Doubt(Exception):
    """Only rolls back."""


class Life:
    def __init__(self, site: Site, folder: Path, port: int, epoch_ns: int, random: Random, tell: int) -> None:
        wire.WRITE_TIMEOUT_S = WRITE_TIMEOUT_S
        saga.UNREADABLE_AGAIN_S = UNREADABLE_AGAIN_S
        keeping.BACKOFF_S_MIN = BACKOFF_S
        self.clock = ScaledClock(epoch_ns, FACTOR)
        self.random = random
        self._tell = tell
        self._site, self._folder, self._port = site, folder, port

    def tell(self, what: str) -> None:
        """One line, whole in the pipe before the next thing happens."""
        os.write(self._tell, what.encode() + b"\n")

    async def run(self, first: int, *, to_the_end: bool) -> None:
        plant = Modbus(name="plant", host="127.0.0.1", port=self._port, clock=self.clock, timeout_s=0.5, direct=True)
        gate, _ = open_gate(self._site, self._folder / "gate", self.clock, {"plant": plant}, cost=CHEAP)
        gate.start(clock="crash")
        self._nothing_serves_again(gate)
        if gate.people.get(PERSON) is None:
            gate.people.add(PERSON, ["operator"], PASSWORD)
        wake = asyncio.Event()
        gate.on_proposal = wake.set
        tables = tuple(gate.tables.values())
        up = keeping.keep(
            plant, tables, clock=self.clock, random=Random(1), ingest=gate.ingest, lost=lambda why: gate.lost("plant", why),
            found=lambda: gate.found("plant"),
        )  # fmt: skip
        tasks = [asyncio.create_task(up), asyncio.create_task(pulse(gate, wake))]
        work = asyncio.create_task(self._settle(gate) if to_the_end else self._work(gate, first))
        done, _ = await asyncio.wait([*tasks, work], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await plant.close()
        gate.close()

    async def _ready(self, gate: Gatekeeper) -> None:
        for _ in range(round(READY_S_MAX / 0.002)):
            if gate.live.good_value("stand/a_now") is not None:
                break
            await asyncio.sleep(0.002)
        self.tell("ready")

    async def _work(self, gate: Gatekeeper, first: int) -> None:
        await self._ready(gate)
        for job in gate.jobs.open():
            if job.state in WAIT_FOR_PERSON:
                self._resolve(gate, job.proposal.id)
        for scope, level in gate.autonomy.all():
            if level != "act":  # what faults lowered only a person raises
                gate.acts.set_autonomy(scope, "act", PERSON, "person")
        for number in range(first, first + PROPOSALS):
            # Every value is wanted once in a life, so that the device's account tells whose write it was.
            value = 20.0 + number / 100
            sets = self.random.choice((((A, value),), ((B, value),), ((A, value), (B, value))))
            name = f"p{number}"
            gate.watchdog.heard()
            how = self.random.random()
            valid_s = 1.0 if how > ANSWERED_SHARE else 100.0  # nobody answers: it expires
            with contextlib.suppress(ApprovalError):
                decision = gate.propose("ann-agent", Proposal(id=name, incident="i", action=Write(sets=sets), reason="r", valid_s=valid_s))
                if decision.verdict == "ask" and how <= ANSWERED_SHARE:
                    await asyncio.sleep(self.random.random() * PAUSE_S)
                    self._answer(gate, name, yes=how <= YES_SHARE)
            await asyncio.sleep(self.random.random() * PAUSE_S)
        await asyncio.Event().wait()

    async def _settle(self, gate: Gatekeeper) -> None:
        """Until all that is open waits for a person."""
        await self._ready(gate)
        for _ in range(round(SETTLE_S_MAX / 0.01)):
            if all(job.state in WAIT_FOR_PERSON for job in gate.jobs.open()):
                return
            await asyncio.sleep(0.01)

    def _answer(self, gate: Gatekeeper, name: str, *, yes: bool) -> None:
        attempt = gate.people.begin(PERSON)
        key = gate.people.finish(attempt, opened(attempt.seal, PASSWORD))
        gate.acts.sign(name, PERSON, "", key, yes=yes, reason="r")
        if yes:
            self.tell(f"signed {name}")

    def _resolve(self, gate: Gatekeeper, name: str) -> None:
        attempt = gate.people.begin(PERSON)
        key = gate.people.finish(attempt, opened(attempt.seal, PASSWORD))
        gate.acts.resolve(name, PERSON, key, result="verified", reason="looked")

    def _nothing_serves_again(self, gate: Gatekeeper) -> None:
        """Right after a start no answer from before may be used: neither a used one nor one that was not used."""
        rows = gate.log.state.rows("SELECT proposal, binds FROM ask ORDER BY rowid DESC LIMIT ?", (ASKS_TRIED,))
        for proposal, binds in rows:
            with contextlib.suppress(ApprovalError, _Doubt), gate.log.state.transaction():
                gate.inbox.consume(str(proposal), binds=str(binds))
                self.tell(f"reused {proposal}")
                raise _Doubt


def live(life: Life, first: int, armed: str, *, to_the_end: bool) -> int:
    """The exit code: 0 came to its end, 3 a fault that was injected."""
    failpoints.arm(armed)
    try:
        asyncio.run(life.run(first, to_the_end=to_the_end))
    except failpoints.InjectedFault:
        return 3
    return 0
