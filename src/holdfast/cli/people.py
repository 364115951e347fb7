"""`holdfast people`: who may answer, in which roles. Goes straight to the state folder, so changes wait until no gate runs there."""

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.render import Answer, fail, render

if TYPE_CHECKING:
    from holdfast.gate.identity.people import People

HomeOption = Annotated[Path, typer.Option(help="The folder that `holdfast run` is given.", envvar="HOLDFAST_HOME")]
HOME = Path("holdfast-home")
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Who may approve and refuse.")
    group.command("add")(add)
    group.command("list")(list_)
    group.command("remove")(remove)
    app.add_typer(group, name="people")


def add(
    name: Annotated[str, typer.Argument(help="The person's name, as it will stand in the record.")],
    role: Annotated[list[str], typer.Option(help="A role; give it again for each further one.")],
    home: HomeOption = HOME,
    password_file: Annotated[Path | None, typer.Option(help="Read the password from the first line of a file.")] = None,
    json: JsonOption = False,
) -> None:
    """Add a person, with a password that only this person should know."""
    password = _password(name, password_file, json=json)
    with _people(home, json=json) as people:
        person = people.add(name, role, password)
    roles = ", ".join(person.roles)
    data = {"name": person.name, "roles": list(person.roles), "public": person.public.hex()}
    render(Answer(data=data, title=f"{person.name} can answer as {roles}"), json=json)


def list_(home: HomeOption = HOME, json: JsonOption = False) -> None:
    """Everyone, with roles and public keys."""
    with _people(home, json=json, must_exist=True, reads=True) as people:
        known = people.list()
    render(
        Answer(
            data={"people": [{"name": p.name, "roles": list(p.roles), "public": p.public.hex()} for p in known]},
            columns=("name", "roles", "public key"),
            rows=tuple((p.name, ", ".join(p.roles), p.public.hex()) for p in known),
            lines=() if known else ("nobody yet: `holdfast people add NAME --role operator --home DIR`",),
        ),
        json=json,
    )


def remove(name: Annotated[str, typer.Argument(help="The person.")], home: HomeOption = HOME, json: JsonOption = False) -> None:
    """End a person's rights. What they signed stays in the record."""
    with _people(home, json=json, must_exist=True) as people:
        people.remove(name)
    render(Answer(data={"removed": name}, title=f"{name} can answer no more"), json=json)


@contextlib.contextmanager
def _people(home: Path, *, json: bool, must_exist: bool = False, reads: bool = False) -> "Generator[People]":
    import os

    from holdfast.clock import RealClock
    from holdfast.gate.identity.names import IdentityError
    from holdfast.gate.identity.people import People
    from holdfast.gate.ledger.log import Log
    from holdfast.gate.ledger.store import FILE, State, StateError

    folder = home / "gate"
    if must_exist and not (folder / FILE).exists():
        fail(f"{home}: nothing was ever run here. Give the folder of a run with --home, or add the first person.", json=json)
    try:
        with contextlib.closing(State(folder) if not reads else State(folder, exclusive=False, reserve_bytes=0)) as state:
            clock = RealClock()
            yield People(state, Log(state, clock), clock, os.urandom)
    except StateError as error:
        if error.code == "state.in_use":
            fail(
                f"A gate runs with this --home, and it alone keeps the record: end `holdfast run` there, then try again. ({error})",
                json=json,
            )
        fail(str(error), json=json)
    except IdentityError as error:
        fail(str(error), json=json)


def _password(name: str, file: Path | None, *, json: bool) -> str:
    if file is None:
        if not sys.stdin.isatty():
            if line := sys.stdin.readline().rstrip("\r\n"):
                return line
            fail("no password on standard input: run it in a terminal, pipe the password in, or give --password-file FILE", json=json)
        # On stderr, so that --json leaves nothing but JSON on stdout.
        return typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: can't be read ({error}). Give a UTF-8 file with the password in its first line.", json=json)
    if not lines:
        fail(f"{file}: empty. Put the password in its first line.", json=json)
    return lines[0]
