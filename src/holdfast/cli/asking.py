"""How a command asks the running gate, and a person for the password."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer

from holdfast.cli.render import NO, Answer, fail, render
from holdfast.run.desk import Desk, DeskError

T = TypeVar("T")


def ask(home: Path, what: Callable[[Desk], Awaitable[T]], *, json: bool) -> T:
    """Ask the running gate; what it refuses is an answer of no (exit 1), an absent gate is wrong use (exit 2)."""

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
    """From the terminal unseen, else the first line of what is piped in."""
    if sys.stdin.isatty():
        return typer.prompt(f"Password of {person}", hide_input=True, err=True)
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        fail(f"no password of {person} on standard input: run it in a terminal, or pipe the password in", json=json)
    return line
