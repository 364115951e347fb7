"""The strongest detector: level and dynamics of all tags together, watched at several memories.

A quiet stretch teaches the covariance of the tags (shrunk: Ledoit and Wolf 2004), a ridge vector autoregression of
`lags` rows and the covariance of its residuals. Charts over the white level, the white residual, every tag given the
others (Hawkins, Technometrics 33 (1991) 61-75), and every tag by itself are averaged at several memories (multivariate
EWMA: Lowry et al., Technometrics 34 (1992) 46-53), beside the energy of level and residual, which sees variance and
correlation change without a shift. Every chart is put on one scale by cross-fitting: scores of quiet rows under a core
learned without them. The score is the worst chart's, 0 at that chart's median, 1 at its 98 % quantile.

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> quiet = rng.normal(size=(300, 3))
>>> detector = Dynamic()
>>> detector.fit(quiet, ["a", "b", "c"])
>>> bool(detector.score(np.array([[0.0, 0.0, 9.0]]))[0] > 2), int(detector.shares().argmax())
(True, 2)
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.charts import CLIP, KINDS, Charts, Core
from holdfast.agent.perception.covariance import shrunk, whitening
from holdfast.agent.perception.packing import pack, shares_of, unpack
from holdfast.agent.perception.substitute import Substitute, check_quiet, resolution

Matrix = NDArray[np.float64]
ROWS_MIN = 30
_TINY = 1e-12
_ARRAYS = ("live", "centre_all", "floor", "centre", "scale", "level", "step", "residual", "gain", "median", "spread")


@dataclasses.dataclass
class Dynamic:
    """A Bad or non-finite value is taken as the tag's last good one, before any as its fitted mean: the score is then a
    claim about the other tags. A tag that never moved in the quiet stretch stays out of the charts and is watched by
    itself: a change of three per mille of its value (of 1e-6 at zero) scores 2, more scores higher, up to 7.
    """

    name: ClassVar[str] = "dynamic"

    memories: tuple[float, ...] = (1.0, 0.5, 0.2, 0.05)
    """Weight of the newest row in each moving average; 1 is no memory. A step is found soonest by the memory as long as
    it takes to stand out of the noise."""
    lags: int = 2
    """Rows before that the next one is predicted from."""
    ridge: float = 30.0
    """Pull of the prediction towards none, in rows of evidence."""
    folds: int = 5
    """Parts of the quiet stretch, each scored by what was learned without it."""

    def __post_init__(self) -> None:
        if not self.memories or not all(0 < m <= 1 for m in self.memories):
            raise ValueError(f"memories must be above 0 and at most 1, not {self.memories}")
        if self.lags < 1 or self.folds < 2 or not self.ridge > 0:
            raise ValueError("lags must be at least 1, folds at least 2 and ridge above 0")
        self._learned: dict[str, Matrix] | None = None
        self._last: Matrix | None = None  # (memories, 5d + 2) of the last row, for shares
        self._jumps = np.zeros(0)

    # ---- learning

    def fit(self, values: Matrix, tags: Sequence[str]) -> None:
        quiet = check_quiet(values, tags, rows_min=ROWS_MIN)
        with np.errstate(over="raise"):
            try:
                self._learned = self._learn(quiet)
            except FloatingPointError as error:
                raise ValueError("the quiet stretch holds values too large to square: check units and sensor limits") from error
        self.reset()

    def _learn(self, quiet: Matrix) -> dict[str, Matrix]:
        live = quiet.std(0) > resolution(quiet)
        centre_all = quiet.mean(0)
        floor = np.maximum(1e-3 * np.abs(centre_all), 1e-6)
        moving = quiet[:, live]
        learned = {"live": live.astype(np.float64), "centre_all": centre_all, "floor": floor}
        if not live.any():
            return learned | {key: np.zeros(0) for key in _ARRAYS[3:]}
        edges = np.linspace(0, moving.shape[0], self.folds + 1).astype(int)
        parts: list[Matrix] = []
        for start, end in itertools.pairwise(edges.tolist()):
            core = _core(np.concatenate([moving[:start], moving[end:]]), moving.std(0), self.lags, self.ridge)
            parts.append(Charts(core, np.array(self.memories)).run(moving[start:end])[self.lags :])
        gain = self._gain(parts, moving.shape[1])
        charts = np.concatenate([self._charts(part, gain) for part in parts])
        median = np.median(charts, axis=0)
        spread = np.maximum(np.quantile(charts, 0.98, axis=0) - median, 1e-3)
        core = _core(moving, moving.std(0), self.lags, self.ridge)
        return (
            learned
            | {"gain": gain, "median": median, "spread": spread, "centre": core.centre, "scale": core.scale}
            | {"level": core.level, "step": core.step, "residual": core.residual}
        )

    def _gain(self, parts: Sequence[Matrix], d: int) -> Matrix:
        """(memories, 5, d): what brings the mean square of every average to 1 if rows were independent."""
        memory = np.array(self.memories)
        return np.broadcast_to(((2 - memory) / memory)[:, None, None], (len(memory), KINDS, d)).copy()

    # ---- scoring

    def reset(self) -> None:
        self._last, self._jumps = None, np.zeros(0)
        if self._learned is None:
            return
        got = self._learned
        self._live = got["live"] > 0
        self._good = Substitute(got["centre_all"])
        self._charts_now: Charts | None = None
        if self._live.any():
            core = Core(**{key: got[key] for key in ("centre", "scale", "level", "step", "residual")})
            self._charts_now = Charts(core, np.array(self.memories))

    def score(self, values: Matrix) -> Matrix:
        if self._learned is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        rows = self._good.fill(values)
        score = np.full(rows.shape[0], -np.inf)
        if not rows.shape[0]:
            return score
        with np.errstate(over="ignore"):
            if self._charts_now is not None:
                averages = self._charts_now.run(rows[:, self._live])
                charts = self._charts(averages, self._learned["gain"])
                score = ((charts - self._learned["median"]) / self._learned["spread"]).max(axis=1)
                self._last = averages[-1].copy()
            if not self._live.all():
                still = ~self._live
                jump = np.abs(rows[:, still] - self._learned["centre_all"][still]) / self._learned["floor"][still]
                jump = np.minimum(jump, CLIP)
                self._jumps = jump[-1]
                # log(z²)/log(3): 0 at 1 per mille, 2 at 3; below, the chart of a still tag says nothing.
                score = np.maximum(score, (np.log(np.square(jump.max(axis=1)) + _TINY) / np.log(3.0)))
        return np.maximum(score, -10.0)

    def _charts(self, averages: Matrix, gain: Matrix) -> Matrix:
        """(rows, memories, 5d + 2) in, (rows, charts) out: log of every chart's statistic."""
        rows, n, width = averages.shape
        d = (width - 2) // KINDS
        squares = np.square(averages[..., : KINDS * d]).reshape(rows, n, KINDS, d) * gain
        sums = squares[:, :, (0, 2)].sum(-1) / d
        tops = squares[:, :, (1, 3, 4)].max(-1)
        energy = np.maximum(averages[..., KINDS * d :], 0.0)
        return np.log(np.concatenate([sums, tops, energy], axis=2).reshape(rows, n * 7) + _TINY)

    def shares(self) -> Matrix:
        """Of the chart that made the last score: squares of every tag given the others (reconstruction-based)."""
        if self._learned is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        weights = np.zeros(self._live.shape[0])
        jump = np.log(np.square(self._jumps.max(initial=0.0)) + _TINY) / np.log(3.0)
        if self._last is not None:
            charts = (self._charts(self._last[None], self._learned["gain"])[0] - self._learned["median"]) / self._learned["spread"]
            worst = int(charts.argmax())
            if charts[worst] >= jump:
                memory, kind = divmod(worst, 7)
                d = self._learned["centre"].shape[0]
                squares = np.square(self._last[memory, : KINDS * d]).reshape(KINDS, d)
                weights[self._live] = squares[(1, 3, 1, 3, 4, 1, 3)[kind]]
                return shares_of(weights)
        weights[~self._live] = np.square(self._jumps) if self._jumps.size else 0.0
        return shares_of(weights)

    # ---- keeping

    def save(self) -> bytes:
        if self._learned is None:
            raise ValueError("nothing to save: this detector has learned nothing yet")
        options = {"memories": list(self.memories), "lags": self.lags, "ridge": self.ridge, "folds": self.folds}
        return pack(self.name, options, self._learned)

    def load(self, state: bytes) -> None:
        options, arrays = unpack(self.name, state, _ARRAYS)
        try:
            memories = tuple(float(m) for m in options["memories"])  # type: ignore[attr-defined]
            lags, d = int(options["lags"]), arrays["centre"].shape[0]  # type: ignore[call-overload]
            ridge, folds = float(options["ridge"]), int(options["folds"])  # type: ignore[arg-type, call-overload]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the learned state of dynamic lacks its options: it is damaged ({error})") from error
        live = int((arrays["live"] > 0).sum())
        if live != d or (d and arrays["step"].shape != (lags * d, d)) or (d and arrays["gain"].shape != (len(memories), KINDS, d)):
            raise ValueError("the learned state of dynamic does not fit together: it is damaged")
        self.memories, self.lags, self.ridge, self.folds = memories, lags, ridge, folds
        self._learned = arrays
        self.reset()


def _core(rows: Matrix, scale_all: Matrix, lags: int, ridge: float) -> Core:
    """Learn level and dynamics from rows (n, d). A scale never falls below a tenth of the whole stretch's."""
    centre, scale = rows.mean(0), np.maximum(rows.std(0), 0.1 * scale_all)
    z = np.clip((rows - centre) / scale, -CLIP, CLIP)
    d = z.shape[1]
    white, given = whitening(shrunk(z)[0])
    history = np.concatenate([z[lags - lag : z.shape[0] - lag] for lag in range(1, lags + 1)], axis=1)
    target = z[lags:]
    gram = history.T @ history
    gram[np.diag_indices(lags * d)] += ridge
    step = np.linalg.solve(gram, history.T @ target)
    white_e, given_e = whitening(shrunk(target - history @ step)[0])
    return Core(
        centre=centre,
        scale=scale,
        level=np.ascontiguousarray(np.concatenate([white, given]).T),
        step=np.ascontiguousarray(step),
        residual=np.ascontiguousarray(np.concatenate([white_e, given_e]).T),
    )
