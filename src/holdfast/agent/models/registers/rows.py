"""The rules' reading of a map: which lines are rows, and which piece of a row is what."""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from holdfast.agent.models.registers import frames, heading, labelled, lines, notation, prose, runs
from holdfast.agent.models.registers.lines import Line, Titles, part
from holdfast.agent.models.registers.look import LETTERS, Stretch, address_in, name_in
from holdfast.agent.models.registers.looked import of_look
from holdfast.agent.models.registers.records import Record, records, units
from holdfast.agent.models.registers.states import bits_of
from holdfast.agent.models.registers.together import completed
from holdfast.agent.models.registers.words import Facts, Row, Slot

_RANGE_LINE = re.compile(r"^\W*(?:允许(?:范围)?|范围|取值范围|allowed|range|limits?|permitted|valid)", re.IGNORECASE)
_TASK = re.compile(
    r"FC\d{1,2}(?:Read|Write)\w*Task\([^()]*$|^\s*(?:poll|device)\s*,|^\s*(?:const|var|enum|type)?\s*[({\[]\s*$"
)  # of rows to come
_BELOW = re.compile(
    r"\s*(?:[-*•]\s*)?(?:bits?\s?\d{1,2}\b|b\d{1,2}\b|第?\s?\d{1,2}\s?位|位\s?\d{1,2})|\s{2,}\d{1,3}\s*=\s*[A-Za-z\u4e00-\u9fff]",
    re.IGNORECASE,
)
_BITS = re.compile(r"\s*(?:[-*•]\s*)?(?:bits?\s?\d|b\d)", re.IGNORECASE)
_CONSTANT = re.compile(r"[A-Za-z_]\w*\s*=\s*(?:0x[0-9A-Fa-f]+|\d+)")
_ENUM = re.compile(
    r"\s*(?:typedef\s+|pub(?:lic)?\s+|export\s+)*(?:enum\b[^{]*|const\s*)?[{(]?\s*"
    r"(?:[A-Za-z_]\w*\s*=\s*(?:0x[0-9A-Fa-f]+|\d+)\s*,\s*)+"
    r"[A-Za-z_]\w*\s*=\s*(?:0x[0-9A-Fa-f]+|\d+)\s*,?\s*[})]?\s*\w*\s*;?\s*(?://.*)?$"
)
_REMARK = re.compile(r"\W*(?:备注|注意?|说明|note|remark|nb|hint)\s*\d?\s*[:.,]", re.IGNORECASE)
_FIRST = re.compile(r"(?<![\dA-Za-z])[0134]x?0{3,4}1\b\s*(?:=|is\b|为|是|对应)|(?:=|\bis|为|是|at)\s*[0134]x?0{3,4}1\b", re.IGNORECASE)
_SETTING = re.compile(
    r"(?i)(?:slave|unit|device|station|node)?[ _-]?(?:id|addr(?:ess)?|no\.?)|port|baud(?:rate)?|timeout|interval|start|end|parity|"
    r"host|uom|rule|"
    r"version|revision|scan_interval|polling|period|delay|stop ?bits"
)
STRONG_MIN = 5  # points of a number that can hardly be anything but an address
WIDE_MAX = 400  # characters of a line that is read as a row


def read(text: str) -> tuple[Row, ...]:
    """The rows of a map, in order. `text` is flat (lines.flat)."""
    reading = _Reading(text)
    for index, unit in enumerate(reading.units):
        if isinstance(unit, Record):
            reading.record(unit)
        else:
            reading.line(unit, first=index == 0)
    return completed(reading.found, reading.facts)


class _Reading:
    """Where the reading of one map stands: the rows so far, what holds for the next, the columns, the lines that may go on."""

    def __init__(self, text: str) -> None:
        all_lines = lines.lines_of(text)
        self.text = text
        self.units = list(units(text, all_lines, records(text)))
        self.found: list[Row] = []
        self.facts = Facts(code_like=heading.codelike([line.slot.text for line in all_lines]))
        self.columns: Titles | None = None
        legend = lines.legend(all_lines)
        if legend is not None:
            self.columns = legend[1]
            self.facts = heading.merged(self.facts, _told_by_titles(*legend), section=False)
        self.before: Line | None = None
        self.before_that: Line | None = None

    def record(self, record: Record) -> None:
        row = labelled.of_record(record, self.facts)
        self.found += [row] if row is not None else []

    def line(self, line: Line, *, first: bool) -> None:
        before, self.before = self.before, line
        self.before_that = before
        heads = lines.titles(line.slot) if not frames.has_frame(line.slot.text) else None
        if heads is not None:
            self.columns = heads
            self.facts = heading.merged(self.facts, _told_by_titles(line.slot, heads), section=False)
            return
        if self._goes_on(line):
            return
        rows = tuple(self._rows(line, before, first=first))
        if rows:
            self.found += rows
            if first:
                own = heading.told(line.slot.text, line.slot.start)
                self.facts = heading.merged(self.facts, _general(own), section=False)
                self.found = [dataclasses.replace(row, facts=heading.merged(row.facts, _general(own), section=False)) for row in self.found]
            base = heading.base_of(re.sub(r"\b\d ?x", " ", line.slot.text))
            self.facts = heading.merged(self.facts, heading.Told(base=base), section=False) if base is not None else self.facts
        else:
            more = heading.told(line.slot.text, line.slot.start)
            self.facts = heading.merged(self.facts, more, section=bool(self.found) or not first)

    def _goes_on(self, line: Line) -> bool:
        """Bits and states listed below a row belong to it."""
        if not _BELOW.match(line.slot.text):
            return False
        if not self.found and self.before_that is not None and _BITS.match(line.slot.text):
            row = of_look(self.before_that.slot, self.facts)
            self.found += [row] if row is not None and not row.address.text.isdigit() else []
        if not self.found:
            return False
        row = self.found[-1]
        if self.text[row.block.end : line.slot.start].strip():
            return False
        block = Slot(text=self.text[row.block.start : line.slot.end], start=row.block.start, end=line.slot.end)
        self.found[-1] = dataclasses.replace(row, block=block)
        return True

    def _rows(self, line: Line, before: Line | None, *, first: bool) -> Iterator[Row]:
        """The rows of a line: of its frames, a run of points, the table's columns, its sentences, else by the look of its pieces."""
        if frames.has_frame(line.slot.text):
            yield from self._framed(line, before)
            return
        if not _RANGE_LINE.match(line.slot.text):
            counted = tuple(runs.rows(line.slot, self.facts))
            if counted:
                yield from counted
                return
        if prose.tells(line.slot.text):
            said = tuple(_of_sentence(one, self.facts) for one in prose.told(line.slot))
            yield from (row for row in said if row is not None)
            if said:
                own = heading.told(line.slot.text, line.slot.start)
                self.facts = heading.merged(self.facts, _general(own), section=False)
            if said:
                return
        yield from _rows(line, self.facts, self.columns, first=first)

    def _framed(self, line: Line, before: Line | None) -> Iterator[Row]:
        made = tuple(frames.rows(line.slot, "", self.facts))
        yield from made
        if not made and before is not None and not frames.has_frame(before.slot.text):
            whole = Slot(text=self.text[before.slot.start : line.slot.end], start=before.slot.start, end=line.slot.end)
            row = frames.above(before.slot, whole, self._inherited())
            if row is not None:
                yield row

    def _inherited(self) -> Facts:
        """`same format`: what the example before says of type, order and scale holds on."""
        if not self.found:
            return self.facts
        last = self.found[-1]
        return dataclasses.replace(
            self.facts, kind=last.kind or self.facts.kind, scale=last.scale or self.facts.scale, order=last.facts.order or self.facts.order
        )


def _general(told: heading.Told) -> heading.Told:
    """What a sentence says of the device, without what it says of its own row."""
    return heading.Told(area=told.area, base=told.base, hexadecimal=told.hexadecimal)


def _told_by_titles(line: Slot, columns: Titles) -> heading.Told:
    """What column titles say of the addresses: where they count from, how they are written, what they are of."""
    title = next((text for head, text in zip(columns.heads, columns.texts, strict=True) if head == "address"), "")
    others = " ".join(text for text in columns.texts if text != title)
    return heading.Told(
        base=heading.base_of(line.text if columns.way == "blanks" else title),
        hexadecimal=heading.hexadecimal(title),
        area=notation.area_of(title),
        order=heading.order_of(others),
        scale_way=heading.scale_way_of(line.text),
    )


def _of_sentence(one: prose.Told, facts: Facts) -> Row | None:
    if not _about_a_value(one.clause.text):
        return None
    inner = heading.told(one.clause.text, one.clause.start)
    facts = heading.merged(facts, heading.Told(area=inner.area, order=inner.order), section=False)
    return of_look(one.clause, facts, address=one.address, name=one.name)


def _tells_first(text: str) -> bool:
    """Whether a line is there to tell which number the first register has, in brackets or not; beside a row's own address it is none."""
    bare = re.sub(r"\([^()]*\)", " ", text) if not re.fullmatch(r"[\W]*\(.*\)\W*", text) else text
    return _FIRST.search(bare) is not None


def _about_a_value(text: str) -> bool:
    """Whether a clause says of what kind a value is, not only where something stands."""
    return (
        any(True for faint in (False, True) for _ in notation.types_in(text, faint=faint))
        or any(True for _ in notation.scales_in(text))
        or notation.UNIT.search(text) is not None
        or notation.area_of(text) in ("coil", "discrete")
    )


def _rows(line: Line, facts: Facts, columns: Titles | None, *, first: bool) -> Iterator[Row]:
    """The rows of a line: by its keys, by the table's columns, else by the look of its pieces; none for a heading."""
    text = line.slot.text
    if len(text) > WIDE_MAX or _RANGE_LINE.match(text) or _TASK.search(text) or _REMARK.match(text) or _tells_first(text):
        return
    if columns is not None:
        by = labelled.by_columns(line.slot, columns)
        if by is not None:
            yield labelled.of_columns(line.slot, by, facts)
            return
        if labelled.number_left(line.slot, columns):
            return
    if heading.base_of(text) is not None and not _strong_address(text, facts):
        return
    if first and (heading.says_something(text) or not _strong_address(text, facts)) and not _row_by_itself(text, facts):
        return
    writes = any(code in (5, 6, 15, 16) for code, _, _ in heading.codes_in(text))
    if writes and not _strong_address(text, facts) and not any(True for _ in notation.types_in(text, faint=False)):
        return
    for piece in _pieces(line.slot):
        row = of_look(piece, facts)
        if row is not None and not _set_up(row):
            yield row


def _row_by_itself(text: str, facts: Facts) -> bool:
    """Whether a heading is a row as well: with an address in hexadecimal, and bits or a type and a scale behind it."""
    found = address_in(text, facts)
    if found is None or found[2] < STRONG_MIN:
        return False
    number = text[slice(*found[:2])]
    if number.isdigit() and (len(number) < 4 or len(bits_of(text[found[1] :])) < 2):
        return False
    behind = text[found[1] :]
    return len(bits_of(behind)) > 1 or (
        bool(notation.types_in(behind, faint=False)) and any(said for _, _, said in notation.scales_in(behind))
    )


def _set_up(row: Row) -> bool:
    """Whether a key and its number say how the program or the line is set up, and are no point."""
    led = re.search(r"([A-Za-z_][\w ]*?)[\"']?\s*[:=]\s*[\"']?$", row.block.text[: row.address.start - row.block.start])
    if led is not None and re.fullmatch(
        r"(?i)start|end|length|count|interval|timeout|port|baud(?:rate)?|(?:slave|unit)[ _]?id", led[1].split(" ")[-1]
    ):
        return True
    behind = row.block.text[row.name.end - row.block.start :].lstrip("\"' ")
    return behind[:1] in (":", "=") and (_SETTING.fullmatch(row.name.text) is not None or lines.head_of(row.name.text) not in ("", "name"))


def _strong_address(text: str, facts: Facts) -> bool:
    found = address_in(text, facts)
    return found is not None and found[2] >= STRONG_MIN


def _pieces(line: Slot) -> tuple[Slot, ...]:
    """A line with several rows, cut between them: each piece has a name and an address of its own."""
    if len(line.text) <= WIDE_MAX and _ENUM.match(line.text.strip()):
        return tuple(part(line, *found.span()) for found in _CONSTANT.finditer(line.text))
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
