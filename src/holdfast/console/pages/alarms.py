"""Alarms (ISA-18.2) as the gate keeps them, most urgent first, and beside them what perception found.

In a flood they are grouped by equipment with the alarm that came first in each, since that one is nearest to the cause.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.names import Names, names_of
from holdfast.console.telling import Teller, Told
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

PRIORITIES = ("urgent", "high", "medium", "low")
SHAPES = {"urgent": "◆", "high": "▲", "medium": "■", "low": "●"}
STATES = ("unacknowledged", "returned", "acknowledged")  # of one priority, in this order
SHELVE_MIN = (15, 30, 60, 120, 240, 480)  # 8 h is the longest that the gate takes
FINDINGS_MAX = 12
FINDINGS_READ_MAX = 60
ACTS = ("acknowledge", "shelve", "unshelve")


class View(Word):
    """One alarm with its names. `side`: ">" where it is a high limit."""

    id: str
    path: str
    tag: str
    name: str
    equipment: str
    shape: str
    side: str
    unit: str
    alarm: Mapping[str, Any]


class Group(Word):
    """Alarms of one equipment, the first that came apart."""

    equipment: str
    first: View
    views: tuple[View, ...]


class Seen(Word):
    """A finding and the page of its incident."""

    told: Told
    path: str


class Board(Word):
    """`servers`: what servers raise themselves, as the gate has it of each connection that is asked for its alarms."""

    ringing: tuple[View, ...]
    shelved: tuple[View, ...]
    groups: tuple[Group, ...]
    findings: tuple[Seen, ...]
    flood: bool
    per_10min: int
    servers: tuple[Mapping[str, Any], ...]


def routes(house: House) -> list[Any]:
    @get("/alarms")
    async def alarms(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("alarms", visit, request, **await _facts(house, visit), said="")

    @get("/alarms/list")
    async def listed(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("alarms_list", visit, request, **await _facts(house, visit))

    @get("/alarms/{alarm:str}/shelve")
    async def shelving(request: Req) -> Response[str]:
        """Time and reason are asked for on a page of their own, so that one touch shelves nothing."""
        visit = await house.visit(request)
        return await _shelving(house, visit, request, "", 200)

    @post([f"/alarms/{{alarm:str}}/{act}" for act in ACTS])
    async def acts(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        alarm, act = str(request.path_params["alarm"]), request.url.path.rpartition("/")[2]
        body: dict[str, Any] = {}
        if act == "shelve":
            minutes = form.get("minutes", "")[:6]
            body = {"for_s": 60.0 * float(minutes if minutes.isascii() and minutes.isdigit() else 0), "reason": form.get("reason", "")}
            if not body["reason"].strip():
                return await _shelving(house, visit, request, house.shown(visit, None).t("alarms.reason_wanted"), 400)
        try:
            await house.gate.post(f"/v1/alarms/{quote(alarm, safe='')}/{act}", body, token=visit.token)
        except GateError as error:
            if error.status in (401, 503):
                raise
            if act == "shelve":
                return await _shelving(house, visit, request, house.refusal(error, visit), error.status)
            facts = await _facts(house, visit)
            return await house.page("alarms", visit, request, code=error.status, **facts, said=house.refusal(error, visit))
        return house.to("/alarms")

    return [alarms, listed, shelving, acts]


async def _facts(house: House, visit: Visit) -> dict[str, Any]:
    names = await names_of(house, visit.token)
    teller = Teller(house.shown(visit, await house.status()), names)
    return {"board": await _board(house, visit, names, teller), "shapes": SHAPES}


async def _shelving(house: House, visit: Visit, request: Req, said: str, code: int) -> Response[str]:
    alarm = str(request.path_params["alarm"])
    answer = await house.gate.get("/v1/alarms", {"all": 1}, token=visit.token)
    found = next((a for a in answer["alarms"] if a["id"] == alarm), None)
    if found is None:
        raise GateError(404, alarm)
    view = _view(found, await names_of(house, visit.token))
    return await house.page("alarms_shelve", visit, request, code=code, view=view, minutes=SHELVE_MIN, said=said)


async def _board(house: House, visit: Visit, names: Names, teller: Teller) -> Board:
    answer = await house.gate.get("/v1/alarms", token=visit.token)
    views = [_view(alarm, names) for alarm in answer["alarms"]]
    ringing = tuple(sorted((v for v in views if v.alarm["state"] in STATES), key=_urgency))
    return Board(
        ringing=ringing,
        shelved=tuple(sorted((v for v in views if v.alarm["state"] == "shelved"), key=lambda v: v.alarm["shelved_until_ns"])),
        groups=_groups(ringing) if answer["flood"] else (),
        findings=await _findings(house, visit, teller),
        flood=bool(answer["flood"]),
        per_10min=int(answer["per_10min"]),
        servers=tuple(answer["servers"]),
    )


def _urgency(view: View) -> tuple[int, int, int]:
    """Priority, then what nobody has seen yet, then the newest."""
    return PRIORITIES.index(view.alarm["priority"]), STATES.index(view.alarm["state"]), -int(view.alarm["since_ns"])


def _groups(views: Sequence[View]) -> tuple[Group, ...]:
    """In the order of each one's most urgent alarm."""
    by: dict[str, list[View]] = {}
    for view in views:
        by.setdefault(view.equipment, []).append(view)
    return tuple(
        Group(equipment=equipment, first=min(of, key=lambda v: int(v.alarm["since_ns"])), views=tuple(of)) for equipment, of in by.items()
    )


def _view(alarm: Mapping[str, Any], names: Names) -> View:
    tag = str(alarm["tag"])
    return View(
        id=str(alarm["id"]),
        path=f"/alarms/{quote(str(alarm['id']), safe='')}",
        tag=tag,
        name=names.name(tag),
        equipment=tag.rpartition("/")[0] or tag,
        shape=SHAPES.get(str(alarm["priority"]), "●"),
        side=">" if str(alarm["limit"]).startswith("hi") else "<",
        unit=str(alarm["unit"]),
        alarm=alarm,
    )


async def _findings(house: House, visit: Visit, teller: Teller) -> tuple[Seen, ...]:
    """The newest first, one an incident: a finding that is told again replaces what it said before."""
    query = {"kind": "finding", "order": "desc", "limit": FINDINGS_READ_MAX}
    records = await house.gate.get("/v1/records", query, token=visit.token)
    seen: dict[tuple[str, str], Seen] = {}
    for record in records:
        told = teller.tell(record)
        if len(seen) < FINDINGS_MAX:
            seen.setdefault((told.author, told.incident), Seen(told=told, path=f"/incidents/{quote(told.incident, safe='')}"))
    return tuple(seen.values())
