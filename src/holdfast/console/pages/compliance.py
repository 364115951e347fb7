"""Compliance: each clause that a limit of the plant is bound to, kept or not, since when, how far, and how often in a period."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from holdfast.console.house import House
from holdfast.console.names import names_of
from holdfast.console.visit import Req, Visit
from holdfast.language import chosen
from holdfast.terms import SECOND_NS, Word

DAYS = (1, 7, 30, 365)
DAYS_FIRST = 7
SHAPES = {"kept": "✓", "beyond": "◆", "unknown": "?"}
ORDER = ("beyond", "unknown", "kept")
CHANGED = "every 30s, gate:alarm from:body, gate:configuration from:body, gate:back from:body"


class View(Word):
    """One clause. `asks`: what it asks of the plant, in the visitor's language where it is written in that one."""

    of: Mapping[str, Any]
    shape: str
    name: str
    side: str  # ">" where the limit is a high one
    asks: str
    share: float  # of the period, in percent, that it was beyond


class Board(Word):
    views: tuple[View, ...]  # what is not kept first
    beyond: int
    unknown: int
    cut: tuple[str, ...]  # tags whose times are too small: they changed too often to be counted
    from_ns: int
    days: int


def routes(house: House) -> list[Any]:
    @get("/compliance")
    async def compliance(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("compliance", visit, request, board=await _board(house, visit, request), all_days=DAYS, on=CHANGED)

    @get("/compliance/list")
    async def listed(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("compliance_list", visit, request, board=await _board(house, visit, request))

    return [compliance, listed]


async def _board(house: House, visit: Visit, request: Req) -> Board:
    asked = request.query_params.get("days", "")
    days = int(asked) if asked in map(str, DAYS) else DAYS_FIRST
    status = await house.gate.get("/v1/status", token=visit.token)
    from_ns = max(int(status["at_ns"]) - days * 86_400 * SECOND_NS, 0)
    found = await house.gate.get("/v1/compliance", {"from_ns": str(from_ns)}, token=visit.token)
    names = await names_of(house, visit.token)
    views = [_view(one, names.name(one["tag"]), visit.language) for one in found["clauses"]]
    views.sort(key=lambda view: ORDER.index(view.of["now"]))
    counts = [one["now"] for one in found["clauses"]]
    return Board(
        views=tuple(views),
        beyond=counts.count("beyond"),
        unknown=counts.count("unknown"),
        cut=tuple(map(str, found["cut"])),
        from_ns=from_ns,
        days=days,
    )


def _view(one: Mapping[str, Any], name: str, language: str) -> View:
    return View(
        of=one,
        shape=SHAPES[one["now"]],
        name=name,
        side=">" if one["limit"] in ("hi", "hihi") else "<",
        asks=chosen(one["asks"], language),
        share=100.0 * one["beyond_s"] / one["period_s"],
    )
