"""Every unit against its own beginning: what a unit's first rows say of its level is taken off, as far as they can be trusted.

Engines, machines and batches of one kind differ from each other by more than wear moves one of them at first. With B the
variance between units and W within, the level of a unit after k rows with mean m is predicted as centre + B / (B + W/k) · (m -
centre) (the best linear predictor of a random effect: Henderson, Biometrics 31 (1975) 423-447). It follows the first
`rows` rows of a run and stands still from then on, so that later wear is not taken for the unit's own level.

>>> import numpy as np
>>> level = OwnLevel.learned([np.array([[-9.0], [-11.0]] * 5), np.array([[9.0], [11.0]] * 5)], rows=4)
>>> [round(float(x), 1) for x in level.taken_off(np.array([[11.0], [9.0], [11.0], [9.0], [15.0]]))[:, 0]]
[0.1, -1.0, 0.7, -1.0, 5.0]
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class OwnLevel:
    """`taken_off` every row of a run in order; `reset` when another run begins."""

    def __init__(self, *, centre: Matrix, trust: Matrix, rows: int) -> None:
        """centre (tags,); trust (rows, tags): B / (B + W/k) for k = 1 … rows."""
        self.centre, self.trust, self.rows = centre, trust, rows
        self.reset()

    @classmethod
    def learned(cls, runs: Sequence[Matrix], *, rows: int) -> "OwnLevel":
        """From quiet runs (rows, tags) without gaps, at least two, each of two rows at least."""
        length = np.array([run.shape[0] for run in runs], dtype=np.float64)
        within = np.mean([run.var(axis=0, ddof=1) for run in runs], axis=0)
        means = np.array([run.mean(axis=0) for run in runs])
        between = np.maximum(means.var(axis=0, ddof=1) - within * float(np.mean(1 / length)), 0.0)
        k = np.arange(1, rows + 1, dtype=np.float64)[:, None]
        return cls(centre=np.concatenate(runs).mean(axis=0), trust=between / (between + within / k + 1e-300), rows=rows)

    def reset(self) -> None:
        self._seen, self._sum, self._off = 0, np.zeros_like(self.centre), np.zeros_like(self.centre)

    def taken_off(self, rows: Matrix) -> Matrix:
        """(rows, tags) less the unit's own offset; the same bits however the rows are split."""
        out = rows.copy()
        first = min(max(self.rows - self._seen, 0), rows.shape[0])
        for at in range(first):
            self._sum += rows[at] - self.centre
            self._off = self.trust[self._seen] * (self._sum / (self._seen + 1))
            self._seen += 1
            out[at] -= self._off
        out[first:] -= self._off
        return out
