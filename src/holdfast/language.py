"""Words for people, made from codes: one file a room and language in `words/`, read nowhere else.

A word file is flat TOML, `"code" = "text with {fact}"`. A placeholder that ends in `_s` is a time in seconds and is shown
as a person says it (`600` as `10 min`). A fact whose value is a code of its own (`why = "age"`) is looked up as `why.age`.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")
FACT_MAX = 400  # characters of one fact that are shown: facts can hold what an agent sent

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_UNITS = {"en": (" d", " h", " min", " s"), "zh": (" 天", " 小时", " 分钟", " 秒")}


def say(code: str, facts: Mapping[str, str], language: str) -> str:
    """The sentence of a code in a language (unknown languages read English). An unknown code is said as it is, with its facts."""
    words = _words(language if language in LANGUAGES else "en")
    text = words.get(code)
    if text is None:
        told = ", ".join(f"{name}={value[:FACT_MAX]}" for name, value in facts.items())
        return f"{code} ({told})" if told else code

    def fact(match: re.Match[str]) -> str:
        name = match.group(1)
        value = facts.get(name)
        if value is None:
            return "?"
        if name.endswith("_s"):
            return duration(value, language)
        return words.get(f"{name}.{value}", value[:FACT_MAX])

    return _PLACEHOLDER.sub(fact, text)


def explain(code: str, *, passed: bool, tag: str, facts: Iterable[tuple[str, str]], language: str) -> str:
    """The sentence of a decision's reason. An error inside a check is told as such."""
    known = {"tag": tag, "code": code, **dict(facts)}
    broke = not passed and "error" in known and "rule" not in known
    return say("check.error" if broke else code, known, language)


def duration(seconds: str, language: str) -> str:
    """Seconds as a person says them: `600` is `10 min`. What is no number is shown as it is."""
    try:
        value = float(seconds)
    except ValueError:
        return seconds[:FACT_MAX]
    units = _UNITS.get(language, _UNITS["en"])
    for size, unit in zip((86_400, 3_600, 60), units, strict=False):
        if value >= size and value % size == 0:
            return f"{value / size:.0f}{unit}"
    return f"{value:.10g}{units[3]}"


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
