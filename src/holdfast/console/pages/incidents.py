"""Incidents from the record: what fired and why, what was proposed, and how each proposal ended; kept as long as the record is."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from litestar import Response, get

from holdfast.console.chain import Chain, chain_of
from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.names import names_of
from holdfast.console.pages.causes import Said, said_of
from holdfast.console.reports.drawn import contributions
from holdfast.console.reports.html import svg
from holdfast.console.telling import Teller
from holdfast.console.visit import Req, Visit
from holdfast.terms import SECOND_NS, Word

LISTED = 25
LOOKED_MAX = 100  # newest incidents among which one is sought by the name that its agent gave it
RECORDS_MAX = 1_000
VIEWS = ("compact", "timeline", "raw")
# How each state looks: a tone with a shape. What goes on waits; what went wrong is marked; the rest is grey.
TONES = {
    "found": "waits", "diagnosed": "waits", "asked": "waits", "approved": "waits", "acting": "waits", "verified": "waits",
    "resolved": "good", "restored": "good", "shadow": "done", "no_effect": "done", "expired": "done", "voided": "done",
    "refused": "wrong", "wrong": "wrong", "failed": "wrong", "indeterminate": "wrong", "escalated": "wrong",
}  # fmt: skip
SHAPES = {"done": "●", "good": "✓", "waits": "◷", "wrong": "◆", "none": "–", "": "●"}
OPEN = tuple(state for state, tone in TONES.items() if tone == "waits")


class Line(Word):
    """One incident of the list."""

    path: str
    title: str
    state: str
    tone: str
    agent: str
    at_ns: int
    lasts_s: float
    records: int


class Raw(Word):
    """One record as it stands in the ledger, indented for reading."""

    seq: int
    kind: str
    text: str


class Page(Word):
    """`head` is None for a proposal that belongs to no incident that was found."""

    path: str
    view: str
    head: Line | None
    chain: Chain
    raw: tuple[Raw, ...]
    open: bool
    said: Said | None  # of its cause, by a person
    course: str  # contributions over time, drawn; "" where there are none


def routes(house: House) -> list[Any]:
    @get("/incidents")
    async def incidents(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("incidents", visit, request, **await _listed(house, visit, request))

    @get("/incidents/list")
    async def listed(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("incidents_list", visit, request, **await _listed(house, visit, request))

    @get("/incidents/of/{proposal:str}")
    async def of_proposal(request: Req) -> Response[Any]:
        """The incident that a proposal belongs to, else the proposal's own story."""
        visit = await house.visit(request)
        proposal = str(request.path_params["proposal"])
        records = await house.gate.get("/v1/records", {"proposal": proposal, "limit": RECORDS_MAX}, token=visit.token)
        decision = next((r for r in records if r["kind"] == "decision"), None)
        if decision is None:
            raise GateError(404, proposal)
        name, author = str(decision["body"]["proposal"]["incident"]), str(decision["body"]["decision"]["author"])
        if id := await _named(house, visit, name, author):
            return house.to(f"/incidents/{quote(id, safe='')}")
        path = f"/incidents/of/{quote(proposal, safe='')}"
        return await house.page("incidents_one", visit, request, one=await _page(house, visit, request, path, None, records), shapes=SHAPES)

    @get("/incidents/{incident:str}")
    async def one(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        wanted = str(request.path_params["incident"])
        try:
            page = await _found(house, visit, request, wanted)
        except GateError as error:
            # An agent, and what it proposes, knows an incident by the name that it gave it.
            id = await _named(house, visit, wanted, "") if error.status == 404 else ""
            if not id:
                raise
            return house.to(f"/incidents/{quote(id, safe='')}")
        return await house.page("incidents_one", visit, request, one=page, shapes=SHAPES)

    @get("/incidents/{incident:str}/part")
    async def part(request: Req) -> Response[str]:
        visit = await house.visit(request)
        page = await _found(house, visit, request, str(request.path_params["incident"]))
        return await house.fragment("incidents_part", visit, request, one=page, shapes=SHAPES)

    return [incidents, listed, of_proposal, one, part]


async def _listed(house: House, visit: Visit, request: Req) -> dict[str, Any]:
    query: dict[str, str | int] = {"limit": LISTED}
    before = request.query_params.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        query["before"] = int(before)
    found = await house.gate.get("/v1/incidents", query, token=visit.token)
    teller = await _teller(house, visit)
    older = int(found[-1]["seq"]) if len(found) == LISTED else 0
    return {"lines": tuple(_line(i, teller) for i in found), "older": older, "first": "before" not in query, "shapes": SHAPES}


async def _teller(house: House, visit: Visit) -> Teller:
    return Teller(house.shown(visit, await house.status()), await names_of(house, visit.token))


async def _named(house: House, visit: Visit, name: str, agent: str) -> str:
    """The id of the newest incident that its agent calls so; "" for none."""
    found = await house.gate.get("/v1/incidents", {"limit": LOOKED_MAX}, token=visit.token)
    return next((str(i["id"]) for i in found if i["finding"]["incident"] == name and agent in ("", i["agent"])), "")


async def _found(house: House, visit: Visit, request: Req, id: str) -> Page:
    """Raises GateError 404."""
    path = f"/incidents/{quote(id, safe='')}"
    answer = await house.gate.get(f"/v1/{path[1:]}", token=visit.token)
    return await _page(house, visit, request, path, answer, answer["chain"])


async def _page(
    house: House, visit: Visit, request: Req, path: str, head: Mapping[str, Any] | None, records: Sequence[Mapping[str, Any]]
) -> Page:
    asked = request.query_params.get("view", "")
    view = asked if asked in VIEWS else VIEWS[0]
    teller = await _teller(house, visit)
    raw = tuple(
        Raw(seq=int(r["seq"]), kind=teller.kind(str(r["kind"])), text=json.dumps(r, ensure_ascii=False, indent=1, sort_keys=True))
        for r in (records if view == "raw" else ())
    )
    line = None if head is None else _line(head, teller)
    chain = chain_of(records, teller)
    confirmed = await house.gate.get("/v1/causes", token=visit.token) if head is not None and view == VIEWS[0] else ()
    return Page(
        path=path,
        view=view,
        head=line,
        chain=chain,
        raw=raw,
        open=head is not None and head["state"] in OPEN,
        said=None if head is None else said_of(confirmed, str(head["finding"]["incident"]), teller.shown),
        course=_drawn(chain, teller) if view == VIEWS[0] else "",
    )


def _drawn(chain: Chain, teller: Teller) -> str:
    told = teller.shown.word("reports.finding.course")
    chart = contributions(chain.course, teller.names.name, time=teller.shown.time, told=told)
    return "" if chart is None else svg(chart)


def _line(incident: Mapping[str, Any], teller: Teller) -> Line:
    state, tags = str(incident["state"]), tuple(incident["tags"])
    detector = teller.detector(str(incident["finding"]["detector"]))
    title = teller.shown.t(
        "said.finding" if tags else "said.finding.bare", detector=detector, tag=teller.names.name(tags[0]) if tags else ""
    )
    return Line(
        path=f"/incidents/{quote(str(incident['id']), safe='')}",
        title=title,
        state=teller.shown.t(f"incidents.state.{state}"),
        tone=TONES.get(state, "done"),
        agent=str(incident["agent"]),
        at_ns=int(incident["at_ns"]),
        lasts_s=max(0, (int(incident["until_ns"]) - int(incident["at_ns"])) // SECOND_NS),
        records=int(incident["records"]),
    )
