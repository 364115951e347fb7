"""The rules' reading of a map: which lines are rows, and which piece of a row is what."""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from holdfast.agent.models.registers import heading, lines, notation
from holdfast.agent.models.registers.lines import Line, Titles, part
from holdfast.agent.models.registers.look import ADDRESS, INDEX, LETTERS, RANGE, STATE, Stretch, address_in, free, letter, name_in, own
from holdfast.agent.models.registers.words import Facts, Order, Row, ScaleWay, Slot

_RANGE_LINE = re.compile(r"^\W*(?:允许(?:范围)?|范围|取值范围|allowed|range|limits?|permitted|valid)", re.IGNORECASE)
_TASK = re.compile(
    r"FC\d{1,2}(?:Read|Write)\w*Task\([^()]*$|^\s*(?:poll|device)\s*,|^\s*(?:const|var|enum|type)?\s*[({\[]\s*$"
)  # of rows to come
_FRAME = re.compile(r"(?:(?<![0-9A-Za-z])[0-9A-Fa-f]{2}\s){6,}|(?:0x[0-9A-Fa-f]{2},?\s){6,}")  # bytes of an example
_TIMES = re.compile(r"(?<![A-Za-z0-9.])(\d)\s?[x×*]\s?(?=[A-Za-z])")
_LENGTH = re.compile(
    r"(?i)(?<![A-Za-z])(?:(?:len(?:gth)?|count|size|长度|数量|qty)\s*[:=]?|(?:words?|regs?)\s*[:=])\s*(\d{1,2})(?![\d.])|(?<![A-Za-z0-9.])(\d{1,2})\s*(?:regs?|registers?|words?|个寄存器)(?![A-Za-z])"
)
_COUNT_BEFORE = re.compile(r"(?<=\s)([1-9])()\s+(?=\d)")
_NUMBER_CELL = re.compile(r"(?:[|;,\t]|  )\s*(\d+\.\d+|1)(?=\s*(?:$|[|;,\t]|  ))")  # a factor in a cell of its own
_SCALE_HEADS: dict[str, ScaleWay] = {"scale": "times", "divisor": "over", "either": "either", "power": "power"}  # by a column's title
SHIFT_MAX = 3  # characters that a cell may stand beside its title
WIDE_MAX = 400  # characters of a line that is read as a row


def read(text: str) -> tuple[Row, ...]:
    """The rows of a map, in order. `text` is flat (lines.flat)."""
    found: list[Row] = []
    all_lines = list(lines.blocks(text, lines.lines_of(text)))
    facts = Facts(code_like=heading.codelike([line.slot.text for line in all_lines]))
    columns: Titles | None = None
    for index, line in enumerate(all_lines):
        heads = lines.titles(line.slot)
        if heads is not None:
            columns = heads
            facts = heading.merged(facts, heading.Told(hexadecimal="hex" in line.slot.text.lower()), section=False)
            continue
        rows = tuple(_rows(line, facts, columns, first=index == 0))
        if rows:
            found += rows
        else:
            facts = heading.merged(facts, heading.told(line.slot.text, line.slot.start), section=bool(found) or index > 0)
    return completed(found, facts)


def completed(found: Sequence[Row], last: Facts) -> tuple[Row, ...]:
    """Rows with what lines behind them say, and single registers where no row has a type. `last` are the facts at the end."""
    return _untyped(_coded(_with_later(found, last)))


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
    if any(any(True for _ in notation.types_in(row.remark, faint=faint)) for row in found for faint in (False, True)):
        return found
    return tuple(dataclasses.replace(row, untyped=True) for row in found)


def _with_later(found: Sequence[Row], last: Facts) -> tuple[Row, ...]:
    """How to write, where counting starts and word order may stand below the rows as well as above."""
    later = [
        Facts(
            area=row.facts.area,
            write_code=row.facts.write_code or last.write_code,
            base=row.facts.base or last.base,
            order=row.facts.order or last.order,
            byte_order=row.facts.byte_order if row.facts.order else last.byte_order,
            hexadecimal=row.facts.hexadecimal,
            kind=row.facts.kind,
            write_kind=row.facts.write_kind,
            scale=row.facts.scale,
            access=row.facts.access,
            code_like=row.facts.code_like,
            told_writes=row.facts.told_writes or last.told_writes,
        )
        for row in found
    ]
    return tuple(dataclasses.replace(row, facts=facts) for row, facts in zip(found, later, strict=True))


def _rows(line: Line, facts: Facts, columns: Titles | None, *, first: bool) -> Iterator[Row]:
    """The rows of a line: by its keys, by the table's columns, else by the look of its pieces; none for a heading."""
    text = line.slot.text
    if len(text) > WIDE_MAX or _RANGE_LINE.match(text) or _TASK.search(text) or _FRAME.search(text):
        return
    keys = lines.keyed(line.slot)
    if keys is not None and "name" in keys and _is_address(keys["address"].text):
        yield _of_slots(line.slot, keys, facts)
        return
    if columns is not None:
        by = _by_columns(line.slot, columns)
        if by is not None:
            yield _of_slots(line.slot, by, facts)
            return
        if _number_left(line.slot, columns):
            return
    if heading.base_of(text) is not None and not _strong_address(text, facts):
        return
    if first and (heading.says_something(text) or not _strong_address(text, facts)):
        return
    writes = any(code in (5, 6, 15, 16) for code, _, _ in heading.codes_in(text))
    if writes and not _strong_address(text, facts) and not any(True for _ in notation.types_in(text, faint=False)):
        return
    for piece in _pieces(line.slot):
        row = _of_look(piece, facts)
        if row is not None:
            yield row


def _by_columns(line: Slot, columns: Titles) -> dict[str, Slot] | None:
    """The cells of a row by what heads them: by their number where it is that of the titles, else by where they stand."""
    cut = columns.cells(line)
    if len(cut) == len(columns.heads):
        by = {head: cell for head, cell in zip(columns.heads, cut, strict=True) if head and cell.text}
    else:
        nearest = [min(range(len(columns.starts)), key=lambda i, at=cell.start - line.start: abs(columns.starts[i] - at)) for cell in cut]
        shifts = [abs(columns.starts[i] - (cell.start - line.start)) for i, cell in zip(nearest, cut, strict=True)]
        if columns.way != "strong" or len(set(nearest)) != len(nearest) or max(shifts, default=0) > SHIFT_MAX:
            return None
        by = {columns.heads[i]: cell for i, cell in zip(nearest, cut, strict=True) if columns.heads[i] and cell.text}
    return by if "name" in by and "address" in by and _is_address(by["address"].text) else None


def _number_left(line: Slot, columns: Titles) -> bool:
    """Whether a row with cells left out has a number that may be its scale, or may not."""
    if not {*_SCALE_HEADS} & {*columns.heads}:
        return False
    whole = [cell.text for cell in columns.cells(line) if cell.text.isdigit()]
    return len(whole) > 1


def _is_address(text: str) -> bool:
    bare = text.strip(" []\"'`*")
    return (
        ADDRESS.fullmatch(bare) is not None
        or re.fullmatch(r"(?:0x)?[0-9A-Fa-f]{1,5}(?:\s*,\s*(?:0x)?[0-9A-Fa-f]{1,5}){1,3}", bare) is not None
        or re.fullmatch(r"[0-9A-F]{3,4}", bare) is not None
    )


def _strong_address(text: str, facts: Facts) -> bool:
    found = address_in(text, facts)
    return found is not None and found[2] >= 5


def _pieces(line: Slot) -> tuple[Slot, ...]:
    """A line with several rows, cut between them: each piece has a name and an address of its own."""
    for pattern in (r";", r",", r"\|"):
        cut: list[Slot] = []
        at = 0
        for mark in re.finditer(pattern, line.text):
            cut.append(part(line, at, mark.start()))
            at = mark.end()
        cut.append(part(line, at, len(line.text)))
        cut = [piece for piece in cut if piece.text]
        if len(cut) < 2:
            continue
        whole = [
            piece
            for piece in cut
            if LETTERS.search(piece.text)
            and (found := address_in(piece.text, Facts())) is not None
            and found[2] >= 5
            and _furnished(piece.text, found[:2])
            and name_in(piece.text, found[:2], [(a, b) for a, b, _ in notation.types_in(piece.text, faint=False)]) is not None
        ]
        if len(whole) == len(cut) and _alike(cut):
            return tuple(cut)
    return (line,)


def _alike(pieces: Sequence[Slot]) -> bool:
    """Rows of one line are furnished alike: all have a type or none, all a scale or none. Else a list within one row was cut."""
    typed = {any(True for _ in notation.types_in(piece.text, faint=False)) for piece in pieces}
    scaled = {any(said for _, _, said in notation.scales_in(piece.text)) for piece in pieces}
    return len(typed) == 1 and (typed == {True} or len(scaled) == 1)


def _furnished(text: str, address: Stretch) -> bool:
    """Whether a piece says more than a name and a small number, as a named state does."""
    return (
        address[1] - address[0] >= 3
        or any(True for _ in notation.types_in(text, faint=False))
        or any(True for _ in notation.scales_in(text))
    )


def _of_slots(line: Slot, by: dict[str, Slot], facts: Facts) -> Row:
    """A row whose columns or keys say what is what."""
    scale = next((by[head] for head in _SCALE_HEADS if head in by), None)
    kind, unit = by.get("kind"), by.get("unit")
    if scale is not None and notation.scale_of(scale.text) is None and "power" not in by:
        scale = None
    order = heading.order_of(by["order"].text) if "order" in by else None
    if order is not None or "area" in by:
        facts = heading.merged(facts, heading.Told(order=order), section=False)
    if unit is not None and scale is None and (found := next(iter(notation.scales_in(unit.text)), None)) is not None:
        scale = part(unit, found[0], found[1])
        unit = _unit(unit, (found[0], found[1]))
    whole = notation.scale_of(scale.text) if scale is not None else None
    if scale is not None and whole is not None and unit is None:
        unit = _unit(scale, (0, 0))
    return Row(
        name=by["name"],
        address=by["address"],
        kind=kind,
        scale=scale,
        unit=unit if unit is not None and notation.UNIT.fullmatch(unit.text) else _unit(unit, (0, 0)) if unit else None,
        access=by.get("access"),
        area=by.get("area"),
        length=by.get("length"),
        several=several(line.text) if kind is None or _TIMES.match(kind.text) else 1,
        block=line,
        facts=facts,
        scale_way=_scale_way(by),
        remark=by["remark"].text if "remark" in by else "",
    )


def _scale_way(by: dict[str, Slot]) -> ScaleWay:
    for head, way in _SCALE_HEADS.items():
        if head in by:
            return way
    return "times"


def _unit(cell: Slot, but: Stretch) -> Slot | None:
    for found in notation.UNIT.finditer(cell.text):
        if found.end() <= but[0] or found.start() >= but[1]:
            return part(cell, found.start(), found.end())
    return None


def _of_look(piece: Slot, facts: Facts) -> Row | None:
    text = piece.text
    chosen = address_in(text, facts)
    if chosen is None or chosen[2] < 1:
        return None
    address = (chosen[0], chosen[1])
    taken: list[Stretch] = [address]
    clear = [(a, b) for a, b, _ in notation.types_in(text, faint=False) if free((a, b), taken)]
    loud = [(a, b) for a, b, _ in notation.types_in(text, faint=True) if text[a:b].isupper() and free((a, b), taken)]
    name = name_in(text, address, [*clear, *loud, *((a, b) for a, b, said in notation.scales_in(text) if said)])
    if name is None:
        return None
    behind = [span for span in clear if free(span, (name,))]
    kind = max(behind, key=lambda s: s[1] - s[0]) if behind else None
    if kind is None:
        faint = [
            (a, b)
            for a, b, _ in notation.types_in(text, faint=True)
            if free((a, b), (*taken, name)) and (own(text, (a, b)) or text[a:b].isupper())
        ]
        kind = max(faint, key=lambda s: s[1] - s[0]) if faint else None
    taken += [name, *([kind] if kind else [])]
    index = INDEX.match(text)
    taken += [index.span()] if index is not None else []
    taken += [found.span() for found in RANGE.finditer(text)] + [found.span() for found in STATE.finditer(text)]
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
    more = heading.Told(
        order=_first_word(text, address) or heading.order_of(text[max(name[1], 0) :]),
        write_codes=tuple(code for code, a, _ in heading.codes_in(text) if code in (5, 6, 15, 16) and a > address[0]),
    )
    inside = heading.merged(facts, more, section=False) if more.order or more.write_codes else facts
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


def several(text: str) -> int:
    """How many values of one kind follow each other: `3x FLOAT32`, or further addresses behind the first in a comment."""
    times = _TIMES.search(text)
    if times is not None:
        return max(1, min(int(times[1]), 9))
    more = re.search(r"(?://|#|/\*)\s*((?:0x[0-9A-Fa-f]+|\d+)(?:\s*,\s*(?:0x[0-9A-Fa-f]+|\d+)){1,3})\s*(?:$|\*/|,)", text)
    return 1 + more[1].count(",") + 1 if more is not None else 1
