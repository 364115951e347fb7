"""Tags that move together span a plane: how far along it a row lies (T²), and how far off it (SPE).

    t = P' z,   T² = sum over kept a of t_a² / l_a,   SPE = |z - P t|²,   score = max(T² / T²_q, SPE / SPE_q)

P are the leading principal directions that explain `explained` of the variance, l their variances, and the limits are the
`quantile` of quiet rows. With M the matrix of both charts, z'Mz = T²/T²_q + SPE/SPE_q, a tag's share is its reconstruction-based
contribution (Mz)_i² / M_ii, which names the right tag where plain contributions smear (Alcala and Qin, Automatica 45 (2009) 1593-1600).
(Jackson and Mudholkar, Technometrics 21 (1979) 341-349; MacGregor and Kourti, Control Eng. Practice 3 (1995) 403-414.)

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> one = rng.normal(size=(300, 1))
>>> detector = Pca()
>>> detector.fit(np.hstack([one, one, one]) + 0.1 * rng.normal(size=(300, 3)), ["a", "b", "c"])
>>> [bool(s > 1) for s in detector.score(np.array([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]]))], int(detector.shares().argmax())
([False, True], 2)
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.standard import Matrix, Standard

_TINY = 1e-9


@dataclasses.dataclass
class Pca(Standard):
    """A Bad or non-finite value is taken as the tag's last good one, before any as the fitted mean."""

    name: ClassVar[str] = "pca"
    keeps: ClassVar[tuple[str, ...]] = ("off", "along", "limits")

    explained: float = 0.9
    """Share of the variance that the kept directions explain."""
    quantile: float = 0.99
    """Of quiet rows, at which each chart scores 1."""

    def __post_init__(self) -> None:
        if not (0 < self.explained < 1 and 0 < self.quantile < 1):
            raise ValueError("explained and quantile must be between 0 and 1")

    def _learn(self, z: Matrix, live: NDArray[np.bool_]) -> Mapping[str, Matrix]:
        values, vectors = np.linalg.eigh(z.T @ z / z.shape[0])
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        kept = min(int(np.searchsorted(np.cumsum(values), self.explained * values.sum())) + 1, z.shape[1])
        p, variances = vectors[:, :kept], np.maximum(values[:kept], _TINY)
        along, off = (p / variances) @ p.T, np.eye(z.shape[1]) - p @ p.T
        charts = np.array([[row @ along @ row, row @ off @ row] for row in z])
        return {"along": along, "off": off, "limits": np.maximum(np.quantile(charts, self.quantile, axis=0), _TINY)}

    def _start(self) -> None:
        """Every row is judged by itself."""

    def _run(self, z: Matrix) -> tuple[Matrix, Matrix]:
        learned, rows = self._known(), z[:, None, :]  # products of one row each: their bits do not depend on how many there are
        products = np.stack([(rows @ learned[key])[:, 0] for key in ("along", "off")])
        charts = np.maximum((products * z).sum(axis=2).T, 0.0) / learned["limits"]
        # Either chart alone is blind to some directions; together they tell tags apart (Yue and Qin, IECR 40 (2001) 4403-4414).
        both = (products[:, -1] / learned["limits"][:, None]).sum(axis=0)
        diagonal = sum(np.diag(learned[key]) / limit for key, limit in zip(("along", "off"), learned["limits"], strict=True))
        return charts.max(axis=1), np.square(both) / np.maximum(diagonal, _TINY)
