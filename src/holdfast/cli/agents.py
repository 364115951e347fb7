"""`holdfast agents`: which agents have a token. By the running gate, as one of its administrators; else in its folder."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from holdfast.cli.asking import folder_of, gate_runs, told
from holdfast.cli.people import HOME, AsOption, HomeOption, JsonOption
from holdfast.cli.render import Answer, fail, render

NameArgument = Annotated[str, typer.Argument(help="The agent's name, as the site file has it.")]
FILE_NAME = "token"


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Which agents have a token.")
    group.command("add")(add)
    group.command("list")(list_)
    group.command("revoke")(revoke)
    app.add_typer(group, name="agents")


def add(name: NameArgument, home: HomeOption = HOME, person: AsOption = "", json: JsonOption = False) -> None:
    """Give an agent a new token, in a file that only its owner reads; an earlier one ends."""
    file = _token_file(home, name, json=json)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:  # before there is a token that nobody has
        fail(f"{file}: can't be written ({error.strerror}). Check owner and rights of its folder.", json=json)
    if gate_runs(home):
        token = told(home, "/v1/agents", person, {"name": name}, json=json)["token"]
    else:
        with folder_of(home, json=json) as (_, agents):
            token = agents.add(name)
    try:
        _keep(file, token)
    except OSError as error:
        fail(f"{file}: can't be written ({error.strerror}), and the token that nobody has is good: revoke {name}.", json=json)
    lines = ("`holdfast run` gives it to an agent that the site file names; another reads it with --token-file.",)
    render(Answer(data={"name": name, "token_file": str(file)}, title=f"the token of {name} is in {file}", lines=lines), json=json)


def list_(home: HomeOption = HOME, json: JsonOption = False) -> None:
    """All agents that have a token, and where it is."""
    with folder_of(home, json=json, must_exist=True, reads=True) as (_, agents):
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


def revoke(name: NameArgument, home: HomeOption = HOME, person: AsOption = "", json: JsonOption = False) -> None:
    """End an agent's token. What it did stays in the record."""
    file = _token_file(home, name, json=json)
    if gate_runs(home):
        told(home, f"/v1/agents/{quote(name, safe='')}/revoke", person, {}, json=json)
    else:
        with folder_of(home, json=json, must_exist=True) as (_, agents):
            agents.revoke(name)
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

    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="ascii") as kept:
        kept.write(token)
