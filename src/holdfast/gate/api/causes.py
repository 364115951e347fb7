"""Past cases at both doors: people confirm, correct and take back an incident's cause; agents learn from what stands."""

import json as jsonlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.actuation.causes import CauseError
from holdfast.gate.api.messages import Req, json, read
from holdfast.gate.api.records import RecordDesk
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.ledger import incidents as view
from holdfast.gate.ledger.index import RecordIndex
from holdfast.link import ConfirmedCause
from holdfast.terms import Word


class CauseSaid(Word):
    incident: str
    mode: str  # a failure mode's id, or "none of these"
    person: str
    password: str
    reason: str = ""


class CauseRetracted(Word):
    incident: str
    person: str
    password: str
    reason: str = ""


SAID, RETRACTED = TypeAdapter(CauseSaid), TypeAdapter(CauseRetracted)
CONFIRMED = TypeAdapter(tuple[ConfirmedCause, ...])


def case_handlers(gate: Gatekeeper, author: Callable[[Req], str]) -> list[Any]:
    """Routes for `agents_app`."""

    @get("/v1/causes", answers=CONFIRMED)
    async def causes(request: Req) -> Response[bytes]:
        """What people said the causes of past incidents were, the newest first."""
        author(request)
        return json(gate.causes.confirmed())

    return [causes]


def cause_handlers(gate: Gatekeeper, desk: RecordDesk, unlock: Callable[[str, str], Awaitable[Ed25519PrivateKey]]) -> list[Any]:
    """Routes for `people_app`."""

    @get("/v1/causes", answers=CONFIRMED)
    async def causes() -> Response[bytes]:
        """What people said the causes of past incidents were, the newest first."""
        return json(gate.causes.confirmed())

    @post("/v1/causes", status_code=200, answers=TypeAdapter(ConfirmedCause))
    async def confirm(request: Req) -> Response[bytes]:
        """Say what the cause of an incident was; agents have learnt it by their next ranking."""
        wanted = await read(request, SAID)

        def found(index: RecordIndex) -> tuple[Mapping[str, Any], str] | None:
            known = view.known(index, wanted.incident)  # people call an incident by its first finding
            return None if known is None else (known.finding, _told(view.chain(index, known)))

        seen = await desk.ask(found)
        if seen is None:
            raise HTTPException(status_code=404, detail=f"no incident {wanted.incident[:80]!r}")
        key = await unlock(wanted.person, wanted.password)
        shares = tuple((str(tag), float(share)) for tag, share in seen[0].get("shares", ()))
        try:
            return json(
                gate.causes.confirm(
                    str(seen[0]["incident"]), wanted.mode, wanted.person, key, told=seen[1], shares=shares, reason=wanted.reason
                )
            )
        except CauseError as error:
            raise _no(error) from None

    @post("/v1/causes/retract", status_code=200, answers=TypeAdapter(ConfirmedCause))
    async def retract(request: Req) -> Response[bytes]:
        """Take back what was said of an incident's cause."""
        wanted = await read(request, RETRACTED)

        def named(index: RecordIndex) -> str:
            known = view.known(index, wanted.incident)
            return wanted.incident if known is None else str(known.finding["incident"])

        incident = await desk.ask(named)
        key = await unlock(wanted.person, wanted.password)
        try:
            return json(gate.causes.retract(incident, wanted.person, key, reason=wanted.reason))
        except CauseError as error:
            raise _no(error) from None

    return [causes, confirm, retract]


def _told(chain: tuple[bytes, ...]) -> str:
    """The cause that the last diagnosis put first; "" where there is none."""
    told = [record["body"]["diagnosis"]["causes"] for leaf in chain if (record := jsonlib.loads(leaf))["kind"] == "diagnosis"]
    return str(told[-1][0]["mode"]) if told and told[-1] else ""


def _no(error: CauseError) -> HTTPException:
    return HTTPException(status_code=409, detail=str(error), extra={"code": error.code, "facts": error.facts})
