"""Rules that read a request: dangers first, then what kind of task it is, then its slots; a doubt asks back, the rest is not taken.

A request that would act must be explained to the last word: what no rule knows could change its meaning ("… but not before Monday"),
so it is refused as unclear rather than half understood.
"""

import re

from holdfast.agent.knowledge.called import Named, Names
from holdfast.agent.models.requests.amounts import Amount, amounts, converted, span_of
from holdfast.agent.models.requests.dangers import dangerous
from holdfast.agent.models.requests.remarks import set_aside
from holdfast.agent.models.requests.rules import alternatives, names
from holdfast.agent.models.requests.task import KINDS, Kind, Request, missing, refused
from holdfast.site.model import Loop, Site
from holdfast.terms import Tag

TREND_MIN_DEFAULT, TREND_MIN_MAX = 60.0, 31 * 24 * 60.0
LOT_CHARS_MAX = 40
CURRENT_LOT = "current"  # the one that runs now: whoever makes an action of the request looks it up in the context, or asks
_LOOKS: frozenset[str] = frozenset(("trend", "why", "incidents", "alarms"))


def _of_file() -> tuple[Kind, ...]:
    return tuple(kind for name in names("kinds") for kind in KINDS if kind == name)


_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple((kind, re.compile(alternatives("kinds", kind))) for kind in _of_file())
UP, DOWN = re.compile(alternatives("words", "up")), re.compile(alternatives("words", "down"))
_TO, _ASKS = re.compile(alternatives("words", "to")), re.compile(alternatives("words", "asks"))
_CHANGING = re.compile("|".join(alternatives("words", name) for name in ("changing", "up", "down")))
# What only looks has no word of changing something in it: who says both is not understood.
_ALTERS = re.compile(alternatives("words", "alters"))
_GOES_ON = re.compile(
    r"继续|接着|然后|(?<!别)(?<!要)再|carry on|continue|\bthen\b|and go|back to"
    r"|automatic(?!s| (?:moves|writes|actions|control|adjust|chang))"
)
_SHOWING = re.compile(alternatives("words", "showing"))
_NEAR = re.compile(alternatives("words", "near"))
_BATCH = re.compile(r"批|卷|料|\b(?:batch|lot|coil)\b")
_THIS_BATCH = re.compile(
    r"[这本此当前](?:一|个|在轧的?)*(?:批|卷|料)|(?:在轧|正在轧|轧着)的?(?:这)?(?:批|卷|料)|\b(?:this|current|present|running)\b.{0,20}\b(?:batch|lot|coil)\b"
)
# Words of a request to change something that say nothing beyond it; what is polite is taken out first, for it has words of a condition.
_POLITE, _IDLE = re.compile(alternatives("words", "polite")), re.compile(alternatives("words", "idle"))
_TOLD, _ASKED = re.compile(alternatives("words", "told")), re.compile(alternatives("words", "asked"))
_CONDITIONS = re.compile(alternatives("words", "conditions"))
_QUESTION = re.compile(r"[?？]\s*$|吗|么\s*$")
_FORMER = re.compile(r"(?:从|由|原来|原先|\bfrom)\s?$")
_THERE = re.compile(r"(?:到|为|成|至|=|->|→|\bto)\s?$")
_SEVERAL = re.compile(r"[十百千]几|几[十百千个]|[十百千\d]多")
_BY = re.compile(r"\bby\s?$")

# A deed on the strip that can only be one on its tension: "tighten the strip by 2 kN", 带钢松2千牛.
_STRIP = re.compile(
    r"\b((?:tighten|slacken|loosen|slack|stretch)(?: up| off)? the )strip\b(?! ?(?:tension|tens|temp))"
    r"|(?:带钢|带材|钢带|带子)(?=(?:再|稍微|给我|先|往)?(?:拉紧|收紧|绷紧|张紧|放松|松|紧))",
    re.IGNORECASE,
)
_REPORT_ALTERED = re.compile(r"改|删|撤|抹|去掉|拿掉|\b(?:edit|chang|alter|amend|remov|delet|hid|cut|drop|without|except|not)\w*\b|n't\b")


def _of_the_strip(text: str) -> str:
    return _STRIP.sub(lambda found: f"{found[1]}strip tension" if found[1] else "带钢张力", text)


class Reader:
    """Of one site; `read` is a pure function of the text."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._names = Names(site)
        self._lots = re.compile(r"(?<![a-z0-9])[a-z]{0,4}-?\d[a-z0-9-]*")

    def read(self, text: str) -> Request:
        named = self._names.find(_of_the_strip(text))
        plain = named.text
        if not plain:
            return refused("outside")
        if dangerous(plain):
            return refused("unsafe")
        if named.strangers:
            return refused("outside")
        kind = next((kind for kind, pattern in _KINDS if pattern.search(plain)), "")
        if kind == "report" and _REPORT_ALTERED.search(plain):
            return refused("unclear")  # a report is made of what is on record, and is not told what to say
        if kind in _LOOKS and _ALTERS.search(_SHOWING.sub(" ", plain)):
            return refused("unclear")
        if kind == "hold_batch" and not _BATCH.search(plain) and (named.quantities or named.tags):
            kind = ""  # "hold the tension at 103"
        if kind in ("alarms", "incidents", "acknowledge") and self._numbers(named):
            return refused("unclear")  # a list has no number; a limit has
        if kind == "stop" and _GOES_ON.search(plain):
            return refused("unclear")
        match kind:
            case "hold_batch":
                return self._hold(text, plain)
            case "work_order" | "notify" | "why":
                return self._about(kind, named)
            case "stop":
                scope = named.equipment[0].what if len(named.equipment) == 1 else "*"
                return Request(kind="stop", equipment=scope) if len(named.equipment) < 2 else missing("equipment")
            case "acknowledge":
                tag = self._measured(named)
                return Request(kind="acknowledge", tag=tag.name) if tag is not None else missing("tag")
            case "trend":
                return self._trend(named)
            case "report":
                span = span_of(plain)
                return Request(kind="report", minutes=None if span is None else min(max(span.minutes, 1.0), TREND_MIN_MAX))
            case "manual" | "incidents" | "alarms":
                return Request(kind=kind)
            case _:
                return self._value(named)

    def look(self, kind: Kind, text: str) -> Request | None:
        """The text as this kind of look; None where that kind needs something that it does not name, or it says more than a look may."""
        named = self._names.find(text)
        plain = named.text
        if dangerous(plain) or named.strangers or _ALTERS.search(plain):
            return None
        match kind:
            case "show":
                tag = self._measured(named)
                found = Request(kind="show", tag=tag.name) if tag is not None and not self._numbers(named) else missing("tag")
            case "trend":
                found = self._trend(named) if not self._numbers(named) or span_of(plain) is not None else missing("tag")
            case "why":
                found = self._about("why", named)
            case "incidents" | "alarms" | "manual" | "report":
                found = Request(kind=kind)
            case _:
                return None
        return found if found.kind else None

    # ---- what looks --------------------------------------------------------------------------------------------------

    def _trend(self, named: Named) -> Request:
        tag = self._measured(named)
        span = span_of(named.text)
        if tag is None:
            return missing("tag")
        minutes = TREND_MIN_DEFAULT if span is None else span.minutes
        return Request(kind="trend", tag=tag.name, minutes=min(max(minutes, 1.0), TREND_MIN_MAX))

    def _measured(self, named: Named) -> Tag | None:
        """What is looked at: the one tag or quantity that is named."""
        if len(named.tags) == 1:
            return self._site.tag(named.tags[0].what)
        whats = list(dict.fromkeys(one.what for one in named.quantities))
        if len(whats) > 1:  # "which grade is running" asks for the grade
            whats = [what for what in whats if what != "/state"] or whats
        at = named.equipment[0].what if len(named.equipment) == 1 else ""
        return (self._names.tag_of(whats[0], at) or self._names.tag_of(whats[0])) if len(whats) == 1 else None

    # ---- what is asked of people -------------------------------------------------------------------------------------

    def _about(self, kind: Kind, named: Named) -> Request:
        """A work order, a notice or a question why is about one piece of equipment: the one that is named, else the one that what is
        named belongs to."""
        if len(named.equipment) == 1 or (kind != "why" and named.equipment):
            return Request(kind=kind, equipment=named.equipment[0].what)
        tags = [self._site.tag(one.what) for one in named.tags]
        tags += [self._names.tag_of(one.what) for one in (*named.quantities, *(() if named.quantities or tags else named.things))]
        of = {tag.name.split("/", 1)[0] for tag in tags if tag is not None}
        return Request(kind=kind, equipment=of.pop()) if len(of) == 1 and not named.equipment else missing("equipment")

    def _hold(self, text: str, plain: str) -> Request:
        found = self._lots.findall(plain)
        if not found and _THIS_BATCH.search(plain):
            return Request(kind="hold_batch", lot=CURRENT_LOT)
        if len(found) != 1 or len(found[0]) > LOT_CHARS_MAX:
            return missing("lot")
        at = plain.find(found[0])
        whole = text.strip()
        exact = whole[at : at + len(found[0])] if len(whole) == len(plain) else found[0].upper()
        return Request(kind="hold_batch", lot=exact)

    # ---- what changes a setpoint -------------------------------------------------------------------------------------

    def _value(self, named: Named) -> Request:
        remarked = set_aside(named)
        found = self._asked_for(remarked.named)
        if found.kind == "change" and found.by is not None and found.by * remarked.way > 0:
            return refused("unclear")  # "it's too tight, add 2"
        return found

    def _asked_for(self, named: Named) -> Request:
        plain = named.text
        numbers = self._numbers(named)
        shown = self._showing(named)
        wants = bool(numbers) or (bool(_CHANGING.search(shown)) and not self._looks(shown))
        if _SEVERAL.search(plain) and self._loops(named) and not _ASKS.search(_SEVERAL.sub(" ", plain)):
            return refused("unclear")  # "add ten or so"
        if not wants:
            tag = self._measured(named)
            if tag is not None:
                return refused("unclear") if _ALTERS.search(shown) else Request(kind="show", tag=tag.name)
            return missing("tag") if named.vague and _ASKS.search(plain) else refused("outside")
        loops = self._loops(named)
        whats = {one.what for one in (*named.quantities, *named.tags)}
        others = bool(whats) and (not loops or not all(self._loops_of(what, named) for what in whats))
        if others or self._unexplained(named, numbers) or self._no_order(plain, numbers):
            return refused("unclear" if loops or named.vague else "outside")
        wanted = self._wanted(named)
        if len(wanted) > 1:
            return missing("value")
        if len(loops) != 1:
            return missing("tag") if numbers else missing("tag", "value")
        return self._move(loops[0], plain, wanted)

    def _no_order(self, plain: str, numbers: list[Amount]) -> bool:
        """It tells how it is, asks, or names a condition: with all the words of an order it is none."""
        bare = _POLITE.sub(" ", plain)
        asked = bool(_ASKED.search(plain))
        return bool(_CONDITIONS.search(bare) or (numbers and (_TOLD.search(bare) or (_QUESTION.search(plain) and not asked))))

    def _looks(self, plain: str) -> bool:
        """A question for a value, not a wish for another."""
        return bool(_ASKS.search(plain)) and not re.search(r"设(?!定值)|调|改|\bset\b|\badjust\b|\bchange\b", plain)

    def _showing(self, named: Named) -> str:
        """The text without words of changing that only bring a value before somebody's eyes; "pull up the tension" may well change it."""
        screened = re.search(r"屏|看|瞅|瞧|瞄|\bscreen\b|\bdisplay\b|\bmonitor\b|\bsee\b|\blook\b|\bcheck\b|\bread", named.text)
        if self._loops(named) and not screened:
            return named.text
        found = _SHOWING.sub(" ", named.text)
        return found if found == named.text else f"{found} show"

    def _move(self, loop: Loop, plain: str, numbers: list[Amount]) -> Request:
        tag = self._site.tag(loop.sp)
        if tag is None:
            return refused("outside")
        if not numbers:
            return missing("value")
        number = numbers[0]
        change = self._is_change(plain, number)
        value = converted(number, number.value if change is None else change, tag.unit, change=change is not None)
        if value is None:
            return missing("unit")
        if change is not None:
            return Request(kind="change", tag=tag.name, by=value)
        if _BY.search(plain[: number.start]) or (not _THERE.search(self._before(plain, number)) and self._is_step(tag.name, value)):
            return missing("value")  # by how much is said, up or down is not
        return Request(kind="set", tag=tag.name, value=value)

    def _is_step(self, tag: str, value: float) -> bool:
        """Far below all that may be set, and no more than one step: surely no place to go to."""
        envelope = self._site.envelope(tag)
        if envelope is None or envelope.range is None or envelope.step is None:
            return False
        return abs(value) <= envelope.step and all(value < low / 2 for _, (low, _) in envelope.range.rows)

    def _before(self, plain: str, number: Amount) -> str:
        """What stands before the number, without words of nearness: "to around 330" goes to 330."""
        before = plain[: number.start].rstrip()
        while (shorter := _NEAR.sub("", before).rstrip()) != before:
            before = shorter
        return before

    def _is_change(self, plain: str, number: Amount) -> float | None:
        """By how much, signed; None where the number is where to go."""
        if number.signed:
            return number.value
        within = plain[number.start : number.end]
        if re.search(r"\b(?:more|extra|another)\b", within):
            return number.value
        if re.search(r"\b(?:less|fewer)\b", within):
            return -number.value
        if beside := re.match(r"\s*(more|extra|less|fewer)\b", plain[number.end :]):
            return number.value if beside[1] in ("more", "extra") else -number.value
        before = plain[: number.start].rstrip()
        if _TO.search(self._before(plain, number)) and not _BY.search(before):
            return None
        # the last word of direction before the number counts, else one after it ("30 L/min more")
        ups, downs = ([found.end() for found in pattern.finditer(plain) if found.end() <= number.start] for pattern in (UP, DOWN))
        if not ups and not downs:
            after = plain[number.end :]
            up, down = bool(UP.search(after)), bool(re.search(r"\boff\b", after)) or bool(DOWN.search(after))
            if up == down:
                return None
            return number.value if up else -number.value
        return number.value if max(ups, default=-1) > max(downs, default=-1) else -number.value

    def _numbers(self, named: Named) -> list[Amount]:
        """Numbers that are no part of a name."""
        names = (*named.quantities, *named.tags, *named.equipment)
        return [
            n
            for n in amounts(named.text)
            if not any(n.start < one.end and one.start < n.end for one in names) and not self._idle(named.text, n)
        ]

    def _wanted(self, named: Named) -> list[Amount]:
        """Numbers to go to or by: "from 103 to 101" goes to 101."""
        numbers = self._numbers(named)
        wanted = [n for n in numbers if not _FORMER.search(named.text[: n.start])]
        return wanted if len(numbers) == 2 and len(wanted) == 1 else numbers

    def _idle(self, plain: str, number: Amount) -> bool:
        """`调一下`, `大一点`, `4号`, `half a kN` count nothing of their own."""
        word, after = plain[number.start : number.end], plain[number.end :]
        turned = [found.end() for pattern in (UP, DOWN) for found in pattern.finditer(plain[: number.start])]
        if word == "一" and after.startswith("个") and number.start in turned:
            return False  # 降一个 is one
        if word == "一" and (after[:1] in tuple("下点些张个份条直会起样丢") or after[:1] == plain[number.start - 1 : number.start] != ""):
            return True  # 收一收 is 收
        return (
            after[:1] == "号"
            or (word == "one" and after.startswith(" of"))
            or bool(re.match(r"a (?:bit|little|touch|tad|hair)", plain[number.start :]))
        )

    def _loops(self, named: Named) -> list[Loop]:
        found = [self._loops_of(one.what, named) for one in (*named.tags, *named.quantities)]
        return list({loop.name: loop for loop in found if loop is not None}.values())

    def _loops_of(self, what: str, named: Named) -> Loop | None:
        at = named.equipment[0].what if len(named.equipment) == 1 else ""
        return self._names.loop_of_tag(what) or self._names.loop_of(what, at) or self._names.loop_of(what)

    def _unexplained(self, named: Named, numbers: list[Amount]) -> str:
        """What is left of the text without names, numbers and words that only carry them."""
        kept = list(named.text)
        for one in (*named.quantities, *named.tags, *named.equipment, *named.vague, *numbers):
            kept[one.start : one.end] = " " * (one.end - one.start)
        left = _POLITE.sub(" ", re.sub(r"\d+号", " ", "".join(kept)))
        return _IDLE.sub("", left).strip()
