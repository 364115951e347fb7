"""`holdfast agents`: which agents have a token. Goes straight to the state folder, so changes wait until no gate runs there."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.render import Answer, fail, render

if TYPE_CHECKING:
    from holdfast.gate.identity.agents import Agents

HomeOption = Annotated[Path, typer.Option(help="The folder that `holdfast run` is given.", envvar="HOLDFAST_HOME")]
HOME = Path("holdfast-home")
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
NameArgument = Annotated[str, typer.Argument(help="The agent's name, as the site file has it.")]
FILE_NAME = "token"


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Which agents have a token.")
    group.command("add")(add)
    group.command("list")(list_)
    group.command("revoke")(revoke)
    app.add_typer(group, name="agents")


def add(name: NameArgument, home: HomeOption = HOME, json: JsonOption = False) -> None:
    """Give an agent a new token, in a file that only its owner reads; an earlier one ends."""
    file = _token_file(home, name, json=json)
    with _agents(home, json=json) as agents:
        token = agents.add(name)
        try:
            _keep(file, token)
        except OSError as error:
            agents.revoke(name)  # a token that nobody has must not stay good
            fail(f"{file}: can't be written ({error.strerror}). Check owner and rights of its folder.", json=json)
    lines = ("`holdfast run` gives it to an agent that the site file names; another reads it with --token-file.",)
    render(Answer(data={"name": name, "token_file": str(file)}, title=f"the token of {name} is in {file}", lines=lines), json=json)


def list_(home: HomeOption = HOME, json: JsonOption = False) -> None:
    """All agents that have a token, and where it is."""
    with _agents(home, json=json, must_exist=True, reads=True) as agents:
        names = agents.list()
    known = [(name, home / "agents" / name / FILE_NAME) for name in names]
    render(
        Answer(
            data={"agents": [{"name": name, "token_file": str(file) if file.exists() else None} for name, file in known]},
            columns=("name", "token"),
            rows=tuple((name, str(file) if file.exists() else "not kept here") for name, file in known),
            lines=() if known else ("none yet: `holdfast run` makes them, or `holdfast agents add NAME --home DIR`",),
        ),
        json=json,
    )


def revoke(name: NameArgument, home: HomeOption = HOME, json: JsonOption = False) -> None:
    """End an agent's token. What it did stays in the record."""
    with _agents(home, json=json, must_exist=True) as agents:
        agents.revoke(name)
    file = _token_file(home, name, json=json)
    file.unlink(missing_ok=True)
    lines = ("`holdfast run` makes a new one while the site file names this agent: take it out there too.",)
    render(Answer(data={"revoked": name}, title=f"the token of {name} is good no more", lines=lines), json=json)


def _token_file(home: Path, name: str, *, json: bool) -> Path:
    """The name becomes a folder: it must be one."""
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        fail(f"{name!r} can't be an agent's name: it becomes a folder's. Use letters, digits and dashes.", json=json)
    return home / "agents" / name / FILE_NAME


def _keep(file: Path, token: str) -> None:
    import os

    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="ascii") as kept:
        kept.write(token)


@contextlib.contextmanager
def _agents(home: Path, *, json: bool, must_exist: bool = False, reads: bool = False) -> "Generator[Agents]":
    import os

    from holdfast.clock import RealClock
    from holdfast.gate.identity.agents import Agents
    from holdfast.gate.identity.names import IdentityError
    from holdfast.gate.ledger.log import Log
    from holdfast.gate.ledger.store import FILE, State, StateError

    folder = home / "gate"
    if must_exist and not (folder / FILE).exists():
        fail(f"{home}: nothing was ever run here. Give the folder of a run with --home, or add the first agent.", json=json)
    try:
        with contextlib.closing(State(folder) if not reads else State(folder, exclusive=False, reserve_bytes=0)) as state:
            yield Agents(state, Log(state, RealClock()), os.urandom)
    except StateError as error:
        if error.code == "state.in_use":
            fail(
                f"A gate runs with this --home, and it alone keeps the record: end `holdfast run` there, then try again. ({error})",
                json=json,
            )
        fail(str(error), json=json)
    except IdentityError as error:
        fail(str(error), json=json)
