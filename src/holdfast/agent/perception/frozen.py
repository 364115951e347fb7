"""A sensor that stopped: a tag that has not changed for longer than it ever stood still in the quiet stretch.

    score = max over tags  n_t / (margin · m),   m = max(longest quiet stand, rows_least)

n_t counts the rows since the tag last changed. A row without a value neither moves nor stands. A tag that stood still throughout
the quiet stretch is not judged: nobody knows its movement.

>>> import numpy as np
>>> detector = Frozen()
>>> detector.fit(np.random.default_rng(1).normal(size=(300, 2)), ["a", "b"])
>>> rows = np.random.default_rng(2).normal(size=(30, 2))
>>> rows[5:, 1] = rows[5, 1]
>>> scores = detector.score(rows)
>>> bool(scores[5] < 1 < scores[-1]), int(detector.shares().argmax())
(True, 1)
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.packing import pack, shares_of, unpack
from holdfast.agent.perception.substitute import check_quiet, resolution

Matrix = NDArray[np.float64]


@dataclasses.dataclass
class Frozen:
    """A Bad or non-finite value counts neither as a change nor as a stand."""

    name: ClassVar[str] = "frozen"

    margin: float = 3.0
    """How many times its longest quiet stand a tag may stand."""
    rows_least: int = 5
    """Rows that any tag may stand, times `margin`."""

    def __post_init__(self) -> None:
        if not self.margin >= 1 or self.rows_least < 1:
            raise ValueError("margin and rows_least must be at least 1")
        self._allowed: Matrix | None = None  # (tags,) rows; 0: not judged

    def fit(self, values: Matrix, tags: Sequence[str]) -> None:
        quiet = check_quiet(values, tags, rows_min=2)
        self._eps = resolution(quiet)
        self._allowed = np.zeros(quiet.shape[1])
        self.reset()
        longest = self._counts(quiet).max(axis=0)
        moved = quiet.std(axis=0) > self._eps
        self._allowed = np.where(moved, self.margin * np.maximum(longest, self.rows_least), 0.0)
        self.reset()

    def reset(self) -> None:
        tags = 0 if self._allowed is None else self._allowed.shape[0]
        self._held, self._count = np.full(tags, np.nan), np.zeros(tags)

    def score(self, values: Matrix) -> Matrix:
        allowed = self._known()
        rows = np.asarray(values, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != allowed.shape[0]:
            raise ValueError(f"expected rows of {allowed.shape[0]} tags, got an array of shape {rows.shape}")
        stands = self._counts(rows)
        return np.where(allowed > 0, stands / np.maximum(allowed, 1.0), 0.0).max(axis=1) if rows.shape[0] else np.zeros(0)

    def shares(self) -> Matrix:
        allowed = self._known()
        return shares_of(np.where(allowed > 0, self._count / np.maximum(allowed, 1.0), 0.0))

    def save(self) -> bytes:
        options = {"margin": self.margin, "rows_least": self.rows_least}
        return pack(self.name, options, {"allowed": self._known(), "eps": self._eps})

    def load(self, state: bytes) -> None:
        options, arrays = unpack(self.name, state, ("allowed", "eps"))
        margin, least = options.get("margin"), options.get("rows_least")
        if not isinstance(margin, int | float) or not isinstance(least, int) or arrays["allowed"].shape != arrays["eps"].shape:
            raise ValueError("the learned state of frozen does not fit together: it is damaged")
        self.margin, self.rows_least = float(margin), least
        self._allowed, self._eps = arrays["allowed"], arrays["eps"]
        self.reset()

    def _counts(self, rows: Matrix) -> Matrix:
        """(rows, tags): rows since each tag last changed."""
        out = np.empty(rows.shape)
        for at, row in enumerate(rows):
            good = np.isfinite(row)
            stands = good & (np.abs(row - self._held) <= self._eps)
            self._count = np.where(good, np.where(stands, self._count + 1, 0.0), self._count)
            self._held = np.where(good, row, self._held)
            out[at] = self._count
        return out

    def _known(self) -> Matrix:
        if self._allowed is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        return self._allowed
