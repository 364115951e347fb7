"""How far the normal state has moved from where it was learned: slow means now against the quiet stretch, in its own wanders.

A tag's mean over half an hour of quiet rows or so scatters less than the means of single blocks, whose standard deviation is the
wander. So in a plant that still behaves as it did, hardly any tag's slow mean is ever beyond three wanders; one that is has another
normal. Told, never followed: a slow mean that is learned from in silence teaches a detector that worn is well.
"""

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.diagnosis.features import Quiet

Floats = NDArray[np.float64]
ROWS = 1800  # of memory: the weight of the newest row is one in so many
DRIFTED, SETTLED = 3.0, 2.0  # wanders: told from the first on, until below the second
TOLD_MAX = 8


class Drift:
    """`take` quiet rows, (tags,) in the tags' units, with NaN for what was not Good."""

    def __init__(self, quiet: Quiet) -> None:
        self._quiet = quiet
        self._mean = np.where(np.isfinite(quiet.mean), quiet.mean, 0.0)
        self._rows = np.zeros(len(quiet.tags), dtype=np.int64)
        self._over = False

    def take(self, values: Floats) -> None:
        good = np.isfinite(values)
        self._rows += good
        # The first rows weigh alike, so that the mean is of rows seen and not of the value it was begun with.
        weight = 1.0 / np.minimum(np.maximum(self._rows, 1), ROWS)
        self._mean += np.where(good, weight * (np.where(good, values, 0.0) - self._mean), 0.0)

    @property
    def wanders(self) -> Floats:
        """(tags,), signed; 0 for a tag of which too few rows were seen, or that was never Good in the quiet stretch."""
        known = (self._rows >= ROWS // 2) & np.isfinite(self._quiet.mean)
        scale = np.where(known, self._quiet.wander, 1.0)
        return np.where(known, (self._mean - np.where(known, self._quiet.mean, 0.0)) / scale, 0.0)

    @property
    def worst(self) -> float | None:
        """The furthest tag's; None until enough rows were seen."""
        return float(np.abs(self.wanders).max()) if (self._rows >= ROWS // 2).any() else None

    def judge(self) -> bool:
        """Whether the normal state counts as moved; with hysteresis, so the last answer is remembered."""
        worst = self.worst or 0.0
        self._over = worst > (SETTLED if self._over else DRIFTED)
        return self._over

    def furthest(self) -> tuple[tuple[str, float], ...]:
        """(tag, wanders), those beyond SETTLED, the furthest first."""
        wanders = self.wanders
        order = np.argsort(-np.abs(wanders), kind="stable")[:TOLD_MAX]
        return tuple((self._quiet.tags[int(i)], round(float(wanders[i]), 2)) for i in order if abs(wanders[i]) > SETTLED)
