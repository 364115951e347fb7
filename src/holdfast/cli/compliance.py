"""`holdfast compliance`: each clause that a limit is bound to, as the running gate sees it kept, and whether the standard is in force."""

import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.asking import ask
from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import DONE, NO, Answer, fail, render

DAYS_MAX = 400.0
NS_S = 1_000_000_000
LanguageOption = Annotated[str, typer.Option("--lang", help="en or zh.")]


def register(app: typer.Typer) -> None:
    app.command("compliance")(compliance)


def compliance(
    days: Annotated[float, typer.Option(help="The period that is counted, up to now.", min=0.01, max=DAYS_MAX)] = 7.0,
    home: HomeOption = HOME,
    lang: LanguageOption = "en",
    json: JsonOption = False,
) -> None:
    """Is what the clauses ask for kept? 0: all of it. 1: a limit is passed now, or nobody can tell. Since when, how far, how often."""
    from holdfast.language import LANGUAGES, chosen, duration, number, say

    if lang not in LANGUAGES:
        fail(f"--lang {lang}: {' or '.join(LANGUAGES)}", json=json)

    def told(value: float | None, unit: str) -> str:
        return "" if value is None else f"{number(repr(round(value, 4)))} {unit}"

    async def asked(desk: Any) -> Any:
        now_ns = int((await desk.status())["at_ns"])
        return await desk.look("/v1/compliance", {"from_ns": max(now_ns - round(days * 86_400 * NS_S), 0)})

    found = ask(home, asked, json=json)
    fates = _fates(home, {str(one["standard"]) for one in found["clauses"]}, lang)
    clauses: list[dict[str, Any]] = [{**one, "fate": fates.get(str(one["standard"]), "")} for one in found["clauses"]]
    rows = tuple(
        (
            " ".join(part for part in (one["standard"], one["clause"]) if part),
            f"{one['tag']} {'>' if one['limit'] in ('hi', 'hihi') else '<'} {told(one['threshold'], one['unit'])}",
            say(f"compliance.{one['now']}", {}, lang),
            "" if one["since_ns"] is None else f"{datetime.datetime.fromtimestamp(one['since_ns'] / NS_S, datetime.UTC):%Y-%m-%d %H:%M:%S}",
            told(one["margin"], one["unit"]),
            str(one["times"]),
            duration(str(round(one["beyond_s"])), lang),
            told(one["worst"], one["unit"]),
        )
        for one in clauses
    )
    bad = [one for one in clauses if one["now"] != "kept"]
    lines = [f"{one['standard']} {one['clause']}: {text}" for one in bad if (text := chosen(one["asks"], lang))]
    lines += [text for text in dict.fromkeys(fates.values()) if text]
    facts = {"clauses": str(len(clauses)), "bad": str(len(bad)), "days": number(repr(days))}
    lines.append(say("compliance.some" if bad else "compliance.all" if clauses else "compliance.nothing", facts, lang))
    if found["cut"]:
        lines.append(say("compliance.cut", {"tags": ", ".join(found["cut"])}, lang))
    columns = ("clause", "limit", "now", "since (UTC)", "margin", "passed", "beyond for", "worst")
    data = {**found, "clauses": clauses}
    render(Answer(data=data, columns=columns, rows=rows, lines=tuple(lines), code=NO if bad else DONE), json=json)


def _fates(home: Path, standards: set[str], lang: str) -> dict[str, str]:
    """What the imported table says of each, only where it is not in force; {} without a table."""
    from holdfast.agent.knowledge.standards.check import Mention
    from holdfast.agent.knowledge.standards.find import find
    from holdfast.agent.knowledge.standards.graph import Graph
    from holdfast.agent.knowledge.standards.store import NAME, StoreError, load

    try:
        graph = Graph(load(home / NAME).standards, datetime.datetime.now(datetime.UTC).date().isoformat())
    except StoreError:
        return {}
    found: dict[str, str] = {}
    for standard in standards:
        references = find(standard)
        if len(references) == 1:
            verdict = graph.judge(references[0])
            if verdict.fate not in ("in_force", "unknown"):
                found[standard] = Mention(file=standard, line=1, column=1, reference=references[0], verdict=verdict).told(lang)
    return found
