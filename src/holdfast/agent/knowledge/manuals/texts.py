"""Text, Markdown and HTML: headings, paragraphs and tables, as the file marks them."""

import re
from html.parser import HTMLParser
from pathlib import Path

from holdfast.agent.knowledge.manuals.passage import CELL, Manual, Passage, joined

HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*")
RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?")
BLOCKS = frozenset(
    [
        "p",
        "li",
        "dd",
        "dt",
        "blockquote",
        "pre",
        "div",
        "section",
        "article",
        "figcaption",
        "caption",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "footer",
        "main",
    ]
)
UNSEEN = frozenset({"script", "style", "template", "nav"})


class _Passages:
    """In order, each with the heading that it stands under."""

    def __init__(self) -> None:
        self.found: list[Passage] = []
        self.heading = ""

    def put(self, text: str, *, table: bool = False) -> None:
        if text.strip():
            self.found.append(Passage(page=1, paragraph=len(self.found) + 1, heading=self.heading, text=text.strip(), table=table))

    def manual(self) -> Manual:
        return Manual(pages=1, passages=tuple(self.found), blank=() if self.found else (1,))


def markdown(text: str) -> Manual:
    """Also plain text, which is Markdown without marks."""
    found = _Passages()
    lines: list[str] = []

    def end() -> None:
        if len(lines) > 1 and RULE.fullmatch(lines[1].strip()):
            rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in (lines[0], *lines[2:])]
            found.put("\n".join(CELL.join(row) for row in rows), table=True)
        else:
            found.put(joined(lines))
        lines.clear()

    for line in text.split("\n"):
        if head := HEADING.fullmatch(line.strip()):
            end()
            found.heading = head[2]
            found.put(head[2])
        elif not line.strip():
            end()
        else:
            if lines and re.match(r"\s*([-*+]|\d+[.)])\s", line) and "|" not in line:  # an item of a list is a paragraph of its own
                end()
            lines.append(line)
    end()
    return found.manual()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = _Passages()
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self.unseen = self.tables = 0
        self.in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in UNSEEN
        if tag == "table":
            self.end()
            self.tables += 1
        elif tag in ("tr", "td", "th") and self.tables:
            self._end_cell()
            self.rows += [[]] if tag == "tr" else []
            self.in_cell = tag != "tr"
        elif tag == "br" or (tag in BLOCKS and not self.tables):
            self.end() if tag != "br" else self.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.unseen = max(0, self.unseen - (tag in UNSEEN))
        if tag in ("tr", "td", "th", "table") and self.tables:
            self._end_cell()
        if tag == "table" and self.tables:
            self.tables -= 1
            if not self.tables:
                self.found.put("\n".join(CELL.join(row) for row in self.rows if any(row)), table=True)
                self.rows.clear()
        elif tag in BLOCKS and not self.tables:
            if tag[0] == "h" and tag[1:].isdigit():
                self.found.heading = " ".join("".join(self.text).split())
            self.end()

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.text.append(data)

    def _end_cell(self) -> None:
        """Also where the page leaves its end out."""
        if self.in_cell and self.rows:
            self.rows[-1].append(" ".join("".join(self.text).split()))
        self.in_cell = False
        self.text.clear()

    def end(self) -> None:
        self.found.put(" ".join("".join(self.text).split()))
        self.text.clear()


def html(text: str) -> Manual:
    page = _Page()
    page.feed(text)
    page.close()
    page.end()  # what stands after the last tag
    return page.found.manual()


def is_html(path: Path, text: str) -> bool:
    return path.suffix.lower() in (".html", ".htm", ".xhtml") or text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))
