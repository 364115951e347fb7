"""Answers about an incident: why, with evidence for and against, what was done, what came of it, and how sure that is."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from holdfast.agent.ask.answer import Answer
from holdfast.agent.ask.shown import Shown
from holdfast.agent.ask.understand import Question
from holdfast.agent.tools.happened import Incident, IncidentList
from holdfast.agent.tools.tool import Citation, Returned
from holdfast.language import say
from holdfast.link import ProposalTold
from holdfast.terms import Cause, Evidence, Write

OF_INCIDENT = frozenset(("why", "evidence", "against", "done", "effect", "sure", "others", "when", "state", "incidents"))
EVIDENCE_TOLD = 4
TOLD_MAX = 8

Use = Callable[[str, Mapping[str, Any], str], Awaitable[Returned]]


async def incident_answer(question: Question, shown: Shown, use: Use) -> Answer | None:
    """None where there is no incident, at that equipment where one is named."""
    found = await use("incidents", {"limit": 10}, question.equipment or shown.site.name)
    listed = [one for one in cast(IncidentList, found.body).incidents if not question.equipment or _at(one.tags, question.equipment)]
    if not listed:
        return None
    if question.intent == "incidents":
        lines = [
            shown.say(
                "incident.short", at=shown.time(one.at_ns), tags=", ".join(one.tags[:3]), cause=shown.mode(one.cause) if one.cause else "–",
                state=_state(one.state, shown), id=one.id,
            )
            for one in listed[:TOLD_MAX]
        ]  # fmt: skip
        cites = tuple(Citation(kind="incident", ref=one.id, at_ns=one.at_ns, seq=one.seq) for one in listed[:TOLD_MAX])
        return Answer(text=" ".join(lines), language=shown.language, code="incidents", label=found.label, citations=cites)
    returned = await use("incident", {"id": listed[0].id}, listed[0].id)
    text = _told(question, cast(Incident, returned.body), shown)
    return Answer(text=text, language=shown.language, code=question.intent, label=returned.label, citations=_cited(question, returned))


def _at(tags: tuple[str, ...], equipment: str) -> bool:
    """Whether most of what weighs in it is there."""
    here = sum(tag.split("/", 1)[0] == equipment for tag in tags)
    return here * 2 >= max(len(tags), 1)


def _told(question: Question, body: Incident, shown: Shown) -> str:
    one = body.incident
    first = body.causes[0] if body.causes else None
    if question.intent == "when":
        return shown.say(
            "incident.when", at=shown.time(one.finding.found_ns), onset=shown.time(one.finding.onset_ns), tag=shown.tag(one.tags[0])
        )
    if question.intent == "state":
        return shown.say("incident.state", at=shown.time(one.at_ns), state=_state(one.state, shown))
    if question.intent in ("done", "effect"):
        return _done(one.proposals, shown, with_effects=question.intent == "effect")
    if first is None:
        return shown.say("incident.undiagnosed", at=shown.time(one.at_ns), tags=", ".join(one.tags[:4]))
    cause = shown.say("incident.cause", cause=shown.mode(first.mode), percent=f"{100 * first.probability:.0f}")
    match question.intent:
        case "sure":
            return cause
        case "others":
            rest = [c for c in body.causes[1:] if c.probability > 0.0]
            listed = "; ".join(f"{shown.mode(c.mode)} ({100 * c.probability:.1f} %)" for c in rest)
            return cause + " " + shown.say("incident.others", listed=listed or "–")
        case "evidence":
            return cause + " " + shown.say("incident.for", evidence=_evidence(first.supporting, shown))
        case "against":
            return cause + " " + shown.say("incident.against", evidence=_evidence(first.opposing, shown))
        case _:
            return _why(body, first, cause, shown)


def _why(body: Incident, first: Cause, cause: str, shown: Shown) -> str:
    one, mode = body.incident, shown.known_mode(first.mode)
    parts = [
        shown.say("incident.found", at=shown.time(one.at_ns), tags=shown.say("comma").join(shown.tag(tag) for tag in one.tags[:3])),
        cause,
    ]
    if mode is not None:
        parts.append(mode.cause.of(shown.language))
    if first.supporting:
        parts.append(shown.say("incident.for", evidence=_evidence(first.supporting, shown)))
    if first.opposing:
        parts.append(shown.say("incident.against", evidence=_evidence(first.opposing, shown)))
    if body.confirmed:
        parts.append(shown.say("incident.confirmed", person=body.confirmed_by, cause=shown.mode(body.confirmed)))
    if one.proposals:
        parts.append(_done(one.proposals, shown, with_effects=False))
    return "\n".join(parts)


def _evidence(evidence: tuple[Evidence, ...], shown: Shown) -> str:
    return shown.say("between").join(shown.quote(one.quote) for one in evidence[:EVIDENCE_TOLD] if one.quote) or "–"


def _done(proposals: tuple[ProposalTold, ...], shown: Shown, *, with_effects: bool) -> str:
    if not proposals:
        return shown.say("done.nothing")
    lines: list[str] = []
    for one in proposals[-TOLD_MAX:]:
        wanted = (
            ", ".join(f"{tag} → {value:g} {shown.unit(tag)}" for tag, value in one.action.sets)
            if isinstance(one.action, Write)
            else one.action.kind
        )
        came = one.result or one.ended or ("would" if one.would else one.verdict)
        told = shown.say("done", at=shown.time(one.at_ns), wanted=wanted, came=shown.say(f"came.{came}"))
        if one.effect or with_effects:
            told += " " + shown.say(f"effect.{one.effect or 'open'}")
        signed = ", ".join(f"{who.person} ({who.role})" for who in one.signed)
        lines.append(told + (" " + shown.say("done.signed", who=signed) if signed else "") + shown.say("end"))
    return "\n".join(lines)


def _state(state: str, shown: Shown) -> str:
    """As the console says it, with the record's own word."""
    return f"{say(f'console.incidents.state.{state}', {}, shown.language)} ({state})"


def _cited(question: Question, returned: Returned) -> tuple[Citation, ...]:
    """The incident; for causes the diagnosis' record and the windows that it rests on; for what was done the decisions."""
    body = cast(Incident, returned.body)
    incident = [one for one in returned.citations if one.kind == "incident"]
    records = [one for one in returned.citations if one.kind == "record"]
    if question.intent in ("done", "effect"):
        return (*incident, *(one for one in records if one.seq != body.incident.diagnosis_seq))[:TOLD_MAX]
    windows: list[Citation] = []
    if question.intent in ("why", "evidence", "against") and body.causes:
        first = body.causes[0]
        chosen = first.opposing if question.intent == "against" else first.supporting
        windows = [c for one in chosen[:EVIDENCE_TOLD] if one.kind == "history" and (c := _window(one)) is not None]
    return (*incident, *(one for one in records if one.seq == body.incident.diagnosis_seq), *windows)


def _window(one: Evidence) -> Citation | None:
    """`TAG@FROM..TO` in UTC nanoseconds, as the diagnosis cites a stretch of history."""
    tag, _, span = one.ref.partition("@")
    begin, _, end = span.partition("..")
    if not (begin.isdigit() and end.isdigit()):
        return None
    return Citation(kind="history", ref=tag, quote=one.quote, at_ns=int(begin), to_ns=int(end))
