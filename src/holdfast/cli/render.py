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
            console.print(answer.title, style="bold", markup=False)
        if answer.rows:
            table = Table(box=None, pad_edge=False, header_style="dim", show_header=any(answer.columns))
            for column in answer.columns:
                table.add_column(column, overflow="fold")
            for row in answer.rows:
                table.add_row(*(cell.replace("[", r"\[") for cell in row))
            console.print(table)
        for line in answer.lines:
            console.print(line, markup=False)
    raise typer.Exit(answer.code)


def fail(message: str, *, json: bool = False) -> NoReturn:
    """Wrong use or unreadable input: one clear word on stderr, exit code 2."""
    if json:
        sys.stdout.write(jsonlib.dumps({"error": message}, ensure_ascii=False) + "\n")
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, style="red", markup=False)
    raise typer.Exit(WRONG_USE)
