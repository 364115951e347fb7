"""Two columns for one address: what they say together of where counting starts, or that they say different things."""

import dataclasses
import re

from holdfast.agent.models.registers.words import Area, Base, Row, Slot

_AREA_OF_DIGIT: dict[str, Area] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_REFERENCE = re.compile(r"([0134])[x]?(\d{4,5})")


def compared(row: Row, twin: Slot) -> Row:
    """A row with what its second address adds. `40008` beside `0007H` counts from zero, beside 8 from one."""
    other = twin.text.strip(" []\"'`*")
    first, second = _readings(row.address.text), _readings(other)
    if not first or not second:
        return row
    reference = _REFERENCE.fullmatch(other)
    if reference is not None and not first & second:
        number = int(reference[2])
        area = _AREA_OF_DIGIT[reference[1]]
        if number - 1 in first:
            return _told(row, "zero", area)
        if number in first:
            return _told(row, "one", area)
        return dataclasses.replace(row, clash=True)
    near = {number + step for number in first for step in (-1, 0, 1)} | _counts(row.address.text)
    return row if near & second else dataclasses.replace(row, clash=True)


def _told(row: Row, base: Base, area: Area) -> Row:
    facts = dataclasses.replace(row.facts, base=base, area=row.facts.area or (area if row.area is None else None))
    return dataclasses.replace(row, facts=facts)


def _counts(text: str) -> set[int]:
    """What a reference counts to, from one and from zero."""
    reference = _REFERENCE.fullmatch(text.strip(" []\"'`*"))
    return {int(reference[2]) - 1, int(reference[2])} if reference is not None else set()


def _readings(text: str) -> set[int]:
    """A number as decimal and as hexadecimal, where it may be either; ranges and lists by their first."""
    found = re.match(r"\s*(?:0x(?P<x>[0-9A-Fa-f]{1,5})|(?P<h>[0-9A-Fa-f]{1,5})[Hh]|(?P<d>[0-9A-Fa-f]{1,6}))(?![0-9A-Za-z])", text)
    if found is None:
        return set()
    if found["d"] is None:
        return {int(found["x"] or found["h"], 16)}
    return {int(found["d"], 16)} | ({int(found["d"])} if found["d"].isdigit() else set())
