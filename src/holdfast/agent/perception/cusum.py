"""Two sums a tag: what it was above and below its mean, beyond an allowance, adds up until it is worth an alarm.

    a_t = max(0, a_(t-1) + z_t - k),  b_t = max(0, b_(t-1) - z_t - k),   score = max over tags max(a_t, b_t) / h

z in standard deviations. k is half of the shift that is to be found soonest, h the sum that alarms. Sums stop at `CEILING`
times h, so that the end of a long fault is seen, too. (Page, Biometrika 41 (1954) 100-115.)

>>> import numpy as np
>>> detector = Cusum()
>>> detector.fit(np.random.default_rng(1).normal(size=(300, 2)), ["a", "b"])
>>> scores = detector.score(np.tile([0.0, 1.5], (40, 1)))
>>> bool(scores[2] < 1 < scores[15]), int(detector.shares().argmax())
(True, 1)
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.standard import Matrix, Standard

CEILING = 4.0


@dataclasses.dataclass
class Cusum(Standard):
    """A Bad or non-finite value is taken as the tag's last good one, before any as the fitted mean."""

    name: ClassVar[str] = "cusum"

    k: float = 0.5
    """Allowance, in standard deviations."""
    h: float = 8.0
    """Sum that alarms, in standard deviations."""

    def __post_init__(self) -> None:
        if not self.k >= 0 or not self.h > 0:
            raise ValueError("k must not be negative and h must be above 0")

    def _learn(self, z: Matrix, live: NDArray[np.bool_]) -> Mapping[str, Matrix]:
        return {}

    def _start(self) -> None:
        self._sums = np.zeros((2, self._known()["centre"].shape[0]))

    def _run(self, z: Matrix) -> tuple[Matrix, Matrix]:
        beyond = np.stack([z, -z], axis=1) - self.k
        scores = np.empty(z.shape[0])
        for at in range(z.shape[0]):
            self._sums = np.clip(self._sums + beyond[at], 0.0, CEILING * self.h)
            scores[at] = self._sums.max() / self.h
        return scores, np.square(self._sums.max(axis=0))
