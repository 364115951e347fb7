"""Who publishes standards, how their prefixes are written, and how far a prefix alone can be trusted."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from holdfast.agent.knowledge.standards.reference import Style

# Two letters that are also a unit, initials, a place, a model series: bare, they need a year or a word beside them.
WEAK = frozenset({"JB", "DL", "HG", "SH", "YB", "NB", "SY", "HJ", "NY", "LD"})
# Their own numbers have five digits, which hardly anything else behind these letters has.
FIVE_DIGITS = frozenset({"HG", "NB"})
TRADES = (*sorted(WEAK), "GB")


class Kind(NamedTuple):
    """A prefix as a spelling. `family` is canonical; `firm`: nothing else is written so (GB/T, JGJ, Q/GDW, ISO/IEC)."""

    style: Style
    family: str
    firm: bool
    upper: bool


class Prefix(NamedTuple):
    """A prefix at its place. `end` is where the number begins (offset); `tight`: nothing but spaces lies between."""

    start: int
    end: int
    kind: Kind
    tight: bool


def _any_case(word: str) -> str:
    """`GB` as `[Gg][Bb]`: much faster to scan for than a pattern that ignores case."""
    return "".join(f"[{letter}{letter.lower()}]" for letter in word)


def _one_of(words: Iterable[str]) -> str:
    return "|".join(_any_case(word) for word in words)


def _begun(words: Iterable[str]) -> str:
    """The rest of each word where its first letter is already read."""
    return "|".join(f"(?<={_any_case(word[0])}){_any_case(word[1:])}" for word in words)


_T = r"\s?/\s?[TtZz]|[-_ ]?[Tt]"
_TRADE = rf"(?:{_begun(('GBZ', *TRADES, 'JGJ'))})(?:{_T})?|{_begun(('JJG',))}"
_GRID = rf"(?<=[Qq])\s?[/_]?\s?{_any_case('GDW')}(?:/[Zz])?"
_BODY_AFTER = _one_of(("ISO", "IEC", "EN", "IEEE", "VDE", "SAE", "ASTM"))
_KIND = _one_of(("FDIS", "DIS", "PAS", "GUIDE", "TS", "TR", "CD"))
_BODY = rf"(?:{_begun(('DIN', 'ISO', 'IEC', 'EN'))})(?:\s?[/ -]\s?(?:{_BODY_AFTER})){{0,3}}(?:\s?[/ ]\s?(?:{_KIND}))?"
# A set of first letters at the very front lets `re` skip to the next of them; the look behind it then leaves the inside of words.
PREFIX = re.compile(
    r"[GJDHSYNLTQAIEgjdhsynltqaie](?<![A-Za-z].)(?:"
    rf"(?P<trade>{_TRADE})(?P<sep>\s{{0,2}}[-_.:+/]?\s{{0,2}})(?=[0-9])"
    rf"|(?P<body>{_BODY})(?P<gap>\s{{0,2}}[-_+/]?\s?)(?=[0-9])"
    rf"|(?P<grid>{_GRID})\s?[-_]?\s?(?=[0-9])"
    rf"|(?P<safety>{_begun(('TSG',))})\s{{0,2}}-?\s?(?=[A-Z]{{0,2}}\s?[0-9])"
    rf"|(?P<astm>{_begun(('ASTM',))})\s{{0,2}}-?\s?(?=(?:[A-Ga-g][ -]?)?[0-9])"
    r")"
)
_SIGNS = re.compile(r"[\s/_-]+")
_PARTS = re.compile(r"([A-Z]+)(\s*/\s*|[\s-]+)?")


_GROUP_BEFORE = {"sep": "trade", "gap": "body"}


def prefix_of(found: re.Match[str]) -> Prefix:
    """What a match of PREFIX is."""
    last = found.lastgroup or ""
    group = _GROUP_BEFORE.get(last, last)
    text, start, ends, end = found.string, found.start(), found.end(group), found.end()
    return Prefix(start, end, _kind(group, text[start:ends]), ends == end or text[ends:end].isspace())


@lru_cache(maxsize=1024)
def _kind(group: str, written: str) -> Kind:
    style: Style = "astm" if group == "astm" else "international" if group == "body" else "chinese"
    family = {"trade": _trade, "body": _body}.get(group, _whole)(written.upper())
    firm = family not in WEAK and family != "GB" if group == "trade" else family not in ("ISO", "EN", "DIN")
    return Kind(style, family, firm, written.isupper())


def _trade(written: str) -> str:
    """GBT, GB_T, GB /T: GB/T. GBZ (health at work) is not GB/Z (guidance), and both are kept as written."""
    plain = _SIGNS.sub("", written)
    if plain.startswith("GBZ"):
        return "GB/Z" if "/" in written and written[:3] != "GBZ" else "GBZ/T" if plain == "GBZT" else "GBZ"
    if plain.endswith("T") and plain != "T":
        return f"{plain[:-1]}/T"
    return f"{plain[:-1]}/Z" if plain.endswith("Z") else plain


def _whole(written: str) -> str:
    plain = _SIGNS.sub("", written)
    return plain.replace("QGDW", "Q/GDW").replace("GDWZ", "GDW/Z")


def _body(written: str) -> str:
    """`DIN EN ISO`, `ISO/IEC`: a slash stays a slash, all else is a space; ISO IEC and ISO TS are written with one."""
    said = ""
    for name, sign in _PARTS.findall(written):
        slash = "/" in sign
        said += name + ("/" if slash else " " if sign else "")
    for loose, firm in (("ISO IEC", "ISO/IEC"), ("ISO TS", "ISO/TS"), ("ISO TR", "ISO/TR"), ("GUIDE", "Guide")):
        said = said.replace(loose, firm)
    return said.strip()
