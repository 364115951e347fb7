"""The link over HTTP: a Unix socket, or TLS. A message is never sent twice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from holdfast.link.protocol import (
    AGENT,
    CONFIGURATION,
    REQUEST_TIMEOUT_S,
    LinkError,
    LinkRefused,
    LinkStranger,
)
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
    Word,
    canonical,
    plain,
    unpack,
)

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
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
