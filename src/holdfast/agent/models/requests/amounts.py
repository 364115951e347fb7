"""Numbers with their units, and lengths of time, as people type them in both languages."""

import math
import re
from collections.abc import Iterator

from holdfast.agent.models.requests.numerals import CHINESE, ENGLISH, chinese, english
from holdfast.site.units import parse
from holdfast.terms import Word

NUMBER = re.compile(
    rf"(?P<sign>[+-]|负)?\s?(?:(?P<digits>\d+(?:[.,]\d+)?)|(?P<zh>{CHINESE}|半)|(?P<en>{ENGLISH})|\b(?P<one>an?|another)\s(?=(?:kn|kilonewtons?|bar|litre|liter|degree)\b))"
)
_A = r"\s?(?:/|每|per|an?|each|一)\s?"
_LITRE, _MINUTE = r"(?:l|lit(?:re|er)s?|ltrs?|升)", r"(?:min(?:ute)?s?|分钟?)"
# What is typed after a number, as a UCUM code; the first that fits counts. Folded text has no capitals: "mn" is no millinewton here.
_SPELLED = (
    (rf"{_LITRE}{_A}(?:s|sec(?:ond)?s?|秒钟?)|lps", "L/s"),
    (rf"{_LITRE}{_A}(?:h|hrs?|hours?|小?时)", "L/h"),
    (rf"{_LITRE}(?:{_A}{_MINUTE})?|lpm", "L/min"),
    (rf"(?:m3|cubic met(?:re|er)s?|立方米?|方){_A}(?:h|hrs?|hours?|小?时)", "m3/h"),
    (rf"(?:m|met(?:re|er)s?|米){_A}{_MINUTE}|mpm", "m/min"),
    (rf"(?:m|met(?:re|er)s?|米){_A}(?:s|sec(?:ond)?s?|秒)", "m/s"),
    (r"(?:mm|毫米)(?:/s|每秒|/秒)", "mm/s"),
    (r"kns?|kilo-?\s?newtons?|千牛顿?|k newtons?", "kN"),
    (r"mns?|mega-?\s?newtons?|兆牛顿?", "MN"),
    (r"n|newtons?|牛顿?", "N"),
    (r"t|tons?|tonnes?|吨", "t"),
    (r"mbars?|毫巴", "mbar"),
    (r"bars?|巴", "bar"),
    (r"kpa|千帕", "kPa"),
    (r"mpa|兆帕", "MPa"),
    (r"pa|帕", "Pa"),
    (r"psi", "[psi]"),
    (r"°\s?f|℉|华氏度|deg(?:ree)?s?\s?f(?:ahrenheit)?|fahrenheit", "[degF]"),
    (r"k|kelvins?|开尔文", "K"),
    (r"°\s?c|℃|摄氏度|deg(?:ree)?s?(?:\s?c(?:elsius|entigrade)?)?|celsius|centigrade|度|c|°", "Cel"),
    (r"a|amps?|amperes?|安培?", "A"),
    (r"%|percent|per cent", "%"),
)
_UNIT = re.compile(
    r"\s?(?P<half>个?半)?\s?(?:more |extra |less |fewer )?(?:个|(?:of )?an? )?\s?[(]?(?:"
    + "|".join(rf"(?P<u{n}>{spelled})" for n, (spelled, _) in enumerate(_SPELLED))
    + r")(?![a-z])[)]?"
)
_HALF = re.compile(r"\s?(?:个半|半(?!小时|个|天))")
_RANGES = re.compile(r"几|多(?![一给点些开])|来(?=[个升度千兆米])")  # 一百多, 二十几, 十来升: no one number
SAID_MAX = 40  # characters of one number
DIGITS_MAX = 15
_THOUSANDS = re.compile(r"\d+,\d{3}")


class Amount(Word):
    """A number in a text, characters `start` to `end` with its unit; `unit` a UCUM code, "" where it has none. `signed`: + or - stands
    before it."""

    start: int
    end: int
    value: float
    unit: str
    signed: bool


def amounts(plain: str) -> tuple[Amount, ...]:
    """Of a folded text, in order."""
    return tuple(_amounts(plain))


def converted(amount: Amount, value: float, unit: str, *, change: bool) -> float | None:
    """In another unit; None where the two measure different things. A change has no offset: 3 K more are 3 °C more."""
    if amount.unit in ("", unit):
        return value
    try:
        said, wanted = parse(amount.unit), parse(unit)
    except ValueError:
        return None
    if said.dimension != wanted.dimension:
        return None
    offset = 0.0 if change else said.offset - wanted.offset
    return round((value * said.factor + offset) / wanted.factor, 9)


def _amounts(plain: str) -> Iterator[Amount]:
    reached = 0
    for found in NUMBER.finditer(plain):
        start = found.start("sign") if found["sign"] else max(found.start(name) for name in ("digits", "zh", "en", "one"))
        before = plain[start - 1 : start] if start else ""
        if start < reached or (found["digits"] and before and (before.isascii() and (before.isalnum() or before in "./"))):
            continue  # part of a name, or of the amount before it
        value = _value(found)
        if value is None or not math.isfinite(value):
            continue
        unit = _UNIT.match(plain, found.end())
        half = None if unit else _HALF.match(plain, found.end())
        end = unit.end() if unit else half.end() if half else found.end()
        if _RANGES.match(plain, end) or _RANGES.match(plain, found.end()):
            continue
        if (found["zh"] == "半" or found["en"] == "half") and not unit and not plain.startswith("个", end):
            continue  # half of it, not half of one
        value += 0.5 * bool(half or (unit and unit["half"]))
        signed = bool(found["sign"]) and not (before.isascii() and before.isalnum())
        reached = end
        yield Amount(
            start=start, end=end, value=-value if signed and found["sign"] != "+" else value,
            unit=next((code for n, (_, code) in enumerate(_SPELLED) if unit and unit[f"u{n}"]), ""), signed=signed,
        )  # fmt: skip


def _value(found: re.Match[str]) -> float | None:
    """None for what is no number of a plant: too long, 1,000 (one or a thousand), a word that says two numbers."""
    if found["digits"]:
        said = found["digits"]
        return None if len(said) > DIGITS_MAX or _THOUSANDS.fullmatch(said) else float(said.replace(",", "."))
    if found["one"]:
        return 1.0
    said = found["zh"] or found["en"]
    if len(said) > SAID_MAX:
        return None
    return 0.5 if said == "半" else chinese(said) if found["zh"] else english(said)


_TIME = re.compile(
    r"(?P<quarter>(?:一|1)?刻钟|(?:a )?quarter of an hour|(?:a )?quarter hour|quarter-hour)"
    r"|(?P<mixed>(?:(?P<hours>an|one|two|three|\d+) )?hours? and a (?P<part>half|quarter)"
    r"|(?P<zh_hours>[一两二三四五六]|\d+)个?半(?:小时|钟头)|(?P<n_half>one|two|three) and a half hours?)"
    r"|(?P<half>半个?小时|半个?钟头|半个?钟|half an hour|half hour|half-hour)"
    rf"|(?:(?P<n>\d+(?:\.\d+)?|{CHINESE}|{ENGLISH}|\ban?\b)\s?-?个?)?"
    r"(?P<unit>秒钟?|分钟|分(?!析|别|之)|小时|钟头|天|seconds?\b|secs?\b|minutes?\b|mins?\b|min\b|hours?\b|hrs?\b|hr\b|h\b|days?\b)(?P<more>半)?"
)
_MINUTES = {"秒": 1 / 60, "分": 1.0, "小": 60.0, "钟": 60.0, "天": 1440.0, "s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0}
_BACK = re.compile(r"(?:last|past|previous|this|过去|最近|近|上|这)(?:\s?the)?\s?个?$")
_COUNTS = {"an": 1.0, "a": 1.0, "one": 1.0, "two": 2.0, "three": 3.0}


class Span(Word):
    """A length of time in a text."""

    start: int
    end: int
    minutes: float


def span_of(plain: str) -> Span | None:
    """The first length of time that a text names; None where there is none."""
    for found in _TIME.finditer(plain):
        minutes = _minutes(found, plain)
        if minutes is not None:
            return Span(start=found.start(), end=found.end(), minutes=minutes)
    return None


def _minutes(found: re.Match[str], plain: str) -> float | None:
    if found["quarter"]:
        return 15.0
    if found["half"]:
        return 30.0
    if found["mixed"]:
        said = found["hours"] or found["n_half"] or "one"
        hours = chinese(found["zh_hours"]) if found["zh_hours"] and not found["zh_hours"].isdigit() else None
        count = hours if hours is not None else float(found["zh_hours"] or 0) or _COUNTS.get(said) or float(said)
        return 60.0 * (count + (0.25 if found["part"] == "quarter" else 0.5))
    named = found["n"]
    if named is None and not _BACK.search(plain[: found.start()]):
        return None
    if named is not None and len(named) > SAID_MAX:
        return None
    count = _count(named)
    if count is None:
        return None
    unit = _MINUTES[found["unit"][0]]
    return count * unit + (unit / 2 if found["more"] else 0.0)


def _count(named: str | None) -> float | None:
    if named is None or named in ("a", "an"):
        return 1.0
    if named[0].isdigit():
        return float(named) if len(named) <= DIGITS_MAX else None
    return english(named) if named.isascii() else chinese(named)
