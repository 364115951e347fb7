"""`holdfast standards`: find references to standards in text, import the site's table, report what is out of date."""

import datetime
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.render import DONE, NO, Answer, fail, render

if TYPE_CHECKING:
    from holdfast.agent.knowledge.standards.check import Mention
    from holdfast.agent.knowledge.standards.graph import Graph

HOME = Path("holdfast-home")
STDIN_BYTES_MAX = 100_000_000
TOLD_MAX = 1000  # lines that a table of an answer shows; --json has all

Home = Annotated[Path, typer.Option(help="The folder that `holdfast run` is given; the table lies in it.", envvar="HOLDFAST_HOME")]
TableFile = Annotated[Path | None, typer.Option("--table", help="An imported table elsewhere than in the home.")]
On = Annotated[str, typer.Option(help="The day to judge by, YYYY-MM-DD; today, without.")]
Lang = Annotated[str, typer.Option(help="en or zh.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="References to standards: find them, and see which are out of date.")
    group.command("find")(find_)
    group.command("import")(import_)
    group.command("check")(check)
    group.command("show")(show)
    app.add_typer(group, name="standards")


def find_(
    file: Annotated[str, typer.Argument(help="Text, Markdown or HTML; - reads standard input.")],
    lang: Lang = "en",
    json: Json = False,
) -> None:
    """List every reference to a standard in a text, with its canonical form."""
    from holdfast.agent.knowledge.standards.check import mentions
    from holdfast.agent.knowledge.standards.graph import Graph
    from holdfast.language import say

    _language(lang, json=json)
    found = list(mentions(_text(file, json=json), file, Graph((), "")))
    rows = tuple(
        (str(m.line), m.reference.surface.replace("\n", "⏎"), m.reference.canonical, m.reference.clause, m.reference.amendment)
        for m in found
    )
    different = len({m.reference.canonical for m in found})
    line = say("standards.found", {"references": str(len(found)), "different": str(different)}, lang)
    references = [{"line": m.line, "column": m.column} | {key: getattr(m.reference, key) for key in _FIELDS} for m in found]
    data = {"file": file, "references": references, "different": different}
    columns = ("line", "as written", "canonical", "clause", "amended by")
    render(Answer(data=data, columns=columns, rows=rows[:TOLD_MAX], lines=(*_cut(rows), line)), json=json)


_FIELDS = ("start", "end", "surface", "canonical", "family", "number", "part", "year", "clause", "amendment")


def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a first line of canonical,state and further columns.")],
    home: Home = HOME,
    out: Annotated[Path | None, typer.Option(help="Write the table to this file instead of into the home.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    lang: Lang = "en",
    json: Json = False,
) -> None:
    """Read the site's table of standards and put it in place of the last one. Exit 1, nothing changed, where it has errors."""
    from holdfast.agent.knowledge.standards.graph import Graph
    from holdfast.agent.knowledge.standards.store import NAME, Stored, save
    from holdfast.agent.knowledge.standards.table import read_table
    from holdfast.language import say

    _language(lang, json=json)
    target = out or home / NAME
    if not target.parent.is_dir():
        fail(f"{target.parent}: no such folder; give --home the folder of the run, or a file with --out", json=json)
    try:
        table = read_table(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        fail(f"{file}: {error.strerror}; give the CSV of the site's standards", json=json)
    bad = table.problems if strict else table.errors()
    told = tuple(f"{p.severity}: {p}" for p in table.problems)
    if bad:
        line = f"{file}: {len(bad)} error{'s' * (len(bad) != 1)}; nothing was imported"
        data = {"file": str(file), "imported": 0, "problems": table.problems}
        render(Answer(data=data, lines=(*told, line), code=NO), json=json)
    today = _today()
    try:
        save(target, Stored(sha256=digest, imported=today, standards=table.standards))
    except OSError as error:
        fail(f"{target} can't be written: {error.strerror}; give another place with --out", json=json)
    graph = Graph(table.standards, today)
    states = [graph.state(standard) for standard in table.standards]
    counts = {state: states.count(state) for state in ("current", "withdrawn", "upcoming")}
    stale = graph.stale_citations()
    facts = {"standards": str(len(table.standards)), "day": today} | {state: str(count) for state, count in counts.items()}
    warned = tuple(say("standards.stale_citation", {"form": s.canonical, "cited": cited}, lang) for s, cited in stale)
    data = {"file": str(file), "sha256": digest, "table": str(target), "imported": len(table.standards), "states": counts}
    data |= {"stale_citations": [{"canonical": s.canonical, "cites": cited} for s, cited in stale], "problems": table.problems}
    render(Answer(data=data, lines=(*told, *warned[:TOLD_MAX], say("standards.imported", facts, lang))), json=json)


def check(
    files: Annotated[list[str], typer.Argument(help="Manuals and procedures: text, Markdown, HTML; - reads standard input.")],
    home: Home = HOME,
    table: TableFile = None,
    on: On = "",
    unknown: Annotated[bool, typer.Option("--unknown", help="List references that the table doesn't have, too.")] = False,
    lang: Lang = "en",
    json: Json = False,
) -> None:
    """Report references that are out of date: line, what replaces them, since when. Exit 1 if there are any."""
    from holdfast.agent.knowledge.standards.check import mentions
    from holdfast.language import say

    _language(lang, json=json)
    graph = _graph(home, table, on, json=json)
    found = [mention for file in files for mention in mentions(_text(file, json=json), file, graph)]
    stale = [m for m in found if m.verdict.fate not in ("in_force", "unknown")]
    strange = [m for m in found if m.verdict.fate == "unknown"]
    shown = sorted((*stale, *(strange if unknown else ())), key=lambda m: (m.file, m.line, m.column))
    rows = tuple((f"{m.file}:{m.line}", m.reference.surface.replace("\n", "⏎"), m.told(lang)) for m in shown)
    facts = {"stale": str(len(stale)), "references": str(len(found)), "files": str(len(files)), "day": graph.on}
    lines = [*_cut(rows), say("standards.some_stale" if stale else "standards.all_in_force", facts, lang)]
    if strange and not unknown:
        lines.append(say("standards.not_in_table", {"unknown": str(len(strange))}, lang))
    data: dict[str, Any] = {"on": graph.on, "references": len(found), "out_of_date": [_plain(m, lang) for m in stale]}
    data |= {"unknown": [_plain(m, lang) for m in strange]}
    columns = ("where", "as written", "what")
    render(Answer(data=data, columns=columns, rows=rows[:TOLD_MAX], lines=tuple(lines), code=NO if stale else DONE), json=json)


def show(
    standard: Annotated[str, typer.Argument(help="As GB/T 3811-2008 or ISO 9001; any spelling.")],
    home: Home = HOME,
    table: TableFile = None,
    on: On = "",
    lang: Lang = "en",
    json: Json = False,
) -> None:
    """What the table knows of a standard: state, replacement, what it adopts and cites, who cites it. Exit 1 if it isn't there."""
    from holdfast.agent.knowledge.standards.check import Mention
    from holdfast.agent.knowledge.standards.find import find

    _language(lang, json=json)
    references = find(standard)
    if len(references) != 1:
        fail(f"{standard!r} is no one standard; write it as GB/T 3811-2008 or ISO 9001:2015", json=json)
    graph = _graph(home, table, on, json=json)
    verdict = graph.judge(references[0])
    mention = Mention(file=standard, line=1, column=1, reference=references[0], verdict=verdict)
    known = verdict.standard
    data: dict[str, Any] = {"asked": standard, "on": graph.on, "fate": verdict.fate, "standard": known}
    data |= {"successors": [*(s.canonical for s in verdict.successors), *verdict.named], "text": mention.told(lang)}
    rows: list[tuple[str, str]] = []
    if known is not None:
        links = {
            "adopts": known.adopts,
            "cites": known.cites,
            "adopted by": graph.adopted_by(known.canonical),
            "cited by": graph.cited_by(known.canonical),
        }
        data |= {name.replace(" ", "_"): list(forms) for name, forms in links.items()}
        dates = (("published", known.published), ("effective", known.effective), ("withdrawn", known.withdrawn))
        titles = (("title", known.title(lang)), *dates)
        rows = [(name, text) for name, text in (*titles, *((name, ", ".join(forms)) for name, forms in links.items())) if text]
    title = known.canonical if known else ""
    code = NO if known is None and not verdict.successors else DONE
    render(Answer(data=data, title=title, columns=("", ""), rows=tuple(rows), lines=(mention.told(lang),), code=code), json=json)


def _plain(mention: "Mention", language: str) -> dict[str, Any]:
    reference, verdict = mention.reference, mention.verdict
    where = {"file": mention.file, "line": mention.line, "column": mention.column, "clause": reference.clause}
    what = {"surface": reference.surface, "canonical": reference.canonical, "fate": verdict.fate, "since": verdict.since}
    instead = [*(s.canonical for s in verdict.successors), *verdict.named]
    return where | what | {"successors": instead, "text": mention.told(language)}


def _graph(home: Path, table: Path | None, on: str, *, json: bool) -> "Graph":
    from holdfast.agent.knowledge.standards.graph import Graph
    from holdfast.agent.knowledge.standards.store import NAME, StoreError, load

    try:
        day = datetime.date.fromisoformat(on).isoformat() if on else _today()
    except ValueError:
        fail(f"--on {on}: write a day as 2024-05-28", json=json)
    try:
        return Graph(load(table or home / NAME).standards, day)
    except StoreError as error:
        fail(str(error), json=json)


def _text(file: str, *, json: bool) -> str:
    from holdfast.agent.knowledge.standards.documents import Unreadable, decoded, document

    try:
        if file != "-":
            return document(Path(file))
        content = sys.stdin.buffer.read(STDIN_BYTES_MAX + 1)
        if len(content) > STDIN_BYTES_MAX:
            fail(f"standard input: more than {STDIN_BYTES_MAX} bytes; split it", json=json)
        return decoded(content, "standard input")
    except Unreadable as error:
        fail(str(error), json=json)


def _today() -> str:
    from holdfast.clock import RealClock
    from holdfast.terms import SECOND_NS

    return datetime.datetime.fromtimestamp(RealClock().now_ns() / SECOND_NS).astimezone().date().isoformat()


def _language(lang: str, *, json: bool) -> None:
    if lang not in ("en", "zh"):
        fail(f"no language {lang!r}: give en or zh", json=json)


def _cut(rows: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return (f"the first {TOLD_MAX} of {len(rows)}; --json has all",) if len(rows) > TOLD_MAX else ()
