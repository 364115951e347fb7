"""`bench detect`: what a score costs: one row at a time, in blocks, and 2,000 tags at 10 Hz as a share of a core.

52 tags of correlated noise, learned from 500 rows, as in a process unit. Beside it, in the same run and on the same rows, river's
HalfSpaceTrees and scikit-learn's IsolationForest, where they are installed: both one row at a time, as a stream comes.
2,000 tags are 40 detectors of 50 tags, each a group that an engineer would name; one second of the plant is ten rows of each.
"""

import copy
import gc
import importlib
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.named import detector_named
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options
from holdfast.ports import Detector

Matrix = NDArray[np.float64]
ROWS, QUIET_ROWS, BLOCK_ROWS, TAGS = 5_000, 500, 1_000, 52
PASSES = 40  # over one block; the fastest counts, the others had a neighbour on the core
GROUPS, GROUP_TAGS, HZ, SECONDS = 40, 50, 10, 3
WARM_UP = 200
FOREST_ROWS = 50  # milliseconds each
ONE_US_MAX, BLOCK_US_MAX, CORE_MAX = 50.0, 5.0, 0.5


def run(options: Options) -> Figures:
    rng = np.random.default_rng(options.seed)
    rows_n = options.n or ROWS
    quiet, rows = _plant(rng, QUIET_ROWS, TAGS), _plant(rng, rows_n, TAGS)
    detector = _learned(quiet)
    options.progress(0.1, "one row at a time")
    gc.collect()
    one = _timed(lambda row: detector.score(row[None]), rows)
    options.progress(0.3, "blocks")
    detector.reset()
    block = rows[:BLOCK_ROWS]
    block_us = min(_seconds(lambda: detector.score(block)) for _ in range(PASSES)) * 1e6 / block.shape[0]
    options.progress(0.4, "2,000 tags")
    core = _share_of_core(rng)
    options.progress(0.6, "half-space trees")
    beside = {"half_space_trees": _half_space_trees(quiet, rows[: min(rows_n, 1000)])}
    options.progress(0.8, "isolation forest")
    beside["isolation_forest"] = _isolation_forest(quiet, rows[: min(rows_n, FOREST_ROWS)])
    ours = spread(one, unit_ns=1e3)
    figures: dict[str, Any] = {
        "detector": str(getattr(detector, "chosen", detector.name)),
        "tags": TAGS,
        "rows": rows_n,
        "one_row_us": ours,
        "block_us_a_row": round(block_us, 3),
        "block_rows": block.shape[0],
        "core_share_of_2000_tags_at_10_hz": round(core, 4),
        **beside,
        "aim": {"one_row_p50_us_max": ONE_US_MAX, "block_us_max": BLOCK_US_MAX, "core_share_max": CORE_MAX},
    }
    for name, told in beside.items():
        if isinstance(told, dict):
            figures[f"times_cheaper_than_{name}"] = round((told["p50"] or 0.0) / max(ours["p50"] or 1.0, 1e-9), 1)
    return Figures(name="detect", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    return (
        figures["one_row_us"]["p50"] <= ONE_US_MAX
        and figures["block_us_a_row"] <= BLOCK_US_MAX
        and figures["core_share_of_2000_tags_at_10_hz"] <= CORE_MAX
    )


def _plant(rng: np.random.Generator, rows: int, tags: int) -> Matrix:
    """(rows, tags): a dozen hidden causes that move slowly, and sensor noise."""
    mix = np.random.default_rng(tags).normal(size=(12, tags))
    causes = np.empty((rows, 12))
    now = rng.normal(size=12)
    for row in range(rows):
        now = 0.8 * now + 0.6 * rng.normal(size=12)
        causes[row] = now
    return causes @ mix + rng.normal(size=(rows, tags)) + 100.0


def _learned(quiet: Matrix) -> Detector:
    detector = detector_named("auto")
    detector.fit(quiet, [f"tag_{i}" for i in range(quiet.shape[1])])
    detector.reset()
    return detector


def _share_of_core(rng: np.random.Generator) -> float:
    """Seconds of work for one second of 40 groups of 50 tags at 10 Hz, one row at a time as they come."""
    learned = _learned(_plant(rng, QUIET_ROWS, GROUP_TAGS))
    detectors = [copy.deepcopy(learned) for _ in range(GROUPS)]  # each with memory of its own, as of as many groups
    rows = _plant(rng, HZ * SECONDS, GROUP_TAGS)

    def second() -> None:
        for row in rows:
            for detector in detectors:
                detector.score(row[None])

    second()
    return _seconds(second) / SECONDS


def _half_space_trees(quiet: Matrix, rows: Matrix) -> dict[str, float | None] | str:
    if importlib.util.find_spec("river") is None:
        return "not measured: river is not installed"
    anomaly: Any = importlib.import_module("river.anomaly")

    low, high = quiet.min(0), quiet.max(0)
    width = 2 * np.maximum(high - low, 1e-9)
    low = low - width / 4

    def named(row: Matrix) -> dict[int, float]:
        return dict(enumerate(np.clip((row - low) / width, 0, 1).tolist()))

    trees: Any = anomaly.HalfSpaceTrees(n_trees=25, height=10, window_size=200, seed=1)
    for row in quiet:
        trees.learn_one(named(row))
    return spread(_timed(lambda row: trees.score_one(named(row)), rows), unit_ns=1e3)


def _isolation_forest(quiet: Matrix, rows: Matrix) -> dict[str, float | None] | str:
    if importlib.util.find_spec("sklearn") is None:
        return "not measured: scikit-learn is not installed"
    ensemble: Any = importlib.import_module("sklearn.ensemble")

    forest: Any = ensemble.IsolationForest(n_estimators=200, random_state=0).fit(quiet)
    return spread(_timed(lambda row: forest.score_samples(row[None]), rows, warm_up=3), unit_ns=1e3)


def _timed(act: Callable[[Matrix], object], rows: Matrix, *, warm_up: int = WARM_UP) -> list[int]:
    """Nanoseconds of each row, after some that are not counted."""
    for row in rows[:warm_up]:
        act(row)
    taken: list[int] = []
    for row in rows:
        began_ns = time.perf_counter_ns()
        act(row)
        taken.append(time.perf_counter_ns() - began_ns)
    return taken


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
