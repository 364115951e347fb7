"""The first run: a site file made in the browser. Give a server's address, choose from what it shows, look, write.

These pages are all that the console has until there is a site file. They ask the run itself (run/first.py), with the code
that it printed; they reach no plant and no disk. Everything that a server says is shown as what it is: text of a stranger.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie

from holdfast.console.gate import GateError
from holdfast.console.house import FIELD_CHARS_MAX, House
from holdfast.console.visit import Req, Visit
from holdfast.language import LANGUAGES
from holdfast.site.first import read_as
from holdfast.terms import Word

CODE_COOKIE = "holdfast_first_run"
CODE_CHARS_MAX = 64
BROWSE_S = 150.0  # the run gives the server 120 s
CHOSEN_MAX = 5000
SECURITIES = ("none", "Basic256Sha256")
SERVER_FIELDS = ("url", "security", "server", "login", "user", "password", "under")


class Shown(Word):
    """One tag that a server shows. `at` is its place in what was found."""

    at: int
    name: str
    address: str
    unit: str
    type: str
    description: str


class Group(Word):
    name: str
    tags: tuple[Shown, ...]


def routes(house: House) -> list[Any]:
    return [*_steps(house), *_language(house)]


def _steps(house: House) -> list[Any]:
    @get(["/", "/stop", "/sign-in"])
    async def start(request: Req) -> Response[str]:
        return await _page(house, request, "server", {}, "", 200)

    @post("/code")
    async def code(request: Req) -> Response[Any]:
        visit = _visit(house, request)
        form = await house.form(request, visit)
        given = form.get("code", "")[:CODE_CHARS_MAX]
        try:
            await house.gate.get("/v1/first", token=given)
        except GateError as error:
            return await _asks_code(house, request, visit, house.refusal(error, visit), error.status)
        answer = house.to("/")
        answer.cookies.append(Cookie(key=CODE_COOKIE, value=given, httponly=True, samesite="strict", path="/"))
        return answer

    @post("/browse")
    async def browse(request: Req) -> Response[Any]:
        visit = _visit(house, request)
        form = await house.form(request, visit)
        wanted = {name: form.get(name, "") for name in SERVER_FIELDS}
        try:
            await house.gate.post("/v1/first/browse", wanted, token=visit.token, timeout_s=BROWSE_S)
        except GateError as error:
            return await _page(house, request, "server", form, house.refusal(error, visit), error.status)
        return house.to("/tags")

    @get("/tags")
    async def tags(request: Req) -> Response[Any]:
        return await _page(house, request, "tags", {}, "", 200)

    @post("/tags")
    async def choose(request: Req) -> Response[Any]:
        visit = _visit(house, request)
        form = await house.form(request, visit)
        sent = (await request.form()).multi_items()
        chosen = [int(value) for name, value in sent if name == "tag" and str(value).isascii() and str(value).isdigit()][:CHOSEN_MAX]
        wanted = {"tags": chosen, **{name: form.get(name, "")[:FIELD_CHARS_MAX] for name in ("name", "language", "timezone")}}
        try:
            await house.gate.post("/v1/first/choose", wanted, token=visit.token, timeout_s=BROWSE_S)
        except GateError as error:
            return await _page(house, request, "tags", form, house.refusal(error, visit), error.status)
        return house.to("/look")

    @get("/look")
    async def look(request: Req) -> Response[Any]:
        return await _page(house, request, "look", {}, "", 200)

    @post("/write")
    async def write(request: Req) -> Response[Any]:
        visit = _visit(house, request)
        await house.form(request, visit)
        try:
            made = await house.gate.post("/v1/first/write", {}, token=visit.token)
        except GateError as error:
            return await _page(house, request, "look", {}, house.refusal(error, visit), error.status)
        return await house.page("first_run", visit, request, step="written", file=str(made["file"]))

    return [start, code, browse, tags, choose, look, write]


def _language(house: House) -> list[Any]:
    @post("/language")
    async def language(request: Req) -> Response[Any]:
        visit = _visit(house, request)
        form = await house.form(request, visit)
        answer = house.to("/")
        answer.cookies.append(house.visits.language_cookie(form.get("language", "")))
        return answer

    return [language]


def _visit(house: House, request: Req) -> Visit:
    code = request.cookies.get(CODE_COOKIE, "")[:CODE_CHARS_MAX]
    return Visit(token=code, language=house.visits.language(request), csrf=house.visits.csrf(code))


async def _page(house: House, request: Req, step: str, form: Mapping[str, str], said: str, code: int) -> Response[Any]:
    """A step, as far as the ones before it are done; the code is asked for where it is not there or not right."""
    visit = _visit(house, request)
    try:
        told = await house.gate.get("/v1/first", token=visit.token)
    except GateError as error:
        if error.status != 401:
            raise
        return await _asks_code(house, request, visit, "", 200)
    if (step == "tags" and not told["tags"]) or (step == "look" and not told["text"]):
        return house.to("/")
    return await house.page(
        "first_run", visit, request, code=code, step=step, told=told, groups=_groups(told["tags"]), form=form, said=said,
        securities=SECURITIES, languages=LANGUAGES, wrong=any(p["severity"] == "error" for p in told["problems"]),
    )  # fmt: skip


async def _asks_code(house: House, request: Req, visit: Visit, said: str, code: int) -> Response[Any]:
    return await house.page("first_run", visit, request, code=code, step="code", said=said)


def _groups(tags: Sequence[Mapping[str, Any]]) -> tuple[Group, ...]:
    """By the first part of a dotted name, as the site file will have them."""
    shown = [_shown(at, tag) for at, tag in enumerate(tags)]
    first = sorted(shown, key=lambda tag: (tag.name.partition(".")[0] if "." in tag.name else "", tag.at))
    return tuple(
        Group(name=name, tags=tuple(of))
        for name, of in groupby(first, key=lambda tag: tag.name.partition(".")[0] if "." in tag.name else "")
    )


def _shown(at: int, tag: Mapping[str, Any]) -> Shown:
    name = read_as(str(tag["name"]), str(tag["address"]))
    return Shown(
        at=at, name=name, address=str(tag["address"]), unit=str(tag["unit"]), type=str(tag["type"]), description=str(tag["description"])
    )
