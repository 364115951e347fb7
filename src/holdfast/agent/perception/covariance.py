"""A covariance that can be inverted even from few rows: Ledoit and Wolf's shrinkage towards a scaled identity.

S* = (1 - a) S + a m I, with m = trace(S)/d and a = b²/δ² as in Ledoit and Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", J. Multivariate Analysis 88 (2004) 365-411, eq. (14) and lemmas 3.2 to 3.4.

>>> import numpy as np
>>> cov, a = shrunk(np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]]))
>>> bool(np.linalg.eigvalsh(cov)[0] > 0) and 0 < a < 1
True
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def shrunk(rows: Matrix) -> tuple[Matrix, float]:
    """(rows, d) in; the shrunk covariance (d, d) around the mean and the shrinkage a in [0, 1] out."""
    n, d = rows.shape
    x = rows - rows.mean(0)
    sample = x.T @ x / n
    level = float(np.trace(sample)) / d
    distance = float(np.sum(sample * sample)) - d * level * level  # ‖S - mI‖²
    if distance <= 0 or level <= 0:
        return np.eye(d) * max(level, 1e-12), 1.0
    # Mean over rows of ‖x xᵀ - S‖² is mean(‖x‖⁴) - ‖S‖²; never the (n, d, d) array.
    spread = (float(np.mean(np.sum(x * x, axis=1) ** 2)) - float(np.sum(sample * sample))) / n
    a = min(max(spread / distance, 0.0), 1.0)
    shrunken = (1 - a) * sample
    shrunken[np.diag_indices(d)] += max(a * level, 1e-9 * level)  # a degenerate stretch still inverts
    return shrunken, a


def whitening(covariance: Matrix) -> tuple[Matrix, Matrix]:
    """(W, R), each (d, d). W z is white; R z is every tag's surprise given all others, of unit variance.

    R = P / sqrt(diag P) row by row with P the inverse: (R z)² is the reconstruction-based contribution of a tag to
    zᵀPz (Alcala and Qin, Automatica 45 (2009) 1593-1600).
    """
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-10 * float(values[-1]))
    white = (vectors / np.sqrt(values)).T
    precision = white.T @ white
    return white, precision / np.sqrt(np.diag(precision))[:, None]
