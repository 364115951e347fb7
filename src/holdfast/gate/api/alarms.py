"""Alarms at the people's door: the list, and what people do about them; shelving takes a role that answers for the plant."""

from collections.abc import Callable
from typing import Any, Protocol

from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.actuation.attend import AlarmError
from holdfast.gate.api.described import text
from holdfast.gate.api.messages import Req, json, read
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.people import Person
from holdfast.terms import Word


class Shelve(Word):
    for_s: float
    reason: str


SHELVE = TypeAdapter(Shelve)


class SignedIn(Protocol):
    """gate/api/doorkeeper.py."""

    def doing(self, request: Req) -> Person:
        """The person of the request's session, who may change something. Raises HTTPException 401, 403."""
        ...


def alarm_handlers(gate: Gatekeeper, door: SignedIn) -> list[Any]:
    """Routes for `people_app`. Who is signed in and not only looks may acknowledge, and see again what was shelved; who it was
    is on record. To take an alarm out of sight needs one of the roles that the site asks by default."""

    def shelver(request: Req) -> str:
        person = door.doing(request)
        wanted = gate.site.default_approvals
        if wanted and not set(wanted) & set(gate.people.roles(person.name)):
            told = {"code": "alarm.role", "facts": {"roles": ", ".join(wanted)}}
            raise HTTPException(status_code=403, detail=f"shelving needs one of these roles: {', '.join(wanted)}", extra=told)
        return person.name

    @get("/v1/alarms", query=(text("all", "1: those that are normal too.", "0", "1"),))
    async def alarms(request: Req) -> Response[bytes]:
        """Those that are not normal; `?all=1` every limit there is. `value` is the newest Good one, else null. `servers` has what
        servers that are asked for theirs (`server_alarms`) raise themselves: acknowledged there, and not here."""
        flood, per_10min = gate.alarms.flood(gate.clock.now_ns())
        units = {tag.name: tag.unit for tag in gate.site.tags}
        shown = gate.alarms.shown(normal=request.query_params.get("all") == "1")
        listed = [
            {**{name: getattr(a, name) for name in a.__dataclass_fields__}, "value": gate.live.good_value(a.tag), "unit": units[a.tag]}
            for a in shown
        ]
        return json({"alarms": listed, "flood": flood, "per_10min": per_10min, "servers": gate.parts.theirs.shown()})

    @post("/v1/alarms/{alarm:str}/acknowledge", status_code=204)
    async def acknowledge(request: Req) -> None:
        """Seen by the person who is signed in. Reads no body."""
        person = door.doing(request).name
        _act(lambda: gate.attend.acknowledge(_id(request), person))

    @post("/v1/alarms/{alarm:str}/shelve", status_code=204)
    async def shelve(request: Req) -> None:
        """Out of sight for a time, at most 8 h, with a reason; it comes back by itself."""
        person = shelver(request)
        wanted = await read(request, SHELVE)
        _act(lambda: gate.attend.shelve(_id(request), person, wanted.for_s, wanted.reason))

    @post("/v1/alarms/{alarm:str}/unshelve", status_code=204)
    async def unshelve(request: Req) -> None:
        """Back in sight. Reads no body."""
        person = door.doing(request).name
        _act(lambda: gate.attend.unshelve(_id(request), person))

    return [alarms, acknowledge, shelve, unshelve]


def _id(request: Req) -> str:
    return str(request.path_params["alarm"])


def _act(act: Callable[[], None]) -> None:
    try:
        act()
    except AlarmError as error:
        status = {"alarm.unknown": 404, "alarm.shelving": 400}.get(error.code, 409)
        raise HTTPException(status_code=status, detail=str(error), extra={"code": error.code}) from None
