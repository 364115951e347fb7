"""What people do to a running gate: sign, resolve, stop, resume, and say how far it may go. Each act is theirs on record."""

from collections.abc import Callable
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.actuation.autonomy import AutonomyLevels
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.actuation.failpoints import committing
from holdfast.gate.actuation.hands import OperatorWatch
from holdfast.gate.actuation.jobs import Job, Jobs, Step
from holdfast.gate.actuation.snapshot import Snapshots
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.actuation.taken import OperatorWins
from holdfast.gate.actuation.transitions import WAIT_FOR_PERSON
from holdfast.gate.approval.inbox import ApprovalError, Inbox
from holdfast.gate.approval.signatures import signed_bytes
from holdfast.gate.guard.compile import Compiled
from holdfast.gate.guard.decide import decide
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.link import Progress
from holdfast.terms import Approval, Autonomy, Outcome, canonical

TEXT_MAX = 300
Found = Literal["verified", "failed"]  # what a person found that an indeterminate write did


class Acts:
    """`told` when something was recorded, `changed` when there may be something to do."""

    def __init__(
        self,
        *,
        compiled: Compiled,
        clock: Clock,
        log: Log,
        debts: Debts,
        jobs: Jobs,
        inbox: Inbox,
        people: People,
        stop: StopSwitch,
        autonomy: AutonomyLevels,
        watch: OperatorWatch,
        wins: OperatorWins,
        snapshots: Snapshots,
        told: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._compiled = compiled
        self._clock = clock
        self._log = log
        self._debts = debts
        self._jobs = jobs
        self._inbox = inbox
        self._people = people
        self._stop = stop
        self._autonomy = autonomy
        self._watch = watch
        self._wins = wins
        self._snapshots = snapshots
        self._told = told
        self._changed = changed

    def adopt(self, compiled: Compiled, snapshots: Snapshots) -> None:
        self._compiled, self._snapshots = compiled, snapshots

    def sign(self, proposal: str, person: str, role: str, key: Ed25519PrivateKey, *, yes: bool, reason: str, shown: str = "") -> Progress:
        """A person's yes or no, signed with the key that their password opened. Raises ApprovalError.

        `role` "" takes the first that is asked for and that the person has. What is signed binds the world as it is
        now: if the setpoint or the mode has changed since it was asked, or since it was `shown`, the answer is refused.
        """
        found, ask = self._jobs.get(proposal), self._inbox.ask(proposal)
        if found is None or ask is None:
            raise ApprovalError("approval.unknown", proposal)
        job = found
        person = self._inbox.named(person)
        role = role or next((r for r in ask.roles if r in self._people.roles(person)), "")
        now = decide(job.proposal, job.author, self._compiled, self._snapshots.take(job.proposal, self._debts.now_ns()))
        if shown not in ("", now.binds):
            raise ApprovalError("approval.changed", proposal)
        message = signed_bytes(binds=now.binds, person=person, role=role, yes=yes, reason=reason)
        approval = Approval(
            proposal=proposal,
            binds=now.binds,
            person=person,
            role=role,
            yes=yes,
            reason=reason,
            at_ns=self._clock.now_ns(),
            signature=key.sign(message),
        )

        def record() -> Job:
            with committing(self._log.state, "approval"):
                self._inbox.record(approval)
                match self._inbox.state(proposal):
                    case "approved" if job.state == "asked":
                        return self._jobs.put(job.on("signed"))
                    case "refused" if job.state == "asked":
                        return self._jobs.put(job.on("declined"))
                    case _:
                        return job

        answered = self._debts.by_person(record)
        self._told()
        self._changed()
        return answered.progress

    def resolve(
        self, proposal: str, person: str, key: Ed25519PrivateKey, *, result: Literal["verified", "failed"], reason: str
    ) -> Progress:
        """A person found out what an indeterminate write did, and frees its tags. Raises ValueError where nothing is frozen."""
        found = self._jobs.get(proposal)
        if found is None or found.state not in WAIT_FOR_PERSON:
            raise ValueError(f"{proposal}: nothing to resolve; `holdfast status` shows what waits for a person")
        job = found
        act = {
            "act": "resolve",
            "proposal": proposal,
            "person": self._inbox.named(person),
            "result": result,
            "reason": reason[:TEXT_MAX],
            "at_ns": self._clock.now_ns(),
        }
        outcome = Outcome(proposal=proposal, result=result, code="person.resolved")
        signed = {**act, "signature": key.sign(canonical(act))}

        def record() -> Job:
            with committing(self._log.state, "resolved"):
                self._log.append("resolved", signed)
                ended = self._jobs.put(job.on("done" if result == "verified" else "undone", outcome=outcome))
                for step in job.steps:
                    self._stand_off(job, step, landed=result == "verified")
                return ended

        resolved = self._debts.by_person(record)
        for tag in job.tags:
            self._watch.targets.pop(tag, None)
        self._told()
        return resolved.progress

    def _stand_off(self, job: Job, step: Step, *, landed: bool) -> None:
        """Where a setpoint is not where the person's answer says, or may have been put back while the gate was away, it is somebody's.

        In the caller's transaction.
        """
        bound = self._compiled.bounds.get(step.tag)
        if bound is None or bound.envelope.readback is None:
            return
        should, now = step.wanted if landed else step.former, self._watch.last(bound.present.tag.name)
        if now is None or job.restarted or abs(now - should) > bound.envelope.readback.within:
            self._wins.perhaps(step.tag, step.wanted, should if now is None else now, self._clock.now_ns())

    def press_stop(self, scope: str, by: str) -> None:
        """Works whatever else is broken; the record follows when it can. Raises ValueError for a place that the site does not have."""
        if scope != "*" and scope not in self._compiled.equipment:
            known = ", ".join(self._compiled.equipment)
            raise ValueError(f"{scope[:TEXT_MAX]!r} is no equipment of this site, so nothing was stopped; there are {known}, and * for all")
        again = scope in self._stop.stopped()
        self._stop.press(scope, by)
        if not again:
            self._debts.owe("stop", {"scope": scope, "by": by[:TEXT_MAX]})

    def resume(self, scope: str, person: str, signature: bytes, at_ns: int) -> None:
        """The caller has checked the person's password. `signature` is over canonical({"act": "resume", "scope", "at_ns"})."""

        def record() -> None:
            with self._log.state.transaction():
                self._log.append("resume", {"scope": scope, "by": person, "at_ns": at_ns, "signature": signature})

        self._debts.by_person(record)
        self._stop.release(scope)  # only once it is on record
        self._told()

    def set_autonomy(self, scope: str, level: Autonomy, by: str, kind: Literal["person", "fault"]) -> None:
        """People raise and lower, faults only lower; below the site file's ceilings in any case. Raises ValueError."""
        if kind == "fault" and self._autonomy.raises(scope, level):
            raise ValueError("only a person raises autonomy")

        def record() -> None:
            with self._log.state.transaction():
                self._autonomy.set(scope, level)
                self._log.append("autonomy", {"scope": scope, "level": level, "by": by, "kind": kind})

        self._debts.by_person(record)
        self._told()
