"""Whether a passage of a manual, or a record, is about what was asked: its words, the very word that is asked for, an amount."""

import itertools
import re
from collections.abc import Collection, Sequence

from holdfast.agent.ask.cues import answering, has_deed, searched
from holdfast.agent.knowledge.manuals.words import IDLE, RUN, folded, indexed, terms
from holdfast.agent.tools.known import CaseTold, ManualHit

FITS = 0.5  # that a passage has what such a question asks for, against the share of words that it covers
ABOVE = 0.15
NEXT = 0.1  # that words stand side by side as they were asked
BEFORE, AFTER = 12, 16  # characters about a word in which its amount stands
_DOUBLED = re.compile(r"(.)\1$")
_ENDING = re.compile(r"(?:ing|ed|es|s|e|er|ly)$")
_HEAD = re.compile(r"\bwhat(?:'?s| is| are| was)? (?:the |our |its )((?:[a-z-]+ ){0,3}[a-z-]+) (?:of|on|for|in|at|inside)\b")
_LOOSE = frozenset(
    ("limit", "limits", "value", "amount", "number", "size", "rule", "thing", "step", "procedure", "point", "way", "time", "figure")
)
IMPLIED = (
    ("°C", "temperature 温度 度"),
    (" bar", "pressure 压力"),
    ("L/min", "flow 流量"),
    ("m/min", "speed 速度"),
    ("N·m", "torque 力矩"),
    (" Hz", "frequency 频率"),
    (" mm in diameter", "size"),
)


def fit(question: str, wanted: str, hit: ManualHit) -> float:
    """What speaks for a passage beside the words that it covers: that it answers such a question, and that its heading is about it."""
    above = [_has(f" {indexed(hit.heading.plant_text)} ", term.strip('"*')) for term in terms(wanted)]
    words = [word for word in folded(wanted).split() if word.isascii()]
    near = [f" {a} {b} " in f" {indexed(hit.text.plant_text)} " for a, b in itertools.pairwise(words)]
    beside = NEXT * sum(near) / len(near) if near else 0.0
    return FITS * answering(question, hit.text.plant_text) + ABOVE * sum(above) / max(len(above), 1) + beside


def covered(wanted: str, hit: ManualHit) -> float:
    """How much of the words that were searched for a passage has, with its heading; 0 to 1."""
    looked = [term.strip('"*') for term in terms(wanted)]
    held = f" {indexed(hit.heading.plant_text)} {indexed(hit.text.plant_text)} {implied(hit.text.plant_text)} "
    found = {term for term in looked if _has(held, term)}
    counted = [term for term in looked if term in found or not _between(term, found)]
    return len(found) / len(counted) if counted else 0.0


def _between(term: str, found: Collection[str]) -> bool:
    """嘴清 of 喷嘴清洗: a pair over the edge of two words that are both there says nothing."""
    pair = len(term) == 2 and term >= "\u3400"
    return pair and any(one.endswith(term[0]) for one in found) and any(one.startswith(term[1]) for one in found)


def names_what_is_asked(wanted: str, hit: ManualHit) -> bool:
    """What a question is after stands at its end in Chinese, at its beginning or its end in English: a passage that lacks the very word
    (the brand, the depth, the pH) has other words of it by chance. A number or a code that is asked about must be there too."""
    runs = RUN.findall(folded(wanted))
    text = folded(f"{hit.heading.plant_text} {hit.text.plant_text} {implied(hit.text.plant_text)}")
    held = f" {indexed(text)} "
    chinese = [run for run in runs if run[0] >= "\u3400"]
    latin = [run for run in runs if run[0] < "\u3400" and run not in IDLE]
    if not chinese:
        coded = [word for word in latin if any(c.isdigit() for c in word)]
        return all(_has(held, word) for word in (latin[:1] + latin[-1:] + coded))
    last = chinese[-1][-2:]
    return all(_has(held, word) for word in latin) and (last in text or all(char in text for char in last))


def has_head(asked: str, hit: ManualHit) -> bool:
    """The hardness *of* the roll is asked for, so that a passage about rolls must have a hardness."""
    found = _HEAD.search(folded(asked))
    head = searched(found[1].split()[-1]) if found else ""
    if not head or head in _LOOSE:
        return True
    held = f" {indexed(hit.heading.plant_text)} {indexed(hit.text.plant_text)} {implied(hit.text.plant_text)} "
    return all(_has(held, one) for one in head.split())


def implied(text: str) -> str:
    """Quantities that a passage has by their units alone: what is annealed at 720 °C has a temperature."""
    return " ".join(words for unit, words in IMPLIED if unit in text)


def _has(held: str, term: str) -> bool:
    """English words are compared without their endings."""
    if len(term) == 1 and term >= "\u3400":
        return term in held
    if f" {term} " in held:
        return True
    if not (term.isascii() and term.isalpha()):
        return False
    stem = _ENDING.sub("", term)
    stem = _DOUBLED.sub(r"\1", stem) if len(stem) > 2 else term  # stopped is stop
    return re.search(rf" {stem}{stem[-1]}?(?:e|s|es|ed|ing|er|ly)? ", held) is not None


def has_amount(wanted: str, text: str) -> bool:
    """Whether a number stands near the word whose amount is asked for; a table's row has it in its own cell."""
    chinese = [run for run in RUN.findall(folded(wanted)) if run[0] >= "\u3400"]
    if not chinese or " | " in text:
        return True
    last = re.escape(chinese[-1][-2:])
    return bool(re.search(rf"\d[^。；;]{{0,{BEFORE}}}{last}|{last}[^。；;]{{0,{AFTER}}}\d", text))


def passage(wanted: str, hit: ManualHit) -> str:
    """The whole paragraph; of a table the row that has most of it, under the names of its columns."""
    rows = hit.text.plant_text.split("\n")
    if len(rows) < 2 or " | " not in rows[0]:
        return hit.text.plant_text
    looked = [term.strip('"*') for term in terms(wanted)]
    best = max(rows[1:], key=lambda row: sum(_has(f" {indexed(row)} ", term) for term in looked))
    return f"{rows[0]}\n{best}"


def newest_of_deed(cases: Sequence[CaseTold], done: str, parts: Sequence[str]) -> list[CaseTold]:
    """The newest record in which it was done to one of these parts; where none names the part in the deed, one that names it at all."""
    of = [case for case in cases if has_deed(done, f"{case.action.plant_text} {case.parts.plant_text}")]
    to = [case for case in of if any(part in f"{case.action.plant_text} {case.parts.plant_text}".lower() for part in parts)]
    at = [case for case in of if any(part in f"{case.equipment.plant_text} {case.symptom.plant_text}".lower() for part in parts)]
    return sorted(to or (at if parts else of), key=lambda case: case.at, reverse=True)[:1]
