"""Slow degradation: a line through the discounted past of every tag, what conditions explain taken off, and when it meets a limit.

Rows that are a rows old weigh w = d^a, d = 1 - 1/memory. The line level - slope · a that fits them best (discounted least
squares: Brown, Smoothing, Forecasting and Prediction (1963), ch. 9) needs two sums a tag:

    Y0 = d Y0 + y,  Y1 = d (Y1 + Y0),      S0 level - S1 slope = Y0,  -S1 level + S2 slope = -Y1

S0 = sum w, S1 = sum a w, S2 = sum a² w, with one quiet row and no slope before the first, so that a start is no trend. The
score is the worst tag's |level| / (k s v): v² the variance that the weights leave a line of independent rows, s its root mean
square on quiet rows in that measure. Tags named as conditions (load, speed, ambient)
are not judged: what they and their squares explain of the others in the quiet stretch is taken off. `remaining` extends the
lines to given limits, with an interval from the line's own variance, as if rows were independent given the line: a lower
bound on the doubt.

>>> import numpy as np
>>> detector = Gradual(memory=50)
>>> detector.fit(np.random.default_rng(1).normal(size=(300, 2)), ["a", "b"])
>>> rows = np.random.default_rng(2).normal(size=(200, 2))
>>> rows[:, 1] += 0.05 * np.arange(200)
>>> bool(detector.score(rows)[-1] > 1), int(detector.shares().argmax())
(True, 1)
>>> found = detector.remaining({"b": 15.0})[0]
>>> bool(found.low_rows < 100 < found.high_rows)
True
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.standard import Matrix, Standard
from holdfast.terms import Word

NORMAL_95 = 1.96


class Remaining(Word):
    """When a tag meets a limit if nothing changes."""

    tag: str
    limit: float  # in the tag's unit
    level: float  # now, conditions taken off, in the tag's unit
    slope: float  # in the tag's unit a row
    rows: float | None  # 0: it is there; None: it does not go there
    low_rows: float | None  # 95 % interval
    high_rows: float | None  # None: it may never


@dataclasses.dataclass
class Gradual(Standard):
    """A Bad or non-finite value is taken as the tag's last good one, before any as the fitted mean."""

    name: ClassVar[str] = "gradual"
    keeps: ClassVar[tuple[str, ...]] = ("explains", "left", "spread", "judged")
    rows_min: ClassVar[int] = 30

    memory: float = 100.0
    """Rows that the line looks back on."""
    k: float = 4.0
    """How many of its own standard deviations a level may go."""
    conditions: str = ""
    """Tags that set how the others should be, by commas."""
    tags: str = ""
    """The tags in order, by commas; filled in by `fit`."""

    def __post_init__(self) -> None:
        if not self.memory > 2 or not self.k > 0:
            raise ValueError("memory must be above 2 rows and k above 0")

    def fit(self, values: Matrix, tags: Sequence[str]) -> None:
        missing = [name for name in self._conditions() if name not in tags]
        if missing:
            raise ValueError(f"no tag {', '.join(missing)} to be a condition: there are {', '.join(tags)}")
        self.tags = ",".join(tags)
        super().fit(values, tags)

    def remaining(self, limits: Mapping[str, float]) -> tuple[Remaining, ...]:
        """For each tag named, in its unit. Raises ValueError for a tag that is not watched."""
        learned, names = self._known(), self.tags.split(",")
        unknown = [tag for tag in limits if tag not in names]
        if unknown:
            raise ValueError(f"no tag {', '.join(unknown)}: there are {', '.join(names)}")
        level, slope, variances = self._line()
        found: list[Remaining] = []
        for tag, limit in limits.items():
            at = names.index(tag)
            unit = float(learned["scale"][at] * learned["left"][at])
            now, rate = float(learned["centre"][at] + unit * level[at]), unit * float(slope[at])
            noise = NORMAL_95 * unit * float(np.sqrt(self._noise[at]))
            above = limit >= float(learned["centre"][at])
            found.append(_meets(tag, limit, now, rate, (noise * variances[0] ** 0.5, noise * variances[1] ** 0.5), above=above))
        return tuple(found)

    def _learn(self, z: Matrix, live: NDArray[np.bool_]) -> Mapping[str, Matrix]:
        names = self.tags.split(",")
        by = np.array([name in self._conditions() for name in names])
        explains = np.zeros((1 + 2 * int(by.sum()), z.shape[1]))
        design = self._design(z, by)
        gram = design.T @ design
        gram[np.diag_indices_from(gram)] += 1e-3 * z.shape[0]
        explains[:, ~by] = np.linalg.solve(gram, design.T @ z[:, ~by])
        rest = z - design @ explains
        left = np.where(live, np.maximum(rest.std(axis=0), 1e-3), 1.0)
        self._begin(z.shape[1])
        levels = np.array([self._step(row) for row in rest / left])
        spread = np.maximum(np.sqrt(np.square(levels).mean(axis=0)), 1.0)
        return {"explains": explains, "left": left, "spread": spread, "judged": (~by).astype(np.float64)}

    def _start(self) -> None:
        self._begin(self._known()["centre"].shape[0])

    def _run(self, z: Matrix) -> tuple[Matrix, Matrix]:
        learned = self._known()
        by = learned["judged"] == 0
        rest = (z - (self._design(z, by)[:, None, :] @ learned["explains"])[:, 0]) / learned["left"]
        levels = np.array([self._step(row) for row in rest])
        away = np.abs(levels) * learned["judged"] / (self.k * learned["spread"])
        return away.max(axis=1), np.square(away[-1])

    # ---- the line

    def _begin(self, tags: int) -> None:
        self._y0, self._y1, self._noise = np.zeros(tags), np.zeros(tags), np.ones(tags)
        self._sums = (1.0, 0.0, self.memory**2)  # S0, S1, S2: one quiet row, and no slope
        self._squares = (1.0, 0.0, self.memory**2)  # the same of w², for variances

    def _step(self, row: Matrix) -> Matrix:
        """(tags,): the levels after this row, in standard deviations of a line through independent rows."""
        d = 1 - 1 / self.memory
        self._y1 = d * (self._y1 + self._y0)
        self._y0 = d * self._y0 + row
        self._sums, self._squares = _older(self._sums, d), _older(self._squares, d * d)
        level, _, (variance, _) = self._line()
        self._noise = self._noise + (np.square(row - level) - self._noise) / self.memory
        return level / variance**0.5

    def _line(self) -> tuple[Matrix, Matrix, tuple[float, float]]:
        """Level and slope (tags,) in standard deviations, and the variances of both for noise of variance 1."""
        (s0, s1, s2), (q0, q1, q2) = self._sums, self._squares
        whole = s0 * s2 - s1 * s1
        a, b, c = s2 / whole, s1 / whole, s0 / whole  # the inverse of ((S0, -S1), (-S1, S2)) is ((a, b), (b, c))
        level, slope = a * self._y0 - b * self._y1, b * self._y0 - c * self._y1
        return level, slope, (a * a * q0 - 2 * a * b * q1 + b * b * q2, b * b * q0 - 2 * b * c * q1 + c * c * q2)

    def _design(self, z: Matrix, by: NDArray[np.bool_]) -> Matrix:
        return np.concatenate([np.ones((z.shape[0], 1)), z[:, by], np.square(z[:, by])], axis=1)

    def _conditions(self) -> list[str]:
        return [name.strip() for name in self.conditions.split(",") if name.strip()]


def _older(sums: tuple[float, float, float], d: float) -> tuple[float, float, float]:
    """S0, S1, S2 a row later, with a new row of age 0."""
    s0, s1, s2 = sums
    return d * s0 + 1.0, d * (s1 + s0), d * (s2 + 2 * s1 + s0)


def _meets(tag: str, limit: float, now: float, rate: float, doubts: tuple[float, float], *, above: bool) -> Remaining:
    """`doubts`: half of the intervals of level and slope."""
    sign = 1.0 if above else -1.0
    way, toward = sign * (limit - now), sign * rate
    level, slope = doubts
    if way <= 0:
        return Remaining(tag=tag, limit=limit, level=now, slope=rate, rows=0.0, low_rows=0.0, high_rows=0.0)
    soonest = max(way - level, 0.0) / (toward + slope) if toward + slope > 0 else None
    latest = (way + level) / (toward - slope) if toward > slope else None
    rows = way / toward if toward > 0 else None
    return Remaining(tag=tag, limit=limit, level=now, slope=rate, rows=rows, low_rows=soonest, high_rows=latest)
