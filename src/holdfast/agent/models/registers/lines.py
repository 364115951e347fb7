"""The text of a map cut for reading: lines, cells, and blocks of keys and values, with every place kept."""

import re
from collections.abc import Sequence
from functools import lru_cache

from holdfast.agent.models.registers.patterns import grouped
from holdfast.agent.models.registers.words import Slot
from holdfast.terms import Word

CACHED_MAX = 2_048  # titles and keys whose reading is kept
LINES_MAX = 2_000
_WIDE = {c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D, 0x2013: 0x2D}
_RAISED = re.compile("\u207b[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]")  # a negative exponent, as in print
_LOWERED = str.maketrans("\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "-0123456789")
STRONG = re.compile(r"\s*\|\s*|\s*;\s*|\t+|(?<=\S) {2,}(?=\S)|\s\.{3,}\s")
_COMMA = re.compile(r"\s*,\s*|\s*、\s*")
_RULE = re.compile(r"^[\s|:+=-]*-[\s|:+=-]*$")

RULES = {"1": "uint16", "2": "int16", "3": "uint32", "4": "int32", "5": "ascii"}  # types by number, in definition files for home automation
_HEADS = {title: slot for slot, titles in grouped("titles").items() for title in titles}
_LONGEST = sorted(_HEADS, key=len, reverse=True)
TITLE_MAX = 40  # characters of a column's title
_NO_TITLE = re.compile(r"0x[0-9A-Fa-f]|\d{3,}(?![\dx]*\b.{0,12}\))|(?i:\bfc\s?\d)|:\s*\S|^(?i:is|are|the|of|as|and|with|to|at|for|all)$")
_ENCLOSED = re.compile(r"^\s*(?:[\])};]*\s*(?://|#|--)\s*)?[\[({](.*)[\])}]\s*[,;]?\s*(?:(?://|#|/\*).*)?$")  # as programs list rows
_LEGEND = re.compile(r"^\s*[\])};]*\s*(?://|#|--|/\*)\s*")
_NAMES = re.compile(r"(?i)^(?:value|values?|数值|数据|data|contents?|quantity)$")
_BETTER = tuple(re.compile(form) for form in (r"(?i)pdu|protocol|wire|zero|0[- ]?based|协议|报文", r"(?i)dec|十进制", r"(?i)hex|十六|16"))


_TWICE = re.compile(r"(?i)\bdec|\bhex|十进制|十六|16进制|plc|pdu|protocol|modicon|wire|telegram|组态|协议|报文|\b[34]x")


class Line(Word):
    number: int  # from 1
    slot: Slot


def flat(text: str) -> str:
    """Wide forms as their usual ones, one character for one, so that every place stays."""
    plain = text.translate(_WIDE).replace("\r\n", " \n").replace("\r", "\n")
    return _RAISED.sub(lambda found: found[0].translate(_LOWERED), plain)


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
    enclosed = _ENCLOSED.match(text) if commas else None
    if enclosed is not None:
        first, last = enclosed.span(1)
    pattern = _COMMA if commas else re.compile(r"\s+") if blanks else STRONG
    quoted = [m.span() for m in re.finditer(r"\"[^\"\n]*\"", text)]
    found: list[Slot] = []
    at = first
    for cut in pattern.finditer(text, first, last):
        if any(a < cut.start() < b for a, b in quoted):
            continue
        found.append(_unquoted(part(line, at, cut.start())))
        at = cut.end()
    found.append(_unquoted(part(line, at, last)))
    return tuple(found)


def _unquoted(cell: Slot) -> Slot:
    if len(cell.text) >= 2 and cell.text[0] == cell.text[-1] and cell.text[0] in "\"'":
        return part(cell, 1, len(cell.text) - 1)
    return cell


class Titles(Word):
    """A line of column titles: how it is cut (strong, commas, blanks), the slot that each heads, where each begins in its line."""

    way: str
    heads: tuple[str, ...]
    texts: tuple[str, ...]  # the titles as written
    starts: tuple[int, ...]

    def cells(self, line: Slot) -> tuple[Slot, ...]:
        return cells(line, commas=self.way == "commas", blanks=self.way == "blanks")


def titles(line: Slot) -> Titles | None:
    """The column titles that a line is, else None: an address, and at least half of all titles known."""
    mark = _LEGEND.match(line.text)
    if mark is not None and mark.end() < len(line.text):
        line = part(line, mark.end(), len(line.text))
    for way in ("strong", "commas", "blanks"):
        cut = cells(line, commas=way == "commas", blanks=way == "blanks")
        heads = tuple(title_of(cell.text) for cell in cut)
        known, sure = sum(h != "" for h in heads), sum(head_of(cell.text) != "" for cell in cut)
        least = 3 if way == "blanks" and line.text.isascii() else 2
        if (
            len(heads) < least
            or "address" not in heads
            or 5 * known < 3 * len(heads)
            or sure < (2 if way == "commas" else 1)
            or any(_NO_TITLE.search(cell.text) for cell in cut)
        ):
            continue
        if "name" not in heads:
            other = next((i for i, cell in enumerate(cut) if heads[i] in ("remark", "length", "kind") and _NAMES.search(cell.text)), None)
            other = other if other is not None else next((i for i, cell in enumerate(cut) if not heads[i] and cell.text), None)
            if other is None:
                continue
            heads = (*heads[:other], "name", *heads[other + 1 :])
        return Titles(
            way=way, heads=_one_address(heads, cut), texts=tuple(c.text for c in cut), starts=tuple(c.start - line.start for c in cut)
        )
    return None


def legend(lines: Sequence[Line]) -> tuple[Slot, Titles] | None:
    """Titles that a comment gives for rows which may stand before it."""
    for line in lines:
        found = titles(line.slot) if _LEGEND.match(line.slot.text) else None
        if found is not None:
            return line.slot, found
    return None


def _one_address(heads: tuple[str, ...], cut: Sequence[Slot]) -> tuple[str, ...]:
    """Of several columns of addresses the one that is sent, else the decimal one; the others head nothing."""
    places = [i for i, head in enumerate(heads) if head == "address"]
    if len(places) < 2:
        return heads
    best = min(places, key=lambda i: next((n for n, form in enumerate(_BETTER) if form.search(cut[i].text)), len(_BETTER)))
    twice = all(_TWICE.search(cut[i].text) for i in places if i != best)  # the same address in another notation, not a list's number
    return tuple(("twin" if twice else "") if head == "address" and i != best else head for i, head in enumerate(heads))


@lru_cache(maxsize=CACHED_MAX)
def head_of(key: str) -> str:
    """The slot that a key heads, "" for none."""
    bare = re.sub(r"[\"'*`#]", "", key).strip().lower()
    return _HEADS.get(bare) or _HEADS.get(re.sub(r"\s*[(\[].*[)\]]\s*$", "", bare)) or ""


@lru_cache(maxsize=CACHED_MAX)
def title_of(title: str) -> str:
    """The slot that a column's title heads: as a key, else by the last of its words that heads one."""
    whole = head_of(title)
    if whole or len(title) > TITLE_MAX:
        return whole
    bare = re.sub(r"[(\[][^()\[\]]*[)\]]", " ", title).strip().lower()
    if re.search(r"[\u4e00-\u9fff]", bare):
        return next((_HEADS[form] for form in _LONGEST if "\u4e00" <= form[0] <= "\u9fff" and bare.endswith(form)), "")
    words = re.findall(r"[a-z.]+", bare)
    if len(words) > 3 or (words and words[0] in ("all", "addresses", "read", "write", "with", "no")):
        return ""
    for size in (2, 1):
        for i in range(len(words) - size, -1, -1):
            found = _HEADS.get(" ".join(words[i : i + size]))
            if found and found != "remark":
                return found
    return ""
