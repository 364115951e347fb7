"""Is it a reference at all? GB is also a unit, ISO a film speed, EN a language, NB a radio; what stands beside tells.

A year, a part or a `/T` is hardly ever written for anything else. A bare number behind two letters is believed only as far
as its prefix and its neighbours go.
"""

import re

from holdfast.agent.knowledge.standards.families import FIVE_DIGITS, WEAK, Prefix
from holdfast.agent.knowledge.standards.numbers import YEAR, Number
from holdfast.agent.knowledge.standards.quantities import COUNT_AFTER, ONE_LETTER, UNIT_AFTER
from holdfast.agent.knowledge.standards.reference import ETSI_DIGITS

BESIDE = 20  # characters before and after that can vouch for a bare number
DIGITS_MAX = 5  # of any number published so far
SCENE = 40  # characters that can tell what the talk is about

_VOUCHES_AFTER = re.compile(
    r"[\s\"”’)》』】*`]{0,3}(?:标准|规范|规程|协议|规约|要求|规定|执行|验收|检验|探伤|检测|试验|合格|附录|的附录|[ⅠⅡⅢ]级"
    r"|第\s?[0-9一二三四五六七八九十]+[条章部]|《|之规定"
    r"|standards?\b|specification|protocol|annex\b|clause\b|compliant|as\s+per|requirements?\b)",
    re.IGNORECASE,
)
_VOUCHES_BEFORE = re.compile(
    r"(?:标准|标准号|规范|规程|国标|行标|协议|规约|符合|依据|根据|按照?|遵照|执行|满足|参照|参考|遵循|遵守|采用|依照?|引用|详?见|达到|等效|等同|》"
    r"|\bper|\bstandards?|specification|according\sto|comply\swith|complies\swith|accordance\swith|conforms?\sto|acc\.(?:\sto)?|\bmeets?"
    r"|(?P<loose>\bto|\bwith|\bsee|\bunder))[\s\"“‘:：(《『【*`为]{0,4}$",
    re.IGNORECASE,
)
# In a list with another, as JB1152、GB3323: what nobody writes of quantities.
_SIBLING = r"(?:GB|[A-Z]{2}/T|ISO|IEC|JGJ|TSG|ASTM)\s?[A-Z]?[0-9]{3,6}(?:[.-][0-9]{1,4})?"
_SIBLING_AFTER = re.compile(rf"\s?(?:[、,/;和与及]|and)\s?{_SIBLING}")
_SIBLING_BEFORE = re.compile(rf"{_SIBLING}\s?(?:[、,/;和与及]|and)\s?$")
_PHOTO = re.compile(
    r"感光|快门|光圈|曝光|相机|胶片|拍摄|镜头|摄影|噪点|\bf/\d|shutter|aperture|\bfilm|camera|exposure|\blens|\bshot\b|photo", re.IGNORECASE
)
_OIL = re.compile(r"油|润滑|黏度|粘度|\boils?\b|viscosity|lubric|grease|\bVG\b", re.IGNORECASE)
_PARTS = frozenset(str(part) for part in range(1, 16))  # of trade standards
_FREE = frozenset(" ,;:()[]|/\n\"'") | {""}
_FORM = re.compile(r"(?:LE|[A-H])(?![A-Za-z0-9])")  # DIN 125A, ISO 14443A, IEC 61850-9-2LE
_IMAGE = re.compile(r"镜像|光盘|\bimage|download|mount|\w\.iso\b(?!\.)", re.IGNORECASE)
FILM_SPEEDS = frozenset(
    {25, 50, 64, 80, 100, 125, 160, 200, 250, 320, 400, 500, 640, 800, 1000, 1250, 1600, 3200, 6400, 12800, 25600, 51200}
)
OIL_GRADES = frozenset({2, 3, 5, 7, 10, 15, 22, 32, 46, 68, 100, 150, 220, 320, 460, 680, 1000, 1500, 2200, 3200})  # ISO 3448
ALONE = frozenset({"TSG", "JGJ", "JGJ/T", "JJG", "Q/GDW", "Q/GDW/Z"})  # need no more than a number
MEMORY_SIZES = frozenset(2**n for n in range(4, 17))


def believed(text: str, prefix: Prefix, first: Number, *, dated: bool, read_to: int) -> bool:
    """Whether the mention that begins with `prefix` and `first` in folded text names a standard.

    `dated`: a number of its list has a year, so the whole list is one. `read_to`: where the reference before it ends.
    """
    if not _stands_free(text, prefix, first):
        return False
    if prefix.kind.style == "astm":  # ASTM 1417-21 has lost its letter; ASTM 304 is a steel
        return not first.number[0].isdigit() or (dated and len(first.number) >= 3)
    if prefix.kind.family in ALONE:
        return True
    if prefix.kind.style == "chinese":
        quantity = _behind_a_quantity(text, prefix) and read_to < prefix.start - 2
        return _chinese(text, prefix, first, dated=dated, quantity=quantity)
    return _international(text, prefix, first, dated=dated)


def _vouched(text: str, prefix: Prefix, first: Number) -> bool:
    """Whether a word beside says that this is a standard."""
    before = text[max(0, prefix.start - BESIDE) : prefix.start]
    if _VOUCHES_AFTER.match(text, first.end) is not None:
        return True
    found = _VOUCHES_BEFORE.search(before)
    if found is not None and (prefix.kind.family not in WEAK or not found["loose"]):  # sent to NY 10001
        return True
    return _SIBLING_AFTER.match(text, first.end) is not None or _SIBLING_BEFORE.search(before) is not None


def _stands_free(text: str, prefix: Prefix, first: Number) -> bool:
    """No part of a longer word, a domain name, a part number, a decimal number or an identifier."""
    left = text[prefix.start - 1 : prefix.start]
    if left.isascii() and left not in _FREE:
        kind = prefix.kind
        if left.isdigit() and not (kind.family.endswith("/T") or (first.year and len(first.number) >= 4)):
            return False
        further = text[prefix.start - 2 : prefix.start - 1]
        if further.isascii() and further.isalnum():
            if left == "_":
                return False
            if left == "-" and not (kind.upper and kind.family in ("GB", "GB/T", "ISO", "IEC") and len(first.number) >= 4):
                return False
            if left == "." and not (kind.upper or "/" in kind.family):
                return False
    right = text[first.end : first.end + 1]
    if right == "-" and not prefix.kind.upper and not first.part and text[first.end + 1 : first.end + 2].isalpha():
        return False  # dl/t0000-skip-test
    if not right.isascii() or right in _FREE:
        return True
    if right.isalpha():
        enough = bool(first.part) or len(first.number) >= (3 if prefix.kind.family == "DIN" else 4)
        return enough and prefix.kind.style == "international" and _FORM.match(text, first.end) is not None
    if right == "_" and text[first.end + 1 : first.end + 2].isalpha():
        return "/" in text[prefix.start : prefix.end]
    return not (right == "." and text[first.end + 1 : first.end + 2].isdigit())


def _chinese(text: str, prefix: Prefix, first: Number, *, dated: bool, quantity: bool) -> bool:
    kind, digits = prefix.kind, len(first.number)
    if digits > DIGITS_MAX and not first.year:
        return False
    weak, bare_year = kind.family in WEAK, YEAR.fullmatch(first.number) is not None and not first.part
    if bare_year and len(first.year) == 2 and not kind.firm:
        return False  # HJ 2023-03 is a month
    if dated and (not weak or prefix.tight or len(first.year) == 4) and (kind.upper or kind.firm or digits >= 4):
        return not quantity or digits >= 4
    if kind.firm and not bare_year:
        return True
    if UNIT_AFTER.match(text, first.end):
        return False
    vouched = _vouched(text, prefix, first) and digits >= 2
    if kind.firm or vouched:
        return vouched
    if first.number.startswith("0") or bare_year or quantity:
        return False
    if weak:
        # DL 5190.5: a part behind four digits is hardly a quantity's, for those are rarely written so exactly.
        return kind.upper and prefix.tight and ((digits == 5 and kind.family in FIVE_DIGITS) or (digits >= 4 and first.part in _PARTS))
    return _plain_gb(text, first, upper=kind.upper)


def _behind_a_quantity(text: str, prefix: Prefix) -> bool:
    """`16 GB 2019`: a unit behind its number. `M10×30 GB5783` is not: nobody writes a number straight behind a unit."""
    behind = prefix.kind.family == "GB" and text[max(0, prefix.start - 2) : prefix.start].rstrip(" ")[-1:].isdigit()
    return behind and text[prefix.end - 1] == " "


def _plain_gb(text: str, first: Number, *, upper: bool) -> bool:
    """GB and a number, with no year and no word that vouches."""
    digits = len(first.number)
    if int(first.number) in MEMORY_SIZES or (digits < 4 and (not upper or COUNT_AFTER.match(text, first.end))):
        return False
    if digits >= 3 or first.part:
        return True
    # GB 93 弹簧垫圈: two digits need the title behind them.
    return digits == 2 and re.match(r"\s?[\u4e00-\u9fff《]", text[first.end : first.end + 2]) is not None


def _international(text: str, prefix: Prefix, first: Number, *, dated: bool) -> bool:
    family, digits = prefix.kind.family, len(first.number)
    if not prefix.kind.upper and (family == "EN" or digits < 3):
        return False
    if first.number.startswith("0") and "VDE" not in family:
        return False
    if dated:
        return True
    if digits > DIGITS_MAX and not (family == "EN" and digits == ETSI_DIGITS and first.number.startswith("30")):
        return False
    value = int(first.number)
    if family == "ISO" and value in FILM_SPEEDS and first.part.isdigit() and int(first.part) in FILM_SPEEDS:
        return False
    if UNIT_AFTER.match(text, first.end) and not text[first.end : first.end + 1].isalpha():
        return ONE_LETTER.match(text, first.end) is not None and digits >= 4
    if first.part:
        month = first.part.startswith("0") or (family == "EN" and YEAR.fullmatch(first.number) and len(first.part) == 2)
        return digits >= 2 and (not month or _vouched(text, prefix, first))
    if digits > 4 and value not in FILM_SPEEDS:
        return True
    vouched = _vouched(text, prefix, first)
    if digits <= 4 and not vouched and COUNT_AFTER.match(text, first.end):
        return False
    if family in ("EN", "DIN") and YEAR.fullmatch(first.number):
        return vouched
    return (digits >= 3 or (digits == 2 and vouched)) and not (family == "ISO" and _no_standard(text, prefix, first, vouched=vouched))


def _no_standard(text: str, prefix: Prefix, first: Number, *, vouched: bool) -> bool:
    """ISO of a film, an oil or a disc."""
    value, scene = int(first.number), text[max(0, prefix.start - SCENE) : first.end + SCENE]
    if value in FILM_SPEEDS and (not vouched or _PHOTO.search(scene)):
        return value != 1000 or _PHOTO.search(scene) is not None
    if vouched:
        return False
    return (value in OIL_GRADES and _OIL.search(scene) is not None) or _IMAGE.search(scene) is not None
