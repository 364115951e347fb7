"""A row by the look of its pieces, where neither a column nor a key says what is what."""

import dataclasses
import re
from collections.abc import Sequence

from holdfast.agent.models.registers import heading, notation
from holdfast.agent.models.registers.lines import part
from holdfast.agent.models.registers.look import INDEX, RANGE, STATE, Stretch, address_in, free, letter, name_in, own, several
from holdfast.agent.models.registers.words import READ_CODE, Area, Facts, Order, Row, Slot

_AREA_OF_CODE: dict[int, Area] = {code: area for area, code in READ_CODE.items()}
_LENGTH = re.compile(
    r"(?i)(?<![A-Za-z])(?:(?:len(?:gth)?|count|size|长度|数量|qty)\s*[:=]?|(?:words?|regs?)\s*[:=])\s*(\d{1,2})(?![\d.])|"
    r"(?<![A-Za-z0-9.])(\d{1,2})\s*(?:regs?|registers?|words?|个寄存器)(?![A-Za-z])"
)
_COUNT_BEFORE = re.compile(r"(?<=\s)([1-9])()\s+(?=\d)")
_NUMBER_CELL = re.compile(r"(?:[|;,\t]|  )\s*(\d+\.\d+|1)f?(?=\s*(?:$|[|;,\t})\]]|  ))")  # a factor in a cell of its own
_MEMBER = re.compile(r"\s+[A-Za-z_]\w*\s*(?:;|\{\s*get)")  # `short BusCurrent;`
_PREFIXED = re.compile(
    r"(?:^\s*(?:\[[^\]\n]*\]\s*)?|[\s|;,=(\"'])(?P<kind>(?P<area>[HI]R)(?:F|I|UI|US|U|S)?)(?P<at>\d{1,5})(?=\s*(?:[\s|;,)\"':=]|$))"
)
_DECLARED = re.compile(
    r"\s*(?:pub(?:lic)?|const(?:expr)?|static|final|private|protected|internal|readonly|let|var|val|export|unsigned|u?int(?:8|16|32)?(?:_t)?|"
    r"u16|ushort|short|word|[A-Z_a-z]\w*\s*:\s*(?:u16|int|uint16|usize))\b",
    re.IGNORECASE,
)


def of_look(piece: Slot, facts: Facts, *, address: Stretch | None = None, name: Stretch | None = None) -> Row | None:
    """A row by the look of its pieces; `address` and `name` where something else has told them."""
    text = piece.text
    prefixed = _PREFIXED.search(text) if address is None else None
    if prefixed is not None:
        return _of_prefix(piece, prefixed, facts)
    if address is None:
        chosen = address_in(text, facts)
        if chosen is None or chosen[2] < 1:
            return None
        address = (chosen[0], chosen[1])
    taken: list[Stretch] = [address]
    clear = [(a, b) for a, b, _ in notation.types_in(text, faint=False) if free((a, b), taken)]
    loud = [(a, b) for a, b, _ in notation.types_in(text, faint=True) if text[a:b].isupper() and free((a, b), taken)]
    name = name or name_in(text, address, [*clear, *loud, *((a, b) for a, b, said in notation.scales_in(text) if said)])
    if name is None:
        return None
    behind = _of_the_value(text, address, [span for span in clear if free(span, (name,))])
    kind = max(behind, key=lambda s: s[1] - s[0]) if behind else None
    if kind is None:
        faint = [
            (a, b)
            for a, b, _ in notation.types_in(text, faint=True)
            if free((a, b), (*taken, name)) and (own(text, (a, b)) or text[a:b].isupper() or _MEMBER.match(text, b))
        ]
        kind = max(faint, key=lambda s: s[1] - s[0]) if faint else None
    taken += [name, *([kind] if kind else [])]
    index = INDEX.match(text)
    taken += [index.span()] if index is not None else []
    spoken = [(a, b) for a, b, said in notation.scales_in(text) if said and free((a, b), taken)]
    taken += [found.span() for pattern in (RANGE, STATE) for found in pattern.finditer(text) if free(found.span(), spoken)]
    scales = [(a, b, said) for a, b, said in notation.scales_in(text) if free((a, b), taken)]
    scale = next(((a, b) for a, b, said in scales if said), None) or next(((a, b) for a, b, _ in scales), None)
    if scale is None:
        scale = next((found.span(1) for found in _NUMBER_CELL.finditer(text) if free(found.span(1), taken)), None)
    if scale is not None:
        taken.append(scale)
    areas = [(a, b) for a, b, _ in notation.areas_in(text) if free((a, b), taken)]
    access = next((span for span in notation.access_in(text) if free(span, taken)), None)
    if access is not None:
        taken.append(access)
    unit = next((found.span() for found in notation.UNIT.finditer(text) if free(found.span(), [*taken, *areas])), None)
    if access is None:
        access = letter(text, [*taken, *([unit] if unit else [])])
    if access is not None and unit is not None and not free(unit, (access,)):
        unit = None
    length = next((found for found in _LENGTH.finditer(text) if free(found.span(), (address, name))), None)
    if length is None and scale is not None:
        length = next(
            (found for found in _COUNT_BEFORE.finditer(text) if found.end() == scale[0] and free(found.span(1), (address, name))),
            None,
        )
    calls: list[Area] = [area for area, _ in heading.api_in(text) if area is not None]
    reads: list[Area] = [_AREA_OF_CODE[code] for code, _, _ in heading.codes_in(text) if code in _AREA_OF_CODE]
    calls = calls or (reads if not areas and facts.area is None else [])
    more = heading.Told(
        area=calls[0] if len(set(calls)) == 1 else None,
        base="zero" if calls and not reads else None,
        order=_first_word(text, address) or heading.order_of(text[max(name[1], 0) :]),
        write_codes=tuple(code for _, code in heading.api_in(text) if code is not None)
        or tuple(code for code, a, _ in heading.codes_in(text) if code in (5, 6, 15, 16) and a > address[0]),
    )
    inside = heading.merged(facts, more, section=False) if more.order or more.write_codes or calls else facts
    return Row(
        name=part(piece, *name),
        address=part(piece, *address),
        kind=part(piece, *kind) if kind else None,
        scale=part(piece, *scale) if scale else None,
        unit=part(piece, *unit) if unit else None,
        access=part(piece, *access) if access else None,
        area=part(piece, *areas[0]) if areas else None,
        length=part(piece, *_digits(length)) if length else None,
        several=several(text[address[0] :]),
        remark=remark(text, [address, name, *([kind] if kind else []), *([scale] if scale else [])]),
        block=piece,
        facts=inside,
    )


def _of_prefix(piece: Slot, found: re.Match[str], facts: Facts) -> Row | None:
    """`HRF2101 Steam pressure`: letters before the number say the area, and for some drivers the type."""
    name = name_in(piece.text, (found.start(), found.end()), [(a, b) for a, b, _ in notation.types_in(piece.text, faint=False)])
    row = of_look(piece, facts, address=found.span("at"), name=name) if name is not None else None
    if row is None:
        return None
    typed = len(found["kind"]) > 2 and row.kind is None
    return dataclasses.replace(row, area=part(piece, *found.span("area")), kind=part(piece, *found.span("kind")) if typed else row.kind)


def _of_the_value(text: str, address: Stretch, kinds: Sequence[Stretch]) -> list[Stretch]:
    """Types without the one that a program's constant has itself: `const A: u16 = 0x34; // int32` is an address of 16 bits."""
    constant = re.search(r"=\s*\(?(?:\w+\)?\s*)?$", text[: address[0]])
    if constant is None or _DECLARED.match(text) is None:
        return list(kinds)
    return [span for span in kinds if span[0] >= address[1]]


def _digits(found: re.Match[str]) -> Stretch:
    return found.span(1) if found[1] else found.span(2)


def _first_word(text: str, address: Stretch) -> Order | None:
    """`high word at 0x07` beside the address 0x07."""
    found = re.search(r"(?i)\b(high|low)(?:er)? (?:word|register|16 bits?) (?:is )?(?:at|in) (0x[0-9a-f]+|\d+)", text)
    if found is None:
        return None
    same = found[2].lower() == text[slice(*address)].lower()
    return "big" if (found[1].lower() == "high") is same else "little"


def remark(text: str, taken: Sequence[Stretch]) -> str:
    """What is left of a row once its slots are taken out."""
    left, at = "", min(a for a, _ in taken)
    for a, b in sorted(taken):
        left += " " + text[at:a] if a > at else ""
        at = max(at, b)
    return (left + " " + text[at:]).strip()
