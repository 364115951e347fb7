"""The number of a standard: digits, parts, year, and the further numbers of a list or a range that share one kind."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from holdfast.agent.knowledge.standards.families import Kind
from holdfast.agent.knowledge.standards.quantities import COUNT_AFTER, ONE_LETTER, UNIT_AFTER
from holdfast.agent.knowledge.standards.reference import Style

LISTED_MAX = 20  # numbers behind one prefix
YEAR = re.compile(r"(?:19\d\d|20[0-4]\d)")
_Y = YEAR.pattern

# `GB 50217（2018年版）` and `ISO 9001 2008` are written too, but a year behind a space is not one where 年 or a figure follows.
_BESIDE = rf"|[/ ](?P<spaced>{_Y})(?![0-9年.-])|\s?\(\s?(?P<boxed>{_Y})\s?(?:年?版|年)?\s?\)"
# `一` is what a scan of a page makes of a dash. Chinese numbers have no hyphen part, so two digits behind one are a year.
_TWO = r"(?<![:_])(?<!:\s)[0-9]{2}(?![0-9]|[-/.:][0-9])"
_CHINESE_YEAR = rf"(?:\s?(?:[-一_:]\s?){{1,2}}(?:\n\s?)?(?P<year>{_Y}|{_TWO})(?![0-9]){_BESIDE})?"
_CHINESE = re.compile(rf"(?P<number>[0-9]{{1,6}}+)(?P<part>(?:\.[0-9]{{1,4}}(?![0-9])){{0,3}}+){_CHINESE_YEAR}")
_SAFETY = re.compile(rf"(?P<number>[A-Z]\s?[0-9]{{3,5}}+|[A-Z]{{2}}\s?[0-9]{{3,4}}+|[0-9]{{2}}(?![0-9]))(?P<part>){_CHINESE_YEAR}")
_BODY_DATED = rf"\s?:\s?(?P<year>{_Y}|[6-9][0-9](?![0-9:.]))(?![0-9]|-[0-9]{{2}}-)|(?:\s?[-一]{{1,2}}\s?|\.)(?P<dashed>{_Y})(?![0-9年])"
_BODY_PART = r"/[0-9](?![0-9]|\.[0-9])|(?:-[0-9]{1,3}(?![0-9]|\.[0-9])){0,4}+"
# IEC 60 751 and EN 301 549: old print and ETSI set thousands apart.
_BODY = re.compile(
    rf"(?P<number>(?:[1-9][0-9]|30[0-9]) [0-9]{{3}}(?![0-9])|[0-9]{{1,6}}+)(?P<part>{_BODY_PART})(?:{_BODY_DATED}{_BESIDE})?"
)
_ASTM = re.compile(
    r"(?P<number>(?:[A-G][ -]?|[a-g])?[0-9]{1,4}+[MmNn]?(?:/(?:[A-Ga-g]?)[0-9]{1,4}[Mm](?![A-Za-z0-9]))?)(?P<part>)"
    rf"(?:\s?-\s?(?P<year>(?:{_Y}|[0-9]{{2}}(?![0-9]))[a-z]?(?:[eε][0-9])?)(?![0-9]))?"
)

_PART = 2  # the group of the part; the groups behind it are ways to write the year
_AND = ("and", "or", "und", "oder", "sowie")
_LINK = re.compile(rf"\s?(?P<link>[-/、,，;&~和与及或至到]|以及|\b(?:to|through|bis|{'|'.join(_AND)})\b|, and\b)\s?")
_LINK_FIRST = frozenset("-/、,，;&~和与及或至到以taousb")
_RANGE = frozenset("~至到") | {"to", "through", "bis"}
_LOOSE = frozenset(",，;和与及或") | {*_AND, ", and"}  # they join sentences as well as numbers
_SHORT_PART = {
    "chinese": re.compile(r"\.(?P<short>[0-9]{1,3})(?![0-9.])"),
    "international": re.compile(r"-(?P<short>[0-9]{1,3}(?:-[0-9]{1,3}){0,3})(?![0-9-])"),
}
_BARE_PART = re.compile(r"(?P<short>[0-9]{1,2})(?![0-9.A-Za-z%])")
_GOES_ON = re.compile(rf"\s?(?:[/、,，;)）~》」』。.：:和与及或]|等|标准|的|三|体系|(?:{'|'.join(_AND)})\b|certif|standard|$|\n)")

_YEAR_NEXT = re.compile(rf"[-:]({_Y})(?![0-9])")


class Number(NamedTuple):
    """One number with its place in the text (offsets, end exclusive). `year` is as written, "" where there is none."""

    start: int
    end: int
    number: str
    part: str
    year: str


def pattern_of(kind: Kind) -> re.Pattern[str]:
    if kind.style == "astm":
        return _ASTM
    if kind.style == "international":
        return _BODY
    return _SAFETY if kind.family == "TSG" else _CHINESE


def number_at(text: str, at: int, kind: Kind) -> Number | None:
    """The number that begins at `at` in folded text, with parts and year; None if there is none."""
    found = pattern_of(kind).match(text, at)
    return _number(found, kind) if found else None


def _number(found: re.Match[str], kind: Kind) -> Number:
    number, part, last = found[1], found[2], found.lastindex or 0
    year = found[last] if last > _PART else ""
    part = part[1:]
    if not number.isdigit():
        number = "".join(number.split()).replace("-", "").upper()
    if kind.family == "ISO" and not year and len(part) == 2 and part >= "70":
        part, year = "", part  # ISO 6892-84: ISO's own parts end far below 70; IEC's do not
    return Number(start=found.start(), end=found.end(), number=number, part=part, year=year)


def listed(text: str, head: Number, kind: Kind) -> Iterator[Number]:
    """Numbers that share the head's prefix: `GB 50168/50169`, `GB 50150~50170`, `IEC 61850-1 to -10`. At most LISTED_MAX."""
    last = head
    if text[head.end : head.end + 2].lstrip()[:1] not in _LINK_FIRST:
        return
    for _ in range(LISTED_MAX - 1):
        link = _LINK.match(text, last.end)
        if link is None:
            return
        item = _short(text, link, last, kind) or _full(text, link, last, kind)
        if item is None:
            return
        yield item
        last = item


def _short(text: str, link: re.Match[str], last: Number, kind: Kind) -> Number | None:
    """`.4` behind 17626.2 and `-10` behind 61850-1 take the place of as many parts; `~8` behind 26875.1 and `/50` behind 81-20 too."""
    pattern = _SHORT_PART.get(kind.style)
    if pattern is None or not last.part:
        return None
    found = pattern.match(text, link.end())
    sign = "." if kind.style == "chinese" else "-"
    if found is None:
        before = last.part.rpartition(sign)[2]
        found = _BARE_PART.match(text, link.end())
        if found is None or last.year or not before.isdigit() or int(found["short"]) <= int(before):
            return None
        if link["link"] not in _RANGE and not (link["link"] in "/、" and _GOES_ON.match(text, found.end())):
            return None
    short, had = found["short"].split(sign), last.part.split(sign)
    part = sign.join((*had[: max(len(had) - len(short), 0)], *short))
    year = _YEAR_NEXT.match(text, found.end())
    return Number(start=found.start(), end=year.end() if year else found.end(), number=last.number, part=part, year=year[1] if year else "")


def _full(text: str, link: re.Match[str], last: Number, kind: Kind) -> Number | None:
    item = number_at(text, link.end(), kind)
    if item is None or not _may_follow(text, link["link"], last, item, kind.style):
        return None
    return item


def _may_follow(text: str, link: str, last: Number, item: Number, style: Style) -> bool:
    """Is this number one of the list, and not a quantity, a date or a clause?"""
    after = text[item.end : item.end + 1]
    if after.isascii() and after.isalnum():
        return False
    if re.match(r"[.-][0-9]", text[item.end : item.end + 2]):
        return False
    digits, had = len(item.number), len(last.number)
    if link == "-":  # GB 30966-30971, ISO 9000-9004: a range, for neither is a year
        plain = not (last.part or last.year or item.part or YEAR.fullmatch(item.number))
        least = 5 if style == "chinese" else 4
        return plain and style != "astm" and had <= digits <= had + 1 and digits >= least and _comes_after(item, last)
    if style == "astm":
        return not item.number[0].isdigit()
    if digits < 2 or abs(digits - had) > 1 or (digits < 3 and digits != had):
        return False
    if item.year:
        return True
    if YEAR.fullmatch(item.number) and not item.part:
        return False
    if link in _RANGE and not item.part and not _comes_after(item, last):
        return False
    if link in _LOOSE:
        return digits >= 4 and bool(_GOES_ON.match(text, item.end))
    if UNIT_AFTER.match(text, item.end):
        return digits >= 4 and ONE_LETTER.match(text, item.end) is not None
    return digits >= 4 or bool(_GOES_ON.match(text, item.end)) or not COUNT_AFTER.match(text, item.end)


def _comes_after(item: Number, last: Number) -> bool:
    """In a range the second number is the greater one; TSG's are letters and digits."""
    return (len(item.number), item.number) > (len(last.number), last.number)
