"""The rows of one sheet of an .xlsx workbook, as text. Nothing is calculated, no other part of it is opened.

Source: ECMA-376 Part 1 §18.3 (worksheets: `c` with `r` and `t`, shared and inline strings).
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from holdfast.site.exports.found import NotUnderstood
from holdfast.site.exports.text import BYTES_MAX, decoded, local, tree

MAGIC = b"PK\x03\x04"
COLUMNS_MAX = 64
_CELL = re.compile(r"([A-Z]{1,3})(\d+)")


def rows(data: bytes, sheet: str) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of the sheet of that name. Raises NotUnderstood."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            part = _part(book, sheet)
            shared = (
                [_text(item) for item in tree(_read(book, "xl/sharedStrings.xml"))] if "xl/sharedStrings.xml" in book.namelist() else []
            )
            root = tree(_read(book, part))
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise NotUnderstood(f"it is no whole .xlsx workbook ({error}): export it anew") from None
    number = 0
    for row in (element for element in root.iter() if local(element) == "row"):
        number = int(row.get("r") or number + 1)
        yield number, _cells(row, shared)


def _part(book: zipfile.ZipFile, sheet: str) -> str:
    named = {e.get("name", ""): _relation(e) for e in tree(_read(book, "xl/workbook.xml")).iter() if local(e) == "sheet"}
    if sheet not in named:
        raise NotUnderstood(f'it has no sheet "{sheet}", only {", ".join(named) or "none"}: export the PLC tags from TIA Portal')
    targets = {e.get("Id", ""): e.get("Target", "") for e in tree(_read(book, "xl/_rels/workbook.xml.rels"))}
    target = targets.get(named[sheet], "")
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _relation(element: Element) -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == "id"), "")


def _read(book: zipfile.ZipFile, part: str) -> str:
    with book.open(part) as file:
        data = file.read(BYTES_MAX + 1)  # what is stored small may unpack to anything
    return decoded(data)


def _cells(row: Element, shared: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in (element for element in row if local(element) == "c"):
        at = _column(cell.get("r", ""), len(cells))
        if at >= COLUMNS_MAX:
            break
        cells += [""] * (at + 1 - len(cells))
        cells[at] = _value(cell, shared)
    return cells


def _column(reference: str, otherwise: int) -> int:
    found = _CELL.fullmatch(reference)
    if found is None:
        return otherwise
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return _text(cell).strip()
    text = next((element.text or "" for element in cell if local(element) == "v"), "").strip()
    if cell.get("t") == "s":
        return shared[int(text)].strip() if text.isdecimal() and int(text) < len(shared) else ""
    return text


def _text(element: Element) -> str:
    """Without phonetic guides, which Japanese and Chinese cells carry beside their text."""
    if local(element) == "rPh":
        return ""
    return (element.text or "" if local(element) == "t" else "") + "".join(_text(child) for child in element)
