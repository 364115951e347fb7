"""Numbers as people say them: 一百零三, 三百四, two and a half, one oh three. What may mean two numbers (三五个, 一百多) is none."""

import re
from collections.abc import Mapping

_DIGITS = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"〇": 0, "幺": 1, "两": 2, "俩": 2, "仨": 3}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_NEXT = frozenset(["一两", "两三", "二三", "三四", "三五", "四五", "五六", "六七", "七八", "八九"])  # "two or three", "three to five"
# 千 and 百 in front of a unit's name belong to it: 一百零三千牛 is 103 kN.
CHINESE = r"(?:(?!千[牛帕瓦米克])[零〇幺一二三四五六七八九两俩仨十百千])++(?:点[零〇幺一二三四五六七八九]++)?"

_ONES: Mapping[str, int] = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS: Mapping[str, int] = {
    word: 10 * value for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}
_WORD = "|".join((*_ONES, *_TENS, "fourty", "hundred", "oh"))
ENGLISH = (
    rf"\b(?:half|(?:{_WORD})(?:(?:[\s-]+(?:and[\s-]+)?)(?:{_WORD})\b)*(?:\s+point(?:\s+(?:{'|'.join(_ONES)}|oh)\b)+)?"
    r"(?:\s+and\s+a\s+half)?)\b"
)


def chinese(text: str) -> float | None:
    """一百零二 is 102, 三百四 is 340, 两 is 2, 三点五 is 3.5; None for what says two numbers or none."""
    whole, _, rest = text.partition("点")
    if whole in _NEXT or any(whole[at : at + 2] in _NEXT for at in range(len(whole)) if any(c in _SMALL for c in whole)):
        return None
    total = _whole(whole)
    if total is None:
        return None
    return float(f"{total}.{''.join(str(_DIGITS[c]) for c in rest)}") if rest else float(total)


def _whole(text: str) -> int | None:
    if not any(c in _SMALL for c in text):
        return int("".join(str(_DIGITS[c]) for c in text) or "0")
    total, current, zero = 0, 0, False
    last = 0  # the unit just before a digit: 三百四 is three hundred and four tens
    for c in text:
        if c in _SMALL:
            if _SMALL[c] >= last > 0 and current == 0:
                return None
            total, current, last = total + (current or 1) * _SMALL[c], 0, _SMALL[c]
        else:
            if current:
                return None
            current, zero = _DIGITS[c], zero or _DIGITS[c] == 0
    return total + (current * last // 10 if current and last >= 100 and not zero else current)


def english(text: str) -> float | None:
    """ "one hundred and three", "three twenty", "one oh three", "two point five", "two and a half"; None for what is no one number."""
    if text == "half":
        return 0.5
    text, _, fraction = text.partition(" point ")
    text, plus = re.subn(r"\s+and\s+a\s+half$", "", text)
    spelled = re.fullmatch(r"(\w+)[\s-]+(?:oh|zero)[\s-]+(\w+)", text)
    if spelled and 0 < _ONES.get(spelled[1], 0) < 10 and 0 < _ONES.get(spelled[2], 0) < 10:
        text = f"{spelled[1]} hundred {spelled[2]}"
    total: int | None = None
    for word in re.split(r"[\s-]+", text.replace("fourty", "forty")):
        if word != "and":
            total = _joined(total, word)
            if total is None:
                return None
    digits = "".join(str(_ONES.get(word, 0)) for word in fraction.split())
    return None if total is None else float(f"{total}.{digits or 0}") + 0.5 * plus


def _joined(before: int | None, word: str) -> int | None:
    """The number so far with one more word; a word that can't follow gives None."""
    if word == "hundred":
        return 100 if before is None else before * 100 if 0 < before < 10 else None
    value = _ONES.get(word, _TENS.get(word))
    if value is None:
        return None
    if before is None:
        return value
    if before % 100 == 0 and before >= 100 and 0 < value < 100:
        return before + value
    if before >= 20 and before % 10 == 0 and value < 10:
        return before + value if value or before % 100 else None
    return before * 100 + value if 0 < before < 10 and value >= 10 else None
