"""Maps written as keys and values: what belongs to one record, however it is laid out (YAML, JSON, TOML, XML, literals of programs)."""

import re
from collections.abc import Iterator, Sequence

from holdfast.agent.models.registers import notation
from holdfast.agent.models.registers.lines import Line, head_of, part
from holdfast.agent.models.registers.words import Slot
from holdfast.terms import Word

GROUPS_MAX = 20_000  # groups that are looked at in one map
DEPTH_MAX = 64  # brackets that are open at once
RECORD_MAX = 2_000  # characters of one record
_QUOTE = "\"'`"
_KEY = re.compile(
    r"(?<![\w.<])[.\"'`]?(?P<key>[A-Za-z_][A-Za-z_]*(?:[ -][A-Za-z_]+){0,2}|[\u4e00-\u9fff]{1,6})[\"'`]?\s*(?P<sign>=>|:=|[:=])(?!=)[ \t]*"
)
_NUMBER = r"(?:0x[0-9A-Fa-f]{1,5}|[0-9A-Fa-f]{2,5}[Hh]|[34]x\d{4,5}|%MW\d{1,5}|\d{1,6})"
_PLACE = re.compile(rf"(?:\n?\s*-\s*)?\[?\s*[\"'`]?{_NUMBER}[\"'`]?(?:\s*[,-]\s*[\"'`]?{_NUMBER}[\"'`]?)*\s*(?=[\],;}})>\s/]|$)")
_BLOCK_LINE = re.compile(r"[ \t]*(?:-[ \t]+)?[\"'.]?[A-Za-z_\u4e00-\u9fff][\w \u4e00-\u9fff-]{0,30}[\"']?[ \t]*[:=]")
_SECTION = re.compile(r"(?m)^[ \t]*\[{1,2}([^\[\]\n]+)\]{1,2}[ \t]*$")
_COMMENT = re.compile(r"(?:#|//|/\*|--|<!--)\s*(.*?)\s*(?:\*/|-->)?\s*$")
_LABEL = re.compile(
    r"(?:[\"'`](?P<quoted>[^\"'`\n]{1,40})[\"'`]|(?P<bare>[A-Za-z_\u4e00-\u9fff][\w.\u4e00-\u9fff -]{0,39}?))\s*(?:=>|:=|[:=])\s*"
    r"(?:[#/][^\n]*\n[ \t]*|(?:new\s+)?[\w.]*\(?[ \t]*|&\w*|\n[ \t]*)\Z"
)
_BEFORE = re.compile(r"(?P<quoted>(?<![\w.])[A-Za-z_]\w*)[ \t]+(?P<bare>)\Z")  # `data grid_voltage [ … ]`
_NUMBERED = re.compile(rf"(?:^|(?<=[{{,\n\s]))[\"'`]?(?P<at>{_NUMBER})[\"'`]?\s*(?:=>|:)\s*(?=\{{|\n[ \t]+[A-Za-z_]+\s*:)")
_GENERIC = re.compile(
    r"(?i)^(?:registers?|regs?|sensors?|requests?|parameters?|params|fields?|data|modbus|channels?|items?|list|tags?|source|get|set|"
    r"read|write|"
    r"config|device|points?|map|maps|values?|(?:holding|input|discrete|coil)\w*|coils|binary_sensors?|switche?s?|numbers?|render|"
    r"inputs.*|sensor|"
    r"measurements|metrics|entities|definitions?|table|rows|寄存器|点表|参数表?|address|addr|return|const|export)$"
)
_ASIDE = frozenset(
    ("offset", "no", "no.", "start", "编号", "位置", "ref", "reference", "hex", "dec")
)  # addresses where no better key is there


class Record(Word, eq=False):
    """One record of a map: where it stands, its slots by what their keys head, what it says beside, and the name of what it lies in."""

    line: Line
    by: dict[str, Slot]
    inner: Slot | None  # the key that the record itself is the value of
    outer: Slot | None  # the key around that
    comment: Slot | None
    code: bool  # it is written as programs read it


class _Pair(Word):
    start: int
    key: str
    head: str
    value: Slot


def records(text: str) -> tuple[Record, ...]:
    """The records of a flat map, in order."""
    pairs = tuple(_pairs(text))
    places = [p for p in pairs if p.head == "address" and _at_place(text, p)]
    places = [p for p in places if p.key not in _ASIDE] or places
    if not places:
        return ()
    groups = _groups(text, pairs)
    found: list[Record] = []
    for place in places:
        one = _record(text, place, [p.start for p in places], groups, pairs)
        if one is not None and (not found or one.line.slot.start >= found[-1].line.slot.end):
            found.append(one)
    return tuple(found)


def units(text: str, all_lines: Sequence[Line], found: Sequence[Record]) -> Iterator[Line | Record]:
    """Records, and the lines around them, in order."""
    rest = list(found)
    for line in all_lines:
        at, end = line.slot.start, line.slot.end
        while rest and rest[0].line.slot.start < end:
            first = rest.pop(0)
            if first.line.slot.start > at and LETTER.search(text[at : first.line.slot.start]):
                yield _piece(text, line, at, first.line.slot.start)
            yield first
            at = max(at, first.line.slot.end)
            held = first.line.slot.end
            if held > end:
                break
        last = next((one for one in reversed(found) if one.line.slot.start < end), None)
        at = max(at, last.line.slot.end if last is not None else at)
        if at < end and LETTER.search(text[at:end]):
            yield _piece(text, line, at, end)


LETTER = re.compile(r"[A-Za-z\u4e00-\u9fff0-9]")


def _at_place(text: str, pair: _Pair) -> bool:
    return pair.start == pair.value.start or _PLACE.match(text, pair.value.start - _lead(text, pair.value.start)) is not None


def _piece(text: str, line: Line, start: int, end: int) -> Line:
    return (
        line
        if start == line.slot.start and end == line.slot.end
        else Line(number=line.number, slot=Slot(text=text[start:end], start=start, end=end))
    )


def _lead(text: str, start: int) -> int:
    """How far before a value its bracket or quote stands."""
    before = re.search(r"\[?\s*[\"'`]?$", text[max(0, start - 8) : start])
    return len(before[0]) if before is not None else 0


def _pairs(text: str) -> Iterator[_Pair]:
    """Every key that heads something, with its value."""
    for found in _KEY.finditer(text):
        head = head_of(found["key"])
        if head:
            yield _Pair(start=found.start(), key=found["key"].strip().lower(), head=head, value=_value(text, found.end()))
    for found in _NUMBERED.finditer(text):  # records listed by their address
        yield _Pair(
            start=found.start("at"),
            key="address",
            head="address",
            value=Slot(text=found["at"], start=found.start("at"), end=found.end("at")),
        )


def _value(text: str, at: int) -> Slot:
    """What stands behind a key: a quoted text, a list, or all up to the next separator or comment."""
    nested = re.compile(r"\n\s*-\s*(?=0x|\d)").match(text, at)
    at = nested.end() if nested is not None else at
    if text[at : at + 1] == "[":
        at += 1
        close = text.find("]", at)
        return _bare(text, at, close if 0 <= close < at + 80 else at)
    if text[at : at + 1] in _QUOTE and text[at : at + 1]:
        close = text.find(text[at], at + 1)
        if 0 <= close < at + 120:
            return _bare(text, at + 1, close)
    stop = re.compile(r"[,;}\n)]|\s#|\s//|/>|/\*|\s(?=\s*[A-Za-z_]+=[^\s=])").search(text, at)  # the last: `reg=12  unit=m3`
    return _bare(text, at, stop.start() if stop is not None else len(text))


def _bare(text: str, start: int, end: int) -> Slot:
    whole = Slot(text=text[start:end], start=start, end=end)
    slot = part(whole, 0, end - start)
    left = len(slot.text) - len(slot.text.lstrip(_QUOTE))
    bare = slot.text.strip(_QUOTE + "{}[], ")
    return Slot(text=bare, start=slot.start + left, end=slot.start + left + len(bare)) if slot.text[left:].startswith(bare) else slot


def _groups(text: str, pairs: Sequence[_Pair]) -> list[tuple[int, int]]:
    """What may belong together: brackets, elements, indented blocks, sections, paragraphs, and from name to name; smallest first."""
    found: set[tuple[int, int]] = set()
    stack: list[tuple[str, int]] = []
    for mark in re.finditer(r"\"[^\"\n]*\"|[{}()\[\]]", text):
        sign = mark[0]
        if sign in "{([" and len(stack) < DEPTH_MAX:
            stack.append((sign, mark.start()))
        elif sign in "})]" and stack and stack[-1][0] == {"}": "{", ")": "(", "]": "["}[sign]:
            found.add((stack.pop()[1], mark.end()))
    closed = dict(found)
    for mark in _NUMBERED.finditer(text):
        if text[mark.end() : mark.end() + 1] == "{" and mark.end() in closed:
            found.add((mark.start("at"), closed[mark.end()]))
    found |= {m.span() for m in re.finditer(r"<\w[^<>\n]*>", text)}
    found |= set(_indented(text))
    sections = [m.start() for m in _SECTION.finditer(text)]
    found |= {(a, b) for a, b in zip(sections, [*sections[1:], len(text)], strict=False)}
    found |= {m.span() for m in re.finditer(r"(?:[^\n]*\S[^\n]*(?:\n|$))+", text)}
    listed = re.search(r"(?m)^[ \t]*-[ \t]+[\w\"']+[ \t]*:", text) is not None  # items that begin with a dash end with the next one
    alone = (p.start for p in pairs if p.head == "name" and not text[text.rfind("\n", 0, p.start) + 1 : p.start].strip(" -\t"))
    names = [] if listed else list(alone)
    found |= {(a, b) for a, b in zip(names, [*names[1:], len(text)], strict=False)}
    return sorted(found, key=lambda g: g[1] - g[0])[:GROUPS_MAX]


def _indented(text: str) -> Iterator[tuple[int, int]]:
    """Each line with the lines behind it that stand further in."""
    at, lines = 0, list[tuple[int, int, int]]()
    for line in text.split("\n"):
        if line.strip():
            lines.append((at, at + len(line), len(line) - len(line.lstrip())))
        at += len(line) + 1
    for i, (start, end, indent) in enumerate(lines):
        yield start, end
        last = end
        for _, behind, deeper in lines[i + 1 :]:
            if deeper <= indent:
                break
            last = behind
        if last > end:
            yield start, last


def _record(text: str, place: _Pair, places: Sequence[int], groups: Sequence[tuple[int, int]], pairs: Sequence[_Pair]) -> Record | None:
    """From the smallest group around an address outwards, until the record has a name."""
    by: dict[str, Slot] = {"address": place.value}
    inner: Slot | None = None
    outer: Slot | None = None
    odd: Slot | None = None  # what a key of types heads that is none
    span = (place.start, place.value.end)
    for start, end in groups:
        if not start <= place.start < end:
            continue
        if sum(start <= other < end for other in places) > 1 or end - start > RECORD_MAX:
            outer = outer or _label(text, start) or _own_label(text, start)
            if outer is not None:
                break
            continue
        span = (min(span[0], start), max(span[1], end))
        for pair in sorted((p for p in pairs if start <= p.start < end), key=lambda p: abs(p.start - place.start)):
            if pair.head == "kind" and not _typed(pair.value.text):
                odd = odd or pair.value
            elif pair.head not in by and pair.value.text and not re.match(r"[\[{(]|\w+\(", text[pair.value.start : pair.value.start + 12]):
                by |= _sorted_in(pair)
        label = _label(text, start) or _own_label(text, start)
        inner = inner or label
        if "name" in by or (inner is not None and text[start] not in "[("):
            break
    if "name" not in by and inner is None and not re.search(r"[{(<]", text[slice(*span)]):
        return None
    if len(by) < 2 and inner is None:
        return None
    if odd is not None and "kind" not in by and not any(p.head == "kind" and p.value == by.get("area") for p in pairs):
        by["kind"] = odd
    return _made(text, by, inner, outer, span)


def _typed(text: str) -> bool:
    return notation.kind_of(text) is not None or text.isdigit() or re.match(r"(?i)(?:input|holding|coil|discrete|write)", text) is not None


def _sorted_in(pair: _Pair) -> dict[str, Slot]:
    """`type: holding` names an area, whatever else `type` may head."""
    if pair.head == "kind" and re.match(r"(?i)(?:input|holding|coil|discrete|write)", pair.value.text):
        return {"area": pair.value}
    return {pair.head: pair.value}


def _label(text: str, start: int) -> Slot | None:
    """The key whose value begins at `start`, a bracket."""
    if text[start : start + 1] not in tuple("{(["):
        return None
    found = _LABEL.search(text, max(0, start - 80), start)
    if found is None and text[start] in "[{":
        found = _BEFORE.search(text, max(0, start - 60), start)
    if found is None or (found["quoted"] is None and "\n" in text[found.start() : start].split("#")[0].rstrip()):
        return None
    return _named(found)


def _own_label(text: str, start: int) -> Slot | None:
    """The key or section that a block begins with: `power:` and what stands further in, `[flow]`."""
    found = re.compile(
        r"\s*(?:-\s*)?(?:[\"'](?P<quoted>[^\"'\n]{1,40})[\"']|"
        r"(?P<bare>[A-Za-z_\u4e00-\u9fff][\w.\u4e00-\u9fff -]{0,39}?))\s*:\s*(?=\{|#|\n)"
    ).match(text, start)
    if found is None:
        found = re.compile(r"\s*\[{1,2}(?:[\w.]+\.)?(?P<quoted>[^\[\].\n]+)(?P<bare>)\]{1,2}").match(text, start)
    return _named(found) if found is not None else None


def _named(found: re.Match[str]) -> Slot | None:
    group = "quoted" if found["quoted"] is not None else "bare"
    words = found[group]
    bare = re.sub(r"^(?:const|let|var|static|final|export|public)\s+", "", words)
    if _GENERIC.match(bare.strip()):
        return None
    start = found.start(group) + len(words) - len(bare)
    return part(Slot(text=bare, start=start, end=start + len(bare)), 0, len(bare))


def _made(text: str, by: dict[str, Slot], inner: Slot | None, outer: Slot | None, span: tuple[int, int]) -> Record | None:
    start = min(span[0], *(slot.start for slot in by.values()), inner.start if inner is not None else span[0])
    end = span[1]
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop
    tail = re.compile(r"[\s,;)\]}]*(?:(?:#|//|/\*|--)[^\n]*)?$").match(text, end, stop)
    if tail is not None:
        end = stop
    while end > start and text[end - 1] in " \n\t":
        end -= 1
    begin = text.rfind("\n", 0, start) + 1
    if not text[begin:start].strip(" -\t\"'{<("):
        start = begin
    comment, at = None, start
    for line in text[start:end].split("\n"):
        found = _COMMENT.search(line)
        if found is not None and found[1]:
            comment = Slot(text=found[1], start=at + found.start(1), end=at + found.end(1))
        at += len(line) + 1
    slot = Slot(text=text[start:end], start=start, end=end)
    code = re.search(r"[{}<]|^\s*-\s|[\"']\s*:|(?m:^\s*[a-z_]+\s*[:=])|^\s*\[", slot.text) is not None
    return Record(line=Line(number=text.count("\n", 0, start) + 1, slot=slot), by=by, inner=inner, outer=outer, comment=comment, code=code)
