"""A sensor that says what the others do not: its surprise given all other tags, averaged, lasts.

    r = R z,   e_t = e_(t-1) + l (r_t - e_(t-1)),   score = max over tags |e_t| / (k s)

R z is every tag's deviation from its regression on all others, of unit variance (Hawkins, Technometrics 33 (1991) 61-75). A
sensor that drifts or is fed another signal leaves what the others say of it; a plant that moves takes all of them along.
Only tags of which the others explain at least `explained` of the variance in the quiet stretch are judged: of the rest
they know nothing. It can't tell which of two redundant sensors lies; a third can.

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> one = rng.normal(size=(300, 1))
>>> detector = Spoofed()
>>> detector.fit(np.hstack([one, one, one]) + 0.3 * rng.normal(size=(300, 3)), ["a", "b", "c"])
>>> plant = detector.score(np.full((30, 3), 1.5))
>>> detector.reset()
>>> sensor = detector.score(np.tile([0.0, 0.0, 1.5], (30, 1)))
>>> bool(plant[-1] < 1 < sensor[-1]), int(detector.shares().argmax())
(True, 2)
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.covariance import shrunk, whitening
from holdfast.agent.perception.standard import Matrix, Standard


@dataclasses.dataclass
class Spoofed(Standard):
    """A Bad or non-finite value is taken as the tag's last good one, before any as the fitted mean."""

    name: ClassVar[str] = "spoofed"
    keeps: ClassVar[tuple[str, ...]] = ("given", "spread")
    rows_min: ClassVar[int] = 30

    weight: float = 0.1
    """Of the newest row in the average."""
    k: float = 4.0
    """How many of its own standard deviations an average may go."""
    explained: float = 0.25
    """Least share of a tag's variance that the other tags must explain."""

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1 or not self.k > 0 or not 0 < self.explained < 1:
            raise ValueError("weight must be above 0 and at most 1, k above 0 and explained between 0 and 1")

    def _learn(self, z: Matrix, live: NDArray[np.bool_]) -> Mapping[str, Matrix]:
        tags = z.shape[1]
        given, spread = np.zeros((tags, tags)), np.full(tags, np.inf)
        moving = np.flatnonzero(live)
        if moving.size > 1:
            covariance = shrunk(z[:, moving])[0]
            surprise = whitening(covariance)[1]
            # R's diagonal is sqrt(P_ii), and 1 / P_ii the variance that the others leave.
            known = 1 - 1 / (np.square(np.diag(surprise)) * np.diag(covariance)) >= self.explained
            given[np.ix_(moving, moving)] = surprise.T
            self._average = np.zeros(tags)
            averages = np.array([self._step(row) for row in (z[:, None, :] @ given)[:, 0]])
            rms = np.sqrt(np.square(averages[z.shape[0] // 10 :]).mean(axis=0))
            judged = moving[known]
            spread[judged] = np.maximum(rms[judged], 0.5 * np.sqrt(self.weight / (2 - self.weight)))
        return {"given": given, "spread": np.where(np.isfinite(spread), spread, 1e300)}

    def _start(self) -> None:
        self._average = np.zeros(self._known()["centre"].shape[0])

    def _run(self, z: Matrix) -> tuple[Matrix, Matrix]:
        learned = self._known()
        surprises = (z[:, None, :] @ learned["given"])[:, 0]
        away = np.abs(np.array([self._step(row) for row in surprises])) / (self.k * learned["spread"])
        return away.max(axis=1), np.square(away[-1])

    def _step(self, row: Matrix) -> Matrix:
        self._average = self._average + self.weight * (row - self._average)
        return self._average
