"""How often one author may speak: a token bucket each, so that a flood ends before it reaches the record."""

from holdfast.clock import Clock
from holdfast.terms import SECOND_NS

AUTHORS_MAX = 1000


class Bucket:
    """`per_s` messages a second in the long run, `burst` at once."""

    def __init__(self, clock: Clock, *, per_s: float, burst: float) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._level: dict[str, tuple[float, int]] = {}

    def take(self, author: str) -> bool:
        now = self._clock.monotonic_ns()
        level, at_ns = self._level.get(author, (self._burst, now))
        level = min(self._burst, level + (now - at_ns) / SECOND_NS * self._per_s)
        if author not in self._level and len(self._level) >= AUTHORS_MAX:
            return False
        self._level[author] = (max(level - 1.0, 0.0) if level >= 1.0 else level, now)
        return level >= 1.0
