"""Maps told in sentences: each address with the clause around it, and what that clause calls it."""

import re
from collections.abc import Iterator

from holdfast.agent.models.registers.lines import part
from holdfast.agent.models.registers.words import Slot

WORDS_MIN = 6  # of a line that tells rather than lists
ADDRESSES_MAX = 64  # in one line
_NUMBER = r"(?:0x[0-9A-Fa-f]{1,4}|[0-9A-Fa-f]{2,4}[Hh]|[34]x\d{4,5}|\d{1,6})"
_NOUN = (
    r"(?:register|address|addr\.?|reg\.?|no\.|number|#|holding(?: register)?|input(?: register)?|coil|discrete input|offset|"
    r"start address|word)"
)
_VERB = (
    r"(?:holds?|is|gives?|contains?|returns?|carries|reports?|has|means|stores?|shows?|provides?|delivers?|are|keeps?|for|says|=|"
    r"will (?:give|return) you|you (?:find|get)|tells?(?: you)?)"
)
_STATED = re.compile(
    rf"(?i)(?<![\w.])(?:(?P<noun>{_NOUN})\s*:?\s*)?(?P<at>{_NUMBER})(?![\w%]|\.\d)(?=(?P<between>(?:[^.;\d]|\.(?!\s)|"
    rf"(?<=\s)[1-4](?=\s)){{0,40}}?)\s+{_VERB}\s+(?:the |a |an )?[A-Za-z])"
)
_LED = re.compile(
    rf"(?i)(?:\b(?:is|sits?|lives?|comes?|found|are|resides?|read|located|stands?|lies?|available|stored|kept|get|is read|starts?|"
    rf"begins?)\b[^.;,()\d]{{0,24}}?\b(?:in|at|from|under|on|as)?\s*(?:{_NOUN}\s*)?|\bat\s+(?:{_NOUN}\s*)|\bin\s+(?:{_NOUN}\s*)|"
    rf"\({_NOUN}\s*)(?P<at>{_NUMBER})(?![\w%]|\.\d)"
)
_LISTED = re.compile(rf"(?i)[,;]\s*(?:and\s+)?(?:{_NOUN}\s*)?(?P<at>{_NUMBER})\s+(?:is\s+)?(?=the\s+[A-Za-z])")
_HEADED = re.compile(
    rf"(?i)\b(?:register|reg\.?|address|addr\.?|coil|discrete input)\s*(?P<at>{_NUMBER})(?![\w%]|\.\d)"
    r"\s*(?:\([^()]*\))?\s*:\s*(?=[A-Za-z])"
)
_NEXT = re.compile(
    rf"(?i)(?:next to it|after that|behind it|then|followed by)\s*,?\s*(?:comes?\s+)?(?:{_NOUN}\s*)?(?P<at>{_NUMBER})(?![\w%]|\.\d)"
)
_BREAK = re.compile(r"[.;。;]\s+|[,、]\s*(?:and|while|but)\s+|\s+and\s+(?=the\b|in\b|at\b|register\b|no\b|\d)|\n|[。；]")
_NAMED = re.compile(
    rf"(?i)\s*(?:{_VERB}\s+)?(?:the\s+|a\s+|an\s+)?(?P<name>[A-Za-z][\w /-]*?)(?=\s+(?:in|as|with|of type|but|and|which|at|that|"
    rf"scaled|times|from|to)\s|\s*[,:;.()=]|\s*$)"
)
_ENDS = re.compile(
    r"(?i)\s+(?:is|are|sits?|lives?|comes?|can be|resides?|stands?|lies|located|available|which|found|stored|read|right|you|starts?|"
    r"begins?|behind|value is)\b.*$"
)
_ASIDES = re.compile(r"(?i)^(?:the|a|an|and|also|then|while|but|got it working|read|where|so)\b[\s,.:]*")
_ASIDE = re.compile(r"(?i)count|based|goes? out|sent|wire|subtract|minus|i\.?e\.?")  # brackets that speak of how numbers are meant
_CHINESE = re.compile(
    rf"(?:^|(?<=[,;。]))\s*(?:(?:寄存器|数据|参数|通讯|通信|起始|协议)?(?:地址|编号)|寄存器)\s*(?:号|为|是|"
    rf":)?\s*(?!0[1-6][Hh])(?P<at>{_NUMBER})(?![A-Za-z0-9.])\s*(?:号)?(?:寄存器)?(?:处|中|里)?"
    r"(?:的(?:值|内容))?\s*(?:为|是|存放|保存|对应|表示|代表|读取|返回|:|,)\s*(?P<rest>[^;。\n]*)"
)
_SLOT_WORDS = re.compile(
    r"^(?:长度|数量|个数|类型|单位|倍率|系数|读写|只读|可读|无符号|有符号|\d|浮点|功能码|十六进制|十进制)|位(?:无|有)符号|寄存器$"
)
_HEADS = re.compile(r"(?i)^\W*(?:note|remark|baud|settings|re|subject|unit id|slave)\b")


class Told:
    """A place and its clause: which characters are the address, and which the name."""

    def __init__(self, clause: Slot, address: tuple[int, int], name: tuple[int, int]) -> None:
        self.clause, self.address, self.name = clause, address, name


def tells(text: str) -> bool:
    """Whether a line is a sentence or several, not a row of cells."""
    if re.search(r"\||\t|\S {2,}\S|=>|:=|[{}]", text.strip()) or re.match(r"\s*(?://|#|\w+\s*=)", text):
        return False
    if _CHINESE.search(text) is not None and ("," in text or "为" in text):
        return True
    if _HEADED.search(text) is not None:
        return True
    words = re.findall(r"(?<![\w.])[a-z]{2,}(?![\w])", text)
    return (
        len(words) >= WORDS_MIN
        and re.search(r"(?i)\b(?:is|are|holds?|gives?|contains?|the|returns?|has|comes|carries|reports?)\b", text) is not None
    )


def told(line: Slot) -> Iterator[Told]:
    """The places that a line speaks of, each with the part of the line that is about it."""
    text = re.sub(r"\([^()]*\)", lambda m: " " * len(m[0]) if _ASIDE.search(m[0]) else m[0], line.text)
    if _HEADS.match(text):
        return
    if re.search(r"[\u4e00-\u9fff]", text):
        yield from _told_in_chinese(line)
        return
    seen: dict[int, tuple[int, int, bool]] = {}
    for pattern, behind in ((_STATED, True), (_LISTED, True), (_HEADED, True), (_NEXT, True), (_LED, False)):
        for found in pattern.finditer(text):
            a, b = found.span("at")
            if all(b <= x or a >= y for x, y, _ in seen.values()) and not _no_place(text, a, b) and len(seen) < ADDRESSES_MAX:
                seen[a] = (a, b, behind)
    places = [seen[a] for a in sorted(seen)]
    edges = [_begin(text, places[i - 1][1] if i else 0, at, first=i == 0) for i, (at, _, _) in enumerate(places)] + [len(text)]
    for i, (a, b, behind) in enumerate(places):
        start, end = edges[i], edges[i + 1]
        stop = re.compile(r"\.\s+(?=[A-Z\d])").search(text, b, end)
        if stop is not None and i + 1 == len(places):
            end = stop.start() + 1
        name = _name(text, start, end, (a, b), behind=behind)
        if name is not None:
            clause = part(line, start, end)
            shift = clause.start - line.start
            yield Told(clause, (a - shift, b - shift), (name[0] - shift, name[1] - shift))


def _told_in_chinese(line: Slot) -> Iterator[Told]:
    """`寄存器0x0001为温度，有符号16位，单位0.1℃；…`: each place with what is said of it up to the next stop."""
    for found in _CHINESE.finditer(line.text):
        at = found.start("rest")
        for piece in found["rest"].split(","):
            name = piece.strip(" :")
            if name and not _SLOT_WORDS.search(name) and re.search(r"[A-Za-z\u4e00-\u9fff]", name):
                clause = part(line, found.start(), found.end())
                shift = clause.start - line.start
                start = at + piece.index(name)
                yield Told(clause, (found.start("at") - shift, found.end("at") - shift), (start - shift, start - shift + len(name)))
                break
            at += len(piece) + 1


def _no_place(text: str, a: int, b: int) -> bool:
    """A function code, a count, a baud rate or a size is no address."""
    before, after = text[max(0, a - 24) : a].lower(), text[b : b + 16].lower()
    if re.fullmatch(r"[0134]0{3,4}1", text[a:b]):
        return True  # tells how numbers are meant
    return (
        re.search(r"(?:function(?: code)?|fc|code|quantity|count|rev\.?|version|firmware|table|page|parameter|slave(?: id)?|unit id|"
            r"divided? by|times|by|step|phase|channel)\s*:?\s*$", before) is not None
        or re.match(r"\s*(?:regs?|registers?|words?|bits?|baud|8n1|bytes?|decimals?|steps?|digits?|[-/]bit)\b|\s*(?:°|"
            r"%)", after) is not None
    )  # fmt: skip


def _begin(text: str, from_: int, at: int, *, first: bool) -> int:
    """Where the clause of an address begins: behind the last break before it that is outside brackets."""
    depth_free = [
        m
        for m in _BREAK.finditer(text, from_, at)
        if text.count("(", from_, m.start()) <= text.count(")", from_, m.start()) + (1 if first else 0)
    ]
    if depth_free:
        return depth_free[-1].end()
    comma = text.rfind(",", from_, at)
    return comma + 1 if comma >= from_ and not first else from_


def _name(text: str, start: int, end: int, address: tuple[int, int], *, behind: bool) -> tuple[int, int] | None:
    if behind:
        found = (
            re.compile(rf"(?i).*?{_VERB}\s+(?=\S)").match(text, address[1], end)
            if not re.match(r"\s+(?:the|a)\s", text[address[1] :])
            else None
        )
        colon = re.compile(r"\s*(?:\([^()]*\))?\s*:\s*(?=[A-Za-z])").match(text, address[1], end)
        at = colon.end() if colon is not None else found.end() if found is not None else address[1]
        named = _NAMED.match(text, at, end)
        return named.span("name") if named is not None and _a_name(named["name"]) else None
    before = text[start : address[0]]
    cut = _ENDS.search(before)
    before = (
        before[: cut.start()] if cut is not None else re.sub(rf"(?i)[\s,:(]*(?:(?:in|at|under|from|on|as)\s+)?(?:{_NOUN}\s*)?$", "", before)
    )
    while (lead := _ASIDES.match(before)) is not None and lead.end():
        start, before = start + lead.end(), before[lead.end() :]
    lead_blanks = len(before) - len(before.lstrip())
    name = before.strip(" ,:;(")
    return (start + lead_blanks, start + lead_blanks + len(name)) if _a_name(name) else None


def _a_name(name: str) -> bool:
    return 2 <= len(name) <= 48 and re.search(r"[A-Za-z\u4e00-\u9fff]{2}", name) is not None
