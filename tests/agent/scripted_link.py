"""A link with a script for a plant: synthetic rows of a site's tables, and a gate that answers as told."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from holdfast.link import (
    INCIDENTS_TOLD_MAX,
    ConfirmedCause,
    DetectorTold,
    IncidentTold,
    LearnedOffer,
    LearnedStanding,
    LinkError,
    PlantContext,
    Progress,
    RelearnDeclined,
)
from holdfast.site.model import Site
from holdfast.site.modelroles import ModelStanding, ModelsTold
from holdfast.site.tables import tables
from holdfast.terms import (
    BAD_NO_COMMUNICATION,
    SECOND_NS,
    Alarm,
    Decision,
    Diagnosis,
    Finding,
    Frame,
    Move,
    Outcome,
    Proposal,
    Report,
    Verdict,
    Write,
)

START_NS = 1_700_000_000 * SECOND_NS
Effect = Callable[["ScriptedLink", Proposal], None]


class ScriptedLink:
    """`values` is what the plant reads now, by tag; `tick` makes one row of every table of it, with unit noise times `noise`."""

    def __init__(self, site: Site, values: dict[str, float], noise: dict[str, float], seed: int = 1) -> None:
        self._site, self.values, self.noise = site, dict(values), noise
        self._rng = np.random.default_rng(seed)
        self._tables = {table.id: table for table in tables(site)}
        self._frames: dict[str, Frame] = {}
        self._seq = 0
        self.now_ns = START_NS
        self.bad: set[str] = set()
        self.stuck: dict[str, float] = {}
        self.verdict: Verdict = "permit"
        self.would = False
        self.effect: str = "expected"
        self.cut = False
        self.finds_lost = 0
        self.seen_moves: list[Move] = []
        self.findings: list[Finding] = []
        self.diagnoses: list[Diagnosis] = []
        self.proposals: list[Proposal] = []
        self.reports: list[Report] = []
        self.confirmed: list[ConfirmedCause] = []
        self.in_force: dict[str, str] = {}
        self.states: dict[str, bytes] = {}
        self.told: tuple[DetectorTold, ...] = ()
        self.standing: tuple[ModelStanding, ...] = ()
        self.told_models: list[ModelsTold] = []
        self._progress: dict[str, tuple[Proposal, int]] = {}

    def tick(self) -> None:
        self.now_ns += SECOND_NS
        self._seq += 1
        for table in self._tables.values():
            row = [
                self.stuck.get(t.name, self.values.get(t.name, 0.0) + self.noise.get(t.name, 0.0) * self._rng.normal()) for t in table.tags
            ]
            status = [BAD_NO_COMMUNICATION if t.name in self.bad or t.connection in self.bad else 0 for t in table.tags]
            at = np.array([self.now_ns], dtype=np.int64)
            self._frames[table.id] = Frame(
                table=table.id,
                seq=self._seq,
                received_ns=at,
                source_ns=np.full((1, len(row)), self.now_ns, dtype=np.int64),
                values=np.array([row]),
                status=np.array([status], dtype=np.uint32),
            )

    def _reach(self) -> None:
        if self.cut:
            raise LinkError("the gate is away")

    async def site(self) -> Site:
        return self._site

    async def frames(self, table: str, after: int, *, wait_s: float = 0.0) -> Frame | None:
        self._reach()
        frame = self._frames.get(table)
        return frame if frame is not None and frame.seq > after else None

    async def history(self, table: str, from_ns: int, to_ns: int, *, rows_max: int = 3600) -> Frame:
        width = len(self._tables[table].tags)
        empty = np.zeros((0, width))
        at = np.zeros(0, dtype=np.int64)
        return Frame(table=table, seq=0, received_ns=at, source_ns=empty.astype(np.int64), values=empty, status=empty.astype(np.uint32))

    async def alarms(self) -> Sequence[Alarm]:
        return ()

    async def moves(self, since_ns: int) -> Sequence[Move]:
        return tuple(m for m in self.seen_moves if m.at_ns > since_ns)

    async def find(self, finding: Finding) -> None:
        self._reach()
        if self.finds_lost:
            self.finds_lost -= 1
            raise LinkError("the gate is away")
        self.findings.append(finding)

    async def diagnose(self, diagnosis: Diagnosis) -> None:
        self.diagnoses.append(diagnosis)

    async def publish(self, report: Report) -> None:
        self.reports.append(report)

    async def propose(self, proposal: Proposal) -> Decision:
        self._reach()
        self.proposals.append(proposal)
        self._progress[proposal.id] = (proposal, self.now_ns)
        if self.verdict == "permit" and not self.would and isinstance(proposal.action, Write):
            tag, value = proposal.action.sets[0]
            loop = self._site.loop_of(tag)
            before = self.values[loop.sp_now] if loop else self.values[tag]
            self.seen_moves.append(Move(tag=tag, before=before, after=value, at_ns=self.now_ns, by="mill-agent", ours=True))
            self.values[tag] = value
            if loop is not None:
                self.values[loop.sp_now] = self.values[loop.pv] = value
        return self._decision(proposal)

    def _decision(self, proposal: Proposal) -> Decision:
        return Decision(
            proposal=proposal.id,
            binds="",
            configuration="",
            snapshot="",
            author="mill-agent",
            at_ns=self.now_ns,
            verdict=self.verdict,
            would=self.would,
            reasons=(),
        )

    async def context(self) -> PlantContext:
        return PlantContext()

    async def learned(self) -> Sequence[LearnedStanding]:
        self._reach()
        return tuple(LearnedStanding(name=spec.name, in_force=self.in_force.get(spec.name, "")) for spec in self._site.perception)

    async def learned_state(self, digest: str) -> bytes | None:
        return self.states.get(digest)

    async def offer_learned(self, offer: LearnedOffer, state: bytes) -> LearnedStanding:
        of = hashlib.sha256(state).hexdigest()
        self.states[of] = state
        return LearnedStanding(name=offer.name, in_force=self.in_force.setdefault(offer.name, of))

    async def tell_detectors(self, told: Sequence[DetectorTold]) -> None:
        self.told = tuple(told)

    async def decline_relearn(self, declined: RelearnDeclined) -> None:
        raise AssertionError("nobody asks for it here")

    async def incidents(self, limit: int = INCIDENTS_TOLD_MAX) -> Sequence[IncidentTold]:
        return ()

    async def causes(self) -> Sequence[ConfirmedCause]:
        self._reach()
        return tuple(self.confirmed)

    async def progress(self, proposal: str) -> Progress | None:
        found = self._progress.get(proposal)
        if found is None:
            return None
        decision = self._decision(found[0])
        if self.verdict == "ask":
            return Progress(proposal=proposal, state="asked", decision=decision)
        if self.now_ns - found[1] < 120 * SECOND_NS:
            return Progress(proposal=proposal, state="verified", decision=decision, outcome=Outcome(proposal=proposal, result="verified"))
        outcome = Outcome(proposal=proposal, result="verified", effect=self.effect)  # type: ignore[arg-type]
        return Progress(proposal=proposal, state="done", decision=decision, outcome=outcome)

    async def models(self) -> Sequence[ModelStanding]:
        self._reach()
        return self.standing

    async def tell_models(self, told: ModelsTold) -> None:
        self._reach()
        self.told_models.append(told)
