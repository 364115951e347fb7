"""The legacy rule engine as a detector: every tag against its own fixed limits, 1.0 at the limit.

`sigma`: |x - mean| / (k · standard deviation) of the quiet stretch; `minmax`: distance from the middle of the quiet
stretch's range over half that range, widened by k. The score is the worst tag's. (Shewhart, 1931; the comparison
every other detector must beat.)

>>> import numpy as np
>>> rule = Limits(k=2.0)
>>> rule.fit(np.array([[9.0], [11.0], [9.0], [11.0]]), ["tank/level"])
>>> rule.score(np.array([[12.0], [10.0]])).tolist()
[1.0, 0.0]
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.packing import pack, shares_of, unpack
from holdfast.agent.perception.substitute import Substitute, check_quiet, resolution

Matrix = NDArray[np.float64]


@dataclasses.dataclass
class Limits:
    """A Bad or non-finite value is taken as the tag's last good one, before any as the fitted centre. A tag that never
    moved in the quiet stretch gets half a per mille of its value as its deviation, so that a later change shows.
    """

    name: ClassVar[str] = "limits"

    rule: Literal["sigma", "minmax"] = "sigma"
    """`sigma`: mean ± k standard deviations; `minmax`: the range seen, widened k times."""
    k: float = 3.0
    """How many standard deviations, or how many half ranges, are still normal."""

    _centre: Matrix = dataclasses.field(init=False, repr=False, default_factory=lambda: np.zeros(0))
    _half: Matrix = dataclasses.field(init=False, repr=False, default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.rule not in ("sigma", "minmax"):
            raise ValueError(f"rule must be sigma or minmax, not {self.rule!r}")
        if not self.k > 0:
            raise ValueError(f"k must be above 0, not {self.k}")
        self.reset()

    def fit(self, values: Matrix, tags: Sequence[str]) -> None:
        quiet = check_quiet(values, tags, rows_min=2)
        if self.rule == "sigma":
            self._centre, half = quiet.mean(0), quiet.std(0)
        else:
            low, high = quiet.min(0), quiet.max(0)
            self._centre, half = (low + high) / 2, (high - low) / 2
        self._half = self.k * np.where(half <= resolution(quiet), 5e-4 * np.maximum(np.abs(self._centre), 1e-3), half)
        self.reset()

    def reset(self) -> None:
        self._good = Substitute(self._centre)
        self._last: Matrix | None = None

    def score(self, values: Matrix) -> Matrix:
        if not self._half.size:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        excess = np.abs(self._good.fill(values) - self._centre) / self._half
        if excess.shape[0]:
            self._last = excess[-1]
        return np.minimum(excess.max(axis=1), 1e9)

    def shares(self) -> Matrix:
        return shares_of(np.zeros_like(self._half) if self._last is None else self._last**2)

    def save(self) -> bytes:
        return pack(self.name, {"rule": self.rule, "k": self.k}, {"centre": self._centre, "half": self._half})

    def load(self, state: bytes) -> None:
        options, arrays = unpack(self.name, state, ("centre", "half"))
        rule, k = options.get("rule"), options.get("k")
        if rule not in ("sigma", "minmax") or not isinstance(k, int | float):
            raise ValueError("the learned state of limits lacks rule or k: it is damaged")
        self.rule, self.k = rule, float(k)  # type: ignore[assignment]
        self._centre, self._half = arrays["centre"], arrays["half"]
        self.reset()
