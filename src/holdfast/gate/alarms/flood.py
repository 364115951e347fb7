"""Is it an alarm flood: more alarms than an operator can answer (ISA-18.2-2016 §16.5: more than 10 in 10 minutes).

It ends only when fewer than 5 came in 10 minutes, so that it does not come and go.
"""

from collections import deque
from collections.abc import Iterable

from holdfast.terms import SECOND_NS

WINDOW_NS = 600 * SECOND_NS
BEGINS_ABOVE = 10
ENDS_BELOW = 5
COUNTED_MAX = 10_000  # in one window; more make no difference


class Flood:
    """Counts annunciations: an alarm that comes, or that comes back from being shelved."""

    def __init__(self, rang: Iterable[int] = (), *, on: bool = False) -> None:
        self._rang = deque(rang, COUNTED_MAX)  # UTC, in order
        self.on = on

    @property
    def rang(self) -> tuple[int, ...]:
        return tuple(self._rang)

    def ring(self, at_ns: int) -> None:
        self._rang.append(at_ns)

    def count(self, now_ns: int) -> int:
        """In (now - 10 min, now]."""
        while self._rang and self._rang[0] <= now_ns - WINDOW_NS:
            self._rang.popleft()
        return len(self._rang)

    def step(self, now_ns: int) -> bool | None:
        """True where a flood begins now, False where it ends, None where nothing changes."""
        count = self.count(now_ns)
        if not self.on and count > BEGINS_ABOVE:
            self.on = True
            return True
        if self.on and count < ENDS_BELOW:
            self.on = False
            return False
        return None

    def shift(self, by_ns: int) -> None:
        """The wall clock was set."""
        self._rang = deque((at_ns + by_ns for at_ns in self._rang), COUNTED_MAX)
