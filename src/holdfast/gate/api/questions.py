"""What people ask agents, at both doors: about a proposal its author, about the plant an agent of theirs; answers as they are made."""

import asyncio
import json as jsonlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.response import Stream
from pydantic import TypeAdapter

from holdfast.gate.api.described import STREAM, text, whole
from holdfast.gate.api.doorkeeper import Doorkeeper
from holdfast.gate.api.limits import Bucket
from holdfast.gate.api.messages import Req, json, number, read
from holdfast.gate.api.records import RecordDesk
from holdfast.gate.approval.questions import Question, QuestionError, Questions
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.ledger.index import RecordIndex
from holdfast.gate.ledger.query import Query, page
from holdfast.link import Answered, AnswerStep
from holdfast.terms import Word, canonical, plain

PER_S, BURST = 0.2, 5.0  # questions about the plant, of one person
STREAMS_MAX = 16
WAIT_S, STREAM_S_MAX = 1.0, 180.0
TALK_MAX = 40
LOOKED_MAX = 400  # newest questions and answers among which a person's are sought


class Asked(Word):
    """`proposal` "": about the plant; then `agent` says whom, the site's first where it is ""."""

    proposal: str = ""
    text: str
    agent: str = ""


ASKED, ANSWERED, STEP = TypeAdapter(Asked), TypeAdapter(Answered), TypeAdapter(AnswerStep)


def questions_of(gate: Gatekeeper) -> Questions:
    """Over the gate's own state; each door may have one."""
    return Questions(gate.log.state, gate.log)


def question_handlers(gate: Gatekeeper, door: Doorkeeper, desk: RecordDesk) -> list[Any]:
    """Routes for `people_app`."""
    kept = questions_of(gate)
    bucket = Bucket(gate.clock, per_s=PER_S, burst=BURST)
    open_streams = asyncio.Semaphore(STREAMS_MAX)

    @get("/v1/questions", answers=TypeAdapter(list[Question]), query=(text("proposal", "Of which."),))
    async def about(request: Req) -> Response[bytes]:
        """What people asked about a proposal, and what its author answered: a claim."""
        return json(kept.of(request.query_params.get("proposal", "")))

    @post("/v1/questions", status_code=200)
    async def ask(request: Req) -> Response[bytes]:
        """Ask a proposal's author, or an agent about the plant, as the person who is signed in."""
        wanted = await read(request, ASKED)
        person = door.who(request)
        if wanted.proposal:
            job = gate.jobs.get(wanted.proposal)
            if job is None:
                raise HTTPException(status_code=404, detail=f"no proposal {wanted.proposal[:100]!r}")
            author = job.author
        else:
            author = _asked_agent(gate, wanted.agent)
            if not bucket.take(person.name):
                told = f"{person.name} asks more than {BURST:g} questions at once and {60 * PER_S:g} a minute; wait a little"
                raise HTTPException(
                    status_code=429, detail=told, extra={"code": "question.often", "facts": {"a_minute": f"{60 * PER_S:g}"}}
                )
        try:
            return json(door.changing(lambda: kept.ask(wanted.proposal, author, person.name, wanted.text)))
        except QuestionError as error:
            raise _no(error) from None

    @get("/v1/talk", query=(text("person", "Whose."), whole("limit", "How many at most.", 1, TALK_MAX)))
    async def talk(request: Req) -> Response[bytes]:
        """What a person asked about the plant, with the answers and what they rest on; the oldest first."""
        person, limit = request.query_params.get("person", ""), number(request, "limit", TALK_MAX)
        return json(await desk.ask(lambda index: _talk(index, person, limit)))

    @get("/v1/questions/{question:str}/steps", answers=STREAM)
    async def steps(request: Req) -> Stream:
        """What is done for an answer, as it is done, then the answer; ends with it, or after some minutes without one."""
        question = str(request.path_params["question"])
        if kept.one(question) is None:
            raise HTTPException(status_code=404, detail=f"no question {question[:40]!r}")
        if open_streams.locked():
            raise HTTPException(status_code=503, detail=f"{STREAMS_MAX} wait for answers already; try again soon")
        return Stream(_stepped(gate, kept, question, open_streams), media_type="text/event-stream")

    return [about, ask, talk, steps]


def answer_handlers(gate: Gatekeeper, author: Callable[[Req], str], writer: Callable[[Req], str]) -> list[Any]:
    """Routes for `agents_app`: `author` names who asks, `writer` the same within what one agent may post."""
    kept = questions_of(gate)

    @get("/v1/questions", answers=TypeAdapter(list[Question]))
    async def waiting(request: Req) -> Response[bytes]:
        """Those that wait for this agent's answer: about its own proposals, and about the plant."""
        return json(kept.open(author(request)))

    @post("/v1/answers", status_code=200)
    async def answer(request: Req) -> Response[bytes]:
        """Answer a question that this agent was asked."""
        name = writer(request)
        wanted = await read(request, ANSWERED)
        gate.debts.demand_well()
        try:
            answered = kept.answer(wanted.question, name, wanted.text, wanted.citations, declined=wanted.declined)
        except QuestionError as error:
            raise _no(error) from None
        gate.parts.hearers.tell()
        gate.steps.tell()
        return json(answered)

    @post("/v1/answers/steps", status_code=204)
    async def step(request: Req) -> None:
        """What this agent does for an answer; shown to whoever waits for it, and kept nowhere."""
        name = writer(request)
        wanted = await read(request, STEP)
        asked = kept.one(wanted.question)
        if asked is None or asked.author != name or asked.answered_ns:
            raise HTTPException(status_code=409, detail=f"{name} was not asked {wanted.question[:40]!r}, or has answered")
        gate.steps.add(wanted.question, wanted.text)

    return [waiting, answer, step]


def _asked_agent(gate: Gatekeeper, named: str) -> str:
    """Raises HTTPException 404, 409."""
    have = [agent.name for agent in gate.site.agents]
    if named and named not in have:
        raise HTTPException(status_code=404, detail=f"no agent {named[:100]!r}")
    if not have:
        raise HTTPException(status_code=409, detail="this site has no agent to ask", extra={"code": "question.nobody", "facts": {}})
    ours = [agent.name for agent in gate.site.agents if not agent.joins]  # one that joins by itself may have nobody who answers
    return named or (ours or have)[0]


def _talk(index: RecordIndex, person: str, limit: int) -> list[Mapping[str, Any]]:
    leaves = page(index, Query(kinds=("question", "answer"), order="desc", limit=LOOKED_MAX)).leaves
    records = [jsonlib.loads(leaf) for leaf in leaves]
    about_plant = [one for one in records if not one["body"]["proposal"]]
    answers = {one["body"]["question"]: one for one in about_plant if one["kind"] == "answer"}
    asked = [one for one in about_plant if one["kind"] == "question" and person in ("", one["body"]["person"])][:limit]
    return [_turn(one, answers.get(f"q{one['seq']}")) for one in reversed(asked)]


def _turn(asked: Mapping[str, Any], answered: Mapping[str, Any] | None) -> Mapping[str, Any]:
    body = asked["body"]
    turn = {"id": f"q{asked['seq']}", "seq": asked["seq"], "at_ns": asked["at_ns"], "person": body["person"], "text": body["text"]}
    turn |= {"author": body["author"], "answer": None}
    if answered is not None:
        of = answered["body"]
        turn["answer"] = {
            "seq": answered["seq"], "at_ns": answered["at_ns"], "text": of["text"], "citations": of.get("citations", []),
            "declined": bool(of.get("declined", False)),
        }  # fmt: skip
    return turn


async def _stepped(gate: Gatekeeper, kept: Questions, question: str, streams: asyncio.Semaphore) -> AsyncIterator[bytes]:
    async with streams:
        told = 0
        until_ns = gate.clock.monotonic_ns() + round(STREAM_S_MAX * 1e9)
        while gate.clock.monotonic_ns() < until_ns:
            for step in gate.steps.of(question)[told:]:
                told += 1
                yield b"event: step\ndata: " + canonical({"text": step}) + b"\n\n"
            found = kept.one(question)
            if found is None:
                return
            if found.answered_ns:
                yield b"event: answer\ndata: " + canonical(plain(found)) + b"\n\n"
                return
            yield b": waiting\n\n"  # so that who left is noticed
            await gate.steps.wait(WAIT_S)


def _no(error: QuestionError) -> HTTPException:
    return HTTPException(status_code=409, detail=str(error), extra={"code": error.code, "facts": error.facts})
