"""`holdfast logs`: read maintenance records into past cases, look at them, and find those that are alike."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.agent.knowledge.logs.record import Entry
    from holdfast.agent.knowledge.logs.store import Source

SHOWN_MAX = 200
CELL_CHARS = 60
LangOption = Annotated[str, typer.Option(help="en or zh.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Maintenance logs: import, list, and find past cases that are alike.")
    group.command("import")(import_)
    group.command("list")(list_)
    group.command("alike")(alike)
    app.add_typer(group, name="logs")


def import_(
    file: Annotated[Path, typer.Argument(help="CSV with known columns, or text with a record a line or paragraph.")],
    home: HomeOption = HOME,
    lang: LangOption = "en",
    json: JsonOption = False,
) -> None:
    """Read the records of a file; one of the same name is replaced. With --json every record as it was read."""
    import hashlib

    from holdfast.agent.knowledge.logs.read import read
    from holdfast.agent.knowledge.logs.store import NAME, Source, StoreError, keep
    from holdfast.agent.knowledge.manuals.passage import Unreadable
    from holdfast.language import say

    _demand(home, lang, json=json)
    try:
        found = read(file)
        keep(home / NAME, Source(name=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), entries=found.entries))
    except Unreadable as error:
        fail(error.told(lang), json=json)
    except StoreError as error:
        fail(str(error), json=json)
    except OSError as error:
        fail(f"{home / NAME} can't be written: {error.strerror}; give a folder that is yours with --home", json=json)
    counts = {
        name: sum(bool(getattr(entry, name)) for entry in found.entries) for name in ("equipment", "symptom", "cause", "action", "tells")
    }
    facts = {"file": file.name, "entries": str(len(found.entries))} | {name: str(count) for name, count in counts.items()}
    data = {"file": str(file), "columns": dict(found.columns), "counts": counts, "entries": found.entries}
    render(Answer(data=data, lines=(say("logs.imported", facts, lang),)), json=json)


def list_(home: HomeOption = HOME, lang: LangOption = "en", json: JsonOption = False) -> None:
    """The records that were imported."""
    from holdfast.language import say

    sources = _sources(home, lang, json=json)
    rows = tuple(_row(source.name, entry) for source in sources for entry in source.entries)
    lines = (f"{SHOWN_MAX} / {len(rows)}",) if len(rows) > SHOWN_MAX else () if rows else (say("logs.none", {}, lang),)
    render(Answer(data={"sources": sources}, columns=_COLUMNS, rows=rows[:SHOWN_MAX], lines=lines), json=json)


def alike(
    signs: Annotated[str, typer.Argument(help="What is seen now.")],
    equipment: Annotated[str, typer.Option(help="On what.")] = "",
    home: HomeOption = HOME,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=50)] = 5,
    lang: LangOption = "en",
    json: JsonOption = False,
) -> None:
    """Past cases that are most alike, each with how much (0 to 1). Exit 1 where none is."""
    from holdfast.agent.knowledge.logs.cases import alike as most_alike
    from holdfast.language import say

    cases = most_alike(_sources(home, lang, json=json), equipment, signs, limit)
    rows = tuple((f"{case.alike:.2f}", *_row(case.source, case.entry)) for case in cases)
    data: dict[str, Any] = {"cases": [{"alike": c.alike, "source": c.source, "entry": c.entry, "evidence": c.evidence()} for c in cases]}
    lines = () if cases else (say("logs.nothing", {}, lang),)
    render(Answer(data=data, columns=("alike", *_COLUMNS), rows=rows, lines=lines, code=DONE if cases else NO), json=json)


_COLUMNS = ("record", "date", "equipment", "symptom", "cause", "action")


def _row(source: str, entry: "Entry") -> tuple[str, ...]:
    cells = (entry.at, entry.equipment, entry.symptom, entry.cause, entry.action)
    return (f"{source}:{entry.line}", *(cell if len(cell) <= CELL_CHARS else cell[: CELL_CHARS - 1] + "…" for cell in cells))


def _sources(home: Path, lang: str, *, json: bool) -> "tuple[Source, ...]":
    from holdfast.agent.knowledge.logs.store import NAME, StoreError, load

    _demand(home, lang, json=json)
    try:
        return load(home / NAME)
    except StoreError as error:
        fail(str(error), json=json)


def _demand(home: Path, lang: str, *, json: bool) -> None:
    if lang not in ("en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
    if not home.is_dir():
        fail(f"{home}: no such folder; give --home the folder of the run, or make it", json=json)
