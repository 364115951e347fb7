"""CSV lists of tags: each row becomes the block that it would be in the site file, with the row's line.

UTF-8 or GB18030 (what Excel writes on a Chinese Windows). The first row names the columns; `;` and tab separate too.
"""

import csv
import io
from collections.abc import Mapping

from holdfast.site.lines import Node, scalar
from holdfast.site.log import Log, nearest, one_of

ROWS_MAX = 40_000
TEXT = ("name", "on", "address", "unit", "type", "every", "access", "role", "label", "tag_no", "description")
FLAGS = ("sis",)
PAIRS = {
    "low": ("eu_range", 0),
    "high": ("eu_range", 1),
    "raw_low": ("raw", 0),
    "raw_high": ("raw", 1),
    "eng_low": ("eng", 0),
    "eng_high": ("eng", 1),
}
COLUMNS = (*TEXT, *FLAGS, *PAIRS, "states")  # states: `0=stopped 1=running`


def read(data: bytes, file: str, log: Log) -> tuple[tuple[Node, Node], ...]:
    """(name, block) of each row; problems are told with the row's line."""
    text = _decoded(data, file, log)
    if text is None:
        return ()
    lines = text.splitlines()
    first = lines[0] if lines else ""
    separator = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found: list[tuple[Node, Node]] = []
    header: list[str] | None = None
    try:
        for row in rows:
            line = rows.line_num
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = _header(row, file, line, log)
                if header is None:
                    return ()
            elif len(row) != len(header):
                log.error(
                    file, line, f"{len(row)} cells, but {len(header)} columns", "quote cells that hold the separator; fill up missing ones"
                )
            elif len(found) >= ROWS_MAX:
                log.error(file, line, f"more than {ROWS_MAX} tags", "split the list by equipment")
                break
            else:
                found.append(row_of(dict(zip(header, (c.strip() for c in row), strict=True)), file, line))
    except csv.Error as error:
        log.error(file, rows.line_num, f"not a CSV row: {error}", "check the quotes in this row")
    if header is None:
        log.error(file, 1, "the tag list is empty", f"write a first row that names the columns: {','.join(TEXT[:4])}")
    return tuple(found)


def _decoded(data: bytes, file: str, log: Log) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    log.error(file, 1, "neither UTF-8 nor GB18030", "save the list as UTF-8")
    return None


def _header(row: list[str], file: str, line: int, log: Log) -> list[str] | None:
    header = [cell.strip().casefold() for cell in row]
    for column in header:
        if column not in COLUMNS:
            log.error(file, line, f'unknown column "{column}"', nearest(column, COLUMNS, f"it takes {one_of(COLUMNS, 20)}"))
        elif header.count(column) > 1:
            log.error(file, line, f'column "{column}" stands twice', "delete one of them")
    for column in ("name", "address"):
        if column not in header:
            log.error(file, line, f'there is no column "{column}"', "add it: each tag needs a name and an address")
    fit = set(header) <= set(COLUMNS) and len(set(header)) == len(header) and {"name", "address"} <= set(header)
    return header if fit else None


def row_of(cells: Mapping[str, str], file: str, line: int) -> tuple[Node, Node]:
    """(name, block) of one row's cells by column; an empty cell is left out."""
    entries: dict[str, Node] = {}
    pairs: dict[str, dict[int, str]] = {}
    for column, text in cells.items():
        if not text or column == "name":
            continue
        if column in PAIRS:
            name, end = PAIRS[column]
            pairs.setdefault(name, {})[end] = text
        elif column == "states":
            states = (part.partition("=") for part in text.replace(";", " ").split())
            entries["states"] = _map([(k, scalar(v, file, line, quoted=True)) for k, _, v in states], file, line)
        else:
            entries[column] = scalar(text.lower() if column in FLAGS else text, file, line, quoted=column not in FLAGS)
    ranges = {
        name: Node("list", file, line, items=tuple(scalar(ends.get(i, ""), file, line) for i in (0, 1))) for name, ends in pairs.items()
    }
    if "eu_range" in ranges:
        entries["eu_range"] = ranges["eu_range"]
    scale = [(name, ranges[name]) for name in ("raw", "eng") if name in ranges]
    if scale:
        entries["scale"] = _map(scale, file, line)
    return scalar(cells["name"], file, line, quoted=True), _map(list(entries.items()), file, line)


def _map(entries: list[tuple[str, Node]], file: str, line: int) -> Node:
    unique = dict(entries)
    return Node("map", file, line, entries=tuple((scalar(k, file, line, quoted=True), v) for k, v in unique.items()))
