"""A row whose columns or keys say what is what; what they leave open is looked for in its remarks."""

import dataclasses
import re
from collections.abc import Sequence

from holdfast.agent.models.registers import heading, lines, notation, twins
from holdfast.agent.models.registers.lines import Titles, part
from holdfast.agent.models.registers.look import ADDRESS, Stretch, free, several
from holdfast.agent.models.registers.records import Record
from holdfast.agent.models.registers.words import Facts, Row, ScaleWay, Slot

SCALE_HEADS: dict[str, ScaleWay] = {
    "scale": "times", "divisor": "over", "either": "either", "power": "power", "decimals": "decimals",
}  # fmt: skip
SHIFT_MAX = 3  # characters that a cell may stand beside its title


def by_columns(line: Slot, columns: Titles) -> dict[str, Slot] | None:
    """The cells of a row by what heads them: by their number where it is that of the titles, else by where they stand."""
    cut = columns.cells(line)
    if columns.way != "strong" and len(cut) < len(columns.heads):
        cut = lines.cells(line)
    if len(cut) == len(columns.heads) - 1:
        cut = _parted(line, cut, columns)
    if len(cut) == len(columns.heads) + 1 and columns.way != "blanks":
        cut = cut[: len(columns.heads)]  # a unit that no title heads
    if len(cut) == len(columns.heads) or (columns.way == "commas" and len(columns.heads) // 2 < len(cut) < len(columns.heads)):
        by = _first_of_each(columns, cut)
    else:
        nearest = [min(range(len(columns.starts)), key=lambda i, at=cell.start - line.start: abs(columns.starts[i] - at)) for cell in cut]
        shifts = [abs(columns.starts[i] - (cell.start - line.start)) for i, cell in zip(nearest, cut, strict=True)]
        if columns.way != "strong" or len(set(nearest)) != len(nearest) or max(shifts, default=0) > SHIFT_MAX:
            return None
        by = {columns.heads[i]: cell for i, cell in zip(nearest, cut, strict=True) if columns.heads[i] and cell.text}
    return by if "name" in by and "address" in by and is_address(by["address"].text) else None


def _parted(line: Slot, cut: tuple[Slot, ...], columns: Titles) -> tuple[Slot, ...]:
    """Cells where an address and the name behind it are parted by one blank alone."""
    for i, (head, behind) in enumerate(zip(columns.heads, columns.heads[1:], strict=False)):
        found = re.match(r"(\S+) (?=\S)", cut[i].text) if i < len(cut) and head == "address" and behind == "name" else None
        if found is not None and is_address(found[1]):
            at = cut[i].start - line.start
            return (*cut[:i], part(line, at, at + found.end(1)), part(line, at + found.end(), cut[i].end - line.start), *cut[i + 1 :])
    return cut


def _first_of_each(columns: Titles, cut: Sequence[Slot]) -> dict[str, Slot]:
    """Cells by their heads. Of two columns of one head the first counts; a second one for names holds remarks."""
    by: dict[str, Slot] = {}
    for head, cell in zip(columns.heads, cut, strict=False):
        if head and cell.text:
            by.setdefault("remark" if head == "name" and "name" in by else head, cell)
    return by


def is_address(text: str) -> bool:
    bare = text.strip(" []\"'`*")
    return (
        ADDRESS.fullmatch(bare) is not None
        or re.fullmatch(r"(?:0x)?[0-9A-Fa-f]{1,5}(?:\s*,\s*(?:0x)?[0-9A-Fa-f]{1,5}){1,3}", bare) is not None
        or re.fullmatch(r"[0-9A-F]{3,4}", bare) is not None
    )


def number_left(line: Slot, columns: Titles) -> bool:
    """Whether a row with cells left out has a number that may be its scale, or may not."""
    if not {*SCALE_HEADS} & {*columns.heads}:
        return False
    words = [cell.text for cell in columns.cells(line)]
    numbers = [i for i, word in enumerate(words) if re.fullmatch(r"\d+(?:\.\d+)?", word)]
    first = next((i for i, word in enumerate(words) if is_address(word.split(" ")[0])), None)
    return any(i != first for i in numbers)


def of_columns(line: Slot, by: dict[str, Slot], facts: Facts) -> Row:
    """A row of a table. What the titled cells don't say may stand in the cells behind the name."""
    last = max(slot.end for slot in by.values())
    behind = [part(line, last - line.start, len(line.text))] if line.end > last and line.text[last - line.start :].strip(" |;,\t") else []
    names = by["name"]
    told = re.match(r"[^()]{2,40}?\s*(?=\()", names.text)
    if told is not None and any(said for _, _, said in notation.scales_in(names.text[told.end() :])):
        by = by | {"name": part(names, 0, told.end())}  # `温度(扩大10倍上传,℃)`: what the brackets tell is of the value
        behind.append(part(names, told.end(), len(names.text)))
    elif "kind" not in by and "," in names.text and any(True for _ in notation.types_in(names.text, faint=False)):
        comma = names.text.index(",")
        by = by | {"name": part(names, 0, comma)}
        behind.append(part(names, comma + 1, len(names.text)))
    row = _filled(of_slots(line, by, facts), [*(by[head] for head in ("kind", "remark") if head in by), *behind])
    return twins.compared(row, by["twin"]) if "twin" in by else row


def of_record(record: Record, facts: Facts) -> Row | None:
    """A row of keys and values; None where nothing in it can be a name."""
    by = dict(record.by)
    name = by.get("name") or record.inner or _of_comment(record.comment) or record.outer
    if name is None or name.text == by["address"].text or not is_address(by["address"].text):
        return None
    by["name"] = name
    line = record.line.slot
    texts = [slot for slot in (record.comment,) if slot is not None and slot != name]
    row = _filled(of_slots(line, by, facts, code=record.code), texts)
    around = [slot.text for slot in (record.outer, record.inner, record.comment) if slot is not None and slot != name]
    remark = " ".join([*around, row.remark]).strip()
    return dataclasses.replace(row, remark=remark)


def _of_comment(comment: Slot | None) -> Slot | None:
    """`// L1, A`: what a comment begins with names the row where nothing else does, unless that is a unit."""
    if comment is None:
        return None
    found = re.match(r"[^,;:()=]{1,40}", comment.text)
    if found is None or notation.UNIT.fullmatch(found[0].strip()) or not re.search(r"[A-Za-z\u4e00-\u9fff]", found[0]):
        return None
    return part(comment, 0, found.end())


def of_slots(line: Slot, by: dict[str, Slot], facts: Facts, *, code: bool = False) -> Row:
    """A row of what its columns or keys head."""
    scale = next((by[head] for head in SCALE_HEADS if head in by), None)
    way = scale_way(by)
    kind, unit = by.get("kind"), by.get("unit")
    if scale is None and "raw" in by:
        scale = by["raw"]  # a scale by two ranges, which is told and not understood
    elif scale is not None and notation.scale_of(scale.text, bare_way=way) is None:
        scale, way = _scale_inside(scale)
    if kind is not None:
        kind = _kind_inside(kind)
    more = _told_by(line, by)
    facts = heading.merged(facts, more, section=False)
    if code:
        facts = dataclasses.replace(facts, code_like=True)
    if unit is not None and scale is None and (found := next(iter(notation.scales_in(unit.text)), None)) is not None:
        scale, way = part(unit, found[0], found[1]), "times"
        unit = _unit(unit, (found[0], found[1]))
    if scale is not None and unit is None and not scale.text.strip().isdigit():
        headed = next((by[head] for head in SCALE_HEADS if head in by), scale)
        unit = _unit(headed, (0, 0))
    return Row(
        name=by["name"],
        address=by["address"],
        kind=kind,
        scale=scale,
        unit=unit if unit is not None and notation.UNIT.fullmatch(unit.text) else _unit(unit, (0, 0)) if unit else None,
        access=by.get("access"),
        area=_area(by.get("area")),
        length=by.get("length"),
        several=several(line.text) if kind is None or re.match(r"\d\s?[x×*]", kind.text) else 1,
        block=line,
        facts=facts,
        scale_way=way,
        remark=by["remark"].text if "remark" in by else "",
    )


def _area(slot: Slot | None) -> Slot | None:
    """`writesingle` says how to write, and so that registers are held."""
    return (
        slot
        if slot is not None
        and (
            notation.area_of(slot.text) or slot.text.strip().isdigit() or slot.text.strip().lower() == "read" or heading.codes_of(slot.text)
        )
        else None
    )


def _told_by(line: Slot, by: dict[str, Slot]) -> heading.Told:
    """What a row says of word order and of how to write, outside its name."""
    name = by["name"]
    rest = line.text[: name.start - line.start] + " " * len(name.text) + line.text[name.end - line.start :]
    order = heading.order_of(by["order"].text) if "order" in by else None
    typed = notation.order_of_kind(by["kind"].text) if "kind" in by else None
    writes = tuple(heading.writes_of(by["area"].text)) if "area" in by else ()
    return heading.Told(
        order=order or typed or heading.order_of(rest),
        byte_order="little" if heading.bytes_swapped(rest) else "big",
        write_codes=writes,
    )


def _kind_inside(kind: Slot) -> Slot:
    """The type in a cell that says more than a type; the whole cell where it says something else, so that no other type is taken for it."""
    found = [(a, b) for a, b, _ in notation.types_in(kind.text, faint=False)]
    if len(found) == 1 and notation.text_registers(kind.text) is None:
        return part(kind, *found[0])
    loud = re.match(r"[A-Za-z]+(?=\s*[,(])", kind.text)
    if loud is not None and notation.kind_of(loud[0]) is not None:
        return part(kind, 0, loud.end())
    return kind


def _scale_inside(cell: Slot) -> tuple[Slot | None, ScaleWay]:
    """A factor within a cell that has more in it, as `0.1 V, signed`."""
    said = [(a, b) for a, b, _ in notation.scales_in(cell.text)]
    return (part(cell, *said[0]), "times") if len(said) == 1 else (None, "times")


def _filled(row: Row, texts: Sequence[Slot]) -> Row:
    """A row with what its remarks say of type, scale, unit and access, where nothing titled does."""
    for text in texts:
        slots = [s for s in (row.name, row.address, row.kind) if s is not None and s.start < text.end and s.end > text.start]
        taken: list[Stretch] = [(s.start - text.start, s.end - text.start) for s in slots]
        if row.kind is None:
            kinds = [(a, b) for a, b, _ in notation.types_in(text.text, faint=False) if free((a, b), taken)]
            kinds = kinds or [(a, b) for a, b, _ in notation.types_in(text.text, faint=True) if free((a, b), taken)]
            row = dataclasses.replace(row, kind=part(text, *kinds[0])) if len(kinds) == 1 else row
        if row.scale is None:
            said = [(a, b) for a, b, by_word in notation.scales_in(text.text) if by_word and free((a, b), taken)]
            said = said or [(a, b) for a, b, _ in notation.scales_in(text.text) if free((a, b), taken)]
            if len(said) == 1:
                row = dataclasses.replace(row, scale=part(text, *said[0]), scale_way="times")
                taken.append(said[0])
        if row.unit is None:
            unit = next((m.span() for m in notation.UNIT.finditer(text.text) if free(m.span(), taken)), None)
            row = dataclasses.replace(row, unit=part(text, *unit)) if unit is not None else row
        if row.access is None:
            access = next((span for span in notation.access_in(text.text) if free(span, taken)), None)
            row = dataclasses.replace(row, access=part(text, *access)) if access is not None else row
    return row


def scale_way(by: dict[str, Slot]) -> ScaleWay:
    for head, way in SCALE_HEADS.items():
        if head in by:
            return way
    return "times"


def _unit(cell: Slot, but: Stretch) -> Slot | None:
    for found in notation.UNIT.finditer(cell.text):
        if found.end() <= but[0] or found.start() >= but[1]:
            return part(cell, found.start(), found.end())
    return None
