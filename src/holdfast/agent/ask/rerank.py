"""A model's second opinion on the order of causes: it may move one up with cited reasons, and can drop none.

What the rules ranked stays as it is, with its probabilities; this tells another order beside it. An order that leaves out a cause, or moves
one up without citing evidence that the diagnosis itself has, is not taken, and that is told. Not tried with a large model.
"""

from collections.abc import Sequence
from typing import Any, Literal, cast

from holdfast.agent.models.serving.labels import Part, Said
from holdfast.agent.models.serving.router import Ask, Router
from holdfast.agent.models.serving.schema import Schema, load_schema
from holdfast.agent.models.serving.structured import strict_json
from holdfast.language import say
from holdfast.terms import Cause, Diagnosis, Evidence, Label, Word, canonical

CAUSES_MAX = 12
EVIDENCE_MAX = 30
WHY_CHARS_MAX = 200
TOKENS_MAX = 800


class Opinion(Word):
    """Of one cause: why it stands where it does, and on which evidence of the diagnosis."""

    mode: str
    why: str
    cites: tuple[Evidence, ...]


class Reranked(Word):
    """`order` has every cause of the diagnosis, by mode; it is the rules' own where `code` is not llm.reordered."""

    order: tuple[str, ...]
    code: str
    facts: tuple[tuple[str, str], ...] = ()
    opinions: tuple[Opinion, ...] = ()
    made_by: str = ""


async def rerank(
    diagnosis: Diagnosis, router: Router, *, language: Literal["en", "zh"], label: Label, deadline_s: float = 20.0
) -> Reranked:
    """`label` is the join over what the diagnosis tells. Raises LabelError alone."""
    order = tuple(cause.mode for cause in diagnosis.causes)
    ranked, evidence = diagnosis.causes[:CAUSES_MAX], _evidence(diagnosis)
    if len(ranked) < 2 or len(set(order)) != len(order) or not evidence:
        return Reranked(order=order, code="llm.same_order")
    asked = Ask(
        skill="rerank",
        language=language,
        said=(
            Said(role="system", parts=(Part(text=say("llm.rerank", {}, language), label="public"),)),
            Said(role="user", parts=(Part(text=_told(ranked, evidence), label=label, source=diagnosis.id),)),
        ),
        schema=_schema([cause.mode for cause in ranked], list(evidence)),
        schema_label=label,
        max_tokens=TOKENS_MAX,
        deadline_s=deadline_s,
    )
    answered = await router.ask(asked)
    if not answered.endpoint:
        return Reranked(order=order, code="llm.none", facts=(("route", answered.code.removeprefix("route.")),))
    opinions = tuple(
        Opinion(mode=one["cause"], why=one["why"], cites=tuple(evidence[name] for name in dict.fromkeys(one["cites"])))
        for one in cast("list[dict[str, Any]]", strict_json(answered.text)["order"])
    )
    return _judged(order, ranked, opinions, f"model:{answered.endpoint}@{answered.model}")


def _judged(order: tuple[str, ...], ranked: Sequence[Cause], opinions: tuple[Opinion, ...], made_by: str) -> Reranked:
    """The model's order where it has every cause once and cites evidence for each that it moved up."""
    wanted = [one.mode for one in opinions]
    before = {cause.mode: place for place, cause in enumerate(ranked)}
    missing = next((mode for mode in before if wanted.count(mode) != 1), None)
    if missing is not None:
        return Reranked(order=order, code="llm.dropped", facts=(("cause", missing),), made_by=made_by)
    bare = next((one.mode for place, one in enumerate(opinions) if place < before[one.mode] and not one.cites), None)
    if bare is not None:
        return Reranked(order=order, code="llm.uncited", facts=(("cause", bare),), made_by=made_by)
    moved = (*wanted, *order[len(wanted) :])  # causes beyond CAUSES_MAX stay where they are
    code = "llm.reordered" if moved != order else "llm.same_order"
    return Reranked(order=moved, code=code, opinions=opinions, made_by=made_by)


def _evidence(diagnosis: Diagnosis) -> dict[str, Evidence]:
    """All evidence by the name that the model is told, each once."""
    found = dict.fromkeys(one for cause in diagnosis.causes for one in (*cause.supporting, *cause.opposing))
    return {f"e{n}": one for n, one in enumerate(list(found)[:EVIDENCE_MAX], start=1)}


def _told(ranked: Sequence[Cause], evidence: dict[str, Evidence]) -> str:
    names = {one: name for name, one in evidence.items()}
    causes = [
        {
            "cause": cause.mode,
            "by_rules": round(cause.probability, 3),
            "for": [names[one] for one in cause.supporting if one in names],
            "against": [names[one] for one in cause.opposing if one in names],
        }
        for cause in ranked
    ]
    listed = {name: {"kind": one.kind, "ref": one.ref, "plant_text": one.quote} for name, one in evidence.items()}
    return canonical({"causes": causes, "evidence": listed}).decode()


def _schema(modes: Sequence[str], names: Sequence[str]) -> Schema:
    opinion = {
        "type": "object",
        "properties": {
            "cause": {"type": "string", "enum": list(modes)},
            "why": {"type": "string", "maxLength": WHY_CHARS_MAX},
            "cites": {"type": "array", "items": {"type": "string", "enum": list(names)}, "maxItems": 8},
        },
        "required": ["cause", "why", "cites"],
        "additionalProperties": False,
    }
    order = {"type": "array", "items": opinion, "minItems": len(modes), "maxItems": len(modes)}
    return load_schema(
        {"type": "object", "properties": {"order": order}, "required": ["order"], "additionalProperties": False}, name="order"
    )
