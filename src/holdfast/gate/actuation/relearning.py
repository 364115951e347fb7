"""Detectors at work, as the gate has it: who asked that one learns anew, what its agent says of it, and what people put back.

A request is refused at once where now is no time to learn from; the agent looks at the whole stretch. It is kept in memory, for one
relearning: what a restart forgets is asked for again. Nothing here puts a state in force but a person's own act of putting one back.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import Clock
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.actuation.learned import InForce, LearnedError, LearnedStates, Version, put
from holdfast.gate.actuation.stop import StopSwitch
from holdfast.gate.alarms.board import AlarmBoard
from holdfast.gate.approval.inbox import Inbox
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.link import DetectorTold, LearnedOffer, LearnedStanding, RelearnDeclined
from holdfast.site.model import DetectorSpec, Site
from holdfast.site.quiet import conditions, equipment_of
from holdfast.terms import SECOND_NS, Adopt, Decision, Proposal, Word, canonical, digest

RELEARN_S = 900.0  # an agent that has not answered a request by then does not answer it any more
RETRY_S = 3600.0  # after a time at which a scheduled relearning was due and could not be
HEARD_S = 60.0  # an agent that was not heard for so long learns nothing now
TOLD_S = 120.0  # what an agent said before that is no news
TEXT_MAX = 300
FACTS_MAX = 8
TAGS_MAX = 8  # told of a drift
NO_DIGEST = "0" * 64


class Asked(Word):
    """A request; `ended` says what came of it, "" while it is open: a code, or "learned.offered"."""

    relearn: str
    name: str
    person: str  # "" for the site file's schedule
    at_ns: int
    ended: str = ""
    digest: str = ""  # of what was offered for it
    facts: tuple[tuple[str, str], ...] = ()


class DetectorNow(Word):
    """All that is known of one detector. `told` is its agents' own account."""

    name: str
    detector: str
    tags: int
    quiet_rows: int
    limit: float
    every_s: float  # between relearnings on schedule, 0 for none
    due_ns: int  # when the next is due at the soonest, 0 for none
    in_force: InForce | None
    versions: tuple[Version, ...]
    told: tuple[tuple[str, DetectorTold], ...]  # (agent, what it says)
    asked: Asked | None


class Relearning:
    """`decided` is the guard's answer to a proposal of an agent, as things are now, without any consequence."""

    def __init__(
        self,
        *,
        states: LearnedStates,
        site: Callable[[], Site],
        clock: Clock,
        log: Log,
        debts: Debts,
        inbox: Inbox,
        people: People,
        stop: StopSwitch,
        alarms: AlarmBoard,
        value_of: Callable[[str], float | None],
        silent_s: Callable[[str], float | None],
        decided: Callable[[Proposal, str], Decision],
        told: Callable[[], None],
    ) -> None:
        self.states = states
        self._site, self._clock, self._log, self._debts = site, clock, log, debts
        self._inbox, self._people, self._stop, self._alarms = inbox, people, stop, alarms
        self._value_of, self._silent_s, self._decided, self._tell = value_of, silent_s, decided, told
        self._asked: dict[str, Asked] = {}  # by detector
        self._try_ns: dict[str, int] = {}  # by detector: not before then is its schedule looked at again
        self._told: dict[tuple[str, str], tuple[int, DetectorTold]] = {}  # by (agent, detector): bounded by the site's own of both

    # ---- an agent (link.Learning) --------------------------------------------------------------------------------------

    def standing(self) -> Sequence[LearnedStanding]:
        """What an agent looks at every few seconds; so this is when the schedule is looked at too: without an agent nobody would learn."""
        for spec in self._site().perception:
            self._keep_schedule(spec)
        return tuple(self._standing(spec.name) for spec in self._site().perception)

    def state(self, digest: str) -> bytes:
        return self.states.state(digest)

    def offer(self, author: str, offer: LearnedOffer, state: bytes) -> LearnedStanding:
        """For runs in lockstep; over HTTP the bytes are put in a thread, and `take` follows."""
        self.demand_wanted(offer, state)
        of = put(self.states.folder, state)
        return self.take(author, offer, of, len(state))

    def demand_wanted(self, offer: LearnedOffer, state: bytes) -> None:
        """Before anything is written. The same answer to a request twice is one answer. Raises LearnedError."""
        self.states.spec(offer.name)
        self._open(offer.name)
        asked = self._asked.get(offer.name)
        again = asked is not None and asked.digest == hashlib.sha256(state).hexdigest()
        if offer.relearn and (asked is None or asked.relearn != offer.relearn or (asked.ended and not again)):
            raise LearnedError("relearn.over", "nobody asks for this any more: it was answered, or took too long")

    def take(self, author: str, offer: LearnedOffer, of: str, size: int) -> LearnedStanding:
        """What was wanted and is put."""
        self._debts.demand_well()
        self.states.keep(author, offer, of, size)
        if offer.relearn and self._open(offer.name) is not None:
            self._end(offer.name, "learned.offered", of=of)
        self.states.sweep()
        self._tell()
        return self._standing(offer.name)

    def told(self, author: str, told: Sequence[DetectorTold]) -> None:
        """Kept in memory; that a normal state drifted away, or came back, is on record once."""
        known = {spec.name for spec in self._site().perception}
        for one in told:
            if one.name not in known:
                raise LearnedError("learned.no_detector", f"{one.name[:100]!r} is no detector of this site")
            before = self._told.get((author, one.name))
            self._told[author, one.name] = self._clock.now_ns(), one
            if one.drifted != (before is not None and before[1].drifted):
                body = {"author": author, "name": one.name, "digest": one.digest[:64], "drifted": one.drifted, "wanders": one.drift}
                self._debts.owe("drift", {**body, "tags": one.tags[:TAGS_MAX]})

    def declined(self, author: str, declined: RelearnDeclined) -> None:
        asked = next((one for one in self._asked.values() if one.relearn == declined.relearn), None)
        if asked is None or self._open(asked.name) is None:
            raise LearnedError("relearn.over", "nobody asks for this any more: it was answered, or took too long")
        facts = tuple((name[:40], value[:TEXT_MAX]) for name, value in declined.facts[:FACTS_MAX])
        self._declined(asked, declined.code[:80], facts, author)

    def _standing(self, name: str) -> LearnedStanding:
        now, asked = self.states.in_force(name), self._open(name)
        return LearnedStanding(name=name, in_force=now.digest if now else "", relearn=asked.relearn if asked else "")

    # ---- people --------------------------------------------------------------------------------------------------------

    def detectors(self) -> tuple[DetectorNow, ...]:
        found: list[DetectorNow] = []
        for spec in self._site().perception:
            self._open(spec.name)
            found.append(
                DetectorNow(
                    name=spec.name,
                    detector=spec.detector,
                    tags=len(spec.tags),
                    quiet_rows=spec.quiet_rows,
                    limit=spec.limit,
                    every_s=spec.relearn_every_s,
                    due_ns=self._due_ns(spec),
                    in_force=self.states.in_force(spec.name),
                    versions=self.states.versions(spec.name),
                    told=tuple((agent, one) for (agent, name), (_, one) in self._told.items() if name == spec.name),
                    asked=self._asked.get(spec.name),
                )
            )
        return tuple(found)

    def relearn(self, name: str, person: str, key: Ed25519PrivateKey, *, reason: str) -> Asked:
        """Ask that a detector learns a candidate from its last quiet rows. Raises LearnedError where now is no time for it."""
        spec, person, now_ns = self.states.spec(name), self._inbox.named(person), self._clock.now_ns()
        self._demand_quiet(spec)
        self._demand_somebody(spec)
        act = {"act": "relearn", "name": name, "person": person, "reason": reason[:TEXT_MAX], "at_ns": now_ns}
        asked = Asked(relearn=f"r{digest(act)[:16]}", name=name, person=person, at_ns=now_ns)
        signed = {**act, "relearn": asked.relearn, "signature": key.sign(canonical(act))}

        def record() -> None:
            with self._log.state.transaction():
                self._log.append("relearn", signed)

        self._debts.by_person(record)
        self._asked[name] = asked
        self._tell()
        return asked

    def put_back(self, name: str, of: str, person: str, key: Ed25519PrivateKey, *, reason: str) -> InForce:
        """A state that was in force before, by one person who may approve an adoption. Raises LearnedError.

        `of` may be the beginning of a digest, 8 characters or more, that fits one version alone.
        """
        spec, person = self.states.spec(name), self._inbox.named(person)
        found = [v.digest for v in self.states.versions(spec.name) if v.digest.startswith(of)] if len(of) >= 8 else []
        if len(found) != 1:
            raise LearnedError("learned.unknown", f"no learned state {of[:16]!r} of {name!r} is kept here", digest=of[:16])
        roles = self._roles(spec)
        if not roles.intersection(self._people.roles(person)):
            wanted = ", ".join(sorted(roles))
            raise LearnedError("learned.role", f"{person} has none of the roles that may do this: {wanted}", person=person, roles=wanted)
        act = {"act": "put_back", "name": name, "digest": found[0], "person": person, "reason": reason[:TEXT_MAX]}
        act["at_ns"] = self._clock.now_ns()  # type: ignore[assignment]
        signed = {**act, "signature": key.sign(canonical(act))}
        self._debts.by_person(lambda: self.states.put_back(name, found[0], person, signed))
        self._tell()
        now = self.states.in_force(name)
        assert now is not None  # noqa: S101 - it was just put there
        return now

    # ---- whether and who -----------------------------------------------------------------------------------------------

    def _demand_quiet(self, spec: DetectorSpec) -> None:
        if self._open(spec.name) is not None:
            raise LearnedError("relearn.asked", f"{spec.name} is asked to learn already; wait for its answer", name=spec.name)
        stopped = [place for place in equipment_of(spec) if self._stop.covers(place)]
        if stopped:
            raise LearnedError("relearn.stopped", f"{', '.join(stopped)} is stopped; resume first", places=", ".join(stopped))
        for must in conditions(self._site(), spec):
            value = self._value_of(must.tag)
            if value is None:
                raise LearnedError("relearn.unknown", f"{must.tag} can't be read now, so nobody knows whether to learn", tag=must.tag)
            if not must.holds(value):
                raise LearnedError(must.code, f"{must.tag} says that now is no time to learn from ({must.code})", tag=must.tag)
        for alarm in self._alarms.states.values():
            if alarm.active and alarm.tag in spec.tags:
                raise LearnedError("relearn.alarm", f"an alarm stands on {alarm.tag}: what it shows now is not normal", tag=alarm.tag)
        since_ns = self._clock.now_ns() - round(TOLD_S * SECOND_NS)
        if any(one.active for (_, name), (at_ns, one) in self._told.items() if name == spec.name and at_ns >= since_ns):
            raise LearnedError("relearn.incident", f"{spec.name} has an incident open; wait for its end", name=spec.name)

    def _demand_somebody(self, spec: DetectorSpec) -> None:
        """An agent is there who would learn, and the policy lets it propose the adoption."""
        there = [
            agent.name for agent in self._site().agents if (silent_s := self._silent_s(agent.name)) is not None and silent_s <= HEARD_S
        ]
        if not there:
            raise LearnedError("relearn.nobody", "no agent is on duty, so nobody would learn; see `holdfast status`")
        answers = [self._decided(_adoption(spec.name), agent) for agent in there]
        if not any(one.verdict == "ask" and not one.would for one in answers):
            failed = sorted({r.code for one in answers for r in one.reasons if not r.passed} or {"autonomy.shadow"})
            cause = ", ".join(failed)
            cure = f"the policy needs a rule with actions: [adopt] and tags: [learned/{spec.name}] or [learned/*]"
            raise LearnedError("relearn.policy", f"its adoption would not be asked for now ({cause}); {cure}", cause=cause, name=spec.name)

    def _roles(self, spec: DetectorSpec) -> set[str]:
        """Who is asked for an adoption now; the site's default_approvals where nobody would be."""
        asked = {role for a in self._site().agents for role in self._decided(_adoption(spec.name), a.name).roles}
        return asked or set(self._site().default_approvals)

    # ---- on schedule ---------------------------------------------------------------------------------------------------

    def _due_ns(self, spec: DetectorSpec) -> int:
        """So long after what is in force came there, or after the last candidate was learned; 0 where there is nothing to learn anew."""
        now = self.states.in_force(spec.name)
        if not spec.relearn_every_s or now is None:
            return 0
        last_ns = max(now.since_ns, *(version.kept_ns for version in self.states.versions(spec.name)))
        return last_ns + round(spec.relearn_every_s * SECOND_NS)

    def _keep_schedule(self, spec: DetectorSpec) -> None:
        """Ask as a person would, where it is due and now is a time to learn from; else try again later. It is on record, and only
        a proposal comes of it."""
        now_ns = self._clock.now_ns()
        if not spec.relearn_every_s or now_ns < self._try_ns.get(spec.name, 0) or self._open(spec.name) is not None:
            return
        due_ns = self._due_ns(spec)
        if not due_ns or now_ns < due_ns:
            return
        self._try_ns[spec.name] = now_ns + round(RETRY_S * SECOND_NS)
        try:
            self._demand_quiet(spec)
            self._demand_somebody(spec)
        except LearnedError:
            return
        act = {"act": "relearn", "name": spec.name, "person": "", "every_s": spec.relearn_every_s, "due_ns": due_ns, "at_ns": now_ns}
        asked = Asked(relearn=f"r{digest(act)[:16]}", name=spec.name, person="", at_ns=now_ns)
        self._debts.owe("relearn", {**act, "relearn": asked.relearn})
        self._asked[spec.name] = asked
        self._tell()

    # ---- requests ------------------------------------------------------------------------------------------------------

    def _open(self, name: str) -> Asked | None:
        """The open request; one that took too long ends here."""
        asked = self._asked.get(name)
        if asked is None or asked.ended:
            return None
        if self._clock.now_ns() - asked.at_ns > RELEARN_S * SECOND_NS:
            self._declined(asked, "relearn.no_answer", (), "")
            return None
        return asked

    def _declined(self, asked: Asked, code: str, facts: tuple[tuple[str, str], ...], by: str) -> None:
        self._end(asked.name, code, facts=facts)
        self._debts.owe("relearn.declined", {"relearn": asked.relearn, "name": asked.name, "code": code, "facts": facts, "by": by})

    def _end(self, name: str, code: str, *, of: str = "", facts: tuple[tuple[str, str], ...] = ()) -> None:
        one = self._asked[name]
        self._asked[name] = Asked(relearn=one.relearn, name=name, person=one.person, at_ns=one.at_ns, ended=code, digest=of, facts=facts)


def asked_for(jobs: Collection[Any]) -> Mapping[str, str]:
    """Digest and proposal of each learned state whose adoption is under way."""
    actions = [(job.proposal.id, job.proposal.action) for job in jobs]
    return {action.digest: of for of, action in actions if isinstance(action, Adopt) and action.what == "learned"}


def _adoption(name: str) -> Proposal:
    """What an agent would propose, to ask the guard of it beforehand."""
    return Proposal(id="relearn", incident="relearn", action=Adopt(what="learned", name=name, digest=NO_DIGEST), reason="")
