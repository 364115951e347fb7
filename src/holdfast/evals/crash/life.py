"""One life of a gate, in a process of its own: it reconciles, works for an agent and people, and is killed by whoever started it.

Time runs FACTOR times as fast, so that a read-back's second does not last one; a write's time limit is real and short.
"""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from holdfast.clock import Clock
from holdfast.evals.crash.acts import PASSWORD, PERSON, SILENT_S, Hands, StepClock, open_again
from holdfast.gate import gatekeeper
from holdfast.gate.actuation import failpoints, moves, saga, watchdog, wire
from holdfast.gate.actuation.transitions import WAIT_FOR_PERSON
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.configuration import Configurations
from holdfast.gate.connectors import keep as keeping
from holdfast.gate.connectors.modbus import Modbus
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.people import Cost, LockedOut, People
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.gate.process import open_gate, pulse
from holdfast.run.backup import BackupError, back_up, restore
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, digest

FACTOR = 40.0
WRITE_TIMEOUT_S = 0.08
BACKOFF_S = 0.01
UNREADABLE_AGAIN_S = 0.4  # of the clock: 10 ms
READBACK_AGAIN_S = 0.2  # of the clock: 5 ms
KEEP_S = 1.0  # of the clock, between two checkpoints, where a life is about that
READY_S_MAX = 3.0
SETTLE_S_MAX = 12.0
ACTS_MAX = 60  # of one life, more than it has time for
ASKS_TRIED = 5  # old questions whose answers must not serve again
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
SPARE, ARCHIVE, FIRST = "spare", "backup.tar", "first"
NUMBERS = 4 * ACTS_MAX  # of one life

DIED = "died"  # told by a life that ended by itself
RECORDED = "recorded"  # anything, with every record told with the length of the write-ahead log
RECORDS = ("leave", "any write", "order", "leave", "stop", "any write", "finding")


class _Doubt(Exception):
    """Only rolls back."""


class Life:
    def __init__(self, site: Site, folder: Path, port: int, epoch_ns: int, random: Random, tell: int) -> None:
        wire.WRITE_TIMEOUT_S = WRITE_TIMEOUT_S
        saga.UNREADABLE_AGAIN_S = UNREADABLE_AGAIN_S
        saga.READBACK_AGAIN_S = READBACK_AGAIN_S
        keeping.BACKOFF_S_MIN = BACKOFF_S
        self.clock = StepClock(epoch_ns, FACTOR)
        self.random = random
        self._tell = tell
        self._site, self._folder, self._port = site, folder, port
        self._before: Mapping[str, Callable[[], None]] = {
            "first configuration": self._first_configuration,
            "activate": self._activate,
            "live activation": self._kept_first,
            "put back": self._put_back,
            "another envelope": self._another_envelope,
        }

    def tell(self, what: str) -> None:
        """One line, whole in the pipe before the next thing happens."""
        os.write(self._tell, what.encode() + b"\n")

    async def run(self, first: int, act: str, *, to_the_end: bool) -> None:
        _hasten(act)
        for before in (self._before[act],) if act in self._before else ():
            with contextlib.suppress(LockedOut):  # of lives that were killed while they looked at a password
                before()
        if to_the_end:
            open_again(self._folder / "gate")
        plant = self._plant()
        gate, agents = self._opened(self._site, self._folder / "gate", self.clock, plant)
        gate.start(clock="crash")
        self._nothing_serves_again(gate)
        if gate.people.get(PERSON) is None:
            gate.people.add(PERSON, ["operator"], PASSWORD)
        if act == RECORDED:
            gate.listeners.append(lambda heard: self.tell(f"told {heard.seq} {heard.kind} {self._log_bytes()}"))
        wake = asyncio.Event()
        gate.on_proposal = wake.set
        tables = tuple(gate.tables.values())
        up = keeping.keep(
            plant, tables, clock=self.clock, random=Random(1), ingest=gate.ingest, lost=lambda why: gate.lost("plant", why),
            found=lambda: gate.found("plant"),
        )  # fmt: skip
        tasks = [asyncio.create_task(part) for part in (up, pulse(gate, wake), gate.errands.run(self.clock))]
        hands = Hands(gate, agents, self.clock, self.random, self.tell, first)
        work = asyncio.create_task(self._settle(gate) if to_the_end else self._work(gate, hands, act))
        done, _ = await asyncio.wait([*tasks, work], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await plant.close()
        gate.close()

    def _log_bytes(self) -> int:
        return (self._folder / "gate" / "state.db-wal").stat().st_size

    def _plant(self) -> Modbus:
        return Modbus(name="plant", host="127.0.0.1", port=self._port, clock=self.clock, timeout_s=0.5, direct=True)

    @staticmethod
    def _opened(site: Site, folder: Path, clock: Clock, plant: Modbus) -> tuple[Gatekeeper, Agents]:
        return open_gate(site, folder, clock, {"plant": plant}, cost=CHEAP)

    async def _ready(self, gate: Gatekeeper) -> None:
        for _ in range(round(READY_S_MAX / 0.002)):
            if gate.live.good_value("stand/a_now") is not None:
                break
            await asyncio.sleep(0.002)
        self.tell("ready")

    async def _work(self, gate: Gatekeeper, hands: Hands, act: str) -> None:
        await self._ready(gate)
        hands.tidy()
        for number in range(ACTS_MAX):
            chosen = RECORDS[number % len(RECORDS)] if act == RECORDED else act
            await hands.do(chosen if chosen in hands.acts else hands.any())
        await asyncio.Event().wait()

    async def _settle(self, gate: Gatekeeper) -> None:
        """Until all that is open waits for a person."""
        await self._ready(gate)
        for scope in gate.stop.stopped():
            gate.stop.release(scope)
        for _ in range(round(SETTLE_S_MAX / 0.01)):
            if all(job.state in WAIT_FOR_PERSON for job in gate.jobs.open()):
                return
            await asyncio.sleep(0.01)

    def _nothing_serves_again(self, gate: Gatekeeper) -> None:
        """Right after a start no answer from before may be used: neither a used one nor one that was not used."""
        for proposal in served_again(gate):
            self.tell(f"reused {proposal}")

    # ---- before a gate opens -----------------------------------------------------------------------------------------

    def _first_configuration(self) -> None:
        """The first start of a home; one that was killed in it is looked at again: all or nothing was kept."""
        home = self._folder / FIRST
        with contextlib.closing(State(home)) as state:
            known = self._configurations(state).active()
            if known is not None and known.digest != digest(self._site):
                self.tell("torn configuration")
        shutil.rmtree(home)
        with contextlib.closing(State(home)) as state:
            self._configurations(state).first(self._site)

    def _kept_first(self) -> None:
        """What is in force is what this gate runs, so that a running one can go on from it."""
        with contextlib.closing(State(self._folder / "gate")) as state:
            self._configurations(state).first(self._site)

    def _activate(self) -> None:
        with contextlib.closing(State(self._folder / "gate")) as state:
            kept = self._configurations(state)
            now = kept.first(self._site)
            policy = dataclasses.replace(now.site.policy, revision=now.revision + 1)
            stands = kept.activate(dataclasses.replace(now.site, policy=policy), PERSON, PASSWORD)
            if stands.adopted:
                self.tell(f"activated {stands.digest}")

    def _configurations(self, state: State) -> Configurations:
        log = Log(state, self.clock)
        people = People(state, log, self.clock, os.urandom, cost=CHEAP)
        if people.get(PERSON) is None:
            people.add(PERSON, ["operator"], PASSWORD)
        return Configurations(state, log, people, self.clock)

    def _put_back(self) -> None:
        """A backup of this home put in place of a spare one, where nothing of it may serve again."""
        spare, archive = self._folder / SPARE, self._folder / ARCHIVE
        had = self._folder / "had a spare"
        if had.exists() and not spare.exists():
            self.tell("torn home: a restore that was killed left none, and the next start would count from nothing")
        if not (self._folder / "gate" / "state.db").exists():
            return  # the first life of a folder: there is nothing to back up yet
        self._look_at_spare(spare)
        spare.mkdir(exist_ok=True)
        (spare / "something").touch()
        had.touch()
        archive.unlink(missing_ok=True)
        try:
            back_up(self._folder, archive, at_ns=self.clock.now_ns())
        except BackupError as error:
            if error.code != "backup.unsigned":
                raise
            return  # the lives before were all killed before they signed anything
        _, aside = restore(archive, spare, at_ns=self.clock.now_ns(), force=True)
        if aside is not None:
            shutil.rmtree(aside)
        self._look_at_spare(spare)

    def _look_at_spare(self, spare: Path) -> None:
        if not (spare / "gate" / "state.db").exists():
            return
        gate, _ = self._opened(self._site, spare / "gate", self.clock, self._plant())
        if gate.autonomy.of("*") != "observe":
            self.tell("revived autonomy")
        for proposal in served_again(gate):
            self.tell(f"reused {proposal}")
        gate.close()

    def _another_envelope(self) -> None:
        """A loop is commissioned and then changed: at the next start it is not commissioned any more."""
        plant, of = self._plant(), self._site
        gate, agents = self._opened(of, self._folder / "gate", self.clock, plant)
        Hands(gate, agents, self.clock, self.random, self.tell, 0).rung_signed("shadow")
        gate.close()
        envelopes = tuple(dataclasses.replace(e, yield_s=e.yield_s + 1.0) for e in of.envelopes)
        gate, _ = self._opened(dataclasses.replace(of, envelopes=envelopes), self._folder / "gate", self.clock, plant)
        if gate.autonomy.rungs.of("stand/c.sp").rung:
            self.tell("revived commissioning")
        gate.close()


def served_again(gate: Gatekeeper) -> tuple[str, ...]:
    """Proposals whose approval, as it was asked, could be used now. Tried and rolled back."""
    found: list[str] = []
    rows = gate.log.state.rows("SELECT proposal, binds FROM ask ORDER BY rowid DESC LIMIT ?", (ASKS_TRIED,))
    for proposal, binds in rows:
        with contextlib.suppress(ApprovalError, _Doubt), gate.log.state.transaction("suite"):
            gate.inbox.consume(str(proposal), binds=str(binds))
            found.append(str(proposal))
            raise _Doubt
    return tuple(found)


def _hasten(act: str) -> None:
    """What takes a minute, for the lives that are about it."""
    if act == "keep":
        gatekeeper.CHECKPOINT_EVERY_S = KEEP_S
        moves.ALIVE_EVERY_NS = round(KEEP_S * SECOND_NS)
    if act == "silence":
        watchdog.AGENT_LOST_S = SILENT_S / 2


def live(life: Life, first: int, act: str, armed: str, *, to_the_end: bool) -> int:
    """The exit code: 0 came to its end."""
    failpoints.arm(armed, lambda name: _known(life, name))
    try:
        asyncio.run(life.run(first, act, to_the_end=to_the_end))
    except BaseException as error:
        at = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(traceback.extract_tb(error.__traceback__)[-4:]))
        life.tell(f"{DIED} {act}, {armed or 'no failpoint'}: {error!r} at {at}".replace("\n", " "))
        raise
    if not to_the_end:
        life.tell(f"{DIED} {act}, {armed or 'no failpoint'}: came to its end")
    return 0


def _known(life: Life, name: str) -> None:
    if name not in failpoints.COMMITS and name != "suite" and name != "store.undo":
        life.tell(f"unnamed {name}")
