"""Questions about a proposal, at both doors: people ask, the proposal's author answers."""

from collections.abc import Callable
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.api.described import text
from holdfast.gate.api.doorkeeper import Doorkeeper
from holdfast.gate.api.messages import Req, json, read
from holdfast.gate.approval.questions import Question, QuestionError, Questions
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.terms import Word


class Asked(Word):
    proposal: str
    text: str


class Answered(Word):
    question: str
    text: str


ASKED, ANSWERED = TypeAdapter(Asked), TypeAdapter(Answered)


def questions_of(gate: Gatekeeper) -> Questions:
    """Over the gate's own state; each door may have one."""
    return Questions(gate.log.state, gate.log)


def question_handlers(gate: Gatekeeper, door: Doorkeeper) -> list[Any]:
    """Routes for `people_app`."""
    kept = questions_of(gate)

    @get("/v1/questions", answers=TypeAdapter(list[Question]), query=(text("proposal", "Of which."),))
    async def about(request: Req) -> Response[bytes]:
        """What people asked about a proposal, and what its author answered: a claim."""
        return json(kept.of(request.query_params.get("proposal", "")))

    @post("/v1/questions", status_code=200)
    async def ask(request: Req) -> Response[bytes]:
        """Ask a proposal's author, as the person who is signed in."""
        wanted = await read(request, ASKED)
        person = door.who(request)
        job = gate.jobs.get(wanted.proposal)
        if job is None:
            raise HTTPException(status_code=404, detail=f"no proposal {wanted.proposal[:100]!r}")
        try:
            return json(door.changing(lambda: kept.ask(job.proposal.id, job.author, person.name, wanted.text)))
        except QuestionError as error:
            raise _no(error) from None

    return [about, ask]


def answer_handlers(gate: Gatekeeper, author: Callable[[Req], str], writer: Callable[[Req], str]) -> list[Any]:
    """Routes for `agents_app`: `author` names who asks, `writer` the same within what one agent may post."""
    kept = questions_of(gate)

    @get("/v1/questions", answers=TypeAdapter(list[Question]))
    async def waiting(request: Req) -> Response[bytes]:
        """Those about the agent's own proposals that wait for its answer."""
        return json(kept.open(author(request)))

    @post("/v1/answers", status_code=200)
    async def answer(request: Req) -> Response[bytes]:
        """Answer a question that this agent was asked."""
        name = writer(request)
        wanted = await read(request, ANSWERED)
        gate.debts.demand_well()
        try:
            answered = kept.answer(wanted.question, name, wanted.text)
        except QuestionError as error:
            raise _no(error) from None
        gate.parts.hearers.tell()
        return json(answered)

    return [waiting, answer]


def _no(error: QuestionError) -> HTTPException:
    return HTTPException(status_code=409, detail=str(error), extra={"code": error.code, "facts": error.facts})
