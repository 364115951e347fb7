"""Spreadsheets: each sheet a page, its rows as tables under their first row; a merged cell says the same in all that it covers."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

from holdfast.agent.knowledge.manuals.passage import CELL, Manual, Passage, Unreadable

ROWS_AT_ONCE = 20  # of a passage: a table that is longer goes on in the next, under the same first row
ROWS_MAX, COLUMNS_MAX, SHEETS_MAX = 100_000, 200, 200
UNPACKED_BYTES_MAX = 300_000_000
CELL_CHARS_MAX = 2_000


def workbook(path: Path) -> Manual:
    """An .xlsx. Raises Unreadable. Needs the extra `manuals`."""
    import openpyxl

    _demand_small(path)
    try:
        book: Any = openpyxl.load_workbook(path, data_only=True)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise Unreadable("manuals.sheet_broken", file=path.name, why=f"{type(error).__name__}: {error}") from error
    passages: list[Passage] = []
    blank: list[int] = []
    sheets = book.worksheets[:SHEETS_MAX]
    for number, sheet in enumerate(sheets, start=1):
        rows = _rows(sheet)
        found = tables(rows, page=number, heading=str(sheet.title))
        blank += [] if found else [number]
        passages += found
    if not passages:
        raise Unreadable("manuals.empty", file=path.name)
    return Manual(pages=len(sheets), passages=tuple(passages), blank=tuple(blank))


def _demand_small(path: Path) -> None:
    """A few kilobytes can unpack to a disk full. Raises Unreadable."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
            encrypted = any(part.flag_bits & 1 for part in packed.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        with path.open("rb") as file:
            sealed = file.read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # an encrypted workbook, or one of before 2007
        raise Unreadable("manuals.encrypted" if sealed else "manuals.sheet_broken", file=path.name, why=str(error)) from error
    if encrypted:
        raise Unreadable("manuals.encrypted", file=path.name, why="zip")
    if size > UNPACKED_BYTES_MAX:
        raise Unreadable("manuals.unpacked", file=path.name, bytes=str(size), most=str(UNPACKED_BYTES_MAX))


def _rows(sheet: Any) -> list[list[str]]:
    rows_max, columns_max = min(sheet.max_row, ROWS_MAX), min(sheet.max_column, COLUMNS_MAX)
    rows = [[_said(value) for value in row] for row in sheet.iter_rows(max_row=rows_max, max_col=columns_max, values_only=True)]
    for merged in sheet.merged_cells.ranges:
        first = rows[merged.min_row - 1][merged.min_col - 1] if merged.min_row <= rows_max and merged.min_col <= columns_max else ""
        for row in rows[merged.min_row - 1 : merged.max_row]:
            for column in range(merged.min_col - 1, min(merged.max_col, len(row))):
                row[column] = first
    return rows


def _said(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.12g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())[:CELL_CHARS_MAX]


def comma_separated(text: str, name: str) -> Manual:
    """A .csv, whatever separates its cells. Raises Unreadable."""
    sample = text[:20_000]
    separator = max(",;\t", key=sample.count)
    try:
        rows = [[_said(cell) for cell in row[:COLUMNS_MAX]] for row in csv.reader(io.StringIO(text), delimiter=separator)][:ROWS_MAX]
    except csv.Error as error:
        raise Unreadable("manuals.sheet_broken", file=name, why=str(error)) from error
    found = tables(rows, page=1, heading="")
    if not found:
        raise Unreadable("manuals.empty", file=name)
    return Manual(pages=1, passages=tuple(found))


def tables(rows: list[list[str]], *, page: int, heading: str) -> list[Passage]:
    """An empty row ends a table. A row of one thing alone above it is its heading."""
    found: list[Passage] = []
    block: list[tuple[int, list[str]]] = []
    title = heading

    def end() -> None:
        nonlocal title
        while block and len({cell for cell in block[0][1] if cell}) == 1 and len(block) > 1:
            title = f"{heading}: {next(cell for cell in block[0][1] if cell)}".strip(": ")
            block.pop(0)
        if not block:
            return
        (_, names), body = block[0], block[1:] or block
        for start in range(0, len(body), ROWS_AT_ONCE):
            part = body[start : start + ROWS_AT_ONCE]
            shown = [names, *(row for _, row in part)] if block[1:] else [names]
            used = [i for i in range(max(map(len, shown))) if any(i < len(row) and row[i] for row in shown)]
            text = "\n".join(CELL.join(row[i] if i < len(row) else "" for i in used) for row in shown)
            found.append(Passage(page=page, paragraph=part[0][0], heading=title, text=text, table=True))
        block.clear()

    for number, row in enumerate(rows, start=1):
        if any(row):
            block.append((number, row))
        else:
            end()
    end()
    return found
