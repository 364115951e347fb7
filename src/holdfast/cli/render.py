"""One renderer for every command: a frozen answer goes in, a table or JSON comes out, and the exit code with it."""

import json as jsonlib
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from holdfast.terms import Word, plain

DONE, NO, WRONG_USE = 0, 1, 2  # done; the answer is no; wrong use or unreadable input
# What an agent or a device wrote must not steer the terminal that shows it: controls (ECMA-48) and marks of direction (Unicode UAX #9).
_DIRECTION = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_STEERING = dict.fromkeys((*(set(range(0x20)) - {0x09, 0x0A}), *range(0x7F, 0xA0), *_DIRECTION), "?")


class Answer(Word):
    """What a command found out. `data` is the JSON for programs; title, table and lines are for people."""

    data: Mapping[str, Any]
    title: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()
    code: int = DONE


def render(answer: Answer, *, json: bool) -> NoReturn:
    """Print and leave with the answer's exit code. With `json` the last line is one JSON object."""
    if json:
        sys.stdout.write(jsonlib.dumps(plain(answer.data), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        if answer.title:
            console.print(tame(answer.title), style="bold", markup=False)
        if answer.rows:
            table = Table(box=None, pad_edge=False, header_style="dim", show_header=any(answer.columns))
            for column in answer.columns:
                table.add_column(column, overflow="fold")
            for row in answer.rows:
                table.add_row(*(tame(cell).replace("[", r"\[") for cell in row))
            console.print(table)
        for line in answer.lines:
            console.print(tame(line), markup=False)
    raise typer.Exit(answer.code)


def tame(text: str) -> str:
    """For a terminal: each sign that would steer it is shown as one that can't be."""
    return text.translate(_STEERING)


def fail(message: str, *, json: bool = False) -> NoReturn:
    """Wrong use or unreadable input: one clear word on stderr, exit code 2."""
    if json:
        sys.stdout.write(jsonlib.dumps({"error": message}, ensure_ascii=False) + "\n")
    Console(stderr=True, highlight=False, soft_wrap=True).print(tame(message), style="red", markup=False)
    raise typer.Exit(WRONG_USE)
