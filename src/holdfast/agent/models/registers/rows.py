"""The rules' reading of a map: which lines are rows, and which piece of a row is what."""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from holdfast.agent.models.registers import heading, lines, notation
from holdfast.agent.models.registers.lines import Line, part
from holdfast.agent.models.registers.words import Facts, Order, Row, ScaleWay, Slot

_Span = tuple[int, int]
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9_.])(?:0x[0-9A-Fa-f]{1,5}|[0-9A-Fa-f]{2,5}[Hh]|[0134]x\d{1,5}|%MW\d{1,5}|\d{1,6})(?![A-Za-z0-9_%]|\.\d)(?:\s?[-~–]\s?(?:0x)?[0-9A-Fa-f]{1,6}[Hh]?(?![A-Za-z0-9.]))?"
)
_BARE_HEX = re.compile(r"(?<![A-Za-z0-9_.])[0-9A-F]{4}(?![A-Za-z0-9_.])")
_LED = re.compile(
    r"(?:=|:=|=>|->|@|\bat(?: address| register)?|\bis|\baddr(?:ess|\.)?|\breg(?:ister|\.)?|\boffset|地址|在|位于|寄存器|\bno\.?|编号)"
    r"\s*[:=是为]?\s*\[?\s*$",
    re.IGNORECASE,
)
_TABLE_NUMBER = re.compile(
    r"(?:\btable|\bch(?:annel)?|\bunit|(?<=\w)#|(?<=\w )#|表|第|\brev\.?|\bv|\bline|\bphase|\bpv|\bpart|\bslave(?: id)?|\bport|\bid)\s*$",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\d+(?:\.\d+)?\s*(?:\.{2,3}|~|～|…|至|\bto\b)\s*-?\d+(?:\.\d+)?")
_RANGE_LINE = re.compile(r"^\W*(?:允许(?:范围)?|范围|取值范围|allowed|range|limits?|permitted|valid)", re.IGNORECASE)
_STATE = re.compile(
    r"(?<![A-Za-z0-9.])\d{1,3}\s*(?:=|:|-|：)\s*(?=[A-Za-z\u4e00-\u9fff])|(?<=[A-Za-z\u4e00-\u9fff])\s*=\s*\d{1,3}(?=\s*[,;)/]|\s*$)"
)
_STATE_ZH = re.compile(r"(?<![A-Za-z0-9.])\d{1,2}(?=[\u4e00-\u9fff]{2})")
_TASK = re.compile(
    r"FC\d{1,2}(?:Read|Write)\w*Task\([^()]*$|^\s*(?:poll|device)\s*,|^\s*(?:const|var|enum|type)?\s*[({\[]\s*$"
)  # of rows to come
_COMMENT = re.compile(r"//|#(?!\d)|/\*|\(\*|--\s|\s;\s")
_INDEX = re.compile(r"^\s*[-*(\[]?\s*\d{1,2}\s*[.)、]\s*(?=\D)")
_TIMES = re.compile(r"(?<![A-Za-z0-9.])(\d)\s?[x×*]\s?(?=[A-Za-z])")
_LENGTH = re.compile(
    r"(?i)(?<![A-Za-z])(?:(?:len(?:gth)?|count|size|长度|数量|qty)\s*[:=]?|(?:words?|regs?)\s*[:=])\s*(\d{1,2})(?![\d.])|(?<![A-Za-z0-9.])(\d{1,2})\s*(?:regs?|registers?|words?|个寄存器)(?![A-Za-z])"
)
_COUNT_BEFORE = re.compile(r"(?<=\s)([1-9])()\s+(?=\d)")
_LETTERS = re.compile(r"[A-Za-z\u4e00-\u9fff]")
_DECLARES = re.compile(
    r"^\s*(?:#define|const(?:expr)?|static|final|public|private|pub|let|var|val|uint16_t|uint8_t|u16|int|unsigned|define|m\(|reg\()"
    r"\s+(?:(?:static|final|const|int|uint16_t|u16|unsigned|short)\s+)*",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^(?:the|table \d+:?|表\s*\d+:?|no\.?\s*\d+|[-*•>]+|名称|变量|点名|name|the)\s*[:：]?\s+|^[-*•]\s*", re.IGNORECASE)
_SEPARATES = re.compile(
    r"\s*(?:=>|:=|->|=|//|/\*|\*/|\(\*|\*\)|#|;|\||\t|@|: |:$| -- | is at\b| sits at\b| at address\b| at register\b|"
    r" at\b(?=\s*(?:0x|\d|$))|在地址|在(?=\s|$|\d)|位于|的地址(?:是|为)|地址|[{}\[\]\"'`]|,|、|。|\(|\)| - |  +)\s*",
    re.IGNORECASE,
)
_WORDS_OF_SLOTS = re.compile(
    r"^(?:as|in|with|is|of|the|unit|units|单位|type|类型|addr(?:ess)?\.?|reg(?:ister)?|地址|系数|倍率|属性|权限|access|scale|table|no\.?|const|define|var|poll|ref|values?|起始|寄存器|lsb|/lsb|per|and|or|至|-|—|int|static|final|null|none|n/a|high|low|range|bit|bits)$",
    re.IGNORECASE,
)  # fmt: skip
_NUMBER_CELL = re.compile(r"(?:[|;,\t]|  )\s*(\d+\.\d+|1)(?=\s*(?:$|[|;,\t]|  ))")  # a factor in a cell of its own
_SCALE_HEADS: dict[str, ScaleWay] = {"scale": "times", "divisor": "over", "either": "either", "power": "power"}  # by a column's title
WIDE_MAX = 400  # characters of a line that is read as a row


def read(text: str) -> tuple[Row, ...]:
    """The rows of a map, in order. `text` is flat (lines.flat)."""
    found: list[Row] = []
    all_lines = list(lines.blocks(text, lines.lines_of(text)))
    facts = Facts(code_like=heading.codelike([line.slot.text for line in all_lines]))
    columns: tuple[str, tuple[str, ...]] | None = None
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
    return _untyped(_with_later(found, last))


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


def _rows(line: Line, facts: Facts, columns: tuple[str, tuple[str, ...]] | None, *, first: bool) -> Iterator[Row]:
    """The rows of a line: by its keys, by the table's columns, else by the look of its pieces; none for a heading."""
    text = line.slot.text
    if len(text) > WIDE_MAX or _RANGE_LINE.match(text) or _TASK.search(text):
        return
    keys = lines.keyed(line.slot)
    if keys is not None and "name" in keys and _is_address(keys["address"].text):
        yield _of_slots(line.slot, keys, facts)
        return
    if columns is not None:
        cut = lines.cells(line.slot, commas=columns[0] == "commas", blanks=columns[0] == "blanks")
        by = {head: cell for head, cell in zip(columns[1], cut, strict=False) if head and cell.text}
        if (
            abs(len(cut) - len(columns[1])) <= (0 if columns[0] != "strong" else 1)
            and "name" in by
            and _is_address(by.get("address", by["name"]).text)
        ) and len(cut) == len(columns[1]):
            yield _of_slots(line.slot, by, facts)
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


def _is_address(text: str) -> bool:
    bare = text.strip(" []\"'`*")
    return (
        _ADDRESS.fullmatch(bare) is not None
        or re.fullmatch(r"(?:0x)?[0-9A-Fa-f]{1,5}(?:\s*,\s*(?:0x)?[0-9A-Fa-f]{1,5}){1,3}", bare) is not None
        or re.fullmatch(r"[0-9A-F]{3,4}", bare) is not None
    )


def _strong_address(text: str, facts: Facts) -> bool:
    found = _choose(text, facts)
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
            if _LETTERS.search(piece.text)
            and (found := _choose(piece.text, Facts())) is not None
            and found[2] >= 5
            and _furnished(piece.text, found[:2])
            and _name(piece.text, found[:2], [(a, b) for a, b, _ in notation.types_in(piece.text, faint=False)]) is not None
        ]
        if len(whole) == len(cut):
            return tuple(cut)
    return (line,)


def _furnished(text: str, address: _Span) -> bool:
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


def _unit(cell: Slot, but: _Span) -> Slot | None:
    for found in notation.UNIT.finditer(cell.text):
        if found.end() <= but[0] or found.start() >= but[1]:
            return part(cell, found.start(), found.end())
    return None


# ---- by the look -------------------------------------------------------------------------------------------------------


def _of_look(piece: Slot, facts: Facts) -> Row | None:
    text = piece.text
    chosen = _choose(text, facts)
    if chosen is None or chosen[2] < 1:
        return None
    address = (chosen[0], chosen[1])
    taken: list[_Span] = [address]
    clear = [(a, b) for a, b, _ in notation.types_in(text, faint=False) if _free((a, b), taken)]
    loud = [(a, b) for a, b, _ in notation.types_in(text, faint=True) if text[a:b].isupper() and _free((a, b), taken)]
    name = _name(text, address, [*clear, *loud, *((a, b) for a, b, said in notation.scales_in(text) if said)])
    if name is None:
        return None
    behind = [span for span in clear if _free(span, (name,))]
    kind = max(behind, key=lambda s: s[1] - s[0]) if behind else None
    if kind is None:
        faint = [
            (a, b)
            for a, b, _ in notation.types_in(text, faint=True)
            if _free((a, b), (*taken, name)) and (_own(text, (a, b)) or text[a:b].isupper())
        ]
        kind = max(faint, key=lambda s: s[1] - s[0]) if faint else None
    taken += [name, *([kind] if kind else [])]
    index = _INDEX.match(text)
    taken += [index.span()] if index is not None else []
    taken += [found.span() for found in _RANGE.finditer(text)] + [found.span() for found in _STATE.finditer(text)]
    scales = [(a, b, said) for a, b, said in notation.scales_in(text) if _free((a, b), taken)]
    scale = next(((a, b) for a, b, said in scales if said), None) or next(((a, b) for a, b, _ in scales), None)
    if scale is None:
        scale = next((found.span(1) for found in _NUMBER_CELL.finditer(text) if _free(found.span(1), taken)), None)
    if scale is not None:
        taken.append(scale)
    areas = [(a, b) for a, b, _ in notation.areas_in(text) if _free((a, b), taken)]
    access = next((span for span in notation.access_in(text) if _free(span, taken)), None)
    if access is not None:
        taken.append(access)
    unit = next((found.span() for found in notation.UNIT.finditer(text) if _free(found.span(), [*taken, *areas])), None)
    if access is None:
        access = _letter(text, [*taken, *([unit] if unit else [])])
    if access is not None and unit is not None and not _free(unit, (access,)):
        unit = None
    length = next((found for found in _LENGTH.finditer(text) if _free(found.span(), (address, name))), None)
    if length is None and scale is not None:
        length = next(
            (found for found in _COUNT_BEFORE.finditer(text) if found.end() == scale[0] and _free(found.span(1), (address, name))),
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


def _digits(found: re.Match[str]) -> _Span:
    return found.span(1) if found[1] else found.span(2)


def _first_word(text: str, address: _Span) -> Order | None:
    """`high word at 0x07` beside the address 0x07."""
    found = re.search(r"(?i)\b(high|low)(?:er)? (?:word|register|16 bits?) (?:is )?(?:at|in) (0x[0-9a-f]+|\d+)", text)
    if found is None:
        return None
    same = found[2].lower() == text[slice(*address)].lower()
    return "big" if (found[1].lower() == "high") is same else "little"


def remark(text: str, taken: Sequence[_Span]) -> str:
    """What is left of a row once its slots are taken out."""
    left, at = "", min(a for a, _ in taken)
    for a, b in sorted(taken):
        left += " " + text[at:a] if a > at else ""
        at = max(at, b)
    return (left + " " + text[at:]).strip()


def _free(span: _Span, taken: Sequence[_Span]) -> bool:
    return all(span[1] <= a or span[0] >= b for a, b in taken)


def _own(text: str, span: _Span) -> bool:
    """Whether a piece stands alone between separators or blanks of its own, as a column does."""
    before, after = text[: span[0]].rstrip(" "), text[span[1] :].lstrip(" ")
    return (
        not before
        or before[-1] in "|,;\t()[]:=/、{\"'"
        or before[-1].isdigit()
        or text[: span[0]].endswith("  ")
        or before.endswith(("//", "#", "*", "as", "is"))
    ) or (not after or after[0] in "|,;\t)]/、}\"'")


def _letter(text: str, taken: Sequence[_Span]) -> _Span | None:
    """`R` or `W` alone in a cell or in the last place."""
    for found in re.finditer(r"(?<![A-Za-z0-9_/.])(?:[RrWw])(?![A-Za-z0-9_/.-])|(?<![\u4e00-\u9fff])[读写](?![\u4e00-\u9fff])", text):
        if _free(found.span(), taken) and (found[0] == "R" or _own(text, found.span()) or found.end() == len(text.rstrip(" ).;,*/"))):
            return found.span()
    return None


def several(text: str) -> int:
    """How many values of one kind follow each other: `3x FLOAT32`, or further addresses behind the first in a comment."""
    times = _TIMES.search(text)
    if times is not None:
        return max(1, min(int(times[1]), 9))
    more = re.search(r"(?://|#|/\*)\s*((?:0x[0-9A-Fa-f]+|\d+)(?:\s*,\s*(?:0x[0-9A-Fa-f]+|\d+)){1,3})\s*(?:$|\*/|,)", text)
    return 1 + more[1].count(",") + 1 if more is not None else 1


def _choose(text: str, facts: Facts) -> tuple[int, int, int] | None:
    """(start, end, points) of what is most likely the address of a row."""
    out: list[_Span] = [(a, b) for a, b, said in notation.scales_in(text) if said]
    out += [(a, b) for a, b, _ in notation.types_in(text, faint=False)]
    out += [found.span() for found in _RANGE.finditer(text)]
    out += [(a, b) for _, a, b in heading.codes_in(text)]
    index = _INDEX.match(text)
    if index is not None:
        out.append(index.span())
    comment = _COMMENT.search(text, 1)
    found: list[tuple[int, int, int]] = []
    for match in _candidates(text, facts):
        span = match.span()
        if not _free(span, out):
            continue
        found.append((*span, _points(text, span, comment.start() if comment else len(text), facts)))
    if not found:
        return None
    best = max(found, key=lambda one: (one[2], -one[0]))
    return (best[0], best[1], best[2] + (2 if len(found) == 1 else 0))


def _candidates(text: str, facts: Facts) -> Iterator[re.Match[str]]:
    seen: list[_Span] = []
    for match in _ADDRESS.finditer(text):
        seen.append(match.span())
        yield match
    if facts.hexadecimal:
        for match in _BARE_HEX.finditer(text):
            if match.span() not in seen and not match[0].isdigit():
                yield match


def _points(text: str, span: _Span, comment: int, facts: Facts) -> int:
    word = text[span[0] : span[1]]
    before, after = text[: span[0]], text[span[1] :]
    points = 0
    if word.lower().startswith("0x") or word[-1] in "Hh" or word.startswith("%"):
        points += 6
    if _LED.search(before):
        points += 4
    lead = before.rstrip(" ")
    if not lead.strip(" |-*[{(\"'"):
        points += 3
    if (not lead or lead[-1] in "|,;\t:=@[") and (not after.strip() or after.lstrip(" ")[0] in "|,;\t:]/=" or after.startswith("  ")):
        points += 2
    if before.endswith(("  ", "\t")):
        points += 1
    if lead and comment < len(text) and span[1] <= comment <= span[1] + len(after) - len(after.lstrip(" ,;")):
        points += 3  # the last before a comment
    if facts.base == "reference" and re.match(r"[0134]\d{4,5}\b", word):
        points += 4
    if len(word) >= 4:
        points += 1
    unit = notation.UNIT.match(after.lstrip(" "))
    if unit is not None and not after.startswith("  ") and word.isdigit() and lead and not _LED.search(before):
        points -= 5
    if _TABLE_NUMBER.search(before):
        points -= 6
    if span[0] > comment:
        points -= 5
    if lead and (lead[-1].isalpha()) and before.endswith(" ") and not before.endswith("  ") and not _LED.search(before):
        points -= 1 if _starts_slot(after) else 3
    if _STATE.match(text[span[0] :]) and lead and not _LED.search(before):
        points -= 2
    return points


def _starts_slot(after: str) -> bool:
    bare = after.lstrip(" ")
    if re.match(r"[rRwW](?![A-Za-z0-9])", bare):
        return True
    return any(a == 0 for faint in (False, True) for a, _, _ in notation.types_in(bare[:24], faint=faint)) or any(
        a == 0 for a, _ in notation.access_in(bare[:24])
    )


def _name(text: str, address: _Span, slots: Sequence[_Span]) -> _Span | None:
    """The piece that is the name: the first with letters that is neither address nor slot, cut where a slot begins."""
    cuts: list[_Span] = [address]
    strong = [found.span() for found in lines._STRONG.finditer(text)]  # pyright: ignore[reportPrivateUsage]
    wide = len(strong) >= 2
    marks = strong if wide else [found.span() for found in _SEPARATES.finditer(text)]
    edges = sorted([*cuts, *marks])
    at = 0
    pieces: list[_Span] = []
    for a, b in [*edges, (len(text), len(text))]:
        if a > at:
            pieces.append((at, a))
        at = max(at, b)
    for a, b in pieces:
        span = _bare_name(text, a, b, slots)
        if span is not None:
            return span
    return None


def _bare_name(text: str, a: int, b: int, slots: Sequence[_Span]) -> _Span | None:
    declared = _DECLARES.match(text[a:b])
    if declared is not None:
        a += declared.end()
    index = _INDEX.match(text[a:b])
    if index is not None and index.end() < b - a:
        a += index.end()
    area = next(((s, e) for s, e, _ in notation.areas_in(text[a:b]) if not text[a : a + s].strip()), None)
    if area is not None and _LETTERS.search(text[a + area[1] : b]):
        a += area[1]
    lead = _LEAD.match(text[a:b].lstrip())
    if lead is not None:
        a += len(text[a:b]) - len(text[a:b].lstrip()) + lead.end()
    a, b = _trimmed(text, a, b)
    if a >= b:
        return None
    for s, e in sorted(slots):
        if a <= s < b:
            if s == a:
                return None
            if e >= b or s > a:
                b = s
                break
    a, b = _trimmed(text, a, b)
    while True:
        shorter = _without_tail(text, a, b)
        if shorter == b:
            break
        a, b = _trimmed(text, a, shorter)
    word = text[a:b]
    if notation.area_of(word) is not None and all(e - s == len(word) for s, e, _ in notation.areas_in(word)):
        return None
    if (
        a >= b
        or not _LETTERS.search(word)
        or re.fullmatch(r"(?i)(?:table|表|page|chapter)\s*\d+", word)
        or _WORDS_OF_SLOTS.match(word)
        or (notation.access_of(word) and len(word) <= 5)
    ):
        return None
    if notation.UNIT.fullmatch(word) or (notation.kind_of(word) and not re.search(r"\s", word)) or _ADDRESS.fullmatch(word):
        return None
    return a, b


def _without_tail(text: str, a: int, b: int) -> int:
    """Where a name ends once access, units or faint types behind it are taken off."""
    word = text[a:b]
    led = re.search(r"(?i)[\s:：](?:(?:is |sits |lies |located )?at|/|addr(?:ess)?\.?|reg(?:ister)?\.?|no\.?|#|地址|寄存器)$", word)
    if led is not None and led.start() > 0:
        return a + led.start()
    tail = re.search(r"\s(?:R/W|RW|RO|WO|R|W|r|w|rw|ro|r/w|只读|读写|REAL|INT|UINT|WORD|DINT|uint|is|as|at|in)$", word)
    if tail is not None:
        return a + tail.start()
    scale = next(
        (s for s, e, said in notation.scales_in(word) if not said and word[e:].strip() and notation.UNIT.fullmatch(word[e:].strip())), None
    )
    if scale is not None and scale > 2 and word[scale - 1] == " " and not word[:scale].rstrip().endswith(","):
        return a + scale
    return b


def _trimmed(text: str, a: int, b: int) -> _Span:
    while a < b and text[a] in " \t|,;:=>-*·{}\"'`.。、(/[@":
        a += 1
    while b > a and text[b - 1] in " \t|,;:=>{}\"'`、([-@":
        b -= 1
    return a, b
