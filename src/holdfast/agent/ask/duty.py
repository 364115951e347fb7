"""The agent's side of people's questions: look for those that wait, answer each once, and tell what is done meanwhile."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from holdfast.agent.ask.answer import Answer, Step
from holdfast.agent.ask.asker import Asker, language_of
from holdfast.agent.ask.modelled import asker_of
from holdfast.agent.ask.talk import NAME
from holdfast.agent.tools.listed import tools
from holdfast.agent.tools.tool import Tool
from holdfast.clock import Clock
from holdfast.language import say
from holdfast.link import Answered, AnswerStep, CitationTold, Inquiry, LinkError, LinkRefused, QuestionTold
from holdfast.link.http import HttpLink
from holdfast.site.model import Site
from holdfast.terms import Label

if TYPE_CHECKING:
    from holdfast.agent.knowledge.manuals.fused import ByMeaning

AT_ONCE_MAX = 2  # questions of one look
ANSWER_S_MAX = 30.0
PROPOSAL_CHARS_MAX, PLANT_CHARS_MAX = 1_000, 4_000  # as the gate takes them
CITATIONS_MAX = 40


class Duty:
    """`step` answers what waits and returns how many that were. Raises LinkError.

    `prepare`: given where a model answers. Answers then take seconds, so they are made beside the agent's own work, one look at a time:
    `step` returns at once, with what the look before came to. `prepare` itself runs once, beside all of it.
    """

    def __init__(self, inquiry: Inquiry, asker: Asker, prepare: Callable[[], Awaitable[None]] | None = None) -> None:
        self._inquiry, self._asker, self._prepare = inquiry, asker, prepare
        self._beside: asyncio.Task[int] | None = None
        self._preparing: asyncio.Future[None] | None = None

    async def step(self) -> int:
        if self._prepare is None:
            return await self._look()
        if self._preparing is None:
            self._preparing = asyncio.ensure_future(self._prepare())
        if self._beside is not None and not self._beside.done():
            return 0
        before, self._beside = self._beside, asyncio.create_task(self._look())
        return 0 if before is None else before.result()

    async def _look(self) -> int:
        waiting: Sequence[QuestionTold] = (await self._inquiry.questions())[:AT_ONCE_MAX]
        for question in waiting:
            answer = await self._answer(question)
            try:
                await self._inquiry.answer(answered(question, answer))
            except LinkRefused:
                continue  # somebody else of this name was quicker, or it is not there any more
        return len(waiting)

    async def _answer(self, question: QuestionTold) -> Answer | None:
        """None where it took too long."""
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                async for told in self._asker.ask(question.text, talk=question.person):
                    if isinstance(told, Step):
                        await self._tell(question, told)
                    else:
                        return told
        except (TimeoutError, LinkError):
            return None
        except Exception:
            logging.getLogger(__name__).exception("a question could not be answered")
        return None

    async def _tell(self, question: QuestionTold, step: Step) -> None:
        with contextlib.suppress(LinkRefused):  # a step that nobody hears is no reason not to answer
            await self._inquiry.answering(AnswerStep(question=question.id, text=step.text))


def ways_of(link: HttpLink) -> Path | None:
    """Where the ways to model endpoints lie: beside the gate's own socket."""
    return Path(link.address.removeprefix("unix:")).parent if link.address.startswith("unix:") else None


def duty_of(
    link: HttpLink, site: Site, papers: Path | None, *, clock: Clock, name: str, folder: Path | None, near: "ByMeaning | None" = None
) -> Duty:
    """`papers`: the folder with manuals, maintenance records and standards; `folder`: the agent's own, for what was asked last.
    `near`: finds passages of manuals by their meaning."""
    file = None if folder is None else folder / NAME

    def make(clearance: Label) -> Sequence[Tool[Any]]:
        return tools(link, site, papers, clock=clock, author=name, clearance=clearance, near=near)

    asker = asker_of(make, site, clock=clock, file=file, sockets=ways_of(link))
    return Duty(link, asker, None if asker.why else lambda: asker.prepare(SystemRandom()))


def answered(question: QuestionTold, answer: Answer | None) -> Answered:
    if answer is None:
        return Answered(question=question.id, text=say("ask.no.answer", {}, language_of(question.text)), declined=True)
    most = PROPOSAL_CHARS_MAX if question.proposal else PLANT_CHARS_MAX
    text = answer.text if len(answer.text) <= most else answer.text[: most - 1] + "…"
    cites = tuple(
        CitationTold(kind=one.kind, ref=one.ref, quote=one.quote, at_ns=one.at_ns, to_ns=one.to_ns, seq=one.seq)
        for one in answer.citations[:CITATIONS_MAX]
    )
    return Answered(question=question.id, text=text, citations=cites, declined=answer.declined)
