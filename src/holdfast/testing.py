"""The contracts that a plug-in is held to: one `check_…` function a kind, ours and a third party's alike.

Each raises AssertionError that says which clause of `ports.py` was broken. They need no test framework.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.ports import Detector

# ---- connectors ------------------------------------------------------------------------------------------------------

# ---- detectors: check_detector (append below this line) --------------------------------------------------------------


def check_detector(make: Callable[[], Detector], *, seed: int = 7) -> None:
    """Hold a detector to `ports.Detector`; `make` gives a new, unfitted one each time. Takes under two seconds."""
    rng = np.random.default_rng(seed)
    tags = [f"unit/tag_{i}" for i in range(5)]
    quiet = rng.normal(size=(400, 5)) * [1.0, 10.0, 0.1, 1000.0, 0.0] + [0.0, 50.0, -3.0, 1e4, 7.0]
    quiet[:, 1] += 8 * quiet[:, 0]
    seen = quiet[:150].copy()
    seen[100:] += [0.0, 80.0, 0.0, 0.0, 0.0]
    seen[20, 2], seen[21, 0], seen[22] = np.nan, np.inf, np.nan
    fitted = make()
    fitted.fit(quiet, tags)
    whole = _scored(fitted, seen)
    _clause(bool(fitted.name), "name: text that the site file names it by")
    _clause(bool(whole[100:].mean() > whole[:20].mean()), "score: higher is worse, also for a step of one tag by eight deviations")
    shares = np.asarray(fitted.shares())
    _clause(shares.shape == (5,), f"shares: one for each of 5 tags, not {shares.shape}")
    _clause(bool((shares >= 0).all()), "shares: never below 0")
    _clause(abs(float(shares.sum()) - 1) < 1e-9, "shares: they sum to 1")
    _clause(int(shares.argmax()) == 1, "shares: the tag that moved contributes most")
    _check_detector_splits(fitted, seen, whole, rng)
    _check_detector_keeping(make, fitted, seen, whole)
    moved = seen[:60].copy()
    moved[50:, 4] = 14.0
    fitted.reset()
    after = _scored(fitted, moved)
    _clause(bool(after[50:].min() > after[:20].max()), "score: a tag that stood still in the quiet stretch and moves is seen")
    _check_detector_refusals(make, tags)


def _scored(detector: Detector, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    before = rows.copy()
    scores = detector.score(rows)
    _clause(scores.shape == (rows.shape[0],), f"score: one for each of {rows.shape[0]} rows, not {scores.shape}")
    _clause(bool(np.isfinite(scores).all()), "score: always finite, also for rows with gaps")
    _clause(np.array_equal(before, rows, equal_nan=True), "score: leaves its rows as they are")
    return scores


def _check_detector_splits(fitted: Detector, seen: NDArray[np.float64], whole: NDArray[np.float64], rng: np.random.Generator) -> None:
    for most in (1, 3, 40):
        fitted.reset()
        parts: list[NDArray[np.float64]] = []
        at = 0
        while at < seen.shape[0]:
            step = int(rng.integers(0 if most > 1 else 1, most + 1))
            parts.append(_scored(fitted, seen[at : at + step]))
            at += step
        _clause(np.concatenate(parts).tobytes() == whole.tobytes(), "score: the same bits however the rows are split, and after reset")


def _check_detector_keeping(make: Callable[[], Detector], fitted: Detector, seen: NDArray[np.float64], whole: NDArray[np.float64]) -> None:
    loaded = make()
    loaded.load(fitted.save())
    _clause(_scored(loaded, seen).tobytes() == whole.tobytes(), "load(save()): scores alike")
    for foreign in (b"", b"not a learned state", fitted.save()[:-40]):
        _refused(lambda state=foreign: make().load(state), "load: ValueError for a state that is not one of this detector's")


def _check_detector_refusals(make: Callable[[], Detector], tags: Sequence[str]) -> None:
    few = np.arange(10.0).reshape(2, 5)
    _refused(lambda: make().fit(few[:0], tags), "fit: ValueError for no rows")
    _refused(lambda: make().fit(few, tags[:3]), "fit: ValueError for another number of tags than columns")
    empty = np.random.default_rng(0).normal(size=(100, 5))
    empty[:, 2] = np.nan
    _refused(lambda: make().fit(empty, tags), "fit: ValueError for a tag with no value at all")


def _refused(act: Callable[[], object], clause: str) -> None:
    try:
        act()
    except ValueError as error:
        _clause(bool(str(error).strip()), f"{clause}, and it says what is wrong")
    else:
        raise AssertionError(clause)


def _clause(kept: bool, clause: str) -> None:
    if not kept:
        raise AssertionError(clause)
