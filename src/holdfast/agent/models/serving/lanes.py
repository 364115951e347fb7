"""What is known of one endpoint: how long it takes, how many it works on, and whether it is any use to ask it now.

No clock and no waiting in here: times come in, so the same lines run live and on a virtual clock.
"""

import math
from collections import deque
from typing import Literal

from holdfast.agent.models.serving.probe import Probed
from holdfast.site.model import Endpoint
from holdfast.terms import SECOND_NS, Word

SAMPLES_MAX = 128  # that the line through time over size is laid by
RECENT = 24  # of these, that say how far from the line it is now
FADES = 0.9  # what each of them counts beside the one after it, where a chance is taken
AGE_NS_MAX = 900 * SECOND_NS  # an older sample tells nothing of now
MEASURED_MIN = 5
PREFILL = 16  # tokens of prompt that take as long as one of the answer, about
QUEUE_PER_SLOT = 4  # that may wait for each one that is worked on
FAILURES_MAX = 3  # one after another
LATEST, LATEST_FAILED_MAX = 20, 10
REST_S, REST_S_MAX = 5.0, 60.0


class Expected(Word):
    """What a request would take there: 1 of 10, in the middle, and 19 of 20. `measured`: told from enough samples."""

    wait_s: float
    p10_s: float
    p50_s: float
    p95_s: float
    measured: bool

    @property
    def likely_s(self) -> float:
        return self.wait_s + self.p95_s


def size_of(prompt_tokens: int, answer_tokens: int) -> int:
    """How much work a request is, in tokens of answer."""
    return answer_tokens + prompt_tokens // PREFILL


class Lane:
    """One endpoint. `end` is called once for each `begin`, `leave` or `begin` once for each `enter`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.probed: Probed | None = None
        self.waiting = 0
        self.running = 0
        self._took: deque[tuple[int, float, int]] = deque(maxlen=SAMPLES_MAX)  # (when, seconds, size)
        self._told: tuple[float, float, list[float]] | None = None  # the line and how far from it, until a sample comes or goes
        self._latest: deque[bool] = deque(maxlen=LATEST)
        self._failed = 0
        self._rests = 0
        self._until_ns = 0
        self._trial = False

    # ---- requests come and go

    def enter(self) -> None:
        self.waiting += 1

    def leave(self) -> None:
        """Gone before it was begun."""
        self.waiting -= 1
        self._trial = False

    def begin(self) -> None:
        self.waiting -= 1
        self.running += 1

    def end(self, result: Literal["good", "failed", "neither"], *, took_s: float, size: int, now_ns: int) -> None:
        """`failed` says something of the endpoint, `neither` of the request alone. A failure's time counts: it took at least so long."""
        self.running -= 1
        self._trial = False
        if result == "neither":
            return
        if result == "good" or took_s > self.expected(size, now_ns).p50_s:
            self.measure(took_s, size, now_ns)
        self._latest.append(result == "good")
        if result == "good":
            self._failed = self._rests = 0
            return
        self._failed += 1
        if self._failed >= FAILURES_MAX or self._rests or self._latest.count(False) >= LATEST_FAILED_MAX:
            self._until_ns = now_ns + round(min(REST_S * 2.0 ** min(self._rests, 10), REST_S_MAX) * SECOND_NS)
            self._rests += 1
            self._latest.clear()

    def measure(self, took_s: float, size: int, now_ns: int) -> None:
        self._took.append((now_ns, max(took_s, 1e-6), size))
        self._told = None

    # ---- what is to be expected

    def rests_s(self, now_ns: int) -> float:
        """How long it is left alone yet, after failing; 0: it may be asked. After a rest one request tries it first."""
        if self._rests and self._trial:
            return REST_S
        return max(self._until_ns - now_ns, 0) / SECOND_NS

    def doubtful(self, now_ns: int) -> bool:
        """Nobody knows how it does now: not measured of late, or not asked since it failed."""
        return self._rests > 0 or len(self._line(now_ns)[2]) < MEASURED_MIN

    def claim_trial(self) -> None:
        """The request that is sent now is the one that tries an endpoint after its rest, where it had one."""
        self._trial = self._rests > 0

    @property
    def full(self) -> bool:
        return self.waiting >= QUEUE_PER_SLOT * self.endpoint.at_once

    def expected(self, size: int, now_ns: int) -> Expected:
        """An endpoint that was never measured is expected to take no time: so it is asked, and measured."""
        base_s, token_s, ratios = self._line(now_ns)
        middle_s = base_s + token_s * size
        ahead = self.waiting + self.running - self.endpoint.at_once + 1
        typical_s = _quantile(sorted(took for _, took, _ in self._took), 0.5)
        return Expected(
            wait_s=max(ahead, 0) * typical_s / self.endpoint.at_once,
            p10_s=middle_s * _quantile(ratios, 0.1),
            p50_s=middle_s * _quantile(ratios, 0.5),
            p95_s=middle_s * _quantile(ratios, 0.95),
            measured=len(ratios) >= MEASURED_MIN,
        )

    def chance(self, size: int, within_s: float, now_ns: int) -> float:
        """The share of the latest requests that would have been done in time, waiting included; the later one counts more, for moods last.

        1 where nothing was measured.
        """
        base_s, token_s, _ = self._line(now_ns)
        share = (within_s - self.expected(size, now_ns).wait_s) / max(base_s + token_s * size, 1e-9)
        in_time = every = 0.0
        weight = 1.0
        for _, took_s, of in reversed(list(self._took)[-RECENT:]):
            every += weight
            in_time += weight if took_s <= share * (base_s + token_s * of) else 0.0
            weight *= FADES
        return in_time / every if every else 1.0

    def _line(self, now_ns: int) -> tuple[float, float, list[float]]:
        """(seconds of any request, seconds a token, sorted shares of that line which the latest requests took)."""
        while self._took and now_ns - self._took[0][0] > AGE_NS_MAX:
            self._took.popleft()
            self._told = None
        if self._told is None:
            base_s, token_s = _fitted([(took, size) for _, took, size in self._took])
            recent = list(self._took)[-RECENT:]
            self._told = (base_s, token_s, sorted(took / (base_s + token_s * size) for _, took, size in recent))
        return self._told


def _fitted(samples: list[tuple[float, int]]) -> tuple[float, float]:
    """The line took = base + token * size with the least relative squares; both parts at least 0, one of them above."""
    if not samples:
        return 0.0, 0.0
    s0 = s1 = s2 = t0 = t1 = 0.0
    for took, size in samples:
        weight = 1.0 / (took * took)
        s0, s1, s2 = s0 + weight, s1 + weight * size, s2 + weight * size * size
        t0, t1 = t0 + weight * took, t1 + weight * took * size
    spread = s0 * s2 - s1 * s1
    if spread > 1e-9 * s0 * s2:
        token = (s0 * t1 - s1 * t0) / spread
        base = (t0 - token * s1) / s0
        if base >= 0 and token >= 0 and base + token > 0:
            return base, token
    if len(samples) > 1 and spread > 1e-9 * s0 * s2:  # a line that falls or begins below nothing: the nearest that does not
        return (t0 / s0, 0.0) if (s0 * t1 - s1 * t0) < 0 else (0.0, t1 / s2)
    middle, size = t0 / s0, max(s1 / s0, 1.0)
    return middle / 2, middle / 2 / size  # all of one size: half of its time is the request, half the tokens


def _quantile(values: list[float], share: float) -> float:
    """Nearest rank of sorted values; 0 of nothing."""
    if not values:
        return 0.0
    return values[min(max(math.ceil(share * len(values)) - 1, 0), len(values) - 1)]
