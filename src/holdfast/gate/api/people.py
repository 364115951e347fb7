"""The people's door: approvals, stop and resume, autonomy, status and the stream of records.

It is a socket of its own, in a folder that no agent can see. Whatever needs a name needs that person's password with
it, which opens the key that signs the act.
"""

import asyncio
import json as jsonlib
from collections.abc import AsyncIterator
from typing import Any, Literal

from litestar import Litestar, Response, get, post
from litestar.exceptions import HTTPException
from litestar.response import Stream
from pydantic import TypeAdapter

from holdfast.gate.api.alarms import alarm_handlers
from holdfast.gate.api.beside import beside_handlers
from holdfast.gate.api.cards import card_handlers
from holdfast.gate.api.causes import cause_handlers
from holdfast.gate.api.commission import commission_handlers
from holdfast.gate.api.compliance import compliance_handlers
from holdfast.gate.api.configurations import configuration_handlers
from holdfast.gate.api.described import STREAM, description_handlers, whole
from holdfast.gate.api.doorkeeper import Doorkeeper
from holdfast.gate.api.incidents import incident_handlers
from holdfast.gate.api.learned import detector_handlers
from holdfast.gate.api.loops import loop_handlers
from holdfast.gate.api.messages import BODY_BYTES_MAX, Req, json, number, read
from holdfast.gate.api.models import model_handlers
from holdfast.gate.api.persons import person_handlers
from holdfast.gate.api.questions import question_handlers
from holdfast.gate.api.records import RecordDesk, record_handlers
from holdfast.gate.api.sessions import session_handlers
from holdfast.gate.api.values import value_handlers
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.terms import Autonomy, Record, Word, canonical

EVENTS_WAITING_MAX = 1_000
RECORDS_MAX = 1_000
LISTENERS_MAX = 64


class Vote(Word):
    proposal: str
    person: str
    role: str = ""  # "": the first role of the person's that is asked for
    password: str
    yes: bool
    reason: str = ""
    shown: str = ""  # what the person was shown that they would sign (Card.binds): another digest now, and it does not count


class StopPressed(Word):
    scope: str = "*"
    by: str = "someone at the gate"


class Resumed(Word):
    scope: str = "*"
    person: str
    password: str


class AutonomySet(Word):
    scope: str = "*"
    level: Autonomy
    person: str
    password: str


class Resolved(Word):
    """What an indeterminate write did: verified, it is as it was wanted; failed, it is not and nothing will follow."""

    proposal: str
    result: Literal["verified", "failed"]
    person: str
    password: str
    reason: str = ""


VOTE, STOP, RESUME, AUTONOMY = TypeAdapter(Vote), TypeAdapter(StopPressed), TypeAdapter(Resumed), TypeAdapter(AutonomySet)
RESOLVED = TypeAdapter(Resolved)


def people_app(gate: Gatekeeper, agents: Agents | None = None) -> Litestar:
    """`agents`: those whose tokens people may give out and revoke at this door."""
    door = Doorkeeper(gate, agents)
    desk = RecordDesk(gate.log.state.folder)
    unlock = door.acting

    @get("/health")
    async def health() -> Response[bytes]:
        """Whether the gate's own pulse goes on, and how many records there are."""
        return json({"ok": gate.watchdog.well, "records": gate.log.size})

    @get("/v1/status")
    async def status() -> Response[bytes]:
        """All that a page shows of the gate at a glance: stops, alarms, connections, what is open."""
        return json(gate.status())

    @get("/v1/approvals")
    async def approvals() -> Response[bytes]:
        """The proposals that wait for people."""
        return json([job.progress for job in gate.jobs.open() if job.state == "asked"])

    @get("/v1/proposals/{proposal:str}")
    async def proposal(request: Req) -> Response[bytes]:
        """How far a proposal came."""
        wanted = str(request.path_params["proposal"])
        job = gate.jobs.get(wanted)
        if job is None:
            raise HTTPException(status_code=404, detail=f"no proposal {wanted!r}")
        return json(job)

    @post("/v1/approvals", status_code=200)
    async def approve(request: Req) -> Response[bytes]:
        """A signed yes or no to what was `shown`, with the signer's password."""
        vote = await read(request, VOTE)
        key = await unlock(vote.person, vote.password)
        return json(gate.acts.sign(vote.proposal, vote.person, vote.role, key, yes=vote.yes, reason=vote.reason, shown=vote.shown))

    @post("/v1/stop", status_code=204)
    async def stop(request: Req) -> None:
        """Whoever can reach it may press it: a session names the person, and one that has ended is no reason not to stop."""
        pressed = await read(request, STOP)
        try:
            gate.acts.press_stop(pressed.scope, door.named(request) or pressed.by)
        except ValueError as error:
            raise HTTPException(status_code=400, detail=str(error), extra={"code": "stop.scope"}) from None

    @post("/v1/resume", status_code=204)
    async def resume(request: Req) -> None:
        """End a stop, with the person's password."""
        wanted = await read(request, RESUME)
        key = await unlock(wanted.person, wanted.password)
        if wanted.scope not in gate.stop.stopped():
            told = f"{wanted.scope!r} is not stopped; stopped are: {', '.join(gate.stop.stopped()) or 'nothing'}"
            raise HTTPException(status_code=409, detail=told, extra={"code": "stop.not_stopped"})
        at_ns = gate.clock.now_ns()
        act = {"act": "resume", "scope": wanted.scope, "at_ns": at_ns}
        gate.acts.resume(wanted.scope, gate.inbox.named(wanted.person), key.sign(canonical(act)), at_ns)

    @post("/v1/resolve", status_code=200)
    async def resolve(request: Req) -> Response[bytes]:
        """Say what a write of unknown fate did, with the person's password."""
        wanted = await read(request, RESOLVED)
        key = await unlock(wanted.person, wanted.password)
        try:
            return json(gate.acts.resolve(wanted.proposal, wanted.person, key, result=wanted.result, reason=wanted.reason))
        except ValueError as error:
            raise HTTPException(status_code=409, detail=str(error)) from None

    @post("/v1/autonomy", status_code=204)
    async def autonomy(request: Req) -> None:
        """How far agents may go in a scope, with the person's password; never above what the site file allows."""
        wanted = await read(request, AUTONOMY)
        await unlock(wanted.person, wanted.password)
        try:
            gate.acts.set_autonomy(wanted.scope, wanted.level, gate.inbox.named(wanted.person), "person")
        except ValueError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None

    @get("/v1/events", answers=STREAM, query=(whole("after", "The last record that was seen.", 0),))
    async def events(request: Req) -> Stream:
        """Each record as it is made, and those above `after` first; begins at the end without it."""
        if len(gate.listeners) >= LISTENERS_MAX:
            raise HTTPException(status_code=503, detail=f"{LISTENERS_MAX} listen already; close one of them")
        return Stream(_events(gate, number(request, "after", gate.log.size)), media_type="text/event-stream")

    handlers: list[Any] = [
        *description_handlers("Holdfast: the people's door"),
        *card_handlers(gate),
        *commission_handlers(gate, door),
        *alarm_handlers(gate, door),
        *configuration_handlers(gate, unlock),
        *beside_handlers(gate),
        *session_handlers(gate, door),
        *person_handlers(gate, door, desk),
        *record_handlers(gate, door, desk),
        *incident_handlers(desk),
        *question_handlers(gate, door, desk),
        *value_handlers(gate, gate.log.state.folder / "history.db"),
        *compliance_handlers(gate, desk, gate.log.state.folder / "history.db"),
        *loop_handlers(gate),
        *detector_handlers(gate, unlock),
        *cause_handlers(gate, desk, unlock),
        *model_handlers(gate, unlock),
        health,
        status,
        approvals,
        proposal,
        approve,
        stop,
        resume,
        resolve,
        autonomy,
        events,
    ]
    return Litestar(
        handlers,
        openapi_config=None,
        exception_handlers={Exception: door.on_problem},
        before_request=door.tick,
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
    )


async def _events(gate: Gatekeeper, after: int) -> AsyncIterator[bytes]:
    """Records as server-sent events, old ones first. A reader that is too slow is cut off and may come back with `after`."""
    queue: asyncio.Queue[Record | None] = asyncio.Queue(EVENTS_WAITING_MAX)

    def listen(record: Record) -> None:
        if queue.full():
            gate.listeners.remove(listen)
            return
        queue.put_nowait(record)

    gate.listeners.append(listen)
    try:
        while after < gate.log.size:
            for record in gate.log.read(after, RECORDS_MAX):
                after = record.seq
                yield _event(record)
        while listen in gate.listeners or not queue.empty():
            record = await queue.get()
            if record is not None and record.seq > after:
                after = record.seq
                yield _event(record)
    finally:
        if listen in gate.listeners:
            gate.listeners.remove(listen)


def _event(record: Record) -> bytes:
    return (
        f"id: {record.seq}\nevent: {record.kind}\ndata: {jsonlib.dumps(jsonlib.loads(canonical(record)), ensure_ascii=False)}\n\n".encode()
    )
