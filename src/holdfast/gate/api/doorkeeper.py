"""Who stands at the people's door: told by a session's token, by name and password, or before anybody is there by the code.

Every refusal of a person's act is put on record here, once for all routes; the routes only say who is needed.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Response
from litestar.exceptions import HTTPException

from holdfast.gate.api.described import demand_declared
from holdfast.gate.api.messages import Req, on_problem
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.identity.people import ADMINISTRATOR, LockedOut, Person
from holdfast.gate.identity.refusals import Refusals
from holdfast.gate.identity.seal import opened
from holdfast.gate.identity.sessions import NotSignedIn, Sessions
from holdfast.gate.identity.setup import Setup, WrongCode

UNLOCKS_AT_ONCE = 2  # each takes tens of MB and a core for a moment
READERS = frozenset({"auditor"})  # roles that only look
T = TypeVar("T")

# Whose request this is, as far as it is known: one request is one task.
_acting: ContextVar[str] = ContextVar("acting", default="")


class Refusal(HTTPException):
    """A no with its code, so that a page can say it in its own language."""

    def __init__(self, status: int, error: IdentityError) -> None:
        told = {"code": error.code, "retry_after_s": round(getattr(error, "retry_s", 0.0), 1)}
        super().__init__(status_code=status, detail=str(error), extra=told)


class Doorkeeper:
    """One for a people's door. `agents`: None where this door can't administer them."""

    def __init__(self, gate: Gatekeeper, agents: Agents | None = None) -> None:
        self._gate = gate
        self.agents = agents
        self.sessions = Sessions(gate.people, gate.clock, secrets.token_bytes, record=self._record, owe=gate.debts.owe)
        self.setup = Setup(gate.log.state.folder, gate.people, gate.clock, secrets.token_bytes)
        self.refusals = Refusals(gate.clock, gate.debts.owe)
        self._unlocks = asyncio.Semaphore(UNLOCKS_AT_ONCE)

    # ---- who it is ---------------------------------------------------------------------------------------------------

    def who(self, request: Req, *, act: bool = True) -> Person:
        """The person of the request's session. Raises Refusal 401. act: it is something that the person does, not the page."""
        try:
            person = self.sessions.who(token_of(request), act=act)
        except NotSignedIn as error:
            raise Refusal(401, error) from None
        _acting.set(person.name)
        return person

    def doing(self, request: Req) -> Person:
        """The session's person, who changes something: whose only role is to look may not. Raises Refusal 401, 403."""
        person = self.who(request)
        self._demand_doer(person.name)
        return person

    def maybe(self, request: Req) -> Person | None:
        """The person where a token is given; None without one. Raises Refusal 401 for a token that is nobody's."""
        return self.who(request) if token_of(request) else None

    def named(self, request: Req) -> str:
        """The name of the session's person, and "" where there is none: for what nobody needs a name for."""
        with contextlib.suppress(Refusal):
            person = self.maybe(request)
            return person.name if person else ""
        return ""

    async def unlock(self, person: str, password: str) -> Ed25519PrivateKey:
        """The person's key. The slow part runs beside the gate, never in its way. Raises Refusal 403."""
        known = self._gate.people.get(person)
        _acting.set(known.name if known else "")  # what is typed for a name may be a password: never on record as typed
        try:
            async with self._unlocks:
                attempt = self._gate.people.begin(person)
                key = await asyncio.to_thread(opened, attempt.seal, password)
                return self._gate.people.finish(attempt, key)
        except IdentityError as error:
            raise Refusal(403, error) from None

    async def acting(self, person: str, password: str) -> Ed25519PrivateKey:
        """The key of somebody who may change something: whose only role is to look may not. Raises Refusal 403."""
        key = await self.unlock(person, password)
        self._demand_doer(person)
        return key

    def _demand_doer(self, person: str) -> None:
        if READERS.issuperset(self._gate.people.roles(person)):
            raise Refusal(
                403, IdentityError("identity.reader", f"{self._gate.inbox.named(person)} may look at everything and change nothing.")
            )

    async def administrator(self, request: Req, *, person: str, password: str, code: str) -> str:
        """The name of the administrator who acts: of the session or of `person`, with that one's password again.

        While there is no administrator, the code from the gate's folder stands for one; then the name is "". Raises Refusal.
        """
        if code:
            self.demand_code(code)
            return ""
        signed_in = self.maybe(request)
        if signed_in is not None and person and self._gate.people.get(person) != signed_in:
            raise Refusal(403, IdentityError("identity.other", f"{signed_in.name} is signed in, so nobody else can act here."))
        name = signed_in.name if signed_in else person
        await self.unlock(name, password)
        if ADMINISTRATOR not in self._gate.people.roles(name):
            raise Refusal(403, IdentityError("identity.not_administrator", f"Only a person with the role {ADMINISTRATOR} may do this."))
        return self._gate.inbox.named(name)

    def demand_code(self, code: str) -> None:
        """Raises Refusal 403."""
        try:
            self.setup.demand(code)
        except (WrongCode, LockedOut) as error:
            raise Refusal(403, error) from None

    # ---- slow work, and what is kept of it ---------------------------------------------------------------------------

    async def beside(self, slow: Callable[[], T]) -> T:
        """argon2 for a new password, in a thread, no more of them at once than of any other password. Raises Refusal 400."""
        try:
            async with self._unlocks:
                return await asyncio.to_thread(slow)
        except IdentityError as error:
            raise Refusal(400, error) from None

    def changing(self, change: Callable[[], T]) -> T:
        """People's acts are recorded also on a full disk. Raises Refusal 409 for what can't be."""
        try:
            done = self._gate.debts.by_person(change)
        except IdentityError as error:
            raise Refusal(409, error) from None
        self._gate.parts.hearers.tell()
        return done

    def on_problem(self, request: Req, error: Exception) -> Response[bytes]:
        """Answer an error; a refused act goes on record first, with the person where one is known."""
        why = ""
        refused = (403,) if request.method == "GET" else (401, 403, 409)  # a page that asks after its session ended tries nothing
        if isinstance(error, HTTPException) and error.status_code in refused:
            why = str(error.extra.get("code", "")) if isinstance(error.extra, dict) else ""
            why = why or f"{error.status_code}"
        elif isinstance(error, ApprovalError):
            why = error.code
        if why:
            self.refusals.note(_acting.get(), _act(request), why)
        return on_problem(request, error)

    async def tick(self, request: Req) -> None:
        """Before each request: what is over ends, what was counted is recorded. Raises HTTPException 400 for an unknown parameter."""
        self.sessions.sweep()
        self.refusals.flush()
        demand_declared(request)

    def _record(self, kind: str, body: object) -> None:
        self._gate.debts.by_person(lambda: self._gate.log.append(kind, body))  # type: ignore[arg-type]
        self._gate.parts.hearers.tell()


def token_of(request: Req) -> str:
    """The bearer token; "" without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _act(request: Req) -> str:
    """The route, without what is put into it: it names what was tried, not whom it was tried on."""
    return f"{request.method} {request.scope.get('path_template') or 'unknown'}"
