"""Commissioning at the people's door: look how far a loop is, begin a rung's check, sign what was found."""

from collections.abc import Callable
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.actuation.commissioning import CommissionError
from holdfast.gate.actuation.rungs import Rung
from holdfast.gate.api.described import text
from holdfast.gate.api.doorkeeper import token_of
from holdfast.gate.api.messages import Req, json, read
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.people import Person
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


class Door(Protocol):
    """gate/api/doorkeeper.py."""

    def doing(self, request: Req) -> Person:
        """The person of the request's session, who may change something. Raises HTTPException 401, 403."""
        ...

    async def acting(self, person: str, password: str) -> Ed25519PrivateKey:
        """The key of a person who may change something. Raises HTTPException 403."""
        ...


def commission_handlers(gate: Gatekeeper, door: Door) -> list[Any]:
    """Routes for `people_app`."""

    @get("/v1/commission", query=(text("loop", "One loop; all without it."),))
    async def standing(request: Req) -> Response[bytes]:
        """How far each loop is on the ladder, with its evidence."""
        return _answer(lambda: gate.commissioning.standing(request.query_params.get("loop", "")))

    @post("/v1/commission/check", status_code=200)
    async def check(request: Req) -> Response[bytes]:
        """Begin a rung's check. The answer is how the loop stands then.

        With a session it is that person's, who may not be one that only looks; without one it is the command line's, whose
        user can open this socket. It needs no password: it writes nothing to the plant and nothing into the record, and what it
        finds counts for nothing until a named person signs the digest of it.
        """
        wanted = await read(request, CHECKED)
        if token_of(request):
            door.doing(request)
        try:
            await gate.commissioning.check(wanted.loop, wanted.rung, step=wanted.step, within_s=wanted.within_s, hours=wanted.hours)
        except CommissionError as error:
            raise _refused(error) from None
        return _answer(lambda: gate.commissioning.standing(wanted.loop))

    @post("/v1/commission/sign", status_code=200)
    async def sign(request: Req) -> Response[bytes]:
        """Sign what a check found, with the person's password."""
        wanted = await read(request, SIGNED)
        key = await door.acting(wanted.person, wanted.password)

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
