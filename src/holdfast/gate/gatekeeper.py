"""The gate itself: frames go in, decisions come out, and every step is on record. It runs on whatever clock it is given.

One thread. `ingest` and `propose` don't wait; only `advance` talks to devices. A virtual clock's driver calls all
three in turn; the gate process calls them as frames, messages and due times come.

No record, no write: while the disk refuses, nothing is decided, nothing is sent and the heartbeat stops, but data, alarms
and the stop switch go on; what could not be recorded is owed and recorded first when the disk takes it again.
"""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.hands import OperatorWatch, Taken
from holdfast.gate.actuation.jobs import Job, Jobs
from holdfast.gate.actuation.moves import Moves
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
from holdfast.gate.history.store import History, HistoryError
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.checkpoint import Checkpoints
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State, StateError
from holdfast.link import Progress
from holdfast.ports import Connector
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
    Outcome,
    Proposal,
    Record,
    Sample,
    Snapshot,
    Write,
    canonical,
    digest,
)

CHECKPOINT_EVERY_S = 60.0
HISTORY_ROWS_MAX = 86_400
MOVES_TOLD_MAX = 1_000
OWED_MAX = 10_000  # records and acts that wait for a disk; the oldest go first, and the record says how many
CLOCK_STEP_NS = 2 * SECOND_NS
TEXT_MAX = 300
Found = Literal["verified", "failed"]  # what a person found that an indeterminate write did
T = TypeVar("T")


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
        self.watch = OperatorWatch(site, self.moves.seen())
        self.watchdog = Watchdog(site, clock, self.stop, connectors)
        self.listeners: list[Callable[[Record], None]] = []
        self.on_proposal: Callable[[], None] = _nothing
        self._state = state
        self._history = history
        self._fault: Exception | None = None  # why nothing can be recorded now
        self._history_kept = True
        self._owed: deque[tuple[str, Any]] = deque(maxlen=OWED_MAX)
        self._acts: deque[Taken] = deque(maxlen=OWED_MAX)
        self._clock_offset_ns = clock.now_ns() - clock.monotonic_ns()
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
        try:
            self._history.append(frame)
            self._history_kept = True
        except HistoryError as error:
            self._history_kept = False
            self._ill(error)
        self._react()
        return frame

    def lost(self, connection: str, why: str) -> None:
        """All its tags are Bad at once."""
        self.live.lost(connection)
        self._owe("connection", {"connection": connection, "state": "lost", "why": why[:TEXT_MAX]})

    def found(self, connection: str) -> None:
        self._owe("connection", {"connection": connection, "state": "connected", "why": ""})

    def _react(self) -> None:
        """What the newest values mean: alarms, and others' hands on a loop. Writes to the record only if there is something."""
        now_ns = self._now_ns()
        self._owed.extend(("alarm", alarm) for alarm in self.alarms.step(self.live.good_value, now_ns))
        self._acts.extend(self.watch.step(self.live.good_value, now_ns))
        self._settle()

    def _now_ns(self) -> int:
        """UTC, after a step of the clock was seen to: what is counted must not run out because somebody set the time."""
        offset_ns = self.clock.now_ns() - self.clock.monotonic_ns()
        step_ns = offset_ns - self._clock_offset_ns
        if abs(step_ns) >= CLOCK_STEP_NS:
            try:
                with self._state.transaction():
                    self.moves.shift(max(step_ns, 0))
                    self.log.append("clock", {"step_s": step_ns / SECOND_NS})
            except StateError as error:
                self._ill(error)
            else:
                self._clock_offset_ns = offset_ns
        return self.clock.now_ns()

    def _owe(self, kind: str, body: Any) -> None:
        """Record it now, or when the disk takes it. Never raises for the disk."""
        self._owed.append((kind, body))
        self._settle()

    def _settle(self) -> bool:
        """Record all that is owed, in one transaction. False: the disk refused, and all of it is still owed."""
        seen = self.watch.unsaved()
        if not (self._owed or self._acts or seen):
            return True
        owed, acts = tuple(self._owed), tuple(self._acts)
        try:
            with self._state.transaction():
                for kind, body in owed:
                    self.log.append(kind, body)
                for act in acts:
                    self._operator_wins(act)
                self.moves.saw(seen)
        except StateError as error:
            self._ill(error)
            return False
        self._owed.clear()
        self._acts.clear()
        self.watch.saved(seen)
        self._tell()
        return True

    def _ill(self, error: StateError | HistoryError) -> None:
        """The disk refused something: from now on no decision, no write, no heartbeat."""
        if self._fault is None:
            self._owed.append(("fault", {"code": getattr(error, "code", "history"), "since_ns": self.clock.now_ns()}))
        self._fault = error
        self.watchdog.well = False

    def _recovered(self) -> bool:
        """Whether everything can be recorded. After a fault: once the reserve is back and all that was owed is on record."""
        if self._fault is None:
            return True
        if not (self._history_kept and self._state.restore_reserve()):
            return False
        self._owed.append(("recovered", {"since_ns": self.clock.now_ns()}))
        if not self._settle():
            self._owed.pop()
            return False
        self._fault = None
        self.watchdog.well = True
        return True

    def _operator_wins(self, act: Taken) -> None:
        """Somebody else acted on a loop: what waits for it is void, and Holdfast keeps off for `yield`."""
        until_ns = act.at_ns + round(self.compiled.bounds[act.sp].envelope.yield_s * SECOND_NS)
        body = {"tag": act.sp, "what": act.what, "before": act.before, "after": act.after, "yield_until_ns": until_ns}
        if act.phase != "goes on":
            self.log.append("taken", {**body, "phase": act.phase})
        if act.phase == "ended":
            return
        if act.what == "setpoint":  # the external setpoint alone moves nothing: what it moves is seen there
            self.moves.follow(act.sp, act.last, act.after, act.at_ns)
        self.moves.yield_until(act.sp, max(until_ns, self.moves.yields.get(act.sp, 0)))
        for job in self.jobs.open():
            if act.sp in job.tags and job.state in ("asked", "approved"):
                self.inbox.void(job.proposal.id, "operator.wins")
                self.jobs.put(job.on("void"))

    # ---- proposals ---------------------------------------------------------------------------------------------------

    def propose(self, author: str, proposal: Proposal) -> Decision:
        """Decide and record; nothing is sent yet. The same id again, from the same author, gives the same decision.

        Raises StateError or HistoryError while nothing can be recorded, ApprovalError when too many questions wait, ValueError
        for what has no place in a record; then nothing is decided.
        """
        self.watchdog.heard()
        self._demand_well()
        known = self.jobs.get(proposal.id)
        if known is not None:
            if known.author == author and known.proposal == proposal:
                return known.decision
            proposal = dataclasses.replace(proposal, id=f"{proposal.id}!{digest((author, proposal))[:12]}")
            if (again := self.jobs.get(proposal.id)) is not None:
                return again.decision
        now_ns = self._now_ns()
        self._demand_settled()
        snapshot = self._snapshots.take(proposal, now_ns)
        decision = decide(proposal, author, self.compiled, snapshot)
        job = Job(proposal=proposal, author=author, decision=decision)
        expires_ns = 0 if decision.verdict == "refuse" else self.clock.monotonic_ns() + round(proposal.valid_s * SECOND_NS)
        try:
            self._record_decision(job, proposal, snapshot, expires_ns)
        except StateError as error:
            self._ill(error)
            raise
        self._tell()
        self.on_proposal()
        return decision

    def _record_decision(self, job: Job, proposal: Proposal, snapshot: Snapshot, expires_ns: int) -> None:
        decision = job.decision
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

    def _demand_well(self) -> None:
        """Raises the fault while there is one."""
        if self._fault is not None:
            raise self._fault

    def _demand_settled(self) -> None:
        """Raises the fault where what others did can't be put on record: a decision must know of it."""
        self._settle()
        self._demand_well()

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
            if self._recovered():
                self._now_ns()
                changed = self._expire()
                changed = await self.saga.advance() or changed
                self._keep()
        except StateError as error:
            self._ill(error)
        await self.watchdog.beat()
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
        try:
            dropped = self._history.trim()
        except HistoryError as error:
            self._ill(error)
            return
        if dropped:
            self._owe("history", {"dropped": dropped, "why": "the cap on its size is reached: the oldest frames went"})

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
                self.log.append("expired", {"proposal": job.proposal.id, "author": job.author})
        return bool(late)

    # ---- what the saga needs (saga.Eyes) -----------------------------------------------------------------------------

    async def read(self, tags: Sequence[str]) -> Mapping[str, Sample]:
        by_connection: dict[str, list[str]] = {}
        for tag in tags:
            by_connection.setdefault(self._tag[tag].connection, []).append(tag)
        samples: dict[str, Sample] = {}
        for connection, names in by_connection.items():
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    found = await self.connectors[connection].read([self._tag[n] for n in names])
            except Exception as error:  # noqa: BLE001 - whatever a plug-in raises: there is nothing that could be rested on
                self.lost(connection, str(error) or f"no answer within {READ_TIMEOUT_S} s")
                continue
            samples.update((s.tag, s) for s in found)
        self.live.take(samples.values())
        return samples

    async def decide_again(self, job: Job) -> Second:
        await self.read(self._snapshots.tags(job.proposal))
        # Whoever moved the loop a moment ago is seen now, not with the next frame.
        self._react()
        now_ns = self._now_ns()
        self._demand_settled()
        current = self.jobs.get(job.proposal.id)
        snapshot = self._snapshots.take(job.proposal, now_ns)
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
        found, ask = self.jobs.get(proposal), self.inbox.ask(proposal)
        if found is None or ask is None:
            raise ApprovalError("approval.unknown", proposal)
        job = found
        person = self.inbox.named(person)
        role = role or next((r for r in ask.roles if r in self.people.roles(person)), "")
        now = decide(job.proposal, job.author, self.compiled, self._snapshots.take(job.proposal, self._now_ns()))
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

        def record() -> Job:
            with self._state.transaction():
                self.inbox.record(approval)
                match self.inbox.state(proposal):
                    case "approved" if job.state == "asked":
                        return self.jobs.put(job.on("signed"))
                    case "refused" if job.state == "asked":
                        return self.jobs.put(job.on("declined"))
                    case _:
                        return job

        answered = self._by_person(record)
        self._tell()
        self.on_proposal()
        return answered.progress

    def resolve(
        self, proposal: str, person: str, key: Ed25519PrivateKey, *, result: Literal["verified", "failed"], reason: str
    ) -> Progress:
        """A person found out what an indeterminate write did, and frees its tags. Raises ValueError where nothing is frozen."""
        found = self.jobs.get(proposal)
        if found is None or found.state != "indeterminate":
            raise ValueError(f"{proposal}: nothing to resolve; `holdfast status` shows what is indeterminate")
        job = found
        act = {
            "act": "resolve",
            "proposal": proposal,
            "person": self.inbox.named(person),
            "result": result,
            "reason": reason[:TEXT_MAX],
            "at_ns": self.clock.now_ns(),
        }
        outcome = Outcome(proposal=proposal, result=result, code="person.resolved")
        signed = {**act, "signature": key.sign(canonical(act))}

        def record() -> Job:
            with self._state.transaction():
                self.log.append("resolved", signed)
                return self.jobs.put(job.on("done" if result == "verified" else "undone", outcome=outcome))

        resolved = self._by_person(record)
        for tag in job.tags:
            self.watch.targets.pop(tag, None)
        self._tell()
        return resolved.progress

    def press_stop(self, scope: str, by: str) -> None:
        """Works whatever else is broken; the record follows when it can. Raises ValueError for a place that the site does not have."""
        if scope != "*" and scope not in self.compiled.equipment:
            known = ", ".join(self.compiled.equipment)
            raise ValueError(f"{scope[:TEXT_MAX]!r} is no equipment of this site, so nothing was stopped; there are {known}, and * for all")
        again = scope in self.stop.stopped()
        self.stop.press(scope, by)
        if not again:
            self._owe("stop", {"scope": scope, "by": by[:TEXT_MAX]})

    def resume(self, scope: str, person: str, signature: bytes, at_ns: int) -> None:
        """The caller has checked the person's password. `signature` is over canonical({"act": "resume", "scope", "at_ns"})."""

        def record() -> None:
            with self._state.transaction():
                self.log.append("resume", {"scope": scope, "by": person, "at_ns": at_ns, "signature": signature})

        self._by_person(record)
        self.stop.release(scope)  # only once it is on record
        self._tell()

    def _by_person(self, act: Callable[[], T]) -> T:
        """People's acts are recorded also on a full disk: a reserve is kept for them, and this gives it free."""
        try:
            return act()
        except StateError as error:
            self._ill(error)
            if error.code != "state.full" or not self._state.release_reserve():
                raise
            return act()

    def set_autonomy(self, scope: str, level: Autonomy, by: str, kind: Literal["person", "fault"]) -> None:
        """People raise and lower, faults only lower; below the site file's ceilings in any case. Raises ValueError."""
        if kind == "fault" and self.autonomy.raises(scope, level):
            raise ValueError("only a person raises autonomy")

        def record() -> None:
            with self._state.transaction():
                self.autonomy.set(scope, level)
                self.log.append("autonomy", {"scope": scope, "level": level, "by": by, "kind": kind})

        self._by_person(record)
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
        self._demand_well()
        self._append("finding", {"author": author, "finding": finding})

    def diagnose(self, author: str, diagnosis: Diagnosis) -> None:
        self._demand_well()
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
            "fault": "" if self._fault is None else str(self._fault),
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
        try:
            with self._state.transaction():
                self.log.append(kind, body)
        except StateError as error:
            self._ill(error)
            raise
        self._tell()

    def _tell(self) -> None:
        """Hand new records to whoever listens: the event stream and the terminal."""
        while self.listeners and self._told < self.log.size:
            for record in self.log.read(self._told):
                self._told = record.seq
                for listener in tuple(self.listeners):  # one that is too slow leaves while it is told
                    listener(record)
        self._told = self.log.size
