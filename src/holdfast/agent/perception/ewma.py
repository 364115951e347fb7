"""One moving average a tag: small lasting shifts that a single row hides in its noise.

    e_t = e_(t-1) + l (z_t - e_(t-1)),   score = max over tags |e_t| / (k s)

with z the tag in standard deviations and s the root mean square of its average on quiet rows, which the textbook's
sqrt(l / (2 - l)) gives for independent rows only. (Roberts, Technometrics 1 (1959) 239-250.)

>>> import numpy as np
>>> detector = Ewma()
>>> detector.fit(np.random.default_rng(1).normal(size=(300, 2)), ["a", "b"])
>>> scores = detector.score(np.tile([0.0, 1.5], (40, 1)))
>>> bool(scores[0] < 1 < scores[-1]), int(detector.shares().argmax())
(True, 1)
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.standard import Matrix, Standard


@dataclasses.dataclass
class Ewma(Standard):
    """A Bad or non-finite value is taken as the tag's last good one, before any as the fitted mean."""

    name: ClassVar[str] = "ewma"
    keeps: ClassVar[tuple[str, ...]] = ("spread",)

    weight: float = 0.2
    """Of the newest row in the average; 1 is no memory."""
    k: float = 3.0
    """How many of its own standard deviations an average may go."""

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1 or not self.k > 0:
            raise ValueError("weight must be above 0 and at most 1, and k above 0")

    def _learn(self, z: Matrix, live: NDArray[np.bool_]) -> Mapping[str, Matrix]:
        self._average = np.zeros(z.shape[1])
        averages = np.array([self._step(row) for row in z])[min(int(1 / self.weight), z.shape[0] // 2) :]
        theory = np.sqrt(self.weight / (2 - self.weight))
        return {"spread": np.maximum(np.sqrt(np.square(averages).mean(axis=0)), 0.5 * theory)}

    def _start(self) -> None:
        self._average = np.zeros(self._known()["centre"].shape[0])

    def _run(self, z: Matrix) -> tuple[Matrix, Matrix]:
        away = np.abs(np.array([self._step(row) for row in z])) / (self.k * self._known()["spread"])
        return away.max(axis=1), np.square(away[-1])

    def _step(self, row: Matrix) -> Matrix:
        self._average = self._average + self.weight * (row - self._average)
        return self._average
