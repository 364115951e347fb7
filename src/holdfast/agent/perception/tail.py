"""How rare a chart's value is, from quiet rows alone, and how much more to ask where few of them were independent.

Above its 80 % quantile q the logarithm of a chart's statistic is read as exponential: P(log T > x) = 0.2 exp(-(x - q)/h), h the
mean excess over q (Hill, Annals of Statistics 3 (1975) 1163-1174). (log T - q)/h is then the same rarity for every chart, though
one is a single tag's square and another the energy of fifty tags.

A chart with a long memory saw only n = rows · l / (2 - l) independent windows, and its tail may lie further out than they showed.
`tolerance` is the factor of a normal upper tolerance bound over the quantile itself (Natrella, NBS Handbook 91 (1963) 2-15), three
sigma both for the share and for the confidence.

>>> import numpy as np
>>> q, h = tail(np.log(np.arange(1.0, 101.0))[:, None])
>>> bool(4.3 < q[0] < 4.4), bool(0.1 < h[0] < 0.13)
(True, True)
>>> [round(float(factor), 2) for factor in tolerance(np.array([12.8, 500.0]))]
[2.68, 1.11]
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
BODY = 0.8  # share of quiet rows that say nothing of the tail
SIGMA = 3.0
WINDOWS_MIN = 8.0  # fewer bound nothing at three sigma: the factor stays at what 8 give


def tail(logs: Matrix) -> tuple[Matrix, Matrix]:
    """(q, h), each (charts,), of log statistics (rows, charts): where the tail begins and its mean excess."""
    begins = np.quantile(logs, BODY, axis=0)
    excess = np.maximum(logs - begins, 0.0)
    beyond = np.maximum((logs > begins).sum(axis=0), 1)
    return begins, np.maximum(excess.sum(axis=0) / beyond, 1e-3)


def tolerance(windows: Matrix) -> Matrix:
    """Factors ≥ 1 for so many independent windows."""
    n = np.maximum(windows, WINDOWS_MIN)
    a = 1 - SIGMA**2 / (2 * (n - 1))
    b = SIGMA**2 - SIGMA**2 / n
    return (SIGMA + np.sqrt(np.maximum(SIGMA**2 - a * b, 0.0))) / a / SIGMA
