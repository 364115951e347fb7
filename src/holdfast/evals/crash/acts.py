"""What an agent, an operator and an administrator do in one life of a gate, as fast as they are answered."""

import asyncio
import contextlib
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.clock import ScaledClock
from holdfast.gate.actuation.commissioning import CommissionError
from holdfast.gate.actuation.learned import LearnedError
from holdfast.gate.actuation.promotions import PromotionError
from holdfast.gate.actuation.rungs import Signed
from holdfast.gate.actuation.transitions import WAIT_FOR_PERSON
from holdfast.gate.alarms.board import alarm_id
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.approval.questions import QuestionError, Questions
from holdfast.gate.configuration import ConfigurationError
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.people import IdentityError, LockedOut
from holdfast.gate.identity.seal import opened
from holdfast.link import CitationTold, LearnedOffer, RelearnDeclined
from holdfast.site.load import Loaded
from holdfast.site.modelcard import Card, Evaluation, Figure, File, Statement, Vouched
from holdfast.site.modellayout import Layout
from holdfast.terms import SECOND_NS, Call, Finding, Order, Proposal, Write, canonical, digest

PASSWORD, PERSON, AGENT = "brass kettle orchard", "ann", "ann-agent"
ANOTHER, ANOTHER_AGENT = "bert", "second"
A, B, C = "stand/a_sp", "stand/b_sp", "stand/c.sp"
LOOP, SCOPE, ALARMED, DETECTOR = "stand/c", "stand", "stand/a_pv", "watch"
PAUSE_S = 0.012
WAIT_S_MAX, LOOK_S = 0.5, 0.002
SHORT_S = 1.0  # of the clock: nobody answers in time
STEP_S = 5.0  # of the wall clock
SILENT_S = 2.0  # of the clock, with AGENT_LOST_S shortened
YES_SHARE = 0.85
SHELVED_S = 60.0
SHUT = "shut"


class StepClock(ScaledClock):
    """Its wall clock can be set, as by a time server."""

    set_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.set_ns


class Hands:
    """`tell` writes a line that the suite holds against the record: whoever was answered must find it there."""

    def __init__(self, gate: Gatekeeper, agents: Agents, clock: StepClock, random: Random, tell: Callable[[str], None], first: int) -> None:
        self._gate, self._agents, self._clock, self._random, self._tell = gate, agents, clock, random, tell
        self._number = first
        self.acts: Mapping[str, Callable[[], Awaitable[None]]] = {
            "any write": self._any_write,
            "leave": self._leave,
            "expire": self._expire,
            "resolve": self._resolve_one,
            "order": self._order,
            "shut order": self._shut_order,
            "stop": self._stop,
            "autonomy": self._autonomy,
            "agent": self._agent,
            "people": self._people,
            "finding": self._finding,
            "alarm": self._alarm,
            "question": self._question,
            "commission": self._commission,
            "live activation": self._activate,
            "learned": self._learned,
            "cause": self._cause,
            "model": self._model,
            "clock": self._clock_set,
            "silence": self._silence,
            "keep": self._pause,
        }

    def tidy(self) -> None:
        """What a person does first: resolve what waits, resume what is stopped, raise what faults lowered.

        A life that is killed while it looks at a password leaves an attempt that failed, so after several such the person has to wait:
        so it should be, and then this is left to a later life.
        """
        with contextlib.suppress(LockedOut):
            self._tidied()

    def _tidied(self) -> None:
        for job in self._gate.jobs.open():
            if job.state in WAIT_FOR_PERSON:
                self.resolve(job.proposal.id)
        for scope in self._gate.stop.stopped():
            self._resume(scope)
        for scope, level in self._gate.autonomy.all():
            if level != "act":
                self._gate.acts.set_autonomy(scope, "act", PERSON, "person")

    async def do(self, act: str) -> None:
        """One act, and a moment. What the gate refuses is no fault here."""
        self._gate.watchdog.heard()
        with contextlib.suppress(ApprovalError, LockedOut):
            await self.acts[act]()
        await asyncio.sleep(self._random.random() * PAUSE_S)

    def any(self) -> str:
        return self._random.choice((*("any write",) * 6, *("leave",) * 4, *self.acts))

    # ---- an agent ----------------------------------------------------------------------------------------------------

    def numbers(self) -> Iterator[int]:
        """Each value is wanted once in a folder's time, so that the device's account tells whose write it was."""
        while True:
            self._number += 1
            yield self._number

    def _propose(self, action: Write | Order | Call, valid_s: float = 100.0) -> tuple[str, str]:
        name = f"p{self._number}"
        decision = self._gate.propose(AGENT, Proposal(id=name, incident="i", action=action, reason="r", valid_s=valid_s))
        return name, decision.verdict

    def _sets(self, *tags: str) -> Write:
        value = 20.0 + next(self.numbers()) / 100
        return Write(sets=tuple((tag, value) for tag in tags))

    async def _any_write(self) -> None:
        name, verdict = self._propose(self._sets(*self._random.choice(((A,), (A,), (B,), (A, B), (C,)))))
        if verdict == "ask":
            await self._answered(name)

    async def _leave(self) -> None:
        name, verdict = self._propose(self._sets(*self._random.choice(((B,), (A, B)))))
        if verdict == "ask":
            await self._answered(name)

    async def _answered(self, name: str) -> None:
        await asyncio.sleep(self._random.random() * PAUSE_S)
        yes = self._random.random() < YES_SHARE
        self._gate.acts.sign(name, PERSON, "", self._key(), yes=yes, reason="r")
        if yes:
            self._tell(f"signed {name}")

    async def _expire(self) -> None:
        self._propose(self._sets(B), SHORT_S)
        await self._clock.sleep(2 * SHORT_S)

    async def _order(self) -> None:
        next(self.numbers())
        self._propose(Order(kind="notify", target=SCOPE, text="look"))
        self._propose_call()
        await asyncio.sleep(PAUSE_S)

    def _propose_call(self) -> None:
        """No connector carries one out: it must be refused, and stay so over every kill."""
        next(self.numbers())
        self._propose(Call(method="reset"))

    async def _shut_order(self) -> None:
        shut(self._gate.log.state.folder)
        next(self.numbers())
        self._propose(Order(kind="work_order", target=SCOPE, text="mend"))
        await asyncio.sleep(PAUSE_S)

    async def _finding(self) -> None:
        now_ns = self._clock.now_ns()
        name = f"f{next(self.numbers())}"
        self._gate.find(AGENT, Finding(
            id=name, incident="i", detector="d@0", onset_ns=now_ns, found_ns=now_ns, confidence=0.9, score=1.1, shares=((A, 1.0),)
        ))  # fmt: skip
        self._tell(f"found {name}")

    async def _silence(self) -> None:
        """It was heard a moment ago (`do`), and is not any more."""
        await self._clock.sleep(2 * SILENT_S)

    # ---- people ------------------------------------------------------------------------------------------------------

    def _key(self) -> Ed25519PrivateKey:
        attempt = self._gate.people.begin(PERSON)
        return self._gate.people.finish(attempt, opened(attempt.seal, PASSWORD))

    def resolve(self, name: str) -> None:
        self._gate.acts.resolve(name, PERSON, self._key(), result="verified", reason="looked")

    async def _resolve_one(self) -> None:
        """Make something that nobody but a person can tell, and have one tell."""
        self._propose(self._sets(A))
        for _ in range(round(WAIT_S_MAX / LOOK_S)):
            if waits := [job.proposal.id for job in self._gate.jobs.open() if job.state in WAIT_FOR_PERSON]:
                self.resolve(waits[0])
                return
            await asyncio.sleep(LOOK_S)

    async def _stop(self) -> None:
        self._propose(self._sets(A))
        self._gate.acts.press_stop(SCOPE, PERSON)
        self._tell("stopped")
        await asyncio.sleep(LOOK_S)
        self._resume(SCOPE)

    def _resume(self, scope: str) -> None:
        at_ns = self._clock.now_ns()
        self._tell("resuming")
        self._gate.acts.resume(scope, PERSON, self._key().sign(canonical({"act": "resume", "scope": scope, "at_ns": at_ns})), at_ns)

    async def _autonomy(self) -> None:
        self._gate.acts.set_autonomy(B, "shadow", PERSON, "person")
        self._gate.acts.set_autonomy(B, "act", PERSON, "person")

    async def _alarm(self) -> None:
        """Put aside and taken back; told in between, so that the record must have it."""
        name = alarm_id(ALARMED, "hi")
        self._gate.attend.shelve(name, PERSON, SHELVED_S, "r")
        self._tell("shelved")
        self._gate.attend.unshelve(name, PERSON)

    async def _question(self) -> None:
        """A person asks about a proposal, and about the plant, and the agent answers."""
        name, _ = self._propose(self._sets(C))
        kept = Questions(self._gate.log.state, self._gate.log)
        with contextlib.suppress(QuestionError):  # too many wait, of lives that were killed before they answered
            asked = kept.ask(name, AGENT, PERSON, "why?")
            self._tell("asked")
            kept.answer(asked.id, AGENT, "because")
            about = kept.ask("", AGENT, PERSON, "what does a_sp read?")  # about the plant, not a proposal
            kept.answer(about.id, AGENT, "100", (CitationTold(kind="tag", ref=A),))

    async def _people(self) -> None:
        people = self._gate.people
        with contextlib.suppress(IdentityError):  # a killed life left that person here
            people.remove(ANOTHER)
        people.add(ANOTHER, ["operator"], PASSWORD)
        people.set_roles(ANOTHER, ["fitter"])
        people.remove(ANOTHER)

    async def _agent(self) -> None:
        self._agents.add(ANOTHER_AGENT)
        self._agents.revoke(ANOTHER_AGENT)

    async def _commission(self) -> None:
        """The rung `shadow`, with the two below it taken as signed."""
        self.rung_signed("simulate")
        with contextlib.suppress(CommissionError):
            await self._gate.commissioning.check(LOOP, "shadow", step=0.0, within_s=0.0, hours=0.0)
            evidence = self._gate.commissioning.standing(LOOP)["evidence_digest"]
            self._gate.commissioning.sign(LOOP, "shadow", evidence, PERSON, self._key(), reason="r")
            self._tell("commissioned")

    def rung_signed(self, rung: str) -> None:
        with self._gate.log.state.transaction("suite"):
            self._gate.autonomy.rungs.put(Signed(tag=C, rung=rung, seq=1))  # type: ignore[arg-type]

    async def _activate(self) -> None:
        """A configuration put in force between two decisions, while something waits and something is on its way."""
        of = self._gate.activation
        now = of.configurations.active()
        if now is None:
            return
        self._propose(self._sets(B))
        site = dataclasses.replace(self._gate.site, policy=dataclasses.replace(self._gate.site.policy, revision=now.revision + 1))
        found = Loaded(site=site, digest=digest(site), file="", policy_file="", modes_file="", files=(), warnings=())
        with contextlib.suppress(ConfigurationError):
            of.propose(found, "site.yaml", {}, PERSON)
            if of.activate(found.digest, PERSON, self._key()).adopted:
                self._tell(f"activated {found.digest}")

    async def _learned(self) -> None:
        """Two states kept, the second put in force as if people had approved it, the first put back; and one asked for in vain."""
        learning, states = self._gate.learning, self._gate.learning.states
        with contextlib.suppress(LearnedError):  # of lives that were killed before: the same is in force, or too many wait
            kept = [self._offered() for _ in range(2)]
            with self._gate.log.state.transaction("suite"):
                for of in reversed(kept):
                    states.adopt(DETECTOR, of, PERSON, "")
            learning.put_back(DETECTOR, kept[1], PERSON, self._key(), reason="r")
            self._tell(f"restored {kept[1]}")
        with contextlib.suppress(LearnedError):
            asked = learning.relearn(DETECTOR, PERSON, self._key(), reason="r")
            self._tell(f"relearning {asked.relearn}")
            learning.declined(AGENT, RelearnDeclined(relearn=asked.relearn, code="relearn.short"))

    async def _cause(self) -> None:
        """One says what the cause of an incident was, and takes another word back."""
        causes, incident = self._gate.parts.causes, f"i{next(self.numbers())}"
        for one in (incident, f"{incident} too"):
            causes.confirm(one, "wear", PERSON, self._key(), told="wear", shares=((A, 1.0),))
            self._tell(f"confirmed {one}")
        causes.retract(incident, PERSON, self._key())

    async def _model(self) -> None:
        """A model put in force for a role, and what was there before it put back. None is on the disk: the gate knows it by its card."""
        models, layout = self._gate.models, _layout(next(self.numbers()))
        models.promote("diagnose", layout.digest, PERSON, self._key(), (layout,), reason="r")
        self._tell(f"promoted {layout.digest}")
        with contextlib.suppress(PromotionError):  # what was there before is of a life whose models nobody has any more
            models.rollback("diagnose", PERSON, self._key(), (layout,), reason="r")

    def _offered(self) -> str:
        state = f"state {next(self.numbers())}".encode()
        self._gate.learning.offer(AGENT, LearnedOffer(name=DETECTOR, rows=100, from_ns=0, to_ns=1), state)
        of = hashlib.sha256(state).hexdigest()
        self._tell(f"kept {of}")
        return of

    # ---- time --------------------------------------------------------------------------------------------------------

    async def _clock_set(self) -> None:
        self._clock.set_ns += round(STEP_S * SECOND_NS)
        self._gate.debts.now_ns()

    async def _pause(self) -> None:
        await asyncio.sleep(PAUSE_S)


def _layout(number: int) -> Layout:
    figures = (Figure(name="exact", value=0.9),)
    card = Card(
        skills=("diagnose",),
        languages=("en",),
        clearance="site",
        licence="Apache-2.0",
        provenance="made up",
        format="onnx",
        precision="int8",
        parameters=1,
        memory_mib=1,
        evaluations=(Evaluation(suite="diagnose", data="0" * 64, figures=figures),),
    )
    statement = Statement(name="model", version=str(number), card=card, files=(File(path="w", digest="0" * 64, bytes=1),))
    return Layout(folder=Path("nowhere"), digest=digest(statement), vouched=Vouched(statement=statement, vouching="trusted", signer="k"))


def shut(gate: Path) -> None:
    """Make the target of work orders unreachable: a file stands where its folder should be."""
    place = gate / "outbox" / SHUT
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        place.touch()


def open_again(gate: Path) -> None:
    place = gate / "outbox" / SHUT
    if place.is_file():
        place.unlink()
