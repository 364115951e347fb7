"""DOCX by the standard library: headings by their styles, paragraphs, tables as tables; read as a stream, no tree is built.

Source: ECMA-376 Part 1, 17.3 (paragraphs and runs), 17.4 (tables), 17.7 (styles). A file does not know its pages: they are made when it is
shown. So a place is its paragraph, on page 1, as in other texts. A table is one paragraph. Not read: numbers of lists, headers and footers,
notes, comments, what was deleted; a table of contents, which says nothing that its headings do not.
"""

import dataclasses
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from holdfast.agent.knowledge.manuals.passage import Manual, Passage, Unreadable
from holdfast.agent.knowledge.manuals.sheets import CELL_CHARS_MAX, COLUMNS_MAX, ROWS_MAX, tables

DOCUMENT, STYLES = "word/document.xml", "word/styles.xml"
PART_BYTES_MAX = 100_000_000  # of one part, unpacked
CHARS_MAX = 50_000_000  # of all that is read: merged cells say the same again and again
PARAGRAPHS_MAX = 200_000
DEPTH_MAX = 1_000  # of elements in elements
BASED_ON_MAX = 10  # styles that a style rests on, one on the other
CHUNK_BYTES = 1 << 20
SEALED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how an encrypted document begins, and one of before 2007
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
COMPATIBLE = "http://schemas.openxmlformats.org/markup-compatibility/2006"
HEADING = re.compile(r"(?:heading|title|标题)\s*[1-9]?", re.IGNORECASE)
CONTENTS = re.compile(r"toc\s*[1-9]", re.IGNORECASE)
# The same text a second time, for readers of before; what was moved elsewhere; the pronunciation above a sign.
UNSEEN = frozenset({"Fallback", "moveFrom", "del", "rt"})
SIGNS = {"tab": " ", "br": " ", "cr": " ", "noBreakHyphen": "-"}


def read(path: Path, progress: Callable[[float], None] = lambda _: None) -> Manual:
    """Raises Unreadable."""
    try:
        with zipfile.ZipFile(path) as packed:
            styles = _Styles()
            if STYLES in packed.namelist():
                _part(packed, STYLES, path, styles, lambda _: None)
            body = _Body(styles, path.name)
            if DOCUMENT not in packed.namelist():
                raise Unreadable("manuals.docx_broken", file=path.name, why=f"no {DOCUMENT} in it")
            _part(packed, DOCUMENT, path, body, progress)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError) as error:
        with path.open("rb") as file:
            sealed = file.read(8) == SEALED
        raise Unreadable("manuals.encrypted" if sealed else "manuals.docx_broken", file=path.name, why=str(error)[:200]) from error
    if not body.found:
        raise Unreadable("manuals.empty", file=path.name)
    return Manual(pages=1, passages=tuple(body.found))


class _Reader:
    """What a part's elements are told to, by their names without a namespace, in the namespace of Word or of compatibility."""

    def start(self, name: str, given: Mapping[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


def _part(packed: zipfile.ZipFile, name: str, path: Path, reader: _Reader, progress: Callable[[float], None]) -> None:
    told = packed.getinfo(name)
    if told.flag_bits & 1:
        raise Unreadable("manuals.encrypted", file=path.name)
    if told.file_size > PART_BYTES_MAX:
        raise Unreadable("manuals.unpacked", file=path.name, bytes=str(told.file_size), most=str(PART_BYTES_MAX))
    depth = 0

    def refused(*_: object) -> None:
        # No document has one; who writes one wants entities in entities.
        raise Unreadable("manuals.docx_broken", file=path.name, why="it declares a document type of its own")

    def start(tag: str, given: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH_MAX:
            raise Unreadable("manuals.docx_broken", file=path.name, why=f"more than {DEPTH_MAX} elements in one another")
        if found := _local(tag):
            reader.start(found, {_local(key) or key: value for key, value in given.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        if found := _local(tag):
            reader.end(found)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refused
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, reader.text
    with packed.open(told) as content:  # gives no more bytes than the size that was looked at
        done = 0
        while chunk := content.read(CHUNK_BYTES):
            parser.Parse(chunk, False)
            done += len(chunk)
            progress(done / max(told.file_size, 1))
        parser.Parse(b"", True)


def _local(tag: str) -> str:
    """Without its namespace; "" of a foreign one."""
    space, _, name = tag.rpartition(" ")
    return name if space in (WORD, STRICT, COMPATIBLE) else ""


class _Styles(_Reader):
    def __init__(self) -> None:
        self._id = ""
        self.contents: set[str] = set()
        self._heads: set[str] = set()
        self._based: dict[str, str] = {}

    def start(self, name: str, given: Mapping[str, str]) -> None:
        value = given.get("val", "")
        if name == "style":
            self._id = given.get("styleId", "") if given.get("type") == "paragraph" else ""
        elif not self._id:
            return
        elif (name == "name" and HEADING.fullmatch(value)) or (name == "outlineLvl" and value in tuple("012345678")):
            self._heads.add(self._id)
        elif name == "name" and CONTENTS.fullmatch(value):
            self.contents.add(self._id)
        elif name == "basedOn":
            self._based[self._id] = value

    def headings(self) -> frozenset[str]:
        """Ids of the styles of headings, those that rest on one with them."""
        found = set(self._heads)
        for _ in range(BASED_ON_MAX):
            found |= {one for one, on in self._based.items() if on in found}
        return frozenset(found)


@dataclasses.dataclass
class _Table:
    """One that is being read."""

    place: int  # among those that began, for one that stands in a cell ends before the one that it stands in
    rows: list[list[str]] = dataclasses.field(default_factory=list[list[str]])
    row: list[str] = dataclasses.field(default_factory=list[str])
    text: list[str] = dataclasses.field(default_factory=list[str])
    columns: int = 1
    goes_on: bool = False

    def end_cell(self) -> int:
        """Put into the row, once for each column that it covers; returns the characters that this made."""
        text = " ".join(" ".join(self.text).split())[:CELL_CHARS_MAX]
        at = len(self.row)
        if self.goes_on and self.rows and at < len(self.rows[-1]):
            text = self.rows[-1][at]
        more = [text] * min(self.columns, COLUMNS_MAX - at)
        self.row += more
        self.text, self.columns, self.goes_on = [], 1, False
        return len(more) * len(text)


_Kind = Literal["", "heading", "contents"]


class _Body(_Reader):
    def __init__(self, styles: _Styles, name: str) -> None:
        self.found: list[Passage] = []
        self._headings, self._contents, self._name = styles.headings(), styles.contents, name
        self._heading = ""
        self._number = self._chars = 0
        self._open: list[tuple[list[str], _Kind]] = []  # paragraphs in paragraphs: a text box stands in one
        self._tables: list[_Table] = []
        self._ended: list[_Table] = []  # told once the outermost ends
        self._unseen = 0
        self._in_text = False

    def start(self, name: str, given: Mapping[str, str]) -> None:
        value = given.get("val", "")
        table = self._tables[-1] if self._tables else None
        if name in UNSEEN:
            self._unseen += 1
        elif name == "p":
            self._open.append(([], ""))
        elif name == "tbl":
            self._tables.append(_Table(place=len(self._tables) + len(self._ended)))
        elif name == "t":
            self._in_text = True
        elif name in SIGNS and self._open and not self._unseen:
            self._open[-1][0].append(SIGNS[name])
        elif self._open and (kind := self._kind(name, value)):
            self._open[-1] = (self._open[-1][0], kind)
        elif table is not None and name == "gridSpan" and value.isascii() and value.isdigit():
            table.columns = max(1, min(int(value[:4]), COLUMNS_MAX))
        elif table is not None and name == "vMerge":
            table.goes_on = value != "restart"

    def end(self, name: str) -> None:
        table = self._tables[-1] if self._tables else None
        if name in UNSEEN:
            self._unseen -= 1
        elif name == "t":
            self._in_text = False
        elif name == "p" and self._open:
            text, kind = self._open.pop()
            self._paragraph("".join(text), kind)
        elif name == "tc" and table is not None:
            self._count(table.end_cell())
        elif name == "tr" and table is not None:
            if len(table.rows) < ROWS_MAX:
                table.rows.append(table.row)
            table.row = []
        elif name == "tbl" and table is not None:
            self._tables.pop()
            self._ended.append(table)
            if not self._tables:
                for one in sorted(self._ended, key=lambda one: one.place):
                    self._table(one.rows)
                self._ended = []

    def text(self, text: str) -> None:
        if self._in_text and self._open and not self._unseen:
            self._open[-1][0].append(text)

    def _kind(self, name: str, value: str) -> _Kind:
        if name == "outlineLvl":
            return "heading" if value in tuple("012345678") else ""
        if name != "pStyle":
            return ""
        if value in self._headings or re.fullmatch(r"(?:Heading|Title)\d?", value):
            return "heading"
        return "contents" if value in self._contents else ""

    def _paragraph(self, text: str, kind: _Kind) -> None:
        text = " ".join(text.split())
        if not text or kind == "contents":
            return
        self._count(len(text))
        if self._tables:
            self._tables[-1].text.append(text)
            return
        if kind == "heading":
            self._heading = text
        self._number += 1
        self._put([Passage(page=1, paragraph=self._number, heading=self._heading, text=text)])

    def _table(self, rows: list[list[str]]) -> None:
        found = tables([row for row in rows if any(row)], page=1, heading=self._heading)
        if found:
            self._number += 1
            self._put([dataclasses.replace(piece, paragraph=self._number) for piece in found])

    def _put(self, passages: list[Passage]) -> None:
        self.found += passages
        if len(self.found) > PARAGRAPHS_MAX:
            raise Unreadable("manuals.passages", file=self._name, passages=str(len(self.found)), most=str(PARAGRAPHS_MAX))

    def _count(self, chars: int) -> None:
        self._chars += chars
        if self._chars > CHARS_MAX:
            raise Unreadable("manuals.unpacked", file=self._name, bytes=str(self._chars), most=str(CHARS_MAX))
