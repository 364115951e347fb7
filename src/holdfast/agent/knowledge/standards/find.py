"""Finds references to standards in a text: fold, scan for prefixes, read numbers and lists, ask whether to believe it."""

import re
from collections.abc import Iterator

from holdfast.agent.knowledge.standards.believed import believed
from holdfast.agent.knowledge.standards.families import PREFIX, Kind, prefix_of
from holdfast.agent.knowledge.standards.folded import fold
from holdfast.agent.knowledge.standards.numbers import Number, listed, number_at
from holdfast.agent.knowledge.standards.reference import Reference, canonical

AMENDMENT = re.compile(
    r"\s?[/+]\s?(?P<what>XG\s?[0-9]{1,2}(?:-[0-9]{4})?|(?:AMD|Amd|A|AC|Cor|COR)\.?\s?[0-9]{0,2}(?::[0-9]{4})?)(?![A-Za-z0-9])"
)
_DOTTED = r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,5}"
CLAUSE = re.compile(
    r"\s?(?:中|的|[,，;；)）》]\s?)?(?:"
    rf"第\s?(?P<article>{_DOTTED}|[一二三四五六七八九十]{{1,3}})\s?[条章节款]"
    rf"|(?:sub-?clause|clause|cl\.|section|§)\s?(?P<section>{_DOTTED})"
    r"|(?:附录|附件|annex|appendix)\s?(?P<annex>[A-Z](?:\.[0-9]{1,2}){0,3})(?![A-Za-z])"
    r"|(?:表|图|table|figure|fig\.)\s?(?P<table>[A-Z]?[0-9.]{0,8}[0-9])"
    r"|(?P<bare>[0-9]{1,2}(?:\.[0-9]{1,3}){1,5})(?![0-9.A-Za-z%]))",
    re.IGNORECASE,
)


def find(text: str) -> tuple[Reference, ...]:
    """Every mention of a standard in `text`, in its order; offsets are characters of `text` as given."""
    return tuple(_found(text, fold(text)))


def _found(text: str, plain: str) -> Iterator[Reference]:
    read_to = -1  # where the last reference ends
    for match in PREFIX.finditer(plain):
        if match.start() < read_to:
            continue
        prefix = prefix_of(match)
        first = number_at(plain, prefix.end, prefix.kind)
        if first is None:
            continue
        others = tuple(listed(plain, first, prefix.kind))
        dated = bool(first.year) or any(other.year for other in others)
        if not believed(plain, prefix, first, dated=dated, read_to=read_to):
            continue
        yield _reference(text, plain, prefix.kind, first, prefix.start)
        for other in others:
            yield _reference(text, plain, prefix.kind, other, other.start)
        read_to = others[-1].end if others else first.end


def _reference(text: str, plain: str, kind: Kind, number: Number, start: int) -> Reference:
    amendment = AMENDMENT.match(plain, number.end)
    clause = CLAUSE.match(plain, amendment.end() if amendment else number.end)
    return Reference(
        start=start,
        end=number.end,
        surface=text[start : number.end],
        canonical=canonical(kind.style, kind.family, number.number, number.part, number.year),
        family=kind.family,
        number=number.number,
        part=number.part,
        year=number.year,
        clause=clause[clause.lastindex or 0] if clause else "",
        amendment=amendment["what"] if amendment else "",
    )
