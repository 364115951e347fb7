"""The strongest detector: level and dynamics of all tags together, watched at several memories.

A quiet stretch teaches the covariance of the tags (shrunk: Ledoit and Wolf 2004), a ridge vector autoregression of
`lags` rows and the covariance of its residuals. Charts over the white level, the white residual, every tag given the
others (Hawkins, Technometrics 33 (1991) 61-75), and every tag by itself are averaged at several memories (multivariate
EWMA: Lowry et al., Technometrics 34 (1992) 46-53), beside the energy of level and residual, which sees variance and
correlation change without a shift. Every chart is put on one scale by cross-fitting: scores of quiet rows under a core
learned without them. The score is the worst chart's.

Three scales: `spread` has 0 at a chart's median and 1 at its 98 % quantile; `tail` reads the fifth of quiet rows furthest out as
an exponential tail of the logarithm (Hill, Annals of Statistics 3 (1975) 1163-1174), 0 where that fifth begins and 1 more for
every e-fold of rarity, and asks more of a chart whose long memory saw few independent windows (`tolerance`); `rarity` is e to
a third of that, the cube root of how many times rarer a row is, and 1 for what one held-out quiet row in a hundred is above: a limit
some way above the rarest quiet row is then so many times rarer, whether that row stood out a little or a lot.

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
from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.charts import CLIP, KINDS, PART_ROWS, Charts, Core
from holdfast.agent.perception.packing import pack, shares_of, unpack
from holdfast.agent.perception.quiet import core_of, wandering
from holdfast.agent.perception.substitute import Substitute, check_quiet, resolution
from holdfast.agent.perception.tail import tail, tolerance

Matrix = NDArray[np.float64]
ROWS_MIN = 30
CHARTS = 7  # of every memory: u, v, r, s, z, energy of u, energy of v
_JOINT, _BY_TAG = (0, 2), (1, 3, 4)  # places of u and v, of r, s and z among the features
WANDER_GAIN = 1 / 16  # a wandering tag must leave what it did in the quiet stretch by four times to count alone
JUMP_TAIL = 3.0  # one unit of the spread scale is about three e-folds
QUIET_SHARE = 0.99  # of held-out rows are below 1 on the scale of rarity
ROOT = 3.0  # of rarity: near a limit of four e-folds the score then falls by a fifth for the same step as on the scale of tails
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
    scale: Literal["spread", "tail", "rarity"] = "spread"
    """How charts are made comparable: by their spread, or by how rare a value is (`auto` uses `rarity`)."""
    reach: float = 0.0
    """Standard deviations that one row may add to a memory longer than three rows, 0: no bound. With one, the score is soon
    back after a large fault (what `auto` uses)."""

    def __post_init__(self) -> None:
        if not self.memories or not all(0 < m <= 1 for m in self.memories):
            raise ValueError(f"memories must be above 0 and at most 1, not {self.memories}")
        if list(self.memories) != sorted(self.memories, reverse=True):
            raise ValueError(f"memories go from the shortest, 1, to the longest, not {self.memories}")
        if self.lags < 1 or self.folds < 2 or not self.ridge > 0:
            raise ValueError("lags must be at least 1, folds at least 2 and ridge above 0")
        if self.scale not in ("spread", "tail", "rarity"):
            raise ValueError(f"scale must be spread, tail or rarity, not {self.scale!r}")
        if not 0 <= self.reach < CLIP:
            raise ValueError(f"reach must be 0 or above, and below {CLIP:g}, not {self.reach}")
        self._theory = np.array([(2 - m) / m for m in self.memories])[:, None]  # 1 over the variance of an average of white rows
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
        # What was calibrated on the older scales stays as it was: they doubt only what visibly wanders.
        wanders, spread_all = wandering(moving, slow=self.scale == "rarity"), moving.std(0)
        make = partial(core_of, spread=spread_all, wanders=wanders, lags=self.lags, ridge=self.ridge)
        edges = list(itertools.pairwise(np.linspace(0, moving.shape[0], self.folds + 1).astype(int).tolist()))
        cores = [make(np.concatenate([moving[:start], moving[end:]])) for start, end in edges]
        held_out = [moving[start:end] for start, end in edges]
        gain = self._gain(cores, held_out, wanders)
        weights = self._weights(gain)
        charts = np.concatenate([self._charts(part).T for part in self._averages(cores, held_out, weights)])
        if self.scale != "spread":
            median, spread = tail(charts)
            spread = spread * np.repeat(tolerance(moving.shape[0] / self._theory[:, 0]), CHARTS)
            if self.scale == "rarity":
                one = float(np.quantile(((charts - median) / spread).max(axis=1), QUIET_SHARE))
                median = median + one * spread
                learned["floor"] = floor * 3.0 ** (one / (2 * JUMP_TAIL))  # so that a still tag's jump counts from there too
        else:
            median = np.median(charts, axis=0)
            spread = np.maximum(np.quantile(charts, 0.98, axis=0) - median, 1e-3) * self._doubt(moving.shape[0])
        core = make(moving)
        return (
            learned
            | {"gain": gain, "median": median, "spread": spread, "centre": core.centre, "scale": core.scale}
            | {"level": core.level, "step": core.step, "residual": core.residual}
        )

    def _doubt(self, rows: int) -> Matrix:
        """(charts,): how much further than seen a chart may go, as its long memory saw few independent windows.

        With v = rows · l / (2 - l) windows, Student's quantile over the normal one is 1 + (z² + 1)/(4v) to first order
        (Abramowitz and Stegun 26.7.5), here at z = 3.
        """
        windows = np.maximum(rows / self._theory[:, 0], 2.0)
        return np.repeat(1 + 2.5 / windows, CHARTS)

    def _weights(self, gain: Matrix) -> Matrix:
        """(memories, 5d + 2): so that squares of averages are the charts' own: sums for u and v, the worst tag for r, s and z."""
        n, _, d = gain.shape
        out = np.ones((n, KINDS * d + 2))
        kinds = out[:, : KINDS * d].reshape(n, KINDS, d)
        kinds[:, _JOINT] = np.sqrt(self._theory / d)[:, None]
        kinds[:, _BY_TAG] = np.sqrt(gain)
        return out

    def _averages(self, cores: Sequence[Core], held_out: Sequence[Matrix], weights: Matrix | None = None) -> Iterator[Matrix]:
        """Averages of rows under a core learned without them, part by part; the first rows, without history, left out."""
        for core, rows in zip(cores, held_out, strict=True):
            charts = Charts(core, np.array(self.memories), self.reach, weights)
            for start in range(0, rows.shape[0], PART_ROWS):
                averages = charts.run(rows[start : start + PART_ROWS])
                yield averages[..., self.lags :] if start == 0 else averages

    def _gain(self, cores: Sequence[Core], held_out: Sequence[Matrix], wanders: NDArray[np.bool_]) -> Matrix:
        """(memories, 3, d): brings the mean square of every tag's average of r, s and z to 1 on held-out rows.

        Theory knows that number for independent rows only; closed loops, holds and slow drifts make it larger by far.
        """
        memory, d = np.array(self.memories), wanders.shape[0]
        total, rows = np.zeros((memory.shape[0], KINDS * d)), 0
        for averages in self._averages(cores, held_out):
            total += np.square(averages[:, : KINDS * d]).sum(axis=-1)
            rows += averages.shape[-1]
        mean_square = (total / max(rows, 1)).reshape(-1, KINDS, d)[:, _BY_TAG]
        floor = 1e-3 * memory / (2 - memory)  # of what independent rows would give
        gain = 1.0 / np.maximum(mean_square, floor[:, None, None])
        gain[:, 0, wanders] = 0.0
        gain[:, 2, wanders] *= WANDER_GAIN
        if self.scale == "rarity":
            gain[:, 1] *= np.where((memory < 1)[:, None] & wanders, WANDER_GAIN, 1.0)  # residuals that add up are a level again
        return gain

    # ---- scoring

    def reset(self) -> None:
        self._last, self._jumps = None, np.zeros(0)
        if self._learned is None:
            return
        got = self._learned
        self._live = got["live"] > 0
        self._all_live = bool(self._live.all())
        self._good = Substitute(got["centre_all"])
        self._median_now, self._spread_now = got["median"], got["spread"]
        self._charts_now: Charts | None = None
        if self._live.any():
            core = Core(**{key: got[key] for key in ("centre", "scale", "level", "step", "residual")})
            self._charts_now = Charts(core, np.array(self.memories), self.reach, self._weights(got["gain"]))

    def score(self, values: Matrix) -> Matrix:
        if self._learned is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        rows = self._good.fill(values)
        if rows.shape[0] == 1 and self._all_live and self._charts_now is not None:
            worst = max(self._worst_of_one(self._charts_now, rows[0]), -10.0)
            return np.exp(np.array([worst]) / ROOT) if self.scale == "rarity" else np.array([worst])
        score = np.full(rows.shape[0], -np.inf)
        if not rows.shape[0]:
            return score
        with np.errstate(over="ignore"):
            if self._charts_now is not None:
                moving = rows if self._all_live else rows[:, self._live]
                for start in range(0, rows.shape[0], PART_ROWS):
                    part = moving[start : start + PART_ROWS]
                    if part.shape[0] == 1:
                        score[start] = self._worst_of_one(self._charts_now, part[0])
                        continue
                    averages = self._charts_now.run(part)
                    self._last = averages[..., -1].copy()
                    charts = self._charts(averages)
                    charts -= self._learned["median"][:, None]
                    charts /= self._learned["spread"][:, None]
                    np.maximum.reduce(charts, axis=0, out=score[start : start + PART_ROWS])
            if not self._all_live:
                still = ~self._live
                jump = np.abs(rows[:, still] - self._learned["centre_all"][still]) / self._learned["floor"][still]
                jump = np.minimum(jump, CLIP)
                self._jumps = jump[-1]
                score = np.maximum(score, self._jump_score(jump.max(axis=1)))
        return self._scaled(score)

    def _scaled(self, score: Matrix) -> Matrix:
        np.maximum(score, -10.0, out=score)
        return np.exp(score / ROOT) if self.scale == "rarity" else score

    def _worst_of_one(self, charts_now: Charts, row: Matrix) -> float:
        """The worst chart of one row, the way a live plant's rows come: the same number, with less around it."""
        averages = self._last = charts_now.one(row)
        n, width = averages.shape
        d = (width - 2) // KINDS
        squares = np.square(averages[:, : KINDS * d]).reshape(n, KINDS, d)
        charts = np.empty((n, CHARTS))
        # A running sum adds tag after tag, as the sum over a part's first axis does; a sum of one row alone would add pairwise.
        charts[:, :2] = np.add.accumulate(squares[:, :3:2], axis=-1)[..., -1]
        worst = np.maximum.reduce(squares, axis=-1)
        charts[:, 2], charts[:, 3:5] = worst[:, 1], worst[:, 3:]  # _BY_TAG, without a list of places
        np.maximum(averages[:, KINDS * d :], 0.0, out=charts[:, 5:])
        flat = charts.reshape(n * CHARTS)
        flat += _TINY
        np.log(flat, out=flat)
        flat -= self._median_now
        flat /= self._spread_now
        return float(np.maximum.reduce(flat))

    def _jump_score(self, jump: Matrix) -> Matrix:
        """log(z²)/log(3): 0 at 1 per mille, 2 at 3 (6 on the scale of tails); below, the chart of a still tag says nothing."""
        return np.log(np.square(jump) + _TINY) * ((1.0 if self.scale == "spread" else JUMP_TAIL) / np.log(3.0))

    def _charts(self, averages: Matrix) -> Matrix:
        """(memories, 5d + 2, rows) in, (charts, rows) out: log of every chart's statistic. At least two rows; they are used up."""
        n, width, rows = averages.shape
        d = (width - 2) // KINDS
        kinds = averages[:, : KINDS * d]
        squares = np.square(kinds, out=kinds).reshape(n, KINDS, d, rows)
        out = np.empty((n, CHARTS, rows))
        for place, kind in enumerate(_JOINT):
            np.add.reduce(squares[:, kind], axis=1, out=out[:, place])
        for place, kind in enumerate(_BY_TAG):
            np.maximum.reduce(squares[:, kind], axis=1, out=out[:, 2 + place])
        np.maximum(averages[:, KINDS * d :], 0.0, out=out[:, 5:])
        flat = out.reshape(n * CHARTS, rows)
        flat += _TINY
        return np.log(flat, out=flat)

    def shares(self) -> Matrix:
        """Of the chart that made the last score: squares of every tag given the others (reconstruction-based)."""
        if self._learned is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        weights = np.zeros(self._live.shape[0])
        jump = self._jump_score(self._jumps.max(initial=0.0))
        if self._last is not None:
            twice = np.repeat(self._last[..., None], 2, axis=-1)
            charts = (self._charts(twice)[:, 0] - self._learned["median"]) / self._learned["spread"]
            worst = int(charts.argmax())
            if charts[worst] >= jump:
                memory, kind = divmod(worst, CHARTS)
                d = self._learned["centre"].shape[0]
                by_tag = np.square(self._last[memory, : KINDS * d]).reshape(KINDS, d)[[*_BY_TAG]]
                if kind not in (2, 3, 4):  # to the joint charts a tag adds what it is, whatever its own chart makes of it
                    gain = self._learned["gain"][memory]
                    by_tag = by_tag / np.where(gain > 0, gain, 1.0)
                weights[self._live] = by_tag[(0, 1, 0, 1, 2, 0, 1)[kind]]  # (R S)² is the contribution to the joint charts
                return shares_of(weights)
        weights[~self._live] = np.square(self._jumps) if self._jumps.size else 0.0
        return shares_of(weights)

    # ---- keeping

    def save(self) -> bytes:
        if self._learned is None:
            raise ValueError("nothing to save: this detector has learned nothing yet")
        options = {"memories": list(self.memories), "lags": self.lags, "ridge": self.ridge, "folds": self.folds}
        options |= {"scale": self.scale, "reach": self.reach}
        return pack(self.name, options, self._learned)

    def load(self, state: bytes) -> None:
        options, arrays = unpack(self.name, state, _ARRAYS)
        try:
            memories = tuple(float(m) for m in options["memories"])  # type: ignore[attr-defined]
            lags, d = int(options["lags"]), arrays["centre"].shape[0]  # type: ignore[call-overload]
            ridge, folds = float(options["ridge"]), int(options["folds"])  # type: ignore[arg-type, call-overload]
            scale, reach = str(options.get("scale", "spread")), float(options.get("reach", 0.0))  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the learned state of dynamic lacks its options: it is damaged ({error})") from error
        live = int((arrays["live"] > 0).sum())
        if live != d or (d and arrays["step"].shape != (lags * d, d)) or (d and arrays["gain"].shape != (len(memories), 3, d)):
            raise ValueError("the learned state of dynamic does not fit together: it is damaged")
        self.memories, self.lags, self.ridge, self.folds = memories, lags, ridge, folds
        self.scale, self.reach = ("tail" if scale == "tail" else "rarity" if scale == "rarity" else "spread"), reach
        self.__post_init__()
        self._learned = arrays
        self.reset()
