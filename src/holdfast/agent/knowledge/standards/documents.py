"""Reads a manual or procedure as plain text whose lines are the file's own: text, Markdown, HTML."""

from html.parser import HTMLParser
from pathlib import Path

BYTES_MAX = 100_000_000
TEXTS = frozenset({".txt", ".md", ".markdown", ".csv", ".tsv", ".rst", ".log", ".json", ".yaml", ".yml", ".xml", ".st", ""})
PAGES = frozenset({".html", ".htm", ".xhtml"})
CURES = {
    ".pdf": "PDF is not read here: save its text (pdftotext -layout FILE.pdf) and check that",
    ".doc": "save it as HTML or text and check that",
    ".docx": "save it as HTML or text and check that",
    ".xls": "save the sheet as CSV and check that",
    ".xlsx": "save the sheet as CSV and check that",
    ".odt": "save it as HTML or text and check that",
}
UNSEEN = frozenset({"script", "style", "template"})
# A reference goes on through these (`GB/T <b>3811</b>`); every other tag ends a word.
INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "cite", "code", "em", "font", "i", "mark", "small", "span", "strong", "sub", "sup", "u", "wbr"}
)


class Unreadable(Exception):
    """The file can't be read as text; the text says what to do."""


def document(path: Path) -> str:
    """The text of a file, each piece in the line where the file has it. Raises Unreadable."""
    try:
        if path.is_dir():
            raise Unreadable(f"{path}: a folder; name the files in it")
        if path.stat().st_size > BYTES_MAX:
            raise Unreadable(f"{path}: larger than {BYTES_MAX} bytes; split it")
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}; name a file that can be read") from error
    suffix = path.suffix.lower()
    if suffix in CURES or content.startswith(b"%PDF"):
        raise Unreadable(f"{path}: {CURES.get(suffix, CURES['.pdf'])}")
    text = decoded(content, str(path))
    return (
        shown(text)
        if suffix in PAGES or (suffix not in TEXTS and text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")))
        else text
    )


def decoded(content: bytes, name: str) -> str:
    """UTF-8, UTF-16 with a mark, or GB18030. Raises Unreadable for what is no text."""
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise Unreadable(f"{name}: this is no text in UTF-8, UTF-16 or GB18030; save it as UTF-8")


class _Page(HTMLParser):
    """Collects what a page shows, with a line break wherever the source has one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.line = 1
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in UNSEEN
        self._gap(tag)

    def handle_endtag(self, tag: str) -> None:
        self.unseen = max(0, self.unseen - (tag in UNSEEN))
        self._gap(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._gap(tag)

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self._reach(self.getpos()[0])
            self.pieces.append(data)
            self.line += data.count("\n")

    def _gap(self, tag: str) -> None:
        if tag not in INLINE:
            # A bar, as in a table: no reference goes from one cell to the next.
            self.pieces.append(" | ")

    def _reach(self, line: int) -> None:
        if line > self.line:
            self.pieces.append("\n" * (line - self.line))
            self.line = line


def shown(page: str) -> str:
    """The text that an HTML page shows, line for line."""
    parser = _Page()
    parser.feed(page)
    parser.close()
    return "".join(parser.pieces)
