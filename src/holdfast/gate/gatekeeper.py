"""The gate itself: frames go in, decisions come out, and every step is on record. It runs on whatever clock it is given.

One thread. `ingest` and `propose` don't wait; only `advance` talks to devices. A virtual clock's driver calls all
three in turn; the gate process calls them as frames, messages and due times come.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.jobs import Job, Jobs
from holdfast.gate.actuation.moves import Moves, OperatorWatch, Taken
from holdfast.gate.actuation.saga import READ_TIMEOUT_S, Saga, Second
from holdfast.gate.actuation.snapshot import Snapshots
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.actuation.watchdog import Watchdog
from holdfast.gate.alarms.limits import AlarmWatch
from holdfast.gate.approval.inbox import ApprovalError, Inbox
from holdfast.gate.approval.signatures import signed_bytes
from holdfast.gate.context.live import Live
from holdfast.gate.guard.binds import recorded, snapshot_digest
from holdfast.gate.guard.compile import compile_site
from holdfast.gate.guard.decide import decide, stands
from holdfast.gate.history.ring import Ring
from holdfast.gate.history.store import History
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.checkpoint import Checkpoints
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.link import Progress
from holdfast.ports import ConnectionLost, Connector
from holdfast.site.model import Site
from holdfast.site.tables import tables
from holdfast.terms import (
    SECOND_NS,
    Alarm,
    Approval,
    Autonomy,
    Decision,
    Diagnosis,
    Finding,
    Frame,
    Move,
    Proposal,
    Record,
    Sample,
    Write,
    digest,
)

CHECKPOINT_EVERY_S = 60.0
HISTORY_ROWS_MAX = 86_400
MOVES_TOLD_MAX = 1_000


def _nothing() -> None:
    """For who waits for nothing."""


class Gatekeeper:
    """Raises SiteError where the policy can't be compiled."""

    def __init__(
        self,
        *,
        site: Site,
        clock: Clock,
        state: State,
        log: Log,
        people: People,
        inbox: Inbox,
        checkpoints: Checkpoints,
        connectors: Mapping[str, Connector],
        history: History,
    ) -> None:
        self.site = site
        self.clock = clock
        self.log = log
        self.inbox = inbox
        self.people = people
        self.connectors = connectors
        self.checkpoints = checkpoints
        self.compiled = compile_site(site)
        self.tables = {table.id: table for table in tables(site)}
        self.live = Live(tuple(self.tables.values()), clock)
        self.rings = {table.id: Ring(table.id, len(table.tags)) for table in self.tables.values()}
        self.alarms = AlarmWatch(site.alarms)
        self.stop = StopSwitch(state.folder / "stop.switch")
        self.moves = Moves(state, clock.now_ns())
        self.jobs = Jobs(state)
        self.autonomy = AutonomyLevels(state, site)
        self.watch = OperatorWatch(site)
        self.watchdog = Watchdog(site, clock, self.stop, connectors)
        self.listeners: list[Callable[[Record], None]] = []
        self.on_proposal: Callable[[], None] = _nothing
        self._state = state
        self._history = history
        self._tag = {tag.name: tag for tag in site.tags}
        self._place = {tag.name: (table.id, i) for table in self.tables.values() for i, tag in enumerate(table.tags)}
        self._snapshots = Snapshots(
            compiled=self.compiled,
            live=self.live,
            moves=self.moves,
            jobs=self.jobs,
            stop=self.stop,
            autonomy=self.autonomy,
            connectors=connectors,
        )
        self.saga = Saga(
            site=site,
            clock=clock,
            log=log,
            jobs=self.jobs,
            moves=self.moves,
            watch=self.watch,
            stop=self.stop,
            connectors=connectors,
            eyes=self,
        )
        self._checkpoint_due_ns = clock.monotonic_ns()
        self._told = log.size
        for ring in self.rings.values():
            ring.next_seq = history.next_seq(ring.table)

    def remember(self, frames: Iterable[Frame]) -> None:
        """Take in what an older historian kept, before the first frame of its own."""
        for frame in frames:
            self._history.append(frame)
            self.rings[frame.table].next_seq = frame.seq + frame.rows

    def close(self) -> None:
        self._history.close()
        self._state.close()

    def start(self, *, clock: str) -> None:
        """Put on record what this run stands on."""
        with self._state.transaction():
            self.log.append("configuration", {"digest": self.compiled.digest, "site": dataclasses.replace(self.site, connections=())})
            self.log.append("start", {"configuration": self.compiled.digest, "clock": clock, "stopped": self.stop.stopped()})
        self.checkpoint()
        self._tell()

    # ---- data --------------------------------------------------------------------------------------------------------

    def ingest(self, frame: Frame) -> Frame:
        """Take a frame of a connection. Its rows get the gate's own sequence numbers; returns it so."""
        ring = self.rings[frame.table]
        frame = dataclasses.replace(frame, seq=ring.next_seq)
        self.live.ingest(frame)
        ring.append(frame)
        self._history.append(frame)
        self._react()
        return frame

    def lost(self, connection: str, why: str) -> None:
        """All its tags are Bad at once."""
        self.live.lost(connection)
        self._append("connection", {"connection": connection, "state": "lost", "why": why[:300]})

    def found(self, connection: str) -> None:
        self._append("connection", {"connection": connection, "state": "connected", "why": ""})

    def _react(self) -> None:
        """What the newest values mean: alarms, and others' hands on a loop. Writes to the record only if there is something."""
        now_ns = self.clock.now_ns()
        changed = tuple(self.alarms.step(self.live.good_value, now_ns))
        taken = tuple(self.watch.step(self.live.good_value))
        if changed or taken:
            with self._state.transaction():
                for alarm in changed:
                    self.log.append("alarm", alarm)
                for act in taken:
                    self._operator_wins(act, now_ns)
            self._tell()

    def _operator_wins(self, act: Taken, now_ns: int) -> None:
        """Somebody else acted on a loop: what waits for it is void, and Holdfast keeps off for `yield`."""
        envelope = self.compiled.bounds[act.sp].envelope
        until_ns = now_ns + round(envelope.yield_s * SECOND_NS)
        moved = act.what in ("setpoint", "external setpoint")
        if moved:
            self.moves.add(Move(tag=act.sp, before=act.before, after=act.after, at_ns=now_ns, by="operator", ours=False))
        self.moves.yield_until(act.sp, until_ns)
        self.log.append("taken", {"tag": act.sp, "what": act.what, "before": act.before, "after": act.after, "yield_until_ns": until_ns})
        for job in self.jobs.open():
            if act.sp in job.tags and job.state in ("asked", "approved"):
                self.inbox.void(job.proposal.id, "operator.wins")
                self.jobs.put(job.on("void"))

    # ---- proposals ---------------------------------------------------------------------------------------------------

    def propose(self, author: str, proposal: Proposal) -> Decision:
        """Decide and record; nothing is sent yet. The same id again, from the same author, gives the same decision."""
        self.watchdog.heard()
        known = self.jobs.get(proposal.id)
        if known is not None:
            if known.author == author and known.proposal == proposal:
                return known.decision
            proposal = dataclasses.replace(proposal, id=f"{proposal.id}!{digest((author, proposal))[:12]}")
            if (again := self.jobs.get(proposal.id)) is not None:
                return again.decision
        snapshot = self._snapshots.take(proposal, self.clock.now_ns())
        decision = decide(proposal, author, self.compiled, snapshot)
        job = Job(proposal=proposal, author=author, decision=decision)
        expires_ns = self.clock.monotonic_ns() + round(proposal.valid_s * SECOND_NS)
        with self._state.transaction():
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
        self._tell()
        self.on_proposal()
        return decision

    def _shadow(self, job: Job, now_ns: int) -> None:
        """Shadow has counters of its own, so that it shows what act would have been allowed."""
        action = job.proposal.action
        for tag, value in action.sets if isinstance(action, Write) else ():
            present = self.live.good_value(self.compiled.bounds[tag].present.tag.name)
            if present is not None:
                self.moves.add(Move(tag=tag, before=present, after=value, at_ns=now_ns, by=job.author, ours=True, shadow=True))

    async def advance(self) -> bool:
        """Do what is due: writes, read-backs, effects, heartbeats, expiries, checkpoints. True if anything happened."""
        changed = self._expire()
        changed = await self.saga.advance() or changed
        await self.watchdog.beat()
        now = self.clock.monotonic_ns()
        if now >= self._checkpoint_due_ns:
            self._checkpoint_due_ns = now + round(CHECKPOINT_EVERY_S * SECOND_NS)
            self.checkpoint()
            self.moves.alive(self.clock.now_ns())
        if changed:
            self._tell()
        return changed

    def checkpoint(self) -> None:
        """Sign the head of the record, if it has grown."""
        last = self.checkpoints.last()
        if last is None or last.size != self.log.size:
            self.checkpoints.sign(self.clock.now_ns())

    def _expire(self) -> bool:
        now = self.clock.monotonic_ns()
        late = [job for job in self.jobs.open() if job.state in ("asked", "approved") and now > job.expires_ns]
        for job in late:
            with self._state.transaction():
                if job.state == "asked":
                    self.inbox.void(job.proposal.id, "approval.expired")
                self.jobs.put(job.on("expire"))
                self.log.append("expired", {"proposal": job.proposal.id})
        return bool(late)

    # ---- what the saga needs (saga.Eyes) -----------------------------------------------------------------------------

    async def read(self, tags: Sequence[str]) -> Mapping[str, Sample]:
        by_connection: dict[str, list[str]] = {}
        for tag in tags:
            by_connection.setdefault(self._tag[tag].connection, []).append(tag)
        samples: dict[str, Sample] = {}
        for connection, names in by_connection.items():
            try:
                found = await self.connectors[connection].read([self._tag[n] for n in names])
            except (ConnectionLost, OSError, TimeoutError) as error:
                self.lost(connection, str(error) or f"no answer within {READ_TIMEOUT_S} s")
                continue
            samples.update((s.tag, s) for s in found)
        self.live.take(samples.values())
        return samples

    async def decide_again(self, job: Job) -> Second:
        await self.read(self._snapshots.tags(job.proposal))
        # Whoever moved the loop a moment ago is seen now, not with the next frame.
        self._react()
        current = self.jobs.get(job.proposal.id)
        snapshot = self._snapshots.take(job.proposal, self.clock.now_ns())
        second = decide(job.proposal, job.author, self.compiled, snapshot)
        signed = tuple(approval.role for approval in self.inbox.signed(job.proposal.id) if approval.yes)
        reason = stands(job.decision, second, signed)
        written = [wire.tag for wire in snapshot.wires]
        present = {r.tag: r.value for r in snapshot.readings}
        return Second(
            stands=reason.passed and current is not None and current.state == "approved",
            present=tuple((tag, present[self.compiled.bounds[tag].present.tag.name]) for tag in written if tag in self.compiled.bounds),
            wanted=tuple((wire.tag, wire.value) for wire in snapshot.wires),
            reasons=tuple(r for r in (*second.reasons, reason) if not r.passed) or (reason,),
            snapshot=snapshot_digest(snapshot),
            binds=second.binds,
            roles=second.roles,
        )

    def mean(self, tag: str, seconds: float) -> float | None:
        table, column = self._place[tag]
        rows = max(1, round(seconds / self.tables[table].period_s))
        frame = self.rings[table].last(rows)
        if frame is None:
            return None
        good = frame.status[:, column] == 0
        return float(frame.values[good, column].mean()) if good.any() else None

    def consume_approval(self, job: Job, second: Second) -> None:
        if job.decision.verdict == "ask":
            self.inbox.consume(job.proposal.id, binds=second.binds, roles=second.roles)

    # ---- people ------------------------------------------------------------------------------------------------------

    def sign(self, proposal: str, person: str, role: str, key: Ed25519PrivateKey, *, yes: bool, reason: str) -> Progress:
        """A person's yes or no, signed with the key that their password opened. Raises ApprovalError.

        `role` "" takes the first that is asked for and that the person has. What is signed binds the world as it is
        now: if the setpoint or the mode has changed since it was asked, the answer is refused.
        """
        job, ask = self.jobs.get(proposal), self.inbox.ask(proposal)
        if job is None or ask is None:
            raise ApprovalError("approval.unknown", proposal)
        person = self.inbox.named(person)
        role = role or next((r for r in ask.roles if r in self.people.roles(person)), "")
        now = decide(job.proposal, job.author, self.compiled, self._snapshots.take(job.proposal, self.clock.now_ns()))
        message = signed_bytes(binds=now.binds, person=person, role=role, yes=yes, reason=reason)
        approval = Approval(
            proposal=proposal,
            binds=now.binds,
            person=person,
            role=role,
            yes=yes,
            reason=reason,
            at_ns=self.clock.now_ns(),
            signature=key.sign(message),
        )
        with self._state.transaction():
            self.inbox.record(approval)
            match self.inbox.state(proposal):
                case "approved" if job.state == "asked":
                    job = self.jobs.put(job.on("signed"))
                case "refused" if job.state == "asked":
                    job = self.jobs.put(job.on("declined"))
                case _:
                    pass
        self._tell()
        self.on_proposal()
        return job.progress

    def press_stop(self, scope: str, by: str) -> None:
        """Works whatever else is broken; the record follows if it can."""
        self.stop.press(scope, by)
        self._append("stop", {"scope": scope, "by": by})

    def resume(self, scope: str, person: str, signature: bytes) -> None:
        """The caller has checked the person's password."""
        with self._state.transaction():
            self.log.append("resume", {"scope": scope, "by": person, "signature": signature})
            self.stop.release(scope)
        self._tell()

    def set_autonomy(self, scope: str, level: Autonomy, by: str, kind: Literal["person", "fault"]) -> None:
        """People raise and lower, faults only lower; below the site file's ceilings in any case. Raises ValueError."""
        if kind == "fault" and self.autonomy.raises(scope, level):
            raise ValueError("only a person raises autonomy")
        with self._state.transaction():
            self.autonomy.set(scope, level)
            self.log.append("autonomy", {"scope": scope, "level": level, "by": by, "kind": kind})
        self._tell()

    # ---- what an agent may ask (link.Link, with its author) ------------------------------------------------------------

    def site_view(self) -> Site:
        return dataclasses.replace(self.site, connections=())

    def frames(self, table: str, after: int) -> Frame | None:
        self.watchdog.heard()
        return self.rings[table].read(after)

    def history(self, table: str, from_ns: int, to_ns: int, rows_max: int) -> Frame:
        rows_max = min(max(rows_max, 1), HISTORY_ROWS_MAX)
        columns = len(self.tables[table].tags)
        return self._history.read(table, from_ns, to_ns, rows_max, columns)

    def alarm_states(self) -> Sequence[Alarm]:
        return tuple(self.alarms.states.values())

    def moves_since(self, since_ns: int) -> Sequence[Move]:
        return self.moves.since(since_ns)[-MOVES_TOLD_MAX:]

    def find(self, author: str, finding: Finding) -> None:
        self._append("finding", {"author": author, "finding": finding})

    def diagnose(self, author: str, diagnosis: Diagnosis) -> None:
        self._append("diagnosis", {"author": author, "diagnosis": diagnosis})

    def progress(self, proposal: str) -> Progress | None:
        job = self.jobs.get(proposal)
        return None if job is None else job.progress

    def status(self) -> Mapping[str, Any]:
        """What runs, what is stopped and what waits: for the terminal and the console."""
        return {
            "site": self.site.name,
            "configuration": self.compiled.digest,
            "at_ns": self.clock.now_ns(),
            "stopped": self.stop.stopped(),
            "autonomy": self.autonomy.all(),
            "agent_lost": self.watchdog.agent_lost,
            "heartbeat": self.watchdog.beating,
            "alarms": self.alarm_states(),
            "yields": sorted(self.moves.yields.items()),
            "jobs": [{"proposal": job.proposal.id, "state": job.state, "tags": job.tags} for job in self.jobs.open()],
            "connections": {name: dict(connector.health()) for name, connector in self.connectors.items()},
            "records": self.log.size,
        }

    # ---- record ------------------------------------------------------------------------------------------------------

    def _append(self, kind: str, body: Mapping[str, Any]) -> None:
        with self._state.transaction():
            self.log.append(kind, body)
        self._tell()

    def _tell(self) -> None:
        """Hand new records to whoever listens: the event stream and the terminal."""
        if self.listeners:
            for record in self.log.read(self._told):
                for listener in self.listeners:
                    listener(record)
        self._told = self.log.size
