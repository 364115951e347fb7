"""Scores become findings: so many rows above the limit, a start walked back to, held until it is quiet, one incident.

A finding is confirmed when `rows` of the last `window` rows were above the limit. It stays (latched) until `clear_rows`
rows in a row were below `clear_at` of the limit: between the two nothing flutters. Its onset is the first row of the
stretch in which the score had left its normal level. What is found again within `coalesce_s` of a clearing belongs to the
same incident. A pure state machine: the same scores and times give the same events and the same ids.
"""

import dataclasses
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import SECOND_NS, Finding, Word

BACK_MAX = 600  # rows that an onset is looked for in
SHARES_MAX = 32  # tags named in one finding
_RETURNED = 3  # rows at the normal level in a row that end the walk back: one low row is noise


class Event(Word):
    """What changed with this row."""

    kind: Literal["found", "cleared"]
    incident: str
    finding: str  # id of the finding that began or ended
    onset_ns: int  # where the score left its normal level
    at_ns: int
    score: float  # highest of the window (found) or of the whole finding (cleared), 1.0 at the limit
    confidence: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """How scores are confirmed; scores are divided by `limit` first."""

    limit: float = 1.0
    """The detector's score above which a row is abnormal, above 0."""
    rows: int = 5
    """Rows above the limit that confirm …"""
    window: int = 5
    """… of so many; equal to `rows`: all in a row."""
    clear_at: float = 0.8
    """Share of the limit below which a row counts towards clearing."""
    clear_rows: int = 30
    """Rows in a row below it that clear."""
    normal: float = 0.6
    """Share of the limit that quiet rows mostly stay under; the onset is where the score left it."""
    coalesce_s: float = 1800.0
    """A new finding so soon after a clearing continues the incident."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.limit) and self.limit > 0):
            raise ValueError(f"limit must be above 0, not {self.limit}: calibrate the detector first")
        if not 1 <= self.rows <= self.window <= BACK_MAX:
            raise ValueError(f"rows must be 1 to window, and window at most {BACK_MAX}")
        if not (0 < self.clear_at <= 1 and self.clear_rows >= 1 and 0 <= self.normal <= 1 and self.coalesce_s >= 0):
            raise ValueError("clear_at and normal are shares of the limit, clear_rows at least 1, coalesce_s not negative")


class Confirmation:
    """Feed `step` every row of one detector, in order."""

    def __init__(self, detector: str, rule: Rule | None = None) -> None:
        self.detector, self.rule = detector, rule or Rule()
        self.reset()

    def reset(self) -> None:
        self._back: deque[tuple[int, float]] = deque(maxlen=BACK_MAX)
        self._quiet = 0
        self._peak = 0.0
        self._found: Event | None = None
        self._cleared_ns: int | None = None
        self._incident = ""

    @property
    def active(self) -> Event | None:
        """The finding that stands, if one does."""
        return self._found

    def step(self, score: float, at_ns: int) -> Event | None:
        """One row. Raises ValueError for a score that is no number: a detector must never give one."""
        if not np.isfinite(score):
            raise ValueError(f"score {score} of {self.detector}: a detector's scores are finite")
        share = score / self.rule.limit
        self._back.append((at_ns, share))
        return self._confirm(at_ns) if self._found is None else self._hold(self._found, share, at_ns)

    def end(self, at_ns: int) -> Event | None:
        """No more rows for now: what stands is cleared, and what began is forgotten."""
        found, self._found = self._found, None
        self._back.clear()
        if found is None:
            return None
        self._cleared_ns = at_ns
        return dataclasses.replace(found, kind="cleared", at_ns=at_ns, score=self._peak)

    def _confirm(self, at_ns: int) -> Event | None:
        rule = self.rule
        recent = [self._back[i][1] for i in range(max(len(self._back) - rule.window, 0), len(self._back))]
        above = [share for share in recent if share > 1]
        if len(above) < rule.rows or recent[-1] <= 1:
            return None
        onset_ns = self._onset()
        same = self._cleared_ns is not None and at_ns - self._cleared_ns <= rule.coalesce_s * SECOND_NS
        finding = _id("finding", self.detector, at_ns)
        if not same:
            self._incident = _id("incident", self.detector, at_ns)
        mean = sum(min(share, 10.0) for share in above) / rule.window
        self._quiet, self._peak = 0, max(above)
        self._found = Event(
            kind="found",
            incident=self._incident,
            finding=finding,
            onset_ns=onset_ns,
            at_ns=at_ns,
            score=max(above),
            confidence=mean / (1 + mean),
        )
        return self._found

    def _hold(self, found: Event, share: float, at_ns: int) -> Event | None:
        self._peak = max(self._peak, share)
        self._quiet = self._quiet + 1 if share < self.rule.clear_at else 0
        if self._quiet < self.rule.clear_rows:
            return None
        self._found, self._cleared_ns = None, at_ns
        self._back.clear()  # the next onset is not looked for inside this finding
        return dataclasses.replace(found, kind="cleared", at_ns=at_ns, score=self._peak)

    def _onset(self) -> int:
        onset, returned = self._back[-1][0], 0
        for at, share in reversed(self._back):
            if share > self.rule.normal:
                onset, returned = at, 0
            else:
                returned += 1
                if returned == _RETURNED:
                    break
        return onset


def finding_of(event: Event, *, detector: str, tags: Sequence[str], shares: NDArray[np.float64]) -> Finding:
    """The word that goes to the gate. `detector` is name@digest; shares (tags,) as the detector gave them at the event.

    Confidence is the mean excess m over the window as m/(1+m), 0.5 at the limit: it ranks findings, it is no probability.
    """
    order = sorted(range(len(tags)), key=lambda i: (-float(shares[i]), i))[:SHARES_MAX]
    total = sum(float(shares[i]) for i in order) or 1.0
    return Finding(
        id=event.finding,
        incident=event.incident,
        detector=detector,
        onset_ns=event.onset_ns,
        found_ns=event.at_ns,
        confidence=event.confidence,
        score=event.score,
        shares=tuple((tags[i], float(shares[i]) / total) for i in order),
    )


def _id(kind: str, detector: str, at_ns: int) -> str:
    return f"{kind}-{hashlib.sha256(f'{kind}/{detector}/{at_ns}'.encode()).hexdigest()[:16]}"
