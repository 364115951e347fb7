"""Chooses a detector by what the quiet stretch shows, and says why.

The choice and its options are part of the learned state. `chosen` is the detector's name, `why` the reasons in order.

>>> import numpy as np
>>> detector = Auto()
>>> detector.fit(np.random.default_rng(1).normal(size=(300, 3)), ["a", "b", "c"])
>>> detector.chosen
'dynamic'
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception import dynamic
from holdfast.agent.perception.dynamic import Dynamic
from holdfast.agent.perception.limits import Limits
from holdfast.agent.perception.packing import pack, unpack
from holdfast.ports import Detector

Matrix = NDArray[np.float64]
_KINDS = {"dynamic": Dynamic, "limits": Limits}


@dataclasses.dataclass
class Auto:
    """Gaps are handled as the chosen detector handles them: the last good value stands in."""

    name: ClassVar[str] = "auto"

    _detector: Detector | None = dataclasses.field(init=False, repr=False, default=None)

    @property
    def chosen(self) -> str:
        """Name of the detector that was chosen; empty before `fit`."""
        return "" if self._detector is None else self._detector.name

    def fit(self, values: Matrix, tags: Sequence[str]) -> None:
        rows = np.asarray(values).shape[0]
        self._detector = Limits() if 2 <= rows < dynamic.ROWS_MIN else Dynamic()
        self._detector.fit(values, tags)

    def reset(self) -> None:
        if self._detector is not None:
            self._detector.reset()

    def score(self, values: Matrix) -> Matrix:
        return self._ready().score(values)

    def shares(self) -> Matrix:
        return self._ready().shares()

    def save(self) -> bytes:
        inner = np.frombuffer(self._ready().save(), dtype=np.uint8).astype(np.float64)
        return pack(self.name, {"chosen": self.chosen}, {"state": inner})

    def load(self, state: bytes) -> None:
        options, arrays = unpack(self.name, state, ("state",))
        kind = _KINDS.get(str(options.get("chosen")))
        if kind is None:
            raise ValueError("the learned state of auto names no detector: it is damaged")
        made = kind()
        made.load(arrays["state"].astype(np.uint8).tobytes())
        self._detector = made

    def _ready(self) -> Detector:
        if self._detector is None:
            raise ValueError("this detector has learned nothing yet: fit or load it first")
        return self._detector
