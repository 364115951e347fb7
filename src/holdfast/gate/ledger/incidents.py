"""Incidents, a view of the ledger: what began with a finding, and every record of what came of it, in order.

An incident belongs to the agent that found it: another agent that calls its own by the same name has one of its own.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from holdfast.gate.ledger.index import RecordIndex
from holdfast.gate.ledger.query import LIMIT_MAX, Query, page
from holdfast.terms import SECOND_NS, Word

LISTED_MAX = 30  # at once: each is read anew, so that it stands where the record says
CHAIN_MAX = 1_000  # records of one incident that are told
PROPOSALS_MAX = 50
TAGS_MAX = 20  # of one finding, those that weigh most
ALARMS = ("alarm", "alarm.acknowledged", "alarm.shelved", "alarm.unshelved")
ALARMS_MAX = 200  # of one tag
AROUND_S = 600.0  # before the first and after the last record, within which an alarm belongs to it

State = Literal[
    "found", "diagnosed", "shadow", "asked", "approved", "acting", "verified", "resolved", "no_effect", "wrong",
    "refused", "expired", "voided", "failed", "indeterminate", "escalated", "restored",
]  # fmt: skip

# What a record of a kind says of the incident, where the kind alone says it.
BY_KIND: Mapping[str, State] = {
    "finding": "found",
    "intent": "acting",
    "retreat": "acting",
    "reconciling": "acting",
    "expired": "expired",
    "voided": "voided",
    "fell": "refused",
    "escalated": "escalated",
    "restored": "restored",
}
BY_EFFECT: Mapping[str, State] = {"expected": "resolved", "none": "no_effect", "wrong": "wrong"}
BY_RESULT: Mapping[str, State] = {"verified": "verified", "failed": "failed", "indeterminate": "indeterminate"}
BY_VERDICT: Mapping[str, State] = {"refuse": "refused", "ask": "asked", "permit": "approved"}

STEPS = """
SELECT l.seq, l.j ->> '$.at_ns', l.j ->> '$.kind', l.j ->> '$.body.decision.verdict', l.j ->> '$.body.decision.would',
  l.j ->> '$.body.outcome.result', l.j ->> '$.body.outcome.effect', l.j ->> '$.body.yes', l.j ->> '$.body.result',
  l.j ->> '$.body.proposal.id'
FROM (SELECT seq, CASE WHEN json_valid(CAST(bytes AS TEXT)) THEN CAST(bytes AS TEXT) ELSE '{}' END AS j
  FROM record.leaf WHERE seq IN (SELECT value FROM json_each(?))) AS l ORDER BY l.seq
"""


class Step(Word):
    """What of a record says how its incident stands."""

    seq: int
    at_ns: int
    kind: str
    verdict: str
    would: bool
    result: str
    effect: str
    yes: bool
    resolved: str
    proposal: str


class Incident(Word):
    """`seq` is the first finding's, by which one goes on (`before`); `tags` those that weigh most in it, heaviest first."""

    id: str
    seq: int
    agent: str
    at_ns: int
    until_ns: int
    state: State
    title: Mapping[str, str]  # code and facts of a sentence
    tags: tuple[str, ...]
    equipment: tuple[str, ...]
    finding: Mapping[str, Any]
    records: int


def listed(index: RecordIndex, *, limit: int, before: int | None = None) -> tuple[Incident, ...]:
    """Newest first. Raises StateError."""
    sql = "SELECT seq, id, name FROM incident WHERE seq < ? ORDER BY seq DESC LIMIT ?"
    found = index.rows(sql, (before or 2**62, max(1, min(limit, LISTED_MAX))))
    return tuple(_incident(index, *row) for row in found)


def known(index: RecordIndex, id: str) -> Incident | None:
    """By its first finding's id; where two agents chose the same, the first."""
    found = index.rows("SELECT seq, id, name FROM incident WHERE id = ? ORDER BY seq LIMIT 1", (id,))
    return _incident(index, *found[0]) if found else None


def chain(index: RecordIndex, incident: Incident) -> tuple[bytes, ...]:
    """The leaves of all that belongs to it, in order: what it led to, questions, and the alarms of its tags in its time."""
    ((name,),) = index.rows("SELECT name FROM incident WHERE seq = ?", (incident.seq,))
    seqs = {step.seq for step in _steps(index, name)}
    around_ns = round(AROUND_S * SECOND_NS)
    alarms = (
        json.loads(leaf)["seq"]
        for tag in incident.tags
        for leaf in page(
            index,
            Query(
                kinds=ALARMS,
                tag=tag,
                from_ns=incident.at_ns - around_ns,
                to_ns=incident.until_ns + around_ns,
                limit=ALARMS_MAX,
            ),
        ).leaves
    )
    ordered = sorted(seqs | set(alarms))[:CHAIN_MAX]
    rows = index.rows("SELECT bytes FROM record.leaf WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq", (json.dumps(ordered),))
    return tuple(bytes(leaf) for (leaf,) in rows)


def _incident(index: RecordIndex, seq: int, id: str, name: str) -> Incident:
    steps = _steps(index, name)
    ((leaf,),) = index.rows("SELECT bytes FROM record.leaf WHERE seq = ?", (seq,))
    record = json.loads(leaf)
    finding = record["body"]["finding"]
    tags = tuple(str(tag) for tag, _ in finding["shares"][:TAGS_MAX])
    return Incident(
        id=id,
        seq=seq,
        agent=name.partition("\n")[0],
        at_ns=record["at_ns"],
        until_ns=max((step.at_ns for step in steps), default=record["at_ns"]),
        state=state_of(steps),
        title={"code": "incident.found", "tag": tags[0] if tags else "", "detector": str(finding["detector"]).partition("@")[0]},
        tags=tags,
        equipment=tuple(dict.fromkeys(tag.rpartition("/")[0] for tag in tags)),
        finding=finding,
        records=len(steps),
    )


def state_of(steps: Iterable[Step]) -> State:
    """Where the newest of its proposals stands; a diagnosis says nothing once something was proposed."""
    state: State = "found"
    for step in steps:
        match step.kind:
            case "diagnosis" if state == "found":
                state = "diagnosed"
            case "decision":
                state = "shadow" if step.would and step.verdict != "refuse" else BY_VERDICT.get(step.verdict, state)
            case "approval" if not step.yes:
                state = "refused"
            case "outcome":
                state = BY_RESULT.get(step.result, state)
            case "effect":
                state = BY_EFFECT.get(step.effect, state)
            case "resolved":
                state = "resolved" if step.resolved == "verified" else "failed"
            case kind if kind in BY_KIND and kind != "finding":
                state = BY_KIND[kind]
            case _:
                continue
    return state


def _steps(index: RecordIndex, name: str) -> list[Step]:
    """Of the records that name the incident, and of those that name a proposal of it."""
    first = index.rows("SELECT seq FROM post WHERE term = ? ORDER BY seq LIMIT ?", (index.term("incident", name).id, LIMIT_MAX))
    steps = _read(index, [seq for (seq,) in first])
    proposals = list(dict.fromkeys(step.proposal for step in steps if step.proposal))[:PROPOSALS_MAX]
    seqs = {step.seq for step in steps}
    for proposal in proposals:
        of = index.rows("SELECT seq FROM post WHERE term = ? ORDER BY seq LIMIT ?", (index.term("proposal", proposal).id, LIMIT_MAX))
        seqs.update(seq for (seq,) in of)
    further = _read(index, sorted(seqs - {step.seq for step in steps}))
    return sorted([*steps, *further], key=lambda step: step.seq)[:CHAIN_MAX]


def _read(index: RecordIndex, seqs: list[int]) -> list[Step]:
    return [
        Step(
            seq=seq,
            at_ns=at_ns or 0,
            kind=kind or "",
            verdict=verdict or "",
            would=bool(would),
            result=result or "",
            effect=effect or "",
            yes=bool(yes),
            resolved=resolved or "",
            proposal=proposal or "",
        )
        for seq, at_ns, kind, verdict, would, result, effect, yes, resolved, proposal in index.rows(STEPS, (json.dumps(seqs),))
    ]
