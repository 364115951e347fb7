"""The suite's figures: folders of many lives each, spread over two processes that have everything loaded and fork a gate a life."""

import asyncio
import contextlib
import multiprocessing
import os
import select
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from holdfast.evals.crash import device as plant
from holdfast.evals.crash.judge import Life as Verdict
from holdfast.evals.crash.judge import judge
from holdfast.evals.suites import Figures, Options

KILLS = 3_000
A_FOLDER = 20  # lives of one folder, before it is judged
AT_ONCE = 2  # processes
LIFE_S_MAX = 0.3  # of one that waits for its failpoint
RANDOM_S_MAX = 0.12  # after it is ready
START_S_MAX = 0.15  # after it was forked
READY_S_MAX = 5.0
SETTLE_S_MAX = 20.0
ARMED_SHARE = 0.5  # of lives end at a failpoint, where they reach it; the rest at any moment
EARLY_SHARE = 0.2  # of the rest: while they start and reconcile
NTHS = (1, 1, 2, 3)
SUITS = {  # what the device must do wrong for some failpoints to be reached
    "retreat": ("wrong", "no way back"),
    "restore": ("wrong", "no way back"),
    "restored": ("wrong",),
    "escalated": ("no way back",),
    "outcome": ("deaf", "refuses", "lies"),
    "fell": ("flickers",),
    "effect": ("",),
    "verified": ("",),
}
STARTING = ("reconciled", "resolved", "escalated", "restored")  # reached once a life, if at all
RARE_SHARE = 0.5  # of armed lives go to the failpoint that was reached least


@dataclass
class Tally:
    kills: Counter[str] = field(default_factory=Counter)
    verdicts: list[Verdict] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    unverified: int = 0
    stuck: int = 0

    def add(self, other: "Tally") -> None:
        self.kills += other.kills
        self.verdicts += other.verdicts
        self.faults += other.faults
        self.unverified += other.unverified
        self.stuck += other.stuck


def killed(options: Options) -> Figures:
    """All figures. The WAL of one recorded run is cut at every frame beside it."""
    from holdfast.evals.crash.cuts import cut_everywhere

    wanted, began_s = options.n or KILLS, time.monotonic()
    tally = Tally()
    firsts = range(0, wanted, A_FOLDER)
    with ProcessPoolExecutor(min(AT_ONCE, len(firsts)), mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(part, options.seed, n, min(A_FOLDER, wanted - n)) for n in firsts]):
            tally.add(done.result())
            options.progress(tally.kills.total() / wanted, f"{tally.kills.total()} kills")
        took_s = time.monotonic() - began_s
        cuts = pool.submit(cut_everywhere, options.seed).result()
    figures: dict[str, Any] = {**figures_of(tally, took_s), "wal": cuts.plain}
    zeros = ("duplicate_writes", "lost_approvals", "unrecorded_writes", "refunded", "indeterminate_where_readback_could_decide")
    good = not any(figures[name] for name in (*zeros, "unfinished", "ledgers_unverified", "stuck")) and figures["kills"] >= wanted
    return Figures(name="crash", seed=options.seed, figures=figures, pass_=good and not cuts.faults)


def figures_of(tally: Tally, took_s: float) -> dict[str, Any]:
    from holdfast.gate.actuation.failpoints import NAMES

    def total(name: str) -> int:
        return sum(getattr(v, name) for v in tally.verdicts)

    return {
        "kills": tally.kills.total(),
        "kills_at_random": tally.kills["random"] + tally.kills["early"],
        "failpoints_reached": len([n for n in NAMES if tally.kills[n]]),
        "failpoints": len(NAMES),
        "failpoints_not_reached": [n for n in NAMES if not tally.kills[n]],
        "writes": total("writes"),
        "duplicate_writes": total("duplicate_writes"),
        "approvals": total("approvals"),
        "lost_approvals": total("lost_approvals"),
        "unrecorded_writes": total("unrecorded_writes"),
        "refunded": total("refunded"),
        "indeterminate": total("indeterminate"),
        "indeterminate_where_readback_could_decide": total("decidable"),
        "retreats": total("retreats"),
        "unfinished": total("unfinished"),
        "ledgers_unverified": tally.unverified,
        "stuck": tally.stuck,
        "faults": {name or "none": n for name, n in sorted(tally.faults.items())},
        "told": [line for v in tally.verdicts for line in v.faults][:20],
        "kills_per_s": round(tally.kills.total() / took_s, 2),
    }


def part(seed: int, first: int, count: int) -> Tally:
    """One folder with `count` kills, run to its end and judged. In a process without threads: it forks."""
    with tempfile.TemporaryDirectory(prefix="holdfast-crash-") as name:
        folder, tally = Path(name), Tally()
        with served(folder) as port:
            zygote = Zygote(folder, port, Random(f"{seed}/{first}"), tally)
            while zygote.killed < count:
                zygote.kill_one()
            zygote.finish()
        tally.verdicts.append(judge(folder, zygote.signed, zygote.reused))
        tally.unverified += not _verifies(folder / "gate")
        return tally


@contextlib.contextmanager
def served(folder: Path) -> Generator[int]:
    """The device in a process of its own, which no kill of a gate touches; its port."""
    (folder / "gate").mkdir()
    (folder / "fault").write_text("")
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _child(lambda: asyncio.run(plant.serve(folder, theirs)))
    os.close(theirs)
    try:
        with os.fdopen(ours) as said:
            yield int(said.readline())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _child(does: Any) -> NoReturn:
    """What a forked child does and ends with; never the parent's code after it."""
    code = 70
    try:
        code = does() or 0
    except BaseException:  # noqa: BLE001 - told, and the child ends
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


class Zygote:
    def __init__(self, folder: Path, port: int, random: Random, tally: Tally) -> None:
        from holdfast.evals.crash import life
        from holdfast.site.load import load

        loaded = load(Path(__file__).with_name("site.yaml"))
        assert loaded.site is not None  # noqa: S101 - the suite's own
        self._site, self._life = loaded.site, life
        self.folder, self.port, self.random, self.tally = folder, port, random, tally
        self.epoch_ns = time.time_ns()
        self.killed = 0
        self.number = 1
        self.tried: Counter[str] = Counter()
        self.signed: list[str] = []
        self.reused: list[str] = []

    def kill_one(self) -> None:
        from holdfast.gate.actuation.failpoints import NAMES

        fault, armed, name = self.random.choice(plant.FAULTS), "", self.random.choice(NAMES)
        if self.random.random() < ARMED_SHARE:
            if self.random.random() < RARE_SHARE:
                name = min(self.random.sample(NAMES, len(NAMES)), key=lambda n: self.tried[n])
            self.tried[name] += 1
            fault = self.random.choice(SUITS.get(name.partition(":")[0], (fault,)))
            nth = 1 if name.startswith(STARTING) else self.random.choice(NTHS)
            armed = f"{name}={'raise' if self.random.random() < 0.1 else 'kill'}:{nth}"
        (self.folder / "fault").write_text(fault)
        self.tally.faults[fault] += 1
        early = not armed and self.random.random() < EARLY_SHARE
        child, said = self.fork(armed, to_the_end=False)
        wait_s = LIFE_S_MAX if armed else self.random.random() * (START_S_MAX if early else RANDOM_S_MAX)
        ended = self.listen(child, said, wait_s, from_start=early)
        if ended is None:
            os.kill(child, signal.SIGKILL)
            _, ended = os.waitpid(child, 0)
            armed = ""
        self._drain(said)
        if os.WIFSIGNALED(ended) or os.WEXITSTATUS(ended) == 3:
            self.tally.kills[name if armed else "early" if early else "random"] += 1
        else:  # a life that ended by itself has a defect
            self.tally.stuck += 1
        self.killed += 1

    def finish(self) -> None:
        """A last life with a sound device, until everything that is open waits for a person."""
        (self.folder / "fault").write_text("")
        child, said = self.fork("", to_the_end=True)
        ended = self.listen(child, said, SETTLE_S_MAX, from_start=True)
        if ended is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self._drain(said)
        self.tally.stuck += ended != 0

    def fork(self, armed: str, *, to_the_end: bool) -> tuple[int, int]:
        ours, theirs = os.pipe()
        random, first = Random(self.random.random()), self.number
        self.number += self._life.PROPOSALS
        child = os.fork()
        if child == 0:
            os.close(ours)
            made = self._life.Life(self._site, self.folder, self.port, self.epoch_ns, random, theirs)
            _child(lambda: self._life.live(made, first, armed, to_the_end=to_the_end))
        os.close(theirs)
        return child, ours

    def listen(self, child: int, said: int, wait_s: float, *, from_start: bool) -> int | None:
        """Hear the child out; its status if it ended by itself. `wait_s` counts from its start or from when it is ready."""
        until_s = time.monotonic() + (wait_s if from_start else READY_S_MAX)
        ready = from_start
        while (left_s := until_s - time.monotonic()) > 0:
            heard, _, _ = select.select([said], [], [], left_s)
            if not heard:
                break
            data = os.read(said, 65_536)
            if not data:
                return os.waitpid(child, 0)[1]
            self._hear(data)
            if not ready and b"ready" in data:
                ready, until_s = True, time.monotonic() + wait_s
        return None

    def _drain(self, said: int) -> None:
        while data := os.read(said, 65_536):
            self._hear(data)
        os.close(said)

    def _hear(self, data: bytes) -> None:
        for line in data.decode().splitlines():
            what, _, proposal = line.partition(" ")
            {"signed": self.signed, "reused": self.reused}.get(what, []).append(proposal)


def _verifies(folder: Path) -> bool:
    from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
    from holdfast.gate.ledger.verify import verify

    return verify(folder, read_public(folder / PUBLIC)).ok
