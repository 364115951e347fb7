"""`holdfast reports`: what happened in a shift and what it hands over, and whether what clauses ask for was kept."""

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import fail
from holdfast.cli.reported import FontOption, FormatOption, LangOption, OutOption, demand, give, language

if TYPE_CHECKING:
    from holdfast.console.reports.period import Clauses, Period
    from holdfast.run.desk import Desk

HOURS, HOURS_MAX, DAYS_MAX = 8.0, 744.0, 400.0


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Reports over a time; of one incident: `holdfast incidents report`.")
    group.command("shift")(shift)
    group.command("compliance")(compliance)
    app.add_typer(group, name="reports")


def shift(
    home: HomeOption = HOME,
    hours: Annotated[float, typer.Option(help="How long the shift was.", min=0.01, max=HOURS_MAX)] = HOURS,
    until: Annotated[str, typer.Option(help="When it ended, as 2026-11-22T14:00+08:00; without it, now.")] = "",
    lang: LangOption = "",
    format: FormatOption = "md",
    out: OutOption = None,
    font: FontOption = None,
    json: JsonOption = False,
) -> None:
    """The report of a shift and its handover: what stands open now first, then incidents, alarms, and what people did."""
    from holdfast.cli.asking import ask
    from holdfast.clock import RealClock
    from holdfast.console.reports.period import period
    from holdfast.console.reports.shift import shift_report

    demand(format, out, json=json)
    to_ns = _ns(until, json=json) if until else None

    async def asked(desk: "Desk") -> "Period":
        return await period(desk.look, hours * 3600, to_ns)

    found = ask(home, asked, json=json)
    document = shift_report(found, language(lang, str(found.status["language"]), json=json), RealClock().now_ns())
    told = {
        "from_ns": found.from_ns,
        "to_ns": found.to_ns,
        "records": len(found.records),
        "incidents": len(found.incidents),
        "cut": found.cut,
    }
    give(document, told, format, out, font, json=json)


def compliance(
    home: HomeOption = HOME,
    days: Annotated[float, typer.Option(help="The period that is counted, up to now.", min=0.01, max=DAYS_MAX)] = 7.0,
    lang: LangOption = "",
    format: FormatOption = "md",
    out: OutOption = None,
    font: FontOption = None,
    json: JsonOption = False,
) -> None:
    """The report of compliance: each clause, what it asks, since when it is kept or not, how far and how long."""
    from holdfast.cli.asking import ask
    from holdfast.clock import RealClock
    from holdfast.console.reports.compliance import compliance_report
    from holdfast.console.reports.period import clauses

    demand(format, out, json=json)

    async def asked(desk: "Desk") -> "Clauses":
        return await clauses(desk.look, days * 86_400)

    found = ask(home, asked, json=json)
    document = compliance_report(found, language(lang, str(found.status["language"]), json=json), RealClock().now_ns())
    told = {"from_ns": found.found["from_ns"], "to_ns": found.found["to_ns"], "clauses": len(found.found["clauses"])}
    give(document, told, format, out, font, json=json)


def _ns(text: str, *, json: bool) -> int:
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        fail(f"--until {text}: write a time as 2026-11-22T14:00+08:00", json=json)
    return round(at.astimezone(datetime.UTC).timestamp()) * 1_000_000_000
