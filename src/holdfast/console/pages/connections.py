"""Each connection to the plant: how it stands and since when, how late and how complete its values come, and which tags they are."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from litestar import Response, get

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.names import states_of
from holdfast.console.visit import Req, Visit
from holdfast.terms import SECOND_NS, Word

SHAPES = {"connected": "✓", "waiting": "○", "lost": "◆"}
LATE_PERIODS, LATE_S_MIN = 3.0, 3.0  # values that come later than so many of the table's periods are late
OFFSET_S_MAX = 1.0  # a clock that is further off spoils what values mean
EVERY_S = 2


class Table(Word):
    id: str
    period_s: float
    rows: int
    tags: tuple[Mapping[str, Any], ...]


class View(Word):
    """One connection. Numbers are None where they aren't known. `late`, `off`: they are more than they should be."""

    name: str
    path: str
    shape: str
    state: str
    well: bool
    since_ns: int
    for_s: float
    why: str
    lag_s: float | None
    late: bool
    gaps: float | None
    losses: int
    backlog: float | None
    clock_offset_s: float | None
    off: bool
    rows: int
    tables: tuple[Table, ...]
    others: tuple[tuple[str, Any], ...]


def routes(house: House) -> list[Any]:
    @get("/connections")
    async def connections(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("connections", visit, request, views=await _views(house, visit), every_s=EVERY_S)

    @get("/connections/list")
    async def listed(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("connections_list", visit, request, views=await _views(house, visit))

    @get("/connections/of/{name:str}")
    async def one(request: Req) -> Response[str]:
        visit = await house.visit(request)
        view, say = await _named(house, visit, request), house.shown(visit, None).t

        def names(tag: Mapping[str, Any]) -> dict[str, str]:
            return states_of(tag, say)

        return await house.page("connections_one", visit, request, view=view, every_s=EVERY_S, state_names=names)

    @get("/connections/of/{name:str}/facts")
    async def facts(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("connections_facts", visit, request, view=await _named(house, visit, request))

    return [connections, listed, one, facts]


async def _named(house: House, visit: Visit, request: Req) -> View:
    name = str(request.path_params["name"])
    view = next((view for view in await _views(house, visit) if view.name == name), None)
    if view is None:
        raise GateError(404, name)
    return view


async def _views(house: House, visit: Visit) -> tuple[View, ...]:
    """Those that do not stand well first."""
    status = await house.gate.get("/v1/status", token=visit.token)
    tables = await house.gate.get("/v1/tables", token=visit.token)
    views = [_view(name, told, status, tables) for name, told in status["connections"].items()]
    return tuple(sorted(views, key=lambda view: (view.well, view.name)))


def _view(name: str, told: Mapping[str, Any], status: Mapping[str, Any], tables: list[Mapping[str, Any]]) -> View:
    mine = tuple(
        Table(
            id=str(table["id"]), period_s=float(table["period_s"]), rows=int(status["rows"].get(table["id"], 0)), tags=tuple(table["tags"])
        )
        for table in tables
        if str(table["id"]).rpartition("@")[0] == name
    )
    state, lag_s, offset_s = str(told["state"]), told.get("lag_s"), told.get("clock_offset_s")
    late_s = max(LATE_S_MIN, LATE_PERIODS * max((table.period_s for table in mine), default=0.0))
    late = lag_s is not None and float(lag_s) > late_s
    off = offset_s is not None and abs(float(offset_s)) > OFFSET_S_MAX
    known = {"state", "since_ns", "why", "lag_s", "gaps", "backlog", "clock_offset_s", "losses", "connected"}
    since_ns = int(told["since_ns"])
    return View(
        name=name,
        path=f"/connections/of/{quote(name, safe='')}",
        shape=SHAPES.get(state, "▲"),
        state=state,
        well=state == "connected" and not late and not off,
        since_ns=since_ns,
        for_s=float(max((int(status["at_ns"]) - since_ns) // SECOND_NS, 0)),
        why=str(told.get("why", "")),
        lag_s=lag_s,
        late=late,
        gaps=told.get("gaps"),
        losses=int(told.get("losses", 0)),
        backlog=told.get("backlog"),
        clock_offset_s=offset_s,
        off=off,
        rows=sum(table.rows for table in mine),
        tables=mine,
        others=tuple(sorted((key, value) for key, value in told.items() if key not in known)),
    )
