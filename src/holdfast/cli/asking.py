"""How a command asks the running gate, and a person for a password; and how it changes who there is, gate or no gate."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from holdfast.cli.render import NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.gate.identity.agents import Agents
    from holdfast.gate.identity.people import People
    from holdfast.run.desk import Desk

T = TypeVar("T")


def ask(home: Path, what: "Callable[[Desk], Awaitable[T]]", *, json: bool) -> T:
    """Ask the running gate; what it refuses is an answer of no (exit 1), an absent gate is wrong use (exit 2)."""
    from holdfast.run.desk import Desk, DeskError

    async def asked() -> T:
        desk = Desk(home)
        try:
            return await what(desk)
        finally:
            await desk.close()

    try:
        return asyncio.run(asked())
    except DeskError as error:
        if error.refused:
            render(Answer(data={"error": str(error)}, lines=(str(error),), code=NO), json=json)
        fail(str(error), json=json)


def password_of(person: str, *, json: bool) -> str:
    """From the terminal unseen, else the next line of what is piped in."""
    return _password(f"Password of {person}", f"no password of {person}", json=json)


def new_password_for(person: str, file: Path | None, *, json: bool) -> str:
    """The same, asked for twice; with `file` its first line."""
    if file is None:
        return _password(f"New password for {person}", f"no new password for {person}", json=json, twice=True)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: can't be read ({error}). Give a UTF-8 file with the password in its first line.", json=json)
    if not lines:
        fail(f"{file}: empty. Put the password in its first line.", json=json)
    return lines[0]


def _password(prompt: str, missing: str, *, json: bool, twice: bool = False) -> str:
    if sys.stdin.isatty():
        # On stderr, so that --json leaves nothing but JSON on stdout.
        return typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        fail(f"{missing} on standard input: run it in a terminal, pipe the password in, or give a file where there is an option", json=json)
    return line


# ---- who there is ----------------------------------------------------------------------------------------------------


def gate_runs(home: Path) -> bool:
    """Whether a gate holds this home: then who there is changes by its API, else in the folder itself."""
    from holdfast.gate.ledger.store import FILE
    from holdfast.gate.ledger.verify import gate_runs as held

    return held(home / "gate" / FILE)


def told(home: Path, path: str, person: str, body: Mapping[str, Any], *, json: bool) -> Any:
    """Have the running gate change who there is, as the administrator `person`; by its code while it has none."""
    from holdfast.gate.identity.setup import code_in

    if person:
        by: dict[str, str] = {"person": person, "password": password_of(person, json=json)}
    elif code := code_in(home / "gate"):
        by = {"code": code}
    else:
        fail("A gate runs with this --home, and it has administrators: say which of them you are with --as NAME.", json=json)
    return ask(home, lambda desk: desk.act(path, {**body, **by}), json=json)


@contextlib.contextmanager
def folder_of(home: Path, *, json: bool, must_exist: bool = False, reads: bool = False) -> "Generator[tuple[People, Agents]]":
    """Who there is, in the state folder of a gate that does not run, or to read only. Whoever may write it needs no password."""
    import os

    from holdfast.clock import RealClock
    from holdfast.gate.identity.agents import Agents
    from holdfast.gate.identity.names import IdentityError
    from holdfast.gate.identity.people import People
    from holdfast.gate.ledger.log import Log
    from holdfast.gate.ledger.store import FILE, State, StateError

    folder = home / "gate"
    if must_exist and not (folder / FILE).exists():
        fail(f"{home}: nothing was ever run here. Give the folder of a run with --home, or add the first one.", json=json)
    try:
        with contextlib.closing(State(folder) if not reads else State(folder, exclusive=False, reserve_bytes=0)) as state:
            clock = RealClock()
            log = Log(state, clock)
            yield People(state, log, clock, os.urandom), Agents(state, log, os.urandom)
    except (StateError, IdentityError) as error:
        fail(str(error), json=json)
