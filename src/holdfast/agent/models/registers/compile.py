"""From a point and what is wanted to the exact Modbus request: nothing here guesses.

Source: MODBUS Application Protocol V1.1b3 §6 (functions 01 to 06, 15, 16).
"""

import math
import re
import struct
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from holdfast.agent.models.registers.ask import switched
from holdfast.agent.models.registers.meaning import meaning, plain
from holdfast.agent.models.registers.words import READ_CODE, Abstention, Answer, Ask, Point, Refusal, Request, Row
from holdfast.terms import Word

_FORMATS = {
    "int16": ">h",
    "uint16": ">H",
    "bits": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
_TIMES = (
    ("0.001", ("ms",)),
    ("1", ("s", "sec", "secs", "Seconds", "seconds", "second", "秒")),
    ("60", ("min", "minutes", "minute", "分钟")),
    ("3600", ("h", "hours", "hour", "小时")),
)
_SIZES: tuple[dict[str, Decimal], ...] = tuple(
    {unit: Decimal(size) for unit, size in group}
    for group in (
        (("mV", "0.001"), ("V", "1"), ("kV", "1000")),
        (("uA", "0.000001"), ("mA", "0.001"), ("A", "1"), ("kA", "1000")),
        (("W", "1"), ("kW", "1000"), ("KW", "1000"), ("MW", "1000000")),
        (("var", "1"), ("Var", "1"), ("VAr", "1"), ("kvar", "1000"), ("kVar", "1000"), ("kVAr", "1000"), ("Mvar", "1000000")),
        (("VA", "1"), ("kVA", "1000"), ("KVA", "1000")),
        (("Wh", "1"), ("kWh", "1000"), ("KWh", "1000"), ("KWH", "1000"), ("kwh", "1000"), ("MWh", "1000000")),
        (("Hz", "1"), ("HZ", "1"), ("kHz", "1000")),
        (("Pa", "1"), ("hPa", "100"), ("mbar", "100"), ("kPa", "1000"), ("bar", "100000"), ("MPa", "1000000")),
        (("°C", "1"), ("℃", "1"), ("degC", "1"), ("deg C", "1"), ("Celsius", "1")),
        tuple((form, size) for size, forms in _TIMES for form in forms),
        (("rpm", "1"), ("r/min", "1"), ("转/分", "1"), ("RPM", "1")),
        (("%", "1"), ("%RH", "1")),
        (("l/h", "1"), ("L/h", "1"), ("l/min", "60"), ("L/min", "60"), ("m3/h", "1000"), ("m³/h", "1000")),
        (("mm", "1"), ("cm", "10"), ("m", "1000")),
        (("°", "1"), ("deg", "1"), ("度", "1")),
        (("m3", "1"), ("m³", "1")),
        (("N·m", "1"), ("Nm", "1"), ("N.m", "1")),
    )
)  # fmt: skip
_BIT = re.compile(r"(?i)(?:\bbit\s?|\bb)(\d{1,2})\s*[:=：-]?\s*([A-Za-z][A-Za-z _-]*|[\u4e00-\u9fff]+)")
_BIT_ASKED = re.compile(r"(?i)\bbit\s?(\d{1,2})\b|第\s?(\d{1,2})\s?位|位\s?(\d{1,2})(?!\d)")
_NUMBER_WORDS = {"single": Decimal(1), "one": Decimal(1), "单": Decimal(1), "three": Decimal(3), "三": Decimal(3)}
_WITHIN = re.compile(
    r"(?<![0-9A-Za-z.x])(-?\d+(?:\.\d+)?)\s*(?:\.{2,3}|~|～|…|至|\bto\b|-(?=\d))\s*(-?\d+(?:\.\d+)?)(?![0-9]*[A-Fa-f]*[Hh]\b)\s*([^\s\d,;，。)|]{0,8})"
)
_STATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![A-Za-z0-9.])(?P<n>0x[0-9A-Fa-f]{1,4})\s*[=:]?\s*(?P<w>[A-Za-z][A-Za-z _/-]*|[\u4e00-\u9fff]+)",
        r"(?<![A-Za-z0-9.])(?P<n>\d{1,5})\s*[=:]\s*\"?(?P<w>[A-Za-z][A-Za-z _/-]*|[\u4e00-\u9fff]+)",
        r"(?<![A-Za-z0-9.])(?P<n>\d{1,2})\s?(?P<w>[\u4e00-\u9fff]{2,6})",
        r"(?P<w>[A-Za-z][A-Za-z_-]+|[\u4e00-\u9fff]+)\s*=\s*(?P<n>\d{1,5})(?![0-9A-Za-z.])",
        r"(?:^|[,:;(/]\s?)(?P<n>\d{1,3})\s(?P<w>[A-Za-z][A-Za-z _-]+)(?=\s*(?:[,;)/]|$))",
    )
)


class Source(Word):
    """What stands around a row that bounds a write: its own text behind the address, and lines about ranges that name it."""

    behind: str
    ranges: str
    request: str


def read_request(points: Sequence[Point]) -> Answer:
    """One request for points of one kind that follow each other."""
    first = points[0]
    width = first.count
    for i, point in enumerate(points):
        alike = (point.area, point.kind, point.word_order, point.scale, point.count) == (
            first.area,
            first.kind,
            first.word_order,
            first.scale,
            width,
        )
        if not alike or point.address != first.address + i * width:
            return Abstention(why="apart")
    return _request(first, READ_CODE[first.area], count=width * len(points))


def write_request(point: Point, row: Row, ask: Ask, source: Source) -> Answer:
    """The one request that writes what is asked for, or why not."""
    if point.writable is False:
        return Refusal(reason="not_writable", missing=("writable_register",))
    if row.several > 1 or point.kind == "string":
        return Abstention(why="several")
    if point.doubt and point.doubt != "signless" and not (point.doubt == "width" and point.write_code == 6):
        return Abstention(why="doubt")
    if point.writable is None:
        return Abstention(why="access_unknown")
    value = _wanted_value(point, ask, source)
    if not isinstance(value, Decimal):
        return value
    if point.area == "coil":
        if value not in (0, 1):
            return Refusal(reason="out_of_range", missing=("value_within_range",))
        return _request(point, 15 if point.write_code == 15 else 5, bits=(int(value),))
    raw = value / point.scale
    beyond = _beyond(value, raw, point, source)
    if beyond is not None:
        return beyond
    registers = _encoded(point, raw)
    if isinstance(registers, Refusal):
        return registers
    code = point.write_code if point.write_code in (6, 16) else 6 if len(registers) == 1 else 16
    if point.write_code in (5, 15) or (code == 6 and len(registers) > 1):
        return Refusal(reason="contradictory", missing=("write_function",))
    if point.doubt == "signless" and not 0 <= raw <= 32_767:
        return Refusal(reason="incomplete", missing=("data_type",))
    return _request(point, code, registers=registers)


def _request(point: Point, code: int, *, count: int | None = None, registers: tuple[int, ...] = (), bits: tuple[int, ...] = ()) -> Request:
    return Request(
        function_code=code,
        address=point.address,
        count=count if count is not None else point.count,
        data_type=point.kind,
        word_order=point.word_order,
        byte_order=point.byte_order,
        scale=point.scale,
        unit=point.unit,
        bit=point.bit,
        registers=registers,
        bits=bits,
    )


def _wanted_value(point: Point, ask: Ask, source: Source) -> Decimal | Answer:
    """The value in the row's unit. States of the row give words their numbers; on and off are 1 and 0 of a bit."""
    states = states_of(source.behind)
    if ask.value is not None and not ask.word:
        try:
            said = _NUMBER_WORDS.get(ask.value.text.lower())
            number = (
                said
                if said is not None
                else Decimal(int(ask.value.text, 16))
                if "0x" in ask.value.text.lower()
                else Decimal(ask.value.text)
            )
        except (InvalidOperation, ValueError):
            return Refusal(reason="incomplete", missing=("value",))
        if len(states) >= 2 and point.scale == 1 and number not in {Decimal(n) for n, _ in states}:
            return Refusal(reason="out_of_range", missing=("value_within_range",))
        return _converted(number, ask.unit, point.unit)
    if ask.word and states:
        fitting = [number for number, name in states if _same_word(name, ask.word)]
        if len(fitting) == 1:
            return Decimal(fitting[0])
        return Refusal(reason="out_of_range", missing=("value_within_range",))
    named = [number for number, name in states if names_state(name, source.request)]
    if len(named) == 1 and ask.switch is None:
        return Decimal(named[0])
    if ask.switch is not None:
        if point.area == "coil":
            return Decimal(int(ask.switch))
        fitting = [number for number, name in states if switched(name) is ask.switch]
        if len(fitting) == 1:
            return Decimal(fitting[0])
        return Abstention(why="state_unknown")
    return Refusal(reason="incomplete", missing=("value",))


def pdu(request: Request) -> bytes:
    """The bytes behind the unit identifier: function, address and count or what is written (V1.1b3 §6)."""
    code, address = request.function_code, request.address
    match code:
        case 5:
            return struct.pack(">BHH", code, address, 0xFF00 if request.bits == (1,) else 0)
        case 6:
            return struct.pack(">BHH", code, address, request.registers[0])
        case 15:
            packed = bytes((sum(bit << i for i, bit in enumerate(request.bits)),))
            return struct.pack(">BHHB", code, address, len(request.bits), 1) + packed
        case 16:
            words = request.registers
            return struct.pack(f">BHHB{len(words)}H", code, address, len(words), 2 * len(words), *words)
        case _:
            return struct.pack(">BHH", code, address, request.count)


def bits_of(text: str) -> tuple[tuple[int, str], ...]:
    """(number, name) of the single bits that a row lists, as `bit 3: fault`; 0 is the least significant."""
    return tuple((int(m[1]), m[2].strip()) for m in _BIT.finditer(text) if int(m[1]) <= 15)


def bit_asked(text: str, request: str) -> int | None:
    """The one bit of a row that a request means, by its number or by its name."""
    numbered = _BIT_ASKED.search(request)
    if numbered is not None:
        return int(next(n for n in numbered.groups() if n))
    named = [number for number, name in bits_of(text) if names_state(name, request)]
    return named[0] if len(named) == 1 else None


def states_of(text: str) -> tuple[tuple[int, str], ...]:
    """(number, name) of the states that a row lists, as `0=off 1=on`; none where it lists fewer than two."""
    for pattern in _STATES:
        found = [(int(m["n"], 16 if m["n"].startswith("0x") else 10), m["w"].strip()) for m in pattern.finditer(text)]
        if found:
            break
    else:
        return ()
    return tuple(found) if len({n for n, _ in found}) == len(found) else ()


def names_state(state: str, request: str) -> bool:
    """Whether a request names a state, by what it means."""
    ideas = {i.text.replace("start", "running") for i in meaning(state).ideas}
    said = {i.text.replace("start", "running") for i in meaning(request).ideas}
    return bool(ideas) and ideas <= said


def _same_word(state: str, wanted: str) -> bool:
    if plain(state) == plain(wanted):
        return True
    both = switched(state), switched(wanted)
    if both[0] is not None and both[0] is both[1]:
        return True
    ideas = meaning(state).ideas, meaning(wanted).ideas
    return bool(ideas[0]) and ideas[0] == ideas[1]


def _converted(number: Decimal, asked: str, stated: str) -> Decimal | Refusal:
    if not asked or not stated or asked == stated:
        return number
    for sizes in _SIZES:
        if asked in sizes and stated in sizes:
            return number * sizes[asked] / sizes[stated]
    return Refusal(reason="contradictory", missing=("unit",))


def _beyond(value: Decimal, raw: Decimal, point: Point, source: Source) -> Refusal | None:
    """A range with a unit is meant in that unit; one without may be raw numbers or not, so that both must hold."""
    refusal = Refusal(reason="out_of_range", missing=("value_within_range",))
    for match in _WITHIN.finditer(f"{source.behind}\n{source.ranges}"):
        low, high = Decimal(match[1]), Decimal(match[2])
        if low >= high:
            continue
        unit = match[3].strip(".%") if match[3] != "%" else "%"
        inside = _converted(value, point.unit, unit) if unit else value
        if isinstance(inside, Refusal):
            inside = value
        if not low <= inside <= high or (not unit and not source.ranges and not low <= raw <= high):
            return refusal
    return None


def _encoded(point: Point, raw: Decimal) -> tuple[int, ...] | Refusal:
    """The registers in the order sent. A value that the type or the scale can't hold is refused, never rounded."""
    if point.kind.startswith("float"):
        number: float | int = float(raw)
        if not math.isfinite(number):
            return Refusal(reason="out_of_range", missing=("value_within_range",))
    else:
        whole = raw.to_integral_value()
        if abs(raw - whole) > Decimal("1e-9"):
            return Refusal(reason="out_of_range", missing=("value_on_scale",))
        number = int(whole)
    try:
        packed = struct.pack(_FORMATS[point.kind], number)
    except (struct.error, OverflowError, KeyError):
        return Refusal(reason="out_of_range", missing=("value_within_range",))
    words = struct.unpack(f">{len(packed) // 2}H", packed)
    if point.byte_order == "little":
        words = tuple((w >> 8 | w << 8) & 0xFFFF for w in words)
    return tuple(reversed(words)) if point.word_order == "little" else tuple(words)
