"""An incident's records as a chain: what was seen, what was thought, and for each proposal how far it came and why no further.

Each stage has a state and a sentence; the two questions that people ask, why it fired and why it was refused, are answered
from the reasons that the gate recorded with its decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from holdfast.console.telling import Claim, Teller, Told
from holdfast.terms import Word

STAGES = ("proposal", "decision", "approval", "write", "readback", "effect")
ENDS = ("fell", "voided", "void", "expired")  # nothing is written after one of these
TROUBLE = ("escalated", "retreat", "restored", "resolved")  # what may follow a write that went wrong


class Stage(Word):
    """`state`: "done", "good", "waits", "wrong" or "none" (it did not come to this); `seq` 0 where no record is behind it."""

    key: str
    state: str
    text: str
    at_ns: int = 0
    seq: int = 0


class Story(Word):
    """One proposal. `question` is the code of what people ask about it, `answer` what the gate's record says to it."""

    proposal: str
    author: str
    stages: tuple[Stage, ...]
    question: str
    answer: tuple[str, ...]
    claims: tuple[Claim, ...]


class Moment(Word):
    """How the finding stood, as its agent told it: the score over the limit, and what each tag added."""

    at_ns: int
    score: float
    shares: tuple[tuple[str, float], ...]


class Chain(Word):
    """`seen`: the first finding; `cause`, `advice`: the newest diagnosis and report; `course`: oldest first, each time once."""

    seen: Told | None
    cause: Told | None
    stories: tuple[Story, ...]
    told: tuple[Told, ...]
    course: tuple[Moment, ...] = ()
    advice: Told | None = None


def chain_of(records: Iterable[Mapping[str, Any]], teller: Teller) -> Chain:
    """Of records in order."""
    records = tuple(records)
    told = tuple(teller.tell(record) for record in records)
    of: dict[str, list[tuple[Mapping[str, Any], Told]]] = {}
    for record, one in zip(records, told, strict=True):
        if one.proposal:
            of.setdefault(one.proposal, []).append((record, one))
    return Chain(
        seen=next((one for one in told if one.kind == "finding"), None),
        cause=next((one for one in reversed(told) if one.kind == "diagnosis"), None),
        stories=tuple(_story(proposal, parts, teller) for proposal, parts in of.items() if any(t.kind == "decision" for _, t in parts)),
        told=told,
        advice=next((one for one in reversed(told) if one.kind == "report"), None),
        course=_course(record["body"].get("diagnosis", {}) for record in records if record["kind"] == "diagnosis"),
    )


def _course(diagnoses: Iterable[Mapping[str, Any]]) -> tuple[Moment, ...]:
    """What an agent wrote: what is not as it should be is left out."""
    found: dict[int, Moment] = {}
    for diagnosis in diagnoses:
        for one in diagnosis.get("course", ()):
            try:
                shares = tuple((str(tag), float(share)) for tag, share in one["shares"])
                found[int(one["at_ns"])] = Moment(at_ns=int(one["at_ns"]), score=float(one["score"]), shares=shares)
            except (KeyError, TypeError, ValueError):
                continue
    return tuple(found[at_ns] for at_ns in sorted(found))


def _story(proposal: str, parts: Sequence[tuple[Mapping[str, Any], Told]], teller: Teller) -> Story:
    by: dict[str, Told] = {}
    for _, one in parts:
        by[one.kind] = one  # the newest of a kind: a group has one outcome
    decided, decision = next((record["body"]["decision"], one) for record, one in parts if one.kind == "decision")
    answers = tuple(one for _, one in parts if one.kind == "approval")
    end = next((by[kind] for kind in ENDS if kind in by), None)
    results = [str(record["body"]["outcome"]["result"]) for record, one in parts if one.kind == "outcome"]
    question, answer = _why(decided, decision, answers, end, by, results[-1] if results else "", teller)
    return Story(
        proposal=proposal,
        author=str(decided["author"]),
        stages=(
            _stage("proposal", decision, "done", "; ".join(decision.lines[: _wanted(parts)])),
            _stage("decision", decision, "wrong" if decided["verdict"] == "refuse" else "done"),
            _approval(decided, answers, end, teller),
            *_written(decided, answers, end, by, teller),
        ),
        question=question,
        answer=answer,
        claims=(*decision.claims, *(claim for one in answers for claim in one.claims)),
    )


def _wanted(parts: Sequence[tuple[Mapping[str, Any], Told]]) -> int:
    """How many lines of the decision's record say what is wanted; the rest say what failed."""
    body = next(record["body"] for record, one in parts if one.kind == "decision")
    return len(body["proposal"]["action"].get("sets", ())) or 1


def _stage(key: str, one: Told, state: str, text: str = "") -> Stage:
    return Stage(key=key, state=state, text=text or one.title, at_ns=one.at_ns, seq=one.seq)


def _none(key: str, code: str, teller: Teller, state: str = "none") -> Stage:
    return Stage(key=key, state=state, text=teller.shown.t(f"chain.{code}"))


def _approval(decided: Mapping[str, Any], answers: Sequence[Told], end: Told | None, teller: Teller) -> Stage:
    if decided["verdict"] != "ask" or decided["would"]:
        return _none("approval", "not_reached" if decided["verdict"] == "refuse" else "not_needed", teller)
    refused = next((one for one in answers if one.tone == "wrong"), None)
    if refused is not None:
        return _stage("approval", refused, "wrong")
    if len(answers) >= len(decided["roles"]):
        return _stage("approval", answers[-1], "good", "; ".join(one.title for one in answers))
    if end is not None:
        return _stage("approval", end, "wrong")
    done = teller.shown.t("chain.signed", done=len(answers), all=len(decided["roles"]))
    return Stage(key="approval", state="waits", text=f"{done} · {teller.shown.roles(decided['roles'])}")


def _written(
    decided: Mapping[str, Any], answers: Sequence[Told], end: Told | None, by: Mapping[str, Told], teller: Teller
) -> tuple[Stage, ...]:
    """Write, read-back and effect."""
    intent, outcome, effect = by.get("intent"), by.get("outcome"), by.get("effect")
    if intent is None:
        refused = decided["verdict"] == "refuse" or any(one.tone == "wrong" for one in answers)
        if end is not None:
            write = _stage("write", end, "wrong")
        elif decided["would"]:
            write = _none("write", "shadow", teller)
        else:
            write = _none("write", "nothing" if refused else "awaited", teller, "none" if refused else "waits")
        return write, _none("readback", "not_reached", teller), _none("effect", "not_reached", teller)
    trouble = next((by[kind] for kind in TROUBLE[::-1] if kind in by), None)
    write = _stage("write", intent, "done", "; ".join(intent.lines))
    if outcome is None:
        return write, _none("readback", "awaited", teller, "waits"), _none("effect", "not_reached", teller)
    readback = _stage("readback", outcome, outcome.tone, "; ".join((outcome.title, *outcome.lines)))
    if effect is not None:
        text = "; ".join((effect.title, *((trouble.title,) if trouble else ())))
        return write, readback, _stage("effect", effect, effect.tone or "done", text)
    if trouble is not None:
        return write, readback, _stage("effect", trouble, trouble.tone or "done")
    waits = outcome.tone == "good"
    return write, readback, _none("effect", "awaited" if waits else "not_reached", teller, "waits" if waits else "none")


def _why(
    decided: Mapping[str, Any],
    decision: Told,
    answers: Sequence[Told],
    end: Told | None,
    by: Mapping[str, Told],
    result: str,
    teller: Teller,
) -> tuple[str, tuple[str, ...]]:
    """What people ask about a proposal that stands as this one does, and the answer from the record."""
    failed = tuple(check.text for check in decision.checks if not check.passed)
    rules = tuple(teller.shown.reason(r) for r in decided["reasons"] if str(r["code"]).startswith("policy."))
    levels = tuple(teller.shown.reason(r) for r in decided["reasons"] if str(r["code"]).startswith("autonomy"))
    if decided["verdict"] == "refuse":
        return "refused", failed
    if (refused := next((one for one in answers if one.tone == "wrong"), None)) is not None:
        said = tuple(teller.shown.t("chain.reason", person=claim.who, text=claim.text) for claim in refused.claims)
        return "refused", (refused.title, *said)
    if end is not None:
        return "refused", tuple(dict.fromkeys((end.title, *(c.text for c in end.checks), *end.lines)))
    outcome, effect = by.get("outcome"), by.get("effect")
    if "escalated" in by or (effect is not None and effect.tone == "wrong"):
        return "look", tuple(one.title for one in (outcome, effect, by.get("escalated"), by.get("restored"), by.get("resolved")) if one)
    if outcome is not None and outcome.tone == "wrong":
        return "failed" if result == "failed" else "look", (outcome.title, *outcome.lines)
    return ("asked", (*levels, *rules)) if decided["verdict"] == "ask" else ("permitted", (*levels, *rules))
