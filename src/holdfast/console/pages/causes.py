"""What was it? A person confirms or corrects the cause of an incident, or takes that back; the gate signs it and agents learn from it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post

from holdfast.console import modes
from holdfast.console.cited import NONE_OF_THESE, Cited
from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.shown import Shown
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

FIELDS = ("mode", "person", "password", "reason")


class Choice(Word):
    mode: str
    name: str
    percent: str  # that the last diagnosis gives it; "" for one that it did not name


class Said(Word):
    """What somebody said the cause was."""

    name: str
    person: str
    at_ns: int


def routes(house: House) -> list[Any]:
    @get("/incidents/{incident:str}/cause")
    async def asked(request: Req) -> Response[str]:
        return await _page(house, await house.visit(request), request, {}, "", 200)

    @post("/incidents/{incident:str}/cause")
    async def confirm(request: Req) -> Response[Any]:
        return await _act(house, request, "/v1/causes")

    @post("/incidents/{incident:str}/cause/retract")
    async def retract(request: Req) -> Response[Any]:
        return await _act(house, request, "/v1/causes/retract")

    return [asked, confirm, retract]


def said_of(confirmed: Sequence[Mapping[str, Any]], incident: str, shown: Shown) -> Said | None:
    """What stands of an incident, by the name that its agent gave it."""
    found = next((one for one in confirmed if one["incident"] == incident), None)
    if found is None:
        return None
    return Said(name=Cited(shown, modes.names()).mode(str(found["mode"])), person=str(found["person"]), at_ns=int(found["at_ns"]))


async def _act(house: House, request: Req, path: str) -> Response[Any]:
    visit = await house.visit(request)
    form = await house.form(request, visit)
    incident = str(request.path_params["incident"])
    wanted = {name: form.get(name, "") for name in FIELDS if name in form}
    wanted["person"] = wanted.get("person") or visit.person
    try:
        await house.gate.post(path, {**wanted, "incident": incident}, token=visit.token)
    except GateError as error:
        if error.status in (401, 503):
            raise
        return await _page(house, visit, request, wanted, house.refusal(error, visit), error.status)
    return house.to(f"/incidents/{quote(incident, safe='')}")


async def _page(house: House, visit: Visit, request: Req, wanted: Mapping[str, str], said: str, code: int) -> Response[str]:
    incident = str(request.path_params["incident"])
    path = f"/incidents/{quote(incident, safe='')}"
    found = await house.gate.get(f"/v1{path}", token=visit.token)
    shown = house.shown(visit, await house.status())
    confirmed = await house.gate.get("/v1/causes", token=visit.token)
    likely = _likely(found["chain"], shown)
    return await house.page(
        "incidents_cause",
        visit,
        request,
        code=code,
        incident=path,
        likely=likely,
        others=_others(frozenset(one.mode for one in likely), shown),
        stands=said_of(confirmed, str(found["finding"]["incident"]), shown),
        wanted=wanted,
        said=said,
    )


def _likely(chain: Sequence[Mapping[str, Any]], shown: Shown) -> tuple[Choice, ...]:
    """As the last diagnosis ranks them; that it was none of them can always be said."""
    cited = Cited(shown, modes.names())
    last = next((record["body"]["diagnosis"]["causes"] for record in reversed(chain) if record["kind"] == "diagnosis"), ())
    ranked = [Choice(mode=str(c["mode"]), name=cited.mode(str(c["mode"])), percent=f"{100 * c['probability']:.0f}") for c in last]
    named = any(one.mode == NONE_OF_THESE for one in ranked)
    return (*ranked, *(() if named else (Choice(mode=NONE_OF_THESE, name=cited.mode(NONE_OF_THESE), percent=""),)))


def _others(named: frozenset[str], shown: Shown) -> tuple[Choice, ...]:
    """Every other failure mode that the library knows, by name."""
    here = 1 if shown.language == "zh" else 0
    found = [Choice(mode=mode, name=names[here], percent="") for mode, names in modes.names().items() if mode not in named]
    return tuple(sorted(found, key=lambda one: one.name))
