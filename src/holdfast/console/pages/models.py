"""Models of this box: hash, signature, fit, role, last evaluation; what is in force beside what agents say they run; promote, roll back.

The gate decides and says why not; what an agent says that it runs is shown as its claim.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.shown import Shown
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

SHORT = 12  # characters of a digest
CHANGED = "every 15s, gate:model from:body, gate:model.running from:body, gate:back from:body"


class Running(Word):
    """What one agent says. `said` is its trouble in words; `agrees`: it is what is in force."""

    agent: str
    digest: str
    name: str
    version: str
    said: str
    agrees: bool


class Choice(Word):
    digest: str
    text: str


class RoleView(Word):
    """One role. `by` is "" where the release's own model serves; `back` is what a rollback puts back, "" for nothing to put back."""

    role: str
    title: str
    short: str
    by: str
    since_ns: int
    released: bool
    running: tuple[Running, ...]
    choices: tuple[Choice, ...]
    back: str
    roles: str


class ModelView(Word):
    """One bundle. `trouble` in words, with everything else empty, where it can't be read."""

    title: str
    short: str
    digest: str
    signature: str
    trusted: bool
    shipped: bool
    serves: tuple[str, ...]
    fits: tuple[str, ...]
    evaluation: str
    figures: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    trouble: str


def routes(house: House) -> list[Any]:
    @get("/models")
    async def all_of_them(request: Req) -> Response[str]:
        return await _page(house, await house.visit(request), request, "", "", 200)

    @get("/models/list")
    async def part(request: Req) -> Response[str]:
        visit = await house.visit(request)
        roles, models = await _views(house, visit)
        return await house.fragment("models_list", visit, request, roles=roles, models=models)

    @post("/models/promote")
    async def promote(request: Req) -> Response[Any]:
        return await _act(house, request, "/v1/models/promote", ("role", "digest", "password", "reason"))

    @post("/models/rollback")
    async def rollback(request: Req) -> Response[Any]:
        return await _act(house, request, "/v1/models/rollback", ("role", "password", "reason"))

    return [all_of_them, part, promote, rollback]


async def _act(house: House, request: Req, path: str, fields: tuple[str, ...]) -> Response[Any]:
    visit = await house.visit(request)
    form = await house.form(request, visit)
    wanted = {name: form.get(name, "") for name in fields}
    try:
        await house.gate.post(path, {**wanted, "person": form.get("person") or visit.person}, token=visit.token)
    except GateError as error:
        if error.status in (401, 503):
            raise
        return await _page(house, visit, request, wanted["role"], house.refusal(error, visit), error.status)
    return house.to("/models")


async def _page(house: House, visit: Visit, request: Req, about: str, said: str, code: int) -> Response[str]:
    roles, models = await _views(house, visit)
    return await house.page("models", visit, request, code=code, roles=roles, models=models, about=about, said=said, on=CHANGED)


async def _views(house: House, visit: Visit) -> tuple[tuple[RoleView, ...], tuple[ModelView, ...]]:
    found = await house.gate.get("/v1/models", token=visit.token)
    shown = house.shown(visit, None)
    known = {str(one["digest"]): one for one in found["models"]}
    roles = tuple(_role(one, known, shown) for one in found["roles"])
    return roles, tuple(_model(one, found["roles"], shown) for one in found["models"])


def _in_force(role: Mapping[str, Any]) -> str:
    return str(role["in_force"][0]["digest"] if role["in_force"] else role["release"])


def _role(role: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], shown: Shown) -> RoleView:
    stack, digest, name = role["in_force"], _in_force(role), str(role["role"])
    now = stack[0] if stack else known.get(digest, {})
    back = ""
    if stack:
        before = stack[1] if len(stack) > 1 else None
        back = _titled(before) if before else shown.t("models.rollback_release") if role["release"] else shown.t("models.rules")
    return RoleView(
        role=name,
        title=_titled(now) if now else "",
        short=digest[:SHORT],
        by=str(stack[0]["person"]) if stack else "",
        since_ns=int(stack[0]["since_ns"]) if stack else 0,
        released=not stack and bool(role["release"]),
        running=tuple(_running(str(agent), told, digest, shown) for agent, told in role["running"]),
        choices=tuple(
            Choice(digest=of, text=f"{_titled(one)} · {of[:SHORT]}")
            for of, one in known.items()
            if name in one["skills"] and of != digest and one["vouching"] == "trusted"
        ),
        back=back,
        roles=shown.roles(role["roles"]),
    )


def _running(agent: str, told: Mapping[str, Any], digest: str, shown: Shown) -> Running:
    return Running(
        agent=agent,
        digest=str(told["digest"])[:SHORT],
        name=str(told["name"]),
        version=str(told["version"]),
        said=shown.word(str(told["trouble"])) if told["trouble"] else "",
        agrees=str(told["digest"]) == digest,
    )


def _model(one: Mapping[str, Any], roles: Sequence[Mapping[str, Any]], shown: Shown) -> ModelView:
    digest, t = str(one["digest"]), shown.t
    last = one["evaluations"][-1] if one["evaluations"] else None
    facts = (
        ("skills", ", ".join(one["skills"])),
        ("languages", ", ".join(one["languages"])),
        ("clearance", str(one["clearance"])),
        ("licence", str(one["licence"])),
        ("size", f"{int(one['bytes']) / (1 << 20):.1f} MiB, {one['format']} {one['precision']}"),
        ("profiles", ", ".join(f"{name} ({t('models.state.' + state)})" for name, state in one["profiles"])),
        ("provenance", str(one["provenance"])),
    )
    return ModelView(
        title=_titled(one) if one["name"] else digest[:SHORT],
        short=digest[:SHORT],
        digest=digest,
        signature=t(f"models.vouching.{one['vouching']}", signer=one["signer"]) if one["vouching"] else "",
        trusted=one["vouching"] == "trusted",
        shipped=bool(one["shipped"]),
        serves=tuple(str(role["role"]) for role in roles if _in_force(role) == digest),
        fits=tuple(
            t("models.fit_of", answer=t(f"models.fits.{fit['fits']}"), needs=fit["needs_mib"], has=fit["has_mib"], agent=agent)
            for agent, fit in one["fits"]
        ),
        evaluation="" if last is None else t("models.on_data", suite=last["suite"], data=str(last["data"])[:SHORT]),
        figures=() if last is None else tuple((str(f["name"]), shown.number(f["value"])) for f in last["figures"]),
        facts=tuple((t(f"models.{name}"), value) for name, value in facts if value),
        trouble=shown.word(str(one["trouble"])) if one["trouble"] else "",
    )


def _titled(one: Mapping[str, Any]) -> str:
    return f"{one['name']} {one['version']}"
