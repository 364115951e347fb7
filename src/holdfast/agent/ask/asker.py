"""Ask a question, get steps as they are taken and then one answer: without a language model, from the tools alone.

asker = Asker(tools(link, site, home, clock=clock), site, clock=clock, file=folder / "talks.json")
async for told in asker.ask("为什么4号机架在振动？", talk="li.wei"):   # Step, Step, …, Answer
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from holdfast.agent.ask.answer import Answer, Language, Step
from holdfast.agent.ask.meanwhile import steps_of
from holdfast.agent.ask.parts import parts_of
from holdfast.agent.ask.respond import Responder
from holdfast.agent.ask.talk import Talks
from holdfast.agent.ask.understand import Understanding
from holdfast.agent.tools.tool import Tool
from holdfast.clock import Clock
from holdfast.site.model import Site

QUESTION_CHARS_MAX = 500
TALK_CHARS_MAX = 100
STEPS_MAX = 20  # of one answer; no rule takes so many
_HAN = re.compile(r"[\u3400-\u9fff]")


class Asker:
    """`file`: where the last question of each talk is kept; None keeps it in memory."""

    def __init__(self, tools: Sequence[Tool[Any]], site: Site, *, clock: Clock, file: Path | None = None) -> None:
        self._clock = clock
        self._understanding = Understanding(site)
        self._responder = Responder({tool.name: tool for tool in tools if not tool.acts}, site)
        self._talks = Talks(file)

    async def ask(self, text: str, *, talk: str = "", language: Language | None = None) -> AsyncIterator[Step | Answer]:
        """Steps, then exactly one answer. `language`: the question's own where none is given."""
        text, talk = text.strip()[:QUESTION_CHARS_MAX], talk[:TALK_CHARS_MAX]
        spoken = language or language_of(text)
        now_ns = self._clock.now_ns()
        questions = parts_of(text, self._understanding, self._talks.last(talk, now_ns) if talk else None)
        steps: asyncio.Queue[Step] = asyncio.Queue(STEPS_MAX)
        work = asyncio.ensure_future(self._responder.answer_all(questions, spoken, steps.put))
        async with contextlib.aclosing(steps_of(work, steps)) as taken:
            async for step in taken:
                yield step
        answer = work.result()
        if not answer.declined:
            self._talks.keep(talk, next((one for one in reversed(questions) if one.tags), questions[-1]), now_ns)
        yield answer

    async def answer(self, text: str, *, talk: str = "", language: Language | None = None) -> Answer:
        """The answer alone."""
        async for told in self.ask(text, talk=talk, language=language):
            if isinstance(told, Answer):
                return told
        raise AssertionError("a question without an answer")


def language_of(text: str) -> Language:
    return "zh" if _HAN.search(text) else "en"
