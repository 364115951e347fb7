"""Incidents as agents are told them: finding, last diagnosis, and what became of each proposal. Bounded, and no more than that."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from holdfast.gate.ledger import incidents as view
from holdfast.gate.ledger.index import RecordIndex
from holdfast.link import INCIDENTS_TOLD_MAX, IncidentTold, ProposalTold, SignedTold
from holdfast.terms import Action, Diagnosis, Finding

PROPOSALS_MAX = 20  # of one incident, the newest
_FINDING: TypeAdapter[Finding] = TypeAdapter(Finding)
_DIAGNOSIS: TypeAdapter[Diagnosis] = TypeAdapter(Diagnosis)
_ACTION: TypeAdapter[Action] = TypeAdapter(Action)


def told(index: RecordIndex, limit: int) -> tuple[IncidentTold, ...]:
    """Newest first. An incident whose leaves can't be read is left out. Raises StateError."""
    found: list[IncidentTold] = []
    for incident in view.listed(index, limit=max(1, min(limit, INCIDENTS_TOLD_MAX))):
        try:
            found.append(_told(incident, [json.loads(leaf) for leaf in view.chain(index, incident)]))
        except (ValidationError, KeyError, TypeError, ValueError):  # somebody changed the leaf: `ledger verify` says what is wrong
            continue
    return tuple(found)


def _told(incident: view.Incident, records: Sequence[Any]) -> IncidentTold:
    diagnoses = [record for record in records if record["kind"] == "diagnosis"]
    last = diagnoses[-1] if diagnoses else None
    return IncidentTold(
        id=incident.id,
        incident=str(incident.finding["incident"]),
        agent=incident.agent,
        seq=incident.seq,
        at_ns=incident.at_ns,
        until_ns=incident.until_ns,
        state=incident.state,
        tags=incident.tags,
        finding=_FINDING.validate_json(json.dumps(incident.finding)),
        diagnosis=None if last is None else _DIAGNOSIS.validate_json(json.dumps(last["body"]["diagnosis"])),
        diagnosis_seq=0 if last is None else int(last["seq"]),
        proposals=_proposals(records),
    )


def _proposals(records: Sequence[Any]) -> tuple[ProposalTold, ...]:
    decided = [record for record in records if record["kind"] == "decision"][-PROPOSALS_MAX:]
    return tuple(_proposal(decision, records) for decision in decided)


def _proposal(record: Any, records: Sequence[Any]) -> ProposalTold:
    proposal, decision = record["body"]["proposal"], record["body"]["decision"]
    of = [one for one in records if one["body"].get("proposal") == proposal["id"]]
    outcome = next((one["body"]["outcome"] for one in reversed(of) if one["kind"] == "outcome"), {})
    effect = next((one["body"]["outcome"] for one in reversed(of) if one["kind"] == "effect"), {})
    ended = next((one["kind"] for one in reversed(of) if one["kind"] in ("expired", "voided", "escalated", "restored", "fell")), "")
    return ProposalTold(
        proposal=proposal["id"],
        seq=int(record["seq"]),
        at_ns=int(record["at_ns"]),
        action=_ACTION.validate_json(json.dumps(proposal["action"])),
        reason=proposal["reason"],
        verdict=decision["verdict"],
        would=bool(decision["would"]),
        failed=tuple(dict.fromkeys(reason["code"] for reason in decision["reasons"] if not reason["passed"])),
        result=outcome.get("result") or "",
        effect=effect.get("effect") or "",
        ended=ended,
        signed=tuple(_signed(one["body"]) for one in of if one["kind"] == "approval"),
    )


def _signed(body: Any) -> SignedTold:
    return SignedTold(person=str(body["person"]), role=str(body["role"]), yes=bool(body["yes"]))
