"""Rows in standard deviations of the quiet stretch: what the simple detectors share, learning, gaps and keeping included.

A detector made on it says what it learns from standardised quiet rows (`_learn`), what it forgets at `reset` (`_start`), and
how it scores standardised rows (`_run`). What it must keep: the result of a row depends on the rows before it alone, never on
how they were cut, so sums run row by row, and a product is made for one row at a time.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.packing import pack, shares_of, unpack
from holdfast.agent.perception.substitute import Substitute, check_quiet, resolution

Matrix = NDArray[np.float64]
CLIP = 50.0  # standard deviations: more of them says nothing more
SCORE_MAX = 1e9


class Standard(abc.ABC):
    """To be inherited by a dataclass whose fields are its options."""

    name: ClassVar[str]
    keeps: ClassVar[tuple[str, ...]] = ()
    """Names of the arrays that `_learn` gives."""
    rows_min: ClassVar[int] = 10

    _learned: Mapping[str, Matrix] | None = None
    _weights: Matrix | None = None

    @abc.abstractmethod
    def _learn(self, z: Matrix, live: NDArray[np.bool_]) -> Mapping[str, Matrix]:
        """From quiet rows (rows, tags) in standard deviations; `live` (tags,): those that moved at all."""

    @abc.abstractmethod
    def _start(self) -> None:
        """Forget what was seen since fit."""

    @abc.abstractmethod
    def _run(self, z: Matrix) -> tuple[Matrix, Matrix]:
        """(rows, tags), at least one row, in; scores (rows,) and the last row's weights (tags,) out."""

    def fit(self, values: Matrix, tags: Sequence[str]) -> None:
        quiet = check_quiet(values, tags, rows_min=self.rows_min)
        centre, spread = quiet.mean(axis=0), quiet.std(axis=0)
        live = spread > resolution(quiet)
        # A tag that stood still has no known noise: half a per mille of its value stands for it.
        scale = np.where(live, spread, 5e-4 * np.maximum(np.abs(centre), 1e-3))
        z = np.clip((quiet - centre) / scale, -CLIP, CLIP)
        self._learned = {"centre": centre, "scale": scale, **self._learn(z, live)}
        self.reset()

    def reset(self) -> None:
        self._weights = None
        if self._learned is not None:
            self._good = Substitute(self._learned["centre"])
            self._start()

    def score(self, values: Matrix) -> Matrix:
        learned = self._known()
        rows = self._good.fill(values)
        if not rows.shape[0]:
            return np.zeros(0)
        scores, self._weights = self._run(np.clip((rows - learned["centre"]) / learned["scale"], -CLIP, CLIP))
        return np.clip(scores, -SCORE_MAX, SCORE_MAX)

    def shares(self) -> Matrix:
        tags = self._known()["centre"].shape[0]
        return shares_of(np.zeros(tags) if self._weights is None else self._weights)

    def save(self) -> bytes:
        return pack(self.name, self._options(), self._known())

    def load(self, state: bytes) -> None:
        options, arrays = unpack(self.name, state, ("centre", "scale", *self.keeps))
        if set(options) != set(self._options()) or arrays["centre"].shape != arrays["scale"].shape:
            raise ValueError(f"the learned state of {self.name} does not fit together: it is damaged")
        for option, value in options.items():
            setattr(self, option, value)
        self._learned = arrays
        self.reset()

    def _options(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}  # type: ignore[arg-type]

    def _known(self) -> Mapping[str, Matrix]:
        if self._learned is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        return self._learned
