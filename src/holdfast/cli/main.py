"""The door: one typer app, one file a group of commands. Rooms are imported inside commands, so that help is quick."""

import importlib
import pkgutil

import typer

from holdfast import cli

app = typer.Typer(
    name="holdfast",
    help="Let an AI agent run your line without ever letting it out of bounds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def door() -> None:
    """Let an AI agent run your line without ever letting it out of bounds."""  # keeps one command alone a subcommand


def main() -> None:
    # Every file here that has `register` is a group of commands: a new one is a new file and nothing else.
    for found in pkgutil.iter_modules(cli.__path__):
        register = getattr(importlib.import_module(f"holdfast.cli.{found.name}"), "register", None)
        if register is not None:
            register(app)
    app()
