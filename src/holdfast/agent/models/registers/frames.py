"""Maps written as frames that were seen or are given as examples: the bytes are the row's function, address and count."""

import dataclasses
import re
from collections.abc import Iterator

from holdfast.agent.models.registers import heading, notation
from holdfast.agent.models.registers.lines import part
from holdfast.agent.models.registers.look import several
from holdfast.agent.models.registers.words import Area, Facts, Row, Slot

_BYTE = r"(?:0x)?[0-9A-Fa-f]{2}"
_GAP = r"[ ,]{1,2}"
_FRAME = re.compile(
    rf"(?<![0-9A-Za-z])(?:0x)?(?:[0-9A-F]{{2}}|[0-9a-f]{{2}}){_GAP}(?P<code>(?:0x)?(?:0[1-6Ff]|10)){_GAP}(?P<at>{_BYTE}{_GAP}{_BYTE}){_GAP}"
    rf"(?P<n>{_BYTE}{_GAP}{_BYTE})(?P<more>(?:{_GAP}(?:{_BYTE}|\.\.+))*)(?![0-9A-Za-z])"
)
_ANSWER = re.compile(r"(?i)^\W*(?:rx|<-|<<|answer|response|reply|recv|received?|slave|应答|响应|返回|从站|接收)")
_LEAD = re.compile(r"[\s\"'`.,:;>=)*/#-]*(?:(?:returns?|gives?|is|reads?|means?|for|to|返回|读取?|表示|为)\b\s*)*(?:the\s+|a\s+)?")
_READS = re.compile(r"(?i)\b(?:read(?:s|ing)?|query|get|fetch(?:es)?)\s+(?:the\s+|of\s+)*|(?:读取?|查询|采集)\s*")
_NAME_END = re.compile(r"\s*(?:,|;|\(|\*/|->|=>|$|\.(?=\s|$)|[:=]|，|。| - |\bunit\b|单位)")
# An answer in the same line with what it came to: `<< 05 04 02 02 EE  inlet pressure 7.50 bar`.
_REPLY = re.compile(
    rf"[^0-9A-Za-z\u4e00-\u9fff]*(?:(?i:rx|answer|reply|response|应答|返回)\W*)?(?:{_BYTE}{_GAP}){{3}}(?P<data>{_BYTE}(?:{_GAP}{_BYTE}){{1,7}})"
    r"\s+\W{0,4}(?P<name>[A-Za-z\u4e00-\u9fff][^\d\n=:]{0,39}?)\s*[=:]?\s*(?P<value>-?\d+(?:\.\d+)?)(?![0-9A-Fa-f]* [0-9A-Fa-f]{2}\b)"
)
_ANSWERED = re.compile(r"(?i)(?:<<|<-|\brx|answer|response|reply|recv|应答|响应|返回|接收)\W*$")
_AREA: dict[int, Area] = {1: "coil", 2: "discrete", 3: "holding", 4: "input", 5: "coil", 15: "coil", 6: "holding", 16: "holding"}


def has_frame(text: str) -> bool:
    return _FRAME.search(text) is not None


def rows(line: Slot, before: str, facts: Facts) -> Iterator[Row]:
    """The rows of a line's frames; `before` is the line above, which may name what an example reads. An answer is no row."""
    if _ANSWER.match(line.text):
        return
    found = [one for one in _FRAME.finditer(line.text) if _ANSWERED.search(line.text, 0, one.start()) is None]
    for i, frame in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(line.text)
        reply = _REPLY.match(line.text, frame.end(), end)
        if reply is not None:
            code = int(frame["code"].removeprefix("0x"), 16)
            row = _row(line, frame, code, part(line, *reply.span("name")), part(line, reply.end(), end), facts)
            shows = part(line, reply.start("data"), reply.end("value"))
            yield row if row.scale is not None else dataclasses.replace(row, scale=shows)
            continue
        name = _named_before(line, found[i - 1].end() if i else 0, frame.start()) or _name(line, frame.end(), end)
        if name is None:
            continue
        code = int(frame["code"].removeprefix("0x"), 16)
        behind = part(line, max(frame.end(), name.end - line.start), end)
        yield _row(line, frame, code, name, behind, facts)


def above(line: Slot, whole: Slot, facts: Facts) -> Row | None:
    """`Example 4 (read tare):` with its frame in the next line; `whole` is both lines."""
    frame = _FRAME.search(whole.text, len(line.text))
    named = _READS.search(line.text)
    if frame is None or named is None or _ANSWER.match(whole.text[len(line.text) :]):
        return None
    stop = _NAME_END.search(line.text, named.end())
    name = part(line, named.end(), stop.start() if stop is not None else len(line.text))
    if not re.search(r"[A-Za-z\u4e00-\u9fff]", name.text):
        return None
    code = int(frame["code"].removeprefix("0x"), 16)
    behind = part(line, name.end - line.start, len(line.text))
    return _row(whole, frame, code, name, behind, facts)


def _named_before(line: Slot, start: int, at: int) -> Slot | None:
    """`read the tare: 01 03 …`: what a frame reads may stand before it."""
    found = _READS.search(line.text, start, at)
    if found is None:
        return None
    stop = _NAME_END.search(line.text, found.end(), at)
    name = part(line, found.end(), stop.start() if stop is not None else at)
    return name if re.search(r"[A-Za-z\u4e00-\u9fff]", name.text) else None


def _name(line: Slot, start: int, end: int) -> Slot | None:
    lead = _LEAD.match(line.text, start, end)
    at = lead.end() if lead is not None else start
    stop = _NAME_END.search(line.text, at, end)
    name = part(line, at, stop.start() if stop is not None else end)
    return name if re.search(r"[A-Za-z\u4e00-\u9fff]", name.text) else None


def _row(block: Slot, frame: re.Match[str], code: int, name: Slot, behind: Slot, facts: Facts) -> Row:
    text = behind.text
    kinds = [(a, b) for a, b, _ in notation.types_in(text, faint=False)]
    scales = [(a, b) for a, b, _ in notation.scales_in(text)]
    units = [m.span() for m in notation.UNIT.finditer(text) if not scales or m.start() >= scales[0][1] or m.end() <= scales[0][0]]
    number = int("".join(re.findall(r"[0-9A-Fa-f]{2}(?![0-9A-Fa-fx])", frame["n"])), 16)
    facts = heading.merged(
        facts,
        heading.Told(area=_AREA[code], base="zero", write_codes=(code,) if code in (5, 6, 15, 16) else (), order=heading.order_of(text)),
        section=False,
    )
    return Row(
        name=name,
        address=part(block, *frame.span("at")),
        kind=part(behind, *kinds[0]) if kinds else None,
        scale=part(behind, *scales[0]) if scales else None,
        unit=part(behind, *units[0]) if units else None,
        several=several(text),
        block=block,
        facts=facts,
        length=part(block, *frame.span("n")) if code in (3, 4) else None,
        remark=text,
        sample=number if code in (5, 6) else None,
    )
