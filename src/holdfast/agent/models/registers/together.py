"""What the rows of a map say together: how addresses count where no line says it, what lines below add, single registers by default."""

import dataclasses
import re
from collections.abc import Sequence

from holdfast.agent.models.registers import notation
from holdfast.agent.models.registers.words import Area, Facts, OrderSaid, Row

_AREA_DIGIT: dict[str, Area] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}


def completed(found: Sequence[Row], last: Facts) -> tuple[Row, ...]:
    """Rows with what lines behind them say, and single registers where no row has a type. `last` are the facts at the end."""
    return _scaled(_untyped(_based(_coded(_with_later(found, last)))))


def _scaled(found: tuple[Row, ...]) -> tuple[Row, ...]:
    """Bare factors as a formula says them."""
    return tuple(
        dataclasses.replace(row, scale_way=row.facts.scale_way) if row.facts.scale_way is not None and _is_bare(row) else row
        for row in found
    )


def _is_bare(row: Row) -> bool:
    """Whether a row's factor is a number alone, with no sign, word or unit that tells how it is meant."""
    if row.scale is None or re.fullmatch(r"\d+(?:\.\d+)?", row.scale.text) is None:
        return False
    if row.unit is None or row.unit.start < row.scale.end:
        return True
    return (
        row.block.text[row.scale.end - row.block.start : row.unit.start - row.block.start].strip(" ") != ""
        or row.unit.start - row.scale.end > 1
    )


def _based(found: tuple[Row, ...]) -> tuple[Row, ...]:
    """Where nothing says how addresses count, they may show it themselves: an address 0 can only be counted from zero, and numbers of
    five or six digits that begin as their area does, with no area said otherwise, are references."""
    if not found or any(row.facts.base is not None or row.facts.hexadecimal or row.facts.code_like for row in found):
        return found
    words = [row.address.text.strip("[]\"'` ") for row in found]
    first = [_AREA_DIGIT.get(word[0]) if re.fullmatch(r"[0134]\d{4,5}", word) else None for word in words]
    areas = [(notation.area_of(row.area.text) if row.area is not None else None) or row.facts.area for row in found]
    if all(
        digit is not None and (area == digit if digit in ("coil", "discrete") else area is None)
        for digit, area in zip(first, areas, strict=True)
    ):
        return tuple(dataclasses.replace(row, facts=dataclasses.replace(row.facts, base="reference")) for row in found)
    if any(re.fullmatch(r"0\d{4}", word) for word in words):
        return found
    zeros = {area for word, area in zip(words, areas, strict=True) if re.fullmatch(r"0+", word) and area is not None}
    return tuple(
        dataclasses.replace(row, facts=dataclasses.replace(row.facts, base="zero")) if area in zeros else row
        for row, area in zip(found, areas, strict=True)
    )


def _coded(found: tuple[Row, ...]) -> tuple[Row, ...]:
    """Names as programs have them (`VoltageL1`, `regPower`) come from a program, and with them the addresses."""
    names = [row.name.text for row in found]
    humps = sum(re.fullmatch(r"[A-Za-z][a-z0-9]+(?:[A-Z0-9][a-z0-9]*)+", name) is not None for name in names)
    if len(names) < 2 or 2 * humps < len(names) or any(" " in name or not name.isascii() for name in names):
        return found
    return tuple(dataclasses.replace(row, facts=dataclasses.replace(row.facts, code_like=True)) for row in found)


def _untyped(found: tuple[Row, ...]) -> tuple[Row, ...]:
    """Where no row of several has a type, and no heading, registers are single: that is what the protocol itself has."""
    if len(found) < 2 or any(row.kind is not None or row.facts.kind is not None for row in found):
        return found
    if any(notation.types_in(row.block.text, faint=False) for row in found):
        return found
    if any(row.facts.mixed for row in found) or any(
        any(True for _ in notation.types_in(row.remark, faint=faint)) for row in found for faint in (False, True)
    ):
        return found
    return tuple(dataclasses.replace(row, untyped=True) for row in found)


def _with_later(found: Sequence[Row], last: Facts) -> tuple[Row, ...]:
    """How to write, where counting starts and word order may stand below the rows as well as above."""
    typed = any(row.kind is not None or row.facts.kind is not None for row in found)
    placed = any(row.facts.area is not None or row.area is not None for row in found)
    later = [
        Facts(
            area=row.facts.area or (None if placed else last.area),
            write_code=row.facts.write_code or last.write_code,
            base="unclear" if last.base == "unclear" else row.facts.base or last.base,
            order=_later_order(row.facts, last),
            always=row.facts.always,
            plus=row.facts.plus,
            byte_order=row.facts.byte_order if row.facts.order else last.byte_order,
            hexadecimal=row.facts.hexadecimal,
            mixed=row.facts.mixed or last.mixed,
            scale_way=row.facts.scale_way or last.scale_way,
            kind=row.facts.kind or (None if typed else last.kind),
            write_kind=row.facts.write_kind,
            scale=row.facts.scale or (None if typed else last.scale),
            access=row.facts.access,
            code_like=row.facts.code_like,
            told_writes=row.facts.told_writes or last.told_writes,
        )
        for row in found
    ]
    return tuple(dataclasses.replace(row, facts=facts) for row, facts in zip(found, later, strict=True))


def _later_order(facts: Facts, last: Facts) -> OrderSaid | None:
    """Word order as the row has it, unless a line below says another one of all values, or leaves it open."""
    if facts.order in ("big", "little") and last.always and last.order in ("big", "little") and facts.order != last.order:
        return "clash"
    return facts.order or last.order
