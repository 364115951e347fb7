"""The course of one incident: one action at a time, its effect awaited before the next, and reasons to stop.

Deterministic: the same rankings, values, moves and answers give the same proposals with the same ids.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal
from zoneinfo import ZoneInfo

from holdfast.agent.diagnosis.bind import Bound, equipment_of, loop_of_role, tag_of_role
from holdfast.agent.diagnosis.propose import STANDS_OFF, Held, ValueOf, expectation, keeps, room
from holdfast.agent.diagnosis.rank import Match, Ranking
from holdfast.agent.diagnosis.wording import quote
from holdfast.agent.diagnosis.work import LOTS_TOLD_MAX, affected, plan_of, planned
from holdfast.agent.knowledge.modes import Advice, Trim
from holdfast.link import PlantContext, Progress
from holdfast.site.model import Envelope, Loop, Site
from holdfast.terms import SECOND_NS, Decision, Evidence, Move, Order, Proposal, Word, Write

Hold = Literal[
    Held,
    "quiet",
    "symptom_gone",
    "unsure",
    "nothing_to_do",
    "waiting",
    "backing_off",
    "said_no",
    "wrong_twice",
    "exhausted",
    "posted_before",
]

NO_CONTEXT = PlantContext()
ACT_FROM = 0.5  # probability of all causes together that ask for the same move
ADVISE_FROM = 0.4
PRESENCE_MIN = 0.25  # below: what the mode is known by has gone
PROPOSALS_MAX = 40  # of one incident
REFUSALS_MAX = 6  # then the agent asks no more in this incident
WRONG_MAX = 2  # in a row
USELESS_MAX = 4  # times that a move had no effect before it is left alone: an early move prevents, so its effect may not show
BACK_OFF_S, BACK_OFF_S_MAX = 120.0, 3600.0
SHADOW_EVERY_S = 120.0  # a would-be action changes nothing; asked again now and then, for autonomy may have been raised
EFFECT_SLACK_S = 60.0  # the gate judges the effect; so long after it is due the agent goes on without


class Pause(Word):
    """Nothing to propose now, and why."""

    code: Hold


class Open(Word):
    """The one action that is under way."""

    proposal: str
    key: tuple[str, str]  # (setpoint, direction)
    at_ns: int
    due_s: float
    verified_ns: int = 0


class Course:
    """`next` says what to propose; `decided` and `progressed` tell it what became of that."""

    def __init__(self, site: Site, agent: str, incident: str) -> None:
        self.site, self.agent, self.incident = site, agent, incident
        self.open: Open | None = None
        self.moved: set[str] = set()  # setpoint and process tags of loops that we moved
        self.posted = self.refusals = self.wrong = 0
        self.last: Hold | None = None
        self._not_before_ns = 0
        self._closed: set[tuple[str, str]] = set()  # moves that a person refused or whose fate is unknown
        self._said: set[str] = set()  # advices given and stand-offs put on record
        self._known: dict[str, float] = {}  # active setpoints as last seen
        self._mute = False
        self._unanswered = 0
        self._useless: Counter[tuple[str, str]] = Counter()
        self._kept_at_start: bool | None = None
        self._context, self._onset_ns, self._now_ns = NO_CONTEXT, 0, 0

    # ---- what to do next

    def next(
        self,
        ranking: Ranking,
        *,
        presence: float,
        active: bool,
        value_of: ValueOf,
        moves: Sequence[Move],
        taken: Mapping[str, int],
        now_ns: int,
        context: PlantContext = NO_CONTEXT,
        onset_ns: int = 0,
    ) -> Proposal | Pause:
        """`presence`: of the top mode without our own tags; `active`: the finding stands; `moves`: anyone's, in order of time;
        `taken`: by setpoint, when a mode or permit of its loop last changed; `context`: for work that the site plans by it."""
        self._context, self._onset_ns, self._now_ns = context, onset_ns, now_ns
        found = self._next(ranking, presence, active, value_of, moves, taken, now_ns)
        self.last = found.code if isinstance(found, Pause) else None
        return found

    def _next(
        self,
        ranking: Ranking,
        presence: float,
        active: bool,
        value_of: ValueOf,
        moves: Sequence[Move],
        taken: Mapping[str, int],
        now_ns: int,
    ) -> Proposal | Pause:
        blocked = self._blocked(active, value_of, now_ns)
        top = ranking.matches[0]
        if blocked is not None:
            return Pause(code=blocked)
        if top.bound is None:
            return Pause(code="unsure")
        evidence = ranking.diagnosis.causes[0].supporting[:8]
        trims = [step for step in top.bound.mode.actions if isinstance(step, Trim)]
        if (blind := self._blind(top.bound, trims, top, evidence, value_of, now_ns)) is not None:
            return blind
        if presence < PRESENCE_MIN:
            return Pause(code="symptom_gone")
        usable = False
        for trim in trims:
            key = self._key(top.bound, trim)
            if key is None or key in self._closed:
                continue
            if sum(m.probability for m in ranking.matches if m.bound and key in self._keys(m.bound)) < ACT_FROM:
                return Pause(code="unsure")
            found = self._trim(top.bound, trim, top, evidence, value_of, moves, taken, now_ns)
            if not (isinstance(found, Pause) and found.code in ("at_bound", "keep", "observe")):
                return found
            usable = usable or found.code != "observe"
        return self._advise(top, evidence) or Pause(code="exhausted" if usable else "nothing_to_do")

    def _blocked(self, active: bool, value_of: ValueOf, now_ns: int) -> Hold | None:
        if self.open is not None:
            late = self.open.verified_ns and now_ns - self.open.verified_ns > (self.open.due_s + EFFECT_SLACK_S) * SECOND_NS
            if not late:
                return "waiting"
            self.open = None
        if not active:
            return "quiet"
        if self.wrong >= WRONG_MAX:
            return "wrong_twice"
        kept = not keeps(self.site, value_of)
        if self._kept_at_start is None:
            self._kept_at_start = kept
        if self._kept_at_start and not kept and self.moved:
            return "keep"
        if self.posted >= PROPOSALS_MAX or self.refusals >= REFUSALS_MAX:
            return "exhausted"
        return "backing_off" if now_ns < self._not_before_ns else None

    def _keys(self, bound: Bound) -> list[tuple[str, str]]:
        return [key for step in bound.mode.actions if isinstance(step, Trim) and (key := self._key(bound, step)) is not None]

    def _key(self, bound: Bound, trim: Trim) -> tuple[str, str] | None:
        loop = loop_of_role(self.site, trim.role, bound.equipment)
        return None if loop is None else (loop.sp, trim.move)

    def _trim(
        self,
        bound: Bound,
        trim: Trim,
        top: Match,
        evidence: tuple[Evidence, ...],
        value_of: ValueOf,
        moves: Sequence[Move],
        taken: Mapping[str, int],
        now_ns: int,
    ) -> Proposal | Pause:
        loop = loop_of_role(self.site, trim.role, bound.equipment)
        envelope = None if loop is None else self.site.envelope(loop.sp)
        if loop is None or envelope is None:
            return Pause(code="at_bound")
        found = room(
            self.site, loop, envelope, trim, value_of=value_of, moves=moves, taken_ns=taken.get(loop.sp, 0), now_ns=now_ns, agent=self.agent
        )
        if found.target is None:
            assert found.held is not None  # noqa: S101 - no target without a reason
            return Pause(code=found.held)
        if found.held in STANDS_OFF:
            # The gate's own refusal belongs in the record, once: it says to people why nothing is done.
            said = f"{loop.sp}:{found.held}"
            if said in self._said:
                return Pause(code=found.held)
            self._said.add(said)
        return self._post(bound, trim, loop, envelope, found.before, found.target, top, evidence, now_ns)

    def _blind(
        self, bound: Bound, trims: Sequence[Trim], top: Match, evidence: tuple[Evidence, ...], value_of: ValueOf, now_ns: int
    ) -> Proposal | None:
        """While a loop can't be seen the gate must refuse; asked once an outage, so that the record says why nothing is done."""
        for trim in trims:
            loop = loop_of_role(self.site, trim.role, bound.equipment)
            envelope = None if loop is None else self.site.envelope(loop.sp)
            if loop is None or envelope is None or envelope.step is None:
                continue
            said, value = f"{loop.sp}:no_value", value_of(loop.sp_now or loop.sp)
            if value is not None:
                self._known[loop.sp] = value
                self._said.discard(said)
            elif loop.sp in self._known and said not in self._said:
                self._said.add(said)
                before = self._known[loop.sp]
                target = before + (envelope.step if trim.move == "up" else -envelope.step)
                return self._post(bound, trim, loop, envelope, before, target, top, evidence, now_ns)
        return None

    def _post(
        self,
        bound: Bound,
        trim: Trim,
        loop: Loop,
        envelope: Envelope,
        before: float,
        target: float,
        top: Match,
        evidence: tuple[Evidence, ...],
        now_ns: int,
    ) -> Proposal:
        language = self.site.language
        tag = self.site.tag(loop.sp)
        self.posted += 1
        self.open = Open(
            proposal=f"{self.incident}-{self.posted}",
            key=(loop.sp, trim.move),
            at_ns=now_ns,
            due_s=max(envelope.settles.after_s if envelope.settles else 0.0, envelope.expect.within_s if envelope.expect else 0.0),
        )
        return Proposal(
            id=self.open.proposal,
            incident=self.incident,
            action=Write(sets=((loop.sp, target),)),
            reason=quote(
                "reason",
                language,
                mode=bound.mode.name.of(language),
                percent=round(100 * top.probability),
                tag=loop.sp,
                before=before,
                after=target,
                unit=tag.unit if tag else "",
            ),
            evidence=evidence,
            expect=expectation(self.site, envelope, trim, tag_of_role(self.site, trim.expect_role, bound.equipment), language),
        )

    def _advise(self, top: Match, evidence: tuple[Evidence, ...]) -> Proposal | None:
        """The mode's next advice to people, each once."""
        bound, language = top.bound, self.site.language
        if bound is None or top.probability < ADVISE_FROM or self._mute:
            return None
        where = bound.equipment or next((equipment_of(e.ref) for e in evidence if e.kind == "history"), "*")
        work = plan_of(self.site.work, bound.mode.id, bound.equipment)
        if work is not None and work.holds and (hold := self._hold(where)) is not None:
            order, rests = hold
            return self._order(order, top, bound, evidence + rests)
        for place, step in enumerate(bound.mode.actions):
            if not isinstance(step, Advice) or f"{bound.id}#{place}" in self._said:
                continue
            self._said.add(f"{bound.id}#{place}")
            order = Order(kind=step.kind, target=where, text=step.text.of(language))
            if work is not None and step.kind == "work_order":
                plan = planned(work, self._context, self._now_ns)
                text = " ".join(part for part in (order.text, plan.told(ZoneInfo(self.site.timezone), language)) if part)
                order = Order(kind=step.kind, target=where, text=text, parts=plan.parts, slot_ns=plan.slot_ns)
                evidence += plan.evidence
            return self._order(order, top, bound, evidence)
        return None

    def _hold(self, where: str) -> tuple[Order, tuple[Evidence, ...]] | None:
        """Lots that ran since it began, once; None where no lot is known to have."""
        found = affected(self._context.lots, self._onset_ns, self._now_ns)
        if "hold" in self._said or not found.lots:
            return None
        self._said.add("hold")
        more = len(found.lots) - LOTS_TOLD_MAX
        lots = ", ".join(found.lots[:LOTS_TOLD_MAX]) + (f" (+{more})" if more > 0 else "")
        parts = [quote("work.hold", self.site.language, lots=lots)]
        if found.shared:
            reels = ", ".join(f"{supplier} {lot}" for supplier, lot in found.shared)
            parts.append(quote("work.shared", self.site.language, lots=reels))
        return Order(kind="hold_batch", target=where, text=" ".join(parts)), found.evidence

    def _order(self, order: Order, top: Match, bound: Bound, evidence: tuple[Evidence, ...]) -> Proposal:
        language = self.site.language
        self.posted += 1
        return Proposal(
            id=f"{self.incident}-{self.posted}",
            incident=self.incident,
            action=order,
            reason=quote("advice", language, mode=bound.mode.name.of(language), percent=round(100 * top.probability)),
            evidence=evidence,
            expect=quote("advice_expect", language),
        )

    # ---- what became of it

    def decided(self, decision: Decision, now_ns: int) -> None:
        """The gate's answer to the proposal just posted."""
        if self.open is None or decision.proposal != self.open.proposal:
            # An advice: where the policy lets nobody advise, the next would be refused alike.
            self._mute = self._mute or decision.verdict == "refuse"
            return
        if decision.would:
            self._not_before_ns = now_ns + round(SHADOW_EVERY_S * SECOND_NS)
            self.open = None
        elif decision.verdict == "refuse":
            self._refused(now_ns)

    def lost(self, now_ns: int) -> None:
        """The post itself failed. What became of it is asked for under the same id before anything else is proposed."""
        self._not_before_ns = now_ns + round(BACK_OFF_S * SECOND_NS)

    def progressed(self, progress: Progress | None, now_ns: int) -> None:
        """How far the open action came; None: the gate never saw it."""
        if self.open is None:
            return
        if progress is None:
            self.open = None
            return
        match progress.state:
            case "verified":
                self._took(now_ns)
                if progress.outcome is not None and progress.outcome.effect is not None:
                    self._effect(progress)
            case "done":
                self._took(now_ns)
                self._effect(progress)
            case "refused" | "failed":
                if progress.state == "refused" and progress.decision.verdict != "refuse":
                    self._closed.add(self.open.key)  # a person said no to this move in this incident
                self._refused(now_ns)
            case "restored" | "escalated" if progress.outcome is not None and progress.outcome.effect is not None:
                self._took(now_ns)
                self._effect(progress)
            case "indeterminate" | "restored" | "escalated":
                self._closed.add(self.open.key)
                self._refused(now_ns)
            case "expired":
                self._unanswered += 1  # nobody answered: asked again later and later
                self._back_off(now_ns)
                self.open = None
            case "voided" | "shadow":
                self._back_off(now_ns)
                self.open = None
            case "proposed" | "asked" | "approved" | "intent" | "sent" | "retreat" | "retreating":
                pass

    def _took(self, now_ns: int) -> None:
        assert self.open is not None  # noqa: S101 - callers have checked
        self._unanswered = 0
        if not self.open.verified_ns:
            sp = self.open.key[0]
            loop = self.site.loop_of(sp)
            self.moved.update({sp} if loop is None else {sp, loop.sp_now, loop.pv})
            self.open = Open(
                proposal=self.open.proposal, key=self.open.key, at_ns=self.open.at_ns, due_s=self.open.due_s, verified_ns=now_ns
            )

    def _effect(self, progress: Progress) -> None:
        effect = None if progress.outcome is None else progress.outcome.effect
        self.wrong = self.wrong + 1 if effect == "wrong" else 0 if effect == "expected" else self.wrong
        if effect == "none" and self.open is not None:
            self._useless[self.open.key] += 1
            if self._useless[self.open.key] >= USELESS_MAX:
                self._closed.add(self.open.key)
        self.refusals = 0
        self.open = None

    def _refused(self, now_ns: int) -> None:
        self.refusals += 1
        self._back_off(now_ns)
        self.open = None

    def _back_off(self, now_ns: int) -> None:
        wait_s = min(BACK_OFF_S * 2.0 ** max(self.refusals + self._unanswered - 1, 0), BACK_OFF_S_MAX)
        self._not_before_ns = now_ns + round(wait_s * SECOND_NS)
