"""A report as words, in one language: headings, sentences, tables, drawings, and who wrote each of them.

Renderers (HTML, Markdown, PDF) know these words and nothing of plants.
"""

from typing import TypeAlias

from holdfast.console.reports.chart import Chart
from holdfast.terms import Word

TEMPLATE = "template"  # sentences of this house, filled with the record's facts
MODEL = "model:"  # how `made_by` begins where a generative model wrote the text
PERSON, AGENT = "person:", "agent:"


class Heading(Word):
    text: str
    level: int = 2


class Paragraph(Word):
    """`cites` are numbers of records in the ledger."""

    text: str
    cites: tuple[int, ...] = ()
    made_by: str = TEMPLATE


class Quote(Word):
    """What somebody else wrote; never mixed into our sentences. `mark` is said in front of a generative model's text."""

    who: str
    text: str
    cites: tuple[int, ...] = ()
    made_by: str = PERSON
    mark: str = ""


class Table(Word):
    """`numeric`: columns that are set to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    widths: tuple[float, ...] = ()  # shares of the whole, for who sets pages; () for equal


class Figure(Word):
    chart: Chart
    caption: str


Block: TypeAlias = Heading | Paragraph | Quote | Table | Figure


class Document(Word):
    """`facts` stand under the title; `notice` is said first where a generative model wrote any of it."""

    id: str
    kind: str
    language: str
    title: str
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    made: str  # when, in the site's zone
    made_ns: int  # the same, UTC
    notice: str = ""
    aigc: str = ""  # the metadata's value (mark.py); "" where no generative model wrote any of it


def generated(blocks: tuple[Block, ...]) -> tuple[str, ...]:
    """The models that wrote some of it, each once."""
    return tuple(dict.fromkeys(b.made_by for b in blocks if isinstance(b, Paragraph | Quote) and b.made_by.startswith(MODEL)))
