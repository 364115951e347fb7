"""How hard a prediction is pulled towards none: as hard as predicts held-out rows of the quiet stretch best.

The right pull depends on how many tags there are, how many rows, and how well rows tell the next one: eight tags of a water loop
ask for a tenth of what fifty noisy ones do. So each candidate learns four fifths of the stretch and predicts the rest, part by
part; the one with the least mean log square error over tags is taken (cross-validation: Stone, J. R. Stat. Soc. B 36 (1974) 111-147).

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> walk = np.zeros((300, 2))
>>> for row in range(1, 300):
...     walk[row] = 0.9 * walk[row - 1] + rng.normal(size=2)
>>> pull(walk, lags=2) < pull(rng.normal(size=(300, 2)), lags=2)
True
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.charts import CLIP

Matrix = NDArray[np.float64]
CANDIDATES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)  # in rows of evidence
FOLDS = 5
_LEAST = 1e-12


def pull(rows: Matrix, *, lags: int) -> float:
    """One of CANDIDATES for quiet rows (rows, tags) of which each tag moves; needs more than FOLDS * lags rows."""
    total, spread = np.zeros(len(CANDIDATES)), rows.std(axis=0)
    for start, end in itertools.pairwise(np.linspace(0, rows.shape[0], FOLDS + 1).astype(int).tolist()):
        known = np.concatenate([rows[:start], rows[end:]])
        centre, scale = known.mean(axis=0), np.maximum(known.std(axis=0), 0.1 * spread)
        history, target = _lagged(np.clip((known - centre) / scale, -CLIP, CLIP), lags)
        unseen, wanted = _lagged(np.clip((rows[start:end] - centre) / scale, -CLIP, CLIP), lags)
        # One decomposition serves every candidate: (V diag(w) V' + k I)⁻¹ = V diag(1 / (w + k)) V'.
        weights, vectors = np.linalg.eigh(history.T @ history)
        inner, outer = vectors.T @ (history.T @ target), unseen @ vectors
        for place, candidate in enumerate(CANDIDATES):
            error = wanted - outer @ (inner / (np.maximum(weights, 0.0) + candidate)[:, None])
            total[place] += np.log(np.square(error).mean(axis=0) + _LEAST).mean()
    return CANDIDATES[int(total.argmin())]


def _lagged(z: Matrix, lags: int) -> tuple[Matrix, Matrix]:
    """(rows - lags, lags * tags), the newest row first, and the rows that they are to predict."""
    return np.concatenate([z[lags - lag : z.shape[0] - lag] for lag in range(1, lags + 1)], axis=1), z[lags:]
