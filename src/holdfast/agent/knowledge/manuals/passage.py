"""A passage: a paragraph or a table of a document, where it stands, and what it says."""

from collections.abc import Mapping

from holdfast.language import say
from holdfast.terms import Word

CELL = " | "  # between the cells of a table's row; rows stand in lines, the first names the columns


class Passage(Word):
    """`page` counts from 1: a page of a PDF, a sheet of a workbook, else 1. `paragraph` counts from 1 on each page; of a sheet it is
    the number of the first row. `heading` is the nearest one above, or the sheet's name."""

    page: int
    paragraph: int
    text: str
    heading: str = ""
    table: bool = False


class Manual(Word):
    """What was read of a file. `blank`: pages without text, pictures of text among them."""

    pages: int
    passages: tuple[Passage, ...]
    blank: tuple[int, ...] = ()


class Unreadable(Exception):
    """The file can't be read; `code` has words in both languages, which name `facts`."""

    def __init__(self, code: str, **facts: str) -> None:
        self.code = code
        self.facts: Mapping[str, str] = facts
        super().__init__(self.told("en"))

    def told(self, language: str) -> str:
        return say(self.code, self.facts, language)


def joined(lines: list[str]) -> str:
    """Lines of one paragraph as running text: a hyphen at a line's end is taken out, Chinese goes on without a space."""
    text = ""
    for line in (line.strip() for line in lines):
        if not text or not line:
            text += line
        elif text[-1] == "-" and text[-2:-1].isalpha() and line[0].islower():
            text = text[:-1] + line
        elif wide(text[-1]) and wide(line[0]):
            text += line
        else:
            text += " " + line
    return text


def wide(char: str) -> bool:
    """Chinese characters and their punctuation, which are written without spaces."""
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or "\uff00" <= char <= "\uffef" or char in "“”‘’…"
