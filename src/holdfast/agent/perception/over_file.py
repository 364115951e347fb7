"""One pass over a recording: scores, rows in alarm and findings, in memory that does not grow with the file.

A finding's contributing tags are those of the very row that confirmed it: a copy of the detector's state from before each part
of the file scores again up to that row. Where another run begins (another engine, a count that starts anew) detector and
confirmation begin anew, too.
"""

import copy
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.confirm import Confirmation, Event, Rule
from holdfast.ports import Detector
from holdfast.terms import SECOND_NS, Word

Matrix = NDArray[np.float64]
ROWS_AT_ONCE = 2048
FINDINGS_MAX = 10_000  # kept; more are counted
SHARES_TOLD = 5
COALESCE_ROWS = 60.0
CLEAR_ROWS = 30
NORMAL_MAX = 0.9  # share of the limit


class Found(Word):
    """A finding in rows of the file, 0 being the first."""

    onset: int
    found: int
    cleared: int | None  # None: it stood when the file or the run ended
    confidence: float
    score: float  # highest, 1 at the limit
    shares: tuple[tuple[str, float], ...]  # contributing tags, the largest first


class Pass:
    """`feed` the file's blocks in order, then read what was found."""

    def __init__(self, detector: Detector, tags: Sequence[str], limit: float, *, normal: float, confirm_rows: int) -> None:
        """`normal` is the score that quiet rows mostly stay under. A limit of 0 or less has no findings, only rows in alarm."""
        self._detector, self._tags, self.limit = detector, tuple(tags), limit
        self._confirmation: Confirmation | None = None
        if limit > 0:
            share = min(max(normal / limit, 0.0), NORMAL_MAX)
            rule = Rule(limit=limit, rows=confirm_rows, window=confirm_rows, normal=share, coalesce_s=COALESCE_ROWS, clear_rows=CLEAR_ROWS)
            self._confirmation = Confirmation(detector.name, rule)
        self.rows = self.alarms = self.runs = 0
        self.first: int | None = None
        self.highest = float("-inf")
        self.found: list[Found] = []
        self.more_found = 0
        detector.reset()

    def feed(self, block: Matrix, starts: Sequence[int]) -> Iterator[tuple[Matrix, Matrix]]:
        """(rows, scores) parts of a block (rows, tags); `starts` are its rows where another run begins."""
        edges = sorted({0, *starts, *range(0, block.shape[0], ROWS_AT_ONCE), block.shape[0]})
        begins = set(starts) | ({0} if not self.rows else set[int]())
        for start, end in itertools.pairwise(edges):
            if start in begins:
                self._begin()
            rows = block[start:end]
            before = copy.deepcopy(self._detector)
            scores = self._detector.score(rows)
            self._confirm(rows, scores, before)
            above = scores > self.limit
            if self.first is None and above.any():
                self.first = self.rows + int(np.argmax(above))
            self.alarms += int(above.sum())
            self.highest = max(self.highest, float(scores.max()))
            self.rows += scores.shape[0]
            yield rows, scores

    def _begin(self) -> None:
        self.runs += 1
        self._detector.reset()
        if self._confirmation is not None:
            self._confirmation.reset()

    def _confirm(self, rows: Matrix, scores: Matrix, before: Detector) -> None:
        if self._confirmation is None:
            return
        scored = 0
        for at, score in enumerate(scores.tolist()):
            event = self._confirmation.step(score, (self.rows + at) * SECOND_NS)
            if event is None:
                continue
            if event.kind == "cleared":
                self._clear(event)
                continue
            before.score(rows[scored : at + 1])
            scored = at + 1
            self._keep(event, before.shares())

    def _keep(self, event: Event, shares: Matrix) -> None:
        if len(self.found) == FINDINGS_MAX:
            self.more_found += 1
            return
        order = np.argsort(-shares, kind="stable")[:SHARES_TOLD].tolist()
        self.found.append(
            Found(
                onset=event.onset_ns // SECOND_NS,
                found=event.at_ns // SECOND_NS,
                cleared=None,
                confidence=event.confidence,
                score=event.score,
                shares=tuple((self._tags[tag], float(shares[tag])) for tag in order if shares[tag] > 0),
            )
        )

    def _clear(self, event: Event) -> None:
        if self.more_found:
            return
        last = self.found[-1]
        self.found[-1] = Found(
            onset=last.onset,
            found=last.found,
            cleared=event.at_ns // SECOND_NS,
            confidence=last.confidence,
            score=event.score,
            shares=last.shares,
        )
