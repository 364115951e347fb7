"""A whole register map as tags of a site file, for a person to confirm: each row taken, or left with what it lacks.

Every tag is read only; whoever wants to write one gives it an envelope in the site file. A row that the tagger reads otherwise than the
rules is taken with a remark.
"""

import dataclasses

from holdfast.agent.models.registers import lines, notation, rows, tagged
from holdfast.agent.models.registers.read import MAP_MAX
from holdfast.agent.models.registers.resolve import offset_of, point
from holdfast.agent.models.registers.words import REGISTERS, Point, Refusal, Row
from holdfast.agent.models.spans import Tagger
from holdfast.language import say
from holdfast.site.exports import Export, Taken
from holdfast.site.exports.found import Sorting
from holdfast.site.units import parse
from holdfast.terms import Scale, TagType

KIND = "register map"
_DIGIT = {"coil": "0", "discrete": "1", "input": "3", "holding": "4"}
_UNIT_NAMES = {
    "Volt": "V",
    "Ampere": "A",
    "Watt": "W",
    "KiloWattHour": "kWh",
    "Hertz": "Hz",
    "deg C": "°C",
    "Celsius": "°C",
    "Seconds": "s",
}
_RAW = 10_000.0  # the far end of a scale's line


def understood(text: str, tagger: Tagger | None = None, *, language: str = "en") -> Export:
    """What a map gives. Raises ValueError for more lines than lines.LINES_MAX."""
    flat = lines.flat(text)
    found = rows.read(flat)
    second = _second(flat, tagger)
    sorting = Sorting()
    if second is None:
        sorting.note(say("registers.rules_alone", {"characters": str(MAP_MAX)}, language))
    anyone = any(row.access is not None or row.facts.access for row in found)
    for row in found:
        line = flat.count("\n", 0, row.name.start) + 1
        here = point(row, writes=False, anyone_says_access=anyone)
        if isinstance(here, Refusal):
            sorting.leave(line, row.title, lacks(here, language))
        elif here.kind == "string":
            sorting.leave(line, row.title, say("registers.text", {}, language))
        elif (offset := offset_of(row, here.scale)) is None:
            sorting.leave(line, row.title, say("registers.abstained", {"abstention": "offset"}, language))
        else:
            _take(sorting, row, dataclasses.replace(here, offset=offset), line, second, language)
    return sorting.done(KIND)


def _second(flat: str, tagger: Tagger | None) -> dict[int, Point | Refusal] | None:
    """The tagger's points by where their block begins, on the same line; None where the map is too long for it."""
    if len(flat) > MAP_MAX:
        return None
    found = tagged.read_map(tagger or tagged.model(), flat)
    anyone = any(row.access is not None or row.facts.access for row in found)
    return {flat.count("\n", 0, row.name.start): point(row, writes=False, anyone_says_access=anyone) for row in found}


def lacks(refusal: Refusal, language: str) -> str:
    """What a row or a request lacks, in words."""
    listed = ("、" if language == "zh" else ", ").join(say(f"registers.lacks.{code}", {}, language) for code in refusal.missing)
    return say(f"registers.{refusal.reason}", {"missing": listed}, language)


def address_of(here: Point, index: int = 0) -> str:
    """The address as the site file writes it: `400021:int16`, `300010:float32:little`."""
    width = REGISTERS[here.kind]
    reference = f"{_DIGIT[here.area]}{here.address + index * width + 1:05d}"
    if here.area in ("coil", "discrete"):
        return f"{reference}:bool"
    kind = "uint16" if here.kind == "bits" else here.kind
    orders = [here.word_order or "big", here.byte_order or "big"]
    while orders and orders[-1] == "big":
        orders.pop()
    return ":".join((reference, kind, *orders))


def _take(sorting: Sorting, row: Row, here: Point, line: int, second: dict[int, Point | Refusal] | None, language: str) -> None:
    remarks: list[str] = []
    other = (second or {}).get(line - 1)
    if second is not None and (not isinstance(other, Point) or _core(other) != _core(here)):
        remarks.append(say("registers.read_otherwise", {}, language))
    if row.access is not None and "w" in notation.access_of(row.access.text):
        remarks.append(say("registers.map_says_writable", {}, language))
    if here.doubt:
        remarks.append(say(f"registers.doubt.{here.doubt}", {}, language))
    unit = _unit(here.unit)
    if here.unit and unit == "1":
        remarks.append(say("registers.unit_unknown", {"unit": here.unit}, language))
    count = max(here.count // REGISTERS[here.kind], 1) if here.area in ("input", "holding") else 1
    for index in range(count):
        sorting.take(
            Taken(
                line=line,
                name=_named(row.title) + (f"_{index + 1}" if count > 1 else ""),
                address=address_of(here, index),
                type=_type(here),
                unit=unit,
                scale=_line(here) if here.scale != 1 or here.offset else None,
                description=row.title,
                remark="; ".join(remarks),
            )
        )


def _line(here: Point) -> Scale:
    return Scale(raw=(0.0, _RAW), eng=(float(here.offset), float(here.scale * int(_RAW) + here.offset)))


def _core(here: Point) -> tuple[object, ...]:
    return (here.area, here.address, here.kind, here.word_order, here.scale)


def _type(here: Point) -> TagType:
    return "bool" if here.kind == "bool" else "float" if here.kind.startswith("float") else "integer"


def _unit(text: str) -> str:
    known = _UNIT_NAMES.get(text, text)
    try:
        parse(known or "1")
    except ValueError:
        return "1"
    return known or "1"


def _named(text: str) -> str:
    """A name that a tag can have: dots would be parts."""
    return text.replace(".", "_").replace("/", "_")
