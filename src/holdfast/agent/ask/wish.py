"""A wish to change a setpoint, as it would be put to the gate: which tag, from what to what, within what. Asking changes nothing."""

from typing import cast

from holdfast.agent.ask.answer import Answer
from holdfast.agent.ask.incident import Use
from holdfast.agent.ask.shown import Shown
from holdfast.agent.ask.understand import Question
from holdfast.agent.tools.tool import joined
from holdfast.agent.tools.values import Limits, TagValues
from holdfast.site.model import Envelope


async def wished(question: Question, shown: Shown, use: Use) -> Answer:
    """Declined always: it is no question, and nothing of it is asked of the gate. Raises ToolError."""
    tag, number = question.tags[0], question.number or 0.0
    read = await use("read_tags", {"tags": [tag]}, tag)
    one = cast(TagValues, read.body).values[0]
    present = one.value if one.quality == "good" else None
    limits = await use("limits", {"tag": tag}, tag)
    envelope = cast(Limits, limits.body).envelope
    wanted = number if question.about == "set" else None if present is None else present + number
    facts = {"tag": tag, "present": shown.value(tag, present), "said": question.text}
    if wanted is None:
        lines = [shown.say("wish.by", by=_signed(tag, number, shown), **facts)]
    else:
        by = "" if present is None else _signed(tag, wanted - present, shown)
        lines = [shown.say("wish.to", wanted=shown.value(tag, wanted), by=by, **facts)]
        lines += _over(envelope, wanted, present, shown) if envelope is not None else []
    lines.append(shown.say("no.request", about=tag))
    return Answer(
        text=" ".join(lines), language=shown.language, code="no.request", label=joined([read.label, limits.label]), declined=True,
        citations=(*read.citations, *limits.citations),
    )  # fmt: skip


def _signed(tag: str, value: float, shown: Shown) -> str:
    return ("+" if value >= 0 else "") + shown.value(tag, round(value, 9))


def _over(envelope: Envelope, wanted: float, present: float | None, shown: Shown) -> list[str]:
    """What of the envelope it would go against, as far as one value and the present one tell; the gate judges with all it knows."""
    told: list[str] = []
    rows = () if envelope.range is None else envelope.range.rows
    if rows and not any(low <= wanted <= high for _, (low, high) in rows):
        ranges = "; ".join(f"{name + ': ' if name else ''}{low:g} – {high:g} {shown.unit(envelope.tag)}" for name, (low, high) in rows)
        told.append(shown.say("wish.range", ranges=ranges))
    if envelope.step is not None and present is not None and abs(wanted - present) > envelope.step:
        told.append(shown.say("wish.step", step=f"{envelope.step:g} {shown.unit(envelope.tag)}"))
    return told
