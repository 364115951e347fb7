"""`holdfast incidents`: what happened, newest first; one of them in full; and its report to hand on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import Answer, fail, render
from holdfast.cli.reported import FontOption, FormatOption, LangOption, OutOption, demand, give, language

if TYPE_CHECKING:
    from holdfast.console.reports.document import Document
    from holdfast.run.desk import Desk

LIMIT_MAX = 30
IncidentArgument = Annotated[str, typer.Argument(help="Its id, the beginning of it, or the name that its agent gave it.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What happened, and reports of it.")
    group.command("list")(list_)
    group.command("show")(show)
    group.command("report")(report)
    app.add_typer(group, name="incidents")


def list_(
    home: HomeOption = HOME,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=LIMIT_MAX)] = 20,
    lang: LangOption = "",
    json: JsonOption = False,
) -> None:
    """The newest incidents, each with how it stands."""
    from holdfast.cli.asking import ask
    from holdfast.language import say

    async def asked(desk: "Desk") -> tuple[Any, Any]:
        return await desk.look("/v1/status", {}), await desk.look("/v1/incidents", {"limit": limit})

    status, found = ask(home, asked, json=json)
    spoken = language(lang, str(status["language"]), json=json)
    rows = tuple(
        (
            str(one["id"]),
            _moment(one["at_ns"], str(status["timezone"])),
            say(f"console.incidents.state.{one['state']}", {}, spoken),
            ", ".join(one["tags"][:3]),
            str(one["agent"]),
        )
        for one in found
    )
    columns = ("id", f"found ({status['timezone']})", "state", "mainly", "agent")
    lines = () if found else (say("console.incidents.none", {}, spoken),)
    render(Answer(data={"incidents": found}, columns=columns, rows=rows, lines=lines), json=json)


def show(incident: IncidentArgument, home: HomeOption = HOME, lang: LangOption = "", json: JsonOption = False) -> None:
    """One incident in full, as its report has it. With --json the evidence itself."""
    from holdfast.console.reports import markdown

    data, document = _document(incident, home, lang, json=json)
    render(Answer(data=data, lines=(markdown.text(document),)), json=json)


def report(
    incident: IncidentArgument,
    home: HomeOption = HOME,
    lang: LangOption = "",
    format: FormatOption = "md",
    out: OutOption = None,
    font: FontOption = None,
    json: JsonOption = False,
) -> None:
    """The report of one incident, from the running gate's records: the same numbers, tags, times and citations in both languages."""
    demand(format, out, json=json)
    data, document = _document(incident, home, lang, json=json)
    give(document, {"incident": data["incident"]["id"], "records": len(data["records"])}, format, out, font, json=json)


def _document(incident: str, home: Path, lang: str, *, json: bool) -> "tuple[dict[str, Any], Document]":
    """The evidence as plain JSON, and the report of it."""
    from holdfast.cli.asking import ask
    from holdfast.clock import RealClock
    from holdfast.console import modes
    from holdfast.console.reports.graph import Graph, NotThere, gather
    from holdfast.console.reports.incident import incident_report

    async def asked(desk: "Desk") -> tuple[str, Graph]:
        status = await desk.look("/v1/status", {})
        return str(status["language"]), await gather(desk.look, incident, names=modes.names())

    try:
        own, graph = ask(home, asked, json=json)
    except NotThere:
        fail(f"no incident {incident!r}, or several begin so; `holdfast incidents list` shows their ids", json=json)
    document = incident_report(graph, language(lang, own, json=json), RealClock().now_ns())
    return {"incident": graph.incident, "records": graph.records, "changes": graph.changes, "report": document.id}, document


def _moment(ns: int, timezone: str) -> str:
    from zoneinfo import ZoneInfo

    from holdfast.console.shown import Shown

    return Shown("en", ZoneInfo(timezone)).moment(ns)
