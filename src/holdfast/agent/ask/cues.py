"""The words of cues.toml at work: what a question is about, what it is looked up by, and whether a passage can answer such a question."""

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

STRICT = ("how", "because", "who", "long")
TABLES = ("decline", "cues", "words", "answers", "deeds")
FILE = Path(__file__).parent / "cues.toml"
_AMOUNT = re.compile(r"(?:是|有|要|为)?(?:多少|多大|多高)(?:了|呢|啊)?[?？]?$")


@functools.cache
def cues() -> Mapping[str, Mapping[str, re.Pattern[str]]]:
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {table: {n: re.compile("|".join(longest(alternatives))) for n, alternatives in raw[table].items()} for table in TABLES}


def longest(alternatives: Sequence[str]) -> Sequence[str]:
    """Longer ones first, so that a short one does not leave the rest of a longer one."""
    return sorted(alternatives, key=len, reverse=True)


def cue(name: str) -> re.Pattern[str]:
    return cues()["cues"][name]


def word(name: str) -> re.Pattern[str]:
    return cues()["words"][name]


@functools.cache
def same_words() -> Mapping[str, str]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))["same"]


@functools.cache
def _said_otherwise() -> re.Pattern[str]:
    return re.compile("|".join(rf"\b{re.escape(said)}\b" if said.isascii() else re.escape(said) for said in longest(tuple(same_words()))))


def searched(text: str) -> str:
    """A question as it is looked up: in a manual's words, without those that only ask."""
    plain = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)
    plain = _said_otherwise().sub(lambda found: same_words()[found[0]], plain)  # once over it, so that no word is put in twice
    return re.sub(r"\s+", " ", cues()["words"]["search"].sub(" ", plain)).strip()


def amount_asked(text: str) -> bool:
    """How much of something is asked, and nothing else."""
    return bool(_AMOUNT.search(text))


def answering(question: str, passage: str) -> bool:
    """Whether a passage has what such a question asks for: a duration for "how long", steps for "how"."""
    words, answers = cues()["words"], cues()["answers"]
    wanted = next((name for name in ("often", "long", "where", "how", "type") if words[name].search(question)), "")
    if wanted:
        return bool(answers[wanted].search(passage))
    if words["define"].search(question):
        return passage.lower().startswith(searched(question).rstrip("?？ "))
    return False


def lacking(question: str, passage: str) -> bool:
    """Whether a question asks for something that a passage can't give: steps where it has none, a reason, a person."""
    words, answers = cues()["words"], cues()["answers"]
    asked = [name for name in STRICT if words[name].search(question)]
    if "long" in asked and words["often"].search(question):
        asked = ["often" if name == "long" else name for name in asked]  # 多久一次 is no length of time
    return any(not answers[name].search(passage) for name in asked)


def deed(text: str) -> str:
    """What was done with a part (`replaced`, `cleaned` …), where a text says so."""
    return next((name for name, pattern in cues()["deeds"].items() if pattern.search(text)), "")


def has_deed(name: str, text: str) -> bool:
    return bool(cues()["deeds"][name].search(text))


@functools.cache
def _signs() -> Mapping[str, str]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))["signs"]


def sign_words(text: str) -> tuple[str, ...]:
    """The signs and parts that a text names, in both languages."""
    return tuple(dict.fromkeys(one for word, other in _signs().items() if word in text for one in (word, *other.split())))


def signs(text: str) -> str:
    """A question with its signs in the other language too, as past cases are searched."""
    return " ".join((text, *sign_words(text)))
