"""What a heading or a section line of a register map says of the rows: function code, where counting starts, word order, defaults."""

import re
from collections.abc import Iterator

from holdfast.agent.models.registers import notation
from holdfast.agent.models.registers.patterns import pattern
from holdfast.agent.models.registers.words import READ_CODE, Area, Base, Facts, Order, OrderSaid, ScaleWay, Slot
from holdfast.terms import Word

_AREA_OF_CODE: dict[int, Area] = {code: area for area, code in READ_CODE.items()}

# Function codes: a number behind a word for it, in brackets behind an area, or before a word for reading or writing.
_CODE_WORD = (
    r"(?:\bfc[\"']?\s*[=:#]?\s*|\bfn\s*[=:]?\s*|\bf\.?c\.?\s|(?<![A-Za-z])func(?:tion)?s?(?:[ _-]?codes?)?\s*[=:\"]*\s*|"
    r"功能码\s*[:：=为]?\s*|\bcodes?\s+)"
)
_NUMBER = r"(0x(?:0?[1-6]|0f|10)|(?:0?[1-6]|0f|10|15|16)h|0?[1-6]|15|16)(?![0-9A-Za-z]|\.\d)(?!\s*-?\s*(?:位|digit|bit))(?:\(1[56]\))?"
_MORE = r"(?:\s*(?:/|和|or|and|&|[,、](?=\s*(?:fc|0)))\s*(?:fc\s*)?" + _NUMBER + r")?"
# `coil 1` is an address, `coils (1)` and `input registers 04` are functions.
_BEFORE_CODE = (
    r"(?:(?<![A-Za-z_])(?:registers?|coils?|inputs?|寄存器|线圈|离散输入|reg\.?)(?=\s*(?:[(（:：]|with|by|use|用|功能码|fc|0))"
    r"|read(?:ing)?|write|writing|多个|单个|写|读|用|use)\s*[(（:：]?\s*(?:with|by|use|uses|用|功能码)?\s*(?:fc\s*)?"
)
_AFTER_CODE = r"(?=\s*(?:[)）,，;；。|/、.\n]|$|read|write|读|写|and|-))"
_PLAIN = r"(0x(?:0?[1-6]|0f|10)|(?:0?[1-6]|0f|10)h|0[1-6]|1[56]|10)h?"
_WRITE_NUMBER = r"(?<![0-9A-Za-z.])(0x(?:0?[56]|0f|10)|(?:0?[56]|0f|10)h|0[56]|1[56])(?![0-9A-Za-z]|\.\d)"
_CODES = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (
        _CODE_WORD + r"\(?\[?" + _NUMBER + _MORE + _MORE,
        _BEFORE_CODE + _NUMBER + _MORE + _MORE + _AFTER_CODE,
        r"(?<![0-9A-Za-z.x])" + _PLAIN + r"(?:\s*/\s*" + _PLAIN + r")?\s*(?=读|写|read\b|write\b)",
        r"\bFC(\d{1,2})(?:Read|Write)",
        r"(?<![0-9A-Za-z])[0-9A-F]{2}\s(05|06|0f|10)\s(?:[0-9A-F]{2}\s){4}",  # an example's bytes
        _PLAIN + r"\s*号?功能码",
        r"^\s*[(\[]\s*(?:FC\s?)?(0x0[1-6]|0?[1-6])\s*[)\]](?=\s*\S)",
        r"[(（,，;；]\s*(0[1-6])[Hh]\s*(?=[,，;；)）])",
        r"(?:写|writ\w*|preset|force)[^\d\n]{0,24}?" + _WRITE_NUMBER,
    )
)

_API = re.compile(
    r"(?<![A-Za-z])(?P<verb>read|write)_?(?P<how>single|multiple|multi)?_?(?P<what>holding|input|discrete|coils?)?_?(?P<unit>inputs?|"
    r"reg(?:ister)?s?|coils?|(?<=holding)|(?<=input))(?![a-z])",
    re.IGNORECASE,
)  # as libraries name their calls
_PLUS = re.compile(
    r"(?:\bbase(?: address| register| addr\.?)?|\b(?:block|table|section) (?:start(?:s)?(?: address| at)?|address|begins at)|"
    r"offsets? (?:are )?(?:relative to|from|to)|基(?:准)?地址|首地址|起始地址)"
    r"\s*(?:[:=]|is|at|of|为)?\s*(0x[0-9A-Fa-f]{2,4}|[0-9A-Fa-f]{2,4}[Hh]|\d{2,5})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_AREA_OF_DIGIT: dict[str, Area] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_FIRST_OF = re.compile(
    r"(?:offsets?|counted|counting|relative|从)\b[^.;\n]{0,24}?(?:from|to|于)\s*([0134])0{3,4}1\b", re.IGNORECASE
)  # `offset from 30001`: nothing is left to take off
_FORMULA = re.compile(
    r"(?:value|值|数)\s*=\s*(?:raw|register|reading|寄存器(?:数)?值|读数|原始值|采集值)[a-z ]*([/÷*×x])"
    r"\s*(?:the )?(?:scale|scaling|gain|factor|ratio|mult|divisor|系数|倍率|比例|倍数)",
    re.IGNORECASE,
)
_NO_DEFAULT = re.compile(r"(?i)/|unit|单位|10|.*对应")
_OF_ALL = re.compile(r"(?i)\b(?:all|every|each)\b|均|全部|所有|都")
_OFFSETS = re.compile(r"(?i)\boffsets?\b|偏移|相对")
_BASE_DOUBT, _ORDER_DOUBT, _AREA_DOUBT = (pattern("heading", f"{of}_doubt") for of in ("base", "order", "area"))
_ALWAYS, _UNLESS = pattern("heading", "order_always"), pattern("heading", "order_unless")

_REFERENCE = pattern("heading", "reference")
_NOT_ONE = pattern("heading", "not_one")
_ONE = pattern("heading", "one")
_ZERO = pattern("heading", "zero")
_MINUS_ONE, _ZERO_START, _ONE_START = (pattern("heading", name) for name in ("minus_one", "zero_start", "one_start"))
_LITTLE = pattern("heading", "little")
_BIG = pattern("heading", "big")
_BYTES_SWAPPED = pattern("heading", "bytes_swapped")
_HEX = pattern("heading", "hex")
_WIDE_DEFAULT = pattern("heading", "wide_default")
_READ_ONLY, _WRITE_ONLY, _WRITE_WORD = pattern("heading", "read_only"), pattern("heading", "write_only"), pattern("heading", "write_word")
LOOKED_MAX = 400  # characters of a line that are looked at to tell whether it is of a program
_CODE_LINE = re.compile(
    r"^\s*(?://|/\*|\(\*|#define\b|const\b|static\b|public\b|pub\b|let\b|var\b|enum\b|.*\{.*\}|.*new \w+\(|\s*-?\s*[A-Za-z_]+:\s*(?:\{|$)|"
    r"\"?[A-Za-z_][A-Za-z0-9_.]*\"?\s*(?:=|:=|:)\s*(?:0x[0-9A-Fa-f]+|\d+)\s*(?:[,;]|//|#|/\*|$|--))"
)
_READ_WITH = re.compile(r"(?:\bread(?:ing)?|读取?)\s*[:=]?\s*(?:with|by|用)?\s*(?:fc|功能码)?\s*0?([1-4])(?!\d)", re.IGNORECASE)
_EXPLAINED = re.compile(
    r"\s*(?:/|:(?=\s*\S)|=|inverse|swap|order|format|values?\b.{0,10}(?:word|swap|order))", re.IGNORECASE
)  # told about, not given to all


class Told(Word):
    """What some lines say, each with the words that say it."""

    area: Area | None = None
    areas: tuple[Area, ...] = ()
    write_codes: tuple[int, ...] = ()
    base: Base | None = None
    order: OrderSaid | None = None
    always: bool = False  # the order is of all values, with no exception
    byte_order: Order = "big"
    hexadecimal: bool = False
    plus: Slot | None = None
    area_doubt: bool = False
    scale_way: ScaleWay | None = None
    mixed: bool = False
    kind: Slot | None = None
    write_kind: Slot | None = None
    scale: Slot | None = None
    access: str = ""


def codes_in(text: str) -> Iterator[tuple[int, int, int]]:
    """(code, start, end) of every function code that a text names."""
    seen: set[int] = set()
    for code in _CODES:
        for found in code.finditer(text):
            for index in range(1, len(found.groups()) + 1):
                if found[index] and found.start(index) not in seen:
                    seen.add(found.start(index))
                    yield _code(found[index]), found.start(index), found.end(index)


def codes_of(text: str) -> tuple[int, ...]:
    """The function codes of a slot that may be nothing but one, as `04`, `03H`, `writesingle`."""
    bare = re.fullmatch(r"\s*(?:fc|0x)?\s*(0?[1-6]|0f|10|1[56])h?\s*", text, re.IGNORECASE)
    codes = tuple(code for code, _, _ in codes_in(text)) or ((_code(bare[1]),) if bare is not None else ())
    return codes + tuple(writes_of(text))


def writes_of(text: str) -> Iterator[int]:
    """How a configuration's word says to write."""
    for word, code in (("writesingle", 6), ("writemultiple", 16), ("writecoil", 5)):
        if word in re.sub(r"[ _-]", "", text.lower()):
            yield code


def api_in(text: str) -> Iterator[tuple[Area | None, int | None]]:
    """(area read, code to write with) of each call that a text names as libraries do: `read_input_registers`, `WriteSingleCoil`."""
    for found in _API.finditer(text):
        if (
            found["how"] is None
            and found["what"] is None
            and found["verb"].lower() == "read"
            and not found["unit"].lower().startswith("coil")
        ):
            if text[found.end() : found.end() + 1] == "(":
                yield None, None  # a call whose name says no area
            continue
        if found["verb"].lower() == "read":
            what = (found["what"] or found["unit"]).lower()
            yield ("holding" if what == "holding" else "input" if what == "input" else "discrete" if what == "discrete" else "coil"), None
        else:
            bits = (found["what"] or found["unit"]).lower().startswith("coil")
            more = (found["how"] or "").lower().startswith("multi") or (found["unit"].lower().endswith("s") and found["how"] is None)
            yield None, (15 if more else 5) if bits else (16 if more else 6)


def scale_way_of(text: str) -> ScaleWay | None:
    """`value = register / scale` says how a column of factors is meant."""
    found = _FORMULA.search(text)
    return None if found is None else "over" if found[1] in "/÷" else "times"


def bytes_swapped(text: str) -> bool:
    return _BYTES_SWAPPED.search(text) is not None


def _code(text: str) -> int:
    """`10H` and `0x10` are 16; `10` behind a word for writing is 16 as well, for there is no function 10."""
    bare = text.lower().removeprefix("0x").rstrip("h")
    if bare in ("10", "0f"):
        return int(bare, 16)
    return int(bare)


def told(text: str, start: int) -> Told:
    """What a heading says; `start` is where it stands in the map."""
    found = list(codes_in(text))
    reads: list[Area] = [_AREA_OF_CODE[code] for code, _, _ in found if code in _AREA_OF_CODE]
    named: list[Area] = [area for _, _, area in notation.areas_in(text)]
    areas: tuple[Area, ...] = tuple(dict.fromkeys(named or reads))
    area: Area | None = None
    if len(set(named)) == 1 and reads and named[0] not in reads:
        areas = ()  # `holding registers, function 04`: neither is sure
    elif len(set(named)) == 1:
        area = named[0]
    elif len(set(reads)) == 1 and (not named or reads[0] in named):
        area = reads[0]
    elif len(set(reads)) > 1 and not named and (said := _READ_WITH.search(text)) is not None:
        area = _AREA_OF_CODE.get(int(said[1]))  # `read: FC04 … (FC03 to read back)`
    calls = tuple(api_in(text))
    called: set[Area] = {read for read, _ in calls if read is not None}
    if area is None and not named and len(called) == 1:
        area = next(iter(called))
    if area is None and not named and (first := _FIRST_OF.search(text)) is not None:
        area = _AREA_OF_DIGIT[first[1]]
    writes = tuple(
        dict.fromkeys([*(code for code, _, _ in found if code in (5, 6, 15, 16)), *(code for _, code in calls if code is not None)])
    )
    plus = _PLUS.search(text)
    if plus is not None and _OFFSETS.search(text) is None and not re.match(r"(?i)base\s+\d{3,5}(?!\d)", plus[0]):
        plus = None
    first = _FIRST_OF.search(text)
    if plus is not None and re.fullmatch(r"[0134]0{3,4}1", plus[1]):
        plus = None
    order = order_of(text)
    return Told(
        area=area,
        areas=areas,
        write_codes=writes,
        base="zero" if first is not None else base_of(text) or ("zero" if calls or plus is not None else None),
        order="unclear" if _ORDER_DOUBT.search(text) else order,
        always=order is not None and _ALWAYS.search(text) is not None and _UNLESS.search(text) is None,
        byte_order="little" if _BYTES_SWAPPED.search(text) else "big",
        plus=Slot(text=plus[1], start=start + plus.start(1), end=start + plus.end(1)) if plus is not None else None,
        scale_way=scale_way_of(text),
        mixed=len({kind for _, _, kind in notation.types_in(text, faint=False)}) > 1,
        area_doubt=_AREA_DOUBT.search(text) is not None,
        hexadecimal=_HEX.search(text) is not None,
        kind=_default_kind(text, start),
        write_kind=_write_kind(text, start),
        scale=_default_scale(text, start),
        access="r" if _READ_ONLY.search(text) else "w" if _WRITE_ONLY.search(text) else "",
    )


def hexadecimal(text: str) -> bool:
    """Whether a line says that addresses are hexadecimal."""
    return _HEX.search(text) is not None


def base_of(text: str) -> Base | None:
    """Where addresses count from. A reference form (4xxxx) outranks a start at 1, which outranks one at 0."""
    if _BASE_DOUBT.search(text):
        return "unclear"
    if _REFERENCE.search(text):
        return "reference"
    if _NOT_ONE.search(text):
        return "zero"
    if _ZERO_START.search(text) and _MINUS_ONE.search(text) and not _ONE_START.search(text):
        return "unclear"
    return "one" if _ONE.search(text) else "zero" if _ZERO.search(text) else None


def order_of(text: str) -> Order | None:
    return "little" if _LITTLE.search(text) else "big" if _BIG.search(text) else None


def _default_kind(text: str, start: int) -> Slot | None:
    """A type that holds for all rows: a heading says so, or names exactly one that is no mere width."""
    clear = [
        (a, b)
        for a, b, _ in notation.types_in(text, faint=False)
        if not _EXPLAINED.match(text[b:]) and not re.search(r"[=/]\s*$", text[:a])
    ]
    if len(clear) == 2 and _write_kind(text, start) is not None:
        clear = clear[:1]
    if len(clear) == 1 or (
        clear and len({notation.kind_of(text[a:b]) for a, b in clear}) == 1 and None not in {notation.kind_of(text[a:b]) for a, b in clear}
    ):
        a, b = clear[0]
        return Slot(text=text[a:b], start=start + a, end=start + b)
    if not clear and _WIDE_DEFAULT.search(text):
        width = notation.SIGNLESS.search(text)
        if width is not None:
            return Slot(text=width[0], start=start + width.start(), end=start + width.end())
    if not clear and re.search(r"[,，;；]\s*16位\s*$", text.strip("。. \n")):
        at = text.rindex("16位")
        return Slot(text="16位", start=start + at, end=start + at + 3)
    return None


def _write_kind(text: str, start: int) -> Slot | None:
    """A type that is named for writes alone, beside one for reads."""
    both = [(a, b) for a, b, _ in notation.types_in(text, faint=False)]
    behind = _WRITE_WORD.search(text)
    if len(both) == 2 and behind is not None and both[0][1] < behind.start() < both[1][0]:
        return Slot(text=text[slice(*both[1])], start=start + both[1][0], end=start + both[1][1])
    return None


def _default_scale(text: str, start: int) -> Slot | None:
    said = [
        (a, b) for a, b, by_word in notation.scales_in(text) if by_word and not re.match(r"(?i)/|unit|单位|10|.*对应", text[a:b].strip())
    ]
    if not said and re.search(r"\w\([^()]*\)\s*[/*]", text):  # an expression of a program that decodes all
        said = [(a, b) for a, b, by_word in notation.scales_in(text) if by_word]
    if not said and _OF_ALL.search(text):
        plain = [(a, b) for a, b, _ in notation.scales_in(text)]
        if len(plain) == 1 and (unit := notation.UNIT.match(text[plain[0][1] :].lstrip())) is not None:
            said = [(plain[0][0], text.index(unit[0], plain[0][1]) + len(unit[0]))]
    if len(said) == 1 or (said and len({notation.scale_of(text[a:b]) for a, b in said}) == 1):
        a, b = said[-1]
        return Slot(text=text[a:b], start=start + a, end=start + b)
    return None


def says_something(text: str) -> bool:
    """Whether a line is a heading by what it says of conventions."""
    return base_of(text) is not None or order_of(text) is not None or any(True for _ in codes_in(text))


def codelike(lines: list[str]) -> bool:
    """Whether a map is source code: at least half of its lines look so."""
    return len(lines) > 0 and 2 * sum(bool(_CODE_LINE.match(line.strip()[:LOOKED_MAX])) for line in lines) >= len(lines)


def merged(before: Facts, more: Told, *, section: bool) -> Facts:
    """Facts with what a further line says; a section line replaces area and access of the section before."""
    order: OrderSaid | None = more.order or before.order
    if (
        not section
        and before.always
        and more.order in ("big", "little")
        and before.order in ("big", "little")
        and more.order != before.order
    ):
        order = "clash"
    return Facts(
        area=None if more.area_doubt else more.area or (None if section and more.areas else before.area),
        write_code=_write_code(more) or before.write_code,
        base="unclear" if "unclear" in (more.base, before.base) else more.base or before.base,
        order=order,
        always=more.always if more.order else before.always,
        plus=more.plus or before.plus,
        mixed=more.mixed or before.mixed,
        scale_way=more.scale_way or before.scale_way,
        byte_order=more.byte_order if more.order else before.byte_order,
        hexadecimal=more.hexadecimal or before.hexadecimal,
        kind=more.kind or before.kind,
        write_kind=more.write_kind or before.write_kind,
        scale=more.scale or before.scale,
        access=more.access or ("" if section and more.area else before.access),
        code_like=before.code_like,
        told_writes=before.told_writes or bool(more.write_codes),
    )


def _write_code(more: Told) -> int | None:
    """The one code to write registers or coils with; where 6 and 16 are both there, none is demanded."""
    return more.write_codes[0] if len(more.write_codes) == 1 else None
