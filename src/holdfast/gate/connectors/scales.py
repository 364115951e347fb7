"""Raw numbers of many tags at once into engineering units: the same bits as `registers.to_eng` gives one by one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Tag


class Scales:
    """The linear scales of some tags, in their order."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        scales = [tag.scale for tag in tags]
        self._any = any(scale is not None for scale in scales)
        self._scaled = np.array([scale is not None for scale in scales], np.bool_)
        self._raw_low = np.array([scale.raw[0] if scale else 0.0 for scale in scales])
        self._raw_span = np.array([scale.raw[1] - scale.raw[0] if scale else 1.0 for scale in scales])
        self._eng_low = np.array([scale.eng[0] if scale else 0.0 for scale in scales])
        self._eng_span = np.array([scale.eng[1] - scale.eng[0] if scale else 1.0 for scale in scales])

    def eng(self, raw: NDArray[np.float64], at: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float64]:
        """`raw` (n,) of the tags at `at`. What overflows becomes infinite."""
        if not self._any:
            return raw
        with np.errstate(all="ignore"):
            eng = self._eng_low[at] + (raw - self._raw_low[at]) * self._eng_span[at] / self._raw_span[at]
        return np.where(self._scaled[at], eng, raw)
