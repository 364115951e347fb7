"""Is it a proposal at all: types, finite numbers, units, lengths. What is refused here is refused whatever the policy says."""

# What came from outside is of the declared type only by its sender's word, so that is checked here and not believed.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

import math

from holdfast.gate.guard.case import SETS_MAX, Case, failed, settled
from holdfast.terms import Adopt, Call, Evidence, Order, Proposal, Reason, Tag, Write

NAME_MAX = 128  # characters of ids and names
TEXT_MAX = 4000  # characters of reason, expect and quotes
EVIDENCE_MAX = 64
PARTS_MAX = 64
VALID_S_MIN, VALID_S_MAX = 1.0, 86_400.0
INTEGER_MAX = 2**53  # beyond this a double skips integers


def well_formed(case: Case) -> tuple[Reason, ...]:
    proposal = case.proposal
    reasons = (*_texts(proposal), *_valid(proposal), *_action(case))
    return reasons or (settled("well_formed"),)


def number(value: object) -> str:
    """What is wrong with a value that is to be written: "", "type", "finite" or "negative_zero"."""
    if isinstance(value, bool) or not isinstance(value, (float, int)):
        return "type"
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        return "type"
    if not math.isfinite(value):
        return "finite"
    # −0 equals 0 in every comparison and has other bits on the wire: nobody means it.
    return "negative_zero" if value == 0 and math.copysign(1.0, value) < 0 else ""


def _name(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= NAME_MAX and text.isprintable() and text == text.strip()


def _text(text: object) -> bool:
    # Lone surrogates have no UTF-8 form, so they have no place in the record.
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        return False
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _texts(proposal: Proposal) -> tuple[Reason, ...]:
    wrong: list[str] = []
    if not _name(proposal.id):
        wrong.append("id")
    if not _name(proposal.incident):
        wrong.append("incident")
    if not _text(proposal.reason):
        wrong.append("reason")
    if not _text(proposal.expect):
        wrong.append("expect")
    evidence = proposal.evidence
    if not isinstance(evidence, tuple) or len(evidence) > EVIDENCE_MAX or not all(_evidence(e) for e in evidence):
        wrong.append("evidence")
    return tuple([failed("well_formed.text", field=name) for name in wrong])


def _evidence(evidence: object) -> bool:
    return isinstance(evidence, Evidence) and _name(evidence.kind) and _text(evidence.ref) and _text(evidence.quote)


def _valid(proposal: Proposal) -> tuple[Reason, ...]:
    if number(proposal.valid_s) == "" and VALID_S_MIN <= proposal.valid_s <= VALID_S_MAX:
        return ()
    return (failed("well_formed.valid", low=str(VALID_S_MIN), high=str(VALID_S_MAX)),)


def _action(case: Case) -> tuple[Reason, ...]:
    action = case.proposal.action
    match action:
        case Write():
            return _write(case, action)
        case Call():
            good = _name(action.method) and isinstance(action.arguments, tuple) and len(action.arguments) <= PARTS_MAX
            good = good and all(number(a) == "" for a in action.arguments)
        case Order():
            good = action.kind in ("hold_batch", "work_order", "notify") and _name(action.target) and _text(action.text) and _order(action)
        case Adopt():
            good = _name(action.what) and _name(action.name) and _name(action.digest)
        case _:
            good = False
    return () if good else (failed("well_formed.action"),)


def _order(action: Order) -> bool:
    if not isinstance(action.parts, tuple) or len(action.parts) > PARTS_MAX:
        return False
    if not all(_name(name) and type(count) is int and 0 < count <= INTEGER_MAX for name, count in action.parts):
        return False
    return action.slot_ns is None or (
        len(action.slot_ns) == 2 and all(type(t) is int for t in action.slot_ns) and action.slot_ns[0] <= action.slot_ns[1]
    )


def _write(case: Case, action: Write) -> tuple[Reason, ...]:
    if not isinstance(action.sets, tuple) or not 1 <= len(action.sets) <= SETS_MAX:
        return (failed("well_formed.sets", max=str(SETS_MAX)),)
    if action.kind != "write" or not isinstance(action.unit, str) or not all(isinstance(s, tuple) and len(s) == 2 for s in action.sets):
        return (failed("well_formed.action"),)
    reasons: list[Reason] = []
    seen: set[str] = set()
    for name, value in action.sets:
        if not _name(name):
            reasons.append(failed("well_formed.text", field="tag"))
            continue
        if name in seen:
            reasons.append(failed("well_formed.duplicate", name))
        seen.add(name)
        tag = case.compiled.tags.get(name)
        wrong = number(value)
        if wrong:
            reasons.append(failed(f"well_formed.{wrong}", name, value=str(value)))
        elif tag is not None and not _typed(value, tag):
            reasons.append(failed("well_formed.kind", name, value=str(value), type=tag.type))
        if tag is not None and action.unit not in ("", tag.unit):
            reasons.append(failed("well_formed.unit", name, unit=action.unit, wanted=tag.unit))
    return tuple(reasons)


def _typed(value: float, tag: Tag) -> bool:
    match tag.type:
        case "float":
            return True
        case "integer":
            return float(value).is_integer() and abs(value) <= INTEGER_MAX
        case "bool":
            return value in (0, 1)
        case "state":
            return any(value == listed for listed, _ in tag.states)
