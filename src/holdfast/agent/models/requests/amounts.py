"""Numbers, units and lengths of time as people type them, in both languages."""

import re
from collections.abc import Iterator

from holdfast.terms import Word

_DIGITS = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"〇": 0, "两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_UNDER_20 = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = {"half": 0.5, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90}
_ENGLISH: dict[str, float] = {**{word: float(value) for value, word in enumerate(_UNDER_20.split())}, **_TENS}
_CHINESE = r"(?!千[牛帕瓦米])[零〇一二三四五六七八九两十百千]+(?:点[零一二三四五六七八九]+)?"
NUMBER = re.compile(rf"(?P<sign>[+-]|负)?\s?(?:(?P<digits>\d+(?:[.,]\d+)?)|(?P<zh>{_CHINESE}|半)|(?P<en>\b(?:{'|'.join(_ENGLISH)})\b))")
UNITS: dict[str, tuple[str, ...]] = {
    "kN": ("kn", "千牛", "kilonewtons", "kilonewton"),
    "L/min": ("l/min", "升每分钟", "升/分钟", "升/分", "lpm", "升", "liters per minute", "litres per minute"),
    "Cel": ("°c", "℃", "摄氏度", "度", "degc", "deg c", "degrees", "degree", "celsius", "c", "k"),
    "mm/s": ("mm/s", "毫米每秒"),
    "bar": ("bar", "巴"),
    "kPa": ("kpa", "mpa", "pa", "帕", "兆帕"),
    "m/min": ("m/min", "米每分钟"),
    "A": ("a", "安", "安培", "amps"),
    "%": ("%", "percent", "百分之"),
    "MN": ("mn",),
    "N": ("n", "牛"),
}
_UNIT = re.compile(
    r"\s?(?:个|an? )?\s?[(]?("
    + "|".join(
        sorted(
            (re.escape(s) + (r"(?![a-z])" if s[-1].isascii() and s[-1].isalpha() else "") for all_ in UNITS.values() for s in all_),
            key=len,
            reverse=True,
        )
    )
    + ")"
)
SAID_MAX = 15  # characters of one number
_THOUSANDS = re.compile(r"\d+,\d{3}")
_BY_SPELLING = {spelling: unit for unit, spellings in UNITS.items() for spelling in spellings}
_TIME = re.compile(
    rf"(?P<quarter>一刻钟|quarter of an hour|quarter hour)"
    rf"|(?P<half>半个?小时|半个?钟头|half an hour|half hour|half-hour)"
    rf"|(?P<n>\d+(?:\.\d+)?|{_CHINESE}|\b(?:{'|'.join(_ENGLISH)}|an?)\b)?\s?个?"
    r"(?P<unit>秒钟?|分钟|分|小时|钟头|天|seconds?\b|secs?\b|minutes?\b|mins?\b|min\b|hours?\b|hrs?\b|h\b|days?\b)(?P<more>半)?"
)
_MINUTES = {"秒": 1 / 60, "分": 1.0, "小": 60.0, "钟": 60.0, "天": 1440.0, "s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0}


class Amount(Word):
    """A number in a text, characters `start` to `end` with its unit; `unit` "" where it has none. `signed`: + or - stands before it."""

    start: int
    end: int
    value: float
    unit: str
    signed: bool


def amounts(plain: str) -> tuple[Amount, ...]:
    """Of a folded text, in order."""
    return tuple(_amounts(plain))


def _amounts(plain: str) -> Iterator[Amount]:
    for found in NUMBER.finditer(plain):
        start = found.start("sign") if found["sign"] else max(found.start("digits"), found.start("zh"), found.start("en"))
        before = plain[start - 1 : start] if start else ""
        if found["digits"] and before and (before.isascii() and (before.isalnum() or before in "./")):
            continue  # part of a name
        said = found["digits"] or found["zh"] or found["en"]
        if len(said) > SAID_MAX or _THOUSANDS.fullmatch(said):
            continue  # no number of a plant; and 1,000 may be one or a thousand
        value = _value(found)
        unit = _UNIT.match(plain, found.end())
        signed = bool(found["sign"]) and not (before.isascii() and before.isalnum())
        yield Amount(
            start=start, end=unit.end() if unit else found.end(), value=-value if signed and found["sign"] != "+" else value,
            unit=_BY_SPELLING[unit[1]] if unit else "", signed=signed,
        )  # fmt: skip


def _value(found: re.Match[str]) -> float:
    if found["digits"]:
        return float(found["digits"].replace(",", "."))
    return 0.5 if found["zh"] == "半" else chinese(found["zh"]) if found["zh"] else float(_ENGLISH[found["en"]])


def chinese(text: str) -> float:
    """一百零二 is 102, 二十 is 20, 两 is 2, 三点五 is 3.5."""
    whole, _, rest = text.partition("点")
    total, current, plain = 0, 0, "".join(str(_DIGITS[c]) for c in whole if c in _DIGITS)
    if not any(c in _SMALL for c in whole):
        total = int(plain or "0")
    else:
        for c in whole:
            if c in _SMALL:
                total, current = total + (current or 1) * _SMALL[c], 0
            else:
                current = _DIGITS[c]
        total += current
    return float(f"{total}.{''.join(str(_DIGITS[c]) for c in rest)}") if rest else float(total)


class Span(Word):
    """A length of time in a text."""

    start: int
    end: int
    minutes: float


def span_of(plain: str) -> Span | None:
    """The first length of time that a text names; None where there is none."""
    for found in _TIME.finditer(plain):
        if found["quarter"]:
            return Span(start=found.start(), end=found.end(), minutes=15.0)
        if found["half"]:
            return Span(start=found.start(), end=found.end(), minutes=30.0)
        named = found["n"]
        if named is not None and len(named) > SAID_MAX:
            continue
        if named is None and not re.search(r"(?:last|past|previous|过去|最近|近|上)(?:\s?the)?\s?个?$", plain[: found.start()]):
            continue
        if named is None or named in ("a", "an"):
            count = 1.0
        elif named[0].isdigit():
            count = float(named)
        else:
            count = float(_ENGLISH[named]) if named in _ENGLISH else chinese(named)
        unit = _MINUTES[found["unit"][0]]
        return Span(start=found.start(), end=found.end(), minutes=count * unit + (unit / 2 if found["more"] else 0.0))
    return None
