"""The link as an agent sees it, and the gate as the link does; what can go wrong between them."""

from collections.abc import Sequence
from typing import Protocol

from holdfast.link.words import (
    INCIDENTS_TOLD_MAX,
    Answered,
    AnswerStep,
    ConfirmedCause,
    DetectorTold,
    IncidentTold,
    LearnedOffer,
    LearnedStanding,
    PlantContext,
    Progress,
    QuestionTold,
    RelearnDeclined,
)
from holdfast.site.model import Site
from holdfast.site.modelroles import ModelStanding, ModelsTold
from holdfast.terms import (
    Alarm,
    Decision,
    Diagnosis,
    Finding,
    Frame,
    Move,
    Proposal,
    Report,
)

REQUEST_TIMEOUT_S = 10.0
AGENT = "x-agent"  # a header of the site's answer: who the gate takes the token's holder for
CONFIGURATION = "x-configuration"  # a header of every answer: the digest of what is in force
# How an agent's process ends when another configuration came into force than the one it knows: it is to be started anew.
ANOTHER_CONFIGURATION = 3


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
