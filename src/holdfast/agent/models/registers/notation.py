"""How register maps write types, scales, units, access and areas, and what each means.

The patterns are of notations, not of devices: IEC 61131-3 and C names, abbreviations of makers, Chinese and English. What could
stand in a name too (`real`, `word`, `single`) counts only where nothing clearer stands in the row.
"""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import cast

from holdfast.agent.models.registers.patterns import grouped, listed
from holdfast.agent.models.registers.words import Area, Kind, Order

_L, _R = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"


CACHED_MAX = 2_048  # texts whose reading is kept, for a row is looked at more than once
_DIGIT_OR_PART = re.compile(r"(?i)\d|tenth|hundredth|thousandth|decimal|\bby\b|分之一|小数")


def _built(name: str) -> tuple[re.Pattern[str], tuple[Kind, ...]]:
    """One pattern for all kinds of a group, its groups in their order; the alternatives have no groups of their own."""
    by = grouped(name)
    alternatives = "|".join(f"({'|'.join(forms)})" for forms in by.values())
    return re.compile(f"{_L}(?:{alternatives}){_R}", re.IGNORECASE), cast("tuple[Kind, ...]", tuple(by))


CLEAR, FAINT = _built("types"), _built("faint_types")
SIGN_ONLY = re.compile(r"unsigned|signed|无符号|有符号", re.IGNORECASE)
SIGN_ARGUMENT = re.compile(r"(?:un)?signed|无符号|有符号|signed\s*[=:]\s*(?:false|0|no)", re.IGNORECASE)
SIGNLESS = re.compile(r"16[- ]?bits?(?: int(?:eger)?)?|16位(?:整[数型])?", re.IGNORECASE)
_LENGTH = re.compile(r"(\d+)")


@lru_cache(maxsize=CACHED_MAX)
def types_in(text: str, *, faint: bool) -> tuple[tuple[int, int, Kind], ...]:
    """(start, end, kind) of what could be a type, clear or faint ones."""
    pattern, kinds = FAINT if faint else CLEAR
    return tuple((found.start(), found.end(), kinds[(found.lastindex or 1) - 1]) for found in pattern.finditer(text))


def kind_of(text: str) -> Kind | None:
    """The type that a whole slot names."""
    whole = text.strip(" ,;()[]（）")
    for pattern, kinds in (CLEAR, FAINT):
        found = pattern.fullmatch(whole)
        if found is not None:
            return kinds[(found.lastindex or 1) - 1]
    inside: set[Kind] = {kind for _, _, kind in types_in(whole, faint=False)}
    return next(iter(inside)) if len(inside) == 1 else None


_SWAPPED_KIND = re.compile(
    r"(?:32|64)s|\w*(?:word|qword|fp32|int|float)\w*_r(?:everse)?|\w*(?:16|32|64)_?le|swapped|.*inverse", re.IGNORECASE
)
_STRAIGHT_KIND = re.compile(r"[us]_[dq]word|fp32|\w*(?:32|64)_?be", re.IGNORECASE)


def order_of_kind(text: str) -> Order | None:
    """Word order that is part of a type's name: `int32s`, `U_DWORD_R`, `readInt32BE`."""
    for word in re.findall(r"\w+", text):
        if _SWAPPED_KIND.fullmatch(word) or re.fullmatch(r"(?i)u?(?:int|float)(?:32|64)s", word):
            return "little"
        if _STRAIGHT_KIND.fullmatch(word):
            return "big"
    return None


def text_registers(text: str) -> int | None:
    """How many registers a text type takes: `ASCII 6 regs` says it, `char[20]` and bytes are two a register."""
    found = _LENGTH.search(re.sub(r"(?i)utf-?8", "", text))
    if found is None:
        return None
    number = int(found[1])
    if re.search(r"(?i)reg|寄存器|word", text):
        return number
    if re.search(r"(?i)char|byte|字节", text):
        return (number + 1) // 2
    return None


# ---- scales ------------------------------------------------------------------------------------------------------------

_N = r"(\d+(?:\.\d+)?(?:[eE]-?\d+)?)"
_UNITS = "|".join(listed("units"))
UNIT = re.compile(rf"(?<![A-Za-z_µ°])(?:{_UNITS})(?![A-Za-z0-9_³²])")
_AFTER_NUMBER = rf"(?:{_UNITS})(?![A-Za-z0-9_³²])"

_SCALE_WORD = (
    r"(?:倍率|系数|比例(?:系数)?|缩放(?:系数)?|分辨率|精度|"
    r"最小单位|每(?:个)?单位|步长|"
    rf"{_L}(?:scale(?:d|[ _]factor)?(?: by)?|scaling|ratio|multiplier|multiply(?: by)?|mult|mul|resolution(?: of)?|res\.?|"
    rf"coeff(?:icient)?|LSB|weight(?:ing)?|w(?==)|"
    rf"(?:in )?(?:steps?|units|increments) of))"
)

_RAW = r"(?:读数|原始值|寄存器(?:数)?值|采集值|上传值|读取值|返回值|raw(?: value)?|reading|reg(?:ister)?(?: value)?|data|\bn|\bx)"
_SPAN = r"-?\d+(?:\.\d+)?%?\s*(?:~|～|\.{2,3}|…|至|to|-)\s*\+?-?\d+(?:\.\d+)?"
_MAPPED = rf"({_SPAN}\s*,?\s*(?:=>?|->|对应|表示|代表|corresponds? to|represents?|means?|maps? to)[^\d\n-]{{0,12}}(?:的\s*)?{_SPAN})"
_STORED = r"(?:stored|sent|transmitted|encoded|delivered|held|kept)\b"
_PARTS = {"tenth": 1, "hundredth": 2, "thousandth": 3, "十分之一": 1, "百分之一": 2, "千分之一": 3, "ten": 1, "hundred": 2, "thousand": 3}
_PLACES = {"one": 1, "two": 2, "three": 3, "four": 4, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4}
# (pattern, how the number in it is meant): value = raw × it (times), value = raw / it (over), or times below 1 and over above (either).
_SCALES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), way)
    for pattern, way in (
        (rf"(?:{_SCALE_WORD}\s*[:=]?\s*)?[×x*]?\s?10\s?(?:\^|\*\*)\s?\(?(-?\d+)\)?", "power"),
        (r"[×x*]?\s?(?<![0-9.])10(-\d)(?![0-9.])", "power"),  # with the exponent raised in print
        (rf"{_STORED}[^,;.\n\d]{{0,24}}?(?:[×x*]|times|multiplied by|乘以?)\s?{_N}", "over"),
        (rf"(?:[×x*]|乘以?)\s?{_N}\s*(?:后)?(?:上传|发送|存储|存放|传输|表示)", "over"),
        (rf"(?:{_SCALE_WORD}\s*[:=]?\s*)?(?<![0-9./])1\s?/\s?(10{{1,4}})(?![0-9.])", "over"),
        (r"(?:in |of |to )?\b(tenths?|hundredths?|thousandths?)\b(?:\s+of(?:\s+an?\b|\s+one\b|\s+1\b)?)?", "part"),
        (r"(十分之一|百分之一|千分之一)", "part"),
        (r"\b(one|two|three|four|[1-4])\s+(?:implied\s+|fixed\s+)?decimals?(?:\s+(?:places?|digits?))?", "places"),
        (r"(?<![A-Za-z])(?:number_of_|num_?|n)?decimals?(?:_?places)?\s*[=:]\s*([0-6])(?![\d.])", "places"),
        (r"(?:保留|带|含)?\s?([一二两三四1-4])\s?位小数|小数(?:点后|位数?)\s?[:为]?\s?([一二两三四1-4])\s?位?", "places"),
        (r"(?:divided?|div|scaled down)\s+by\s+(?:a\s+|one\s+)?(ten|hundred|thousand)\b", "over_word"),
        (r"SCALE_FACTOR_MINUS_(\d)", "minus_power"),
        (r"SCALE_FACTOR_(\d)", "power"),
        (_MAPPED, "map"),
        (rf"{_L}FIX(\d)(?![0-9])", "minus_power"),  # decimals of a fixed-point format
        (rf"(?:实际值|真实值|工程值|值|value)?\s*[=＝]?\s*{_RAW}\s*[÷/]\s*{_N}", "over"),
        (rf"(?:实际值|真实值|工程值|值|value)?\s*[=＝]?\s*{_RAW}\s*[×x*·]\s*{_N}", "times"),
        (rf"(?:real |actual )?value\s*[÷/]\s*{_N}", "over"),
        (rf"(?:{_UNITS})\s?[*×x]\s?(10{{1,4}})(?![0-9.])", "over"),  # `bar*100`: what is sent is the value times a hundred
        (rf"(?:放大|扩大)\s*{_N}\s*倍", "over"),
        (rf"缩小\s*{_N}\s*倍", "times"),
        (rf"(?:除以|divided? by|div(?:isor)?\.?|÷)\s*[:=]?\s*{_N}", "over"),
        (rf"{_L}gain\s*[:=]?\s*{_N}", "gain"),
        (rf"(?:乘以|multiplied by|multiply by)\s*{_N}", "times"),
        (rf"{_L}factor\s*[:=：]?\s*[×x*]?\s*{_N}", "either"),
        (rf"{_SCALE_WORD}\s*[:=：]?\s*[×x*]?\s*{_N}", "times"),
        (rf"(?:{_L}unit|单位)\s*[:=：]?\s*{_N}", "times"),
        (rf"{_L}1\s*(?:LSB|bit|count|digit)?\s*(?:=|≙|表示|代表)\s*{_N}", "times"),
        (rf"{_N}\s*(?:per|/)\s*(?:bit|LSB|digit|count)", "times"),
        (rf"(?<![0-9A-Za-z])[×x*]\s?{_N}(?![0-9A-Za-z-])", "times"),
        (rf"(?<![A-Za-z0-9.)²³%°/*])/\s?{_N}(?![0-9.])(?=\s?{_AFTER_NUMBER}|[^A-Za-z]|$)", "over"),
    )
)  # fmt: skip
_BEFORE_UNIT = re.compile(rf"(?<![A-Za-z0-9._~≤<>=-]){_N}(?=\s?{_AFTER_NUMBER})")
_LEADING = ("2", "5", "25", "125", "4", "8")
_BARE = re.compile(rf"\s*{_N}\s*")


def _likely(number: str) -> bool:
    """Whether a number that nothing else says is a factor may be one: a power of ten, or a small fraction or divisor."""
    digits = number.replace(".", "").strip("0")
    return digits == "1" or (digits in _LEADING and Decimal(number) <= 10) or number in ("16", "32", "256", "1024", "3600", "4096")


_WORDY = frozenset(("map", "power", "minus_power", "part", "places", "over_word"))


def _number(found: re.Match[str]) -> str:
    """What stands in the one group that matched."""
    return found[found.lastindex or 1]


@lru_cache(maxsize=CACHED_MAX)
def scales_in(text: str) -> tuple[tuple[int, int, bool], ...]:
    """(start, end, said) of what could be a scale; `said` where a word or sign says so, not a unit behind a number alone."""
    return tuple(_scales_in(text)) if _DIGIT_OR_PART.search(text) else ()


def _scales_in(text: str) -> Iterator[tuple[int, int, bool]]:
    taken: list[tuple[int, int]] = []
    for pattern, way in _SCALES:
        for found in pattern.finditer(text):
            listed = found[0][0] == "*" and not text[: found.start()].strip()  # a list's mark, no times
            if (
                not listed
                and all(found.end() <= a or found.start() >= b for a, b in taken)
                and (way in _WORDY or _number(found).strip("0."))
                and (way != "over" or _likely(_number(found)))
            ):
                taken.append(found.span())
                yield found.start(), found.end(), True
    for found in _BEFORE_UNIT.finditer(text):
        if _likely(found[1]) and all(found.end() <= a or found.start() >= b for a, b in taken):
            yield found.start(), found.end(), False


# Bytes of an answer and the value that they came to, from the first byte of data to the number.
SHOWN = re.compile(r"(?P<data>(?:0x)?[0-9A-Fa-f]{2}(?:[ ,]{1,2}(?:0x)?[0-9A-Fa-f]{2}){1,7})\s[^\d\n]*?(?P<value>-?\d+(?:\.\d+)?)")


def _shown(found: re.Match[str]) -> tuple[Decimal, bool] | None:
    """The power of ten between a raw number of one register and the value that is told of it; None where it is none."""
    data = bytes.fromhex("".join(re.findall(r"[0-9A-Fa-f]{2}(?![0-9A-Fa-fx])", found["data"])))
    value = Decimal(found["value"])
    raw = int.from_bytes(data, "big", signed=value < 0)
    if len(data) != 2 or raw == 0 or value == 0:
        return None
    factor = value / raw
    exact = factor.adjusted() in range(-4, 1) and factor == Decimal(10) ** factor.adjusted()
    return (factor.normalize(), True) if exact else None


def scale_of(text: str, *, bare_way: str = "times") -> tuple[Decimal, bool] | None:
    """(factor, sure) of a whole slot: value = raw × factor. None where it is no scale; not sure where makers mean it both ways."""
    whole = text.strip(" ,;()（）")
    shown = SHOWN.fullmatch(whole)
    if shown is not None:
        return _shown(shown)
    for pattern, way in _SCALES:
        found = pattern.fullmatch(whole)
        if found is not None:
            return _factor(_number(found), way)
    if bare_way in ("power", "decimals") and re.fullmatch(r"-?\d", whole):
        return _factor(whole, "power" if bare_way == "power" else "places")
    if bare_way == "either" and re.fullmatch(r"-\d", whole):
        return _factor(whole, "power")
    if re.fullmatch(r"0,\d{1,4}", whole):
        return _factor(whole.replace(",", "."), "times")
    bare = _BARE.fullmatch(whole)
    if bare is None:
        bare = re.fullmatch(rf"\s*{_N}\s*{_AFTER_NUMBER}\s*", whole)
    if bare is not None:
        return _factor(bare[1], bare_way)
    return None


def ends_of(text: str) -> list[Decimal]:
    """The four ends of `0..27648 = 0.0..100.0`, in order."""
    return [Decimal(n) for n in re.findall(r"(?<!\d)-?\d+(?:\.\d+)?", re.sub(r"\.{2,}|(?<=\d)-(?=\d)", " ", text))]


def _factor(number: str, way: str) -> tuple[Decimal, bool] | None:
    if way == "map":
        ends = ends_of(number)
        if len(ends) != 4 or ends[0] >= ends[1] or ends[2] >= ends[3] or ends[0] * ends[3] != ends[1] * ends[2]:
            return None  # raw and real value don't share their zero
        return (ends[3] - ends[2]) / (ends[1] - ends[0]), True
    if way in ("part", "over_word"):
        return Decimal(10) ** -_PARTS[number.lower().removesuffix("s")], True
    if way in ("places", "decimals"):
        return Decimal(10) ** -(_PLACES.get(number.lower()) or int(number)), True
    try:
        value = Decimal(number)
    except InvalidOperation:
        return None
    match way:
        case "power" | "minus_power":
            exponent = int(number) * (-1 if way == "minus_power" else 1)
            return (Decimal(10) ** exponent, True) if abs(exponent) <= 9 else None
        case _ if value <= 0:
            return None
        case "over":
            return 1 / value, True
        case "gain":
            return (1 / value if value > 1 else value), True
        case "either":
            return (1 / value if value > 1 else value), value <= 1
        case _:
            return value, True


# ---- access, areas, codes ----------------------------------------------------------------------------------------------

_ACCESS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (rf"{_L}(?:R ?/ ?W\*?|W ?/ ?R|RW\*?|WR|read[ /-]*(?:and )?write(?:able)?|rdwr){_R}|可?读写|读/写|可读可写|可写", "rw"),
        (rf"{_L}(?:R/-|RO|read[ -]?only|readonly|RD){_R}|只读|可读", "r"),
        (rf"{_L}(?:WO|write[ -]?only|writeonly){_R}|只写", "w"),
    )
)
_LETTER = re.compile(rf"{_L}(?:r|w|读|写){_R}", re.IGNORECASE)
_AREAS: tuple[tuple[re.Pattern[str], Area], ...] = (
    (
        re.compile(
            rf"保持寄存器|保持(?=\s*(?:\d|$))|"
            rf"保持区|{_L}(?:holding(?:[ _-]?(?:reg(?:ister)?s?|area|space|block|data))?|hold(?:ing)?reg(?:ister)?s?|"
            r"writeholding|writesingle|writemultiple|HR|4x(?= *(?:$|[|;,/])))(?![A-Za-z0-9_])",
            re.IGNORECASE,
        ),
        "holding",
    ),
    (
        re.compile(
            rf"输入寄存器|输入(?=\s*(?:\d{{2,}}|$))|输入区|{_L}(?:input[ _-]?(?:reg(?:ister)?s?|area|space|block|data)|"
            r"(?<!discrete )(?<!digital )inputs?(?=[\"']?\s*(?:$|[,;:)\]|/，；：]|\[))|IR|3x(?= *(?:$|[|;,/])))(?![A-Za-z0-9_])",
            re.IGNORECASE,
        ),
        "input",
    ),
    (
        re.compile(rf"线圈|{_L}(?:write)?coils?(?:[ _-]?outputs?)?{_R}(?!\s*(?:/|and|or)\s*(?:holding |input )?register)", re.IGNORECASE),
        "coil",
    ),
    (
        re.compile(rf"离散(?:量)?输入|开关量输入|输入状态|{_L}(?:discrete[ _-]?inputs?|input[ _]status|discretes?|DI){_R}", re.IGNORECASE),
        "discrete",
    ),
)


def access_in(text: str) -> Iterator[tuple[int, int]]:
    for pattern, _ in _ACCESS:
        for found in pattern.finditer(text):
            yield found.span()


def access_of(text: str) -> str:
    """r, w or rw of a whole slot; "" where it says nothing."""
    for pattern, meaning in _ACCESS:
        if pattern.search(text):
            return meaning
    letter = _LETTER.fullmatch(text.strip(" ,;()[]（）"))
    return {"r": "r", "w": "w", "读": "r", "写": "w"}[letter[0].lower()] if letter else ""


def areas_in(text: str) -> Iterator[tuple[int, int, Area]]:
    for pattern, area in _AREAS:
        for found in pattern.finditer(text):
            yield found.start(), found.end(), area


def area_of(text: str) -> Area | None:
    found: set[Area] = {area for _, _, area in areas_in(text)}
    return next(iter(found)) if len(found) == 1 else None
