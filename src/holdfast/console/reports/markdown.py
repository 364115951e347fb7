"""A document as Markdown: text that any tool reads; drawings stay behind as their captions, with the numbers that they show."""

import json
import re

from holdfast.console.reports.chart import Label
from holdfast.console.reports.document import Block, Document, Figure, Heading, Paragraph, Quote, Table
from holdfast.console.reports.mark import KEY

# What an agent wrote must not become markup of ours.
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def text(document: Document) -> str:
    """With front matter: what it is, and the mark where a generative model wrote any of it."""
    head = {"title": document.title, "id": document.id, "language": document.language, "made": document.made}
    front = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in head.items()]
    front += [f"{KEY}: {document.aigc}"] if document.aigc else []
    facts = [f"- {escaped(name)}: {escaped(value)}" for name, value in document.facts]
    notice = [f"> **{escaped(document.notice)}**", ""] if document.notice else []
    blocks = [part for block in document.blocks for part in (_block(block), "")]
    return "\n".join(["---", *front, "---", "", f"# {escaped(document.title)}", "", *notice, *facts, "", *blocks])


def escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("\n", " ")


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {escaped(block.text)}"
        case Paragraph():
            return escaped(block.text) + _cites(block.cites)
        case Quote():
            mark = f"**{escaped(block.mark)}** " if block.mark else ""
            lines = (f"**{escaped(block.who)}**", *(mark * (not i) + escaped(line) for i, line in enumerate(block.text.split("\n"))))
            return "\n".join(f"> {line}" for line in lines) + _cites(block.cites)
        case Table():
            return _table(block)
        case Figure():
            said = [shape.text for shape in block.chart.shapes if isinstance(shape, Label)]
            return f"*{escaped(block.caption)}*: {escaped('; '.join(said))}"


def _cites(cites: tuple[int, ...]) -> str:
    return "".join(f" \\[{seq}\\]" for seq in cites)


def _table(table: Table) -> str:
    rule = "|".join("---:" if place in table.numeric else "---" for place in range(len(table.columns)))
    rows = (table.columns, *table.rows)
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    return "\n".join((lines[0], f"|{rule}|", *lines[1:]))
