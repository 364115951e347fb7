"""A document as PDF on A4: outline, page numbers, tables that go on over pages, drawings as lines, and its fonts inside.

Needs fpdf2 (extra `pdf`). Lines are broken here: fpdf2 breaks at spaces alone, and Chinese has none.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace
from fpdf.table import Table as FpdfTable

from holdfast.console.reports.chart import COLOURS, Bar, Chart, Label, Line, Tone
from holdfast.console.reports.document import Block, Document, Figure, Heading, Paragraph, Quote, Table
from holdfast.console.reports.fonts import Face, FontError, found
from holdfast.language import say
from holdfast.terms import SECOND_NS

__all__ = ["FontError", "content"]

MARGIN_MM, WIDTH_MM = 18.0, 174.0
TEXT_PT, SMALL_PT, LINE_MM, TABLE_LINE_MM = 10.0, 8.0, 5.2, 4.2
SIZES_PT = {1: 17.0, 2: 13.0, 3: 10.5}
CELL_PADDING_MM = 1.0
FOLLOWS_MM = {2: 60.0, 3: 34.0}  # room that a heading wants on its page
PT_MM = 72 / 25.4  # points a millimetre
FAMILY = "report"
INSTEAD = {"\u202f": "\u00a0", "\u2011": "-", "▾": "▼", "▼": "▽", "−": "-", "\t": " "}  # for what a font lacks
UNKNOWN = "□"
PAGES = "{nb}"
WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"  # where a line may be broken between any two
# A wide character with the closing signs after it, or a word, or spaces.
PIECE = re.compile(rf"[“‘（《【\[(]*[{WIDE}][，。、；：？！）》】”’,.;:!?)]*|[^\s{WIDE}]+|\s+")
TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title><dc:identifier>{id}</dc:identifier>'
    "{aigc}</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def content(document: Document, font: Path | None = None) -> bytes:
    """The file. `font`: a file with Chinese characters, else one of the system's. Raises FontError."""
    regular, bold = found(font)
    sheets = _Sheets(document, regular, bold)
    sheets.add_page()
    sheets.begin()
    for block in document.blocks:
        sheets.put(block)
    return bytes(sheets.output())


class _Sheets(FPDF):
    def __init__(self, document: Document, regular: Face, bold: Face | None) -> None:
        super().__init__(format="A4")
        self.document = document
        self._characters = regular.characters
        self.add_font(FAMILY, "", regular.file, collection_font_number=regular.number)
        heavy = bold or regular
        self.add_font(FAMILY, "B", heavy.file, collection_font_number=heavy.number)
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM + 6)
        self.set_title(document.title)
        self.set_producer("Holdfast")
        self.set_lang("zh-CN" if document.language == "zh" else "en")
        self.set_creation_date(datetime.fromtimestamp(document.made_ns / SECOND_NS, tz=UTC))
        aigc = f'<TC260:AIGC xmlns:TC260="{TC260}">{escape(document.aigc, quote=False)}</TC260:AIGC>' if document.aigc else ""
        self.set_xmp_metadata(XMP.format(title=escape(document.title), id=escape(document.id), aigc=aigc))
        self.alias_nb_pages(PAGES)

    def footer(self) -> None:
        self.set_y(-MARGIN_MM)
        self._letters(SMALL_PT, tone="soft")
        pages = say("reports.pdf.page", {"page": str(self.page_no()), "pages": PAGES}, self.document.language)
        self.cell(WIDTH_MM / 2, 5, self._fit(self.document.title)[:70])
        self.cell(WIDTH_MM / 2, 5, pages, align="R")

    def begin(self) -> None:
        document = self.document
        self._letters(SIZES_PT[1], bold=True)
        self._lines(document.title, WIDTH_MM, 8)
        self.ln(2)
        if document.notice:
            self._notice(document.notice)
        with self._table((0.24, 0.76), ()) as table:
            for name, value in document.facts:
                row = table.row()
                row.cell(self._broken(name, 0.24 * WIDTH_MM - 2 * CELL_PADDING_MM), style=FontFace(color=COLOURS["soft"]))
                row.cell(self._broken(value, 0.76 * WIDTH_MM - 2 * CELL_PADDING_MM))

    def put(self, block: Block) -> None:
        match block:
            case Heading():
                self._heading(block)
            case Paragraph():
                self._letters(TEXT_PT)
                self._lines(block.text + "".join(f" [{seq}]" for seq in block.cites), WIDTH_MM, LINE_MM)
                self.ln(0.8)
            case Quote():
                self._quote(block)
            case Table():
                self._rows(block)
            case Figure():
                self._figure(block)

    # ---- blocks ------------------------------------------------------------------------------------------------------

    def _heading(self, block: Heading) -> None:
        if self.will_page_break(FOLLOWS_MM[block.level]):  # a heading stands with what follows it
            self.add_page()
        self.ln(5 if block.level == 2 else 2.5)
        self.start_section(block.text, level=block.level - 2)
        self._letters(SIZES_PT[block.level], bold=True)
        self._lines(block.text, WIDTH_MM, 6.5 if block.level == 2 else 5.5)
        if block.level == 2:
            self._pen("faint", 0.3)
            self.line(MARGIN_MM, self.get_y() + 0.4, MARGIN_MM + WIDTH_MM, self.get_y() + 0.4)
        self.ln(1.6)

    def _quote(self, block: Quote) -> None:
        self._letters(TEXT_PT - 0.5, bold=True)
        if self.will_page_break(14):
            self.add_page()
        page, top = self.page_no(), self.get_y()
        self.set_x(MARGIN_MM + 4)
        self._lines(block.who, WIDTH_MM - 4, LINE_MM)
        if block.mark:
            self.set_x(MARGIN_MM + 4)
            self._notice(block.mark, inset=4)
        self._letters(TEXT_PT - 0.5)
        for line in block.text.split("\n"):
            self.set_x(MARGIN_MM + 4)
            self._lines(line, WIDTH_MM - 4, LINE_MM)
        if page == self.page_no():
            self._pen("soft", 0.6)
            self.line(MARGIN_MM + 1.2, top + 0.4, MARGIN_MM + 1.2, self.get_y() - 0.4)
        self.ln(1.6)

    def _notice(self, text: str, inset: float = 0.0) -> None:
        """The mark that people see, in a frame."""
        self._letters(TEXT_PT, bold=True)
        self._pen("warn", 0.5)
        self.set_x(MARGIN_MM + inset)
        broken = self._broken(text, WIDTH_MM - inset - 4)
        self.multi_cell(WIDTH_MM - inset, LINE_MM + 1, broken, border=1, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, padding=1)
        self.ln(1.5)

    def _rows(self, block: Table) -> None:
        widths = block.widths or tuple(1 / len(block.columns) for _ in block.columns)
        self._letters(SMALL_PT + 0.5)
        inside = [WIDTH_MM * share / sum(widths) - 2 * CELL_PADDING_MM for share in widths]
        with self._table(widths, block.numeric) as table:
            for number, cells in enumerate((block.columns, *block.rows)):
                row = table.row()
                for wide, cell in zip(inside, cells, strict=True):
                    row.cell(self._broken(cell, wide, bold=number == 0))
        self.ln(1.5)

    def _table(self, widths: tuple[float, ...], numeric: tuple[int, ...]) -> AbstractContextManager[FpdfTable]:
        self._pen("light", 0.2)
        self._letters(SMALL_PT + 0.5)
        self.set_fill_color(255)
        align = tuple("RIGHT" if place in numeric else "LEFT" for place in range(len(widths)))
        return self.table(
            col_widths=widths, width=WIDTH_MM, align="LEFT", text_align=align, line_height=TABLE_LINE_MM, padding=CELL_PADDING_MM,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, first_row_as_headings=bool(numeric) or len(widths) > 2,
            headings_style=FontFace(emphasis="BOLD", color=COLOURS["soft"]),
        )  # fmt: skip

    def _figure(self, block: Figure) -> None:
        scale = WIDTH_MM / block.chart.width
        if self.will_page_break(block.chart.height * scale + 8):
            self.add_page()
        top = self.get_y() + 1
        self._draw(block.chart, scale, top)
        self.set_xy(MARGIN_MM, top + block.chart.height * scale + 1)
        self._letters(SMALL_PT + 0.5, tone="soft")
        self._lines(block.caption, WIDTH_MM, TABLE_LINE_MM)
        self.ln(2)

    def _draw(self, chart: Chart, scale: float, top: float) -> None:
        for shape in chart.shapes:
            match shape:
                case Line():
                    self._pen(shape.tone, shape.width * scale)
                    self.set_dash_pattern(*((4 * scale, 3 * scale) if shape.dashed else ()))
                    self.polyline([(MARGIN_MM + x * scale, top + y * scale) for x, y in shape.points])
                    self.set_dash_pattern()
                case Bar():
                    self.set_fill_color(COLOURS[shape.tone])
                    self.rect(MARGIN_MM + shape.x * scale, top + shape.y * scale, shape.width * scale, shape.height * scale, style="F")
                case Label():
                    self._letters(shape.size * scale * PT_MM, tone=shape.tone)
                    text = self._fit(shape.text)
                    back = {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor] * self.get_string_width(text)
                    self.text(MARGIN_MM + shape.x * scale - back, top + shape.y * scale, text)

    # ---- letters -----------------------------------------------------------------------------------------------------

    def _letters(self, size_pt: float, *, bold: bool = False, tone: Tone = "ink") -> None:
        self.set_font(FAMILY, "B" if bold else "", size_pt)
        self.set_text_color(COLOURS[tone])

    def _pen(self, tone: Tone, width_mm: float) -> None:
        self.set_draw_color(COLOURS[tone])
        self.set_line_width(width_mm)

    def _lines(self, text: str, width_mm: float, height_mm: float) -> None:
        self.multi_cell(
            width_mm, height_mm, self._broken(text, width_mm - 2 * self.c_margin), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )

    def _fit(self, text: str) -> str:
        """With what the font has: a sign that it lacks is replaced by one that means the same, else shown as missing."""
        for sign, other in INSTEAD.items():
            if sign in text and ord(sign) not in self._characters:
                text = text.replace(sign, other)
        text = text.replace(PAGES, "{nb }")  # fpdf2 puts the number of pages in its place, wherever it stands
        return "".join(c if ord(c) in self._characters or c in "\n{}" else UNKNOWN if c.isprintable() else " " for c in text)

    def _broken(self, text: str, width_mm: float, *, bold: bool = False) -> str:
        """With line ends where a line is full: between words, or between any two Chinese characters."""
        before = self.font_style
        if bold:
            self.set_font(style="B")
        room = width_mm - 0.1
        lines: list[str] = []
        for paragraph in self._fit(text).split("\n"):
            line = ""
            for piece in self._pieces(paragraph, room):
                if line and self.get_string_width(line + piece.rstrip()) > room:
                    lines.append(line.rstrip())
                    line = piece.lstrip()
                else:
                    line += piece
            lines.append(line.rstrip())
        self.set_font(style=before)
        return "\n".join(lines)

    def _pieces(self, text: str, room: float) -> Iterator[str]:
        for found_ in PIECE.finditer(text):
            piece = found_.group()
            while self.get_string_width(piece) > room and len(piece) > 1:  # a word longer than a line is cut
                fits = next((n for n in range(len(piece) - 1, 0, -1) if self.get_string_width(piece[:n]) <= room), 1)
                yield piece[:fits]
                piece = piece[fits:]
            yield piece
