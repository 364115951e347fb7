"""The contract of `ports.Detector`: units do not matter, rows may come in any pieces, what is kept is what was, bad input is refused."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.ports import Detector
from holdfast.testing.clause import clause


def step_of_one_tag(rows: NDArray[np.float64]) -> None:
    """From row 100 on, tag 1 is eight deviations higher."""
    rows[100:, 1] += 80.0


def stand_of_one_tag(rows: NDArray[np.float64]) -> None:
    """From row 100 on, tag 1 does not move: for detectors of sensors that stopped."""
    rows[100:, 1] = rows[100, 1]


def check_detector(
    make: Callable[[], Detector],
    *,
    seed: int = 7,
    upset: Callable[[NDArray[np.float64]], None] = step_of_one_tag,
    judges_still_tags: bool = True,
) -> None:
    """Hold a detector to `ports.Detector`; `make` gives a new, unfitted one each time. Takes under two seconds.

    `upset` changes rows in place from 100 on, in tag 1, as the detector's own kind of fault does. `judges_still_tags` is
    False for one that says nothing of tags that never moved in the quiet stretch.
    """
    rng = np.random.default_rng(seed)
    tags = [f"unit/tag_{i}" for i in range(5)]
    quiet = rng.normal(size=(400, 5)) * [1.0, 10.0, 0.1, 1000.0, 0.0] + [0.0, 50.0, -3.0, 1e4, 7.0]
    quiet[:, 1] += 8 * quiet[:, 0]
    seen = quiet[:150].copy()
    upset(seen)
    seen[20, 2], seen[21, 0], seen[22] = np.nan, np.inf, np.nan
    fitted = make()
    fitted.fit(quiet, tags)
    whole = _scored(fitted, seen)
    clause(bool(fitted.name), "name: text that the site file names it by")
    clause(bool(whole[100:].mean() > whole[:20].mean()), "score: higher is worse, also for the fault of one tag")
    shares = np.asarray(fitted.shares())
    clause(shares.shape == (5,), f"shares: one for each of 5 tags, not {shares.shape}")
    clause(bool((shares >= 0).all()), "shares: never below 0")
    clause(abs(float(shares.sum()) - 1) < 1e-9, "shares: they sum to 1")
    clause(int(shares.argmax()) == 1, "shares: the tag that moved contributes most")
    _check_detector_splits(fitted, seen, whole, rng)
    _check_detector_keeping(make, fitted, seen, whole)
    _check_detector_units(make, quiet, seen, tags)
    if judges_still_tags:
        moved = seen[:60].copy()
        moved[50:, 4] = 14.0
        fitted.reset()
        after = _scored(fitted, moved)
        clause(bool(after[50:].min() > after[:20].max()), "score: a tag that stood still in the quiet stretch and moves is seen")
    _check_detector_refusals(make, tags)


def _check_detector_units(make: Callable[[], Detector], quiet: NDArray[np.float64], seen: NDArray[np.float64], tags: Sequence[str]) -> None:
    """Another unit of a tag, of the same offset, is the same plant: kPa or Pa."""
    scores: list[NDArray[np.float64]] = []
    for unit in (1.0, 1000.0):
        fitted = make()
        fitted.fit(quiet * [unit, 1.0, 1.0, 1.0, 1.0], tags)
        with np.errstate(invalid="ignore"):
            scores.append(_scored(fitted, seen * [unit, 1.0, 1.0, 1.0, 1.0]))
    clause(np.allclose(scores[0], scores[1], rtol=1e-5, atol=1e-5), "score: the same plant in another unit scores alike")


def _scored(detector: Detector, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    before = rows.copy()
    scores = detector.score(rows)
    clause(scores.shape == (rows.shape[0],), f"score: one for each of {rows.shape[0]} rows, not {scores.shape}")
    clause(bool(np.isfinite(scores).all()), "score: always finite, also for rows with gaps")
    clause(np.array_equal(before, rows, equal_nan=True), "score: leaves its rows as they are")
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
        clause(np.concatenate(parts).tobytes() == whole.tobytes(), "score: the same bits however the rows are split, and after reset")


def _check_detector_keeping(make: Callable[[], Detector], fitted: Detector, seen: NDArray[np.float64], whole: NDArray[np.float64]) -> None:
    loaded = make()
    loaded.load(fitted.save())
    clause(_scored(loaded, seen).tobytes() == whole.tobytes(), "load(save()): scores alike")
    for foreign in (b"", b"not a learned state", fitted.save()[:-40]):
        _refused(lambda state=foreign: make().load(state), "load: ValueError for a state that is not one of this detector's")


def _check_detector_refusals(make: Callable[[], Detector], tags: Sequence[str]) -> None:
    few = np.arange(10.0).reshape(2, 5)
    _refused(lambda: make().fit(few[:0], tags), "fit: ValueError for no rows")
    _refused(lambda: make().fit(few, tags[:3]), "fit: ValueError for another number of tags than columns")
    empty = np.random.default_rng(0).normal(size=(100, 5))
    empty[:, 2] = np.nan
    _refused(lambda: make().fit(empty, tags), "fit: ValueError for a tag with no value at all")


def _refused(act: Callable[[], object], said: str) -> None:
    try:
        act()
    except ValueError as error:
        clause(bool(str(error).strip()), f"{said}, and it says what is wrong")
    else:
        raise AssertionError(said)
