"""At most once, then reconcile: takes each job from its decision to its effect.

INTENT is durable before the first byte goes out and uses up approval and budget. What was sent is never sent again,
whatever comes back: from then on only reads happen, until the device says what it did or a person has to.
"""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

from holdfast.clock import Clock
from holdfast.gate.actuation import effect
from holdfast.gate.actuation.hands import OperatorWatch, Target
from holdfast.gate.actuation.jobs import Job, Jobs, Step
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.outbox import Outbox
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.ledger.log import Log
from holdfast.ports import Connector
from holdfast.site.model import Envelope, Readback, Site
from holdfast.terms import SECOND_NS, Move, Order, Outcome, Reason, Sample, Sent, Tag, Word

WRITE_TIMEOUT_S = 2.0
WRITE_HUNG_S = 2 * WRITE_TIMEOUT_S  # a connector that does not keep its own limit
READ_TIMEOUT_S = 5.0
READBACK_TRIES = 10  # reads, never writes
READBACK_AGAIN_S = 1.0
UNREADABLE_TRIES = 180  # of a device that is away: a quarter of an hour, then a person is asked
UNREADABLE_AGAIN_S = 5.0
EFFECT_MEAN_S = 30.0
FLOAT32_ROUNDING = 2.0**-23  # of a value that travelled as a 32-bit float, both ways
ROUNDS_MAX = 8  # of one advance: a job needs intent, send, read-back and effect


class Second(Word):
    """What the second look said: the setpoints that are there now, and why the decision stands or falls."""

    stands: bool
    present: tuple[tuple[str, float], ...]
    wanted: tuple[tuple[str, float], ...]  # as it will be on the wire
    reasons: tuple[Reason, ...]
    snapshot: str  # digest
    binds: str
    roles: tuple[str, ...]


class Eyes(Protocol):
    """What the saga needs of the gate: fresh reads and a second decision."""

    async def read(self, tags: Sequence[str]) -> Mapping[str, Sample]:
        """From the devices, now. A tag that can't be read is missing."""
        ...

    async def decide_again(self, job: Job) -> Second:
        """Raises StateError where what was seen can't be recorded."""
        ...

    def mean(self, tag: str, seconds: float) -> float | None:
        """Of the Good values of the last seconds."""
        ...

    def consume_approval(self, job: Job, second: Second) -> None:
        """In the caller's transaction. Raises ApprovalError."""
        ...


class Saga:
    def __init__(
        self,
        *,
        site: Site,
        clock: Clock,
        log: Log,
        jobs: Jobs,
        moves: Moves,
        watch: OperatorWatch,
        stop: StopSwitch,
        connectors: Mapping[str, Connector],
        eyes: Eyes,
        outbox: Outbox,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._log = log
        self._jobs = jobs
        self._moves = moves
        self._watch = watch
        self._stop = stop
        self._connectors = connectors
        self._eyes = eyes
        self._tags: Mapping[str, Tag] = {tag.name: tag for tag in site.tags}
        self._envelopes: Mapping[str, Envelope] = {e.tag: e for e in site.envelopes}
        self._lock = asyncio.Lock()
        self._adopt_open_jobs()

    async def advance(self) -> bool:
        """Do all that is due now; True if anything changed. One at a time: later callers wait their turn."""
        changed = False
        async with self._lock:
            for _ in range(ROUNDS_MAX):
                due = [job for job in self._jobs.open() if job.due_ns <= self._clock.monotonic_ns() and self._is_ours(job)]
                if not due:
                    break
                for job in due:
                    current = self._jobs.get(job.proposal.id)
                    if current is not None and current.state == job.state:
                        await self._step(current)
                changed = True
        return changed

    def next_due_ns(self) -> int | None:
        """Monotonic time of the next thing to do; None when nothing is open."""
        return min((job.due_ns for job in self._jobs.open() if self._is_ours(job)), default=None)

    @staticmethod
    def _is_ours(job: Job) -> bool:
        if isinstance(job.proposal.action, Order) and job.state != "approved":
            return False  # the outbox's
        return job.state in ("approved", "intent", "sent", "verified")

    async def _step(self, job: Job) -> None:
        match job.state:
            case "approved":
                await self._intend(job)
            case "intent":
                # Whoever finds a job here doesn't know what went out: it is read, never sent.
                with self._log.state.transaction():
                    self._reconcile(job, "saga.interrupted")
            case "sent":
                await self._read_back(job)
            case "verified":
                await self._judge(job)
            case _:
                raise AssertionError(job.state)

    def _adopt_open_jobs(self) -> None:
        """After a restart: decisions that were not acted on lapse (their clock is gone), writes under way are reconciled."""
        with self._log.state.transaction():
            for job in self._jobs.open():
                if job.state in ("asked", "approved"):
                    self._jobs.put(job.on("void"))
                    self._record("voided", job, code="saga.restarted")
                elif job.state == "intent":
                    self._reconcile(job, "saga.restarted")
                for step in job.steps if job.state in ("intent", "sent", "verified", "indeterminate") else ():
                    self._watch.targets[step.tag] = Target(tag=step.tag, former=step.former, wanted=step.wanted, author=job.author)

    def _reconcile(self, job: Job, code: str) -> None:
        """Every step of an intent may be on the wire. In the caller's transaction."""
        self._jobs.put(job.on("sent", steps=tuple(dataclasses.replace(s, sent=True, acked=False) for s in job.steps)))
        self._record("reconciling", job, code=code)

    # ---- intent and wire ---------------------------------------------------------------------------------------------

    async def _intend(self, job: Job) -> None:
        second = await self._eyes.decide_again(job)
        current = self._jobs.get(job.proposal.id)
        if current is None or current.state != "approved":
            return  # voided while it was being looked at
        if self._clock.monotonic_ns() > job.expires_ns:
            with self._log.state.transaction():
                self._jobs.put(job.on("expire"))
                self._record("expired", job)
            return
        if not second.stands:
            self._fall(job, second, second.reasons)
            return
        try:
            if isinstance(job.proposal.action, Order):
                self._queue(job, job.proposal.action, second)
                return
            job = self._durable_intent(job, second)
        except ApprovalError as error:
            self._fall(job, second, (Reason(code=error.code, passed=False),))
            return
        for step in job.steps:
            self._watch.targets[step.tag] = Target(tag=step.tag, former=step.former, wanted=step.wanted, author=job.author)
        await self._send(job)

    def _queue(self, job: Job, order: Order, second: Second) -> None:
        """An order goes to the outbox, which takes the job from there on. Raises ApprovalError, StateError."""
        with self._log.state.transaction():
            self._eyes.consume_approval(job, second)
            self._outbox.queue(job, order, snapshot=second.snapshot, passed=tuple(r.code for r in second.reasons))

    def _fall(self, job: Job, second: Second, reasons: tuple[Reason, ...]) -> None:
        with self._log.state.transaction():
            self._jobs.put(job.on("falls", outcome=Outcome(proposal=job.proposal.id, result="failed", code="saga.fell")))
            self._record("fell", job, reasons=reasons, snapshot=second.snapshot)

    def _durable_intent(self, job: Job, second: Second) -> Job:
        """From here on the budget is used, the approval is used, and a write may be on its way. Raises ApprovalError, StateError."""
        now_ns = self._clock.now_ns()
        present = dict(second.present)
        steps = tuple(Step(tag=tag, former=present[tag], wanted=wanted) for tag, wanted in second.wanted)
        expect = next((e.expect for s in steps if (e := self._envelopes[s.tag]).expect), None)
        before = self._eyes.mean(expect.tag, EFFECT_MEAN_S) if expect else None
        with self._log.state.transaction():
            job = self._jobs.put(job.on("stands", steps=steps, before=before, due_ns=self._clock.monotonic_ns()))
            self._eyes.consume_approval(job, second)
            for step in steps:
                self._moves.add(
                    Move(tag=step.tag, before=step.former, after=step.wanted, at_ns=now_ns, by=job.author, ours=True, shadow=False)
                )
            self._record("intent", job, steps=steps, snapshot=second.snapshot, passed=tuple(r.code for r in second.reasons))
        return job

    async def _send(self, job: Job) -> None:
        sent: list[Step] = []
        code = "action.no_carrier"  # what is no write has nobody who would carry it out
        for step in job.steps:
            envelope, tag = self._envelopes[step.tag], self._tags[step.tag]
            if self._stop.covers(envelope.equipment):
                code = "stop.pressed"
                break
            if self._moves.yields.get(step.tag, 0) > self._clock.now_ns():
                code = "operator.wins"  # taken over while an earlier step of the group was on its way
                break
            answer: Sent
            try:
                async with asyncio.timeout(WRITE_HUNG_S):
                    answer = await self._connectors[tag.connection].write(tag, step.wanted, timeout_s=WRITE_TIMEOUT_S)
            except Exception:  # noqa: BLE001 - whatever a plug-in raises after it may have sent, the fate is unknown
                answer = "unknown"
            if answer == "rejected":
                code = "write.rejected"
                break
            sent.append(dataclasses.replace(step, sent=True, acked=answer == "acked"))
            if answer == "unknown":
                code = "write.unknown"
                break
        if not sent:
            self._finish(job, "rejected", "failed", code)
            for step in job.steps:  # nothing of ours is on its way
                self._watch.targets.pop(step.tag, None)
            return
        waits = max(self._place(s).after_s for s in sent)
        steps = tuple(sent) + job.steps[len(sent) :]
        # Not written to disk: a crash from here on finds INTENT, which is reconciled by reading just the same.
        self._jobs.note(job.on("sent", steps=steps, tries=0, due_ns=self._clock.monotonic_ns() + round(waits * SECOND_NS)))

    # ---- read-back ---------------------------------------------------------------------------------------------------

    async def _read_back(self, job: Job) -> None:
        places = {s.tag: self._place(s) for s in job.steps if s.sent}
        found = await self._eyes.read([place.tag for place in places.values()])
        equal, former, samples = True, bool(places), list[Sample]()
        for step in job.steps:
            place = places.get(step.tag)
            if place is None:
                continue
            sample = found.get(place.tag)
            if sample is None or sample.status != 0 or not isinstance(sample.value, float | int):
                if job.unreadable >= UNREADABLE_TRIES:
                    self._finish(job, "unclear", "indeterminate", "readback.unreadable")
                else:
                    self._look_again(dataclasses.replace(job, unreadable=job.unreadable + 1), UNREADABLE_AGAIN_S)
                return
            samples.append(sample)
            equal = equal and abs(sample.value - step.wanted) <= place.within
            former = former and sample.value == step.former
        complete = all(s.sent for s in job.steps)
        if equal and complete and samples:
            self._verified(job, tuple(samples))
        elif job.tries < READBACK_TRIES and not equal:
            self._look_again(dataclasses.replace(job, tries=job.tries + 1), READBACK_AGAIN_S)
        elif former and complete and all(s.acked for s in job.steps):
            self._finish(job, "former", "failed", "readback.former", tuple(samples))
            for step in job.steps:  # the device took it and did not act on it: whatever moves now is somebody else's
                self._watch.targets.pop(step.tag, None)
        else:
            self._finish(job, "unclear", "indeterminate", "readback.unclear" if complete else "write.partial", tuple(samples))

    def _place(self, step: Step) -> Readback:
        """Where a step shows: what the site file says, else the setpoint itself."""
        own = Readback(tag=step.tag, within=abs(step.wanted) * FLOAT32_ROUNDING, after_s=0.0)
        return self._envelopes[step.tag].readback or own

    def _look_again(self, job: Job, again_s: float) -> None:
        self._jobs.note(dataclasses.replace(job, due_ns=self._clock.monotonic_ns() + round(again_s * SECOND_NS)))

    def _verified(self, job: Job, samples: tuple[Sample, ...]) -> None:
        waits = max((effect.due_s(self._envelopes[s.tag]) for s in job.steps), default=0.0)
        outcome = Outcome(proposal=job.proposal.id, result="verified", readback=samples, code="readback.equal")
        with self._log.state.transaction():
            job = self._jobs.put(job.on("equals", outcome=outcome, due_ns=self._clock.monotonic_ns() + round(waits * SECOND_NS)))
            self._record("outcome", job, outcome=outcome)
            if waits == 0:
                self._jobs.put(job.on("judged"))
        for step in job.steps:  # from now on any other value is somebody else's
            self._watch.targets[step.tag] = Target(tag=step.tag, former=step.wanted, wanted=step.wanted, author=job.author)

    # ---- effect ------------------------------------------------------------------------------------------------------

    async def _judge(self, job: Job) -> None:
        verdict, code = None, "effect.not_stated"
        for step in job.steps:
            envelope = self._envelopes[step.tag]
            pv = self._eyes.mean(envelope.settles.tag, EFFECT_MEAN_S) if envelope.settles else None
            after = self._eyes.mean(envelope.expect.tag, EFFECT_MEAN_S) if envelope.expect else None
            verdict, code = effect.judge(envelope, step.wanted, pv, job.before, after)
            if verdict == "wrong":
                break
        known = job.outcome or Outcome(proposal=job.proposal.id, result="verified")
        outcome = dataclasses.replace(known, effect=verdict, code=code)
        with self._log.state.transaction():
            self._jobs.put(job.on("judged", outcome=outcome))
            self._record("effect", job, outcome=outcome, before=job.before)

    # ---- ends --------------------------------------------------------------------------------------------------------

    def _finish(self, job: Job, event: str, result: str, code: str, samples: tuple[Sample, ...] = ()) -> None:
        outcome = Outcome(proposal=job.proposal.id, result=result, readback=samples, code=code)  # type: ignore[arg-type]
        with self._log.state.transaction():
            job = self._jobs.put(job.on(event, outcome=outcome))  # type: ignore[arg-type]
            self._record("outcome", job, outcome=outcome)

    def _record(self, kind: str, job: Job, **facts: object) -> None:
        self._log.append(kind, {"proposal": job.proposal.id, "author": job.author, **facts})
