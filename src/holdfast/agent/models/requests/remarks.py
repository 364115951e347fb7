"""Clauses beside an order that only tell why ("a bit tight", 太大了) or what was talked about: nothing of the order, so they are set aside.

A clause is a remark where nothing but names is left of it without these words. One with a number, a condition, or a word that no rule
knows stays, and the order with it is then not explained to the last word.
"""

import dataclasses
import re

from holdfast.agent.knowledge.called import Named
from holdfast.agent.models.requests.amounts import amounts
from holdfast.agent.models.requests.rules import alternatives
from holdfast.terms import Word

_CLAUSE = re.compile(r"[^，,。.;；!！\n]+")
_SAYS_HOW = re.compile(alternatives("remarks", "how"))
_TALKED = re.compile(alternatives("remarks", "talked"))
_HIGH, _LOW = re.compile(alternatives("remarks", "high")), re.compile(alternatives("remarks", "low"))
_CONDITIONS = re.compile(alternatives("words", "conditions"))

_RUNNING = "/state"


class Remarked(Word):
    """What is named without its remarks, which are blanks now; `way` +1 where they say that there is too much of it, -1 too little."""

    named: Named
    way: int


def set_aside(named: Named) -> Remarked:
    """Only where an amount stands in another clause."""
    kept, way = list(named.text), 0
    spans = (*named.quantities, *named.tags, *named.equipment)
    for clause in _CLAUSE.finditer(named.text):
        if _holds_number(named, clause.start(), clause.end()):
            continue
        bare = list(named.text)
        for one in spans:
            bare[one.start : one.end] = " " * (one.end - one.start)
        left = "".join(bare[clause.start() : clause.end()]).strip()
        how, talked = _SAYS_HOW.fullmatch(left), _TALKED.fullmatch(left)
        if not how and (not talked or _CONDITIONS.search(left) or left != clause[0].strip()):
            continue
        if how:
            way += bool(_HIGH.search(left)) - bool(_LOW.search(left))
        for at in range(clause.start(), clause.end()):
            if not any(one.start <= at < one.end and one.what != _RUNNING for one in spans):
                kept[at] = " "
    text = "".join(kept)
    quantities = tuple(one for one in named.quantities if one.what != _RUNNING or text[one.start : one.end].strip())  # "running a bit dry"
    return (
        Remarked(named=dataclasses.replace(named, text=text, quantities=quantities), way=way)
        if amounts(text)
        else Remarked(named=named, way=0)
    )


def _holds_number(named: Named, start: int, end: int) -> bool:
    names = (*named.quantities, *named.tags, *named.equipment)
    return any(
        start <= n.start < end
        for n in amounts(named.text)
        if named.text[n.start : n.end] != "一" and not any(n.start < one.end and one.start < n.end for one in names)
    )
