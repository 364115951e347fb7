"""Commissioning at the people's door: look how far a loop is, begin a rung's check, sign what was found."""

from collections.abc import Awaitable, Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.actuation.commissioning import CommissionError
from holdfast.gate.actuation.rungs import Rung
from holdfast.gate.api.described import text
from holdfast.gate.api.messages import Req, json, read
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.terms import Word


class Checked(Word):
    loop: str
    rung: Rung
    step: float = 0.0  # of the bump test, in the loop's unit
    within_s: float = 0.0  # in which a person makes it
    hours: float = 0.0  # of history


class RungSigned(Word):
    loop: str
    rung: Rung
    evidence: str  # digest
    person: str
    password: str
    reason: str = ""


CHECKED, SIGNED = TypeAdapter(Checked), TypeAdapter(RungSigned)
Unlock = Callable[[str, str], Awaitable[Ed25519PrivateKey]]


def commission_handlers(gate: Gatekeeper, unlock: Unlock) -> list[Any]:
    """Routes for `people_app`; `unlock` opens a person's key with the password or answers 403."""

    @get("/v1/commission", query=(text("loop", "One loop; all without it."),))
    async def standing(request: Req) -> Response[bytes]:
        """How far each loop is on the ladder, with its evidence."""
        return _answer(lambda: gate.commissioning.standing(request.query_params.get("loop", "")))

    @post("/v1/commission/check", status_code=200)
    async def check(request: Req) -> Response[bytes]:
        """Begin a rung's check. The answer is how the loop stands then."""
        wanted = await read(request, CHECKED)
        try:
            await gate.commissioning.check(wanted.loop, wanted.rung, step=wanted.step, within_s=wanted.within_s, hours=wanted.hours)
        except CommissionError as error:
            raise _refused(error) from None
        return _answer(lambda: gate.commissioning.standing(wanted.loop))

    @post("/v1/commission/sign", status_code=200)
    async def sign(request: Req) -> Response[bytes]:
        """Sign what a check found, with the person's password."""
        wanted = await read(request, SIGNED)
        key = await unlock(wanted.person, wanted.password)

        def signed() -> Any:
            gate.commissioning.sign(wanted.loop, wanted.rung, wanted.evidence, wanted.person, key, reason=wanted.reason)
            return gate.commissioning.standing(wanted.loop)

        return _answer(signed)

    return [standing, check, sign]


def _answer(what: Callable[[], Any]) -> Response[bytes]:
    try:
        return json(what())
    except CommissionError as error:
        raise _refused(error) from None


def _refused(error: CommissionError) -> HTTPException:
    return HTTPException(status_code=409, detail=str(error), extra={"code": error.code, "facts": error.facts})
