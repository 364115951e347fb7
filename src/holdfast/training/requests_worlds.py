"""Requests made at random: what operators of no particular plant might type, with its kind, the quantity and the number marked.

Two requests in one text take the worse kind: a good wish with an unsafe one beside it is unsafe.
"""

import functools
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.training.tagger import Example, Marking

KINDS = (
    "set", "change", "show", "trend", "why", "incidents", "alarms", "acknowledge", "stop", "hold_batch", "work_order", "notify", "manual",
    "report", "unsafe", "outside",
)  # fmt: skip
LABELS = ("thing", "value")
FILE = Path(__file__).parent / "requests_words.toml"
MARKED = {"t": "thing", "q": "thing", "v": "value"}
UNSAFE_SHARE = 0.12  # of texts, beside its turn among the kinds: what matters most is seen often
_PLACE = re.compile(r"\{([a-z])\}")
_CHINESE = "零一二三四五六七八九"


@functools.cache
def _tables() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def make(r: random.Random) -> Example:
    """One request."""
    language = r.choice(("zh", "en"))
    kind = "unsafe" if r.random() < UNSAFE_SHARE else r.choice(KINDS)
    text, spans = _filled(r, language, r.choice(_tables()[language][kind]))
    if kind == "unsafe" and r.random() < 0.3:
        text, spans = _beside(r, language, (text, spans))
    before, after = (r.choice(_tables()[f"polite_{language}"][place]) for place in ("before", "after"))
    text, spans = before + text + after, [Marking(start=s.start + len(before), end=s.end + len(before), label=s.label) for s in spans]
    if r.random() < 0.12:
        text = "".join(_wide(c) if r.random() < 0.7 else c for c in text)
    if r.random() < 0.15 and not spans:
        text = _mistyped(r, text)
    if r.random() < 0.2:
        text = text.capitalize() if language == "en" else text
    return Example(text=text, spans=tuple(spans), kind=kind)


def _filled(r: random.Random, language: str, template: str) -> tuple[str, list[Marking]]:
    text, spans, last = "", list[Marking](), 0
    for found in _PLACE.finditer(template):
        text += template[last : found.start()]
        word = _number(r, language) if found[1] == "v" else r.choice(_tables()[f"words_{language}"][found[1]])
        if (label := MARKED.get(found[1])) is not None and word:
            spans.append(Marking(start=len(text), end=len(text) + len(word), label=label))
        text, last = text + word, found.end()
    return text + template[last:], spans


def _beside(r: random.Random, language: str, bad: tuple[str, list[Marking]]) -> tuple[str, list[Marking]]:
    """A good request before or behind the unsafe one."""
    good = _filled(r, language, r.choice(_tables()[language][r.choice(("set", "change", "show", "alarms"))]))
    first, second = (good, bad) if r.random() < 0.5 else (bad, good)
    join = r.choice(("，", "，然后", "；", "，顺便") if language == "zh" else (", ", " and then ", "; ", " and "))
    moved = len(first[0]) + len(join)
    shifted = [Marking(start=s.start + moved, end=s.end + moved, label=s.label) for s in second[1]]
    return first[0] + join + second[0], [*first[1], *shifted]


def _number(r: random.Random, language: str) -> str:
    if language == "zh" and r.random() < 0.15:
        return r.choice(("", "二", "三", "")) + "十" + r.choice(("", *_CHINESE[1:]))
    value = r.choice((r.uniform(0.1, 5.0), r.uniform(5, 50), r.uniform(50, 900)))
    return f"{value:.{r.choice((0, 0, 1, 2))}f}"


def _wide(c: str) -> str:
    return chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c


def _mistyped(r: random.Random, text: str) -> str:
    at = r.randrange(max(len(text) - 1, 1))
    return r.choice((text[:at] + text[at + 1 :], text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]))
