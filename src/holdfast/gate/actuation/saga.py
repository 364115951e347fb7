"""At most once, then reconcile: takes each job from its decision to its effect.

INTENT is durable before the first byte goes out and uses up approval and budget. What was sent is never sent again,
whatever comes back: from then on only reads happen, until the device says what it did or a person has to.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from holdfast.clock import Clock
from holdfast.gate.actuation import effect
from holdfast.gate.actuation.failpoints import committing
from holdfast.gate.actuation.hands import OperatorWatch, Target
from holdfast.gate.actuation.jobs import Job, Jobs, Step
from holdfast.gate.actuation.learned import LearnedError, LearnedStates
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.outbox import Outbox
from holdfast.gate.actuation.second import Eyes, Second
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.actuation.taken import OperatorWins
from holdfast.gate.actuation.wire import Wire
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.ledger.log import Log
from holdfast.ports import Connector
from holdfast.site.model import Envelope, Site
from holdfast.terms import SECOND_NS, Adopt, Move, Order, Outcome, Reason, Sample

READBACK_TRIES = 10  # reads, never writes
READBACK_AGAIN_S = 1.0
UNREADABLE_TRIES = 180  # of a device that is away: a quarter of an hour, then a person is asked
UNREADABLE_AGAIN_S = 5.0
ROUNDS_MAX = 8  # of one advance: a job needs intent, send, read-back and effect

_ON_THEIR_WAY = ("intent", "sent", "verified", "retreat", "retreating", "escalated", "indeterminate")


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
        learned: LearnedStates,
        wins: OperatorWins,
    ) -> None:
        self._outbox, self._learned, self._wins = outbox, learned, wins
        self._clock = clock
        self._log = log
        self._jobs = jobs
        self._moves = moves
        self._watch = watch
        self._wire = Wire(site=site, clock=clock, moves=moves, stop=stop, connectors=connectors, read=eyes.read)
        self._eyes = eyes
        self._envelopes: Mapping[str, Envelope] = {e.tag: e for e in site.envelopes}
        self._lock = asyncio.Lock()
        self._adopt_open_jobs()

    def adopt(self, site: Site) -> None:
        """Other envelopes from now on, also for what is on its way; gate/actuation/activation.py looks that these stay fit."""
        self._envelopes = {e.tag: e for e in site.envelopes}
        self._wire.adopt(site)

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
        return job.state in ("approved", "intent", "sent", "verified", "retreat", "retreating")

    async def _step(self, job: Job) -> None:
        match job.state:
            case "approved":
                await self._intend(job)
            case "intent" | "retreat":
                # Whoever finds a job here doesn't know what went out: it is read, never sent.
                with committing(self._log.state, "reconciled"):
                    self._reconcile(job, "saga.interrupted")
            case "sent":
                await self._read_back(job)
            case "verified":
                await self._judge(job)
            case "retreating":
                await self._read_back_retreat(job)
            case _:
                raise AssertionError(job.state)

    def _adopt_open_jobs(self) -> None:
        """After a restart: decisions that were not acted on lapse (their clock is gone), writes under way are reconciled."""
        with committing(self._log.state, "reconciled"):
            for job in self._jobs.open():
                if job.state in ("asked", "approved"):
                    self._jobs.put(job.on("void"))
                    self._eyes.void_approval(job, "saga.restarted")
                    self._record("voided", job, code="saga.restarted")
                elif job.state in ("intent", "retreat"):
                    self._reconcile(dataclasses.replace(job, restarted=True), "saga.restarted")
                elif job.state in ("sent", "retreating"):
                    self._jobs.note(dataclasses.replace(job, restarted=True))
                steps = job.back or job.steps
                for step in steps if job.state in _ON_THEIR_WAY else ():
                    self._watch.targets[step.tag] = Target(tag=step.tag, former=step.former, wanted=step.wanted, author=job.author)

    def _reconcile(self, job: Job, code: str) -> None:
        """Every step of an intent may be on the wire. In the caller's transaction."""
        of = "back" if job.back else "steps"
        steps = tuple(dataclasses.replace(s, sent=True, acked=False) for s in job.back or job.steps)
        self._jobs.put(job.on("sent", **{of: steps}))
        self._record("reconciling", job, code=code)

    # ---- intent and wire ---------------------------------------------------------------------------------------------

    async def _intend(self, job: Job) -> None:
        second = await self._eyes.decide_again(job)
        current = self._jobs.get(job.proposal.id)
        if current is None or current.state != "approved":
            return  # voided while it was being looked at
        if self._clock.monotonic_ns() > job.expires_ns:
            with committing(self._log.state, "expired"):
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
            if isinstance(job.proposal.action, Adopt) and job.proposal.action.what == "learned":
                self._adopt_learned(job, job.proposal.action, second)
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
        with committing(self._log.state, "intent"):
            self._eyes.consume_approval(job, second)
            self._outbox.queue(job, order, snapshot=second.snapshot, passed=tuple(r.code for r in second.reasons))

    def _adopt_learned(self, job: Job, action: Adopt, second: Second) -> None:
        """In one transaction: nothing leaves the gate, so its fate is never unknown. Raises ApprovalError, StateError."""
        by = self._eyes.signers(job)
        with committing(self._log.state, "intent"):
            self._eyes.consume_approval(job, second)
            job = job.on("stands")
            self._record("intent", job, steps=(), restores=False, snapshot=second.snapshot, passed=tuple(r.code for r in second.reasons))
            try:
                self._learned.demand(action.name, action.digest)
            except LearnedError as error:
                self._end(job, "rejected", Outcome(proposal=job.proposal.id, result="failed", code=error.code))
                return
            self._learned.adopt(action.name, action.digest, by, job.proposal.id)
            self._end(job, "adopted", Outcome(proposal=job.proposal.id, result="verified", code="learned.adopted"))

    def _fall(self, job: Job, second: Second, reasons: tuple[Reason, ...]) -> None:
        with committing(self._log.state, "fell"):
            self._jobs.put(job.on("falls", outcome=Outcome(proposal=job.proposal.id, result="failed", code="saga.fell")))
            self._eyes.void_approval(job, "saga.fell")
            self._record("fell", job, reasons=reasons, snapshot=second.snapshot)

    def _durable_intent(self, job: Job, second: Second) -> Job:
        """From here on the budget is used, the approval is used, and a write may be on its way. Raises ApprovalError, StateError."""
        now_ns = self._clock.now_ns()
        present = dict(second.present)
        steps = tuple(Step(tag=tag, former=present[tag], wanted=wanted) for tag, wanted in second.wanted)
        expect = next((e.expect for s in steps if (e := self._envelopes[s.tag]).expect), None)
        before = self._eyes.mean(expect.tag, effect.MEAN_S_MAX) if expect else None
        with committing(self._log.state, "intent"):
            job = self._jobs.put(job.on("stands", steps=steps, before=before, due_ns=self._clock.monotonic_ns()))
            self._eyes.consume_approval(job, second)
            for step in steps:
                self._moves.add(
                    Move(tag=step.tag, before=step.former, after=step.wanted, at_ns=now_ns, by=job.author, ours=True, shadow=False)
                )
            restores = bool(steps) and all(self._envelopes[s.tag].restore for s in steps)
            self._record(
                "intent", job, steps=steps, restores=restores, snapshot=second.snapshot, passed=tuple(r.code for r in second.reasons)
            )
        return job

    async def _send(self, job: Job) -> None:
        sent, code = await self._wire.send(job.steps, "write")
        if not sent:
            self._finish(job, "rejected", "failed", code)
            for step in job.steps:  # nothing of ours is on its way
                self._watch.targets.pop(step.tag, None)
            return
        # Not written to disk: a crash from here on finds INTENT, which is reconciled by reading just the same.
        self._jobs.note(job.on("sent", steps=sent + job.steps[len(sent) :], tries=0, due_ns=self._after(sent)))

    def _after(self, sent: Sequence[Step]) -> int:
        return self._clock.monotonic_ns() + round(max(self._wire.place(s).after_s for s in sent) * SECOND_NS)

    # ---- read-back ---------------------------------------------------------------------------------------------------

    async def _read_back(self, job: Job) -> None:
        sent = tuple(s for s in job.steps if s.sent)
        look = await self._wire.look(sent)
        if look is None:
            self._unread(job, lambda j: self._finish(j, "unclear", "indeterminate", "readback.unreadable"))
            return
        complete = len(sent) == len(job.steps)
        if look.equal and complete:
            self._verified(job, look.samples)
        elif job.tries < READBACK_TRIES and not look.equal:
            self._look_again(dataclasses.replace(job, tries=job.tries + 1), READBACK_AGAIN_S)
        elif look.former and complete and (all(s.acked for s in sent) or (job.restarted and self._wire.direct(sent))):
            self._finish(job, "former", "failed", "readback.former", look.samples)
            for step in job.steps:  # the device did not act on it, and no write of ours can land any more
                self._watch.targets.pop(step.tag, None)
        elif look.equal and await self._retreats(job, sent, look.samples):
            pass
        else:
            self._finish(job, "unclear", "indeterminate", "readback.unclear" if complete else "write.partial", look.samples)

    def _unread(self, job: Job, give_up: Callable[[Job], None]) -> None:
        if job.unreadable >= UNREADABLE_TRIES:
            give_up(job)
        else:
            self._look_again(dataclasses.replace(job, unreadable=job.unreadable + 1), UNREADABLE_AGAIN_S)

    def _look_again(self, job: Job, again_s: float) -> None:
        self._jobs.note(dataclasses.replace(job, due_ns=self._clock.monotonic_ns() + round(again_s * SECOND_NS)))

    def _verified(self, job: Job, samples: tuple[Sample, ...]) -> None:
        waits = max((effect.due_s(self._envelopes[s.tag]) for s in job.steps), default=0.0)
        outcome = Outcome(proposal=job.proposal.id, result="verified", readback=samples, code="readback.equal")
        job = job.on("equals", outcome=outcome, due_ns=self._clock.monotonic_ns() + round(waits * SECOND_NS))
        with committing(self._log.state, "verified"):
            self._jobs.put(job if waits else job.on("judged"))
            self._record("outcome", job, outcome=outcome)
            self._saw(job.steps, samples)
        for step in job.steps:  # from now on any other value is somebody else's
            self._watch.targets[step.tag] = Target(tag=step.tag, former=step.wanted, wanted=step.wanted, author=job.author)

    def _saw(self, steps: Sequence[Step], samples: Sequence[Sample]) -> None:
        """A gate that is killed before the next frame must not take its own move for somebody else's. In the caller's transaction."""
        self._moves.saw({s.tag: s.wanted for s in steps} | {s.tag: float(s.value) for s in samples if isinstance(s.value, float | int)})

    # ---- effect ------------------------------------------------------------------------------------------------------

    async def _judge(self, job: Job) -> None:
        verdict, code = None, "effect.not_stated"
        for step in job.steps:
            envelope = self._envelopes[step.tag]
            settles, expect = envelope.settles, envelope.expect
            pv = self._eyes.mean(settles.tag, effect.mean_s(settles.after_s)) if settles else None
            after = self._eyes.mean(expect.tag, effect.mean_s(expect.within_s)) if expect else None
            verdict, code = effect.judge(envelope, step.wanted, pv, job.before, after)
            if verdict == "wrong":
                break
        known = job.outcome or Outcome(proposal=job.proposal.id, result="verified")
        outcome = dataclasses.replace(known, effect=verdict, code=code)
        if verdict == "wrong" and all(self._envelopes[s.tag].restore for s in job.steps):
            await self._take_back(job, outcome)
            return
        with committing(self._log.state, "effect"):
            self._jobs.put(job.on("judged", outcome=outcome))
            self._record("effect", job, outcome=outcome, before=job.before)
            if verdict == "wrong":  # nobody decided beforehand that it may be taken back: people are told, the tags stay free
                self._record("escalated", job, code="restore.not_decided", waits=False)

    # ---- retreat -----------------------------------------------------------------------------------------------------

    async def _take_back(self, job: Job, outcome: Outcome) -> None:
        """A wrong effect that was decided beforehand to be taken back: it is, or a person has to."""
        second, refused = await self._may_retreat(job, job.steps)
        if second is None:
            with committing(self._log.state, "escalated"):
                self._jobs.put(job.on("escalates", outcome=outcome))
                self._record("effect", job, outcome=outcome, before=job.before)
                self._record("escalated", job, code="restore.refused", waits=True, reasons=refused)
            return
        with committing(self._log.state, "retreat"):
            self._record("effect", job, outcome=outcome, before=job.before)
            job = self._durable_retreat(dataclasses.replace(job, outcome=outcome), job.steps, second)
        await self._send_back(job)

    async def _retreats(self, job: Job, landed: tuple[Step, ...], samples: tuple[Sample, ...]) -> bool:
        """Half a group arrived, and it is known which half: taken back where that was decided beforehand for each of them."""
        if not all(self._envelopes[s.tag].restore for s in job.steps):
            return False
        second, _ = await self._may_retreat(job, landed)
        if second is None:
            return False
        outcome = Outcome(proposal=job.proposal.id, result="failed", readback=samples, code="write.partial")
        with committing(self._log.state, "retreat"):
            self._record("outcome", job, outcome=outcome)
            job = self._durable_retreat(dataclasses.replace(job, outcome=outcome), landed, second)
        await self._send_back(job)
        return True

    async def _may_retreat(self, job: Job, landed: Sequence[Step]) -> tuple[Second | None, tuple[Reason, ...]]:
        """Only while each setpoint is still ours and the guard, reading anew, has nothing against it but what was reserved."""
        ours = [t for s in landed if (t := self._watch.targets.get(s.tag)) is not None and t.wanted == s.wanted]
        if len(ours) != len(landed):
            return None, (Reason(code="restore.not_ours", passed=False),)
        sets = tuple((s.tag, s.former) for s in reversed(landed))
        second = await self._eyes.decide_retreat(job, sets)
        present = dict(second.present)
        stays = all(
            s.tag in self._watch.targets and s.tag in present and abs(present[s.tag] - s.wanted) <= self._wire.place(s).within
            for s in landed
        )
        if not stays:
            return None, (Reason(code="restore.not_ours", passed=False),)
        return (second, ()) if second.stands and len(second.wanted) == len(landed) else (None, second.reasons)

    def _durable_retreat(self, job: Job, landed: Sequence[Step], second: Second) -> Job:
        """In the caller's transaction: from its commit on a write may be on its way."""
        wanted, now_ns = dict(second.wanted), self._clock.now_ns()
        back = tuple(Step(tag=s.tag, former=s.wanted, wanted=wanted[s.tag]) for s in reversed(landed))
        job = self._jobs.put(job.on("retreats", back=back, tries=0, unreadable=0, restarted=False))
        for step in back:
            self._moves.add(Move(tag=step.tag, before=step.former, after=step.wanted, at_ns=now_ns, by=job.author, ours=True))
        self._record("retreat", job, steps=back, snapshot=second.snapshot)
        return job

    async def _send_back(self, job: Job) -> None:
        for step in job.back:
            self._watch.targets[step.tag] = Target(tag=step.tag, former=step.former, wanted=step.wanted, author=job.author)
        sent, code = await self._wire.send(job.back, "restore")
        if not sent:
            self._escalate(job, code)
            return
        self._jobs.note(job.on("sent", back=sent + job.back[len(sent) :], due_ns=self._after(sent)))

    async def _read_back_retreat(self, job: Job) -> None:
        sent = tuple(s for s in job.back if s.sent)
        look = await self._wire.look(sent)
        if look is None:
            self._unread(job, lambda j: self._escalate(j, "readback.unreadable"))
        elif look.equal and len(sent) == len(job.back):
            with committing(self._log.state, "restored"):
                self._jobs.put(job.on("back"))
                self._record("restored", job, readback=look.samples)
                self._saw(job.back, look.samples)
            for step in job.back:
                self._watch.targets[step.tag] = Target(tag=step.tag, former=step.wanted, wanted=step.wanted, author=job.author)
        elif job.tries < READBACK_TRIES and not look.equal:
            self._look_again(dataclasses.replace(job, tries=job.tries + 1), READBACK_AGAIN_S)
        else:
            self._escalate(job, "readback.unclear" if len(sent) == len(job.back) else "write.partial")

    def _escalate(self, job: Job, code: str) -> None:
        with committing(self._log.state, "escalated"):
            self._jobs.put(job.on("escalates"))
            self._record("escalated", job, code=code, waits=True)

    # ---- ends --------------------------------------------------------------------------------------------------------

    def _finish(self, job: Job, event: str, result: str, code: str, samples: tuple[Sample, ...] = ()) -> None:
        outcome = Outcome(proposal=job.proposal.id, result=result, readback=samples, code=code)  # type: ignore[arg-type]
        with committing(self._log.state, "outcome"):
            self._end(job, event, outcome)

    def _end(self, job: Job, event: str, outcome: Outcome) -> None:
        """In the caller's transaction."""
        job = self._jobs.put(job.on(event, outcome=outcome))  # type: ignore[arg-type]
        self._record("outcome", job, outcome=outcome)
        for step in job.steps if event == "former" else ():
            self._wins.perhaps(step.tag, step.wanted, step.former, self._clock.now_ns())

    def _record(self, kind: str, job: Job, **facts: object) -> None:
        self._log.append(kind, {"proposal": job.proposal.id, "author": job.author, **facts})
