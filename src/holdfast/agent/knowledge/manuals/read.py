"""A file of any kind that is known as a manual: by its first bytes where they tell, else by its name."""

from collections.abc import Callable
from pathlib import Path

from holdfast.agent.knowledge.manuals import docx, sheets, texts
from holdfast.agent.knowledge.manuals.passage import Manual, Passage, Unreadable
from holdfast.agent.knowledge.standards.documents import TEXTS, decoded
from holdfast.agent.knowledge.standards.documents import Unreadable as NoText

BYTES_MAX = 500_000_000
TEXT_BYTES_MAX = 50_000_000
PASSAGE_CHARS_MAX = 4_000  # one that is longer is cut into several
PASSAGES_MAX = 200_000
OLD = frozenset({".doc", ".xls", ".ppt", ".pptx", ".odt", ".ods", ".rtf"})


def read(path: Path, progress: Callable[[float], None] = lambda _: None) -> Manual:
    """Raises Unreadable, with what to do in its words."""
    size, first = opened(path, BYTES_MAX)
    found = _read(path, first, size, progress)
    if not found.passages:
        raise Unreadable("manuals.empty", file=path.name)
    passages = tuple(piece for passage in found.passages for piece in _cut(passage))
    if len(passages) > PASSAGES_MAX:
        raise Unreadable("manuals.passages", file=path.name, passages=str(len(passages)), most=str(PASSAGES_MAX))
    return Manual(pages=found.pages, passages=passages, blank=found.blank)


def opened(path: Path, bytes_max: int) -> tuple[int, bytes]:
    """The size of a file that can be read, and its first bytes. Raises Unreadable."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise Unreadable("manuals.folder", file=str(path))
        if size > bytes_max:
            raise Unreadable("manuals.large", file=path.name, bytes=str(size), most=str(bytes_max))
        with path.open("rb") as file:
            return size, file.read(8)
    except OSError as error:
        raise Unreadable("manuals.no_file", file=str(path), why=str(error.strerror)) from error


def text_of(path: Path) -> str:
    """A text in whatever encoding it can be told to be in. Raises Unreadable."""
    try:
        return decoded(path.read_bytes(), path.name)
    except OSError as error:
        raise Unreadable("manuals.no_file", file=str(path), why=str(error.strerror)) from error
    except NoText as error:
        raise Unreadable("manuals.no_text", file=path.name) from error


def _read(path: Path, first: bytes, size: int, progress: Callable[[float], None]) -> Manual:
    suffix = path.suffix.lower()
    if first.startswith(b"%PDF") or suffix == ".pdf":
        try:
            from holdfast.agent.knowledge.manuals import pdf
        except ImportError as error:
            raise Unreadable("manuals.extra", file=path.name, needs=str(error.name)) from error
        return pdf.read(path, progress)
    if suffix in (".xlsx", ".xlsm"):
        try:
            return sheets.workbook(path)
        except ImportError as error:
            raise Unreadable("manuals.extra", file=path.name, needs=str(error.name)) from error
    if suffix in (".docx", ".docm"):
        return docx.read(path, progress)
    if suffix in OLD:
        raise Unreadable("manuals.kind", file=path.name, kind=suffix)
    if size > TEXT_BYTES_MAX:
        raise Unreadable("manuals.large", file=path.name, bytes=str(size), most=str(TEXT_BYTES_MAX))
    if suffix not in TEXTS and suffix not in (".html", ".htm", ".xhtml"):
        raise Unreadable("manuals.kind", file=path.name, kind=suffix)
    text = text_of(path)
    if suffix in (".csv", ".tsv"):
        return sheets.comma_separated(text, path.name)
    return texts.html(text) if texts.is_html(path, text) else texts.markdown(text)


def _cut(passage: Passage) -> list[Passage]:
    """At the ends of lines or sentences where it can be; the pieces keep the paragraph's number."""
    text = passage.text
    found: list[Passage] = []
    while len(text) > PASSAGE_CHARS_MAX:
        at = max(text.rfind(end, PASSAGE_CHARS_MAX // 2, PASSAGE_CHARS_MAX) for end in ("\n", "。", ". ", "；", " "))
        at = at + 1 if at > 0 else PASSAGE_CHARS_MAX
        found.append(_with(passage, text[:at].strip()))
        text = text[at:]
    return [*found, _with(passage, text.strip())] if text.strip() else found


def _with(passage: Passage, text: str) -> Passage:
    return Passage(page=passage.page, paragraph=passage.paragraph, heading=passage.heading, text=text, table=passage.table)
