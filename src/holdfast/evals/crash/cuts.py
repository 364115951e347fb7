"""A power cut that takes the end of the write-ahead log: one recorded run's WAL cut at every frame, and inside frames, and reopened.

Whatever is left must be a state that a gate was in: it opens, its ledger verifies, and jobs, approvals and moves agree with
its records.
"""

import contextlib
import json
import os
import shutil
import signal
import struct
import tempfile
from pathlib import Path
from random import Random

from holdfast.terms import Word

WAL_HEADER, FRAME_HEADER = 32, 24  # bytes (SQLite file format, "The Write-Ahead Log")
LIFE_S = 0.1
FRAMES_MAX = 600
FAULTS_MAX = 10


class Cuts(Word):
    frames: int
    cuts: int
    records: tuple[int, int]  # left by the shortest and by the whole log
    faults: tuple[str, ...]

    @property
    def plain(self) -> dict[str, object]:
        return {"frames": self.frames, "cuts": self.cuts, "records": list(self.records), "faults": list(self.faults)}


def cut_everywhere(seed: int) -> Cuts:
    """In a process without threads: it forks."""
    with tempfile.TemporaryDirectory(prefix="holdfast-cuts-") as name:
        folder = Path(name)
        _record(folder, seed)
        wal = (folder / "gate" / "state.db-wal").read_bytes()
        (page,) = struct.unpack_from(">I", wal, 8)
        whole = (len(wal) - WAL_HEADER) // (FRAME_HEADER + page)
        faults: list[str] = []
        sizes: list[int] = []
        cuts = 0
        for frame in range(min(whole, FRAMES_MAX) + 1):
            at = WAL_HEADER + frame * (FRAME_HEADER + page)
            for end in dict.fromkeys((at, min(at + FRAME_HEADER + page // 2, len(wal)))):
                cuts += 1
                sizes.append(_reopened(folder, wal[:end], f"frame {frame}, byte {end}", faults))
        return Cuts(frames=whole, cuts=cuts, records=(min(sizes), max(sizes)), faults=tuple(faults[:FAULTS_MAX]))


def _record(folder: Path, seed: int) -> None:
    """A life that was killed, and lives of its own before it: so that its log is long and nothing tidied it."""
    from holdfast.evals.crash.suite import Tally, Zygote, served

    with served(folder) as port:
        zygote = Zygote(folder, port, Random(seed), Tally())
        child, said = zygote.fork("", to_the_end=False)
        zygote.listen(child, said, LIFE_S, from_start=False)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(said)


def _reopened(folder: Path, wal: bytes, where: str, faults: list[str]) -> int:
    """The number of records that are left."""
    from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
    from holdfast.gate.ledger.store import State
    from holdfast.gate.ledger.verify import verify

    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("state.db", PUBLIC):
        shutil.copy(folder / "gate" / name, copy / name)
    (copy / "state.db-wal").write_bytes(wal)
    try:
        with contextlib.closing(State(copy, reserve_bytes=0)) as state:
            faults += [f"{where}: {what}" for what in _disagreements(state)]
            tables = {name for (name,) in state.rows("SELECT name FROM sqlite_master")}
            size = state.rows("SELECT count(*) FROM leaf")[0][0] if "leaf" in tables else 0
            signed = bool(state.rows("SELECT 1 FROM checkpoint LIMIT 1")) if "checkpoint" in tables else False
        if signed and not (found := verify(copy, read_public(copy / PUBLIC))).ok:
            faults.append(f"{where}: the ledger does not verify: {found}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        faults.append(f"{where}: {type(error).__name__}: {error}")
        return 0
    return int(size)


def _disagreements(state: object) -> list[str]:
    """Between the records and the tables that were written with them."""
    from holdfast.gate.ledger.store import State

    assert isinstance(state, State)  # noqa: S101
    tables = {name for (name,) in state.rows("SELECT name FROM sqlite_master")}
    if not {"leaf", "job", "moves", "ask"} <= tables:
        return []
    bodies: dict[str, list[dict[str, object]]] = {}
    for (leaf,) in state.rows("SELECT bytes FROM leaf ORDER BY seq"):
        record = json.loads(leaf)
        bodies.setdefault(record["kind"], []).append(record["body"])
    intents = {str(b["proposal"]) for b in bodies.get("intent", [])}
    beyond = ("intent", "sent", "verified", "retreat", "retreating", "restored", "escalated", "indeterminate", "done")
    jobs = {str(p): str(s) for p, s in state.rows("SELECT proposal, state FROM job")}
    used = {str(p) for (p,) in state.rows("SELECT proposal FROM ask WHERE closed='consumed'")}
    asked = {str(b["proposal"]) for b in bodies.get("ask", [])}
    steps = sum(len(list(b["steps"])) for kind in ("intent", "retreat") for b in bodies.get(kind, []))  # type: ignore[call-overload]
    ((moves,),) = state.rows("SELECT count(*) FROM moves WHERE ours")
    found = [f"{p} is {s} without an intent" for p, s in jobs.items() if s in beyond and p not in intents]
    found += [f"the intent of {p} has no job" for p in intents - set(jobs)]
    if used != intents & asked:
        found.append(f"approvals used {sorted(used)}, intents {sorted(intents & asked)}")
    if moves != steps:
        found.append(f"{moves} moves for {steps} steps")
    return found
