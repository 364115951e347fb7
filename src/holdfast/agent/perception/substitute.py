"""What stands in for a value that is not there: the tag's last good one, before any the fitted centre."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def check_quiet(values: Matrix, tags: Sequence[str], *, rows_min: int) -> Matrix:
    """The quiet stretch (rows, tags) with gaps filled, or ValueError that says what is wrong with it.

    A gap takes the last good value of its tag, at the start the first good one.
    """
    quiet = np.asarray(values, dtype=np.float64)
    if quiet.ndim != 2 or quiet.shape[1] != len(tags):
        raise ValueError(f"expected rows of {len(tags)} tags, got an array of shape {quiet.shape}")
    if not len(tags):
        raise ValueError("no tags: a detector needs at least one numeric tag")
    if quiet.shape[0] < rows_min:
        raise ValueError(f"the quiet stretch has {quiet.shape[0]} rows and at least {rows_min} are needed: give a longer one")
    good = np.isfinite(quiet)
    empty = [tag for place, tag in enumerate(tags) if not good[:, place].any()]
    if empty:
        raise ValueError(f"no usable value of {', '.join(empty)} in the quiet stretch: leave the tag out or choose another stretch")
    if good.all():
        return quiet
    first = quiet[good.argmax(axis=0), np.arange(len(tags))]
    return Substitute(first).fill(quiet)


def resolution(quiet: Matrix) -> Matrix:
    """(tags,): a spread below this is rounding of the arithmetic, not movement of the plant."""
    return 1e-9 * (np.abs(quiet).max(axis=0) + 1e-30)


class Substitute:
    """Fills gaps row by row; what it fills depends on the rows before alone, not on how they were cut."""

    def __init__(self, centre: Matrix) -> None:
        self._held = np.array(centre, dtype=np.float64)

    def fill(self, values: Matrix) -> Matrix:
        """(rows, tags) with every non-finite value replaced; raises ValueError for another number of tags."""
        rows = np.asarray(values, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self._held.shape[0]:
            raise ValueError(f"expected rows of {self._held.shape[0]} tags, got an array of shape {rows.shape}")
        if not rows.shape[0]:
            return rows
        good = np.isfinite(rows)
        if not good.all():
            rows = rows.copy()
            # Index of the last good row at or before each row; -1: none yet, the held value stands.
            at = np.maximum.accumulate(np.where(good, np.arange(rows.shape[0])[:, None], -1), axis=0)
            picked = np.take_along_axis(rows, np.maximum(at, 0), axis=0)
            rows = np.where(at >= 0, picked, self._held)
        self._held = rows[-1].copy()
        return rows
