"""The crash suite's oracle: what the device got, held against the records on disk. It imports neither gate nor agent."""

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
    faults: tuple[str, ...] = ()  # told one by one, at most FAULTS_MAX


FAULTS_MAX = 10


def judge(folder: Path, signed: Sequence[str], reused: Sequence[str]) -> Life:
    """`signed`: proposals whose approval was answered as recorded. `reused`: those found usable again after a restart."""
    db = apsw.Connection(str(folder / "gate" / "state.db"))
    try:
        records = [json.loads(bytes(row[0])) for row in db.execute("SELECT bytes FROM leaf ORDER BY seq")]  # type: ignore[arg-type]
        moves = Counter((str(t), round(float(str(a)) * 100)) for t, a in db.execute("SELECT tag, after FROM moves WHERE ours"))
        jobs = {str(p): str(s) for p, s in db.execute("SELECT proposal, state FROM job")}
    finally:
        db.close()
    got = [json.loads(line) for line in (folder / "device.log").read_text().splitlines()] if (folder / "device.log").exists() else []
    by: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        by.setdefault(record["kind"], []).append(record)
    wanted = Counter(_steps([*by.get("intent", ()), *by.get("retreat", ())]))
    arrived = Counter((one["tag"], one["word"]) for one in got)
    duplicates = [f"{key}: {n} requests, {wanted[key]} intents" for key, n in arrived.items() if n > max(wanted[key], 1)]
    decided = {r["body"]["proposal"]["id"] for r in by.get("decision", ())}
    unrecorded = [f"{one['tag']} {one['word']}" for one in got if not one["known"] or wanted[one["tag"], one["word"]] == 0]
    unrecorded += [r["body"]["proposal"] for r in by.get("intent", ()) if r["body"]["proposal"] not in decided]
    lost = [*_lost(by, signed), *reused]
    refunded = [f"{key}" for key, n in wanted.items() if moves[key] < n]
    unclear = [r for r in by.get("outcome", ()) if r["body"]["outcome"]["result"] == "indeterminate"]
    decidable = [r["body"]["proposal"] for r in unclear if _could_tell(r, by)]
    ended = ("refused", "shadow", "expired", "voided", "failed", "restored", "done", "indeterminate", "escalated")
    unfinished = [f"{p}: {s}" for p, s in jobs.items() if s not in ended]
    told = (*duplicates, *unrecorded, *lost, *refunded, *decidable, *unfinished)
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
        faults=told[:FAULTS_MAX],
    )


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
