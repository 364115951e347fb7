"""How durations are told: nearest-rank quantiles (no interpolation, so each is a value that was measured) and the worst."""

import math
from collections.abc import Sequence

RANKS = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))


def spread(durations_ns: Sequence[int], *, unit_ns: float = 1e6) -> dict[str, float | None]:
    """p50, p99, p99.9 and max in units of `unit_ns` (ms); None each where nothing was measured."""
    ordered = sorted(durations_ns)
    if not ordered:
        return {name: None for name, _ in (*RANKS, ("max", 1.0))}
    found = {name: round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)] / unit_ns, 4) for name, share in RANKS}
    return {**found, "max": round(ordered[-1] / unit_ns, 4)}
