"""`holdfast manuals`: read documents into the local index, and find what they say with page, paragraph and their own words."""

import contextlib
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.manuals_embed import added as embedded_too
from holdfast.cli.manuals_embed import embed, ranked, ranked_line
from holdfast.cli.people import HOME, HomeOption, JsonOption
from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from holdfast.agent.knowledge.manuals.index import Hit, Index

LIMIT_MAX = 50
BLANK_TOLD = 10
LangOption = Annotated[str, typer.Option(help="en or zh.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Manuals: add, list, search, remove, embed. Nothing leaves the machine.")
    group.command("add")(add)
    group.command("list")(list_)
    group.command("search")(search)
    group.command("remove")(remove)
    group.command("embed")(embed)
    app.add_typer(group, name="manuals")


def add(
    files: Annotated[list[Path], typer.Argument(help="PDF, DOCX, Markdown, HTML, text, XLSX or CSV.")],
    home: HomeOption = HOME,
    lang: LangOption = "en",
    json: JsonOption = False,
) -> None:
    """Read documents into the index; one of the same name is replaced. Exit 2 where a file can't be read: the others are added."""
    from rich.console import Console
    from rich.progress import Progress

    from holdfast.agent.knowledge.manuals.passage import Unreadable

    added: list[dict[str, Any]] = []
    lines: list[str] = []
    wrong: list[str] = []
    with opened_index(home, lang, json=json) as index, Progress(console=Console(stderr=True), transient=True, disable=json) as bar:
        for file in files:
            task = bar.add_task(file.name, total=1.0)
            try:
                told, said = _added(index, file, lang, partial(_progress, bar, task))
            except Unreadable as error:
                wrong.append(error.told(lang))
                added.append({"file": str(file), "error": error.code, "text": error.told(lang)})
            else:
                added.append(told)
                lines += said
            bar.remove_task(task)
        bar.stop()
        made, said_of = embedded_too(index, home, lang, json=json) if lines else (None, "")
    if wrong and not lines:
        fail("\n".join(wrong), json=json)
    data: dict[str, Any] = {"files": added} if made is None else {"files": added, "embedded": made}
    render(Answer(data=data, lines=(*lines, *wrong, *filter(None, [said_of])), code=2 if wrong else DONE), json=json)


def _progress(bar: "Progress", task: "TaskID", share: float) -> None:
    bar.update(task, completed=share)


def _added(index: "Index", file: Path, lang: str, progress: "Callable[[float], None]") -> tuple[dict[str, Any], list[str]]:
    """What was added, as JSON and in words. Raises Unreadable."""
    from holdfast.agent.knowledge.manuals.index import digest_of
    from holdfast.agent.knowledge.manuals.passage import Unreadable
    from holdfast.agent.knowledge.manuals.read import read
    from holdfast.clock import RealClock
    from holdfast.language import say

    try:
        sha256, size = digest_of(file)
    except OSError as error:
        raise Unreadable("manuals.no_file", file=str(file), why=str(error.strerror)) from error
    same = next((d for d in index.documents() if d.name == file.name and d.sha256 == sha256), None)
    if same is not None:
        return {"file": str(file), "same": True, "pages": same.pages, "passages": same.passages}, [
            say("manuals.same", {"file": file.name}, lang)
        ]
    manual = read(file, progress)
    document = index.add(file.name, sha256, size, manual, RealClock().now_ns())
    tables = sum(p.table for p in manual.passages)
    facts = {"file": file.name, "pages": str(manual.pages), "passages": str(document.passages), "tables": str(tables)}
    said = [say("manuals.added", facts, lang)]
    if manual.blank:
        pages = ", ".join(map(str, manual.blank[:BLANK_TOLD]))
        said.append(say("manuals.blank", {"file": file.name, "count": str(len(manual.blank)), "pages": pages}, lang))
    told = {
        "file": str(file),
        "same": False,
        "pages": manual.pages,
        "passages": document.passages,
        "tables": tables,
        "blank": list(manual.blank),
    }
    return told, said


def list_(home: HomeOption = HOME, lang: LangOption = "en", json: JsonOption = False) -> None:
    """What is in the index."""
    from holdfast.language import say

    with opened_index(home, lang, json=json) as index:
        found = index.documents()
    rows = tuple((d.name, str(d.pages), str(d.passages), str(d.blank), d.sha256[:12]) for d in found)
    columns = ("document", "pages", "passages", "pages without text", "sha256")
    lines = () if found else (say("manuals.none", {}, lang),)
    render(Answer(data={"documents": found}, columns=columns, rows=rows, lines=lines), json=json)


def search(
    question: Annotated[str, typer.Argument(help="Words or a question, in the manuals' language.")],
    home: HomeOption = HOME,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=LIMIT_MAX)] = 5,
    lang: LangOption = "en",
    json: JsonOption = False,
) -> None:
    """The passages that answer best: document, page, paragraph and a quotation. Exit 1 where nothing fits."""
    from holdfast.language import say

    with opened_index(home, lang, json=json) as index:
        found = ranked(index, home, question, limit)
    hits = found.hits
    lines = [line for hit in hits for line in _shown(hit, lang)] or [say("manuals.nothing", {}, lang)]
    lines += filter(None, [ranked_line(found, lang)])
    data = {"question": question, "ranked_by": found.ranked_by, "share": found.share, "why": found.why, "hits": [_plain(h) for h in hits]}
    render(Answer(data=data, lines=tuple(lines), code=DONE if hits else NO), json=json)


def remove(
    name: Annotated[str, typer.Argument(help="The document's name, as `list` has it.")],
    home: HomeOption = HOME,
    lang: LangOption = "en",
    json: JsonOption = False,
) -> None:
    """Take a document out of the index; the file itself stays. Exit 1 where it isn't there."""
    from holdfast.language import say

    with opened_index(home, lang, json=json) as index:
        gone = index.remove(name)
    line = say("manuals.removed" if gone else "manuals.unknown", {"file": name}, lang)
    render(Answer(data={"document": name, "removed": gone}, lines=(line,), code=DONE if gone else NO), json=json)


def _shown(hit: "Hit", lang: str) -> list[str]:
    from holdfast.language import say

    place = say("manuals.place", {"document": hit.document, "page": str(hit.page), "paragraph": str(hit.paragraph)}, lang)
    return [place + (f" ({hit.heading})" if hit.heading else ""), *(f"    {line}" for line in hit.quote.split("\n")), ""]


def _plain(hit: "Hit") -> dict[str, Any]:
    from holdfast.terms import plain

    return {"ref": hit.ref, **plain(hit)}


@contextlib.contextmanager
def opened_index(home: Path, lang: str, *, json: bool) -> "Generator[Index]":
    """The index of a home; what is wrong with it ends the command."""
    from holdfast.agent.knowledge.manuals.index import NAME, BadIndex, Index

    if lang not in ("en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)
    if not home.is_dir():
        fail(f"{home}: no such folder; give --home the folder of the run, or make it", json=json)
    try:
        with contextlib.closing(Index(home / NAME)) as index:
            yield index
    except BadIndex as error:
        fail(str(error), json=json)
