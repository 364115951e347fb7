"""From a point and what is wanted to the exact Modbus request: nothing here guesses.

Source: MODBUS Application Protocol V1.1b3 §6 (functions 01 to 06, 15, 16).
"""

import math
import re
import struct
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from holdfast.agent.models.registers.ask import switched
from holdfast.agent.models.registers.meaning import meaning
from holdfast.agent.models.registers.states import names_state, same_word, states_of
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
_NUMBER_WORDS = {"single": Decimal(1), "one": Decimal(1), "单": Decimal(1), "three": Decimal(3), "三": Decimal(3)}
_WITHIN = re.compile(
    r"(?<![0-9A-Za-z.x])(-?\d+(?:\.\d+)?)\s*(?:%|℃|°[CF]?|[A-Za-z]{1,4}(?=\s*(?:\.{2}|~|…|至|to\b)))?\s*(?:\.{2,3}|~|～|…|至|\bto\b|"
    r"-(?=\d))\s*\+?(-?\d+(?:\.\d+)?)(?![0-9]*[A-Fa-f]*[Hh]\b)\s*([^\s\d,;，。)|]{0,8})"
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
    value = _sampled(row, ask, point, source) or _wanted_value(point, ask, source)
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
        offset=point.offset,
        registers=registers,
        bits=bits,
    )


def _sampled(row: Row, ask: Ask, point: Point, source: Source) -> Decimal | Abstention | None:
    """What an example's frame writes, where that frame is what is asked for; and a reset only with the value that the map has for it."""
    if row.sample is not None and (ask.value is None or ask.word) and not re.search(r"\d", row.title):
        return Decimal(row.sample) * point.scale if point.area != "coil" else Decimal(int(row.sample == 0xFF00))
    resets = any(idea.text == "reset" for idea in meaning(row.title).ideas) and any(
        idea.text == "reset" for idea in meaning(source.request).ideas
    )
    if resets and (ask.value is None or ask.word) and len(states_of(source.behind)) < 2:
        told = re.search(r"(?i)(?:write|set to|写入?|置)\s*(\d)(?!\d)|(\d)\s*[=:]\s*(?:reset|clear|复位|清零)", row.block.text)
        return Decimal(told[1] or told[2]) if told is not None else Abstention(why="state_unknown")
    return None


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
        fitting = [number for number, name in states if same_word(name, ask.word)]
        fitting = fitting or [number for number, name in states if names_state(name, ask.word)]
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
    low, high = _bounded(source.behind)
    if (low is not None and value < low) or (high is not None and value > high):
        return refusal
    for match in _WITHIN.finditer(f"{_without_map(source.behind)}\n{source.ranges}"):
        low, high = Decimal(match[1]), Decimal(match[2])
        if low >= high:
            continue
        unit = match[3].strip(".%") if match[3] != "%" else "%"
        inside = _converted(value, point.unit, unit) if unit else value
        if isinstance(inside, Refusal):
            inside = value
        real = bool(unit) or "." in match[1] + match[2] or -100 <= low < high <= 100  # else it may be of raw numbers
        if not low <= inside <= high or (not real and not source.ranges and not low <= raw <= high):
            return refusal
    return None


def _without_map(text: str) -> str:
    """Without the raw numbers of `-10000..10000 = -100..100 %`: what is left bounds the value."""
    return re.sub(
        r"-?\d+(?:\.\d+)?\s*(?:~|\.{2,3}|…|至|to|-)\s*-?\d+(?:\.\d+)?\s*,?\s*(?:=>?|->|对应|表示|代表|"
        r"corresponds? to)[^\d\n-]{0,12}(?:的\s*)?(?=-?\d)",
        " ",
        text,
    )


def _bounded(text: str) -> tuple[Decimal | None, Decimal | None]:
    """The bounds that keys give: `min: 6, max: 32`."""
    low = re.search(r"(?i)\bmin(?:imum|_value)?[\"']?\s*[:=]\s*(-?\d+(?:\.\d+)?)", text)
    high = re.search(r"(?i)\bmax(?:imum|_value)?[\"']?\s*[:=]\s*(-?\d+(?:\.\d+)?)", text)
    return (Decimal(low[1]) if low is not None else None), (Decimal(high[1]) if high is not None else None)


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
