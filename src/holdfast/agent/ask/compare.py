"""A value beside another one: its alarm limits, a number, its setpoint, or what it was some time ago; always with both numbers."""

from typing import cast

from holdfast.agent.ask.answer import Answer
from holdfast.agent.ask.incident import Use
from holdfast.agent.ask.shown import Shown
from holdfast.agent.ask.understand import Question
from holdfast.agent.tools.tool import Citation, Returned, joined
from holdfast.agent.tools.values import Course, Limits, TagValues
from holdfast.terms import Label

THEN_MINUTES = 0.5  # of the window that stands for "then"
SAME = 1e-9


async def compared(question: Question, shown: Shown, use: Use) -> Answer:
    """Raises ToolError."""
    tag = question.tags[0]
    read = await use("read_tags", {"tags": [tag]}, tag)
    one = cast(TagValues, read.body).values[0]
    value = one.value
    lines = [
        shown.say("now" if one.quality == "good" else f"now.{one.quality}", tag=shown.tag(tag), value=shown.value(tag, value, one.state),
                  at=shown.time(one.at_ns))
    ]  # fmt: skip
    found: list[Returned] = [read]
    if value is not None and one.quality == "good":
        others, more = await _others(question, shown, use)
        found += more
        lines += [_beside(value, name, other, tag, shown) for name, other in others]
        if not others:
            lines.append(shown.say("compare.nothing", tag=shown.tag(tag)))
    return _said(lines, found, shown)


async def _others(question: Question, shown: Shown, use: Use) -> tuple[list[tuple[str, float]], list[Returned]]:
    """(what it is called, value) of each thing to compare with, and where they come from."""
    tag = question.tags[0]
    match question.against:
        case "number":
            return [(shown.value(tag, question.number), question.number or 0.0)], []
        case "ago":
            given = {"tag": tag, "minutes": THEN_MINUTES, "ending_minutes_ago": question.minutes}
            then = await use("history", given, tag)
            course = cast(Course, then.body)
            if course.mean is None:
                return [], [then]
            name = shown.say("compare.ago", value=shown.value(tag, course.mean), at=shown.time(course.to_ns))
            return [(name, course.mean)], [then]
        case "setpoint":
            loop = next((one for one in shown.site.loops if one.pv == tag and one.sp), None)
            if loop is None:
                return [], []
            read = await use("read_tags", {"tags": [loop.sp_now or loop.sp]}, loop.sp)
            of = cast(TagValues, read.body).values[0].value
            return ([] if of is None else [(shown.say("compare.setpoint", value=shown.value(tag, of)), of)]), [read]
        case _:
            limits = await use("limits", {"tag": tag}, tag)
            alarms = cast(Limits, limits.body).alarms
            if alarms is None:
                return await _range(question, shown, use, limits)
            names = ("hi", "hihi", "lo", "lolo")
            having = [(name, value) for name in names if (value := getattr(alarms, name)) is not None]
            return [
                (shown.say("compare.limit", limit=shown.say(f"limit.{name}"), value=shown.value(tag, of)), of) for name, of in having
            ], [limits]


async def _range(question: Question, shown: Shown, use: Use, limits: Returned) -> tuple[list[tuple[str, float]], list[Returned]]:
    """Of a loop without alarm limits: between what its setpoint may be written."""
    loop = next((one for one in shown.site.loops if one.pv == question.tags[0] and one.sp), None)
    if loop is None:
        return [], [limits]
    found = await use("limits", {"tag": loop.sp}, loop.sp)
    envelope = cast(Limits, found.body).envelope
    rows = () if envelope is None or envelope.range is None else envelope.range.rows
    ends = [(name, value) for name, row in rows for value in row]
    return [(shown.say("compare.range", row=name, value=shown.value(loop.sp, value)).replace("  ", " "), value) for name, value in ends], [
        found
    ]


def _beside(value: float, name: str, other: float, tag: str, shown: Shown) -> str:
    way = "same" if abs(value - other) <= SAME else "above" if value > other else "below"
    return shown.say(f"compare.{way}", other=name, by=shown.value(tag, abs(value - other)))


def _said(lines: list[str], found: list[Returned], shown: Shown) -> Answer:
    cites: list[Citation] = [cite for one in found for cite in one.citations]
    label: Label = joined([one.label for one in found])
    return Answer(text=" ".join(lines), language=shown.language, code="compare", label=label, citations=tuple(cites))
