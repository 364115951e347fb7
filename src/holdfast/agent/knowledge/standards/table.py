"""The site's table of standards as CSV: what each is called, whether it is in force, what replaced it, what it adopts and cites.

Columns, in any order, by their names in the first line: canonical, title_zh, title_en, state (current, withdrawn, upcoming),
published, effective, withdrawn (YYYY-MM-DD, or empty), replaced_by, adopts, cites (standards, separated by `;`). Only
canonical and state must be there. UTF-8 or GB18030; comma, semicolon or tab.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Literal, TypeGuard, get_args

from holdfast.agent.knowledge.standards.find import find
from holdfast.site.model import Problem
from holdfast.terms import Word

State = Literal["current", "withdrawn", "upcoming"]
STATES: tuple[State, ...] = get_args(State)
COLUMNS = ("canonical", "title_zh", "title_en", "state", "published", "effective", "withdrawn", "replaced_by", "adopts", "cites")
NEEDED = ("canonical", "state")
BYTES_MAX = 50_000_000
ROWS_MAX = 200_000
LINKED_MAX = 500  # standards in one cell
PROBLEMS_MAX = 200  # of one file; more say nothing new


class Standard(Word):
    """One edition of a standard. Dates are YYYY-MM-DD, "" where unknown; the others are canonical forms."""

    canonical: str
    title_zh: str = ""
    title_en: str = ""
    state: State
    published: str = ""
    effective: str = ""
    withdrawn: str = ""
    replaced_by: tuple[str, ...] = ()
    adopts: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()

    def title(self, language: str) -> str:
        first, second = (self.title_zh, self.title_en) if language == "zh" else (self.title_en, self.title_zh)
        return first or second


class Table(Word):
    """A table as it was read. Where a problem is an error it must not be used."""

    standards: tuple[Standard, ...]
    problems: tuple[Problem, ...]

    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


class _Row:
    """One row and what is wrong with it."""

    def __init__(self, file: str, line: int, cells: Mapping[str, str]) -> None:
        self.file, self.line, self.cells = file, line, cells
        self.problems: list[Problem] = []

    def wrong(self, what: str, cure: str, severity: Literal["error", "warning"] = "error") -> None:
        self.problems.append(Problem(file=self.file, line=self.line, what=what, cure=cure, severity=severity))

    def text(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def day(self, column: str) -> str:
        text = self.text(column)
        if not text:
            return ""
        try:
            return date.fromisoformat(text.replace("/", "-")).isoformat()
        except ValueError:
            self.wrong(f"{column} {text!r} is no date", "write it as 2024-05-28, or leave it empty")
            return ""

    def linked(self, column: str) -> tuple[str, ...]:
        names = [name.strip() for name in self.text(column).replace("；", ";").split(";") if name.strip()]
        if len(names) > LINKED_MAX:
            self.wrong(f"{column} has {len(names)} standards", f"at most {LINKED_MAX} fit in a cell")
            return ()
        return tuple(dict.fromkeys(form for name in names if (form := self.standard(column, name))))

    def standard(self, column: str, name: str) -> str:
        found = find(name)
        if len(found) != 1 or found[0].surface != name:
            self.wrong(f"{column} {name!r} is no standard that is known how to read", "write it as GB/T 3811—2008 or ISO 9001:2015")
            return ""
        return found[0].canonical


def read_table(path: Path) -> Table:
    """Read a CSV file; all its problems at once. Raises OSError where it can't be opened."""
    if path.stat().st_size > BYTES_MAX:
        return _unread(str(path), 1, f"the file is larger than {BYTES_MAX} bytes", "leave out what the site doesn't use")
    return parse_table(path.read_bytes(), str(path))


def parse_table(content: bytes, file: str) -> Table:
    text = _decoded(content)
    if text is None:
        return _unread(file, 1, "the text is neither UTF-8 nor GB18030", "save it as CSV UTF-8")
    if "\0" in text:
        return _unread(file, 1, "this is no text: it has zero bytes", "save the sheet as CSV UTF-8, not as a workbook")
    head = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        return _table(((rows.line_num, cells) for cells in rows if any(cell.strip() for cell in cells)), file)
    except csv.Error as error:
        return _unread(file, rows.line_num, f"this is not CSV: {error}", "close the quotes of the cell; a quote inside is written twice")


def _table(rows: Iterator[tuple[int, list[str]]], file: str) -> Table:
    line, names = next(rows, (1, list[str]()))
    columns = [name.strip().lower() for name in names]
    missing, unknown = [name for name in NEEDED if name not in columns], [name for name in columns if name not in COLUMNS]
    if missing or unknown or len(set(columns)) < len(columns):
        what = f"no column {', '.join(missing)}" if missing else f"no such column: {', '.join(unknown)}" if unknown else "a column twice"
        return _unread(file, line, what, f"the first line names the columns: {', '.join(COLUMNS)}")
    standards: dict[str, tuple[int, Standard]] = {}
    problems: list[Problem] = []
    for count, (line, cells) in enumerate(rows, start=1):
        if count > ROWS_MAX or len(problems) >= PROBLEMS_MAX:
            why = f"more than {ROWS_MAX} rows" if count > ROWS_MAX else f"{PROBLEMS_MAX} problems so far"
            problems.append(Problem(file=file, line=line, what=f"{why}: the rest was not read", cure="mend these or split the table"))
            break
        row = _Row(file, line, dict(zip(columns, cells, strict=False)))
        if len(cells) != len(columns):
            row.wrong(f"{len(cells)} cells where the first line has {len(columns)}", "quote cells that hold the separator")
        else:
            standard = _standard(row)
            if standard is not None and standard.canonical in standards:
                row.wrong(f"{standard.canonical} is already in line {standards[standard.canonical][0]}", "leave one of them")
            elif standard is not None:
                standards[standard.canonical] = (line, standard)
        problems += row.problems
    if not standards and not problems:
        return _unread(file, line, "the table has no rows", "put one standard a row below the first line")
    problems += _between(file, standards)
    return Table(standards=tuple(standard for _, standard in standards.values()), problems=tuple(problems))


def _standard(row: _Row) -> Standard | None:
    name, state = row.text("canonical"), row.text("state").lower()
    canonical = row.standard("canonical", name)
    if not _is_state(state):
        row.wrong(f"state {state!r}", f"write one of {', '.join(STATES)}")
        return None
    published, effective, withdrawn = row.day("published"), row.day("effective"), row.day("withdrawn")
    if published and effective and effective < published:
        row.wrong(f"effective {effective} is before published {published}", "look the dates up")
    if withdrawn and effective and withdrawn < effective:
        row.wrong(f"withdrawn {withdrawn} is before effective {effective}", "look the dates up")
    if not canonical:
        return None
    replaced_by = row.linked("replaced_by")
    if canonical in replaced_by:
        row.wrong(f"{canonical} replaces itself", "name the edition that replaced it")
        return None
    return Standard(
        canonical=canonical,
        title_zh=row.text("title_zh"),
        title_en=row.text("title_en"),
        state=state,
        published=published,
        effective=effective,
        withdrawn=withdrawn,
        replaced_by=replaced_by,
        adopts=row.linked("adopts"),
        cites=row.linked("cites"),
    )


def _between(file: str, standards: Mapping[str, tuple[int, Standard]]) -> Iterator[Problem]:
    """What only two rows together show: replacements that go in a circle, or to what the table doesn't have."""
    settled: set[str] = set()
    for name, (line, standard) in standards.items():
        for other in standard.replaced_by:
            if other not in standards:
                what = f"{name} is replaced by {other}, which has no row"
                yield Problem(file=file, line=line, what=what, cure="add its row, or its state stays unknown", severity="warning")
        path: list[str] = []
        at = name
        while at not in settled and at not in path:
            path.append(at)
            further = [other for other in standards[at][1].replaced_by if other in standards]
            if not further:
                break
            at = further[0]
        else:
            if at in path:
                what = f"replacements go in a circle: {' → '.join((*path[path.index(at) :], at))}"
                yield Problem(file=file, line=standards[at][0], what=what, cure="the newest edition is replaced by nothing")
        settled.update(path)


def _is_state(text: str) -> TypeGuard[State]:
    return text in STATES


def _unread(file: str, line: int, what: str, cure: str) -> Table:
    return Table(standards=(), problems=(Problem(file=file, line=line, what=what, cure=cure),))


def _decoded(content: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None
