"""A question of several parts, taken apart: each part is understood by itself, with what the one before it was about.

"What is the vibration, its alarm limit, and when was the bearing last changed?" is three questions. A clause that asks nothing ("I have
just come on shift") is none. What is not clearly several stays one.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from holdfast.agent.ask.cues import cue, word
from holdfast.agent.ask.understand import Question, Understanding
from holdfast.agent.knowledge.called import folded

PARTS_MAX = 5
PART_CHARS_MIN = 2
_HARD = re.compile(r"[?？;；]+|\s[-–—]+\s|…|\.{3}|(?<=[\u3400-\u9fff])[。.](?=\s|\S)|\.\s")
_SOFT = re.compile(
    r"\s*(?:[,，、]\s*(?:and\s+|plus\s+|also\s+|以及|还有|另外|顺便|同时)?|\s(?:and also|as well as|and|plus)\s|以及|还有(?=.{2})|另外"
    r"|顺便(?:问下|问一下)?)"
)
# A clause of time or condition belongs to what is asked.
_BOUND = re.compile(r"(?:后|前|时|的话|期间|中)$|^(?:如果|要是|当|若|if|when|after|before|during|while|once|at|in|on|for|since|with)\b")
_IT = re.compile(r"\b(?:it|its|that)\b|它|其")
_AND = re.compile(r"\b(?:and|plus|also|as well as)\b|以及|还有|另外|同时|、")
_NOT_HERE = ("outside", "future", "period", "stock", "schedule", "stranger")
_LISTED: frozenset[str] = frozenset(("manual", "decline"))


def parts_of(text: str, understanding: Understanding, before: Question | None = None) -> tuple[Question, ...]:
    """At least one question, at most PARTS_MAX."""
    whole = understanding.of(text, before)
    pieces = _pieces(text)
    if len(pieces) < 2 or whole.why in ("unsafe", "empty") or whole.intent == "wish":
        return (whole,)
    asking: list[str] = []
    told = True  # what "and" joins to a clause that only tells must ask something itself
    for piece, coordinate in pieces:
        told = not _part(piece, coordinate and not told, understanding)
        asking += [] if told else [piece]
    if len(asking) == 1 and asking[0] != text:
        if whole.intent not in _LISTED:
            return (whole,)
        alone = understanding.of(asking[0], before)
        return (alone,) if alone.intent not in _LISTED else (whole,)
    found = _understood(asking, understanding, before)
    sure = [one for one in found if one.intent not in _LISTED]
    if len(found) < 2:
        return (whole,)
    if whole.intent == "now" and all(one.intent == "now" for one in sure):
        together = _merged(sure)[0] if sure else whole
        return (together if set(together.tags) > set(whole.tags) else whole,)
    if sure and (_differ(sure, whole) or _beside_records(found, understanding)):
        return tuple(_merged(found))
    if not sure and whole.intent == "manual" and all(one.intent == "manual" and _asks(one.text) for one in found):
        return found
    return (whole,)


def _understood(pieces: Sequence[str], understanding: Understanding, before: Question | None) -> tuple[Question, ...]:
    found: list[Question] = []
    last, subject, part = before, "", ""
    for piece in pieces[:PARTS_MAX]:
        if part and understanding.only_vague(piece):  # "coolant flow and temp?"
            whole = understanding.of(f"{part}{'' if part[0] > 'z' else ' '}{piece}", last)
            one = whole if whole.intent == "now" else understanding.of(piece, last)
        else:
            one = understanding.of(piece, last)
        part = understanding.part_of(piece) or part
        named = understanding.subject(piece)
        if one.intent == "manual" and subject and (not named or _IT.search(piece)) and not one.about:
            beside = f"{part} {one.text}" if part and part != subject else ""
            one = replace(one, text=f"{subject} {one.text}", about=one.text, instead=beside)
        subject = named or subject
        if one.intent not in ("decline",) and (one.tags or one.intent not in _LISTED):
            last = one
        found.append(one)
    return tuple(found)


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Each with whether a word like "and" leads to it."""
    pieces: list[tuple[str, bool]] = []
    for hard in _HARD.split(text):
        at, led = 0, False
        for found in _SOFT.finditer(hard):
            pieces.append((hard[at : found.start()], led))
            at, led = found.end(), bool(_AND.search(found[0]))
        pieces.append((hard[at:], led))
    joined: list[tuple[str, bool]] = []
    for piece, led in ((one.strip(" ,，、。.!！"), led) for one, led in pieces):
        if joined and _BOUND.search(joined[-1][0]) and not word("asks").search(folded(joined[-1][0])):
            joined[-1] = (f"{joined[-1][0]}, {piece}", joined[-1][1])
        elif len(piece) >= PART_CHARS_MIN:
            joined.append((piece, led))
    return joined


def _part(piece: str, coordinate: bool, understanding: Understanding) -> bool:
    """It asks something or names something that has a value; a clause that only tells is none. What "and" leads to is one in any case,
    unless it is mere manners."""
    if understanding.names_something(piece) or _asks(folded(piece)):
        return True
    return understanding.of(piece).why in _NOT_HERE or (coordinate and not understanding.idle(piece))


def _asks(text: str) -> bool:
    return bool(word("asks").search(text) or cue("norm").search(text))


def _differ(sure: Sequence[Question], whole: Question) -> bool:
    """They ask more than the whole was understood as."""
    kinds = {(one.intent, one.tags, one.what, one.against) for one in sure}
    return kinds != {(whole.intent, whole.tags, whole.what, whole.against)}


def _beside_records(found: Sequence[Question], understanding: Understanding) -> bool:
    """After a record, a part is asked about that stands in a book: "when was the bearing changed, which type is the bearing?"."""
    books = [one for one in found if one.intent == "manual" and understanding.part_of(one.text) and _asks(one.text)]
    return any(one.intent == "cases" for one in found) and any(understanding.part_of(one.about or one.text) for one in books)


def _merged(found: Sequence[Question]) -> list[Question]:
    """Values that are asked one after the other are read at once."""
    merged: list[Question] = []
    for one in found:
        if merged and one.intent == merged[-1].intent == "now":
            tags = tuple(dict.fromkeys((*merged[-1].tags, *one.tags)))
            merged[-1] = replace(merged[-1], tags=tags)
        elif one not in merged:
            merged.append(one)
    return merged
