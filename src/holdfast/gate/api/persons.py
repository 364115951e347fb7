"""Who there is, people and agents, and who may say so: administrators, each act with the password again."""

import json as jsonlib
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.api.doorkeeper import Doorkeeper, Refusal, token_of
from holdfast.gate.api.messages import Req, json, read
from holdfast.gate.api.records import RecordDesk
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.people import ADMINISTRATOR, Person
from holdfast.gate.ledger.index import RecordIndex
from holdfast.gate.ledger.query import LIMIT_MAX, Query, page
from holdfast.terms import Word


class _ByAdministrator(Word):
    """Who acts: the session's person, or without one `person`; with that one's password. `code` while there is no administrator."""

    person: str = ""
    password: str = ""
    code: str = ""


class PersonAdded(_ByAdministrator):
    name: str
    roles: tuple[str, ...]
    new_password: str


class RolesSet(_ByAdministrator):
    roles: tuple[str, ...]


class PersonChanged(_ByAdministrator):
    pass


class PasswordSet(_ByAdministrator):
    new_password: str


class AgentAdded(_ByAdministrator):
    name: str


ADDED, ROLES, CHANGED = TypeAdapter(PersonAdded), TypeAdapter(RolesSet), TypeAdapter(PersonChanged)
PASSWORD, AGENT = TypeAdapter(PasswordSet), TypeAdapter(AgentAdded)


def person_handlers(gate: Gatekeeper, door: Doorkeeper, desk: RecordDesk) -> list[Any]:
    """Routes for `people_app`."""

    async def by(request: Req, act: _ByAdministrator) -> str:
        return await door.administrator(request, person=act.person, password=act.password, code=act.code)

    def named(request: Req) -> Person:
        """Looked up only once an administrator has been recognised: who exists is told to nobody else. Raises Refusal 409."""
        name = str(request.path_params["name"])
        person = gate.people.get(name)
        if person is None:
            raise Refusal(409, IdentityError("identity.unknown", f"There is no person of the name {name}."))
        return person

    def administrator(request: Req) -> None:
        if ADMINISTRATOR not in door.who(request, act=False).roles:
            raise Refusal(403, IdentityError("identity.not_administrator", f"Only a person with the role {ADMINISTRATOR} may see this."))

    @get("/v1/people")
    async def people(request: Req) -> Response[bytes]:
        """Who there is; for administrators."""
        administrator(request)
        return json([_told(person) for person in gate.people.list()])

    @post("/v1/people", status_code=200)
    async def add(request: Req) -> Response[bytes]:
        """Add a person."""
        wanted = await read(request, ADDED)
        name = await by(request, wanted)
        seal = await door.beside(lambda: gate.people.seal(wanted.name, wanted.new_password))
        added = door.changing(lambda: gate.people.add(wanted.name, wanted.roles, wanted.new_password, by=name, seal=seal))
        return json(_told(added))

    @post("/v1/people/{name:str}/roles", status_code=200)
    async def roles(request: Req) -> Response[bytes]:
        """Set a person's roles."""
        wanted = await read(request, ROLES)
        name = await by(request, wanted)
        person = named(request)
        return json(_told(door.changing(lambda: gate.people.set_roles(person.name, wanted.roles, by=name))))

    @post(["/v1/people/{name:str}/disable", "/v1/people/{name:str}/enable"], status_code=200)
    async def disable(request: Req) -> Response[bytes]:
        """Let a person in no more, or again."""
        name = await by(request, await read(request, CHANGED))
        person, off = named(request), request.url.path.endswith("/disable")
        changed = door.changing(lambda: gate.people.set_disabled(person.name, off, by=name))
        door.sessions.sweep()
        return json(_told(changed))

    @post("/v1/people/{name:str}/remove", status_code=204)
    async def remove(request: Req) -> None:
        """Remove a person; what they signed stays."""
        name = await by(request, await read(request, CHANGED))
        person = named(request)
        door.changing(lambda: gate.people.remove(person.name, by=name))
        door.sessions.sweep()

    @post("/v1/people/{name:str}/password", status_code=200)
    async def password(request: Req) -> Response[bytes]:
        """By oneself with the old password: the key stays. By an administrator: a new key, so that both can be told apart."""
        wanted = await read(request, PASSWORD)
        signed_in = door.maybe(request)
        actor = signed_in.name if signed_in else wanted.person
        asked, known = gate.people.get(str(request.path_params["name"])), gate.people.get(actor)
        if asked is not None and asked == known and not wanted.code:
            key = await door.unlock(actor, wanted.password)
            seed, name, token = key.private_bytes_raw(), asked.name, token_of(request)
        else:
            name, seed, token = await by(request, wanted), None, ""
        person = named(request)
        seal = await door.beside(lambda: gate.people.seal(person.name, wanted.new_password, seed=seed))
        changed = door.changing(lambda: gate.people.set_password(person.name, wanted.new_password, by=name, seal=seal))
        door.sessions.end_all(person.name, but=token)
        return json(_told(changed))

    @get("/v1/agents")
    async def agents(request: Req) -> Response[bytes]:
        """Which agents have a token, and whose ended; for administrators."""
        administrator(request)
        return json(await desk.ask(lambda index: _known(index, _agents(door).list())))

    @post("/v1/agents", status_code=200)
    async def add_agent(request: Req) -> Response[bytes]:
        """The token is told this once."""
        wanted = await read(request, AGENT)
        name = await by(request, wanted)
        return json({"name": wanted.name, "token": door.changing(lambda: _agents(door).add(wanted.name, by=name))})

    @post("/v1/agents/{name:str}/revoke", status_code=204)
    async def revoke(request: Req) -> None:
        """End an agent's token."""
        name = await by(request, await read(request, CHANGED))
        door.changing(lambda: _agents(door).revoke(str(request.path_params["name"]), by=name))

    return [people, add, roles, disable, remove, password, agents, add_agent, revoke]


def _agents(door: Doorkeeper) -> Agents:
    if door.agents is None:
        raise HTTPException(status_code=404, detail="this door administers no agents")
    return door.agents


def _known(index: RecordIndex, active: tuple[str, ...]) -> list[dict[str, Any]]:
    """Who has a token, and whose ended: of the last LIMIT_MAX records that gave one out or ended it."""
    found: dict[str, dict[str, Any]] = {}
    for leaf in reversed(page(index, Query(kinds=("agent",), order="desc", limit=LIMIT_MAX)).leaves):
        record = jsonlib.loads(leaf)
        name, added = record["body"]["name"], record["body"]["change"] == "added"
        before = found.get(name, {"added_ns": 0})
        found[name] = {"name": name, "added_ns": record["at_ns"] if added else before["added_ns"], "revoked": name not in active}
    for name in active:
        found.setdefault(name, {"name": name, "added_ns": 0, "revoked": False})
    return sorted(found.values(), key=lambda agent: agent["name"])


def _told(person: Person) -> dict[str, Any]:
    return {"name": person.name, "roles": person.roles, "disabled": person.disabled, "locked_until_ns": person.locked_until_ns}
