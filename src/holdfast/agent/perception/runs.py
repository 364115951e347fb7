"""A quiet stretch that consists of runs: each begins anew, and what holds between its rows does not hold across its start."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from holdfast.ports import Detector

Matrix = NDArray[np.float64]


@runtime_checkable
class LearnsRuns(Protocol):
    """A detector that makes use of where runs begin."""

    def fit_runs(self, runs: Sequence[Matrix], tags: Sequence[str]) -> None:
        """Learn quiet runs, each (rows, tags). Raises ValueError that says what is wrong with them."""
        ...


@runtime_checkable
class LearnsAlike(Protocol):
    """A detector that chooses, and can choose alike for a part of what it learned."""

    def alike(self) -> Detector:
        """A new, unfitted one that makes the same choice."""
        ...


def fitted(detector: Detector, runs: Sequence[Matrix], tags: Sequence[str]) -> None:
    """Fit on runs a detector that makes use of them; any other on all of them, one after the other."""
    if len(runs) > 1 and isinstance(detector, LearnsRuns):
        detector.fit_runs(runs, tags)
    else:
        detector.fit(np.concatenate(runs), tags)


def cut(rows: Matrix, starts: Sequence[int]) -> list[Matrix]:
    """(rows, tags) as runs; `starts` are the rows where one begins, row 0 apart, rising."""
    return [run for run in np.split(rows, list(starts)) if run.shape[0]]
