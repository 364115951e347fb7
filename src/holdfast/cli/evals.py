"""`holdfast eval` and `holdfast bench`: how a figure is made, and where every published one comes from."""

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.evals.suites import Figures, Kind

SEED = 1
N_HELP = "How many cases, rounds or kills; without it, the number the published figure is made with."


def register(app: typer.Typer) -> None:
    app.command("eval")(eval_)
    app.command("bench")(bench)


def eval_(
    name: Annotated[str, typer.Argument(help="Which suite; a wrong name lists them.")],
    data: Annotated[Path | None, typer.Option(help="Where the suite's data lies.")] = None,
    fit: Annotated[Path | None, typer.Option(help="Where the data to learn from lies, if it is another place.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random in it.")] = SEED,
    n: Annotated[int | None, typer.Option("--n", "--kills", help=N_HELP, min=1)] = None,
    classes: Annotated[str, typer.Option(help="Only these classes of cases, by commas; a wrong name lists them.")] = "",
    mutants: Annotated[bool, typer.Option("--mutants", help="Also break what is tested, piece by piece: the suite must notice.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write: one JSON line a case, with `id` and `answer`.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object last.")] = False,
) -> None:
    """Run a suite and print its figures; exit 1 if it fell short."""
    only = tuple(of.strip() for of in classes.split(",") if of.strip())
    with _answers(out, json=json) as answer:
        found = _run("eval", name, json=json, seed=seed, n=n, data=data, fit=fit, classes=only, mutants=mutants, answer=answer)
    render(shown(found), json=json)


def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; a wrong name lists them.")],
    n: Annotated[int | None, typer.Option(help=N_HELP, min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of everything random in it.")] = SEED,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object last.")] = False,
) -> None:
    """Run a benchmark on this machine and print its figures; exit 1 if it fell short."""
    render(shown(_run("bench", name, json=json, seed=seed, n=n)), json=json)


def _run(kind: "Kind", name: str, *, json: bool, **asked: Any) -> "Figures":
    from rich.console import Console
    from rich.progress import Progress

    from holdfast.evals.suites import Options, SuiteError, suite

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0)

        def progress(share: float, what: str) -> None:
            bar.update(task, completed=share, description=f"{name}: {what}" if what else name)

        try:
            given = Options(progress=progress, **asked)
            return suite(kind, name)(given)
        except SuiteError as error:
            bar.stop()
            fail(str(error), json=json)


@contextlib.contextmanager
def _answers(out: Path | None, *, json: bool) -> Generator[Callable[[str, Any], None]]:
    from holdfast.terms import canonical

    if out is None:
        yield lambda _case, _answer: None
        return
    try:
        file = out.open("wb")
    except OSError as error:
        fail(f"--out {out} can't be written: {error.strerror}; give a file in a folder that exists", json=json)
    with file:
        yield lambda case, answer: _line(file.write, canonical({"id": case, "answer": answer}))


def _line(write: Callable[[bytes], int], line: bytes) -> None:
    write(line + b"\n")


def shown(found: "Figures") -> Answer:
    """Figures as an answer: a table for people, nested groups as dotted names."""
    rows = tuple(_flat("", found.figures))
    verdict = "as it must be" if found.pass_ else "FELL SHORT"
    lines = (*(f"{path}  sha256 {sha256}" for path, sha256 in found.data), f"seed {found.seed}: {verdict}")
    return Answer(data=found.plain(), title=found.name, columns=("", ""), rows=rows, lines=lines, code=DONE if found.pass_ else NO)


def _flat(prefix: str, figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else "never" if value is None else str(value)
