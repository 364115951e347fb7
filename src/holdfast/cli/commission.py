"""Take one loop up the ladder, a rung at a time: the gate checks, you read what it found, your password signs it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.render import NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.run.desk import Desk

POLL_S = 0.2  # of the wall clock, while a person makes the bump test


def register(app: typer.Typer) -> None:
    app.command("commission")(commission)


def commission(
    loop: Annotated[str, typer.Argument(help="The loop: stand-4/tension")],
    home: Annotated[Path, typer.Option(help="Where the run keeps everything.", envvar="HOLDFAST_HOME")] = Path("holdfast-home"),
    person: Annotated[
        str, typer.Option("--as", help="Your name: check and sign the next rung. Without it nothing is done but print.")
    ] = "",
    lang: Annotated[str, typer.Option(help="en or zh; the site's language if left out.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the protocol here: .html to print, else Markdown.")] = None,
    step: Annotated[float, typer.Option(help="Wiring: the step by which you will move your own setpoint, in the loop's unit.")] = 0.0,
    within_s: Annotated[float, typer.Option(help="Wiring: how long you have for it, in seconds.")] = 600.0,
    hours: Annotated[float, typer.Option(help="Simulate: how many hours of history to judge.")] = 8.0,
    reason: Annotated[str, typer.Option(help="A remark; it is signed with the rung.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Commission a loop: wiring, simulate, shadow, ask, act. Each call does the next rung and prints the protocol."""
    from holdfast.cli.asking import ask, password_of
    from holdfast.run.commission import checks, figures

    if lang not in ("", "en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
    found = ask(home, lambda desk: desk.commissioning(loop), json=json)
    language = lang or found["language"]
    rung = found["next"]
    if person and rung is not None:
        found = ask(home, lambda desk: _checked(desk, loop, rung, step, within_s, hours), json=json)
        evidence = found["evidence"]
        if evidence is None:
            fail("the gate ended the check without a result: was it started again meanwhile?", json=json)
        if not found["passed"]:
            _print(found, language, out)
            lines = ("Nothing was signed.",)
            render(Answer(data=found, title=f"{loop}: {rung}", rows=checks(evidence, language), lines=lines, code=NO), json=json)
        if not json:
            for row in (*checks(evidence, language), *figures(evidence, language)):
                typer.echo("  ".join(row), err=True)
        password, of = password_of(person, json=json), found["evidence_digest"]
        found = ask(home, lambda desk: desk.sign_rung(loop, rung, of, person, password, reason), json=json)
    text = _print(found, language, out)
    done = f"{loop}: signed up to {found['rung'] or 'nothing'}; next: {found['next'] or 'nothing, it is complete'}."
    lines = (done, *(() if out is None else (f"The protocol is in {out}.",)))
    render(Answer(data=found, lines=(*(text.splitlines() if out is None else ()), *lines)), json=json)


async def _checked(desk: "Desk", loop: str, rung: str, step: float, within_s: float, hours: float) -> Any:
    """Begin a check and wait for its end: a person may have to make the bump test."""
    found = await desk.check_rung(loop, rung, step=step, within_s=within_s, hours=hours)
    if found["waiting"]:
        typer.echo(f"Now move your own setpoint of {loop} by {step:g} within {within_s:g} s, and leave it there.", err=True)
    while found["waiting"]:  # ends with the gate's own time limit
        await asyncio.sleep(POLL_S)
        found = await desk.commissioning(loop)
    return found


def _print(found: Any, language: str, out: Path | None) -> str:
    from holdfast.run.commission import markdown, page, protocol

    parts = protocol(found, language)
    text = markdown(parts)
    if out is not None:
        try:
            out.write_text(page(parts, language) if out.suffix in (".html", ".htm") else text, encoding="utf-8")
        except OSError as error:
            fail(f"{out}: can't be written ({error.strerror}). Give another place with --out.")
    return text
