"""Arithmetic of alarms on recorded scores: in a row, rates, episodes, the first one after an onset."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.calibrate import held_minimum
from holdfast.ports import Detector
from holdfast.terms import Word

Matrix = NDArray[np.float64]
Make = Callable[[], Detector]


class Found(Word):
    """One figure beside what it should be."""

    value: float
    aim: float
    at_most: bool  # the aim is an upper bound; else a lower one
    rule_engine: float | None = None  # the same figure of fixed limits, the better of two kinds

    @property
    def met(self) -> bool:
        return self.value <= self.aim if self.at_most else self.value >= self.aim

    def plain(self) -> dict[str, Any]:
        beside = {} if self.rule_engine is None else {"rule_engine": round(self.rule_engine, 4)}
        return {"value": round(self.value, 4) + 0.0, "aim": f"{'<=' if self.at_most else '>='} {self.aim:g}", "met": self.met, **beside}


class Judged(Word):
    """What one recording showed."""

    figures: tuple[tuple[str, Found], ...]
    beside: tuple[tuple[str, Any], ...]  # what explains the figures
    cases: tuple[tuple[str, Any], ...]  # (id, answer)


def scored(detector: Detector, rows: Matrix) -> Matrix:
    """(rows,) from a fresh start."""
    detector.reset()
    return detector.score(rows)


def in_a_row(scores: Matrix, count: int) -> Matrix:
    """(rows,): above a limit exactly where the last `count` scores all were."""
    return scores if count == 1 else held_minimum(scores, count)


def share_above(streams: Sequence[Matrix], limit: float) -> float:
    return float(np.mean(np.concatenate(streams) > limit))


def episodes(streams: Sequence[Matrix], limit: float) -> int:
    """Stretches above the limit, each stream by itself."""
    return sum(int(np.sum((s > limit) & ~np.concatenate([[False], (s > limit)[:-1]]))) for s in streams)


def first_above(scores: Matrix, limit: float) -> int | None:
    """Index of the first row above."""
    rows = np.flatnonzero(scores > limit)
    return int(rows[0]) if rows.size else None


def stretches(above: NDArray[np.bool_]) -> list[list[int]]:
    """[first, one past the last] of every stretch of rows in alarm."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], above.astype(np.int8), [0]])))
    return edges.reshape(-1, 2).tolist()
