"""A power cut that takes the end of the write-ahead log: one recorded life's log cut at every frame, torn in every frame, reopened.

What is left must be just what the last whole commit made: everything that was acknowledged before the cut is there, and jobs,
approvals and moves agree with the records. At commits a gate is started on it: its ledger verifies and no approval serves again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from random import Random

import apsw

from holdfast.evals.crash.wal import FRAME_HEADER, Frames, frames_of
from holdfast.terms import Word

LIFE_S_MAX = 2.0
FRAMES_MAX = 1_500
FAULTS_MAX = 10
STARTS_MAX = 200  # gates started, spread over the commits
STATE, LOG, INDEX = "state.db", "state.db-wal", "state.db-shm"
WANTED = ("decision", "ask", "approval", "intent", "outcome", "effect")  # kinds of record that the recorded life must have
TABLES = ("leaf", "job", "ask", "approval", "moves", "outbox", "checkpoint")


class Cuts(Word):
    frames: int
    commits: int
    cuts: int  # at a frame's end and inside it
    torn: int  # frames half written, with all later ones in place
    others: int  # the log's index cut, spoiled or missing; the log missing
    starts: int  # gates started on what was left
    acknowledged: int  # records that somebody heard of, each held against every cut behind it
    records: tuple[int, int]  # left by the shortest and by the whole log
    kinds: tuple[tuple[str, int], ...]  # of records, in the whole log
    faults: tuple[str, ...]

    @property
    def plain(self) -> dict[str, object]:
        counts = {name: getattr(self, name) for name in ("frames", "commits", "cuts", "torn", "others", "starts", "acknowledged")}
        return {**counts, "records": list(self.records), "kinds": dict(self.kinds), "faults": list(self.faults)}


class Recorded(Word):
    """A killed gate's folder, and what was heard of it: (record, bytes of its log when it was told)."""

    folder: Path
    log: bytes
    told: tuple[tuple[int, int], ...]


def cut_everywhere(seed: int, starts: int = STARTS_MAX) -> Cuts:
    """In a process without threads: it forks."""
    with tempfile.TemporaryDirectory(prefix="holdfast-cuts-") as name:
        recorded = record(Path(name), seed)
        return judged(recorded, starts)


def record(folder: Path, seed: int) -> Recorded:
    """One life from an empty folder on, killed once it has been through all that is wanted: nothing tidied its log."""
    from holdfast.evals.crash.suite import Tally, Zygote, served

    with served(folder) as port:
        zygote = Zygote(folder, port, Random(seed), Tally())
        child, said = zygote.fork("", "recorded", to_the_end=False)
        until_s = time.monotonic() + LIFE_S_MAX
        while time.monotonic() < until_s and not _complete(zygote.heard.get("told", ())):
            zygote.listen(child, said, 0.05, from_start=True)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        zygote.drain(said)
    told = tuple((int(seq), int(size)) for seq, _, size in (line.split() for line in zygote.heard.get("told", ())))
    return Recorded(folder=folder / "gate", log=(folder / "gate" / LOG).read_bytes(), told=told)


def _complete(told: Iterable[str]) -> bool:
    kinds = [line.split()[1] for line in told]
    return all(kinds.count(kind) >= 2 for kind in WANTED)


def judged(recorded: Recorded, starts: int) -> Cuts:
    frames, faults = frames_of(recorded.log), list[str]()
    if frames.count > FRAMES_MAX or frames.end(frames.count) != len(recorded.log):
        faults.append(f"the recorded log has {frames.count} whole frames in {len(recorded.log)} bytes")
    bench = _Bench(recorded, frames, faults)
    every = max(1, -(-len(frames.commits) // max(starts, 1)))
    for number, commit in enumerate((0, *frames.commits)):
        whole = commit == frames.count
        bench.commit(commit, start=whole or number % every == 0)
    cuts = torn = 0
    for frame in range(frames.count):
        begins, ends = frames.end(frame), frames.end(frame + 1)
        middle = begins + FRAME_HEADER + frames.page // 2
        for end in (begins, begins + FRAME_HEADER // 2, middle):
            bench.left(recorded.log[:end], frame, f"cut in frame {frame} at byte {end}")
            cuts += 1
        spoiled = recorded.log[:middle] + bytes(ends - middle) + recorded.log[ends:]
        if spoiled != recorded.log:  # the second half of a page may be empty anyway
            bench.left(spoiled, frame, f"frame {frame} torn")
            torn += 1
    others = bench.others()
    missing = [kind for kind in WANTED if kind not in dict(bench.kinds)]
    faults += [f"the recorded life has no {kind}" for kind in missing]
    return Cuts(
        frames=frames.count, commits=len(frames.commits), cuts=cuts, torn=torn, others=others, starts=bench.starts,
        acknowledged=len(recorded.told), records=bench.records, kinds=bench.kinds, faults=tuple(faults[:FAULTS_MAX]),
    )  # fmt: skip


class _Bench:
    """Puts a log beside a copy of the state file and looks at what SQLite makes of the two."""

    def __init__(self, recorded: Recorded, frames: Frames, faults: list[str]) -> None:
        self._recorded, self._frames, self._faults = recorded, frames, faults
        self._copy = recorded.folder.parent / "copy"
        self._state = (recorded.folder / STATE).read_bytes()
        self._index = (recorded.folder / INDEX).read_bytes()
        self._known: dict[int, str] = {}  # by committed frames, the digest of what is left
        self.starts = 0
        self.records = (0, 0)
        self.kinds: tuple[tuple[str, int], ...] = ()

    def commit(self, commit: int, *, start: bool) -> None:
        """What is left after just so many commits: learnt here, and judged."""
        where = f"after frame {commit}"
        self._laid(self._recorded.log[: self._frames.end(commit)])
        with self._opened(where) as db:
            if db is None:
                return
            self._known[commit] = _digest(db)
            found = _records(db)
            self._faults += [f"{where}: {what}" for what in (*_disagreements(db), *self._lost(len(found), commit))]
        if commit == self._frames.count:
            kinds: dict[str, int] = {}
            for kind in (str(one["kind"]) for one in found):
                kinds[kind] = kinds.get(kind, 0) + 1
            self.kinds, self.records = tuple(sorted(kinds.items())), (self.records[0], len(found))
        if start:
            self._start(where)

    def left(self, log: bytes, frame: int, where: str) -> None:
        """A spoiled log must leave what the last commit before `frame` made."""
        self._laid(log)
        with self._opened(where) as db:
            if db is not None and _digest(db) != self._known.get(self._frames.kept(frame)):
                self._faults.append(f"{where}: not what the last whole commit made")

    def others(self) -> int:
        """The index is only SQLite's own aid; without the log what a checkpoint has signed is missed, and nothing serves again."""
        whole, log = self._frames.count, self._recorded.log
        indexes: Mapping[str, bytes | None] = {
            "missing": None, "empty": b"", "cut": self._index[: len(self._index) // 2], "spoiled": bytes(255 for _ in self._index),
            "left as it was": self._index,
        }  # fmt: skip
        for how, index in indexes.items():
            self._laid(log, index)
            with self._opened(f"index {how}") as db:
                if db is not None and _digest(db) != self._known.get(whole):
                    self._faults.append(f"index {how}: not what the last whole commit made")
        half = self._frames.kept(whole // 2)
        self._laid(log[: self._frames.end(half)], self._index)  # an index that knows of frames that are gone
        with self._opened("index ahead of its log") as db:
            if db is not None and _digest(db) != self._known.get(half):
                self._faults.append("index ahead of its log: not what the last whole commit made")
        from holdfast.gate.ledger.checkpoint import CHECKPOINTS

        self._laid(None)
        shutil.copy(self._recorded.folder / CHECKPOINTS, self._copy)
        if (level := self._start("log missing", verifies=False)) not in ("observe", "refused"):
            self._faults.append(f"log missing: the gate goes on with {level}, though it has signed more records than there are")
        return len(indexes) + 2

    def _lost(self, records: int, commit: int) -> Iterator[str]:
        end = self._frames.end(commit)
        for seq, size in self._recorded.told:
            if size <= end and seq > records:
                yield f"record {seq} was told when the log had {size} bytes, and is lost with {end}"

    def _laid(self, log: bytes | None, index: bytes | None = None) -> None:
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        for name, content in ((STATE, self._state), (LOG, log), (INDEX, index)):
            if content is not None:
                (self._copy / name).write_bytes(content)

    @contextlib.contextmanager
    def _opened(self, where: str) -> Generator[apsw.Connection | None]:
        db = None
        try:
            db = apsw.Connection(str(self._copy / STATE))
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # which would only wait for the disk
            db.execute("SELECT count(*) FROM sqlite_master").fetchall()
            yield db
        except (apsw.Error, ValueError, KeyError) as error:
            self._faults.append(f"{where}: {type(error).__name__}: {error}")
            if db is None:
                yield None
        finally:
            if db is not None:
                db.close()

    def _start(self, where: str, *, verifies: bool = True) -> str:
        """A gate on what is left; the plant's level then, or "refused"."""
        from holdfast.evals.crash.life import served_again
        from holdfast.evals.crash.starts import started
        from holdfast.gate.ledger.checkpoint import PRIVATE, PUBLIC
        from holdfast.gate.ledger.store import StateError

        for name in (PRIVATE, PUBLIC):
            shutil.copy(self._recorded.folder / name, self._copy)
        self.starts += 1
        try:
            with started(self._copy) as gate:
                self._faults += [f"{where}: the approval of {p} serves again" for p in served_again(gate)]
                level = gate.autonomy.of("*")
                busy = [job.proposal.id for job in gate.jobs.open() if job.state in ("asked", "approved")]
                self._faults += [f"{where}: {p} is still asked or approved" for p in busy]
                gate.checkpoint()
        except StateError:
            return "refused"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._faults.append(f"{where}: {type(error).__name__}: {error}")
            return "refused"
        if verifies:
            self._faults += [f"{where}: {what}" for what in _unverified(self._copy)]
        return level


def _unverified(folder: Path) -> Iterator[str]:
    from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
    from holdfast.gate.ledger.verify import verify

    if not (found := verify(folder, read_public(folder / PUBLIC))).ok:
        yield f"the ledger does not verify: {found}"


def _tables(db: apsw.Connection) -> set[str]:
    return {str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")}


def _digest(db: apsw.Connection) -> str:
    """Of the rows of all tables that count."""
    of = hashlib.sha256()
    for name in TABLES:
        if name in _tables(db):
            for row in db.execute(f"SELECT * FROM {name} ORDER BY 1, 2"):  # noqa: S608 - constants
                of.update(repr(row).encode())
    return of.hexdigest()


def _records(db: apsw.Connection) -> list[dict[str, object]]:
    if "leaf" not in _tables(db):
        return []
    return [json.loads(bytes(leaf)) for (leaf,) in db.execute("SELECT bytes FROM leaf ORDER BY seq")]  # type: ignore[arg-type]


def _disagreements(db: apsw.Connection) -> list[str]:
    """Between the records and the tables that were written with them."""
    if not {"leaf", "job", "moves", "ask"} <= _tables(db):
        return []
    bodies: dict[str, list[dict[str, object]]] = {}
    for one in _records(db):
        bodies.setdefault(str(one["kind"]), []).append(one["body"])  # type: ignore[arg-type]
    of: Callable[[str], set[str]] = lambda kind: {str(b["proposal"]) for b in bodies.get(kind, [])}  # noqa: E731
    intents, asked = of("intent"), of("ask")
    beyond = ("intent", "sent", "verified", "retreat", "retreating", "restored", "escalated", "indeterminate", "done")
    jobs = {str(p): str(s) for p, s in db.execute("SELECT proposal, state FROM job")}
    used = {str(p) for (p,) in db.execute("SELECT proposal FROM ask WHERE closed='consumed'")}
    steps = sum(len(list(b["steps"])) for kind in ("intent", "retreat") for b in bodies.get(kind, []))  # type: ignore[call-overload]
    ((moves,),) = db.execute("SELECT count(*) FROM moves WHERE ours AND NOT shadow").fetchall()
    found = [f"{p} is {s} without an intent" for p, s in jobs.items() if s in beyond and p not in intents]
    found += [f"the intent of {p} has no job" for p in intents - set(jobs)]
    found += [f"{p} is {s} without an outcome" for p, s in jobs.items() if s in ("verified", "done") and p not in of("outcome")]
    if used != intents & asked:
        found.append(f"approvals used {sorted(used)}, intents {sorted(intents & asked)}")
    if moves != steps:
        found.append(f"{moves} moves for {steps} steps")
    return found
