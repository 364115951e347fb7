"""What a piece of a row looks like: which number is its address, which words are its name."""

import re
from collections.abc import Iterator, Sequence

from holdfast.agent.models.registers import heading, lines, notation
from holdfast.agent.models.registers.words import Facts

Stretch = tuple[int, int]  # start and end in the line
ADDRESS = re.compile(
    r"(?<![A-Za-z0-9_.])(?:0x[0-9A-Fa-f]{1,5}|(?=[A-Fa-f]*\d)[0-9A-Fa-f]{2,5}[Hh]|[0134]x\d{1,5}|%MW\d{1,5}|\d{1,6})(?=[uUlL]{0,2}(?![A-Za-z0-9_%]))(?!"
    r"\.\d)(?:(?:\s?[-~–]\s?|\.\.)(?:0x[0-9A-Fa-f]{1,5}|\d[0-9A-Fa-f]{0,5}[Hh]?)(?![A-Za-z0-9.]|\s*=))?"
)
_BARE_HEX = re.compile(r"(?<![A-Za-z0-9_.])[0-9A-F]{4}(?![A-Za-z0-9_.])")
_LED = re.compile(
    r"(?:=|:=|=>|->|@|\bat(?: address| register)?|\bis|\baddr(?:ess|\.)?|\breg(?:ister|\.)?|\boffset|地址|在|位于|寄存器|\bno\.?|编号|"
    r"\bcoil|\b[HI]R|\bholding|\bdiscrete(?: input)?|\binput|线圈|(?:^|[|;,\s])(?:输入|保持)|\.{3,})"
    r"\s*[:=是为]?\s*\[?\s*$",
    re.IGNORECASE,
)
_TABLE_NUMBER = re.compile(
    r"(?:\btable|\bch(?:annel)?|\bunit|(?<=\w)#|(?<=\w )#|表|第|\brev\.?|\bv|\bline|\bphase|\bpv|\bpart|\bslave(?: id)?|\bport|\bid)\s*$",
    re.IGNORECASE,
)
RANGE = re.compile(r"\d+(?:\.\d+)?\s*(?:\.{2,3}|~|～|…|至|\bto\b)\s*-?\d+(?:\.\d+)?")
STATE = re.compile(
    r"(?<![A-Za-z0-9.])\d{1,3}\s*(?:=|:|-|：)\s*(?=[A-Za-z\u4e00-\u9fff])|(?<=[A-Za-z\u4e00-\u9fff])\s*=\s*\d{1,3}(?=\s*[,;)/]|\s*$)"
)
_TIMES = re.compile(r"(?<![A-Za-z0-9.])(\d)\s?[x×*]\s?(?=[A-Za-z])")
COMMENT = re.compile(r"//|#(?!\d)|/\*|\(\*|--\s|\s;\s")
INDEX = re.compile(r"^\s*[-*(\[]?\s*\d{1,2}\s*[.)、](?!\.)\s*(?=\D)")
LETTERS = re.compile(r"[A-Za-z\u4e00-\u9fff]")
_POINT_CODE = re.compile(r"[A-Z][A-Za-z]?\d{0,3}[-.]\d{1,3}(?:[-.]\d{1,3})?|[A-Z]\d{2,4}|[ABDM][IOV]|MSV")
_CALL = re.compile(r"[A-Za-z_][\w.]*")
_ARGUMENTS = re.compile(r"\(\s*(?:[\w.&\"']+\s*,\s*)*(?:0x[0-9A-Fa-f]+|\d+)\s*[,)]")  # of a call
_DECLARES = re.compile(
    r"^\s*(?:#define|const(?:expr)?|static|final|public|private|pub|let|var|val|uint16_t|uint8_t|u16|int|unsigned|define|m\(|reg\()"
    r"\s+(?:(?:static|final|const|int|uint16_t|u16|unsigned|short)\s+)*",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^(?:the|table \d+:?|表\s*\d+:?|no\.?\s*\d+|[-*•>]+|名称|变量|点名|name|the)\s*[:：]?\s+|^[-*•]\s*", re.IGNORECASE)
_SEPARATES = re.compile(
    r"\s*(?:=>|:=|->|=|//|/\*|\*/|\(\*|\*\)|#|;|\||\t|@|: |:$|:(?=-?\d)| -- | is at\b| sits at\b| at address\b| at register\b|"
    r" at\b(?=\s*(?:0x|\d|$))|在地址|在(?=\s|$|\d)|位于|的地址(?:是|为)|地址|[{}\[\]\"'`]|,|、|。|\(|\)| - |  +| \.{3,})\s*",
    re.IGNORECASE,
)
_WORDS_OF_SLOTS = re.compile(
    r"^(?:as|in|with|is|of|the|unit|units|单位|type|类型|addr(?:ess)?\.?|reg(?:ister)?|地址|系数|倍率|属性|权限|access|scale|table|no\.?|const|"
    r"define|var|poll|ref|values?|起始|寄存器|lsb|/lsb|per|and|or|至|-|—|int|static|final|null|none|n/a|high|low|range|offset|bit|bits|next|"
    r"next one|then|also|同上)$",
    re.IGNORECASE,
)  # fmt: skip


def free(span: Stretch, taken: Sequence[Stretch]) -> bool:
    return all(span[1] <= a or span[0] >= b for a, b in taken)


def own(text: str, span: Stretch) -> bool:
    """Whether a piece stands alone between separators or blanks of its own, as a column does."""
    before, after = text[: span[0]].rstrip(" "), text[span[1] :].lstrip(" ")
    return (
        not before
        or before[-1] in "|,;\t()[]:=/、{\"'"
        or before[-1].isdigit()
        or text[: span[0]].endswith("  ")
        or before.endswith(("//", "#", "*", "as", "is"))
    ) or (not after or after[0] in "|,;\t)]/、}\"'")


def letter(text: str, taken: Sequence[Stretch]) -> Stretch | None:
    """`R` or `W` alone in a cell or in the last place."""
    for found in re.finditer(r"(?<![A-Za-z0-9_/.])(?:[RrWw])(?![A-Za-z0-9_/.-])|(?<![\u4e00-\u9fff])[读写](?![\u4e00-\u9fff])", text):
        if free(found.span(), taken) and (found[0] == "R" or own(text, found.span()) or found.end() == len(text.rstrip(" ).;,*/"))):
            return found.span()
    return None


def address_in(text: str, facts: Facts) -> tuple[int, int, int] | None:
    """(start, end, points) of what is most likely the address of a row."""
    out: list[Stretch] = [(a, b) for a, b, said in notation.scales_in(text) if said]
    out += [(a, b) for a, b, _ in notation.types_in(text, faint=False)]
    spans = [found.span() for found in ADDRESS.finditer(text) if found[0][:2].lower() == "0x"]
    out += [found.span() for found in RANGE.finditer(text) if free(found.span(), spans) and text[: found.start()].strip(" -*|(")]
    out += [(a, b) for _, a, b in heading.codes_in(text)]
    index = INDEX.match(text)
    if index is not None:
        out.append(index.span())
    comment = COMMENT.search(text, 1)
    found: list[tuple[int, int, int]] = []
    for match in _candidates(text, facts):
        span = match.span()
        if not free(span, out):
            continue
        found.append((*span, _points(text, span, comment.start() if comment else len(text), facts)))
    if not found:
        return None
    best = max(found, key=lambda one: (one[2], -one[0]))
    return (best[0], best[1], best[2] + (2 if len(found) == 1 else 0))


def _candidates(text: str, facts: Facts) -> Iterator[re.Match[str]]:
    seen: list[Stretch] = []
    for match in ADDRESS.finditer(text):
        seen.append(match.span())
        yield match
    if facts.hexadecimal:
        for match in _BARE_HEX.finditer(text):
            if match.span() not in seen and not match[0].isdigit():
                yield match


def _points(text: str, span: Stretch, comment: int, facts: Facts) -> int:
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
    if re.match(r"\s?(?:位|[Bb]its?\b)", after) or (
        word.isdigit() and re.search(r"(?i)\b(?:read|get|parse|slice|sleep|wait)\w*\($", before)
    ):
        points -= 6
    if re.fullmatch(r"[0134]0{3,4}1", word) and re.match(r"\s*(?:=|is\b|为|是)", after):
        points -= 6  # tells how numbers are meant
    if span[0] > comment:
        points -= 5
    if lead and (lead[-1].isalpha()) and before.endswith(" ") and not before.endswith("  ") and not _LED.search(before):
        points -= 1 if _starts_slot(after) else 3
    if STATE.match(text[span[0] :]) and lead and not _LED.search(before):
        points -= 2
    return points


def _starts_slot(after: str) -> bool:
    bare = after.lstrip(" ")
    if re.match(r"[rRwW](?![A-Za-z0-9])", bare):
        return True
    return any(a == 0 for faint in (False, True) for a, _, _ in notation.types_in(bare[:24], faint=faint)) or any(
        a == 0 for a, _ in notation.access_in(bare[:24])
    )


def name_in(text: str, address: Stretch, slots: Sequence[Stretch]) -> Stretch | None:
    """The piece that is the name: the first with letters that is neither address nor slot, cut where a slot begins."""
    cuts: list[Stretch] = [address]
    strong = [found.span() for found in lines.STRONG.finditer(text)]
    wide = len(strong) >= 2
    marks = strong if wide else [found.span() for found in _SEPARATES.finditer(text)]
    edges = sorted([*cuts, *marks])
    at = 0
    pieces: list[Stretch] = []
    for a, b in [*edges, (len(text), len(text))]:
        if a > at:
            pieces.append((at, a))
        at = max(at, b)
    code: Stretch | None = None
    call: Stretch | None = None
    for a, b in pieces:
        if _CALL.fullmatch(text[a:b].strip(" [=.")) is not None and _ARGUMENTS.match(text, b) is not None:
            constant = not text[:a].strip() and not any(True for _ in heading.api_in(text[a:b] + "("))
            call = call or (_trimmed(text, a, b) if constant else None)
            continue
        span = _bare_name(text, a, b, slots)
        if span is not None and _POINT_CODE.fullmatch(text[slice(*span)]):
            code = code or span  # `P1-10`, `AI`: what is meant stands beside it, if anything does
        elif span is not None:
            return span
    return code or call


def _bare_name(text: str, a: int, b: int, slots: Sequence[Stretch]) -> Stretch | None:
    declared = _DECLARES.match(text[a:b])
    if declared is not None:
        a += declared.end()
    index = INDEX.match(text[a:b])
    if index is not None and index.end() < b - a:
        a += index.end()
    area = next(((s, e) for s, e, _ in notation.areas_in(text[a:b]) if not text[a : a + s].strip()), None)
    if area is not None and LETTERS.search(text[a + area[1] : b]):
        a += area[1]
    lead = _LEAD.match(text[a:b].lstrip())
    if lead is not None:
        a += len(text[a:b]) - len(text[a:b].lstrip()) + lead.end()
    a, b = _trimmed(text, a, b)
    verb = re.match(r"(?:为|是|存放|表示|对应)(?=[\u4e00-\u9fff])", text[a:b])
    a += verb.end() if verb is not None else 0
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
        or not LETTERS.search(word)
        or re.fullmatch(r"(?i)(?:table|表|page|chapter|section|sheet|part|block|rev\.?|第?\d*[章节])\s*\d*(?:\s*\(.*\))?", word)
        or _WORDS_OF_SLOTS.match(word)
        or (notation.access_of(word) and len(word) <= 5)
    ):
        return None
    if notation.UNIT.fullmatch(word) or (notation.kind_of(word) and not re.search(r"\s", word)) or ADDRESS.fullmatch(word):
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


def _trimmed(text: str, a: int, b: int) -> Stretch:
    while a < b and text[a] in " \t|,;:=>-*·{}\"'`.。、(/[@":
        a += 1
    while b > a and text[b - 1] in " \t|,;:=>{}\"'`、([-@":
        b -= 1
    return a, b


def several(text: str) -> int:
    """How many values of one kind follow each other: `3x FLOAT32`, or further addresses behind the first in a comment."""
    times = _TIMES.search(text)
    if times is not None:
        return max(1, min(int(times[1]), 9))
    more = re.search(r"(?://|#|/\*)\s*((?:0x[0-9A-Fa-f]+|\d+)(?:\s*,\s*(?:0x[0-9A-Fa-f]+|\d+)){1,3})\s*(?:$|\*/|,)", text)
    return 1 + more[1].count(",") + 1 if more is not None else 1
