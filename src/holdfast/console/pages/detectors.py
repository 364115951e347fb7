"""Each detector's learned state: what is in force and by whom, the versions, how far its normal state drifted; relearn and put back.

The gate decides and says why not; what an agent says of its detectors is shown as its claim.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.shown import Shown
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

SHORT = 12  # characters of a digest
CHANGED = "every 15s, gate:learned from:body, gate:relearn from:body, gate:drift from:body, gate:decision from:body, gate:back from:body"


class Version(Word):
    """`mark`: in_force, former (can be put back), or candidate (never in force)."""

    digest: str
    short: str
    mark: str
    author: str
    rows: int
    from_ns: int
    to_ns: int
    adopted_ns: int
    fits: bool


class Claim(Word):
    """What one agent says."""

    agent: str
    learning: float | None  # percent of the quiet stretch; None once learned
    active: bool
    drift: float | None
    drifted: bool
    tags: tuple[tuple[str, float], ...]
    trouble: str  # in words
    other: bool  # it scores by another state than the one in force


class View(Word):
    """One detector. `asked` is the newest request and its answer in words; "" where nobody asked."""

    name: str
    detector: str
    tags: int
    rows: int
    schedule: str  # how often it learns anew, and when next, in words; "" where the site file names no schedule
    in_force: Mapping[str, Any] | None
    short: str
    versions: tuple[Version, ...]
    claims: tuple[Claim, ...]
    asked: Mapping[str, Any] | None
    waits: bool
    said: str


def routes(house: House) -> list[Any]:
    @get("/detectors")
    async def all_of_them(request: Req) -> Response[str]:
        return await _page(house, await house.visit(request), request, "", "", 200)

    @get("/detectors/list")
    async def part(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("detectors_list", visit, request, views=await _views(house, visit))

    @post("/detectors/relearn")
    async def relearn(request: Req) -> Response[Any]:
        return await _act(house, request, "/v1/detectors/relearn", ("name", "password", "reason"))

    @post("/detectors/put-back")
    async def put_back(request: Req) -> Response[Any]:
        return await _act(house, request, "/v1/detectors/put-back", ("name", "digest", "password", "reason"))

    return [all_of_them, part, relearn, put_back]


async def _act(house: House, request: Req, path: str, fields: tuple[str, ...]) -> Response[Any]:
    visit = await house.visit(request)
    form = await house.form(request, visit)
    wanted = {name: form.get(name, "") for name in fields}
    try:
        await house.gate.post(path, {**wanted, "person": form.get("person") or visit.person}, token=visit.token)
    except GateError as error:
        if error.status in (401, 503):
            raise
        return await _page(house, visit, request, wanted["name"], house.refusal(error, visit), error.status)
    return house.to("/detectors")


async def _page(house: House, visit: Visit, request: Req, about: str, said: str, code: int) -> Response[str]:
    views = await _views(house, visit)
    return await house.page("detectors", visit, request, code=code, views=views, about=about, said=said, on=CHANGED)


async def _views(house: House, visit: Visit) -> tuple[View, ...]:
    found = await house.gate.get("/v1/detectors", token=visit.token)
    shown = house.shown(visit, None)
    return tuple(_view(one, shown) for one in found)


def _view(one: Mapping[str, Any], shown: Shown) -> View:
    now, asked = one["in_force"], one["asked"]
    in_force = str(now["digest"]) if now else ""
    said = ""
    if asked:
        facts = {str(name): str(value) for name, value in asked["facts"]}
        ended = "learned.adopted" if in_force and asked["digest"] == in_force else str(asked["ended"])
        said = shown.word(ended, **facts) if ended else shown.t("detectors.waits")
    return View(
        name=str(one["name"]),
        detector=str(one["detector"]),
        tags=int(one["tags"]),
        rows=int(one["quiet_rows"]),
        schedule=_schedule(one, shown),
        in_force=now,
        short=in_force[:SHORT],
        versions=tuple(_version(version, in_force) for version in one["versions"]),
        claims=tuple(_claim(str(agent), told, in_force, shown) for agent, told in one["told"]),
        asked=asked,
        waits=bool(asked) and not asked["ended"],
        said=said,
    )


def _schedule(one: Mapping[str, Any], shown: Shown) -> str:
    every_s, due_ns = float(one["every_s"]), int(one["due_ns"])
    if not every_s:
        return ""
    every = shown.lasts(every_s)
    return shown.t("detectors.due", every=every, at=shown.moment(due_ns)) if due_ns else shown.t("detectors.every", every=every)


def _version(version: Mapping[str, Any], in_force: str) -> Version:
    digest = str(version["digest"])
    mark = "in_force" if digest == in_force else "former" if version["adopted_ns"] else "candidate"
    kept = {name: version[name] for name in ("author", "rows", "from_ns", "to_ns", "adopted_ns", "fits")}
    return Version(digest=digest, short=digest[:SHORT], mark=mark, **kept)


def _claim(agent: str, told: Mapping[str, Any], in_force: str, shown: Shown) -> Claim:
    return Claim(
        agent=agent,
        learning=None if told["digest"] or in_force else 100.0 * float(told["learning"]),
        active=bool(told["active"]),
        drift=told["drift"],
        drifted=bool(told["drifted"]),
        tags=tuple((str(tag), float(wanders)) for tag, wanders in told["tags"]),
        trouble=shown.word(str(told["trouble"])) if told["trouble"] else "",
        other=bool(told["digest"]) and bool(in_force) and told["digest"] != in_force,
    )
