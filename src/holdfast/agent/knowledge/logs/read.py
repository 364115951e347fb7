"""A file of maintenance records: a table with columns that are known by their heads, or text, a record a line or a paragraph."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from holdfast.agent.knowledge.logs import labels
from holdfast.agent.knowledge.logs.parse import parsed
from holdfast.agent.knowledge.logs.record import Entry, Field
from holdfast.agent.knowledge.manuals.passage import Unreadable
from holdfast.agent.knowledge.manuals.read import opened, text_of
from holdfast.terms import Word

BYTES_MAX = 50_000_000
ENTRIES_MAX = 200_000
COLUMNS_MAX = 200
TIMES = frozenset({"日期", "时间", "检修日期", "发生时间", "date", "time", "timestamp", "at"})
TEXTS = frozenset({"内容", "描述", "记录", "检修内容", "备注", "说明", "text", "notes", "remarks", "details", "log", "record"})


class Read(Word):
    """`columns`: what each column of a table was taken for ("" for none); () for text."""

    entries: tuple[Entry, ...]
    columns: tuple[tuple[str, str], ...] = ()


def read(path: Path) -> Read:
    """Raises Unreadable: the file can't be read, or no column of it says anything of use."""
    opened(path, BYTES_MAX)
    text = text_of(path)
    found = _table(text, path.name) if path.suffix.lower() in (".csv", ".tsv") else Read(entries=_records(text))
    if not found.entries:
        raise Unreadable("manuals.empty", file=path.name)
    if len(found.entries) > ENTRIES_MAX:
        raise Unreadable("logs.many", file=path.name, entries=str(len(found.entries)), most=str(ENTRIES_MAX))
    return found


def _table(text: str, name: str) -> Read:
    separator = max(",;\t", key=text[:20_000].count)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=separator)
        rows = [(reader.line_num, [cell.strip() for cell in row[:COLUMNS_MAX]]) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise Unreadable("manuals.sheet_broken", file=name, why=str(error)) from error
    if not rows:
        return Read(entries=())
    heads = rows[0][1]
    kinds = [_kind(head) for head in heads]
    if not any(kinds):
        raise Unreadable("logs.columns", file=name, columns=", ".join(heads))
    entries = tuple(entry for line, row in rows[1:] if (entry := _entry(line, row, kinds)) is not None)
    return Read(entries=entries, columns=tuple(zip(heads, kinds, strict=True)))


def _kind(head: str) -> str:
    name = head.strip().lower()
    return labels.column(name) or ("at" if name in TIMES else "text" if name in TEXTS else "")


def _entry(line: int, row: Sequence[str], kinds: Sequence[str]) -> Entry | None:
    given: dict[Field, str] = {}
    texts: list[str] = []
    at = ""
    for cell, kind in zip(row, kinds, strict=False):
        if kind == "at":
            at = at or cell
        elif kind == "text":
            texts.append(cell)
        elif kind and cell:
            field: Field = kind  # type: ignore[assignment]
            given[field] = f"{given[field]} {cell}" if field in given else cell
    return parsed("\n".join(texts), given=given, at=at, line=line) if given or any(texts) else None


def _records(text: str) -> tuple[Entry, ...]:
    """Paragraphs where any has several lines and names fields in them, else lines."""
    blocks: list[tuple[int, list[str]]] = []
    new = True
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            new = True
        elif new:
            blocks.append((number, [line]))
            new = False
        else:
            blocks[-1][1].append(line)
    if any(len(lines) > 1 and labels.labelled("\n".join(lines)) for _, lines in blocks):
        return tuple(parsed("\n".join(lines), line=number) for number, lines in blocks)
    return tuple(parsed(line.strip(), line=first + i) for first, lines in blocks for i, line in enumerate(lines))
