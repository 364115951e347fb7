"""The text of a map cut for reading: lines, cells, and blocks of keys and values, with every place kept."""

import re
from collections.abc import Iterator, Sequence

from holdfast.agent.models.registers.patterns import grouped
from holdfast.agent.models.registers.words import Slot
from holdfast.terms import Word

LINES_MAX = 2_000
_WIDE = {c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D, 0x2013: 0x2D}
STRONG = re.compile(r"\s*\|\s*|\s*;\s*|\t+|(?<=\S) {2,}(?=\S)|\s\.{3,}\s")
_COMMA = re.compile(r"\s*,\s*|\s*、\s*")
_RULE = re.compile(r"^[\s|:+=-]*-[\s|:+=-]*$")
_KEY = re.compile(r"[\"']?([A-Za-z_][A-Za-z_ ]{0,24}|[\u4e00-\u9fff]{1,6})[\"']?\s*[:=]\s*")

RULES = {"1": "uint16", "2": "int16", "3": "uint32", "4": "int32", "5": "ascii"}  # types by number, in definition files for home automation
_HEADS = {title: slot for slot, titles in grouped("titles").items() for title in titles}


class Line(Word):
    number: int  # from 1
    slot: Slot


def flat(text: str) -> str:
    """Wide forms as their usual ones, one character for one, so that every place stays."""
    return text.translate(_WIDE).replace("\r\n", " \n").replace("\r", "\n")


def lines_of(text: str) -> tuple[Line, ...]:
    """The lines with text in them; rules of tables (`|---|---|`) are none. Raises ValueError beyond LINES_MAX."""
    found: list[Line] = []
    start = 0
    pieces = text.split("\n")
    if len(pieces) > LINES_MAX:
        raise ValueError(f"{len(pieces)} lines; give at most {LINES_MAX}")
    for number, line in enumerate(pieces, start=1):
        if line.strip() and not (_RULE.match(line) and "-" in line):
            found.append(Line(number=number, slot=Slot(text=line, start=start, end=start + len(line))))
        start += len(line) + 1
    return tuple(found)


def part(whole: Slot, start: int, end: int) -> Slot:
    """The characters `start` to `end` of a slot, counted in it, without blanks around."""
    text = whole.text[start:end]
    lead = len(text) - len(text.lstrip())
    bare = text.strip()
    return Slot(text=bare, start=whole.start + start + lead, end=whole.start + start + lead + len(bare))


def cells(line: Slot, *, commas: bool = False, blanks: bool = False) -> tuple[Slot, ...]:
    """A line cut at bars, semicolons, tabs and wide gaps; with `commas` at commas too. Bars around the line cut nothing."""
    text = line.text
    first, last = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    first += text.startswith("|", first)  # one bar on each side encloses, a second one is an empty cell
    last -= last > first and text[last - 1] == "|"
    pattern = _COMMA if commas else re.compile(r"\s+") if blanks else STRONG
    found: list[Slot] = []
    at = first
    for cut in pattern.finditer(text, first, last):
        found.append(part(line, at, cut.start()))
        at = cut.end()
    found.append(part(line, at, last))
    return tuple(found)


class Titles(Word):
    """A line of column titles: how it is cut (strong, commas, blanks), the slot that each heads, where each begins in its line."""

    way: str
    heads: tuple[str, ...]
    starts: tuple[int, ...]

    def cells(self, line: Slot) -> tuple[Slot, ...]:
        return cells(line, commas=self.way == "commas", blanks=self.way == "blanks")


def titles(line: Slot) -> Titles | None:
    """The column titles that a line is, else None."""
    for way in ("strong", "commas", "blanks"):
        cut = cells(line, commas=way == "commas", blanks=way == "blanks")
        heads = tuple(_head(cell.text) for cell in cut)
        if len(heads) >= 3 and "name" in heads and "address" in heads and sum(h != "" for h in heads) >= len(heads) - 1:
            return Titles(way=way, heads=heads, starts=tuple(cell.start - line.start for cell in cut))
    return None


def _head(title: str) -> str:
    bare = re.sub(r"[\"'*`#]", "", title).strip().lower()
    found = _HEADS.get(bare) or _HEADS.get(re.sub(r"\s*[(\[（].*[)\]）]\s*$", "", bare))
    return found or ""


def keyed(line: Slot) -> dict[str, Slot] | None:
    """`name: x, addr: 3, type: int16` as slots by what their keys head; None where fewer than two known keys are there."""
    found: dict[str, Slot] = {}
    known = [(m, _HEADS.get(m[1].strip().lower(), "")) for m in _KEY.finditer(line.text)]
    known = [(m, head) for m, head in known if head]
    if len(known) < 2 or "address" not in {head for _, head in known}:
        return None
    for i, (key, head) in enumerate(known):
        end = known[i + 1][0].start() if i + 1 < len(known) else len(line.text)
        value = line.text[key.end() : end]
        stop = re.search(
            r"[\"']" if value[:1] in ("'", '"') else r"[,;}\n](?![^\[]*\])|\s#", value[1:] if value[:1] in ("'", '"') else value
        )
        if value[:1] in ("'", '"'):
            a, b = key.end() + 1, key.end() + 1 + (stop.start() if stop else len(value) - 1)
        else:
            a, b = key.end(), key.end() + (stop.start() if stop else len(value))
        slot = part(line, a, b)
        trimmed = slot.text.rstrip("{}[], ")
        slot = Slot(text=trimmed, start=slot.start, end=slot.start + len(trimmed))
        if head == "kind" and re.match(r"(?i)(?:input|holding|coil|discrete)", slot.text):
            head = "area"
        if slot.text and head not in found:
            found[head] = slot
    remark = re.search(r"#\s*([A-Za-z\u4e00-\u9fff][^\n#{}]*)", line.text)
    if "name" not in found and remark is not None:
        found["name"] = part(line, remark.start(1), remark.end(1))
    return found if "address" in found else None


def blocks(text: str, lines: Sequence[Line]) -> Iterator[Line]:
    """Lines of one key and value each (YAML) that belong together, as one; all other lines as they are."""
    held: list[Line] = []
    for line in (*lines, None):
        alone = (
            line is not None and re.match(r"^\s*(?:-\s+)?[\"']?[A-Za-z_\u4e00-\u9fff][\w ]*[\"']?\s*:\s*\S*", line.slot.text) is not None
        )
        key = (
            line is not None
            and alone
            and _HEADS.get(line.slot.text.strip(" -\"'").split(":")[0].strip(" \"'").lower(), "") != ""
            and len(_KEY.findall(line.slot.text)) == 1
        )
        key = key or (line is not None and re.match(r"^\s*register:\s*\{.*address", line.slot.text) is not None)
        new = line is not None and (line.slot.text.lstrip().startswith("- ") or not key)
        if held and new:
            yield from _joined(text, held)
            held = []
        if line is None:
            break
        if key:
            held.append(line)
        else:
            yield line
    if held:
        yield from _joined(text, held)


def _joined(text: str, held: Sequence[Line]) -> Iterator[Line]:
    if len(held) < 2:
        yield from held
        return
    start, end = held[0].slot.start, held[-1].slot.end
    yield Line(number=held[0].number, slot=Slot(text=text[start:end], start=start, end=end))
