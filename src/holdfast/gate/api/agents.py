"""The agents' door: what link.Link offers, over a socket. Who speaks is told by the token, never by the message."""

import asyncio
import contextlib
from typing import Any
from urllib.parse import quote

from litestar import Litestar, Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.api.causes import case_handlers
from holdfast.gate.api.described import BYTES, demand_declared, description_handlers, text, whole
from holdfast.gate.api.learned import learned_handlers
from holdfast.gate.api.limits import Bucket
from holdfast.gate.api.messages import BODY_BYTES_MAX, Req, json, number, on_problem, read
from holdfast.gate.api.models import running_handlers
from holdfast.gate.api.questions import answer_handlers
from holdfast.gate.api.told import told_handlers
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.agents import Agents
from holdfast.link import AGENT, CONFIGURATION
from holdfast.terms import Diagnosis, Finding, Frame, Proposal, Report, Word, pack

WAIT_MS_MAX = 30_000


class StopPressed(Word):
    scope: str = "*"


FINDING = TypeAdapter(Finding)
DIAGNOSIS = TypeAdapter(Diagnosis)
PROPOSAL = TypeAdapter(Proposal)
REPORT = TypeAdapter(Report)
STOP = TypeAdapter(StopPressed)
TABLE = text("table", "Its id, as the site has it.", required=True)
FROM, TO = (whole(name, "UTC.", required=True) for name in ("from_ns", "to_ns"))
WAIT = whole("wait_ms", "How long to wait for a row where there is none yet.", 0, WAIT_MS_MAX)


def agents_app(gate: Gatekeeper, agents: Agents, *, per_s: float = 20.0, burst: float = 60.0) -> Litestar:
    """`per_s` and `burst` bound what one agent may post; reading is bounded by the size of each answer."""
    bucket = Bucket(gate.clock, per_s=per_s, burst=burst)

    def author(request: Req) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        name = agents.verify(token.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            raise HTTPException(status_code=401, detail="no known token: give this agent the one that `holdfast agents add` wrote")
        return name

    async def first(request: Req) -> None:
        """Before each request: who is nobody is told nothing, not even what is wrong with the question."""
        author(request)
        demand_declared(request)

    def writer(request: Req) -> str:
        name = author(request)
        if not bucket.take(name):
            raise HTTPException(status_code=429, detail=f"more than {per_s:g} messages a second; slow down")
        return name

    def signed(answer: Response[Any]) -> Response[Any]:
        """After each request: under which configuration it was answered, so that no agent goes on under another one unawares."""
        answer.headers[CONFIGURATION] = gate.compiled.digest
        return answer

    def table_of(request: Req) -> str:
        table = request.query_params.get("table", "")
        if table not in gate.rings:
            raise HTTPException(status_code=404, detail=f"no table {table!r}; there are {', '.join(gate.rings)}")
        return table

    @get("/v1/site")
    async def site(request: Req) -> Response[bytes]:
        """The site as it is in force, without connections and addresses."""
        answer = json(gate.site_view())
        answer.headers[AGENT] = quote(author(request), safe="")
        return answer

    @get("/v1/frames", answers=BYTES, query=(TABLE, whole("after", "The last row that was seen.", -1), WAIT))
    async def frames(request: Req) -> Response[bytes]:
        """The newest rows of a table above `after`, oldest first; 204 where there is none."""
        name = author(request)
        table, after = table_of(request), number(request, "after", -1)
        wait_s = min(number(request, "wait_ms", 0), WAIT_MS_MAX) / 1000
        frame = gate.frames(table, after, name)
        if frame is None and wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await gate.rings[table].wait(after)
            frame = gate.frames(table, after, name)
        return _frame(frame)

    @get("/v1/history", answers=BYTES, query=(TABLE, FROM, TO, whole("rows_max", "How many at most.")))
    async def history(request: Req) -> Response[bytes]:
        """Kept rows of a table, evenly thinned."""
        author(request)
        from_ns, to_ns, rows_max = number(request, "from_ns"), number(request, "to_ns"), number(request, "rows_max", 3600)
        return _frame(await gate.intake.history_beside(table_of(request), from_ns, to_ns, rows_max))

    @get("/v1/alarms")
    async def alarms(request: Req) -> Response[bytes]:
        """The state of each limit that is watched."""
        author(request)
        return json(gate.alarm_states())

    @get("/v1/moves", query=(whole("since_ns", "UTC.", required=True),))
    async def moves(request: Req) -> Response[bytes]:
        """Setpoint changes since then, anyone's."""
        author(request)
        return json(gate.moves_since(number(request, "since_ns")))

    @get("/v1/context")
    async def context(request: Req) -> Response[bytes]:
        """What the plant's context says now: health, schedule, inventory."""
        author(request)
        return json(gate.context_now())

    @post("/v1/findings", status_code=204)
    async def findings(request: Req) -> None:
        """What perception saw."""
        gate.find(writer(request), await read(request, FINDING))

    @post("/v1/diagnoses", status_code=204)
    async def diagnoses(request: Req) -> None:
        """Ranked causes, with the evidence for and against each."""
        gate.diagnose(writer(request), await read(request, DIAGNOSIS))

    @post("/v1/reports", status_code=204)
    async def reports(request: Req) -> None:
        """What the agent publishes of an incident: kept on record, and shown as the agent's in every report of it."""
        gate.publish(writer(request), await read(request, REPORT))

    @post("/v1/proposals", status_code=200)
    async def proposals(request: Req) -> Response[bytes]:
        """One action that the agent wants; the answer is the gate's decision."""
        decision = gate.propose(writer(request), await read(request, PROPOSAL))
        await asyncio.sleep(0)  # the decision is on the disk: what follows from it may begin while the answer is made
        return json(decision)

    @get("/v1/proposals/{proposal:str}")
    async def progress(request: Req) -> Response[bytes]:
        """How far a proposal came."""
        author(request)
        proposal = str(request.path_params["proposal"])
        found = gate.progress(proposal)
        if found is None:
            raise HTTPException(status_code=404, detail=f"no proposal {proposal!r}")
        return json(found)

    @post("/v1/stop", status_code=204)
    async def stop(request: Req) -> None:
        """Stop all actions in a scope. An agent may stop, and can't resume."""
        name = author(request)  # no limit on how often: the same stop again is not recorded again
        pressed = await read(request, STOP)
        try:
            gate.acts.press_stop(pressed.scope, name)
        except ValueError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None

    handlers: list[Any] = [
        *description_handlers("Holdfast: the agents' door"),
        *answer_handlers(gate, author, writer),
        *learned_handlers(gate, author, writer),
        *case_handlers(gate, author),
        *told_handlers(gate, author),
        *running_handlers(gate, author, writer),
        site,
        frames,
        history,
        alarms,
        moves,
        context,
        findings,
        diagnoses,
        reports,
        proposals,
        progress,
        stop,
    ]
    return Litestar(
        handlers,
        openapi_config=None,
        exception_handlers={Exception: on_problem},
        before_request=first,
        after_request=signed,
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
    )


def _frame(frame: Frame | None) -> Response[bytes]:
    if frame is None:
        return Response(b"", status_code=204, media_type="application/octet-stream")
    return Response(pack(frame), status_code=200, media_type="application/octet-stream")
