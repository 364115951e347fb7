"""The link within one process, for lockstep runs: the same calls and the same refusals, without a wire."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

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

if TYPE_CHECKING:
    pass

from holdfast.link.protocol import (
    Gate,
    LinkRefused,
)
from holdfast.link.words import (
    INCIDENTS_TOLD_MAX,
    ConfirmedCause,
    DetectorTold,
    IncidentTold,
    LearnedOffer,
    LearnedStanding,
    PlantContext,
    Progress,
    RelearnDeclined,
)


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
