"""What detectors learned, at both doors: agents offer states and fetch what is in force, people look, ask for more and put back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.actuation.learned import STATE_BYTES_MAX, InForce, LearnedError, put
from holdfast.gate.actuation.relearning import Asked, DetectorNow
from holdfast.gate.api.described import BYTES, Media, text, whole
from holdfast.gate.api.messages import Req, json, number, read
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.link import DetectorTold, LearnedOffer, LearnedStanding, RelearnDeclined
from holdfast.terms import Word

ROWS_MAX = 1 << 32


class RelearnAsked(Word):
    name: str
    person: str
    password: str
    reason: str = ""


class PutBack(Word):
    name: str
    digest: str  # or its beginning, 8 characters or more
    person: str
    password: str
    reason: str = ""


STANDING = TypeAdapter(LearnedStanding)
TOLD, DECLINED = TypeAdapter(tuple[DetectorTold, ...]), TypeAdapter(RelearnDeclined)
RELEARN, PUT_BACK = TypeAdapter(RelearnAsked), TypeAdapter(PutBack)
STATE = Media(type="application/octet-stream", about=f"The state, at most {STATE_BYTES_MAX} bytes; the gate reads nothing in it.")
OFFER = (
    text("name", "The detector's, as the site has it.", required=True),
    whole("rows", "How many rows it was learned from.", 1, ROWS_MAX, required=True),
    *(whole(name, "UTC, of that stretch.", 0, required=True) for name in ("from_ns", "to_ns")),
    text("relearn", "The request that it answers; empty for none."),
)


def learned_handlers(gate: Gatekeeper, author: Callable[[Req], str], writer: Callable[[Req], str]) -> list[Any]:
    """Routes for `agents_app`: `author` names who asks, `writer` the same within what one agent may post."""
    learning = gate.learning
    one_by_one = asyncio.Lock()  # what is put but not yet kept must not be swept

    @get("/v1/learned", answers=TypeAdapter(tuple[LearnedStanding, ...]))
    async def standing(request: Req) -> Response[bytes]:
        """Of each detector of the site, the state in force and the request to learn anew that is open."""
        author(request)
        return json(learning.standing())

    @get("/v1/learned/{digest:str}", answers=BYTES)
    async def state(request: Req) -> Response[bytes]:
        """A kept state, as it was offered."""
        author(request)
        try:
            return Response(learning.state(str(request.path_params["digest"])), media_type=BYTES.type)
        except LookupError as error:
            raise HTTPException(status_code=404, detail=str(error)) from None

    @post(
        "/v1/learned",
        status_code=200,
        answers=TypeAdapter(LearnedStanding),
        takes=STATE,
        query=OFFER,
        request_max_body_size=STATE_BYTES_MAX,
    )
    async def offer(request: Req) -> Response[bytes]:
        """Have a state kept. The first that fits is in force at once, any other once people have approved its adoption."""
        name, query = writer(request), request.query_params
        offered = LearnedOffer(
            name=query.get("name", ""),
            rows=number(request, "rows"),
            from_ns=number(request, "from_ns"),
            to_ns=number(request, "to_ns"),
            relearn=query.get("relearn", ""),
        )
        content = await request.body()
        try:
            async with one_by_one:
                learning.demand_wanted(offered, content)
                gate.debts.demand_well()
                of = await asyncio.to_thread(put, learning.states.folder, content)
                return json(learning.take(name, offered, of, len(content)))
        except LearnedError as error:
            raise _no(error) from None
        except OSError as error:
            raise HTTPException(status_code=503, detail=f"the state could not be kept: {error.strerror}") from None

    @post("/v1/detectors", status_code=204)
    async def told(request: Req) -> None:
        """How this agent's detectors do."""
        name = writer(request)
        try:
            learning.told(name, await read(request, TOLD))
        except LearnedError as error:
            raise _no(error) from None

    @post("/v1/learned/declined", status_code=204)
    async def declined(request: Req) -> None:
        """Why this agent did not learn anew."""
        name = writer(request)
        try:
            learning.declined(name, await read(request, DECLINED))
        except LearnedError as error:
            raise _no(error) from None

    return [standing, state, offer, told, declined]


def detector_handlers(gate: Gatekeeper, unlock: Callable[[str, str], Awaitable[Ed25519PrivateKey]]) -> list[Any]:
    """Routes for `people_app`: `unlock` opens the key of a person who may change something."""
    learning = gate.learning

    @get("/v1/detectors", answers=TypeAdapter(tuple[DetectorNow, ...]))
    async def detectors() -> Response[bytes]:
        """Each detector: what is in force, which versions are kept, how far its normal state drifted, who asked it to learn."""
        return json(learning.detectors())

    @post("/v1/detectors/relearn", status_code=200, answers=TypeAdapter(Asked))
    async def relearn(request: Req) -> Response[bytes]:
        """Have a detector learn a candidate from its last quiet rows. It comes into force only once its adoption is approved."""
        wanted = await read(request, RELEARN)
        key = await unlock(wanted.person, wanted.password)
        try:
            return json(learning.relearn(wanted.name, wanted.person, key, reason=wanted.reason))
        except LearnedError as error:
            raise _no(error) from None

    @post("/v1/detectors/put-back", status_code=200, answers=TypeAdapter(InForce))
    async def put_back(request: Req) -> Response[bytes]:
        """Put a state back that was in force before, as a person who may approve an adoption."""
        wanted = await read(request, PUT_BACK)
        key = await unlock(wanted.person, wanted.password)
        try:
            return json(learning.put_back(wanted.name, wanted.digest, wanted.person, key, reason=wanted.reason))
        except LearnedError as error:
            raise _no(error) from None

    return [detectors, relearn, put_back]


def _no(error: LearnedError) -> HTTPException:
    return HTTPException(status_code=409, detail=str(error), extra={"code": error.code, "facts": error.facts})
