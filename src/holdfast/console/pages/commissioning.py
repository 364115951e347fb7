"""How far each loop is commissioned: the ladder with the gate's evidence, checking the next rung, signing it, and the protocol to print.

The gate checks and keeps the evidence; what a person signs is its digest, which travels in the form as it was shown.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.shown import Shown
from holdfast.console.visit import Req, Visit
from holdfast.language import LANGUAGES, number, say
from holdfast.terms import Word

RUNGS = ("wiring", "simulate", "shadow", "ask", "act")
LEADS = ("refuse", "ask", "permit")
CHECK_S = 60.0  # the gate sends pulses and waits for them, or judges hours of history
CHANGED = "gate:commission from:body, gate:autonomy from:body, gate:activated from:body, gate:back from:body"


class Found(Word):
    """Evidence in words: (passed, sentence) of each check, (what, number) of each figure."""

    passed: bool
    checks: tuple[tuple[bool, str], ...]
    figures: tuple[tuple[str, str], ...]


class Step(Word):
    """One rung. `state`: signed, next, or later."""

    rung: str
    state: str
    found: Found | None
    signed: Mapping[str, Any] | None


class Ladder(Word):
    """One loop. `standing` is the gate's own answer about it."""

    loop: str
    path: str
    tag_no: str
    unit: str
    standing: Mapping[str, Any]
    steps: tuple[Step, ...]
    matrix: tuple[tuple[str, str], ...]  # (cause, what it leads to)

    @property
    def signed(self) -> int:
        return sum(step.state == "signed" for step in self.steps)


def routes(house: House) -> list[Any]:
    @get("/commissioning")
    async def loops(request: Req) -> Response[str]:
        visit = await house.visit(request)
        found = await house.gate.get("/v1/loops", token=visit.token)
        writable = [str(loop["name"]) for loop in found if loop["autonomy"] is not None]
        ladders = tuple([await _ladder(house, visit, name) for name in writable])
        return await house.page("commissioning", visit, request, ladders=ladders)

    @get("/commissioning/loop")
    async def one(request: Req) -> Response[str]:
        return await _one(house, await house.visit(request), request, _named(request), "", 200)

    @get("/commissioning/ladder")
    async def part(request: Req) -> Response[str]:
        visit = await house.visit(request)
        ladder = await _ladder(house, visit, _named(request))
        return await house.fragment("commissioning_ladder", visit, request, ladder=ladder, leads=LEADS, said="")

    @get("/commissioning/protocol")
    async def protocol(request: Req) -> Response[str]:
        """To print, in the language that is asked for: who signs it may read another one than who prints it."""
        visit = await house.visit(request)
        language = request.query_params.get("lang", "")
        visit = dataclasses.replace(visit, language=language if language in LANGUAGES else visit.language)
        ladder = await _ladder(house, visit, _named(request))
        return await house.page("commissioning_protocol", visit, request, ladder=ladder, leads=LEADS)

    return [loops, one, part, protocol, *_acts(house)]


def _acts(house: House) -> list[Any]:
    @post("/commissioning/check")
    async def check(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        loop = form.get("loop", "")
        wanted: dict[str, Any] = {"loop": loop, "rung": form.get("rung", "")}
        try:
            wanted |= {"step": _number(form, "step"), "within_s": 60.0 * _number(form, "minutes"), "hours": _number(form, "hours")}
            await house.gate.post("/v1/commission/check", wanted, token=visit.token, timeout_s=CHECK_S)
        except ValueError:
            return await _one(house, visit, request, loop, house.shown(visit, None).t("commissioning.no_number"), 400)
        except GateError as error:
            return await _one(house, visit, request, loop, _said(house, visit, error), error.status)
        return house.to(_path(loop))

    @post("/commissioning/sign")
    async def sign(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        loop = form.get("loop", "")
        wanted = {name: form.get(name, "") for name in ("loop", "rung", "evidence", "password", "reason")}
        try:
            await house.gate.post("/v1/commission/sign", {**wanted, "person": form.get("person") or visit.person}, token=visit.token)
        except GateError as error:
            return await _one(house, visit, request, loop, _said(house, visit, error), error.status)
        return house.to(_path(loop))

    return [check, sign]


def _named(request: Req) -> str:
    return request.query_params.get("loop", "")


def _path(loop: str) -> str:
    return f"/commissioning/loop?loop={quote(loop, safe='/')}"


def _number(form: Mapping[str, str], name: str) -> float:
    """0 for a field that this rung does not have. Raises ValueError."""
    return float(form[name]) if form.get(name) else 0.0


async def _one(house: House, visit: Visit, request: Req, loop: str, said: str, code: int) -> Response[str]:
    ladder = await _ladder(house, visit, loop)
    return await house.page("commissioning_one", visit, request, code=code, ladder=ladder, leads=LEADS, said=said, on=CHANGED)


async def _ladder(house: House, visit: Visit, loop: str) -> Ladder:
    """Raises GateError 404 for a loop that nobody may write."""
    try:
        standing = await house.gate.get("/v1/commission", {"loop": loop}, token=visit.token)
    except GateError as error:
        raise GateError(404, str(error)) if error.status == 409 else error from None
    shown = house.shown(visit, None)
    signed = {str(one["rung"]): one for one in standing["signed"]}
    tags = standing["tags"]
    return Ladder(
        loop=loop,
        path=_path(loop),
        tag_no=next((str(tag["tag_no"]) for tag in tags if tag["tag_no"]), ""),
        unit=str(tags[0]["unit"]) if tags else "",
        standing=standing,
        steps=tuple(_step(rung, standing, signed.get(rung), shown) for rung in RUNGS),
        matrix=tuple((sentence(row, shown), str(row["leads"])) for row in standing["matrix"]),
    )


def _step(rung: str, standing: Mapping[str, Any], signed: Mapping[str, Any] | None, shown: Shown) -> Step:
    pending = standing["evidence"]
    evidence = signed["found"] if signed else pending if pending and pending["rung"] == rung else None
    state = "signed" if signed else "next" if standing["next"] == rung else "later"
    return Step(rung=rung, state=state, found=None if evidence is None else _found(evidence, shown), signed=signed)


def _found(evidence: Mapping[str, Any], shown: Shown) -> Found:
    checks = tuple((bool(check["passed"]), sentence(check, shown)) for check in evidence["checks"])
    figures = tuple((_figure(str(name), shown), number(str(value))) for name, value in evidence["figures"])
    return Found(passed=all(passed for passed, _ in checks), checks=checks, figures=figures)


def sentence(check: Mapping[str, Any], shown: Shown) -> str:
    """A check, or a row of the matrix."""
    facts = {str(name): str(value) for name, value in check["facts"]}
    return say(str(check["code"]), {"tag": str(check.get("tag", "")), **facts}, shown.language)


def _figure(name: str, shown: Shown) -> str:
    refused_by = name.partition("code:")[2]
    return say("figure.refused_by", {"code": refused_by}, shown.language) if refused_by else shown.word(f"figure.{name}")


def _said(house: House, visit: Visit, error: GateError) -> str:
    if error.status in (401, 503):
        raise error
    return house.refusal(error, visit)
