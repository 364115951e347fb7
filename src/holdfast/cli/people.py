"""`holdfast people`: who may answer, in which roles. By the running gate, as one of its administrators; else in its folder."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from holdfast.cli.asking import folder_of, gate_runs, new_password_for, told
from holdfast.cli.render import Answer, render

if TYPE_CHECKING:
    from holdfast.gate.identity.people import People

HomeOption = Annotated[Path, typer.Option(help="The folder that `holdfast run` is given.", envvar="HOLDFAST_HOME")]
HOME = Path("holdfast-home")
NameArgument = Annotated[str, typer.Argument(help="The person's name, as it will stand in the record.")]
RoleOption = Annotated[list[str], typer.Option(help="A role; give it again for each further one.")]
AsOption = Annotated[str, typer.Option("--as", help="You, an administrator: needed while a gate runs that has any.")]
FileOption = Annotated[Path | None, typer.Option(help="Read the new password from the first line of a file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Who may approve and refuse.")
    group.command("add")(add)
    group.command("list")(list_)
    group.command("roles")(roles)
    group.command("password")(password)
    group.command("disable")(disable)
    group.command("enable")(enable)
    group.command("remove")(remove)
    app.add_typer(group, name="people")


def add(
    name: NameArgument,
    role: RoleOption,
    home: HomeOption = HOME,
    password_file: FileOption = None,
    person: AsOption = "",
    json: JsonOption = False,
) -> None:
    """Add a person, with a password that only this person should know. The role `administrator` may add others."""
    new = new_password_for(name, password_file, json=json)
    if gate_runs(home):
        told(home, "/v1/people", person, {"name": name, "roles": role, "new_password": new}, json=json)
    else:
        with folder_of(home, json=json) as (people, _):
            people.add(name, role, new)
    with folder_of(home, json=json, reads=True) as (people, _):
        added = people.get(name)
    kept, public = (added.roles, added.public.hex()) if added else ((), "")
    render(Answer(data={"name": name, "roles": list(kept), "public": public}, title=f"{name} can answer as {', '.join(kept)}"), json=json)


def list_(home: HomeOption = HOME, json: JsonOption = False) -> None:
    """Everyone, with roles and public keys."""
    with folder_of(home, json=json, must_exist=True, reads=True) as (people, _):
        known = people.list()
    render(
        Answer(
            data={"people": [{"name": p.name, "roles": list(p.roles), "disabled": p.disabled, "public": p.public.hex()} for p in known]},
            columns=("name", "roles", "", "public key"),
            rows=tuple((p.name, ", ".join(p.roles), "disabled" if p.disabled else "", p.public.hex()) for p in known),
            lines=() if known else ("nobody yet: `holdfast people add NAME --role operator --home DIR`",),
        ),
        json=json,
    )


def roles(name: NameArgument, role: RoleOption, home: HomeOption = HOME, person: AsOption = "", json: JsonOption = False) -> None:
    """Give a person these roles, and take all others away."""
    _change(home, name, "roles", {"roles": role}, lambda people: people.set_roles(name, role), person, json=json)
    render(Answer(data={"name": name, "roles": role}, title=f"{name} can answer as {', '.join(role)}"), json=json)


def password(
    name: NameArgument, home: HomeOption = HOME, password_file: FileOption = None, person: AsOption = "", json: JsonOption = False
) -> None:
    """Give a person a new password: your own with `--as` yourself, a forgotten one as an administrator."""
    new = new_password_for(name, password_file, json=json)
    _change(home, name, "password", {"new_password": new}, lambda people: people.set_password(name, new), person, json=json)
    render(Answer(data={"name": name, "changed": "password"}, title=f"{name} has a new password"), json=json)


def disable(name: NameArgument, home: HomeOption = HOME, person: AsOption = "", json: JsonOption = False) -> None:
    """Take away all rights until `enable`. Name, key and what was signed stay."""
    _change(home, name, "disable", {}, lambda people: people.set_disabled(name, True), person, json=json)
    render(Answer(data={"disabled": name}, title=f"{name} can answer no more"), json=json)


def enable(name: NameArgument, home: HomeOption = HOME, person: AsOption = "", json: JsonOption = False) -> None:
    """Give a disabled person the rights back."""
    _change(home, name, "enable", {}, lambda people: people.set_disabled(name, False), person, json=json)
    render(Answer(data={"enabled": name}, title=f"{name} can answer again"), json=json)


def remove(name: NameArgument, home: HomeOption = HOME, person: AsOption = "", json: JsonOption = False) -> None:
    """End a person's rights. What they signed stays in the record."""
    _change(home, name, "remove", {}, lambda people: people.remove(name), person, json=json)
    render(Answer(data={"removed": name}, title=f"{name} can answer no more"), json=json)


def _change(
    home: Path, name: str, what: str, body: dict[str, object], here: "Callable[[People], object]", person: str, *, json: bool
) -> None:
    if gate_runs(home):
        told(home, f"/v1/people/{quote(name, safe='')}/{what}", person, body, json=json)
        return
    with folder_of(home, json=json, must_exist=True) as (people, _):
        here(people)
