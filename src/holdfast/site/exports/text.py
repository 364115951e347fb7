"""Bytes as text, whatever wrote them: UTF-8, UTF-16 with its mark, or GB18030; rows of cells; and XML without entities."""

import codecs
import csv
import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

from holdfast.site.exports.found import NotUnderstood

BYTES_MAX = 64 * 1024 * 1024


def decoded(data: bytes) -> str:
    """Raises NotUnderstood for what is no text."""
    if len(data) > BYTES_MAX:
        raise NotUnderstood(f"it is larger than {BYTES_MAX} bytes: export it device by device")
    marked = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encodings = ("utf-16",) if data.startswith(marked) else _guesses(data)
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise NotUnderstood("it is no text in UTF-8, UTF-16 or GB18030: save it as UTF-8")


def _guesses(data: bytes) -> tuple[str, ...]:
    """UTF-16 without its mark shows itself by the zeros of its Latin letters."""
    head = data[:200]
    if head.count(0) * 4 > len(head):
        return ("utf-16-le",) if head[1::2].count(0) > head[::2].count(0) else ("utf-16-be",)
    return ("utf-8-sig", "gb18030")


def table(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row that is not empty; the separator is that of the first row."""
    first = text.lstrip().split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise NotUnderstood(f"line {rows.line_num} is no CSV row ({error}): check its quotes, or export it anew") from None


def tree(text: str) -> ElementTree.Element:
    """XML's root. Entities are refused: they can make a small file huge."""
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise NotUnderstood("it declares entities, which no tag export does: export it anew")
    try:
        return ElementTree.fromstring(text.partition("?>")[2] if text.startswith("<?xml") else text)
    except ElementTree.ParseError as error:
        raise NotUnderstood(f"it is no well-formed XML ({error}): export it anew") from None


def local(element: ElementTree.Element) -> str:
    """A tag's name without its namespace."""
    return element.tag.rpartition("}")[2]
