"""The suite's figures: folders of many lives each, spread over two processes that have everything loaded and fork a gate a life."""

import asyncio
import contextlib
import gc
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
from holdfast.evals.crash.scenes import CROSSED, Aim, aims, any_faults, in_order, schedule
from holdfast.evals.suites import Figures, Options

KILLS = 3_000
A_FOLDER = 25  # lives of one folder, before it is judged
AT_ONCE = 2  # processes
LIFE_S_MAX = 2.5  # of one that waits for its failpoint
RANDOM_S_MAX = 0.12  # after it is ready
START_S_MAX = 0.1  # after it was forked
READY_S_MAX = 5.0
SETTLE_S_MAX = 20.0
AIMED_SHARE = 0.7  # of lives end at a failpoint; the rest at any moment
EARLY_SHARE = 0.25  # of the rest: while they start and reconcile
ANYTHING = "anything"  # what a life does that is killed at a random moment
FIRST_TIME = (1,)  # that a place is reached
CUT_STARTS = 20  # gates started on a cut log, in a run of less than KILLS
TRIES_MAX = 3  # lives for one aim; those that miss it are kills at random


@dataclass
class Tally:
    kills: Counter[str] = field(default_factory=Counter)  # by what they were meant for: a place, "early" or "random"
    crossed: Counter[tuple[str, str]] = field(default_factory=Counter)  # by place and fault of the connection
    verdicts: list[Verdict] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    unverified: int = 0
    stuck: int = 0
    unnamed: set[str] = field(default_factory=set[str])
    died: list[str] = field(default_factory=list[str])  # why lives ended by themselves, as they told it

    def add(self, other: "Tally") -> None:
        self.kills += other.kills
        self.crossed += other.crossed
        self.verdicts += other.verdicts
        self.faults += other.faults
        self.unverified += other.unverified
        self.stuck += other.stuck
        self.unnamed |= other.unnamed
        self.died += other.died


def killed(options: Options) -> Figures:
    """All figures. The WAL of one recorded run is cut at every frame beside it."""
    from holdfast.evals.crash.cuts import STARTS_MAX, cut_everywhere

    wanted, began_s = options.n or KILLS, time.monotonic()
    tally = Tally()
    aimed = schedule(wanted, options.seed, AIMED_SHARE)
    firsts = range(0, wanted, A_FOLDER)
    with ProcessPoolExecutor(min(AT_ONCE, len(firsts)), mp_context=multiprocessing.get_context("spawn")) as pool:
        cut = pool.submit(cut_everywhere, options.seed, CUT_STARTS if wanted < KILLS else STARTS_MAX)
        for done in as_completed([pool.submit(part, options.seed, n, aimed[n : n + A_FOLDER]) for n in firsts]):
            tally.add(done.result())
            options.progress(tally.kills.total() / wanted, f"{tally.kills.total()} kills")
        took_s, cuts = time.monotonic() - began_s, cut.result()
    figures: dict[str, Any] = {**figures_of(tally, took_s), "wal": cuts.plain}
    good = not any(figures[name] for name in ZEROS) and figures["kills"] >= wanted
    if wanted >= KILLS:
        good = good and not figures["failpoints_not_reached"] and not figures["crossed_not_reached"]
    return Figures(name="crash", seed=options.seed, figures=figures, pass_=good and not cuts.faults)


ZEROS = (
    "duplicate_writes",
    "lost_approvals",
    "unrecorded_writes",
    "refunded",
    "indeterminate_decidable",
    "unfinished",
    "ledgers_unverified",
    "stuck",
    "lost_answers",
    "commits_without_failpoint",
)


def figures_of(tally: Tally, took_s: float) -> dict[str, Any]:
    from holdfast.gate.actuation.failpoints import NAMES

    def total(name: str) -> int:
        return sum(getattr(v, name) for v in tally.verdicts)

    every = aims()
    return {
        "kills": tally.kills.total(),
        "duplicate_writes": total("duplicate_writes"),
        "lost_approvals": total("lost_approvals"),
        "unrecorded_writes": total("unrecorded_writes"),
        "indeterminate": total("indeterminate"),
        "indeterminate_undecidable": total("indeterminate") - total("decidable"),
        "indeterminate_decidable": total("decidable"),
        "kills_at_random": tally.kills["random"] + tally.kills["early"],
        "failpoints": len(NAMES),
        "failpoints_reached": len([n for n in NAMES if tally.kills[n]]),
        "failpoints_not_reached": [n for n in NAMES if not tally.kills[n]],
        "crossed": len(every),
        "crossed_reached": len([a for a in every if tally.crossed[a.place, a.connection]]),
        "crossed_not_reached": len([a for a in every if not tally.crossed[a.place, a.connection]]),
        "writes": total("writes"),
        "approvals": total("approvals"),
        "refunded": total("refunded"),
        "retreats": total("retreats"),
        "orders": total("orders"),
        "lost_answers": total("lost_answers"),
        "unfinished": total("unfinished"),
        "ledgers_unverified": tally.unverified,
        "stuck": tally.stuck,
        "commits_without_failpoint": len(tally.unnamed),
        "faults": {name or "none": n for name, n in sorted(tally.faults.items())},
        "told": [*sorted(tally.unnamed), *tally.died, *(line for v in tally.verdicts for line in v.faults)][:20],
        "kills_per_s": round(tally.kills.total() / took_s, 2),
        "kills_at": {name: _row(tally, name) for name in NAMES},
    }


def _row(tally: Tally, place: str) -> str:
    """How many kills at a place, by fault of the connection."""
    return ", ".join(f"{fault or 'no fault'} {n}" for fault in CROSSED if (n := tally.crossed[place, fault])) or "never"


def part(seed: int, first: int, aimed: tuple[Aim | None, ...]) -> Tally:
    """One folder, killed as often as there are aims, run to its end and judged. In a process without threads: it forks."""
    with tempfile.TemporaryDirectory(prefix="holdfast-crash-") as name:
        folder, tally = Path(name), Tally()
        with served(folder) as port:
            zygote = Zygote(folder, port, Random(f"{seed}/{first}"), tally)
            left = [(aim, TRIES_MAX) for aim in in_order(aim for aim in aimed if aim is not None)]
            at_random = len(aimed) - len(left)
            while zygote.killed < len(aimed):
                # A miss takes the place of a kill at random, so that there are as many kills as were wanted.
                aim, tries = left.pop(0) if left and (at_random <= 0 or zygote.random.random() < AIMED_SHARE) else (None, 0)
                hit = zygote.kill_one(aim)
                if aim is None:
                    at_random -= 1
                elif not hit and tries > 1:
                    left.append((aim, tries - 1))
                    at_random -= 1
            zygote.finish()
        tally.verdicts.append(judge(folder, zygote.heard))
        tally.unnamed |= set(zygote.heard.get("unnamed", ()))
        tally.unverified += not _verifies(folder / "gate")
        return tally


@contextlib.contextmanager
def served(folder: Path) -> Generator[int]:
    """The device in a process of its own, which no kill of a gate touches; its port."""
    (folder / "gate").mkdir()
    (folder / "fault").write_text(plant.Faults().text)
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
    """Has everything loaded and read, and forks a gate a life."""

    def __init__(self, folder: Path, port: int, random: Random, tally: Tally) -> None:
        from holdfast.evals.crash import life
        from holdfast.language import say
        from holdfast.site.load import load

        loaded = load(Path(__file__).with_name("site.yaml"))
        assert loaded.site is not None  # noqa: S101 - the suite's own
        say("approval.missing", {}, "en")  # reads all words, which every life would read for itself
        self._site, self._life = loaded.site, life
        self.folder, self.port, self.random, self.tally = folder, port, random, tally
        self.epoch_ns = time.time_ns()
        self.killed = 0
        self.number = 1
        self.heard: dict[str, list[str]] = {}  # what lives told, by its first word
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page

    def kill_one(self, aim: Aim | None) -> bool:
        """One life; whether it ended where it was meant to."""
        faults = aim.faults(self.random) if aim else any_faults(self.random)
        nths = aim.scene().nths if aim and aim.connection else FIRST_TIME
        armed = f"{aim.place}=kill:{self.random.choice(nths)}" if aim else ""
        (self.folder / "fault").write_text(faults.text)
        self.tally.faults[faults.connection] += 1
        early = aim is None and self.random.random() < EARLY_SHARE
        child, said = self.fork(armed, self.random.choice(aim.scene().acts) if aim else ANYTHING, to_the_end=False)
        wait_s = LIFE_S_MAX if aim else self.random.random() * (START_S_MAX if early else RANDOM_S_MAX)
        ended = self.listen(child, said, wait_s, from_start=early)
        hit = aim is not None and ended is not None and os.WIFSIGNALED(ended)
        if ended is None:
            os.kill(child, signal.SIGKILL)
            _, ended = os.waitpid(child, 0)
        self.drain(said)
        if not os.WIFSIGNALED(ended):
            self.tally.stuck += 1  # a life that ended by itself has a defect
        elif hit and aim is not None:
            self.tally.kills[aim.place] += 1
            self.tally.crossed[aim.place, aim.connection] += 1
        else:
            self.tally.kills["early" if early else "random"] += 1
        self.killed += 1
        return hit

    def finish(self) -> None:
        """A last life with a sound device, until everything that is open waits for a person."""
        (self.folder / "fault").write_text(plant.Faults().text)
        child, said = self.fork("", ANYTHING, to_the_end=True)
        ended = self.listen(child, said, SETTLE_S_MAX, from_start=True)
        if ended is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.drain(said)
        self.tally.stuck += ended != 0
        if ended is None:
            self.tally.died.append(f"the last life was not done after {SETTLE_S_MAX:g} s")
        self.tally.died += self.heard.get(self._life.DIED, ())

    def fork(self, armed: str, act: str, *, to_the_end: bool) -> tuple[int, int]:
        ours, theirs = os.pipe()
        random, first = Random(self.random.random()), self.number
        self.number += self._life.NUMBERS
        child = os.fork()
        if child == 0:
            os.close(ours)
            made = self._life.Life(self._site, self.folder, self.port, self.epoch_ns, random, theirs)
            _child(lambda: self._life.live(made, first, act, armed, to_the_end=to_the_end))
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

    def drain(self, said: int) -> None:
        while data := os.read(said, 65_536):
            self._hear(data)
        os.close(said)

    def _hear(self, data: bytes) -> None:
        for line in data.decode().splitlines():
            what, _, proposal = line.partition(" ")
            self.heard.setdefault(what, []).append(proposal)


def _verifies(folder: Path) -> bool:
    from holdfast.gate.ledger.checkpoint import PUBLIC, KeyFileError, read_public
    from holdfast.gate.ledger.verify import verify

    try:
        return verify(folder, read_public(folder / PUBLIC)).ok
    except KeyFileError:
        return False
