"""`bench ledger`: durable records a second in groups, one durable record's time, and how long a verification takes.

Every commit is on the disk when it returns (synchronous=FULL), in the machine's temporary folder: set TMPDIR to a real
disk where that is in memory. Beside it, in the same run, the same bytes as bare SQLite inserts.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from holdfast.clock import RealClock
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options
from holdfast.gate.ledger.checkpoint import Checkpoints, make_key
from holdfast.gate.ledger.leaves import CORES_MAX
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.gate.ledger.verify import verify
from holdfast.terms import Outcome, Sample

RECORDS = 1_000_000
GROUP = 32
SINGLES_MAX = 2_000
FLOOR_RECORDS_MAX = 100_000
RECORDS_PER_S_MIN, SINGLE_P50_MS_MAX, MILLION_S_MAX = 20_000.0, 0.5, 10.0


def run(options: Options) -> Figures:
    records = options.n or RECORDS
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        figures = _measured(Path(folder), records, options)
    return Figures(name="ledger", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    quick = figures["records_per_s"] >= RECORDS_PER_S_MIN and figures["single_ms"]["p50"] < SINGLE_P50_MS_MAX
    return quick and figures["verified"] and figures["verify_s_per_million"] < MILLION_S_MAX


def outcome(number: int) -> Outcome:
    """What one record holds: an outcome with its read-back, as each write leaves one."""
    value = 100.0 + number % 64 * 0.25
    readback = (Sample(tag="stand-4/tension.sp_now", value=value, status=0, source_ns=1_700_000_000_000_000_000 + number),)
    return Outcome(proposal=f"p-{number}", result="verified", readback=readback, code="readback.equal")


def _measured(folder: Path, records: int, options: Options) -> dict[str, Any]:
    state = State(folder)
    log = Log(state, RealClock())
    key = make_key(folder, "bench", lambda count: bytes(range(count)))
    checkpoints = Checkpoints.of(state, log)
    singles = _singles(min(SINGLES_MAX, records), lambda number: log.append("outcome", outcome(number)))
    began_s = time.perf_counter()
    for first in range(0, records, GROUP):
        with state.transaction():
            for number in range(first, min(first + GROUP, records)):
                log.append("outcome", outcome(number))
        if first % (GROUP * 256) == 0:
            options.progress(0.8 * first / records, f"{first} records")
    grouped_s = time.perf_counter() - began_s
    checkpoints.sign(time.time_ns())
    leaf = log.leaf(log.size) or b""
    state.close()
    options.progress(0.8, "verifying")
    began_s = time.perf_counter()
    found = verify(folder, key)
    verify_s = time.perf_counter() - began_s
    options.progress(0.95, "bare SQLite")
    floor = _floor(folder / "bare.db", min(records, FLOOR_RECORDS_MAX), leaf)
    rate = records / grouped_s
    return {
        "records": records,
        "record_bytes": len(leaf),
        "group": GROUP,
        "records_per_s": round(rate, 1),
        "single_ms": spread(singles),
        "verified": found.ok and found.records == records + len(singles),
        "verify_s": round(verify_s, 3),
        "verify_s_per_million": round(verify_s * 1e6 / found.records, 3) if found.records else None,
        "cores": min(len(os.sched_getaffinity(0)), CORES_MAX),
        "load": round(os.getloadavg()[0], 2),  # of the machine in the last minute, this bench included
        "bare_sqlite": floor,
        "share_of_bare_sqlite": round(rate / floor["records_per_s"], 3),
        "aim": {"records_per_s_min": RECORDS_PER_S_MIN, "single_p50_ms_max": SINGLE_P50_MS_MAX, "verify_s_per_million_max": MILLION_S_MAX},
    }


def _floor(path: Path, records: int, leaf: bytes) -> dict[str, Any]:
    """The same bytes, groups and durability with nothing around them: what the disk and SQLite alone take."""
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.execute("CREATE TABLE leaf (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT")
    singles = _singles(min(SINGLES_MAX, records), lambda _: db.execute("INSERT INTO leaf (bytes) VALUES (?)", (leaf,)))
    began_s = time.perf_counter()
    for first in range(0, records, GROUP):
        with db:
            for _ in range(first, min(first + GROUP, records)):
                db.execute("INSERT INTO leaf (bytes) VALUES (?)", (leaf,))
    rate = records / (time.perf_counter() - began_s)
    db.close()
    return {"records_per_s": round(rate, 1), "single_ms": spread(singles)}


def _singles(count: int, append: Callable[[int], object]) -> list[int]:
    """Nanoseconds of each of `count` durable appends, one a transaction."""
    taken: list[int] = []
    for number in range(count):
        began_ns = time.perf_counter_ns()
        append(number)
        taken.append(time.perf_counter_ns() - began_ns)
    return taken
