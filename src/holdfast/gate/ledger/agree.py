"""Do the state tables agree with the record? Each row is held against what the leaves say, each difference named.

The tables are what the gate acts on: a row that was added, changed or removed by hand is an approval, a budget or a right
that nobody gave. Needs the state file alone; call it on a record that was verified.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import apsw

from holdfast.gate.ledger.derive import Derived, derived, folded
from holdfast.terms import SECOND_NS, Word

DIFFERENCES_MAX = 100  # told; one is enough for a no
DRIFT_NS = 60 * SECOND_NS  # steps of the clock too small to be recorded, altogether
MOVES_MAX = 4096  # rows kept a tag, as gate/actuation/moves.py keeps them
CAUSES_MAX = 500  # rows kept, as gate/actuation/causes.py keeps them
OURS = {"leaf", "node", "checkpoint"}  # the record itself


class Difference(Word):
    """A row that the records don't lead to, or one that they lead to and that is not there."""

    table: str
    row: str
    detail: str
    seq: int | None = None  # the record that says otherwise


class Agreement(Word):
    agrees: bool
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]  # tables that the records don't determine; those not in NOT_DERIVED are nobody's that is known here
    differences: tuple[Difference, ...]


Rows = Callable[[str], list[tuple[Any, ...]]]  # runs a query on the table that is being checked


def agreement(db: apsw.Connection) -> Agreement:
    """Raises ValueError for a record that can't be followed, apsw.Error for a file that can't be read."""
    told = derived(bytes(leaf) for (leaf,) in db.execute("SELECT bytes FROM leaf ORDER BY seq"))  # type: ignore[arg-type]
    there = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")}

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return db.execute(sql).fetchall()

    def nothing(sql: str) -> list[tuple[Any, ...]]:
        return []  # a table that is not there has no rows: what should stand in it is missed

    found: list[Difference] = []
    for table, check in CHECKS.items():
        found += check(rows if table in there else nothing, told)
    return Agreement(
        agrees=not found,
        checked=tuple(sorted(CHECKS)),
        unchecked=tuple(sorted(there - CHECKS.keys() - OURS)),
        differences=tuple(found[:DIFFERENCES_MAX]),
    )


def _people(rows: Rows, told: Derived) -> Iterator[Difference]:
    columns = {name for _, name, *_ in rows("PRAGMA table_info(person)")}
    disabled = "disabled" if "disabled" in columns else "0"  # a file that only an earlier release has opened
    known = {
        fold: (name, json.loads(roles), public.hex(), bool(off))
        for fold, name, roles, public, off in rows(f"SELECT fold, name, roles, public, {disabled} FROM person")  # noqa: S608 - constants
    }
    for fold, (seq, body) in told.people.items():
        if fold not in known:
            yield Difference(table="person", row=body["name"], detail="was added and never removed, and is not there", seq=seq)
        elif known[fold][:3] != (body["name"], body["roles"], body["public"]):
            yield Difference(table="person", row=body["name"], detail="has other roles or another key than the record says", seq=seq)
        elif known[fold][3] != body["disabled"]:
            detail = f"is {'disabled' if known[fold][3] else 'enabled'}, the record says otherwise"
            yield Difference(table="person", row=body["name"], detail=detail, seq=seq)
    for fold in known.keys() - told.people.keys():
        yield Difference(table="person", row=known[fold][0], detail="is there, and no record says that this person was added")
    for fold, (name, *_) in known.items():
        if folded(name) != fold:
            yield Difference(table="person", row=name, detail=f"is looked up as {fold!r}")


def _agents(rows: Rows, told: Derived) -> Iterator[Difference]:
    known = {fold: (name, hashed.hex()) for fold, name, hashed in rows("SELECT fold, name, hash FROM agent")}
    for fold, (seq, body) in told.agents.items():
        if fold not in known:
            yield Difference(table="agent", row=body["name"], detail="was added and never revoked, and is not there", seq=seq)
        elif known[fold][0] != body["name"] or known[fold][1] != body.get("hash", known[fold][1]):
            yield Difference(table="agent", row=body["name"], detail="has another token than the one that was given out", seq=seq)
    for fold in known.keys() - told.agents.keys():
        yield Difference(table="agent", row=known[fold][0], detail="is there, and no record says that this agent was added")


def _autonomy(rows: Rows, told: Derived) -> Iterator[Difference]:
    known: dict[str, str] = dict(rows("SELECT scope, level FROM autonomy"))  # type: ignore[arg-type]
    for scope, (seq, level) in told.autonomy.items():
        if known.get(scope) != level:
            detail = f"is {known.get(scope, 'not there')}, the record says {level}"
            yield Difference(table="autonomy", row=scope, detail=detail, seq=seq)
    for scope in known.keys() - told.autonomy.keys():
        yield Difference(table="autonomy", row=scope, detail=f"is {known[scope]}, and no record says so")


ASK = ("binds", "author", "roles", "tags", "opened_ns", "valid_s", "deadline_ns", "boot")


def _asks(rows: Rows, told: Derived) -> Iterator[Difference]:
    seen: set[str] = set()
    for proposal, closed, *values in rows(f"SELECT proposal, closed, {', '.join(ASK)} FROM ask"):  # noqa: S608 - constants
        seen.add(proposal)
        ask = told.asks.get(proposal)
        row = {**dict(zip(ASK, values, strict=True)), "roles": json.loads(values[2]), "tags": json.loads(values[3])}
        if ask is None:
            yield Difference(table="ask", row=proposal, detail="is there, and no record says that it was asked")
        elif row != {name: ask.body[name] for name in ASK}:
            yield Difference(table="ask", row=proposal, detail="was asked otherwise", seq=ask.seq)
        elif closed not in ask.closed:
            detail = f"is {closed or 'open'}, the record says {' or '.join(sorted(ask.closed)) or 'open'}"
            yield Difference(table="ask", row=proposal, detail=detail, seq=ask.seq)
    for proposal in told.asks.keys() - seen:
        yield Difference(table="ask", row=proposal, detail="was asked, and is not there", seq=told.asks[proposal].seq)


APPROVAL = ("proposal", "binds", "person", "role", "reason", "at_ns")


def _approvals(rows: Rows, told: Derived) -> Iterator[Difference]:
    expected = {(p, role): told_of for p, ask in told.asks.items() for role, told_of in ask.approvals.items()}
    seen: set[tuple[str, str]] = set()
    for yes, signature, *values in rows(f"SELECT yes, signature, {', '.join(APPROVAL)} FROM approval"):  # noqa: S608 - constants
        row: dict[str, Any] = {**dict(zip(APPROVAL, values, strict=True)), "yes": bool(yes), "signature": signature.hex()}
        place = row["proposal"], row["role"]
        seen.add(place)
        known = expected.get(place)
        name = f"{row['proposal']} by {row['person']} as {row['role']}"
        if known is None:
            yield Difference(table="approval", row=name, detail="is there, and no record says that it was given")
        elif row != known[1]:
            yield Difference(table="approval", row=name, detail="is not the answer that was given", seq=known[0])
    for proposal, role in expected.keys() - seen:
        seq, body = expected[proposal, role]
        yield Difference(table="approval", row=f"{proposal} by {body['person']} as {role}", detail="was given, and is not there", seq=seq)


def _jobs(rows: Rows, told: Derived) -> Iterator[Difference]:
    seen: set[str] = set()
    for proposal, state, raw in rows("SELECT proposal, state, bytes FROM job"):
        seen.add(proposal)
        job, body = told.jobs.get(proposal), json.loads(raw)
        if job is None:
            yield Difference(table="job", row=proposal, detail=f"is {state}, and no record says that it was decided")
            continue
        steps = [(step["tag"], step["former"], step["wanted"]) for step in body["steps"]]
        if state not in job.states or body["state"] != state:
            detail = f"is {state}, the record says {' or '.join(sorted(job.states))}"
            yield Difference(table="job", row=proposal, detail=detail, seq=job.seq)
        elif (body["proposal"], body["decision"], body["author"]) != (job.proposal, job.decision, job.author):
            yield Difference(table="job", row=proposal, detail="is not what was proposed and decided", seq=job.seq)
        elif steps != (job.steps or []):
            yield Difference(table="job", row=proposal, detail="sets other values than the record says", seq=job.seq)
    for proposal, job in told.jobs.items():
        if proposal not in seen and not job.states & ENDED:  # those that ended are let go of some time
            yield Difference(
                table="job", row=proposal, detail=f"is not there, the record says {' or '.join(sorted(job.states))}", seq=job.seq
            )


ENDED = {"refused", "shadow", "expired", "voided", "failed", "restored", "done"}


def _moves(rows: Rows, told: Derived) -> Iterator[Difference]:
    """Ours must be the latest of those on record, in their order, none counting from earlier than it was made."""
    ours: dict[str, list[tuple[Any, ...]]] = {}
    others: dict[str, int] = {}
    kept: dict[str, int] = {}
    for tag, before, after, at_ns, by, of_ours, shadow in rows("SELECT tag, before, after, at_ns, by, ours, shadow FROM moves ORDER BY id"):
        kept[tag] = kept.get(tag, 0) + 1
        if of_ours and not shadow:
            ours.setdefault(tag, []).append((before, after, by, at_ns))
        elif not of_ours:
            others[tag] = max(at_ns, others.get(tag, 0))
    for tag in {*ours, *told.moves}:
        there, expected = ours.get(tag, []), told.moves.get(tag, [])
        if kept.get(tag, 0) >= MOVES_MAX:  # full: the oldest went
            expected = expected[len(expected) - len(there) :]
        for move, row in zip(expected, there, strict=False):
            if row[:3] != (move.before, move.after, move.by) or row[3] < move.at_ns - DRIFT_NS:
                detail = f"{move.before:g} → {move.after:g} of {move.proposal} is missing, changed, or counts from too early a time"
                yield Difference(table="moves", row=tag, detail=detail, seq=move.seq)
                break
        else:
            for move in expected[len(there) :]:
                detail = f"{move.before:g} → {move.after:g} of {move.proposal} is missing: it would not be counted"
                yield Difference(table="moves", row=tag, detail=detail, seq=move.seq)
            for row in there[len(expected) :]:
                yield Difference(table="moves", row=tag, detail=f"{row[0]:g} → {row[1]:g} by {row[2]} is in no record")
    for tag, (seq, at_ns) in told.taken.items():
        if others.get(tag, 0) < at_ns - DRIFT_NS:
            yield Difference(table="moves", row=tag, detail="the latest change by others is missing: it would not be counted", seq=seq)


def _yields(rows: Rows, told: Derived) -> Iterator[Difference]:
    known: dict[str, int] = dict(rows("SELECT tag, until_ns FROM yielding"))  # type: ignore[arg-type]
    for tag, (seq, until_ns) in told.yields.items():
        if known.get(tag, 0) < until_ns - DRIFT_NS:
            yield Difference(table="yielding", row=tag, detail="ends earlier than the record says", seq=seq)


def _configuration(rows: Rows, told: Derived) -> Iterator[Difference]:
    latest = rows("SELECT digest, bytes FROM configuration ORDER BY generation DESC LIMIT 1")
    if told.configuration is None and latest:
        yield Difference(table="configuration", row=latest[0][0], detail="is in force, and no record says that it was activated")
    if told.configuration is not None:
        seq, of = told.configuration
        if not latest or latest[0][0] != of or hashlib.sha256(latest[0][1]).hexdigest() != of:
            yield Difference(table="configuration", row=of, detail="was activated last, and is not what is in force", seq=seq)


QUESTION = ("proposal", "author", "person", "text", "at_ns", "answer", "answered_by", "answered_ns")
QUESTIONS_KEPT = 10_000  # the oldest go first


def _questions(rows: Rows, told: Derived) -> Iterator[Difference]:
    known = {row[0]: dict(zip(QUESTION, row[1:], strict=True)) for row in rows(f"SELECT id, {', '.join(QUESTION)} FROM question")}  # noqa: S608
    latest = dict(sorted(told.questions.items(), key=lambda one: -one[1][0])[:QUESTIONS_KEPT])
    for name, (seq, body) in latest.items():
        if name not in known:
            yield Difference(table="question", row=name, detail="was asked, and is not there", seq=seq)
        elif known[name] != {field: body[field] for field in QUESTION}:
            yield Difference(table="question", row=name, detail="is not what was asked and answered", seq=seq)
    for name in known.keys() - latest.keys():
        yield Difference(table="question", row=name, detail="is there, and no record says that it was asked")


def _rungs(rows: Rows, told: Derived) -> Iterator[Difference]:
    known = {tag: (seq, rung) for tag, rung, seq in rows("SELECT tag, rung, seq FROM commission")}
    for tag, (seq, rung) in told.rungs.items():
        if known.get(tag) != (seq, rung):
            there = repr(known[tag][1]) if tag in known else "not there"
            yield Difference(table="commission", row=tag, detail=f"is {there}, the record says {rung!r}", seq=seq)
    for tag in known.keys() - told.rungs.keys():
        yield Difference(table="commission", row=tag, detail=f"is {known[tag][1]!r}, and no record says so")


def _rungs_signed(rows: Rows, told: Derived) -> Iterator[Difference]:
    known = {seq: (tag, rung) for tag, rung, seq in rows("SELECT tag, rung, seq FROM commission_signed")}
    for seq in sorted({*known, *told.rungs_signed}):
        if known.get(seq) != told.rungs_signed.get(seq):
            tag, rung = known.get(seq) or told.rungs_signed[seq]
            yield Difference(table="commission_signed", row=f"{tag} {rung}", detail="is not what was signed", seq=seq)


def _set_backs(rows: Rows, told: Derived) -> Iterator[Difference]:
    known: dict[str, int] = dict(rows("SELECT root, seq FROM set_back"))  # type: ignore[arg-type]
    for root in sorted({*known, *told.set_backs}):
        if known.get(root) != told.set_backs.get(root):
            detail = "a witnessed head counts as answered for, or as not, against the record"
            yield Difference(table="set_back", row=root[:16], detail=detail, seq=told.set_backs.get(root))


def _outbox(rows: Rows, told: Derived) -> Iterator[Difference]:
    known: dict[tuple[str, str], tuple[str, int, dict[str, Any]]] = {}
    for proposal, target, state, tries, body in rows("SELECT proposal, target, state, tries, body FROM outbox"):
        known[proposal, target] = state, tries, json.loads(body)
    for (proposal, target), order in told.outbox.items():
        row, name = known.get((proposal, target)), f"{proposal} to {target}"
        if row is None:
            if order.state == "queued":  # those that ended are let go of some time
                yield Difference(table="outbox", row=name, detail="waits to be carried, and is not there", seq=order.seq)
        elif row[:2] != (order.state, order.tries):
            detail = f"is {row[0]} after {row[1]} tries, the record says {order.state} after {order.tries}"
            yield Difference(table="outbox", row=name, detail=detail, seq=order.seq)
        elif not _is_order(row[2], told, proposal, order.seq):
            yield Difference(table="outbox", row=name, detail="says something else than what was decided", seq=order.seq)
    for proposal, target in known.keys() - told.outbox.keys():
        yield Difference(table="outbox", row=f"{proposal} to {target}", detail="is there, and no record says that it was intended")


def _is_order(body: dict[str, Any], told: Derived, proposal: str, seq: int) -> bool:
    job = told.jobs[proposal]
    action = job.proposal["action"]
    said = body["kind"], body["equipment"], body["parts"], body["slot_ns"], body["claims"], body["author"], body["record"]
    claims = {"text": action["text"], "reason": job.proposal["reason"]}
    return said == (action["kind"], action["target"], action["parts"], action["slot_ns"], claims, job.author, seq)


def _signatures(rows: Rows, told: Derived) -> Iterator[Difference]:
    """One that is missing gives nobody anything; one that is there, or counts for longer, must be on record."""
    for of, generation, fold, role, person, at_ns in rows(
        "SELECT digest, generation, fold, role, person, at_ns FROM configuration_signature"
    ):
        signed = told.signed_for.get((of, generation, fold))
        name = f"{of[:16]} by {person}"
        if signed is None:
            yield Difference(table="configuration_signature", row=name, detail="is there, and no record says that it was signed")
        elif signed[2:] != (role, person) or at_ns > signed[1] + DRIFT_NS:
            detail = "is in another role, of another person or of a later time than the record says"
            yield Difference(table="configuration_signature", row=name, detail=detail, seq=signed[0])


def _peak(rows: Rows, told: Derived) -> Iterator[Difference]:
    highest = max((int(revision) for (revision,) in rows("SELECT revision FROM configuration_peak")), default=0)
    if highest < told.peak:
        detail = f"is {highest}; {told.peak} was in force: an older policy could follow it"
        yield Difference(table="configuration_peak", row="revision", detail=detail)


def _shelved(rows: Rows, told: Derived) -> Iterator[Difference]:
    """One that is missing only rings again."""
    for tag, side, until_ns in rows("SELECT tag, side, until_ns FROM alarm_shelved"):
        seq, told_ns = told.shelved.get((tag, side), (None, 0))
        if until_ns > told_ns:
            yield Difference(table="alarm_shelved", row=f"{tag} {side}", detail="is shelved, or for longer than the record says", seq=seq)


def _learned(rows: Rows, told: Derived) -> Iterator[Difference]:
    known = {name: (of, basis) for name, of, basis in rows("SELECT name, digest, basis FROM learned_in_force")}
    for name in {*known, *told.learned}:
        seq, *expected = told.learned.get(name, (None, "", ""))
        if known.get(name, ("", "")) != tuple(expected):
            detail = f"{known.get(name, ('nothing', ''))[0][:16]} is in force, the record says {expected[0][:16] or 'nothing'}"
            yield Difference(table="learned_in_force", row=name, detail=detail, seq=seq)


# What the records don't determine, and why that is no right, approval or budget that somebody could give himself.
NOT_DERIVED = {
    "alive": "how lately the gate ran: it only shortens what unknown downtime is counted as",
    "alarm": "plant limits follow the plant's values; the record holds each change",
    "alarm_flood": "counted from alarms",
    "alarm_rang": "counted from alarms",
    "autonomy_lowered": "why autonomy is low; that it is low is held against the record",
    "configuration_adopted": "tells of past activations; what is in force is held against the record",
    "configuration_proposed": "what was proposed counts for nothing until it is signed",
    "effect_wrong": "counts towards lowering autonomy only",
    "learned_state": "what is kept counts for nothing until it is in force, and the record holds the digest of that",
    "fault_seen": "counts towards lowering autonomy only",
    "seen": "setpoints last seen; the next frame says them anew",
    "stranger": "wrong passwords for names that nobody has",
}


def _causes(rows: Rows, told: Derived) -> Iterator[Difference]:
    known = {incident: said for incident, *said in rows("SELECT incident, mode, told, person FROM confirmed_cause")}
    newest = dict(list(told.causes.items())[-CAUSES_MAX:])
    for incident in {*known, *newest}:
        seq, *expected = told.causes.get(incident, (None, "", "", ""))
        said = known.get(incident, ["", "", ""])
        if said != expected:
            detail = (
                f"says {', '.join(map(str, said))}; the record {', '.join(expected)}" if seq and incident in known else "no record says so"
            )
            detail = detail if incident in known else "is not there, and the record says so"
            yield Difference(table="confirmed_cause", row=incident, detail=detail, seq=seq)


def _models(rows: Rows, told: Derived) -> Iterator[Difference]:
    known: dict[str, list[tuple[Any, ...]]] = {}
    columns = "role, digest, name, version, person, evaluations"
    for role, *one, evaluations in rows(f"SELECT {columns} FROM model_in_force ORDER BY role, place"):  # noqa: S608 - constants
        known.setdefault(role, []).append((*one, json.loads(evaluations)))
    for role in sorted({*known, *told.models}):
        expected = told.models.get(role, [])
        there, said = known.get(role, []), [(one.digest, one.name, one.version, one.person, one.evaluations) for one in expected]
        if there != said:
            first = there[-1][0][:16] if there else "nothing"
            detail = f"{first} is in force, after {max(len(there) - 1, 0)} others; the record says otherwise"
            yield Difference(table="model_in_force", row=role, detail=detail, seq=expected[-1].seq if expected else None)


CHECKS: dict[str, Callable[[Rows, Derived], Iterator[Difference]]] = {
    "person": _people,
    "agent": _agents,
    "autonomy": _autonomy,
    "ask": _asks,
    "approval": _approvals,
    "job": _jobs,
    "moves": _moves,
    "yielding": _yields,
    "configuration": _configuration,
    "question": _questions,
    "commission": _rungs,
    "commission_signed": _rungs_signed,
    "set_back": _set_backs,
    "outbox": _outbox,
    "configuration_signature": _signatures,
    "configuration_peak": _peak,
    "learned_in_force": _learned,
    "confirmed_cause": _causes,
    "model_in_force": _models,
    "alarm_shelved": _shelved,
}
