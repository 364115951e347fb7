"""What an agent can ask of the gate, and nothing else: the same calls over HTTP and, for lockstep runs, direct.

Identity is the caller's token (HTTP) or the name the link was made with (direct), never a field of a message.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from holdfast.lots import Lot
from holdfast.site.model import Site
from holdfast.site.modelroles import ModelStanding, ModelsTold
from holdfast.terms import (
    Action,
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
    Word,
    canonical,
    plain,
    unpack,
)

if TYPE_CHECKING:
    import aiohttp

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


class LinkError(Exception):
    """The gate can't be reached or refused the message; the text says which and why."""


class LinkStranger(LinkError):
    """The gate knows no agent with this token."""


class LinkRefused(LinkError):
    """The gate answered, and said no: the same message gets the same answer."""


class Link(Protocol):
    async def site(self) -> Site:
        """The active configuration without connections: no address and no credential crosses the link."""
        ...

    async def frames(self, table: str, after: int, *, wait_s: float = 0.0) -> Frame | None:
        """Rows with seq > after, at most 600; None when there are none within wait_s. Row 0's seq > after + 1 is a gap."""
        ...

    async def history(self, table: str, from_ns: int, to_ns: int, *, rows_max: int = 3600) -> Frame:
        """Stored rows, evenly thinned to rows_max."""
        ...

    async def alarms(self) -> Sequence[Alarm]: ...

    async def moves(self, since_ns: int) -> Sequence[Move]:
        """Setpoint changes, anyone's."""
        ...

    async def context(self) -> PlantContext: ...

    async def find(self, finding: Finding) -> None: ...

    async def diagnose(self, diagnosis: Diagnosis) -> None: ...

    async def publish(self, report: Report) -> None: ...

    async def propose(self, proposal: Proposal) -> Decision: ...

    async def progress(self, proposal: str) -> Progress | None: ...

    async def learned(self) -> Sequence[LearnedStanding]:
        """Of each detector of the site, what is in force and what is asked for."""
        ...

    async def learned_state(self, digest: str) -> bytes | None:
        """A kept state, byte for byte as it was offered; None where it is not kept, or no longer what it was."""
        ...

    async def offer_learned(self, offer: LearnedOffer, state: bytes) -> LearnedStanding:
        """Have a state kept. The first one that fits is in force at once; any other only once people have approved its adoption."""
        ...

    async def tell_detectors(self, told: Sequence[DetectorTold]) -> None: ...

    async def decline_relearn(self, declined: RelearnDeclined) -> None: ...

    async def causes(self) -> Sequence[ConfirmedCause]:
        """What people said the causes of past incidents were, the newest first."""
        ...

    async def incidents(self, limit: int = INCIDENTS_TOLD_MAX) -> Sequence[IncidentTold]:
        """The newest incidents, any agent's, newest first."""
        ...

    async def models(self) -> Sequence[ModelStanding]:
        """Of each role that people put a model in force for, its digest."""
        ...

    async def tell_models(self, told: ModelsTold) -> None: ...


class Inquiry(Protocol):
    """An agent's side of people's questions; over a socket alone, for people ask a running gate."""

    async def questions(self) -> Sequence[QuestionTold]: ...
    async def answer(self, answered: Answered) -> None: ...
    async def answering(self, step: AnswerStep) -> None: ...


class Learning(Protocol):
    """The gate's side of what was learned. Raises LookupError for what is not there, ValueError for what is not taken."""

    def standing(self) -> Sequence[LearnedStanding]: ...
    def state(self, digest: str) -> bytes: ...
    def offer(self, author: str, offer: LearnedOffer, state: bytes) -> LearnedStanding: ...
    def told(self, author: str, told: Sequence[DetectorTold]) -> None: ...
    def declined(self, author: str, declined: RelearnDeclined) -> None: ...


class Causes(Protocol):
    """The gate's side of past cases."""

    def confirmed(self) -> Sequence[ConfirmedCause]: ...


class Models(Protocol):
    """The gate's side of which model serves which role."""

    def standing(self) -> Sequence[ModelStanding]: ...
    def told(self, author: str, told: ModelsTold) -> None: ...


class Gate(Protocol):
    """The gate's side of the direct form."""

    def site_view(self) -> Site: ...
    def frames(self, table: str, after: int, author: str = "") -> Frame | None: ...
    def history(self, table: str, from_ns: int, to_ns: int, rows_max: int) -> Frame: ...
    def alarm_states(self) -> Sequence[Alarm]: ...
    def moves_since(self, since_ns: int) -> Sequence[Move]: ...
    def context_now(self) -> PlantContext: ...
    def find(self, author: str, finding: Finding) -> None: ...
    def diagnose(self, author: str, diagnosis: Diagnosis) -> None: ...
    def publish(self, author: str, report: Report) -> None: ...
    def propose(self, author: str, proposal: Proposal) -> Decision: ...
    def progress(self, proposal: str) -> Progress | None: ...
    def incidents(self, limit: int) -> Sequence[IncidentTold]: ...

    @property
    def learning(self) -> Learning: ...

    @property
    def causes(self) -> Causes: ...

    @property
    def models(self) -> Models: ...


class DirectLink:
    """In one process, for replay and evaluation: the same calls, stepped, with nothing to wait for."""

    def __init__(self, gate: Gate, author: str) -> None:
        self._gate = gate
        self._author = author

    async def site(self) -> Site:
        return self._gate.site_view()

    async def frames(self, table: str, after: int, *, wait_s: float = 0.0) -> Frame | None:
        return self._gate.frames(table, after, self._author)

    async def history(self, table: str, from_ns: int, to_ns: int, *, rows_max: int = 3600) -> Frame:
        return self._gate.history(table, from_ns, to_ns, rows_max)

    async def alarms(self) -> Sequence[Alarm]:
        return self._gate.alarm_states()

    async def moves(self, since_ns: int) -> Sequence[Move]:
        return self._gate.moves_since(since_ns)

    async def context(self) -> PlantContext:
        return self._gate.context_now()

    async def find(self, finding: Finding) -> None:
        self._gate.find(self._author, finding)

    async def diagnose(self, diagnosis: Diagnosis) -> None:
        self._gate.diagnose(self._author, diagnosis)

    async def publish(self, report: Report) -> None:
        self._gate.publish(self._author, report)

    async def propose(self, proposal: Proposal) -> Decision:
        return self._gate.propose(self._author, proposal)

    async def progress(self, proposal: str) -> Progress | None:
        return self._gate.progress(proposal)

    async def learned(self) -> Sequence[LearnedStanding]:
        return self._gate.learning.standing()

    async def learned_state(self, digest: str) -> bytes | None:
        try:
            return self._gate.learning.state(digest)
        except LookupError:
            return None

    async def offer_learned(self, offer: LearnedOffer, state: bytes) -> LearnedStanding:
        return _refused(lambda: self._gate.learning.offer(self._author, offer, state))

    async def tell_detectors(self, told: Sequence[DetectorTold]) -> None:
        _refused(lambda: self._gate.learning.told(self._author, told))

    async def decline_relearn(self, declined: RelearnDeclined) -> None:
        _refused(lambda: self._gate.learning.declined(self._author, declined))

    async def causes(self) -> Sequence[ConfirmedCause]:
        return self._gate.causes.confirmed()

    async def incidents(self, limit: int = INCIDENTS_TOLD_MAX) -> Sequence[IncidentTold]:
        return self._gate.incidents(limit)

    async def models(self) -> Sequence[ModelStanding]:
        return self._gate.models.standing()

    async def tell_models(self, told: ModelsTold) -> None:
        _refused(lambda: self._gate.models.told(self._author, told))


T = TypeVar("T")


def _refused(what: Callable[[], T]) -> T:
    """What the gate does not take is said as over HTTP."""
    try:
        return what()
    except (LookupError, ValueError) as error:
        raise LinkRefused(str(error)) from error


REQUEST_TIMEOUT_S = 10.0
AGENT = "x-agent"  # a header of the site's answer: who the gate takes the token's holder for
CONFIGURATION = "x-configuration"  # a header of every answer: the digest of what is in force
# How an agent's process ends when another configuration came into force than the one it knows: it is to be started anew.
ANOTHER_CONFIGURATION = 3
_SITE = TypeAdapter(Site)
_ALARMS = TypeAdapter(tuple[Alarm, ...])
_MOVES = TypeAdapter(tuple[Move, ...])
_CONTEXT = TypeAdapter(PlantContext)
_DECISION = TypeAdapter(Decision)
_PROGRESS = TypeAdapter(Progress)
_STANDING = TypeAdapter(LearnedStanding)
_CAUSES = TypeAdapter(tuple[ConfirmedCause, ...])
_INCIDENTS = TypeAdapter(tuple[IncidentTold, ...])
_MODELS = TypeAdapter(tuple[ModelStanding, ...])
_QUESTIONS: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(list[dict[str, Any]])
_STANDINGS = TypeAdapter(tuple[LearnedStanding, ...])


class HttpLink:
    """Over a Unix socket (`unix:/path`) or `https://host:port`. Raises LinkError; a message is never sent twice."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.configuration = ""  # in force when the gate answered last; "" before that
        self.agent = ""  # who the gate takes us for; "" before it gave the site
        self._base = "http://gate" if address.startswith("unix:") else address
        self._headers = {"authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _http(self) -> "aiohttp.ClientSession":
        """Made at the first use: it belongs to the event loop that it is made in."""
        import aiohttp  # here, because the gate takes its words from this file and calls nobody with it

        if self._session is None:
            unix = self.address.removeprefix("unix:") if self.address.startswith("unix:") else None
            connector = aiohttp.UnixConnector(unix) if unix else aiohttp.TCPConnector()
            self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        return self._session

    async def site(self) -> Site:
        return _read(_SITE, await self._ask("GET", "/v1/site"))

    async def frames(self, table: str, after: int, *, wait_s: float = 0.0) -> Frame | None:
        body = await self._ask("GET", "/v1/frames", {"table": table, "after": after, "wait_ms": round(wait_s * 1000)}, wait_s=wait_s)
        return unpack(body) if body else None

    async def history(self, table: str, from_ns: int, to_ns: int, *, rows_max: int = 3600) -> Frame:
        return unpack(await self._ask("GET", "/v1/history", {"table": table, "from_ns": from_ns, "to_ns": to_ns, "rows_max": rows_max}))

    async def alarms(self) -> Sequence[Alarm]:
        return _read(_ALARMS, await self._ask("GET", "/v1/alarms"))

    async def moves(self, since_ns: int) -> Sequence[Move]:
        return _read(_MOVES, await self._ask("GET", "/v1/moves", {"since_ns": since_ns}))

    async def context(self) -> PlantContext:
        return _read(_CONTEXT, await self._ask("GET", "/v1/context"))

    async def find(self, finding: Finding) -> None:
        await self._ask("POST", "/v1/findings", body=finding)

    async def diagnose(self, diagnosis: Diagnosis) -> None:
        await self._ask("POST", "/v1/diagnoses", body=diagnosis)

    async def publish(self, report: Report) -> None:
        await self._ask("POST", "/v1/reports", body=report)

    async def propose(self, proposal: Proposal) -> Decision:
        return _read(_DECISION, await self._ask("POST", "/v1/proposals", body=proposal))

    async def progress(self, proposal: str) -> Progress | None:
        body = await self._ask("GET", f"/v1/proposals/{proposal}", missing_ok=True)
        return _read(_PROGRESS, body) if body else None

    async def learned(self) -> Sequence[LearnedStanding]:
        return _read(_STANDINGS, await self._ask("GET", "/v1/learned"))

    async def learned_state(self, digest: str) -> bytes | None:
        return await self._ask("GET", f"/v1/learned/{digest}", missing_ok=True) or None

    async def offer_learned(self, offer: LearnedOffer, state: bytes) -> LearnedStanding:
        """The offer goes as the query, for the body is the state."""
        return _read(_STANDING, await self._ask("POST", "/v1/learned", plain(offer), raw=state))

    async def tell_detectors(self, told: Sequence[DetectorTold]) -> None:
        await self._ask("POST", "/v1/detectors", body=tuple(told))

    async def decline_relearn(self, declined: RelearnDeclined) -> None:
        await self._ask("POST", "/v1/learned/declined", body=declined)

    async def causes(self) -> Sequence[ConfirmedCause]:
        return _read(_CAUSES, await self._ask("GET", "/v1/causes"))

    async def incidents(self, limit: int = INCIDENTS_TOLD_MAX) -> Sequence[IncidentTold]:
        return _read(_INCIDENTS, await self._ask("GET", "/v1/incidents", {"limit": limit}))

    async def models(self) -> Sequence[ModelStanding]:
        return _read(_MODELS, await self._ask("GET", "/v1/models"))

    async def tell_models(self, told: ModelsTold) -> None:
        await self._ask("POST", "/v1/models", body=told)

    async def questions(self) -> Sequence[QuestionTold]:
        """Those that wait for this agent's answer, oldest first."""
        asked = _read(_QUESTIONS, await self._ask("GET", "/v1/questions"))
        return tuple(QuestionTold(**{name: one[name] for name in ("id", "proposal", "person", "text", "at_ns")}) for one in asked)

    async def answer(self, answered: Answered) -> None:
        """Raises LinkRefused for a question that was answered already."""
        await self._ask("POST", "/v1/answers", body=answered)

    async def answering(self, step: AnswerStep) -> None:
        await self._ask("POST", "/v1/answers/steps", body=step)

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        *,
        body: Word | tuple[Word, ...] | None = None,
        raw: bytes | None = None,
        wait_s: float = 0.0,
        missing_ok: bool = False,
    ) -> bytes:
        import aiohttp

        limit = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S + wait_s)
        data = raw if body is None else canonical(body)
        try:
            async with self._http().request(method, self._base + path, params=query, data=data, timeout=limit) as answer:
                content = await answer.read()
                self.configuration = answer.headers.get(CONFIGURATION, self.configuration)
                self.agent = unquote(answer.headers.get(AGENT, "")) or self.agent
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LinkError(f"no answer from the gate at {self.address} ({type(error).__name__}); is `holdfast run` up?") from error
        if answer.status == 404 and missing_ok:
            return b""
        if answer.status >= 400:
            why = f"{method} {path}: {answer.status} {content[:500].decode(errors='replace')}"
            if answer.status == 401:
                raise LinkStranger(why)
            raise LinkRefused(why) if answer.status in (400, 404, 409, 413) else LinkError(why)
        return content


def _read(adapter: TypeAdapter[T], body: bytes) -> T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise LinkError(f"the gate's answer can't be read: {error.errors()[0]['msg']}; do both sides run the same release?") from error
