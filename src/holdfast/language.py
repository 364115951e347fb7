"""Words for people, made from codes: one file a room and language in `words/`, read nowhere else.

A word file is flat TOML, `"code" = "text with {fact}"`. A placeholder that ends in `_s` is a time in seconds and is shown
as a person says it (`600` as `10 min`). A fact whose value is a code of its own (`why = "age"`) is looked up as `why.age`.
Numbers are shown to four significant digits, or to as many as it takes to tell two different ones of a sentence apart:
115.0001 above 115 must not read "115 is above 115". The record keeps all digits.
"""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")
FACT_MAX = 400  # characters of one fact that are shown: facts can hold what an agent sent

SHORT_S, LONG_S = 10.0, 120.0  # below: three digits; below: whole seconds; above: two units
DIGITS = (4, 6, 9, 17)  # tried in this order; 17 tell any two doubles apart

_DECIMAL = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_UNITS = {"en": (" d", " h", " min", " s"), "zh": (" 天", " 小时", " 分钟", " 秒")}


def say(code: str, facts: Mapping[str, str], language: str) -> str:
    """The sentence of a code in a language (unknown languages read English). An unknown code is said as it is, with its facts."""
    words = _words(language if language in LANGUAGES else "en")
    text = words.get(code)
    if text is None:
        told = ", ".join(f"{name}={value[:FACT_MAX]}" for name, value in facts.items())
        return f"{code} ({told})" if told else code

    shown = _shown({name: facts[name] for name in _PLACEHOLDER.findall(text) if name in facts}, words, language)
    return _PLACEHOLDER.sub(lambda match: shown.get(match.group(1), "?"), text)


def _shown(facts: Mapping[str, str], words: Mapping[str, str], language: str) -> Mapping[str, str]:
    """Each fact as a person reads it. Different facts of one kind (a time, a number) never look the same."""
    shown: dict[str, str] = {}
    for digits in DIGITS:
        for name, value in facts.items():
            if name.endswith("_s"):
                shown[name] = duration(value, language, digits)
            else:
                shown[name] = words.get(f"{name}.{value}", number(value, digits))
        kinds = ([n for n in facts if n.endswith("_s")], [n for n in facts if not n.endswith("_s")])
        if all(len({shown[n] for n in kind}) == len({facts[n] for n in kind}) for kind in kinds):
            break
    return shown


def number(value: str, digits: int = DIGITS[0]) -> str:
    """A decimal number to so many significant digits. A whole number, and what is no number, is shown as it is."""
    found = _DECIMAL.fullmatch(value)
    if found is None or not (found[1] or found[2]):
        return value[:FACT_MAX]
    exact = float(value)
    if exact == 0 or not 1e-4 <= abs(exact) < 1e15:
        return f"{exact:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(exact))), 0)
    return f"{exact:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{exact:.0f}"


def chosen(texts: Iterable[Sequence[str]], language: str) -> str:
    """Of (language, text) pairs that a person wrote the one in this language, else the first; "" where there is none."""
    by: dict[str, str] = {str(pair[0]): str(pair[1]) for pair in texts}
    return by.get(language) or next(iter(by.values()), "")


def explain(code: str, *, passed: bool, tag: str, facts: Iterable[tuple[str, str]], language: str) -> str:
    """The sentence of a decision's reason. An error inside a check is told as such."""
    known = {"tag": tag, "code": code, **dict(facts)}
    broke = not passed and "error" in known and "rule" not in known
    return say("check.error" if broke else code, known, language)


def duration(seconds: str, language: str, digits: int = DIGITS[0]) -> str:
    """Seconds as a person says them: `600` is `10 min`, `29.424` is `29 s`. More digits than four give all that differ."""
    try:
        value = float(seconds)
    except ValueError:
        return seconds[:FACT_MAX]
    units = _UNITS.get(language, _UNITS["en"])
    if not math.isfinite(value):
        return f"{value}{units[3]}"
    for size, unit in zip((86_400, 3_600, 60), units, strict=False):
        if value >= size and value % size == 0:
            return f"{value / size:.0f}{unit}"
    if digits > DIGITS[0] or abs(value) < SHORT_S or value < 0:
        return f"{value:.{digits if digits > DIGITS[0] else 3}g}{units[3]}"
    if value < LONG_S:
        # 59.97 s is not "60 s ago" where 1 min is the least.
        return f"{value:.0f}{units[3]}" if round(value) % 60 else f"{value:.4g}{units[3]}"
    rest, counts = round(value), list[int]()
    for size in (86_400, 3_600, 60, 1):
        count, rest = divmod(rest, size)
        counts.append(count)
    first = next(i for i, count in enumerate(counts) if count)
    shown = len(counts) if value.is_integer() else first + 2  # what was measured needs no more than two units
    return " ".join(f"{count}{unit}" for count, unit in zip(counts[:shown], units, strict=False) if count)


def retold(text: str, room: str, language: str) -> str:
    """A sentence that was made from one of a room's codes, in another language with the same facts; any other text as it is.

    For what is on record as text alone. Facts that are words of that room themselves are retold too. Where several codes fit, the
    one with the most words of its own is meant.
    """
    target, whole = _words(language), text.strip()
    for other in (one for one in LANGUAGES if one != language):
        if (same := _retold_word(whole, room, other, target)) != whole:
            return same
    for other in (one for one in LANGUAGES if one != language):
        for code, names, pattern in _sentences(other, room):
            found = pattern.fullmatch(whole)
            if found is not None and code in target:
                facts = {name: _retold_word(value, room, other, target) for name, value in zip(names, found.groups(), strict=True)}
                return _PLACEHOLDER.sub(lambda match, facts=facts: facts.get(match.group(1), "?"), target[code])
    return text


def _retold_word(value: str, room: str, language: str, target: Mapping[str, str]) -> str:
    words = _words(language)
    return next((target.get(code, value) for code, word in words.items() if word == value and code.startswith(f"{room}.")), value)


@cache
def _sentences(language: str, room: str) -> tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...]:
    """Codes of a room with their placeholders and what their sentences look like, the most telling first. Words alone are none."""
    found: list[tuple[int, str, tuple[str, ...], re.Pattern[str]]] = []
    for code, text in _words(language).items():
        names = tuple(_PLACEHOLDER.findall(text))
        if not code.startswith(f"{room}.") or not names or len(names) != len(set(names)):
            continue
        literal = _PLACEHOLDER.split(text)[::2]
        pattern = "(.+?)".join(re.escape(part) for part in literal)
        found.append((-sum(len(part.strip()) for part in literal), code, names, re.compile(pattern, re.DOTALL)))
    return tuple((code, names, pattern) for _, code, names, pattern in sorted(found, key=lambda one: one[:2]))


@cache
def _words(language: str) -> Mapping[str, str]:
    """All rooms' words of one language."""
    found: dict[str, str] = {}
    for file in sorted(files("holdfast.words").iterdir(), key=lambda f: f.name):
        if file.name.endswith(f".{language}.toml"):
            found |= flat(tomllib.loads(file.read_text(encoding="utf-8")), "")
    return found


def flat(table: Mapping[str, object], before: str) -> dict[str, str]:
    """`[a] b = "…"` and `"a.b" = "…"` are the same word."""
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = str(value)
    return found
