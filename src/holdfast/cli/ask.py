"""`holdfast ask`: a question to the running site, its steps as they are taken, then the answer with where it comes from."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import DONE, NO, Answer, fail, render, tame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.agent.ask.answer import Answer as Answered
    from holdfast.agent.ask.answer import Step
    from holdfast.agent.tools.tool import Tool
    from holdfast.site.model import Site
    from holdfast.terms import Label

TALKS = "ask"  # folder of the home where the command keeps what was asked last
TOKEN_BYTES_MAX = 4096


def register(app: typer.Typer) -> None:
    app.command("ask")(ask)


def ask(
    question: Annotated[str, typer.Argument(help='In English or Chinese: "Why is stand 4 vibrating?"')],
    home: HomeOption = HOME,
    agent: Annotated[str, typer.Option(help="Whose sight of the site is used; needed where there are several.")] = "",
    lang: Annotated[str, typer.Option(help="en or zh; without it, the question's own.")] = "",
    talk: Annotated[str, typer.Option(help="A name for this talk, so that a later question may go on with it.")] = "command line",
    json: JsonOption = False,
) -> None:
    """Ask about the plant: values, incidents, limits, manuals, standards, past cases. Exit 1 where there is no answer here."""
    import asyncio

    from holdfast.agent.tools.tool import ToolError
    from holdfast.link import LinkError

    if lang not in ("", "en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
    name = _agent(home, agent, json=json)
    steps: list[Step] = []

    def told(step: "Step") -> None:
        steps.append(step)
        if not json:
            typer.echo(tame(f"  … {step.text}"))

    try:
        site, answer = asyncio.run(_asked(question, home, name, lang, talk, told))
    except (LinkError, ToolError, OSError) as error:
        fail(str(error), json=json)
    render(_rendered(site, answer, steps), json=json)


def _rendered(site: "Site", answer: "Answered", steps: "list[Step]") -> Answer:
    from holdfast.agent.ask.shown import Shown
    from holdfast.terms import plain

    shown = Shown(site, answer.language)
    cited = tuple(f"  [{n}] {shown.citation(one)}" for n, one in enumerate(answer.citations, start=1))
    data: dict[str, Any] = {**plain(answer), "steps": [plain(step) for step in steps]}
    return Answer(data=data, lines=(answer.text, *cited), code=NO if answer.declined else DONE)


async def _asked(question: str, home: Path, agent: str, lang: str, talk: str, told: "Callable[[Step], None]") -> "tuple[Site, Answered]":
    from holdfast.agent.ask.answer import Answer as Answered
    from holdfast.agent.ask.answer import Language
    from holdfast.agent.ask.modelled import asker_of
    from holdfast.agent.ask.talk import NAME
    from holdfast.agent.tools.listed import tools
    from holdfast.link import LinkError
    from holdfast.link.http import HttpLink
    from holdfast.run.gate_time import gate_clock
    from holdfast.run.supervise import Home

    where = Home(path=home)
    token = (where.agent(agent) / "token").read_text("ascii")[:TOKEN_BYTES_MAX].strip()
    link = HttpLink(f"unix:{where.link.absolute()}", token)
    folder = home / TALKS
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        site = await link.site()
        clock = await gate_clock(home)

        def make(clearance: "Label") -> "Sequence[Tool[Any]]":
            return tools(link, site, home, clock=clock, author=agent, clearance=clearance)

        asker = asker_of(make, site, clock=clock, file=folder / NAME, sockets=where.link.parent.absolute())
        async with contextlib.aclosing(asker):
            async for one in asker.ask(question, talk=talk, language=cast("Language | None", lang or None)):
                if isinstance(one, Answered):
                    return site, one
                told(one)
    finally:
        await link.close()
    raise LinkError("the question got no answer")


def _agent(home: Path, named: str, *, json: bool) -> str:
    """Whose token is used: the one that is named, else the only one here."""
    from holdfast.language import say

    folder = home / "agents"
    have = sorted(one.name for one in folder.iterdir() if (one / "token").is_file()) if folder.is_dir() else []
    chosen = named or (have[0] if len(have) == 1 else "")
    if chosen in have:
        return chosen
    return fail(say("ask.no_agent", {"home": str(home), "have": ", ".join(have) or "–"}, "en"), json=json)
