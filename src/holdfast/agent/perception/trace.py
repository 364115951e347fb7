"""The picture of a long recording in bounded memory: the lowest and highest of every stretch of rows.

Stretches begin at one row and double whenever there would be more than `STRETCHES_MAX` of them, so ten rows and ten thousand million
cost alike.

>>> import numpy as np
>>> trace = Trace(1)
>>> trace.add(np.arange(10.0)[:, None])
>>> trace.rows_each, trace.low[:3, 0].tolist()
(1, [0.0, 1.0, 2.0])
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
STRETCHES_MAX = 2048


class Trace:
    """`add` rows in order; `low` and `high` are (stretches, columns), NaN where a stretch has no number."""

    def __init__(self, columns: int) -> None:
        self.rows_each = 1
        self.rows = 0
        self._low = np.full((STRETCHES_MAX, columns), np.inf)
        self._high = np.full((STRETCHES_MAX, columns), -np.inf)

    def add(self, rows: Matrix) -> None:
        while self.rows + rows.shape[0] > STRETCHES_MAX * self.rows_each:
            self._halve()
        clean = np.where(np.isfinite(rows), rows, np.nan)
        at = (self.rows + np.arange(rows.shape[0])) // self.rows_each
        np.fmin.at(self._low, at, clean)
        np.fmax.at(self._high, at, clean)
        self.rows += rows.shape[0]

    @property
    def low(self) -> Matrix:
        return self._told(self._low)

    @property
    def high(self) -> Matrix:
        return self._told(self._high)

    def _told(self, kept: Matrix) -> Matrix:
        told = kept[: -(-self.rows // self.rows_each)]
        return np.where(np.isfinite(told), told, np.nan)

    def _halve(self) -> None:
        half = STRETCHES_MAX // 2
        for kept, of, empty in ((self._low, np.minimum, np.inf), (self._high, np.maximum, -np.inf)):
            kept[:half] = of(kept[0::2], kept[1::2])
            kept[half:] = empty
        self.rows_each *= 2
