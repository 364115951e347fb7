"""A row as a point of the device: address as sent, type, order, scale; or what the map would still have to say."""

import re
from decimal import Decimal

from holdfast.agent.models.registers import heading, notation
from holdfast.agent.models.registers.lines import RULES
from holdfast.agent.models.registers.look import RANGE, free
from holdfast.agent.models.registers.meaning import meaning
from holdfast.agent.models.registers.patterns import any_of
from holdfast.agent.models.registers.states import bits_of, states_of
from holdfast.agent.models.registers.words import READ_CODE, REGISTERS, Area, Facts, Kind, Point, Reason, Refusal, Row, Slot

_DIGIT_AREA: dict[str, Area] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_REFERENCE = re.compile(r"([0134])(\d{4,5})")
_OTHER_REFERENCE = re.compile(r"([134])x(\d{4,5})", re.IGNORECASE)  # 0x… is a hexadecimal number
_BYTES = re.compile(r"(?:0x)?[0-9A-Fa-f]{2}[ ,]{1,2}(?:0x)?[0-9A-Fa-f]{2}")  # of a frame
_RANGE = re.compile(r"\s?[-~–]\s?|\.\.")
_FRACTION = re.compile(r"(?<![\d.~-])(0\.0*[1-9]\d?)(?![\d.])(?!\s*[~…-])")
_STATUS_NAME = re.compile(r"(?i)status ?word|control ?word|command ?word|状态字|控制字|命令字")
_OFFSET = re.compile(
    r"(?i)\boffset[\"']?\s*[:=]?\s*-?[1-9]|偏移量?\s*[:：=]?\s*-?[1-9]|\b(?:raw|value|reading)\s*[-+]\s*\d|读数\s*[-+减加]\s*\d|"
    r"\b(?:subtract|add)\s+\d|减去\s?\d"
)
_WISHED = any_of("wished")
_LONG_CALL = re.compile(r"(?i)(?:read|get)_?(?:long|dword|dint)\s*\(")
_WIDER = re.compile(  # words for more than one register
    r"(?i)(?<![a-z])(?:(?:read|get)_?)?(?:long|dword|double|quad|lint|[36][24]\s?-?bits?)(?![a-z])|"
    r"(?<!\d)[24] ?(?:registers|regs|words)\b|[双两四]个?(?:字|寄存器)"
)


def point(row: Row, *, writes: bool, anyone_says_access: bool) -> Point | Refusal:
    """What the row is, or the refusal that names what is missing or contradicts itself."""
    if row.clash:
        return _contradicts("address")
    placed = _placed(row)
    if isinstance(placed, Refusal):
        return placed
    area, address, span = placed
    lacks: list[str] = []
    if area is None:
        lacks.append("register_space")
    if address is None:
        lacks.append("address_base")
    kind, doubt = _kind(row, area, writes=writes)
    if kind is None:
        lacks.append("data_type")
    count = _count(row, kind, span)
    if isinstance(count, Refusal):
        return count
    if kind is not None and count is None:
        lacks.append("length")
    wide = kind is not None and REGISTERS.get(kind, 1) > 1
    order = row.facts.order
    if wide and order == "clash":
        return _contradicts("word_order")
    if wide and order not in ("big", "little"):
        lacks.append("word_order")
    if not _scale_known(row) and area not in ("coil", "discrete"):
        lacks.append("scale")
    if lacks or area is None or address is None or kind is None or count is None:
        return Refusal(reason="incomplete", missing=tuple(lacks))
    if address + count > 65_536:
        return _contradicts("address")
    bits = area in ("coil", "discrete")
    scale, sure = _scale(row) if not bits else (Decimal(1), True)
    return Point(
        area=area,
        address=address,
        count=count * row.several,
        kind=kind,
        word_order=("little" if order == "little" else "big") if wide else None,
        byte_order=None if bits else row.facts.byte_order if row.facts.byte_order == "little" else "big",
        scale=scale,
        unit=row.unit.text if row.unit is not None and not bits else "",
        writable=_writable(row, area, anyone_says_access=anyone_says_access),
        write_code=row.facts.write_code,
        doubt=doubt or ("scale" if not sure else ""),
    )


def _contradicts(*what: str) -> Refusal:
    reason: Reason = "contradictory"
    return Refusal(reason=reason, missing=what)


def _placed(row: Row) -> tuple[Area | None, int | None, int | None] | Refusal:
    """(area, address as sent, registers that the address names by itself)."""
    text = row.address.text.strip(" []\"'`*")
    facts = row.facts
    area = _row_area(row) or facts.area
    first, _, last = _split(text)
    other = _OTHER_REFERENCE.fullmatch(first)
    plain = _REFERENCE.fullmatch(first)
    span: int | None = None
    start = _number(first, facts)
    end = _number(last, facts) if last else None
    if start is not None and end is not None:
        whole = end if end > start else None
        span = whole - start + 1 if whole is not None and whole - start < 125 else None
    beyond = plain is not None and int(first) > 65_535 and not row.plus  # what can be nothing but a reference
    if (facts.base == "reference" and plain is not None) or other is not None or beyond:
        found = other or plain
        digit, number = (found[1], int(found[2])) if found is not None else ("4", 0)
        named = _DIGIT_AREA[digit]
        stated = _row_area(row) or facts.area
        if stated is not None and stated != named:
            return _contradicts("register_space", "address")
        if facts.base == "unclear":
            return named, None, span
        if not 1 <= number <= 65_536:
            return _contradicts("address")
        return named, number - 1 + row.plus, span
    if start is None:
        return _contradicts("address")
    if area is None and facts.write_code in (6, 16) and _kind(row, None, writes=True)[0] not in (None, "bool"):
        area = "holding"  # what these functions write
    if facts.base == "unclear":
        return area, None, span
    plus = _number(facts.plus.text, facts) if facts.plus is not None else 0
    if plus is None or (facts.plus is not None and start >= plus):
        return area, None, span  # the whole address or what is added to the base: neither is sure
    start += plus + row.plus
    if facts.base == "one":
        return (area, start - 1, span) if start >= 1 else _contradicts("address", "address_base")
    if facts.base == "reference" and not first.upper().startswith("%MW"):
        return area, None, span  # a plain number under a heading of references: neither is sure
    told = facts.base == "zero" or first.upper().startswith("%MW") or facts.code_like or (_hexadecimal(first, facts) and area is not None)
    return area, start if told else None, span


def _row_area(row: Row) -> Area | None:
    if row.area is None:
        return None
    named = notation.area_of(row.area.text) or ("input" if row.area.text.strip().lower() == "read" else None)
    if named is not None:
        return named
    codes = [code for code, _, _ in heading.codes_in(row.area.text)] or ([int(row.area.text)] if row.area.text.strip().isdigit() else [])
    for area, code in READ_CODE.items():
        if codes and code == codes[0]:
            return area
    return None


def _split(text: str) -> tuple[str, str, str]:
    if _BYTES.fullmatch(text):
        return text, "", ""
    parts = _RANGE.split(text, maxsplit=1)
    if len(parts) == 2:
        return parts[0], "-", parts[1]
    listed = [piece.strip() for piece in text.split(",")]
    return (listed[0], ",", listed[-1]) if len(listed) > 1 else (text, "", "")


def _hexadecimal(text: str, facts: Facts) -> bool:
    return text.lower().startswith("0x") or text[-1:] in "Hh" or (facts.hexadecimal and re.fullmatch(r"[0-9A-Fa-f]{3,4}", text) is not None)


def _number(text: str, facts: Facts) -> int | None:
    bare = text.strip()
    if _BYTES.fullmatch(bare):
        return int("".join(re.findall(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}(?![0-9A-Za-z])", bare.replace("0x", ""))), 16)
    if bare.upper().startswith("%MW"):
        return int(bare[3:])
    try:
        if bare.lower().startswith("0x"):
            return int(bare, 16)
        if bare[-1:] in "Hh":
            return int(bare[:-1], 16)
        if facts.hexadecimal and re.fullmatch(r"[0-9A-Fa-f]{3,4}", bare) and not (bare.isdigit() and facts.base == "reference"):
            return int(bare, 16)
        return int(bare) if bare.isdigit() else None
    except ValueError:
        return None


def _behind(row: Row) -> str:
    return row.block.text[row.address.end - row.block.start :]


def _kind(row: Row, area: Area | None, *, writes: bool) -> tuple[Kind | None, str]:
    """(type, why it is in doubt)."""
    if area in ("coil", "discrete"):
        return "bool", ""
    slot = row.kind or (row.facts.write_kind if writes else None) or row.facts.kind
    named = _STATUS_NAME.search(row.name.text.replace("_", " ")) is not None and row.facts.code_like
    if slot is None and (bits_of(row.block.text) or (named and not states_of(_behind(row)))):
        return "bits", ""
    if slot is None and row.untyped:
        return "uint16", "signless"
    if slot is None and writes and row.facts.write_code == 6 and len(states_of(_behind(row))) >= 2:
        return "uint16", "signless"  # one register of named states
    if slot is None:
        return None, ""
    kind = notation.kind_of(RULES.get(slot.text, slot.text))
    if notation.SIGN_ARGUMENT.fullmatch(slot.text) and _WIDER.search(row.block.text):
        if _LONG_CALL.search(row.block.text) is None:
            return None, ""  # the sign alone is told by that word, and something else tells of more than one register
        return ("int32" if kind == "int16" else "uint32"), ""
    if kind == "bool":
        return None, ""  # a bit of a register needs its number
    if notation.SIGN_ONLY.fullmatch(slot.text) and row.length is not None:
        signed = kind == "int16"
        values = 3 if row.length.text in ("3", "6") else 1
        wide = int(row.length.text) // values == 2 if row.length.text.isdigit() else False
        kind = ("int32" if signed else "uint32") if wide else kind
    if notation.SIGN_ONLY.fullmatch(slot.text) and row.length is None:
        return kind, "width"
    return kind, "signless" if notation.SIGNLESS.fullmatch(slot.text) else ""


def _count(row: Row, kind: Kind | None, span: int | None) -> int | Refusal | None:
    length = _number(row.length.text, Facts()) if row.length is not None else None
    if kind is None:
        return None
    if kind == "string":
        slot = row.kind or row.facts.kind
        return (notation.text_registers(slot.text) if slot is not None else None) or length or span
    width = REGISTERS[kind]
    for said, what in ((span, "address"), (length, "length")):
        if said == 3 * width and row.several == 1:
            return said  # three phases in one row
        if said is not None and said not in (width, width * row.several):
            return _contradicts("data_type", what) if kind != "bool" else 1
    return width


def offset_of(row: Row, scale: Decimal) -> Decimal | None:
    """What is added once the scale is applied; None where a row speaks of one in a way that is not sure."""
    a, b = row.address.start - row.block.start, row.address.end - row.block.start
    text = f"{row.block.text[:a]}  {row.block.text[b:]}"  # `offset` may head an address as well
    if _OFFSET.search(text) is None:
        return Decimal(0)
    before = re.search(r"(?i)\(\s*raw\s*-\s*offset\s*\)", text)
    keyed = re.search(r"(?i)\boffset[\"']?\s*[:=]\s*(-?\d+(?:\.\d+)?)", text)
    if keyed is not None:
        return -Decimal(keyed[1]) * scale if before is not None else Decimal(keyed[1])
    taken = re.search(r"(?i)(?:subtract|minus|减去?|less)\s*(\d+(?:\.\d+)?)\b.{0,24}?(?:after (?:scaling|that)|afterwards)", text)
    if taken is not None:
        return -Decimal(taken[1])
    return None


def _fraction_left(row: Row) -> bool:
    """Whether a number below one stands in a row that has no scale, and no range that it could be an end of."""
    text = row.block.text
    slots = [s for s in (row.name, row.address, row.kind, row.unit, row.access, row.area, row.length) if s is not None]
    taken = [(s.start - row.block.start, s.end - row.block.start) for s in slots] + [m.span() for m in RANGE.finditer(text)]
    return any(free(found.span(1), taken) for found in _FRACTION.finditer(text))


def scale_slot(row: Row) -> Slot | None:
    """The row's scale, else the heading's; one that the heading gives with a unit is of rows of that unit or its quantity."""
    general = row.facts.scale
    if row.scale is not None or general is None:
        return row.scale
    unit = notation.UNIT.search(general.text)
    if unit is None:
        return general
    if row.unit is not None:
        return general if row.unit.text == unit[0] else None
    kinds = meaning("", unit=unit[0]).also
    return general if kinds and kinds & meaning(row.title).ideas else None


def _scale_known(row: Row) -> bool:
    slot = scale_slot(row)
    if slot is None:
        return row.kind is None or notation.kind_of(row.kind.text) in ("float32", "float64") or not _fraction_left(row)
    return notation.scale_of(slot.text, bare_way=row.scale_way) is not None


def _scale(row: Row) -> tuple[Decimal, bool]:
    slot = scale_slot(row)
    if slot is None:
        return Decimal(1), True
    found = notation.scale_of(slot.text, bare_way=row.scale_way)
    return found if found is not None else (Decimal(1), False)


def _writable(row: Row, area: Area, *, anyone_says_access: bool) -> bool | None:
    """None where the map leaves it open."""
    if area in ("input", "discrete"):
        return False
    said = notation.access_of(row.access.text) if row.access is not None else row.facts.access
    if said:
        return "w" in said
    if row.facts.write_code is not None and re.search(r"(?i)\(?\s*(?:fc|w)\s?0?(?:5|6|15|16)\)?", row.block.text):
        return True
    if anyone_says_access:
        return False
    if area == "coil" or row.facts.told_writes:
        return True
    return None if _WISHED.search(row.name.text) else False
