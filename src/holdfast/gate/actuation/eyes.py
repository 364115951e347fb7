"""What the saga needs to see before it sends: the devices' values now, and a second decision on them (saga.Eyes)."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence

from holdfast.gate.actuation.contacts import Contacts
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.actuation.hands import OperatorWatch
from holdfast.gate.actuation.intake import Intake
from holdfast.gate.actuation.jobs import Job, Jobs
from holdfast.gate.actuation.second import Second
from holdfast.gate.actuation.snapshot import Snapshots
from holdfast.gate.alarms.board import AlarmBoard
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.guard.binds import snapshot_digest
from holdfast.gate.guard.compile import Compiled
from holdfast.gate.guard.decide import against_retreat, decide, stands
from holdfast.ports import Connector
from holdfast.terms import Decision, Proposal, Reason, Sample, Snapshot, Write

READ_TIMEOUT_S = 5.0
TEXT_MAX = 300


class FreshEyes:
    """Reads, never writes; what was seen is reacted to before anything is decided on it."""

    def __init__(
        self,
        *,
        compiled: Compiled,
        connectors: Mapping[str, Connector],
        intake: Intake,
        contacts: Contacts,
        snapshots: Snapshots,
        alarms: AlarmBoard,
        watch: OperatorWatch,
        jobs: Jobs,
        inbox: Inbox,
        debts: Debts,
    ) -> None:
        self._compiled, self._connectors, self._intake, self._snapshots = compiled, connectors, intake, snapshots
        self._contacts = contacts
        self._alarms, self._watch, self._jobs, self._inbox, self._debts = alarms, watch, jobs, inbox, debts

    def adopt(self, compiled: Compiled, snapshots: Snapshots) -> None:
        self._compiled, self._snapshots = compiled, snapshots

    def react(self) -> None:
        """What the newest values mean: alarms, and others' hands on a loop. Writes to the record only if there is something."""
        now_ns = self._debts.now_ns()
        good_value = self._intake.live.good_value
        self._debts.owe_all(self._alarms.step(good_value, now_ns), self._watch.step(good_value, now_ns))

    def lost(self, connection: str, why: str) -> None:
        """All its tags are Bad at once."""
        self._intake.live.lost(connection)
        self._contacts.lost(connection, why[:TEXT_MAX])
        self._debts.owe("connection", {"connection": connection, "state": "lost", "why": why[:TEXT_MAX]})

    async def read(self, tags: Sequence[str]) -> Mapping[str, Sample]:
        known = self._compiled.tags
        by_connection: dict[str, list[str]] = {}
        for tag in tags:
            by_connection.setdefault(known[tag].connection, []).append(tag)
        samples: dict[str, Sample] = {}
        for connection, names in by_connection.items():
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    found = await self._connectors[connection].read([known[n] for n in names])
            except Exception as error:  # noqa: BLE001 - whatever a plug-in raises: there is nothing that could be rested on
                self.lost(connection, str(error) or f"no answer within {READ_TIMEOUT_S} s")
                continue
            samples.update((s.tag, s) for s in found)
        self._intake.live.take(samples.values())
        return samples

    async def decide_again(self, job: Job) -> Second:
        snapshot = await self._look(job.proposal)
        current = self._jobs.get(job.proposal.id)
        second = decide(job.proposal, job.author, self._compiled, snapshot)
        asked = job.decision.verdict == "ask"  # of what nobody was asked for nobody has signed
        signed = tuple(approval.role for approval in self._inbox.signed(job.proposal.id) if approval.yes) if asked else ()
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
        second = decide(proposal, job.author, self._compiled, snapshot)
        against = against_retreat(job.decision, second)
        return self._second(snapshot, second, stands=not against, reasons=against)

    def mean(self, tag: str, seconds: float) -> float | None:
        return self._intake.mean(tag, seconds)

    def consume_approval(self, job: Job, second: Second) -> None:
        if job.decision.verdict == "ask":
            self._inbox.consume(job.proposal.id, binds=second.binds, roles=second.roles)

    def signers(self, job: Job) -> str:
        """Who said yes; the author where nobody was asked."""
        return ", ".join(approval.person for approval in self._inbox.signed(job.proposal.id) if approval.yes) or job.author

    def void_approval(self, job: Job, why: str) -> None:
        if job.decision.verdict == "ask":
            self._inbox.void(job.proposal.id, why)

    async def _look(self, proposal: Proposal) -> Snapshot:
        """What the devices say now of all that a decision on this rests on."""
        await self.read(self._snapshots.tags(proposal))
        # Whoever moved the loop a moment ago is seen now, not with the next frame.
        self.react()
        now_ns = self._debts.now_ns()
        self._debts.demand_settled()
        return self._snapshots.take(proposal, now_ns)

    def _second(self, snapshot: Snapshot, second: Decision, *, stands: bool, reasons: tuple[Reason, ...]) -> Second:
        present = {r.tag: r.value for r in snapshot.readings}
        bounds = self._compiled.bounds
        at = {w.tag: bounds[w.tag].present.tag.name for w in snapshot.wires if w.tag in bounds}
        return Second(
            stands=stands,
            present=tuple((tag, present[name]) for tag, name in at.items() if name in present),
            wanted=tuple((wire.tag, wire.value) for wire in snapshot.wires),
            reasons=reasons,
            snapshot=second.snapshot or snapshot_digest(snapshot),
            binds=second.binds,
            roles=second.roles,
        )
