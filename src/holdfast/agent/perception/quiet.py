"""What a quiet stretch teaches: centre, spread and covariance of the tags, how they move, and which of them wander.

A tag wanders when its mean differs between parts of the stretch by as much as it moves within a part (a motor that warms
up), or when it moves so slowly that the whole stretch holds only a handful of independent values of it: its level says nothing
about health then, and would spoil every chart that it is mixed into. Such a tag stays out of the joint charts; its one-step
residual and, desensitised, its own level are still watched.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.charts import CLIP, Core
from holdfast.agent.perception.covariance import shrunk, whitening

Matrix = NDArray[np.float64]
PARTS = 5  # of the stretch, compared with each other
WANDERS = 0.7  # mean square between parts over that within; independent rows give 0.0x, closed loops up to 0.6
VALUES_MIN = 16.0  # independent values that tell a level and its spread; slow loops of a process give 35 in 500 rows
ROWS_A_VALUE = 12  # a stretch too short for that many is judged by this instead
_REACH = 5.0  # correlation times that the sum of correlations runs over (Sokal, Monte Carlo Methods (1997), section 3)


def wandering(rows: Matrix, *, slow: bool = True) -> NDArray[np.bool_]:
    """(tags,): which tags of a quiet stretch (rows, tags) have no level of their own; `slow`: those too that move too slowly for it."""
    parts = [rows[a:b] for a, b in itertools.pairwise(np.linspace(0, rows.shape[0], PARTS + 1).astype(int).tolist())]
    total, between, within = rows.sum(0), np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for part in parts:
        others = (total - part.sum(0)) / (rows.shape[0] - part.shape[0])
        between += np.square(part.mean(0) - others)
        within += part.var(0)
    wanders = between > WANDERS * within
    return wanders if not slow else wanders | (independent_values(rows) < min(VALUES_MIN, rows.shape[0] / ROWS_A_VALUE))


def independent_values(rows: Matrix) -> Matrix:
    """(tags,): rows over the integrated correlation time, 1 + 2 · the sum of autocorrelations; at most as many as rows.

    The sum ends where it has run over five times its own value: further out there is only noise (Sokal's automatic window).
    """
    n = rows.shape[0]
    out = np.full(rows.shape[1], float(n))
    for tag in range(rows.shape[1]):
        off = rows[:, tag] - rows[:, tag].mean()
        power = np.square(np.abs(np.fft.rfft(off, 2 * n)))
        correlation = np.fft.irfft(power)[: n // 2] / np.arange(n, n - n // 2, -1)
        if not correlation.size or correlation[0] <= 0:
            continue
        time = 2 * np.cumsum(correlation / correlation[0]) - 1
        ends = np.flatnonzero(np.arange(time.shape[0]) >= _REACH * time)
        out[tag] = n / max(float(time[ends[0]] if ends.size else time[-1]), 1.0)
    return out


def core_of(rows: Matrix, spread: Matrix, wanders: NDArray[np.bool_], *, lags: int, ridge: float) -> Core:
    """Learn from rows (n, d). No scale falls below a tenth of `spread` (d,), the whole stretch's."""
    centre, scale = rows.mean(0), np.maximum(rows.std(0), 0.1 * spread)
    z = np.clip((rows - centre) / scale, -CLIP, CLIP)
    d = z.shape[1]
    level = _joint(z, wanders)
    history = np.concatenate([z[lags - lag : z.shape[0] - lag] for lag in range(1, lags + 1)], axis=1)
    target = z[lags:]
    gram = history.T @ history
    gram[np.diag_indices(lags * d)] += ridge
    step = np.linalg.solve(gram, history.T @ target)
    e = target - history @ step
    residual = _joint(e, wanders)
    for tag in np.flatnonzero(wanders).tolist():
        residual[tag, d + tag] = 1.0 / max(float(e[:, tag].std()), 1e-6)  # by itself, given none of the others
    return Core(centre=centre, scale=scale, level=level, step=np.ascontiguousarray(step), residual=residual)


def _joint(rows: Matrix, wanders: NDArray[np.bool_]) -> Matrix:
    """(d, 2d): rows @ it = [white, given the others] over the tags that do not wander, zero elsewhere."""
    d = rows.shape[1]
    out = np.zeros((d, 2 * d))
    steady = np.flatnonzero(~wanders)
    if steady.size:
        white, given = whitening(shrunk(rows[:, steady])[0])
        out[np.ix_(steady, steady)] = white.T
        out[np.ix_(steady, d + steady)] = given.T
    return out
