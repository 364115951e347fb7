"""PDF by PDFium: pieces of lines with their places become lines, lines become paragraphs and tables.

PDFium reads Chinese without embedded code tables, and text that other readers give letter by letter. Needs the extra `manuals`.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdfium2 as pdfium

from holdfast.agent.knowledge.manuals.passage import CELL, Manual, Passage, Unreadable, joined
from holdfast.terms import Word

PAGES_MAX = 3_000
PIECES_MAX = 20_000  # of one page
CHARS_MIN = 8  # of a page with text; page numbers alone are none
CELL_GAP = 1.2  # times the height of the letters: two pieces of a line that are further apart are cells
PARAGRAPH_PITCH = 1.5  # times the page's close lines: what is further below is another paragraph
HEADING_TALLER, OTHER_SIZE = 1.15, 1.25  # times the page's usual letters; times the line's above
HEADING_CHARS_MAX = 80
ALIGNED = 6.0  # points by which cells of a column may stand apart
SIGNS = {0: None, 2: "-", 10: " ", 13: None}  # PDFium says \x02 for a hyphen at a line's end
FULL = 6.0  # heights of letters: a line that ends nearer to the right than this goes on in the next
ITEM = re.compile(r"\s*(?:[•▪●■◆·–]|\d{1,2}[.)、）]|[(（]\d{1,2}[)）]|[a-z][.)])\s*\S")
MARKER = re.compile(r"\s*(?:[•▪●■◆·–]|\d{1,2}[.)、]|[(（]\d{1,2}[)）])\s*")  # of an item, with a gap behind it
# `4.2 Relief valve`, `第三章 液压`; `1. Open it` is an item. Dots that lead to a page number are a table of contents.
NUMBERED = re.compile(r"(?:\d+(?:\.\d+)*|第[一二三四五六七八九十\d]+[章节]|(?:Appendix|Chapter|附录)\s*[A-Z\d]+)\s+[A-Z\u4e00-\u9fff]")
LEADERS = re.compile(r"(?:\.\s?){4}|…{2}")
NUMBER = re.compile(r"\W*(?:page|第)?\s*[\divxlc]{1,5}\s*(?:页)?\W*", re.IGNORECASE)  # of a page, at its top or foot
ENDS = "。.：:；;！!？?"


class Piece(Word):
    """Some letters of one line, in points from the page's lower left."""

    left: float
    bottom: float
    right: float
    top: float
    text: str


class _Line:
    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = sorted(pieces, key=lambda p: p.left)
        self.bottom, self.top = min(p.bottom for p in pieces), max(p.top for p in pieces)
        self.height = max(p.top - p.bottom for p in pieces)
        self.left, self.right = self.pieces[0].left, max(p.right for p in pieces)
        self.cells = _cells(self.pieces, self.height)

    @property
    def text(self) -> str:
        return " ".join(cell.text.strip() for cell in self.cells)


def _cells(pieces: Sequence[Piece], height: float) -> list[Piece]:
    """Pieces that stand close together are one."""
    cells: list[Piece] = []
    for piece in pieces:
        apart = piece.left - cells[-1].right if cells else 0.0
        if not cells or (apart >= CELL_GAP * height and not MARKER.fullmatch(cells[-1].text)):
            cells.append(piece)
            continue
        last = cells[-1]
        spaced = last.text.endswith(" ") or piece.text.startswith(" ") or apart <= 0.15 * height
        text = last.text + ("" if spaced else " ") + piece.text
        cells[-1] = Piece(left=last.left, bottom=last.bottom, right=max(last.right, piece.right), top=last.top, text=text)
    return cells


def read(path: Path, progress: Callable[[float], None] = lambda _: None) -> Manual:
    """Raises Unreadable."""
    name = path.name
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        code = "manuals.encrypted" if "password" in str(error).lower() else "manuals.pdf_broken"
        raise Unreadable(code, file=name, why=str(error)) from error
    try:
        pages = len(document)
        if not 0 < pages <= PAGES_MAX:
            raise Unreadable("manuals.pages", file=name, pages=str(pages), most=str(PAGES_MAX))
        passages: list[Passage] = []
        blank: list[int] = []
        heading = ""
        for number in range(pages):
            pieces = _pieces(document, number, name)
            if sum(len(p.text) for p in pieces) < CHARS_MIN:
                blank.append(number + 1)
            found, heading = passages_of(pieces, number + 1, heading)
            passages += found
            progress((number + 1) / pages)
    finally:
        document.close()
    if len(blank) == pages:
        raise Unreadable("manuals.scanned", file=name, pages=str(pages))
    return Manual(pages=pages, passages=tuple(passages), blank=tuple(blank))


def _pieces(document: pdfium.PdfDocument, number: int, name: str) -> list[Piece]:
    try:
        page = document[number]
        text = page.get_textpage()
        count = min(text.count_rects(), PIECES_MAX)
        found: list[Piece] = []
        for place in range(count):
            left, bottom, right, top = text.get_rect(place)
            said = text.get_text_bounded(left, bottom, right, top).translate(SIGNS)
            if said.strip():
                bottom, top = _letters(text, left, bottom, top)
                found.append(Piece(left=left, bottom=bottom, right=right, top=top, text=said))
        text.close()
        page.close()
        return found
    except pdfium.PdfiumError as error:
        raise Unreadable("manuals.page_broken", file=name, page=str(number + 1), why=str(error)) from error


def _letters(text: pdfium.PdfTextPage, left: float, bottom: float, top: float) -> tuple[float, float]:
    """Foot and head of the font's letters: a rectangle ends where the ink does, lower without capitals and shorter without tails."""
    index = text.get_index(left + 1.0, (bottom + top) / 2, 4.0, 4.0)
    if index is None:
        return bottom, top
    _, low, _, high = text.get_charbox(index, loose=True)
    return (low, high) if 0 < high - low < 3 * (top - bottom) + 20 else (bottom, top)


def passages_of(pieces: Sequence[Piece], page: int, heading: str) -> tuple[list[Passage], str]:
    """The passages of a page, and the heading in force at its end."""
    lines = _lines(pieces)
    lines = [line for at, line in enumerate(lines) if not (at in (0, len(lines) - 1) and len(lines) > 1 and NUMBER.fullmatch(line.text))]
    if not lines:
        return [], heading
    usual = _usual(lines)
    pitches = sorted(above.bottom - below.bottom for above, below in itertools.pairwise(lines))
    pitch = pitches[len(pitches) // 4] if pitches else usual
    found: list[Passage] = []
    at = 0
    while at < len(lines):
        many = _table(lines, at)
        if many:
            rows = _rows(lines[at : at + many])
            found.append(
                Passage(page=page, paragraph=len(found) + 1, heading=heading, text="\n".join(CELL.join(r) for r in rows), table=True)
            )
            at += many
            continue
        line = lines[at]
        text = line.text.strip()
        many = _paragraph(lines, at, pitch)
        taller = line.height > HEADING_TALLER * usual or (many == 1 and NUMBERED.match(text) and text[-1:] not in ENDS)
        if taller and len(text) <= HEADING_CHARS_MAX and not LEADERS.search(text):
            heading = text
        text = joined([one.text for one in lines[at : at + many]])
        found.append(Passage(page=page, paragraph=len(found) + 1, heading=heading, text=text))
        at += many
    return found, heading


def _lines(pieces: Sequence[Piece]) -> list[_Line]:
    """From top to bottom: pieces whose middles lie within each other's height are one line."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: (-(p.top + p.bottom), p.left)):
        middle = (piece.top + piece.bottom) / 2
        if rows and rows[-1][0].bottom < middle < rows[-1][0].top:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [_Line(row) for row in rows]


def _table(lines: Sequence[_Line], at: int) -> int:
    """How many lines from here on are rows of a table: at least two, of two or more cells that stand in the same columns."""
    first = lines[at]
    if len(first.cells) < 2:
        return 0
    many = 1
    for line in lines[at + 1 :]:
        if not line.cells or len(line.cells) > len(first.cells) or not all(_in_column(cell, first.cells) for cell in line.cells):
            break
        if len(line.cells) == 1 and len(first.cells) > 1 and _far(lines[at + many - 1], line):
            break
        many += 1
    return many if many > 1 and sum(len(line.cells) > 1 for line in lines[at : at + many]) > 1 else 0


def _in_column(cell: Piece, columns: Sequence[Piece]) -> bool:
    """Aligned left, right or at the middle."""
    return any(
        abs(cell.left - c.left) < ALIGNED
        or abs(cell.right - c.right) < ALIGNED
        or abs(cell.left + cell.right - c.left - c.right) < 2 * ALIGNED
        for c in columns
    )


def _far(above: _Line, below: _Line) -> bool:
    return above.bottom - below.top > 1.0 * above.height


def _rows(lines: Sequence[_Line]) -> list[list[str]]:
    """Cells by the first row's columns; a row with a gap has an empty cell there."""
    columns = lines[0].cells
    rows: list[list[str]] = []
    for line in lines:
        row = [""] * len(columns)
        for cell in line.cells:
            place = min(range(len(columns)), key=lambda i, c=cell: abs(c.left + c.right - columns[i].left - columns[i].right))
            row[place] = (row[place] + " " + cell.text.strip()).strip()
        rows.append(row)
    return rows


def _paragraph(lines: Sequence[_Line], at: int, pitch: float) -> int:
    """How many lines from here on are one paragraph. `pitch`: from line to line where they stand close."""
    many = 1
    right = max(line.right for line in lines)
    for above, below in itertools.pairwise(lines[at:]):
        taller = max(above.height, below.height) / max(min(above.height, below.height), 0.1)
        if above.bottom - below.bottom > PARAGRAPH_PITCH * max(pitch, above.height) or (
            taller > OTHER_SIZE and below.height > above.height
        ):
            break
        if ITEM.match(below.text) or (below.left - above.left > above.height and above.right < right - FULL * above.height):
            break  # an item of a list, or an indent below a line that was not full
        if above.height > HEADING_TALLER * _usual(lines) and below.height < above.height / HEADING_TALLER:
            break
        if above.text.rstrip()[-1:] in ENDS and above.right < right - 4 * above.height:
            break  # a short last line that ends a sentence
        if _table(lines, at + many):
            break
        many += 1
    return many


def _usual(lines: Sequence[_Line]) -> float:
    return sorted(line.height for line in lines)[len(lines) // 2]
