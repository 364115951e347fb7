"""A question answered by the rules first, then by the site's model, whose answer stands only where it kept every rule.

asker = asker_of(lambda clearance: tools(link, site, home, clock=clock, clearance=clearance), site, clock=clock, sockets=home / "link")

An asker without a model where the site lists none for questions, where the extra `agent` is not installed, or where no way to an endpoint
is open: `asker.why` tells which. Engines that run in the agent itself need an absolute `folder`, since an agent has no site file.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from holdfast.agent.ask.answer import Answer, Language, Step
from holdfast.agent.ask.asker import QUESTION_CHARS_MAX, Asker, language_of
from holdfast.agent.ask.meanwhile import steps_of
from holdfast.agent.tools.tool import Tool
from holdfast.clock import Clock
from holdfast.language import say
from holdfast.ports import Engine
from holdfast.site.endpoints import socket_name
from holdfast.site.model import Endpoint, Site
from holdfast.terms import LABELS, Label

if TYPE_CHECKING:
    from holdfast.agent.ask.on_model import OnModel, Told

SKILL = "ask"
TIME_S = 20.0  # for the model, after the rules have answered
QUESTION_LABEL: Label = "site"  # what people of the site type about it
STEPS_MAX = 20
RESULT_CHARS_MAX = 12_000


class Modelled(Asker):
    """`last`: how the model fared with the newest question; None where none was asked."""

    def __init__(
        self,
        tools: Sequence[Tool[Any]],
        site: Site,
        *,
        clock: Clock,
        file: Path | None = None,
        on_model: "OnModel | None" = None,
        why: str = "",
    ) -> None:
        super().__init__(tools, site, clock=clock, file=file)
        self._on_model = on_model
        self.why = why
        self.last: Told | None = None

    async def ask(self, text: str, *, talk: str = "", language: Language | None = None) -> AsyncIterator[Step | Answer]:
        ruled: Answer | None = None
        async for told in super().ask(text, talk=talk, language=language):
            if isinstance(told, Answer):
                ruled = told
            else:
                yield told
        assert ruled is not None  # noqa: S101  exactly one answer, at the end
        self.last = None
        if self._on_model is None:
            yield ruled
            return
        async for told in self._by_model(self._on_model, text.strip()[:QUESTION_CHARS_MAX], language or language_of(text), ruled):
            yield told

    async def _by_model(self, on_model: "OnModel", text: str, language: Language, ruled: Answer) -> AsyncIterator[Step | Answer]:
        steps: asyncio.Queue[Step] = asyncio.Queue(STEPS_MAX)

        def said(tool: str, about: str) -> None:
            with contextlib.suppress(asyncio.QueueFull):
                steps.put_nowait(Step(tool=tool, about=about, text=say("llm.step", {"tool": tool}, language)))

        work = asyncio.ensure_future(on_model.answer(text, language=language, label=QUESTION_LABEL, otherwise=ruled, said=said))
        async with contextlib.aclosing(steps_of(work, steps)) as taken:
            async for step in taken:
                yield step
        self.last = work.result()
        if self.last.code != "llm.answered":  # who listed a model wants to know why the rules answered
            text = say("llm.not_taken", {"why": say(self.last.code, dict(self.last.facts), language)}, language)
            yield Step(tool="model", about=self.last.code, text=text)
            yield self.last.answer
            return
        # Who reads it, on a page or on paper, sees in the text itself that a model wrote it.
        mark = say("llm.made_by", {"model": self.last.answer.made_by.removeprefix("model:")}, language)
        yield dataclasses.replace(self.last.answer, text=f"{self.last.answer.text}\n[{mark}]")

    async def prepare(self, random: Random) -> None:
        """Find out of each endpoint what of a schema it keeps to, and how long it takes."""
        if self._on_model is not None:
            await self._on_model.router.probe(random)

    async def aclose(self) -> None:
        if self._on_model is not None:
            await self._on_model.router.close()


def asker_of(
    make: Callable[[Label], Sequence[Tool[Any]]],
    site: Site,
    *,
    clock: Clock,
    file: Path | None = None,
    sockets: Path | None = None,
    engines: Mapping[str, Engine] | None = None,
) -> Modelled:
    """`make`: the tools for a clearance; the rules' see all, a model's no more than the endpoints that may be asked.
    `sockets`: the folder where the ways to endpoints lie (run/outlet.py). `engines`: instead of the plug-ins', by endpoint."""
    made, why = _on_model(make, site, clock, sockets, engines)
    return Modelled(make(LABELS[-1]), site, clock=clock, file=file, on_model=made, why=why)


def _on_model(
    make: Callable[[Label], Sequence[Tool[Any]]], site: Site, clock: Clock, sockets: Path | None, engines: Mapping[str, Engine] | None
) -> "tuple[OnModel | None, str]":
    listed = [one for one in site.models if SKILL in one.skills]
    if not listed:
        return None, "llm.not_listed"
    ways, why = (dict(engines), "") if engines is not None else opened(listed, sockets)
    if not ways:
        return None, why or "llm.no_way"
    try:
        from holdfast.agent.ask.on_model import Limits, OnModel
        from holdfast.agent.models.serving.router import Router
    except ImportError:
        return None, "llm.no_extra"
    asked = [one for one in listed if one.name in ways]
    router = Router(asked, ways, clock)
    sees: Label = LABELS[max(LABELS.index(one.clearance) for one in asked)]
    # Half a context for one result, at two characters a token: a model with a short one still gets room to look twice.
    chars = min(max(one.context_tokens for one in asked) // 2, RESULT_CHARS_MAX)
    limits = Limits(time_s=TIME_S, result_chars=chars)
    # People's questions are answered by looking; to act, an agent has its own course, and people have theirs.
    return OnModel(router, [tool for tool in make(sees) if not tool.acts], clock, limits, sees=sees), ""


def opened(listed: Sequence[Endpoint], sockets: Path | None) -> tuple[dict[str, Engine], str]:
    """Engines of the endpoints that can be reached from here. One that can't be opened is left out: the others answer."""
    from holdfast.agent.models.serving.opened import open_engine
    from holdfast.plugins import PluginError
    from holdfast.site.secrets import SecretError

    found: dict[str, Engine] = {}
    why = ""
    for one in listed:
        socket = "" if sockets is None else str(sockets / socket_name(one.name))
        if one.url and not socket:
            continue  # no network leads out of a cell; a socket that is not there yet may come
        try:
            found[one.name] = open_engine(one, Path("/"), socket=socket if one.url else "")
        except (PluginError, SecretError, ValueError):
            why = "llm.no_engine"
    return found, why
