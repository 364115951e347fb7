"""The grounding gate: an answer passes only where every piece of it stands in one line of the map or in the request.

It makes no answer and mends none. It reads the request that is to be sent backwards: bits to a number, number to a value, value and
address to where they were written. What it can't find again is not sent.
"""

import re
import struct
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from holdfast.agent.models.registers import notation
from holdfast.agent.models.registers.resolve import scale_slot
from holdfast.agent.models.registers.words import REGISTERS, Ask, Request, Row, Slot

_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|[0-9A-Fa-f]+[Hh](?![A-Za-z])|\d+")
_FORMATS = {
    "int16": ">h", "uint16": ">H", "bits": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip


def ungrounded(request: Request, rows: Sequence[Row], ask: Ask, text: str, asked: str) -> str:
    """The first piece that is not found again, as a code; "" where all are. `text` and `asked` are flat."""
    for row in rows:
        wrong = _in_place(row, text)
        if wrong:
            return wrong
    first = rows[0]
    if not any(reading + plus == request.address for reading in _readings(first.address.text) for plus in _added(first, text)):
        return "address"
    if not _typed(request, rows):
        return "type"
    if request.scale != 1 and not _scaled(request.scale, first):
        return "scale"
    return "" if not request.writes else _value(request, ask, asked)


def _in_place(row: Row, text: str) -> str:
    """Slots stand where they say, inside the row's own block, and none over another."""
    own = [s for s in (row.name, row.address, row.kind, row.scale, row.unit, row.access, row.area, row.length) if s is not None]
    if not _stands(row.block, text):
        return "block"
    for slot in own:
        if not _stands(slot, text) or not row.block.start <= slot.start <= slot.end <= row.block.end:
            return "place"
    if row.name.start < row.address.end and row.address.start < row.name.end:
        return "name"
    for slot in (row.facts.kind, row.facts.scale):
        if slot is not None and not _stands(slot, text):
            return "place"
    return ""


def _stands(slot: Slot, text: str) -> bool:
    return bool(slot.text) and text[slot.start : slot.end] == slot.text


def _readings(text: str) -> set[int]:
    """Every address that a reference can mean: as it is, less one, as hexadecimal, as a Modicon reference."""
    found: set[int] = set()
    pair = re.fullmatch(r"(?:0x)?([0-9A-Fa-f]{2})[ ,]{1,2}(?:0x)?([0-9A-Fa-f]{2})", text.strip())
    if pair is not None:
        return {int(pair[1] + pair[2], 16)}
    for match in _NUMBER.finditer(text):
        word = match[0]
        if word.lower().startswith("0x") or word[-1] in "Hh":
            found.add(int(word.lower().removeprefix("0x").rstrip("h"), 16))
        else:
            found |= {int(word), int(word, 16)}
            if len(word) in (5, 6) and word[0] in "0134":
                found.add(int(word[1:]))
    other = re.fullmatch(r"(?i)[134]x(\d{4,5})", text.strip())
    if other is not None:
        found.add(int(other[1]))
    bare = re.fullmatch(r"[0-9A-Fa-f]{3,4}", text.strip())
    if bare is not None:
        found.add(int(bare[0], 16))
    return found | {number - 1 for number in found if number}


def _added(row: Row, text: str) -> tuple[int, ...]:
    """What is added to the address as written: a block's base that stands in the map, the place in a run whose ends stand in the row."""
    base = row.facts.plus
    if base is None:
        return (row.plus,) if row.plus == 0 or row.called else ()
    return tuple(reading + row.plus for reading in _readings(base.text) if reading) if _stands(base, text) else ()


def _typed(request: Request, rows: Sequence[Row]) -> bool:
    if request.data_type in ("bool", "string"):
        return True
    width = REGISTERS[request.data_type]
    values = rows[0].several if len(rows) == 1 else len(rows)
    said = rows[0].length.text if rows[0].length is not None else ""
    said = str(int(said.replace(" ", ""), 16)) if re.fullmatch(r"[0-9A-Fa-f]{2} [0-9A-Fa-f]{2}", said) else said
    return request.count == width * values or (said.isdigit() and request.count == int(said))


def _scaled(scale: Decimal, row: Row) -> bool:
    """The factor, or what is divided by, stands in the scale's slot."""
    slot = scale_slot(row)
    if slot is None:
        return False
    found = notation.scale_of(slot.text, bare_way=row.scale_way)
    numbers = [Decimal(n) for n in re.findall(r"\d+(?:\.\d+)?", slot.text)]
    worded = (
        re.search(r"(?i)tenth|hundred|thousand|\bten\b|decimal|位小数|小数|分之一", slot.text) is not None or row.scale_way == "decimals"
    )
    ends = notation.ends_of(slot.text)
    mapped = len(ends) == 4 and ends[1] != ends[0] and (ends[3] - ends[2]) / (ends[1] - ends[0]) == scale
    written = (
        worded
        or mapped
        or notation.SHOWN.fullmatch(slot.text) is not None
        or any(n in (scale, 1 / scale) for n in numbers)
        or re.search(r"10|SCALE|FIX", slot.text) is not None
        or row.scale_way == "power"
    )  # the last two are powers of ten
    return found is not None and found[0] == scale and written


def _value(request: Request, ask: Ask, asked: str) -> str:
    """What is sent, decoded, is the number that stands in the request; a switch or a named state has none to compare."""
    if ask.value is not None and not _stands(ask.value, asked):
        return "value"
    if request.bits:
        return "" if request.bits in ((0,), (1,)) else "value"
    words = request.registers if request.word_order != "little" else tuple(reversed(request.registers))
    if request.byte_order == "little":
        words = tuple((w >> 8 | w << 8) & 0xFFFF for w in words)
    if len(words) != request.count or request.data_type not in _FORMATS:
        return "count"
    raw = struct.unpack(_FORMATS[request.data_type], struct.pack(f">{len(words)}H", *words))[0]
    if ask.value is None or ask.word or not re.fullmatch(r"-?\d+(?:\.\d+)?", ask.value.text):
        return ""
    try:
        wanted = Decimal(ask.value.text)
    except InvalidOperation:
        return "value"
    sent = Decimal(repr(raw)) * request.scale
    if ask.unit and request.unit and ask.unit != request.unit:
        return "" if (sent == 0) == (wanted == 0) else "value"  # converted; the unit's factor was checked where it was made
    close = abs(sent - wanted) <= (abs(wanted) * Decimal("1e-6") if request.data_type.startswith("float") else Decimal("1e-9"))
    return "" if close else "value"
