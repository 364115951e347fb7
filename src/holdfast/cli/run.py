"""Run a site: start it, look at it, stop it, and let people answer what it asks."""

import asyncio
import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.asking import ask, password_of
from holdfast.cli.render import Answer, fail, render
from holdfast.cli.showing import place, sentence, verdict_of, wanted_of

Home = Annotated[Path, typer.Option(help="Where the run keeps everything.", envvar="HOLDFAST_HOME")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HOME = Path("holdfast-home")


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("status")(status)
    app.command("stop")(stop)
    app.command("resume")(resume)
    app.command("autonomy")(autonomy)
    waiting = typer.Typer(no_args_is_help=True, help="What waits for a person's answer.")
    waiting.command("list")(approvals_list)
    waiting.command("show")(approvals_show)
    app.add_typer(waiting, name="approvals")
    app.command("approve")(approve)
    app.command("refuse")(refuse)


def run(
    site: Annotated[Path, typer.Argument(help="The site file, or its folder: in one without, the browser helps to make it.")],
    home: Home = HOME,
    console: Annotated[str, typer.Option(help="HOST:PORT of the pages for people; none for no pages.")] = "127.0.0.1:8440",
    certificate: Annotated[
        Path | None, typer.Option(help="TLS certificate of the pages, PEM; without, only this machine reaches them.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    json: Json = False,
) -> None:
    """Run a site: the gate, its agents and the console, until Ctrl-C."""
    from holdfast.run.plant import Pages, run_site

    if (certificate is None) != (key is None):
        fail("--certificate and --key belong together; give both or none", json=json)
    tls = None if certificate is None or key is None else (certificate, key)
    pages = None if console == "none" else Pages(listen=console, tls=tls)
    code = asyncio.run(run_site(site, home, lambda line: typer.echo(line, err=json), pages))
    raise typer.Exit(code)


def status(home: Home = HOME, json: Json = False) -> None:
    """What runs, what is stopped and what waits."""
    from holdfast.cli.showing import status_rows
    from holdfast.gate.identity.setup import code_in

    found = ask(home, lambda desk: desk.status(), json=json)
    code = code_in(home / "gate")
    lines = (f"No administrator yet; the code to make the first one: {code}",) if code else ()
    title = f"{found['site']}  {'STOPPED' if found['stopped'] else 'FAULT' if found['fault'] else 'running'}"
    render(Answer(data=found, title=title, rows=status_rows(found), columns=("", ""), lines=lines), json=json)


def stop(
    home: Home = HOME,
    equipment: Annotated[str, typer.Option(help="One piece of equipment; all of the plant without.")] = "*",
    json: Json = False,
) -> None:
    """No writes from now on: needs no login, survives a reboot, works also while the gate is down."""
    from holdfast.gate.actuation.stop import StopSwitch
    from holdfast.run.desk import Desk, DeskError

    by = f"{_user()} at the command line"

    async def press() -> str:
        desk = Desk(home)
        try:
            await desk.stop(equipment, by)
        except DeskError as error:
            if error.refused or not (home / "gate").is_dir():
                raise
            StopSwitch(home / "gate" / "stop.switch").press(equipment, by)
            return "the gate is not running; it will find the switch pressed"
        finally:
            await desk.close()
        return "the gate obeys"

    try:
        how = asyncio.run(press())
    except DeskError as error:
        fail(str(error), json=json)
    lines = (f"Stopped: {place(equipment)}; {how}.", f"To go on: holdfast resume --as YOUR-NAME --home {home}")
    render(Answer(data={"stopped": equipment, "how": how}, lines=lines), json=json)


Person = Annotated[str, typer.Option("--as", help="Your name, as `holdfast people list` has it.")]


def resume(person: Person, home: Home = HOME, equipment: Annotated[str, typer.Option()] = "*", json: Json = False) -> None:
    """Let writes go on after a stop. Asks for your password."""
    password = password_of(person, json=json)
    ask(home, lambda desk: desk.resume(equipment, person, password), json=json)
    render(Answer(data={"resumed": equipment}, lines=(f"Resumed: {place(equipment)}.",)), json=json)


def autonomy(
    level: Annotated[str, typer.Argument(help="observe, shadow, ask or act")],
    person: Person,
    home: Home = HOME,
    scope: Annotated[str, typer.Option(help="A writable tag, or * for the plant.")] = "*",
    json: Json = False,
) -> None:
    """Raise or lower how far Holdfast may go, below the site file's ceilings. Asks for your password."""
    from holdfast.terms import AUTONOMIES

    if level not in AUTONOMIES:
        fail(f"no autonomy {level!r}; there are {', '.join(AUTONOMIES)}", json=json)
    password = password_of(person, json=json)
    ask(home, lambda desk: desk.autonomy(scope, level, person, password), json=json)
    render(Answer(data={"scope": scope, "level": level}, lines=(f"Autonomy of {place(scope)}: {level}.",)), json=json)


def approvals_list(home: Home = HOME, json: Json = False) -> None:
    """Decisions that ask for someone."""
    found = ask(home, lambda desk: desk.waiting(), json=json)
    rows = tuple((p["proposal"], p["decision"]["author"], ", ".join(p["decision"]["roles"])) for p in found)
    lines = ("holdfast approvals show ID tells why; approve ID or refuse ID answers.",) if rows else ("Nothing waits.",)
    render(Answer(data={"waiting": found}, columns=("proposal", "from", "asks for"), rows=rows, lines=lines), json=json)


def approvals_show(proposal: str, home: Home = HOME, json: Json = False) -> None:
    """One decision with every reason."""
    found = ask(home, lambda desk: desk.proposal(proposal), json=json)
    rows = tuple(("✓" if r["passed"] else "✗", sentence(r)) for r in found["decision"]["reasons"])
    title = f"{proposal}: {wanted_of(found['proposal'])}  [{found['state']}]"
    lines = (verdict_of(found["decision"]), f"the agent's claim: {found['proposal']['reason']}")
    render(Answer(data=found, title=title, columns=("", "check"), rows=rows, lines=lines), json=json)


def approve(proposal: str, person: Person, home: Home = HOME, reason: str = "", json: Json = False) -> None:
    """Say yes to a decision. Asks for your password."""
    _vote(proposal, person, home, reason, yes=True, json=json)


def refuse(proposal: str, person: Person, home: Home = HOME, reason: str = "", json: Json = False) -> None:
    """Say no to a decision. Asks for your password."""
    _vote(proposal, person, home, reason, yes=False, json=json)


def _vote(proposal: str, person: str, home: Path, reason: str, *, yes: bool, json: bool) -> None:
    from holdfast.run.desk import Vote

    vote = Vote(proposal=proposal, person=person, password=password_of(person, json=json), yes=yes, reason=reason)
    found = ask(home, lambda desk: desk.vote(vote), json=json)
    lines = (f"{proposal}: {'approved' if yes else 'refused'} by {person}; now {found['state']}.",)
    render(Answer(data=found, lines=lines), json=json)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return f"user {os.getuid()}"
