"""The door: one typer app, one file a group of commands. Rooms are imported inside commands, so that help is quick."""

import importlib

import typer

app = typer.Typer(
    name="holdfast",
    help="Let an AI agent run your line without ever letting it out of bounds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Each file registers its own commands on `app`.
GROUPS: tuple[str, ...] = ("agents", "backup", "demo", "detect", "evals", "ledger", "people", "policy", "replay", "resolve", "run", "site")


@app.callback()
def door() -> None:
    """Let an AI agent run your line without ever letting it out of bounds."""  # keeps one command alone a subcommand


def main() -> None:
    for group in GROUPS:
        importlib.import_module(f"holdfast.cli.{group}").register(app)
    app()
