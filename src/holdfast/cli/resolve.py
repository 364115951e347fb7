"""Say what an indeterminate write did: a person looked at the plant, and frees what was frozen."""

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.render import Answer, fail, render

RESULTS = ("verified", "failed")


def register(app: typer.Typer) -> None:
    app.command("resolve")(resolve)


def resolve(
    proposal: str,
    result: Annotated[str, typer.Argument(help="verified: it is as it was wanted; failed: it is not, and nothing will follow")],
    person: Annotated[str, typer.Option("--as", help="Your name, as `holdfast people list` has it.")],
    home: Annotated[Path, typer.Option(help="Where the run keeps everything.", envvar="HOLDFAST_HOME")] = Path("holdfast-home"),
    reason: Annotated[str, typer.Option(help="What you saw at the plant; it is kept on record.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what an indeterminate write did, and free its tags. Asks for your password."""
    from holdfast.cli.asking import ask, password_of

    if result not in RESULTS:
        fail(f"no result {result!r}: give verified where the device has the wanted value, failed where it has not", json=json)
    password = password_of(person, json=json)
    found = ask(home, lambda desk: desk.resolve(proposal, result, person, password, reason), json=json)
    render(Answer(data=found, lines=(f"{proposal}: {result}, says {person}; now {found['state']}.",)), json=json)
