"""The tagger's reading of a map and of a request: marks grouped to rows, facts and what is asked for.

The model says which characters are what; the meaning of a mark is looked up where the rules look it up. It sees no rule's result.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from holdfast.agent.models.bundles.bundle import shipped_weights
from holdfast.agent.models.registers import ask as asking
from holdfast.agent.models.registers import heading, lines, notation
from holdfast.agent.models.registers.lines import Line
from holdfast.agent.models.registers.look import several
from holdfast.agent.models.registers.looked import remark
from holdfast.agent.models.registers.records import Record, records, units
from holdfast.agent.models.registers.together import completed
from holdfast.agent.models.registers.words import Area, Ask, Base, Facts, Row, Slot
from holdfast.agent.models.spans import ModelUnusable, Span, Tagger, shipped
from holdfast.site.modelcard import BundleError

_BASES: dict[str, Base] = {"base_zero": "zero", "base_one": "one", "base_reference": "reference"}
_CODE = re.compile(r"(?i)(0x)?0?(10|15|16|[1-6])(h)?(?![0-9])")
_AREA: dict[int, Area] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
GAP_MAX = 25  # characters between two pieces of one name
_SLOTS = ("type", "scale", "unit", "access", "area", "length")


@lru_cache(maxsize=1)
def model() -> Tagger:
    """The tagger that comes with the package. Raises ModelUnusable."""
    try:
        return shipped(shipped_weights("registers"))
    except BundleError as error:
        raise ModelUnusable(str(error)) from error


def read_map(tagger: Tagger, text: str) -> tuple[Row, ...]:
    """The rows of a flat map."""
    spans = tuple(_by_line(text, tagger.mark(text).spans))
    plain = lines.lines_of(text)
    all_lines = [unit.line if isinstance(unit, Record) else unit for unit in units(text, plain, records(text))]
    facts = Facts(code_like=heading.codelike([line.slot.text for line in all_lines]))
    found: list[Row] = []
    for line in all_lines:
        here = [span for span in spans if line.slot.start <= span.start < line.slot.end]
        names, addresses = [s for s in here if s.label == "name"], [s for s in here if s.label == "address"]
        if names and addresses:
            found += _rows(text, line, here, facts)
        elif (
            names and {"type", "unit", "access"} & {s.label for s in here} and not any(s.label.startswith(("base", "order")) for s in here)
        ):
            continue  # a row whose address was taken for something else says nothing of the others
        else:
            facts = heading.merged(facts, _told(text, line, here), section=bool(found))
    return completed(found, facts)


def _by_line(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Marks without blanks around, cut where a line ends."""
    for span in spans:
        at = span.start
        for piece in text[span.start : span.end].split("\n"):
            lead = len(piece) - len(piece.lstrip())
            bare = piece.strip()
            if bare:
                yield Span(start=at + lead, end=at + lead + len(bare), label=span.label, sure=span.sure)
            at += len(piece) + 1


def _slot(text: str, span: Span) -> Slot:
    return Slot(text=text[span.start : span.end], start=span.start, end=span.end)


def _rows(text: str, line: Line, here: Sequence[Span], facts: Facts) -> Iterator[Row]:
    """One row a name with an address; several pairs in a line are parted where the next one begins."""
    pairs = [s for s in here if s.label in ("name", "address")]
    starts: list[int] = []
    seen: set[str] = set()
    for span in pairs:
        if span.label in seen and {"name", "address"} <= seen:
            seen = set()
        if not seen:
            starts.append(span.start)
        seen.add(span.label)
    if seen != {"name", "address"} and len(starts) > 1:
        starts.pop()  # a name or an address alone at the end belongs to the row before
    edges = [line.slot.start, *starts[1:], line.slot.end]
    for begin, end in itertools.pairwise(edges):
        part = [s for s in here if begin <= s.start < end]
        name = _whole_name(text, part)
        address = next((s for s in part if s.label == "address"), None)
        if name is None or address is None:
            continue
        block = Slot(text=text[begin:end].rstrip(), start=begin, end=begin + len(text[begin:end].rstrip()))
        by = {label: _best(text, [s for s in part if s.label == label]) for label in _SLOTS}
        more = _told(text, line, [s for s in part if s.label.startswith(("order", "write_code"))])
        behind = text[address.end : end]
        taken = [(s.start - begin, s.end - begin) for s in part]
        yield Row(
            name=_slot(text, name),
            address=_slot(text, address),
            kind=by["type"],
            scale=_scale(by["scale"]),
            unit=by["unit"],
            access=by["access"],
            area=by["area"],
            length=by["length"],
            several=several(behind),
            block=block,
            facts=heading.merged(facts, more, section=False) if more.order or more.write_codes else facts,
            remark=remark(block.text, taken),
        )


def _whole_name(text: str, part: Sequence[Span]) -> Span | None:
    """The first name of a row, with further pieces of it that only blanks or unmarked words part from it."""
    first = next((s for s in part if s.label == "name"), None)
    if first is None:
        return None
    end = first.end
    for span in part:
        if span.start < end:
            continue
        gap = text[end : span.start]
        if span.label != "name" or len(gap) > GAP_MAX or re.search(r"[|,;:=()\[\]\t\"]|  |//", gap):
            break
        end = span.end
    return Span(start=first.start, end=end, label="name", sure=first.sure)


def _scale(slot: Slot | None) -> Slot | None:
    """A scale's slot; where its words were marked in part, the number at its end."""
    if slot is None or notation.scale_of(slot.text) is not None:
        return slot
    number = re.search(r"\d+(?:\.\d+)?$", slot.text)
    if number is None:
        return None
    return Slot(text=number[0], start=slot.start + number.start(), end=slot.end)


def _best(text: str, spans: Sequence[Span]) -> Slot | None:
    return _slot(text, max(spans, key=lambda s: s.sure)) if spans else None


def _told(text: str, line: Line, here: Sequence[Span]) -> heading.Told:
    """What the marks of a line without a row say."""
    by: dict[str, list[str]] = {}
    for span in here:
        by.setdefault(span.label, []).append(text[span.start : span.end])
    areas: list[Area] = [area for words in by.get("area", []) for _, _, area in notation.areas_in(words)]
    codes = [code for words in by.get("read_code", []) for code in _codes(words) if code in _AREA]
    writes = tuple(dict.fromkeys(code for words in by.get("write_code", []) for code in _codes(words)[-1:] if code in (5, 6, 15, 16)))
    area = areas[0] if len(set(areas)) == 1 else _AREA[codes[0]] if len(set(codes)) == 1 else None
    bases = {_BASES[label] for label in by if label in _BASES}
    strongest = next((base for base in ("reference", "one", "zero") if base in bases), None)
    kinds = [s for s in here if s.label == "type"]
    scales = [s for s in here if s.label == "scale"]
    return heading.Told(
        area=area,
        areas=tuple(dict.fromkeys(areas)),
        write_codes=writes,
        base=_base(strongest),
        order="little" if "order_little" in by else "big" if "order_big" in by else None,
        byte_order=heading.told(line.slot.text, 0).byte_order if "order_little" in by or "order_big" in by else "big",
        hexadecimal=heading.hexadecimal(line.slot.text),
        kind=_slot(text, kinds[0]) if len(kinds) == 1 else None,
        scale=_slot(text, scales[0]) if len(scales) == 1 and notation.scale_of(text[scales[0].start : scales[0].end]) else None,
        access=next((notation.access_of(words) for words in by.get("access", [])), ""),
    )


def _base(text: str | None) -> Base | None:
    return "reference" if text == "reference" else "one" if text == "one" else "zero" if text == "zero" else None


def _codes(words: str) -> list[int]:
    """The function codes in a mark: `10H` and `0x10` are 16, and so is a plain `10`, for there is no function 10."""
    return [16 if m[2] == "10" else int(m[2]) for m in _CODE.finditer(words)]


# ---- requests ----------------------------------------------------------------------------------------------------------


def read_request(tagger: Tagger, request: str) -> Ask:
    """What a flat request wants. Raises ValueError for one over REQUEST_MAX."""
    if len(request) > asking.REQUEST_MAX:
        raise ValueError(f"a request of {len(request)} characters; give at most {asking.REQUEST_MAX}")
    lead = "? "
    marked = tagger.mark(lead + request)
    by: dict[str, list[Slot]] = {}
    for span in marked.spans:
        start, end = max(span.start - len(lead), 0), span.end - len(lead)
        if end > start:
            bare = request[start:end].strip()
            at = request.index(bare, start)
            by.setdefault(span.label, []).append(Slot(text=bare, start=at, end=at + len(bare)))
    name = re.sub(r"(?i)\s*(?:线圈|寄存器|\bcoil|\bregister)\s*$", "", " ".join(slot.text for slot in by.get("name", [])))
    units = [slot.text for slot in by.get("unit", []) if notation.UNIT.fullmatch(slot.text)]
    unit = units[-1] if units else ""
    if marked.kind != "write":
        return Ask(writes=False, name=name, unit=unit)
    values = by.get("value", [])
    number = next((slot for slot in values if asking.is_number(slot.text)), None)
    if number is not None:
        return Ask(writes=True, name=name, value=number, unit=unit)
    switch = asking.switched(" ".join(slot.text for slot in values)) if values else asking.switched(request)
    if values and switch is None:
        return Ask(writes=True, name=name, value=values[0], word=values[0].text)
    return Ask(writes=True, name=name, switch=switch)
