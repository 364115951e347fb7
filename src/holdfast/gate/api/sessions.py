"""Signing in and out, and the first administrator of a gate that has none."""

from typing import Any

from litestar import Response, delete, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.api.described import text
from holdfast.gate.api.doorkeeper import Doorkeeper, Refusal, token_of
from holdfast.gate.api.messages import Req, json, number, read
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.people import ADMINISTRATOR, LockedOut
from holdfast.gate.identity.sessions import NotSignedIn
from holdfast.terms import Word


class SignIn(Word):
    person: str
    password: str


class FirstAdministrator(Word):
    """`code` is the one in the gate's folder; `roles` are had beside that of an administrator."""

    code: str
    person: str
    password: str
    roles: tuple[str, ...] = ()


class Forged(Word):
    """`act`: the route of the console that the form was sent to, without what was put into it."""

    act: str


SIGN_IN, FIRST, FORGED = TypeAdapter(SignIn), TypeAdapter(FirstAdministrator), TypeAdapter(Forged)


def session_handlers(gate: Gatekeeper, door: Doorkeeper) -> list[Any]:
    """Routes for `people_app`."""

    @post("/v1/session", status_code=200)
    async def sign_in(request: Req) -> Response[bytes]:
        """A name that nobody has and a wrong password are refused alike, and take as long."""
        wanted = await read(request, SIGN_IN)
        await door.unlock(wanted.person, wanted.password)
        try:
            session = door.sessions.begin(wanted.person)
        except NotSignedIn as error:
            raise Refusal(403, error) from None
        except IdentityError as error:
            raise Refusal(503, error) from None
        return json(
            {
                "token": session.token,
                "person": session.person,
                "roles": session.roles,
                "language": gate.site.language,
                "idle_s": session.idle_s,
                "ends_ns": session.ends_ns,
            }
        )

    @get("/v1/session", query=(text("act", "1: the person did something.", "0", "1"),))
    async def session(request: Req) -> Response[bytes]:
        """Who is signed in, and for how long yet. `?act=1`: the person did something, so the idle time begins anew."""
        person = door.who(request, act=bool(number(request, "act", 0)))
        idle_left_s, ends_ns = door.sessions.left(token_of(request))
        return json({"person": person.name, "roles": person.roles, "idle_left_s": idle_left_s, "ends_ns": ends_ns})

    @delete("/v1/session")
    async def sign_out(request: Req) -> None:
        """End the session whose token is given; nothing is wrong where there is none."""
        door.sessions.end(token_of(request))

    @post("/v1/session/forged", status_code=204)
    async def forged(request: Req) -> None:
        """A form came to the console with this session's cookie and was not one of the console's: nothing was done, and it is on record."""
        person = door.who(request, act=False)
        door.refusals.note(person.name, (await read(request, FORGED)).act, "csrf")

    @get("/v1/setup")
    async def standing(request: Req) -> Response[bytes]:
        """Whether the first administrator is still wanted."""
        return json({"open": door.setup.open})

    @post("/v1/setup", status_code=200)
    async def first(request: Req) -> Response[bytes]:
        """The first administrator, by whoever has the code from the gate's folder."""
        wanted = await read(request, FIRST)
        if not door.setup.open:
            raise HTTPException(
                status_code=409, detail="there is an administrator already, who adds the others", extra={"code": "identity.set_up"}
            )
        door.demand_code(wanted.code)
        seal = await door.beside(lambda: gate.people.seal(wanted.person, wanted.password))
        try:
            door.setup.demand(wanted.code)  # it may have been used while the password was worked on
        except (IdentityError, LockedOut) as error:
            raise Refusal(403, error) from None
        roles = (ADMINISTRATOR, *wanted.roles)
        person = door.changing(lambda: gate.people.add(wanted.person, roles, wanted.password, seal=seal))
        door.setup.close()
        return json({"person": person.name, "roles": person.roles})

    return [sign_in, session, sign_out, forged, standing, first]
