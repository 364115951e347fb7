"""The crash suite's oracle: what the device got, held against the records on disk. It imports neither gate nor agent."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from holdfast.terms import Word

WITHIN = 0.004  # of the site file's readback, bar
ENDS = ("voided", "void", "expired", "fell", "intent")  # what may become of an approval


class Life(Word):
    """What one folder's many kills came to."""

    writes: int
    duplicate_writes: int
    unrecorded_writes: int
    approvals: int
    lost_approvals: int
    refunded: int  # intents whose move is not counted
    indeterminate: int
    decidable: int  # of them those where the read-back could have told
    unfinished: int  # actions that neither ended nor wait for a person
    retreats: int
    orders: int  # delivered
    lost_answers: int  # told to a person or an agent as done, and not on record; or alive again after a restore
    faults: tuple[str, ...] = ()  # told one by one, at most FAULTS_MAX


FAULTS_MAX = 10


def judge(folder: Path, heard: Mapping[str, Sequence[str]]) -> Life:
    """`heard`: what lives told before they were killed, by its first word.

    signed: proposals whose approval was answered as recorded; reused: those found usable again after a restart; found: findings that
    were taken; activated: digests; stopped, commissioned, activated: one each; torn, revived: faults that a life itself saw.
    """
    db = apsw.Connection(str(folder / "gate" / "state.db"))
    try:
        records = [json.loads(bytes(row[0])) for row in db.execute("SELECT bytes FROM leaf ORDER BY seq")]  # type: ignore[arg-type]
        moves = Counter(
            (str(t), round(float(str(a)) * 100)) for t, a in db.execute("SELECT tag, after FROM moves WHERE ours AND NOT shadow")
        )
        jobs = {str(p): str(s) for p, s in db.execute("SELECT proposal, state FROM job")}
        learned = _learned(db, folder / "gate" / "learned")
    finally:
        db.close()
    got = _lines(folder / "device.log")
    orders = Counter(
        line["key"] for line in (*_lines(folder / "gate/outbox/logbook.jsonl"), *_lines(folder / "gate/outbox/shut/orders.jsonl"))
    )
    by: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        by.setdefault(record["kind"], []).append(record)
    wanted = Counter(_steps([*by.get("intent", ()), *by.get("retreat", ())]))
    arrived = Counter((one["tag"], one["word"]) for one in got)
    duplicates = [f"{key}: {n} requests, {wanted[key]} intents" for key, n in arrived.items() if n > max(wanted[key], 1)]
    duplicates += [f"order {key}: delivered {n} times" for key, n in orders.items() if n > 1]
    decided = {r["body"]["proposal"]["id"] for r in by.get("decision", ())}
    unrecorded = [f"{one['tag']} {one['word']}" for one in got if not one["known"] or wanted[one["tag"], one["word"]] == 0]
    unrecorded += [r["body"]["proposal"] for r in by.get("intent", ()) if r["body"]["proposal"] not in decided]
    unrecorded += [f"{p} is a call and was not refused" for p in _calls(by) if jobs.get(p) != "refused"]
    lost = [*_lost(by, heard.get("signed", ())), *(f"{p}: usable again" for p in heard.get("reused", ()))]
    unanswered = [*_unanswered(by, heard, orders), *_unlearned(learned, by, heard)]
    refunded = [f"{key}" for key, n in wanted.items() if moves[key] < n]
    unclear = [r for r in by.get("outcome", ()) if r["body"]["outcome"]["result"] == "indeterminate"]
    decidable = [r["body"]["proposal"] for r in unclear if _could_tell(r, by)]
    ended = ("refused", "shadow", "expired", "voided", "failed", "restored", "done", "indeterminate", "escalated")
    unfinished = [f"{p}: {s}" for p, s in jobs.items() if s not in ended]
    told = (*duplicates, *unrecorded, *lost, *refunded, *decidable, *unanswered, *unfinished)
    return Life(
        writes=len(got),
        duplicate_writes=len(duplicates),
        unrecorded_writes=len(unrecorded),
        approvals=len([r for r in by.get("approval", ()) if r["body"]["yes"]]),
        lost_approvals=len(lost),
        refunded=len(refunded),
        indeterminate=len(unclear),
        decidable=len(decidable),
        unfinished=len(unfinished),
        retreats=len(by.get("retreat", ())),
        orders=len(orders),
        lost_answers=len(unanswered),
        faults=told[:FAULTS_MAX],
    )


class Learned(Word):
    """What detectors learned, as the tables and the files have it."""

    kept: frozenset[str]  # digests that a row names
    torn: tuple[str, ...]  # of them those whose file is not what it was
    in_force: tuple[tuple[str, str], ...]  # (detector, digest)


def _learned(db: apsw.Connection, folder: Path) -> Learned:
    if not list(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'learned_state'")):
        return Learned(kept=frozenset(), torn=(), in_force=())
    kept = frozenset(str(row[0]) for row in db.execute("SELECT digest FROM learned_state"))
    whole = {of for of in kept if (folder / of).is_file() and hashlib.sha256((folder / of).read_bytes()).hexdigest() == of}
    rows = [(str(name), str(of)) for name, of in db.execute("SELECT name, digest FROM learned_in_force")]
    return Learned(kept=kept, torn=tuple(sorted(kept - whole)), in_force=tuple(rows))


def _unlearned(learned: Learned, by: Mapping[str, list[Mapping[str, Any]]], heard: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """A state that was taken and is not on record, whose file is gone or torn, or that is in force without its record."""
    offered = {r["body"]["digest"] for r in by.get("learned.offered", ())}
    adopted = [(r["body"]["name"], r["body"]["digest"]) for r in by.get("learned", ())]
    yield from (f"learned state {of}: taken, not recorded" for of in heard.get("kept", ()) if of not in offered)
    yield from (f"learned state {of}: a row names it, its file is not what it was" for of in learned.torn)
    yield from (f"learned state {of}: in force, not kept" for _, of in learned.in_force if of not in learned.kept)
    last = dict(adopted)
    yield from (f"learned state {of} of {name}: in force without its record" for name, of in learned.in_force if last.get(name) != of)
    back = {r["body"]["digest"] for r in by.get("learned", ()) if r["body"]["how"] == "put_back"}
    yield from (f"learned state {of}: put back, not recorded" for of in heard.get("restored", ()) if of not in back)


def _lines(path: Path) -> list[dict[str, Any]]:
    """A line that a kill cut short is none."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _calls(by: Mapping[str, list[Mapping[str, Any]]]) -> Iterable[str]:
    for record in by.get("decision", ()):
        if record["body"]["proposal"]["action"].get("kind") == "call":
            yield record["body"]["proposal"]["id"]


def _unanswered(by: Mapping[str, list[Mapping[str, Any]]], heard: Mapping[str, Sequence[str]], orders: Counter[str]) -> Iterable[str]:
    """What somebody was told and the record does not have."""
    findings = {r["body"]["finding"]["id"] for r in by.get("finding", ())}
    activated = {r["body"]["digest"] for r in by.get("activated", ())}
    yield from (f"finding {f}: taken, not recorded" for f in heard.get("found", ()) if f not in findings)
    yield from (f"configuration {d}: activated, not recorded" for d in heard.get("activated", ()) if d not in activated)
    signed = [r for r in by.get("commission", ()) if r["body"]["act"] == "sign"]
    for what, records in (
        ("stopped", by.get("stop", ())),
        ("commissioned", signed),
        ("shelved", by.get("alarm.shelved", ())),
        ("asked", by.get("question", ())),
        ("relearning", by.get("relearn", ())),
        ("promoted", [r for r in by.get("model", ()) if r["body"]["act"] == "promote"]),
        ("confirmed", [r for r in by.get("cause", ()) if r["body"]["act"] == "confirm"]),
    ):
        if len(heard.get(what, ())) > len(records):
            yield f"{what} {len(heard[what])} times, {len(records)} records"
    delivered = {r["body"]["key"] for r in by.get("delivery", ()) if r["body"]["result"] == "delivered"}
    yield from (f"order {key}: delivered, and not at its target" for key in delivered if key not in orders)
    for what in ("torn", "revived"):
        yield from (f"{what} {line}" for line in heard.get(what, ()))


def _steps(records: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, int]]:
    for record in records:
        for step in record["body"]["steps"]:
            yield step["tag"], round(step["wanted"] * 100)


def _lost(by: Mapping[str, list[Mapping[str, Any]]], signed: Sequence[str]) -> list[str]:
    """Approvals without a record, without an end, or with more uses than one."""
    recorded = [r["body"]["proposal"] for r in by.get("approval", ()) if r["body"]["yes"]]
    ends = {kind: Counter(r["body"]["proposal"] for r in by.get(kind, ())) for kind in ENDS}
    found = [f"{p}: answered, not recorded" for p in signed if p not in set(recorded)]
    found += [f"{p}: no end" for p in recorded if not any(ends[kind][p] for kind in ENDS)]
    return found + [f"{p}: used {ends['intent'][p]} times" for p in recorded if ends["intent"][p] > 1]


def _could_tell(outcome: Mapping[str, Any], by: Mapping[str, list[Mapping[str, Any]]]) -> bool:
    """The last read-back showed all of what was wanted, or, of a write that outlived its process, all of what was before."""
    proposal = outcome["body"]["proposal"]
    steps = [s for r in by.get("intent", ()) if r["body"]["proposal"] == proposal for s in r["body"]["steps"]]
    shown = [s["value"] for s in outcome["body"]["outcome"]["readback"]]
    if len(shown) != len(steps) or not steps:
        return False
    outlived = any(r["body"]["proposal"] == proposal for r in by.get("reconciling", ()))
    wanted = all(abs(v - s["wanted"]) <= WITHIN for v, s in zip(shown, steps, strict=True))
    former = all(abs(v - s["former"]) <= WITHIN for v, s in zip(shown, steps, strict=True))
    return wanted or (outlived and former)
