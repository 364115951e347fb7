"""`bench records`: a generated year of a plant's ledger, and how long each kind of page of it takes.

The year is made by a seeded generator, not by a gate: leaves as a gate writes them, and the tree over them. Every time is
of one page on an open index, the slowest of PAGES places in the record.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdfast.clock import VirtualClock
from holdfast.evals.suites import Figures, Options
from holdfast.gate.ledger.incidents import LISTED_MAX, chain, known, listed
from holdfast.gate.ledger.index import RecordIndex
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.merkle import TILE, Frontier, leaf_hash
from holdfast.gate.ledger.query import Query, page
from holdfast.gate.ledger.store import State
from holdfast.terms import SECOND_NS, canonical

RECORDS = 2_000_000
YEAR_S = 365 * 86_400
START_NS = 1_735_689_600 * SECOND_NS  # 2025-01-01
TOGETHER = 40 * TILE
PAGES = 5
PAGE_MS_MAX = 50.0
TAGS = tuple(
    f"stand-{stand}/{tag}" for stand in range(1, 6) for tag in ("tension.sp", "tension.pv", "vibration", "speed", "current", "force")
)
CHECKS = (
    "well_formed", "addressed", "wire", "stop", "autonomy", "enable", "maintenance", "requires", "policy.ask", "fresh", "yield", "busy",
    "unchanged", "envelope.step", "envelope.rate", "envelope.writes", "envelope.dwell", "envelope.range.above",
)  # fmt: skip
AGENTS, PEOPLE = ("mill-agent", "furnace-agent", "night-agent"), ("ann", "bob", "li.wei", "wang.fang")


def run(options: Options) -> Figures:
    records = options.n or RECORDS
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        figures = _measured(Path(folder), records, options)
    return Figures(name="records", seed=options.seed, figures=figures, pass_=figures["slowest_ms"] <= PAGE_MS_MAX)


def year(records: int, seed: int, from_ns: int = START_NS) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(at_ns, kind, body) of each record: mostly alarms, then incidents with all that follows, some people's acts."""
    rng = random.Random(seed)
    made = 0
    number = 0
    while made < records:
        at_ns = from_ns + int(made / records * YEAR_S) * SECOND_NS
        what = rng.random()
        if what < 0.80:
            found = [("alarm", _alarm(rng, at_ns))]
        elif what < 0.97:
            number += 1
            found = _incident(rng, number, at_ns)
        else:
            found = [("session", {"change": "begun", "person": rng.choice(PEOPLE), "why": "signed_in"})]
        for kind, body in found:
            made += 1
            yield at_ns + made % 1000, kind, body


def _alarm(rng: random.Random, at_ns: int) -> dict[str, Any]:
    tag = rng.choice(TAGS)
    return {
        "tag": tag,
        "limit": "hi",
        "priority": "low",
        "active": rng.random() < 0.5,
        "acknowledged": False,
        "since_ns": at_ns,
        "value": 1.0,
    }


def _incident(rng: random.Random, number: int, at_ns: int) -> list[tuple[str, dict[str, Any]]]:
    agent, tag, name, proposal = rng.choice(AGENTS), rng.choice(TAGS), f"incident-{number}", f"p-{number}"
    of, verdict = {"kind": "finding", "ref": f"f-{number}", "quote": ""}, rng.choice(("ask", "refuse", "permit"))
    finding = {
        "id": f"f-{number}", "incident": name, "detector": "dynamic@0", "onset_ns": at_ns, "found_ns": at_ns, "confidence": 0.9,
        "score": 1.2, "shares": [[tag, 0.7], [rng.choice(TAGS), 0.3]],
    }  # fmt: skip
    causes = [
        {"mode": "chatter", "probability": 0.8, "supporting": [of], "opposing": []},
        {"mode": "none of these", "probability": 0.2, "supporting": [], "opposing": [of]},
    ]
    found: list[tuple[str, dict[str, Any]]] = [
        ("finding", {"author": agent, "finding": finding}),
        ("diagnosis", {"author": agent, "diagnosis": {"id": f"d-{number}", "incident": name, "at_ns": at_ns, "causes": causes}}),
        ("decision", _decision(agent, tag, name, proposal, verdict)),
    ]
    if verdict == "ask":
        person = rng.choice(PEOPLE)
        found.append(("approval", {"proposal": proposal, "person": person, "role": "operator", "yes": True, "reason": ""}))
    if verdict != "refuse":
        outcome = {"result": "verified", "effect": None, "code": "", "readback": []}
        steps = [{"tag": tag, "former": 99.0, "wanted": 100.0}]
        found.append(("intent", {"proposal": proposal, "author": agent, "steps": steps}))
        found.append(("outcome", {"proposal": proposal, "author": agent, "outcome": outcome}))
        found.append(("effect", {"proposal": proposal, "author": agent, "outcome": {**outcome, "effect": "expected"}}))
    return found


def _decision(agent: str, tag: str, incident: str, proposal: str, verdict: str) -> dict[str, Any]:
    """With a reason for each check, as the guard gives them; a refusal's last one failed."""
    facts = (
        ["low", "90"], ["high", "115"], ["unit", "kN"], ["value", "100"], ["before", "99"], ["after", "100"], ["max", "6"], ["count", "1"],
        ["window_s", "3600"], ["age_s", "0.2"], ["level", "ask"], ["by", "site"], ["rules", "trim"], ["of", "permit"],
    )  # fmt: skip
    reasons = [{"code": code, "passed": True, "tag": tag, "facts": facts} for code in CHECKS]
    if verdict == "refuse":
        reasons[-1] = {**reasons[-1], "passed": False}
    sets = {"kind": "write", "sets": [[tag, 100.0]], "unit": ""}
    wanted = {
        "id": proposal,
        "incident": incident,
        "action": sets,
        "reason": "x" * 200,
        "expect": "it falls",
        "evidence": [],
        "valid_s": 300.0,
    }
    decided = {"proposal": proposal, "author": agent, "verdict": verdict, "would": False, "roles": ["operator"], "reasons": reasons}
    return {"proposal": wanted, "decision": decided, "snapshot": "0" * 64}


def write_year(state: State, records: int, seed: int, from_ns: int = START_NS) -> None:
    """Leaves and their tree, as a log would have grown them, in as few commits as is quick."""
    rows: list[tuple[int, bytes, bytes]] = []
    grown = Frontier()
    for seq, (at_ns, kind, body) in enumerate(year(records, seed, from_ns), start=1):
        leaf = canonical({"seq": seq, "at_ns": at_ns, "kind": kind, "label": "site", "body": body})
        rows.append((seq, leaf, leaf_hash(leaf)))
        if len(rows) == TOGETHER:
            _insert(state, rows, grown)
            rows = []
    _insert(state, rows, grown)


def _insert(state: State, rows: list[tuple[int, bytes, bytes]], grown: Frontier) -> None:
    with state.transaction():
        state.db.executemany("INSERT INTO leaf VALUES (?, ?, ?)", rows)
        for begin in range(0, len(rows), TILE):
            hashes = [hashed for _, _, hashed in rows[begin : begin + TILE]]
            whole = len(hashes) == TILE
            nodes = grown.append_tile(hashes) if whole else [node for hashed in hashes for node in grown.append(hashed)]
            state.db.executemany("INSERT INTO node VALUES (?, ?, ?)", nodes)


def queries(seqs: int) -> dict[str, list[Query]]:
    """Each kind of page, at PAGES places of a record of `seqs`."""
    places = [seqs * place // PAGES for place in range(PAGES)]
    at_ns = [START_NS + int(place / seqs * YEAR_S) * SECOND_NS for place in places]
    day_ns = 86_400 * SECOND_NS
    return {
        "plain": [Query(after=place, limit=1000) for place in places],
        "newest": [Query(before=place + 2, limit=1000, order="desc") for place in places],
        "kind": [Query(after=place, kinds=("decision",), limit=100) for place in places],
        "kinds": [Query(after=place, kinds=("decision", "approval", "outcome"), limit=100) for place in places],
        "rare kind": [Query(after=place, kinds=("no such kind",)) for place in places],
        "person": [Query(after=place, person="li.wei", order="desc") for place in places],
        "agent and kind": [Query(after=place, agent="mill-agent", kinds=("outcome",)) for place in places],
        "tag": [Query(after=place, tag="stand-3/vibration") for place in places],
        "tag and kind": [Query(after=place, tag="stand-3/vibration", kinds=("finding", "intent")) for place in places],
        "agent and tag": [Query(after=place, agent="night-agent", tag="stand-1/force", order="desc") for place in places],
        "agent and person": [Query(after=place, agent="night-agent", person="ann") for place in places],  # never in one record
        "proposal": [Query(proposal=f"p-{place // 20 + 1}") for place in places],
        "a day": [Query(from_ns=at, to_ns=at + day_ns, limit=1000) for at in at_ns],
        "a month's tag": [
            Query(from_ns=at, to_ns=at + 30 * day_ns, tag="stand-3/vibration", kinds=("alarm",), order="desc") for at in at_ns
        ],
        "before all time": [Query(to_ns=START_NS - 1, kinds=("alarm",))],
    }


def _measured(folder: Path, records: int, options: Options) -> dict[str, Any]:
    state = State(folder, durable=False, reserve_bytes=0)
    Log(state, VirtualClock(0))  # makes its tables
    began_s = time.perf_counter()
    write_year(state, records, options.seed)
    made_s = time.perf_counter() - began_s
    options.progress(0.4, f"{records} records; indexing")
    index = RecordIndex(folder)
    began_s = time.perf_counter()
    while left := index.step():
        options.progress(0.4 + 0.5 * (1 - left / records), "indexing")
    indexed_s = time.perf_counter() - began_s
    times_ms = {name: round(max(_timed_ms(index, query) for query in each), 2) for name, each in queries(index.done()).items()}
    times_ms |= {"incidents": _incidents_ms(index), "incident": _incident_ms(index)}
    sizes = {"ledger_mb": _mb(folder / "state.db"), "index_mb": _mb(folder / "index.db")}
    found = {"records": index.done(), "made_s": round(made_s, 1), "indexed_s": round(indexed_s, 1), **sizes}
    index.close()
    state.close()
    return {**found, "slowest_ms": max(times_ms.values()), "page_ms": times_ms, "aim": {"page_ms_max": PAGE_MS_MAX}}


def _timed_ms(index: RecordIndex, query: Query) -> float:
    began_s = time.perf_counter()
    page(index, query)
    return (time.perf_counter() - began_s) * 1000


def _incidents_ms(index: RecordIndex) -> float:
    began_s = time.perf_counter()
    listed(index, limit=LISTED_MAX)
    return round((time.perf_counter() - began_s) * 1000, 2)


def _incident_ms(index: RecordIndex) -> float:
    newest = listed(index, limit=1)
    began_s = time.perf_counter()
    found = known(index, newest[0].id) if newest else None
    if found is not None:
        chain(index, found)
    return round((time.perf_counter() - began_s) * 1000, 2)


def _mb(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 1)
