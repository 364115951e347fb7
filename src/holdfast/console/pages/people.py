"""Who there is and what each may do: people with their roles, agents with their tokens, and the first administrator of all.

The gate alone decides who may; a page says why somebody may not. Each act takes the administrator's own password again,
and no password and no token is ever kept here.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

ADMINISTRATOR = "administrator"
ROLES = ("operator", "process-engineer", "engineer", "maintenance", "auditor", ADMINISTRATOR)  # offered; a site may have others
ACTS = ("roles", "disable", "enable", "password", "remove")
NAME_CHARS_MAX = 64
CHANGED = "gate:person from:body, gate:agent from:body, gate:back from:body"


class Someone(Word):
    """One person as the list shows them. `locked`: until when, "" where they are not."""

    name: str
    path: str
    roles: tuple[str, ...]
    disabled: bool
    locked: str


class Everybody(Word):
    """`why_not` is what the gate said to who may not see it."""

    people: tuple[Someone, ...] = ()
    agents: tuple[Mapping[str, Any], ...] = ()
    why_not: str = ""


def routes(house: House) -> list[Any]:
    return [*_lists(house), *_acts(house), *_agents(house), *_first(house)]


def _lists(house: House) -> list[Any]:
    @get("/people")
    async def people(request: Req) -> Response[str]:
        visit = await house.visit(request)
        found = await _everybody(house, visit)
        done = request.query_params.get("done", "")
        return await house.page(
            "people", visit, request, code=403 if found.why_not else 200, found=found, on=CHANGED, done=done if done in DONE else ""
        )

    @get("/people/list")
    async def listed(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("people_list", visit, request, found=await _everybody(house, visit))

    @get("/people/add")
    async def adding(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await _form(house, visit, request, "people_add", {}, "", 200)

    @get("/people/of/{name:str}")
    async def one(request: Req) -> Response[str]:
        return await _person(house, await house.visit(request), request, {}, "", 200)

    @get("/people/password")
    async def own(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("people_password", visit, request, said="")

    return [people, listed, adding, one, own]


DONE = ("added", "changed", "removed", "revoked", "password")


def _acts(house: House) -> list[Any]:
    @post("/people/add")
    async def add(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        if said := _twice(house, visit, form):
            return await _form(house, visit, request, "people_add", form, said, 400)
        name = form.get("name", "")[:NAME_CHARS_MAX]
        wanted = {"name": name, "roles": _roles(form), "new_password": form.get("new", ""), "password": form.get("password", "")}
        try:
            await house.gate.post("/v1/people", wanted, token=visit.token)
        except GateError as error:
            return await _form(house, visit, request, "people_add", form, _said(house, visit, error), error.status)
        return house.to("/people?done=added")

    @post([f"/people/of/{{name:str}}/{act}" for act in ACTS])
    async def change(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        act = request.url.path.rpartition("/")[2]
        wanted: dict[str, Any] = {"password": form.get("password", "")}
        if act == "roles":
            wanted["roles"] = _roles(form)
        if act == "password":
            if said := _twice(house, visit, form):
                return await _person(house, visit, request, form, said, 400)
            wanted["new_password"] = form.get("new", "")
        name = quote(str(request.path_params["name"]), safe="")
        try:
            await house.gate.post(f"/v1/people/{name}/{act}", wanted, token=visit.token)
        except GateError as error:
            return await _person(house, visit, request, form, _said(house, visit, error), error.status)
        return house.to(f"/people?done={'removed' if act == 'remove' else 'changed'}")

    @post("/people/password")
    async def own_password(request: Req) -> Response[Any]:
        """Of whoever is signed in, with the old one: the key stays, and so does the session."""
        visit = await house.visit(request)
        form = await house.form(request, visit)
        said = _twice(house, visit, form)
        if not said:
            wanted = {"new_password": form.get("new", ""), "password": form.get("password", "")}
            try:
                await house.gate.post(f"/v1/people/{quote(visit.person, safe='')}/password", wanted, token=visit.token)
                return house.to("/people?done=password")
            except GateError as error:
                said = _said(house, visit, error)
        return await house.page("people_password", visit, request, code=400, said=said)

    return [add, change, own_password]


def _agents(house: House) -> list[Any]:
    @get("/people/agents/add")
    async def adding(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await _form(house, visit, request, "people_agent", {}, "", 200)

    @post("/people/agents/add")
    async def add(request: Req) -> Response[Any]:
        """The token is in this one answer and nowhere else: not in a redirect, and not in a page that can be opened again."""
        visit = await house.visit(request)
        form = await house.form(request, visit)
        wanted = {"name": form.get("name", "")[:NAME_CHARS_MAX], "password": form.get("password", "")}
        try:
            made = await house.gate.post("/v1/agents", wanted, token=visit.token)
        except GateError as error:
            return await _form(house, visit, request, "people_agent", form, _said(house, visit, error), error.status)
        return await house.page("people_token", visit, request, agent=str(made["name"]), token=str(made["token"]))

    @get("/people/agents/of/{name:str}")
    async def one(request: Req) -> Response[str]:
        return await _agent(house, await house.visit(request), request, "", 200)

    @post("/people/agents/of/{name:str}/revoke")
    async def revoke(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        name = quote(str(request.path_params["name"]), safe="")
        try:
            await house.gate.post(f"/v1/agents/{name}/revoke", {"password": form.get("password", "")}, token=visit.token)
        except GateError as error:
            return await _agent(house, visit, request, _said(house, visit, error), error.status)
        return house.to("/people?done=revoked")

    return [adding, add, one, revoke]


def _first(house: House) -> list[Any]:
    def nobody(request: Req) -> Visit:
        return Visit(language=house.visits.language(request), csrf=house.visits.csrf(""))

    async def asks(request: Req, form: Mapping[str, str], said: str, code: int) -> Response[str]:
        return await house.page("people_first", nobody(request), request, code=code, form=form, roles=_first_roles(), said=said)

    @get("/set-up")
    async def setting_up(request: Req) -> Response[Any]:
        return await asks(request, {}, "", 200) if await wants_first(house) else house.to("/sign-in")

    @post("/set-up")
    async def first(request: Req) -> Response[Any]:
        """The first administrator, signed in at once."""
        visit = nobody(request)
        form = await house.form(request, visit)
        if said := _twice(house, visit, form):
            return await asks(request, form, said, 400)
        name, password = form.get("name", "")[:NAME_CHARS_MAX], form.get("new", "")
        wanted = {"code": form.get("code", ""), "person": name, "password": password, "roles": _roles(form)}
        try:
            made = await house.gate.post("/v1/setup", wanted)
            session = await house.gate.post("/v1/session", {"person": made["person"], "password": password})
        except GateError as error:
            return await asks(request, form, _said(house, visit, error), error.status)
        answer = house.to("/people?done=added")
        answer.cookies.append(house.visits.cookie(str(session["token"])))
        return answer

    return [setting_up, first]


async def wants_first(house: House) -> bool:
    """Whether the first administrator is still to be made. False where the gate can't be asked."""
    try:
        return bool((await house.gate.get("/v1/setup"))["open"])
    except GateError:
        return False


async def _everybody(house: House, visit: Visit) -> Everybody:
    """The gate puts on record who asks for this and may not see it."""
    try:
        people = await house.gate.get("/v1/people", token=visit.token)
        agents = await house.gate.get("/v1/agents", token=visit.token)
    except GateError as error:
        if error.status != 403:
            raise
        return Everybody(why_not=house.refusal(error, visit))
    status = await house.status()
    shown, now_ns = house.shown(visit, status), int((status or {}).get("at_ns", 0))
    return Everybody(people=tuple(_someone(p, shown, now_ns) for p in people), agents=tuple(agents))


def _someone(person: Mapping[str, Any], shown: Any, now_ns: int) -> Someone:
    until_ns = int(person["locked_until_ns"])
    return Someone(
        name=str(person["name"]),
        path=f"/people/of/{quote(str(person['name']), safe='')}",
        roles=tuple(map(str, person["roles"])),
        disabled=bool(person["disabled"]),
        locked=shown.time(until_ns) if until_ns > now_ns else "",
    )


async def _form(house: House, visit: Visit, request: Req, page: str, form: Mapping[str, str], said: str, code: int) -> Response[str]:
    """A form that only an administrator can use; whoever else opens it sees why not."""
    found = await _everybody(house, visit)
    return await house.page(
        page, visit, request, code=403 if found.why_not else code, why_not=found.why_not, form=form, said=said, roles=_offered(found.people)
    )


async def _person(house: House, visit: Visit, request: Req, form: Mapping[str, str], said: str, code: int) -> Response[str]:
    found = await _everybody(house, visit)
    name = str(request.path_params["name"])
    person = next((p for p in found.people if p.name == name), None)
    if person is None and not found.why_not:
        raise GateError(404, name)
    return await house.page(
        "people_one", visit, request, code=403 if found.why_not else code, why_not=found.why_not, person=person, said=said,
        roles=_offered(found.people), form=form,
    )  # fmt: skip


async def _agent(house: House, visit: Visit, request: Req, said: str, code: int) -> Response[str]:
    found = await _everybody(house, visit)
    name = str(request.path_params["name"])
    agent = next((a for a in found.agents if a["name"] == name), None)
    if agent is None and not found.why_not:
        raise GateError(404, name)
    return await house.page(
        "people_agent_one", visit, request, code=403 if found.why_not else code, why_not=found.why_not, agent=agent, said=said
    )


def _offered(people: Iterable[Someone]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*ROLES, *(role for person in people for role in person.roles))))


def _first_roles() -> tuple[str, ...]:
    return tuple(role for role in ROLES if role != ADMINISTRATOR)


def _roles(form: Mapping[str, str]) -> list[str]:
    """Those that are ticked, and those that are typed."""
    ticked = [name.partition(".")[2] for name in form if name.startswith("role.")]
    typed = [part.strip() for part in form.get("roles", "").replace("，", ",").split(",")]
    return list(dict.fromkeys(role for role in (*ticked, *typed) if role))


def _twice(house: House, visit: Visit, form: Mapping[str, str]) -> str:
    """What is wrong where a new password was not typed alike twice."""
    return "" if form.get("new", "") == form.get("again", "") else house.shown(visit, None).t("people.not_alike")


def _said(house: House, visit: Visit, error: GateError) -> str:
    """What the gate refused, in words. Raises GateError again where it is no answer to the act."""
    if error.status in (401, 503):
        raise error
    return house.refusal(error, visit)
