"""What crosses the link beside the house's own words: how things stand, what agents say, and what they are told."""

from typing import TYPE_CHECKING, Literal

from holdfast.lots import Lot
from holdfast.terms import (
    Action,
    Decision,
    Diagnosis,
    Finding,
    Outcome,
    Verdict,
    Word,
)

if TYPE_CHECKING:
    pass


State = Literal[
    "proposed",
    "refused",
    "shadow",
    "asked",
    "approved",
    "intent",
    "sent",
    "verified",
    "failed",
    "indeterminate",
    "retreat",
    "retreating",
    "restored",
    "escalated",
    "expired",
    "voided",
    "done",
]


class Progress(Word):
    """How far a proposal came."""

    proposal: str
    state: State
    decision: Decision
    outcome: Outcome | None = None


class ContextFact(Word):
    """One thing that the plant's context says now: "health:NAME", "schedule:current.kind", "inventory:NAME"."""

    name: str
    value: str | float | bool
    at_ns: int


class ContextState(Word):
    """Whether a context table can be rested on, and (where, code) of what is wrong with its source."""

    name: str
    kind: str
    usable: bool
    flaws: tuple[tuple[str, str], ...] = ()


class Slot(Word):
    """One entry of a production schedule: [from_ns, to_ns). `kind` is the plant's own word: production, changeover, maintenance …"""

    from_ns: int
    to_ns: int
    kind: str
    product: str = ""
    lot: str = ""
    order: str = ""
    at_ns: int | None = None  # when it was written, where the row says so


class PlantContext(Word):
    """What the plant knows beside its tags; only what is fresh. `lots` is read with holdfast.lots; `slots` are what runs and what is
    to come, in order; () where no schedule is known."""

    facts: tuple[ContextFact, ...] = ()
    lots: tuple[Lot, ...] = ()
    slots: tuple[Slot, ...] = ()
    tables: tuple[ContextState, ...] = ()


class LearnedStanding(Word):
    """What the gate says of one detector: the digest of the state in force, and the person's request to learn anew that is open.

    "" where there is none. A state that was learned of other tags or options than the site now has is not in force.
    """

    name: str
    in_force: str = ""
    relearn: str = ""


class LearnedOffer(Word):
    """A state that an agent learned, with the stretch that it was learned from; its bytes travel beside. Times are UTC."""

    name: str  # of the detector, as in the site file
    rows: int
    from_ns: int
    to_ns: int
    relearn: str = ""  # the request that it answers; "" for a state that nobody asked for


class DetectorTold(Word):
    """How one detector does, by the agent's own account."""

    name: str
    digest: str = ""  # of the state that it scores by; "" while it has none
    learning: float = 1.0  # 0..1 of the quiet stretch seen so far
    active: bool = False  # a finding of it stands
    drift: float | None = None  # of the normal state, in wanders of the quiet stretch; None until enough rows were seen
    drifted: bool = False
    tags: tuple[tuple[str, float], ...] = ()  # that are furthest from where they were learned, in wanders, signed
    trouble: str = ""  # code of why the state in force can't be used


class RelearnDeclined(Word):
    """Why an agent did not learn anew."""

    relearn: str
    code: str
    facts: tuple[tuple[str, str], ...] = ()


class ConfirmedCause(Word):
    """What a person says the cause of an incident was: what agents learn from."""

    incident: str
    mode: str  # of a failure mode, or "none of these"
    told: str  # what the last diagnosis had put first
    shares: tuple[tuple[str, float], ...]  # of the incident's finding, by tag
    person: str
    at_ns: int


INCIDENTS_TOLD_MAX = 20


class SignedTold(Word):
    """Who said yes or no to a proposal, and as what."""

    person: str
    role: str
    yes: bool


class ProposalTold(Word):
    """What became of one proposal. `seq` is the decision's record; `failed` are codes of the checks that it did not pass; `result`,
    `effect` and `ended` (expired, voided …) are "" where it never came so far."""

    proposal: str
    seq: int
    at_ns: int
    action: Action
    reason: str  # its author's claim
    verdict: Verdict
    would: bool
    failed: tuple[str, ...] = ()
    result: str = ""
    effect: str = ""
    ended: str = ""
    signed: tuple[SignedTold, ...] = ()


class IncidentTold(Word):
    """One incident as the record has it, any agent's. `id` is its first finding's, by which people call it; `incident` its agent's name
    for it; `tags` those that weigh most in it."""

    id: str
    incident: str
    agent: str
    seq: int
    at_ns: int
    until_ns: int
    state: str
    tags: tuple[str, ...]
    finding: Finding
    diagnosis: Diagnosis | None = None
    diagnosis_seq: int = 0
    proposals: tuple[ProposalTold, ...] = ()


class QuestionTold(Word):
    """What a person asks this agent; `proposal` "" is a question about the plant."""

    id: str
    proposal: str
    person: str
    text: str
    at_ns: int


class CitationTold(Word):
    """Where a statement of an answer comes from: a tag or its window, an incident, a document's paragraph, a record."""

    kind: str
    ref: str
    quote: str = ""
    at_ns: int = 0
    to_ns: int = 0
    seq: int = 0


class Answered(Word):
    """An agent's answer to a question that it was asked. `declined`: it has none."""

    question: str
    text: str
    citations: tuple[CitationTold, ...] = ()
    declined: bool = False


class AnswerStep(Word):
    """What an agent does for an answer, while it does it."""

    question: str
    text: str
