"""The scale of a moving analog indicator: wide enough for every limit, narrow enough that the way to one can be seen."""

from collections.abc import Sequence
from typing import Literal

from holdfast.terms import Word

MARGIN = 0.2  # of the span between the outermost limits, beside them
Side = Literal["hihi", "hi", "lo", "lolo"]


class Limit(Word):
    side: Side
    at: float
    priority: str


class Gauge(Word):
    """`low` to `high` is the scale; both None: nobody said what is usual, and the page takes what it sees.

    `limits` lie within the scale.
    """

    low: float | None
    high: float | None
    limits: tuple[Limit, ...] = ()

    def share(self, value: float) -> float:
        """Where a value stands, 0 at `low` to 1000 at `high`."""
        if self.low is None or self.high is None:
            return 0.0
        return round(1000 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0), 1)


def gauge(limits: Sequence[Limit], band: Sequence[float], eu_range: Sequence[float] | None) -> Gauge:
    """`band`: ends of the envelope's rows. `eu_range` bounds the scale, and is it where there is nothing else."""
    marks = [*(limit.at for limit in limits), *band]
    if not marks:
        low, high = (None, None) if eu_range is None or not eu_range[0] < eu_range[1] else (eu_range[0], eu_range[1])
        return Gauge(low=low, high=high)
    low, high = min(marks), max(marks)
    only_high = not band and all(limit.side in ("hi", "hihi") for limit in limits)
    if only_high and low > 0:
        low = 0.0  # from nothing up to the limit
        high += MARGIN * high
    else:
        span = (high - low) or abs(high) or 1.0
        low, high = low - MARGIN * span, high + MARGIN * span
    if eu_range is not None and eu_range[0] < eu_range[1]:
        low, high = max(low, min(eu_range[0], min(marks))), min(high, max(eu_range[1], max(marks)))
    if not low < high:
        low, high = low - 1.0, high + 1.0
    return Gauge(low=low, high=high, limits=tuple(sorted(limits, key=lambda limit: limit.at)))
