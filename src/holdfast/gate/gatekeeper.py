"""The gate itself: frames go in, decisions come out, and every step is on record. It runs on whatever clock it is given.

One thread. `ingest` and `propose` don't wait; only `advance` talks to devices. A virtual clock's driver calls all
three in turn; the gate process calls them as frames, messages and due times come.

No record, no write (actuation/debts.py); what people do is in actuation/acts.py.
"""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from holdfast.clock import Clock
from holdfast.gate.actuation.acts import Acts
from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.commissioning import Commissioning
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.actuation.deliver import carriers_of
from holdfast.gate.actuation.errands import Errands
from holdfast.gate.actuation.failpoints import committing
from holdfast.gate.actuation.faults import Faults
from holdfast.gate.actuation.hands import OperatorWatch, Taken
from holdfast.gate.actuation.jobs import Job, Jobs
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.outbox import Outbox
from holdfast.gate.actuation.saga import READ_TIMEOUT_S, Saga, Second
from holdfast.gate.actuation.snapshot import Snapshots
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.actuation.watchdog import Watchdog
from holdfast.gate.alarms.limits import AlarmWatch
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.connectors.limits import told_by
from holdfast.gate.context.live import Live
from holdfast.gate.context.tables import Context
from holdfast.gate.guard.binds import recorded, snapshot_digest
from holdfast.gate.guard.compile import compile_site, writers_of
from holdfast.gate.guard.decide import against_retreat, decide, stands
from holdfast.gate.history.ring import Ring
from holdfast.gate.history.store import History, HistoryError
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.checkpoint import Checkpoints
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State, StateError
from holdfast.link import PlantContext, Progress
from holdfast.ports import Connector
from holdfast.site.model import Site
from holdfast.site.tables import tables
from holdfast.terms import (
    SECOND_NS,
    Alarm,
    Decision,
    Diagnosis,
    Finding,
    Frame,
    Move,
    Proposal,
    Reason,
    Record,
    Sample,
    Snapshot,
    Write,
    digest,
)

CHECKPOINT_EVERY_S = 60.0
HISTORY_ROWS_MAX = 86_400
MOVES_TOLD_MAX = 1_000
TEXT_MAX = 300


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
        site_folder: Path | None = None,
    ) -> None:
        self.site = site
        self.clock = clock
        self.log = log
        self.inbox = inbox
        self.people = people
        self.connectors = connectors
        self.checkpoints = checkpoints
        self.compiled = compile_site(site)
        self.on_disk = ""  # what is said of a site file that differs from what is in force
        self.tables = {table.id: table for table in tables(site)}
        self.live = Live(tuple(self.tables.values()), clock)
        self.context = Context(site, self.live, clock, site_folder)
        self.rings = {table.id: Ring(table.id, len(table.tags)) for table in self.tables.values()}
        self.alarms = AlarmWatch(site.alarms)
        self.stop = StopSwitch(state.folder / "stop.switch")
        self.moves = Moves(state, clock.now_ns())
        self.jobs = Jobs(state)
        self.autonomy = AutonomyLevels(state, site)
        self.watch = OperatorWatch(site, self.moves.seen())
        self.faults = Faults(log=log, clock=clock, levels=self.autonomy)
        self.jobs.on_put = self.faults.job
        self.watchdog = Watchdog(site, clock, self.stop, connectors, may=writers_of(self.compiled), standing=self._stands_behind)
        self.listeners: list[Callable[[Record], None]] = []
        self.on_proposal: Callable[[], None] = _nothing
        self._state = state
        self._history = history
        self.keep_every = 1  # frames: at once, unless somebody calls keep_history_beside
        self._unkept: deque[Frame] = deque()  # at most keep_every, which bounds it
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
            context=self.context,
        )
        self.debts = Debts(
            log=log,
            clock=clock,
            moves=self.moves,
            watch=self.watch,
            watchdog=self.watchdog,
            faults=self.faults,
            wins=self._operator_wins,
            told=self._tell,
        )
        self.acts = Acts(
            compiled=self.compiled,
            clock=clock,
            log=log,
            debts=self.debts,
            jobs=self.jobs,
            inbox=inbox,
            people=people,
            stop=self.stop,
            autonomy=self.autonomy,
            watch=self.watch,
            snapshots=self._snapshots,
            told=self._tell,
            changed=lambda: self.on_proposal(),
        )
        self.outbox = Outbox(
            site=site,
            clock=clock,
            log=log,
            jobs=self.jobs,
            stop=self.stop,
            carriers=carriers_of(site.outbox, state.folder / "outbox", site_folder),
            random=Random(site.name),
        )
        self.commissioning = Commissioning(
            compiled=self.compiled,
            clock=clock,
            log=log,
            debts=self.debts,
            jobs=self.jobs,
            moves=self.moves,
            inbox=inbox,
            people=people,
            levels=self.autonomy,
            watchdog=self.watchdog,
            connectors=connectors,
            tables=self.tables,
            rings=self.rings,
            read=self.read,
            history=self.history,
            told=self._tell,
        )
        self.errands = Errands(context=self.context, outbox=self.outbox, debts=self.debts, told=self._tell)
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
            outbox=self.outbox,
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
        self.keep_history()
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
        ring = self.rings[frame.table]
        frame = dataclasses.replace(frame, seq=ring.next_seq)
        self.live.ingest(frame)
        ring.append(frame)
        self._unkept.append(frame)
        if len(self._unkept) >= self.keep_every:
            self.keep_history()
        self._react()
        return frame

    def keep_history(self) -> None:
        """Put the frames that came since the last time on the disk, in one transaction."""
        if frames := self._frames_to_keep():
            try:
                self._history.append(*frames)
                self.debts.history_kept = True
            except HistoryError as error:
                self._unwell_history(error)

    async def keep_history_beside(self) -> None:
        """The same with the disk's part in a thread, so that nothing else waits for it."""
        if frames := self._frames_to_keep():
            try:
                await asyncio.to_thread(self._history.append, *frames)
                self.debts.history_kept = True
            except HistoryError as error:
                self._unwell_history(error)

    def _frames_to_keep(self) -> list[Frame]:
        return [self._unkept.popleft() for _ in range(len(self._unkept))]

    def _unwell_history(self, error: HistoryError) -> None:
        self.debts.history_kept = False
        self.debts.ill(error)

    def lost(self, connection: str, why: str) -> None:
        """All its tags are Bad at once."""
        self.live.lost(connection)
        self.debts.owe("connection", {"connection": connection, "state": "lost", "why": why[:TEXT_MAX]})

    async def ask_limits(self, connection: str) -> None:
        """What the server says of the tags that we write: it tightens every decision from now on. Raises ConnectionLost."""
        of = [tag for tag in self.site.tags if tag.connection == connection]
        for limit in await told_by(self.connectors[connection], of):
            self._snapshots.limits[limit.tag] = limit

    def found(self, connection: str) -> None:
        self.debts.owe("connection", {"connection": connection, "state": "connected", "why": ""})

    def _react(self) -> None:
        """What the newest values mean: alarms, and others' hands on a loop. Writes to the record only if there is something."""
        now_ns = self.debts.now_ns()
        alarms = tuple(("alarm", alarm) for alarm in self.alarms.step(self.live.good_value, now_ns))
        self.debts.owe_all(alarms, self.watch.step(self.live.good_value, now_ns))

    def _operator_wins(self, act: Taken) -> None:
        """Somebody else acted on a loop: what waits for it is void, and Holdfast keeps off for `yield`."""
        until_ns = act.at_ns + round(self.compiled.bounds[act.sp].envelope.yield_s * SECOND_NS)
        body = {"tag": act.sp, "what": act.what, "before": act.before, "after": act.after, "at_ns": act.at_ns, "yield_until_ns": until_ns}
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
                self.log.append("voided", {"proposal": job.proposal.id, "author": job.author, "code": "operator.wins"})

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
        snapshot = self._snapshots.take(proposal, now_ns)
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
                self.debts.now_ns()
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
        try:
            dropped = self._history.trim()
        except HistoryError as error:
            self.debts.ill(error)
            return
        if dropped:
            self.debts.owe("history", {"dropped": dropped, "why": "the cap on its size is reached: the oldest frames went"})

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
        snapshot = await self._look(job.proposal)
        current = self.jobs.get(job.proposal.id)
        second = decide(job.proposal, job.author, self.compiled, snapshot)
        signed = tuple(approval.role for approval in self.inbox.signed(job.proposal.id) if approval.yes)
        reason = stands(job.decision, second, signed)
        return self._second(
            snapshot,
            second,
            stands=reason.passed and current is not None and current.state == "approved",
            reasons=tuple(r for r in (*second.reasons, reason) if not r.passed) or (reason,),
        )

    async def decide_retreat(self, job: Job, sets: tuple[tuple[str, float], ...]) -> Second:
        proposal = dataclasses.replace(job.proposal, action=Write(sets=sets))
        snapshot = await self._look(proposal)
        second = decide(proposal, job.author, self.compiled, snapshot)
        against = against_retreat(job.decision, second)
        return self._second(snapshot, second, stands=not against, reasons=against)

    async def _look(self, proposal: Proposal) -> Snapshot:
        """What the devices say now of all that a decision on this rests on."""
        await self.read(self._snapshots.tags(proposal))
        # Whoever moved the loop a moment ago is seen now, not with the next frame.
        self._react()
        now_ns = self.debts.now_ns()
        self.debts.demand_settled()
        return self._snapshots.take(proposal, now_ns)

    def _second(self, snapshot: Snapshot, second: Decision, *, stands: bool, reasons: tuple[Reason, ...]) -> Second:
        present = {r.tag: r.value for r in snapshot.readings}
        at = {w.tag: self.compiled.bounds[w.tag].present.tag.name for w in snapshot.wires if w.tag in self.compiled.bounds}
        return Second(
            stands=stands,
            present=tuple((tag, present[name]) for tag, name in at.items() if name in present),
            wanted=tuple((wire.tag, wire.value) for wire in snapshot.wires),
            reasons=reasons,
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

    def _stands_behind(self, sp: str) -> tuple[str, ...]:
        """The agents whose setpoint stands at a loop, or is on its way there."""
        target = self.watch.targets.get(sp)
        under_way = [job.author for job in self.jobs.open() if sp in job.tags and job.state in ("approved", "intent", "sent")]
        return (*under_way, *((target.author,) if target else ()))

    def consume_approval(self, job: Job, second: Second) -> None:
        if job.decision.verdict == "ask":
            self.inbox.consume(job.proposal.id, binds=second.binds, roles=second.roles)

    def void_approval(self, job: Job, why: str) -> None:
        if job.decision.verdict == "ask":
            self.inbox.void(job.proposal.id, why)

    # ---- what an agent may ask (link.Link, with its author) ------------------------------------------------------------

    def site_view(self) -> Site:
        """Without connections, sources and targets: no address and no credential crosses the link."""
        return dataclasses.replace(self.site, connections=(), context=(), outbox=())

    def frames(self, table: str, after: int, author: str = "") -> Frame | None:
        self.watchdog.heard(author)
        return self.rings[table].read(after)

    def history(self, table: str, from_ns: int, to_ns: int, rows_max: int) -> Frame:
        rows_max = min(max(rows_max, 1), HISTORY_ROWS_MAX)
        columns = len(self.tables[table].tags)
        self.keep_history()
        return self._history.read(table, from_ns, to_ns, rows_max, columns)

    def alarm_states(self) -> Sequence[Alarm]:
        return tuple(self.alarms.states.values())

    def moves_since(self, since_ns: int) -> Sequence[Move]:
        return self.moves.since(since_ns)[-MOVES_TOLD_MAX:]

    def context_now(self) -> PlantContext:
        return self.context.told(self.clock.now_ns())

    def find(self, author: str, finding: Finding) -> None:
        self.debts.record("finding", {"author": author, "finding": finding})

    def diagnose(self, author: str, diagnosis: Diagnosis) -> None:
        self.debts.record("diagnosis", {"author": author, "diagnosis": diagnosis})

    def progress(self, proposal: str) -> Progress | None:
        job = self.jobs.get(proposal)
        return None if job is None else job.progress

    def status(self) -> Mapping[str, Any]:
        """What runs, what is stopped and what waits: for the terminal and the console."""
        return {
            "site": self.site.name,
            "configuration": self.compiled.digest,
            "on_disk": self.on_disk,
            "at_ns": self.clock.now_ns(),
            "stopped": self.stop.stopped(),
            "autonomy": self.autonomy.all(),
            "lowered": self.autonomy.lowered(),
            "agents": {a.name: self.watchdog.silent_s(a.name) for a in self.site.agents},
            "fault": "" if self.debts.fault is None else str(self.debts.fault),
            "agent_lost": self.watchdog.agent_lost,
            "heartbeat": self.watchdog.beating,
            "alarms": self.alarm_states(),
            "yields": sorted(self.moves.yields.items()),
            "jobs": [{"proposal": job.proposal.id, "state": job.state, "tags": job.tags} for job in self.jobs.open()],
            "connections": {name: dict(connector.health()) for name, connector in self.connectors.items()},
            "rows": {table.id: self.rings[table.id].next_seq for table in self.tables.values()},
            "outbox": self.outbox.waiting(),
            "records": self.log.size,
        }

    # ---- record ------------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Hand new records to whoever listens: the event stream and the terminal."""
        while self.listeners and self._told < self.log.size:
            for record in self.log.read(self._told):
                self._told = record.seq
                for listener in tuple(self.listeners):  # one that is too slow leaves while it is told
                    listener(record)
        self._told = self.log.size
