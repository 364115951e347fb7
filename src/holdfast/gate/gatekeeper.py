"""The gate itself: frames go in, decisions come out, and every step is on record. It runs on whatever clock it is given.

One thread. `ingest` and `propose` don't wait; only `advance` talks to devices. A virtual clock's driver calls all
three in turn; the gate process calls them as frames, messages and due times come.

What it is made of is in actuation/parts.py, what it looks at before it sends in actuation/eyes.py, what may be asked of it
in actuation/answers.py. No record, no write (actuation/debts.py); what people do is in actuation/acts.py.
"""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.gate.actuation.activation import Activation
from holdfast.gate.actuation.answers import Answers
from holdfast.gate.actuation.failpoints import committing
from holdfast.gate.actuation.jobs import Job
from holdfast.gate.actuation.parts import Parts
from holdfast.gate.connectors.limits import told_by
from holdfast.gate.guard.binds import recorded
from holdfast.gate.guard.decide import decide
from holdfast.gate.ledger.checkpoint import Checkpoints
from holdfast.gate.ledger.store import StateError
from holdfast.terms import SECOND_NS, Decision, Diagnosis, Finding, Frame, Move, Proposal, Report, Snapshot, Write, digest

CHECKPOINT_EVERY_S = 60.0


class Gatekeeper(Answers):
    def __init__(self, parts: Parts, checkpoints: Checkpoints) -> None:
        super().__init__(parts)
        self.checkpoints = checkpoints
        self.models = parts.models
        self.activation = Activation(parts, self.clock)
        self.site_file: Path | None = None  # whose differences from what is in force `on_disk` tells
        self._state = parts.state
        self._history = parts.intake.store
        self._checkpoint_due_ns = self.clock.monotonic_ns()

    @property
    def on_proposal(self) -> Callable[[], None]:
        """Called when there may be something to do."""
        return self.parts.changed

    @on_proposal.setter
    def on_proposal(self, called: Callable[[], None]) -> None:
        self.parts.changed = called

    def remember(self, frames: Iterable[Frame]) -> None:
        """Take in what an older historian kept, before the first frame of its own."""
        self.intake.remember(frames)

    def close(self) -> None:
        self.intake.keep()
        self.debts.settle(now=True)
        self._history.close()
        self._state.close()

    def start(self, *, clock: str) -> None:
        """Put on record what this run stands on."""
        with self._state.transaction():
            self.log.append("configuration", {"digest": self.compiled.digest, "site": dataclasses.replace(self.site, connections=())})
            if self.on_disk:
                self.log.append("configuration.unused", {"what": self.on_disk})
            self.log.append("start", {"configuration": self.compiled.digest, "clock": clock, "stopped": self.stop.stopped()})
        self.checkpoint()
        self._tell()

    # ---- data --------------------------------------------------------------------------------------------------------

    def ingest(self, frame: Frame) -> Frame:
        """Take a frame of a connection. Its rows get the gate's own sequence numbers; returns it so."""
        frame = self.intake.take(frame)
        self.eyes.react()
        return frame

    def lost(self, connection: str, why: str) -> None:
        """All its tags are Bad at once."""
        self.eyes.lost(connection, why)

    async def ask_limits(self, connection: str) -> None:
        """What the server says of the tags that we write: it tightens every decision from now on. Raises ConnectionLost."""
        of = [tag for tag in self.site.tags if tag.connection == connection]
        for limit in await told_by(self.connectors[connection], of):
            self.parts.snapshots.limits[limit.tag] = limit

    def found(self, connection: str) -> None:
        self.parts.contacts.found(connection)
        self.debts.owe("connection", {"connection": connection, "state": "connected", "why": ""})

    # ---- proposals ---------------------------------------------------------------------------------------------------

    def propose(self, author: str, proposal: Proposal) -> Decision:
        """Decide and record; nothing is sent yet. The same id again, from the same author, gives the same decision.

        Raises StateError or HistoryError while nothing can be recorded, ApprovalError when too many questions wait, ValueError
        for what has no place in a record; then nothing is decided.
        """
        self.watchdog.heard(author)
        self.debts.demand_well()
        known = self.jobs.get(proposal.id)
        if known is not None:
            if known.author == author and known.proposal == proposal:
                return known.decision
            proposal = dataclasses.replace(proposal, id=f"{proposal.id}!{digest((author, proposal))[:12]}")
            if (again := self.jobs.get(proposal.id)) is not None:
                return again.decision
        now_ns = self.debts.now_ns()
        self.debts.demand_settled()
        snapshot = self.parts.snapshots.take(proposal, now_ns)
        decision = decide(proposal, author, self.compiled, snapshot)
        job = Job(proposal=proposal, author=author, decision=decision)
        expires_ns = 0 if decision.verdict == "refuse" else self.clock.monotonic_ns() + round(proposal.valid_s * SECOND_NS)
        try:
            self._record_decision(job, proposal, snapshot, expires_ns)
        except StateError as error:
            self.debts.ill(error)
            raise
        self._tell()
        self.on_proposal()
        return decision

    def _record_decision(self, job: Job, proposal: Proposal, snapshot: Snapshot, expires_ns: int) -> None:
        decision = job.decision
        with committing(self._state, "decision"):
            self.log.append("decision", {"proposal": proposal, "decision": decision, "snapshot": recorded(snapshot)})
            match (decision.would, decision.verdict):
                case (_, "refuse"):
                    job = job.on("refuse")
                case (True, _):
                    job = job.on("would")
                    self._shadow(job, snapshot.at_ns)
                case (False, "ask"):
                    job = job.on("ask", expires_ns=expires_ns)
                    self.inbox.open(decision, proposal.valid_s, tags=job.tags)
                case (False, "permit"):
                    job = job.on("permit", expires_ns=expires_ns)
            self.jobs.put(job)

    def _shadow(self, job: Job, now_ns: int) -> None:
        """Shadow has counters of its own, so that it shows what act would have been allowed."""
        action = job.proposal.action
        for tag, value in action.sets if isinstance(action, Write) else ():
            present = self.live.good_value(self.compiled.bounds[tag].present.tag.name)
            if present is not None:
                self.moves.add(Move(tag=tag, before=present, after=value, at_ns=now_ns, by=job.author, ours=True, shadow=True))

    async def advance(self) -> bool:
        """Do what is due: writes, read-backs, effects, heartbeats, expiries, checkpoints. True if anything happened."""
        changed = False
        try:
            if self.debts.recovered():
                if news := self.alarms.due(self.debts.now_ns()):
                    self.debts.owe_all(news, ())
                changed = self._expire()
                changed = await self.saga.advance() or changed
                self._keep()
        except StateError as error:
            self.debts.ill(error)
        await self.watchdog.beat()
        self.debts.watch_over()
        if changed:
            self._tell()
        return changed

    def _keep(self) -> None:
        """Now and then: sign the head of the record, note that the gate runs, let old things go."""
        now = self.clock.monotonic_ns()
        if now < self._checkpoint_due_ns:
            return
        self._checkpoint_due_ns = now + round(CHECKPOINT_EVERY_S * SECOND_NS)
        self.checkpoint()
        self.moves.alive(self.clock.now_ns())
        self.jobs.trim()
        if dropped := self.intake.trim():
            self.debts.owe("history", {"dropped": dropped, "why": "its cap, or the end of the disk, is reached: the oldest rows went"})

    def checkpoint(self) -> None:
        """Sign the head of the record, if it has grown."""
        last = self.checkpoints.last()
        if last is None or last.size != self.log.size:
            self.checkpoints.sign(self.clock.now_ns())

    def _expire(self) -> bool:
        now = self.clock.monotonic_ns()
        late = [job for job in self.jobs.open() if job.state in ("asked", "approved") and now > job.expires_ns]
        for job in late:
            with committing(self._state, "expired"):
                if job.state == "asked":
                    self.inbox.void(job.proposal.id, "approval.expired")
                self.jobs.put(job.on("expire"))
                self.log.append("expired", {"proposal": job.proposal.id, "author": job.author})
        return bool(late)

    # ---- what agents say, and who hears of it --------------------------------------------------------------------------

    def find(self, author: str, finding: Finding) -> None:
        self.debts.record("finding", {"author": author, "finding": finding})

    def diagnose(self, author: str, diagnosis: Diagnosis) -> None:
        self.debts.record("diagnosis", {"author": author, "diagnosis": diagnosis})

    def publish(self, author: str, report: Report) -> None:
        self.debts.record("report", {"author": author, "report": report})

    def _tell(self) -> None:
        self.parts.hearers.tell()
