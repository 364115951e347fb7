"""Ask about the plant: the steps as the agent takes them, then its answer, a claim, with where each part of it comes from as links."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.response import Stream

from holdfast.console.gate import GateError
from holdfast.console.house import House
from holdfast.console.shown import Shown
from holdfast.console.visit import Req, Visit
from holdfast.terms import Word

TALK = 20  # questions that the page shows, the newest at its end
TEXT_MAX = 400
ID_MAX = 40


class Cited(Word):
    """One citation: what it says, and the page that shows it; "" where no page does."""

    text: str
    to: str


class Turn(Word):
    """One question with its answer; `answer` "" while it waits."""

    id: str
    text: str
    at_ns: int
    author: str
    answer: str = ""
    answered_ns: int = 0
    declined: bool = False
    cited: tuple[Cited, ...] = ()


def routes(house: House) -> list[Any]:
    @get("/ask")
    async def ask(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.page("ask", visit, request, turns=await _turns(house, visit), said="", text="", most=TEXT_MAX)

    @get("/ask/talk")
    async def talk(request: Req) -> Response[str]:
        visit = await house.visit(request)
        return await house.fragment("ask_talk", visit, request, turns=await _turns(house, visit))

    @post("/ask")
    async def asked(request: Req) -> Response[Any]:
        visit = await house.visit(request)
        form = await house.form(request, visit)
        text = form.get("text", "")
        try:
            await house.gate.post("/v1/questions", {"text": text}, token=visit.token)
        except GateError as error:
            said, turns = house.refusal(error, visit), await _turns(house, visit)
            return await house.page("ask", visit, request, code=error.status, turns=turns, said=said, text=text[:TEXT_MAX], most=TEXT_MAX)
        return house.to("/ask")

    @get("/ask/{question:str}/steps")
    async def steps(request: Req) -> Stream:
        """The gate's own stream, passed on: `step` with its text, then `answer`."""
        visit = await house.visit(request)
        question = str(request.path_params["question"])[:ID_MAX]
        lines = _passed(house, visit, f"/v1/questions/{quote(question, safe='')}/steps")
        return Stream(lines, media_type="text/event-stream", headers={"cache-control": "no-store"})

    return [ask, talk, asked, steps]


async def _passed(house: House, visit: Visit, path: str) -> AsyncIterator[bytes]:
    """Only what a step says goes to the browser; the answer is fetched as a part of the page."""
    event = ""
    try:
        async for line in house.gate.lines(path, token=visit.token):
            if line.startswith(b"event: "):
                event = line[7:].decode(errors="replace").strip()
            elif line.startswith(b"data: ") and event == "step":
                text = str(json.loads(line[6:]).get("text", ""))
                yield f"event: step\ndata: {json.dumps({'text': text}, ensure_ascii=False)}\n\n".encode()
            elif line.startswith(b"data: ") and event == "answer":
                yield b"event: answer\ndata: {}\n\n"
    except (GateError, ValueError):
        yield b"event: answer\ndata: {}\n\n"


async def _turns(house: House, visit: Visit) -> tuple[Turn, ...]:
    found = await house.gate.get("/v1/talk", {"person": visit.person, "limit": TALK}, token=visit.token)
    shown = house.shown(visit, await house.status())
    return tuple(_turn(one, shown) for one in found)


def _turn(one: Mapping[str, Any], shown: Shown) -> Turn:
    asked = Turn(id=str(one["id"]), text=str(one["text"]), at_ns=int(one["at_ns"]), author=str(one["author"]))
    answer = one["answer"]
    if answer is None:
        return asked
    return Turn(
        id=asked.id,
        text=asked.text,
        at_ns=asked.at_ns,
        author=asked.author,
        answer=str(answer["text"]),
        answered_ns=int(answer["at_ns"]),
        declined=bool(answer["declined"]),
        cited=tuple(_cited(cite, shown) for cite in answer["citations"]),
    )


def _cited(one: Mapping[str, Any], shown: Shown) -> Cited:
    kind, ref, seq = str(one["kind"]), str(one["ref"]), int(one["seq"])
    document, _, place = ref.partition("#p")
    page, _, paragraph = place.partition(".")
    at = {name: shown.time(int(one[key])) if one[key] else "" for name, key in (("at", "at_ns"), ("end", "to_ns"))}
    facts = {"ref": ref, "seq": seq, "quote": str(one["quote"]), "document": document, "page": page, "paragraph": paragraph}
    text = shown.word(f"ask.cite.{kind}", **facts, **at)
    return Cited(text=ref if text.startswith("ask.cite.") else text, to=_page_of(kind, ref, seq))


def _page_of(kind: str, ref: str, seq: int) -> str:
    match kind:
        case "tag" | "history" | "limit" | "move":
            return f"/ledger?tag={quote(ref, safe='')}"
        case "incident":
            return f"/incidents/{quote(ref, safe='')}"
        case "record":
            return f"/ledger/{seq}" if seq > 0 else ""
        case "alarm":
            return "/alarms"
        case "standard":
            return "/compliance"
        case _:
            return ""
