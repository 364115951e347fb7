"""What a question is about: its kind, the tag, the window, the failure mode; or why it can't be answered here.

By rules over names and cues. A question that cues and names don't explain to the last word is looked up in the manuals; what neither
explains is declined, never guessed at.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from holdfast.agent.ask.cues import cue, cues
from holdfast.agent.knowledge.called import Called, Named, Names, folded
from holdfast.agent.knowledge.modes import Mode, modes_of
from holdfast.agent.knowledge.standards.find import find
from holdfast.agent.models.requests.amounts import Amount, Span, amounts, converted, span_of
from holdfast.agent.models.requests.dangers import dangerous
from holdfast.agent.models.requests.read import Reader
from holdfast.site.model import Site
from holdfast.terms import Word

Intent = Literal[
    "now", "course", "limits", "why", "evidence", "against", "done", "effect", "sure", "others", "when", "state", "incidents", "moves",
    "alarms", "mode", "manual", "cases", "standard", "compare", "wish", "decline",
]  # fmt: skip
What = Literal["", "max", "min", "mean", "trend"]
Against = Literal["", "limit", "number", "setpoint", "ago"]
FOLLOWS_CHARS_MAX = 48
MINUTES_DEFAULT, MINUTES_MAX = 60.0, 31 * 24 * 60.0
MODE_WORDS_MIN = 0.6  # of the words of a failure mode's name that a question must have
MODE_RUN_MIN = 4  # characters of its Chinese name in one piece
QUANTITIES: Mapping[str, tuple[str, str]] = {
    "temperature": ("temperature", "温度"),
    "flow": ("flow", "流量"),
    "pressure": ("pressure", "压力"),
}
_LIVE = re.compile(r"现在|当前|目前|此刻|(?<!what )\bnow\b|\bcurrently\b|\bat the moment\b")
_BOTH = re.compile(
    r"(?:和|与|跟|及|\band\b|\bplus\b)\s?(?:它的|其|its|the)?\s?(?:设定|给定|目标|setpoint|target|sp\b|mode|模式)"
)  # a value and its setpoint
_FILLERS = frozenset(["a", "an", "the", "of", "is", "in", "because", "its", "too", "by"])


class Question(Word):
    """A question as it was understood. `why` is the code of a declining; `text` what is searched for. A comparison is `against` an alarm
    limit, a `number`, the setpoint, or what it was `minutes` ago. `subject`: the words by which the text named what it is about. `instead`:
    what is searched for where `text` finds nothing."""

    intent: Intent
    text: str
    tags: tuple[str, ...] = ()
    what: What = ""
    minutes: float = MINUTES_DEFAULT
    equipment: str = ""
    mode: str = ""
    why: str = ""
    about: str = ""
    against: Against = ""
    number: float | None = None
    subject: str = ""
    instead: str = ""


class Understanding:
    """Of one site; `of` is a pure function of the question and the one before it in the same talk."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._names = Names(site)
        self._modes = modes_of(site)
        self._requests = Reader(site)

    def of(self, text: str, before: Question | None = None) -> Question:
        found = self._of(text, before)
        return dataclasses.replace(found, subject=self.subject(text) or (before.subject if before is not None else ""))

    def subject(self, text: str) -> str:
        """The words of a text that name a quantity, a tag, or a part; "" where none does."""
        named = self._names.find(text)
        vague = {(one.start, one.end): one.what for one in named.vague}
        spans = sorted({(one.start, one.end) for one in (*named.quantities, *named.tags)} or {(one.start, one.end) for one in named.things})
        spoken = 1 if any(c >= "\u3400" for c in text) else 0
        words = [QUANTITIES.get(vague.get(span, ""), ("", ""))[spoken] or named.text[span[0] : span[1]] for span in spans]
        return ("" if spoken else " ").join(words)

    def part_of(self, text: str) -> str:
        """The part that a text names first ("coolant", 乳化液); "" where it names none."""
        named = self._names.find(text)
        return next((named.text[one.start : one.end] for one in named.things), "")

    def only_vague(self, text: str) -> bool:
        """Whether a text names a quantity with no word for which one: "temp?"."""
        named = self._names.find(text)
        return bool(named.vague) and not (named.quantities or named.tags or named.things)

    def idle(self, text: str) -> bool:
        """Whether a text has only words that say nothing of what it is about."""
        return self._explained(self._names.find(text))

    def names_something(self, text: str) -> bool:
        """Whether a text names something that has a value, or an alarm, a limit, an incident."""
        named = self._names.find(text)
        return bool(named.quantities or named.tags or named.vague or any(cue(name).search(named.text) for name in ("limits", "incident")))

    def _of(self, text: str, before: Question | None) -> Question:
        plain = folded(text)
        named = self._names.find(text)
        declined = self._declined(named, text)
        if declined is not None:
            return declined
        wish = self._requests.read(text)
        if wish.kind in ("set", "change"):
            wanted = wish.value if wish.kind == "set" else wish.by
            return Question(intent="wish", text=text.strip(), tags=(wish.tag,), number=wanted, about=wish.kind)
        if find(text) and not cue("limits").search(plain):
            return Question(intent="standard", text=text)
        if cue("cases").search(plain):
            if cues()["decline"]["by_whom"].search(plain):
                return Question(intent="decline", text=plain, why="cases")  # a record has no name and no bill
            return Question(intent="cases", text=plain, equipment=named.equipment[0].what if named.equipment else "")
        mode = self._mode(plain)
        if mode is not None and cue("mode").search(plain) and not cue("evidence").search(plain):
            return Question(intent="mode", text=plain, mode=mode.id)
        found = self._incident(named) or self._values(named, before)
        if found is not None:
            return found
        if _LIVE.search(plain) and not cue("norm").search(plain):
            return Question(intent="decline", text=plain, why="no_tag")  # what is now stands in no book
        follows = before is not None and len(plain) <= FOLLOWS_CHARS_MAX and not named.quantities and not named.tags
        if before is not None and follows:
            if before.intent == "manual" and len(plain) <= FOLLOWS_CHARS_MAX // 2:
                return Question(intent="manual", text=f"{before.text} {plain}", about=plain)
            if before.subject and before.tags and cue("norm").search(plain):  # "and what should it be?"
                return Question(intent="manual", text=f"{before.subject} {plain}", about=plain)
        return Question(intent="manual", text=plain)

    # ---- what can't be answered ----------------------------------------------------------------------------------------

    def _declined(self, named: Named, text: str) -> Question | None:
        plain = named.text
        if not plain:
            return Question(intent="decline", text=text, why="empty")
        if dangerous(plain):
            return Question(intent="decline", text=plain, why="unsafe")
        why_not = cues()["decline"]
        for why in ("outside", "future", "period", "stock", "schedule"):
            if why_not[why].search(plain) and not (why == "period" and find(text)):
                return Question(intent="decline", text=plain, why=why)
        numbered = [one for one in named.strangers if re.search(r"\d", one.what)]
        if named.strangers and named.quantities and not cue("norm").search(plain) and self._explained(named, besides=named.strangers):
            numbered = list(named.strangers)  # the value of something that is not here
        live = list(named.strangers) if not cue("norm").search(plain) and _LIVE.search(plain) else []
        for stranger in numbered or live:
            return Question(intent="decline", text=plain, why="stranger", about=stranger.what)
        return None

    # ---- what happened -------------------------------------------------------------------------------------------------

    def _incident(self, named: Named) -> Question | None:
        plain, at = named.text, named.equipment[0].what if named.equipment else ""
        for intent in ("against", "evidence", "done", "effect", "sure", "others"):
            if cue(intent).search(plain):
                return Question(intent=intent, text=plain, equipment=at)
        if cue("incidents").search(plain) and not cue("why").search(plain) and not cue("state").search(plain):
            return Question(intent="incidents", text=plain)
        about = bool(cue("incident").search(plain))
        for intent in ("when", "state"):
            if about and cue(intent).search(plain):
                return Question(intent=intent, text=plain, equipment=at)
        if cue("moves").search(plain) and self._explained(named, "moves", "setpoint_part"):
            return Question(intent="moves", text=plain, tags=self._setpoints(named))
        if cue("why").search(plain) and (about or self._explained(named, "why")):
            return Question(intent="why", text=plain, equipment=at)
        return None

    def _setpoints(self, named: Named) -> tuple[str, ...]:
        loops = [self._names.loop_of_tag(one.what) for one in named.tags] + [self._names.loop_of(one.what) for one in named.quantities]
        return tuple(dict.fromkeys(loop.sp for loop in loops if loop is not None and loop.sp))

    # ---- values --------------------------------------------------------------------------------------------------------

    def _values(self, named: Named, before: Question | None) -> Question | None:
        plain = named.text
        follows = before is not None and bool(before.tags) and (not (named.quantities or named.tags))
        kept = before.tags if follows and before is not None else ()
        compared = self._compared(named, kept)
        if compared is not None:
            return compared
        if cue("limits").search(plain) and self._explained(named, "limits", "alarms", "setpoint_part", "max", "norm", span=True):
            tags = self._limited(named) or self._limits_of(kept)
            if tags:
                return Question(intent="limits", text=plain, tags=tags)
        if cue("alarms").search(plain) and self._explained(named, "alarms", "state"):
            return Question(intent="alarms", text=plain)
        span = span_of(plain)
        beside = plain if span is None else f"{plain[: span.start]} {plain[span.end :]}"  # "45 min" is no minimum
        what = next((name for name in ("max", "min", "mean", "trend") if cue(name).search(beside)), "")
        if (
            (what or span is not None)
            and not cue("norm").search(plain)
            and self._explained(named, *((what,) if what else ()), "trend", span=True)
        ):
            tags = self._measured(named) or kept
            if tags:
                minutes = MINUTES_DEFAULT if span is None else min(span.minutes, MINUTES_MAX)
                return Question(intent="course", text=plain, tags=tags, what=_what(what), minutes=minutes)
        if (named.quantities or named.tags) and not cue("norm").search(plain):
            # "what is the emulsion's pH now" is no question for the emulsion's flow, and none for a book
            return self._now(named) or (Question(intent="decline", text=plain, why="no_tag") if _LIVE.search(plain) else None)
        if kept and cue("setpoint_part").search(plain) and (of_loop := self._now(named, kept)) is not None:
            return of_loop
        if named.vague and not cue("norm").search(plain) and (re.search(r"多少|^what(?: is|'s)\b", plain) or _LIVE.search(plain)):
            # a quantity is asked for by a name that nothing here has; the manual may still say what it should be
            return Question(intent="decline", text=plain, why="no_tag") if not named.quantities else None
        return None

    def _compared(self, named: Named, kept: tuple[str, ...]) -> Question | None:
        """A value beside its limit, a number, its setpoint, or itself some time ago: one tag, and nothing else in the question."""
        plain = named.text
        span = span_of(plain)
        ago = span is not None and bool(cue("ago").match(plain, span.end) or cue("ago").match(plain, span.end + 1))
        if not (ago or cue("compared").search(plain)) or cue("hypothetical").search(plain):
            return None
        tags = self._measured(named) or kept
        names = (*named.quantities, *named.tags, *named.equipment)
        numbers = [n for n in amounts(plain) if not any(n.start < one.end and one.start < n.end for one in names)]
        numbers = [n for n in numbers if span is None or not (n.start < span.end and span.start < n.end)]
        numbers = [n for n in numbers if plain[n.start : n.end] not in ("一", "one")]
        if len(tags) != 1 or len(numbers) > 1:
            return None
        without = (*numbers,) + ((span,) if span is not None else ())
        nominal = ("nominal",) if numbers else ()
        if not self._explained(named, "compare", "compared", "limits", "alarms", "setpoint_part", "ago", *nominal, besides=without):
            return None
        tag = self._site.tag(tags[0])
        if ago and span is not None and not numbers:
            return Question(intent="compare", text=plain, tags=tags, against="ago", minutes=min(span.minutes, MINUTES_MAX))
        if numbers and tag is not None and span is None:
            value = converted(numbers[0], numbers[0].value, tag.unit, change=False)
            return None if value is None else Question(intent="compare", text=plain, tags=tags, against="number", number=value)
        if numbers or span is not None:
            return None
        if cue("setpoint_part").search(plain):
            return Question(intent="compare", text=plain, tags=tags, against="setpoint")
        limited = cue("limits").search(plain) or cue("alarms").search(plain) or cue("line").search(plain)
        return Question(intent="compare", text=plain, tags=tags, against="limit") if limited else None

    def _now(self, named: Named, kept: tuple[str, ...] = ()) -> Question | None:
        plain = named.text
        if not self._explained(named, "mode_part", "permit_part", "setpoint_part"):
            return None
        part = next((p for p in ("mode", "permit", "setpoint") if cue(f"{p}_part").search(plain)), "")
        tags = self._measured(named) or kept
        if part:
            loops = [loop for tag in tags if (loop := self._names.loop_of_tag(tag)) is not None]
            fields = {"mode": "mode", "permit": "permit", "setpoint": "sp"}
            of_loop = tuple(name for loop in loops if (name := str(getattr(loop, fields[part]))))
            tags = (*tags, *of_loop) if _BOTH.search(plain) else of_loop or tags
        return Question(intent="now", text=plain, tags=tags) if tags else None

    def _measured(self, named: Named) -> tuple[str, ...]:
        at = named.equipment[0].what if len(named.equipment) == 1 else ""
        of = [one.what for one in named.tags]
        whats = list(dict.fromkeys(one.what for one in named.quantities))
        if len(whats) > 1:  # "which grade is running" asks for the grade
            whats = [what for what in whats if what != "/state"] or whats
        for what in whats:
            tag = self._names.tag_of(what, at) or self._names.tag_of(what)
            of += [tag.name] if tag is not None else []
        return tuple(dict.fromkeys(of))

    def _limited(self, named: Named) -> tuple[str, ...]:
        """Tags whose limits are meant: an alarm's of what is measured, else the envelope of its setpoint."""
        return self._limits_of(self._measured(named))

    def _limits_of(self, tags: tuple[str, ...]) -> tuple[str, ...]:
        found: list[str] = []
        for tag in tags:
            alarmed = any(one.tag == tag for one in self._site.alarms)
            loop = self._names.loop_of_tag(tag)
            found.append(loop.sp if loop is not None and loop.sp and not alarmed else tag)
        return tuple(dict.fromkeys(found))

    # ---- what is left unexplained --------------------------------------------------------------------------------------

    def _explained(self, named: Named, *also: str, span: bool = False, besides: Sequence[Amount | Span | Called] = ()) -> bool:
        """Whether nothing is left of the question without names, these cues, a length of time, and words that only carry it."""
        left = list(named.text)
        roles = {one.what for one in named.quantities}
        parts = [one for one in named.things if one.what in roles]  # "amps of the motor"; but the emulsion's tank is not its flow
        parts = [one for one in parts if not any(one.start < q.end and q.start < one.end for q in named.quantities)]
        for one in (*named.quantities, *named.tags, *named.equipment, *parts, *besides):
            left[one.start : one.end] = " " * (one.end - one.start)
        if span and (of := span_of(named.text)) is not None:
            left[of.start : of.end] = " " * (of.end - of.start)
        text = re.sub(r"(?<=[\u3400-\u9fff])(?=[a-z])|(?<=[a-z])(?=[\u3400-\u9fff])", " ", "".join(left))
        text = re.sub(r"([\u3400-\u9fff])[不没]\1|\s不\s", " ", text)  # 震不震
        for name in also:
            text = cue(name).sub(" ", text)
        text = cue("follow").sub(" ", text)
        return not cues()["words"]["idle"].sub("", text).strip()

    def _mode(self, plain: str) -> Mode | None:
        """The failure mode that is named, in either language; None where none is."""
        best: tuple[float, Mode] | None = None
        words = set(re.findall(r"[a-z]+", plain))
        for mode in self._modes:
            of = [word for word in re.findall(r"[a-z]+", mode.name.en.lower()) if word not in _FILLERS]
            share = sum(word in words for word in of) / len(of) if len(of) > 1 else 0.0
            run = longest_run(plain, mode.name.zh)
            score = max(share if share >= MODE_WORDS_MIN else 0.0, run / len(mode.name.zh) if run >= MODE_RUN_MIN else 0.0)
            if score and (best is None or score > best[0]):
                best = (score, mode)
        return None if best is None else best[1]


def longest_run(text: str, name: str) -> int:
    """Characters of the longest piece of `name` that stands in `text`."""
    best = 0
    for start in range(len(name)):
        while start + best < len(name) and name[start : start + best + 1] in text:
            best += 1
    return best


def _what(name: str) -> What:
    match name:
        case "max" | "min" | "mean" | "trend":
            return name
        case _:
            return ""
