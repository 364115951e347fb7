"""What the process truly answered to a write, from the values that whoever reads was served."""

from collections import deque

from holdfast.evals.oracle.ground import Back
from holdfast.terms import SECOND_NS

BEFORE_S = 30.0  # that a mean before a write may look back over
SHARE = 0.25  # of the time given: how far back a mean after it may look
SERVED_MAX = 400  # values of a point: more than any of these stretches holds


class Answers:
    """Says for certain only: wherever a mean could lie either way, a retreat may be right and may be wrong."""

    def __init__(self, points: frozenset[str]) -> None:
        self._served = {point: deque[tuple[int, float]](maxlen=SERVED_MAX) for point in points}

    def served(self, point: str, value: float, at_ns: int) -> None:
        if point in self._served:
            self._served[point].append((at_ns, value))

    def nothing_wrong(self, back: Back, wanted: float, written_ns: int, now_ns: int) -> bool:
        """Whether no mean of what was served calls the answer to a write of `wanted` wrong."""
        since_ns = now_ns - round((back.after_s * SHARE + 2.0) * SECOND_NS)
        settled = self._between(back.settles, max(since_ns, written_ns), now_ns)
        if not settled:
            return True  # nothing was seen, so nothing was seen to be wrong
        if max(abs(value - wanted) for value in settled) > back.within:
            return False
        before = self._between(back.expects, written_ns - round((BEFORE_S + 2.0) * SECOND_NS), written_ns)
        after = self._between(back.expects, max(since_ns, written_ns), now_ns)
        return not before or not after or max(after) - min(before) < back.falls_by

    def _between(self, point: str, from_ns: int, to_ns: int) -> list[float]:
        return [value for at_ns, value in self._served[point] if from_ns <= at_ns <= to_ns]
