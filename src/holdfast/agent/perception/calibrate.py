"""From scores of quiet rows to a limit at a stated false-alarm rate, with an interval that says how little was seen.

Rates of rows carry Clopper and Pearson's exact interval (Biometrika 26 (1934) 404-413), episodes per hour Garwood's
(Biometrika 28 (1936) 437-442). Scores of neighbouring rows are not independent: exceedances come in clusters. The
interval of a rate is therefore made over clusters: with c clusters among k exceedances of n rows, it is that of c among
n·c/k, as if each cluster were one draw (the extremal index: Leadbetter, Z. Wahrscheinlichkeitstheorie 65 (1983) 291-306).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Word

Scores = NDArray[np.float64]
CLUSTER_GAP = 5  # rows below the limit that part two clusters of exceedances
_HALVINGS = 80  # of an interval, more than a float64 can tell apart


class RowLimit(Word):
    """A limit for single rows."""

    limit: float
    far: float  # wanted share of quiet rows above it
    rows: int
    above: int  # calibration rows above the limit
    clusters: int  # of those: stretches apart from each other
    low: float  # share of rows above the limit, 95 % interval
    high: float


class EpisodeLimit(Word):
    """A limit for confirmed episodes."""

    limit: float
    per_hours: float  # at most one false episode in so many hours was wanted
    confirm: int  # rows in a row that make an episode
    hours: float
    episodes: int  # in the calibration streams at this limit
    per_hour_low: float  # 95 % interval
    per_hour_high: float


def limit_for_rate(streams: Sequence[Scores], far: float, *, level: float = 0.95) -> RowLimit:
    """The lowest limit that at most floor(far · rows) calibration rows exceed; streams are (rows,) each, in time order.

    With fewer than 1/far rows it is the highest score seen, and `high` says what that is worth. Raises ValueError for
    a rate outside (0, 1), no rows, or scores that are no numbers.
    """
    if not 0 < far < 1:
        raise ValueError(f"the false-alarm rate must be between 0 and 1, not {far}")
    pooled = np.sort(_pooled(streams))
    n = int(pooled.shape[0])
    limit = float(pooled[max(n - 1 - math.floor(far * n + 1e-9), 0)])
    above = int((pooled > limit).sum())
    clusters = sum(_clusters(np.flatnonzero(np.asarray(stream) > limit)) for stream in streams)
    draws = round(n * clusters / above) if above else n
    low, high = proportion_interval(clusters, max(draws, clusters), level)
    return RowLimit(limit=limit, far=far, rows=n, above=above, clusters=clusters, low=low, high=high)


def limit_for_episodes(streams: Sequence[Scores], hours: float, per_hours: float, confirm: int, *, level: float = 0.95) -> EpisodeLimit:
    """The lowest limit with at most floor(hours / per_hours) episodes of `confirm` rows in a row above it.

    `hours` is the plant time that all streams cover together. Latching and coalescing can only join episodes, so a
    running detector has at most as many. Raises ValueError for impossible arguments.
    """
    if not (hours > 0 and per_hours > 0 and confirm >= 1):
        raise ValueError("hours and per_hours must be above 0 and confirm at least 1")
    _pooled(streams)
    held = [held_minimum(stream, confirm) for stream in streams]
    flat = np.concatenate(held)
    starts = np.zeros(flat.shape[0], dtype=bool)
    starts[np.cumsum([0, *[h.shape[0] for h in held[:-1]]])[[h.shape[0] > 0 for h in held]]] = True
    allowed = math.floor(hours / per_hours + 1e-9)
    limit, episodes = _lowest(flat, starts, allowed)
    low, high = count_interval(episodes, level)
    return EpisodeLimit(
        limit=limit,
        per_hours=per_hours,
        confirm=confirm,
        hours=hours,
        episodes=episodes,
        per_hour_low=low / hours,
        per_hour_high=high / hours,
    )


def _lowest(held: Scores, starts: NDArray[np.bool_], allowed: int) -> tuple[float, int]:
    """Rows rise above a sinking limit one by one: each is a new episode unless it touches one that is there."""
    order = np.argsort(-held, kind="stable")
    up = np.zeros(held.shape[0] + 1, dtype=bool)  # one past the end never rises
    episodes, best, best_episodes, i = 0, float(held[order[0]]), 0, 0
    while i < order.shape[0] and np.isfinite(held[order[i]]):
        value, j = held[order[i]], i
        while j < order.shape[0] and held[order[j]] == value:
            at = int(order[j])
            left = not starts[at] and bool(up[at - 1]) if at else False
            right = bool(up[at + 1]) and not (at + 1 < starts.shape[0] and starts[at + 1])
            episodes += 1 - int(left) - int(right)
            up[at] = True
            j += 1
        # The limit just below `value` has `episodes`; the limit `value` itself had the count before these rows.
        if episodes > allowed:
            break
        best = float(held[order[j]]) if j < order.shape[0] and np.isfinite(held[order[j]]) else float(value)
        best_episodes = episodes if best < value else best_episodes
        i = j
    return best, best_episodes


def held_minimum(scores: Scores, confirm: int) -> Scores:
    """(rows,): the lowest of the last `confirm` scores; -inf before there are so many."""
    held = np.full(scores.shape[0], -np.inf)
    if scores.shape[0] >= confirm:
        held[confirm - 1 :] = np.lib.stride_tricks.sliding_window_view(scores, confirm).min(axis=1)
    return held


def proportion_interval(hits: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson: the exact interval of a share, `hits` of `of` draws."""
    if not 0 <= hits <= of or of < 1:
        raise ValueError(f"{hits} of {of} is no share")
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _solve(lambda p: 1 - _binomial_upto(hits - 1, of, p), tail, 1.0)
    high = 1.0 if hits == of else _solve(lambda p: -_binomial_upto(hits, of, p), -tail, 1.0)
    return low, high


def count_interval(events: int, level: float = 0.95) -> tuple[float, float]:
    """Garwood: the exact interval of a Poisson mean after seeing `events`."""
    if events < 0:
        raise ValueError(f"{events} is no count")
    tail, top = (1 - level) / 2, 2.0 * events + 60.0
    low = 0.0 if events == 0 else _solve(lambda mean: 1 - _poisson_upto(events - 1, mean), tail, top)
    return low, _solve(lambda mean: -_poisson_upto(events, mean), -tail, top)


def _pooled(streams: Sequence[Scores]) -> Scores:
    pooled = np.concatenate([np.asarray(stream, dtype=np.float64).reshape(-1) for stream in streams]) if streams else np.zeros(0)
    if not pooled.shape[0]:
        raise ValueError("no rows to calibrate on: give a quiet recording, or a longer one")
    if not np.isfinite(pooled).all():
        raise ValueError("calibration scores hold values that are no numbers: the detector is broken")
    return pooled


def _clusters(rows: NDArray[np.intp]) -> int:
    return 0 if not rows.shape[0] else 1 + int((np.diff(rows) > CLUSTER_GAP).sum())


def _solve(rising: Callable[[float], float], wanted: float, top: float) -> float:
    """Where a rising function of (0, top) takes a value, by bisection."""
    low, high = 0.0, top
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def _binomial_upto(k: int, n: int, p: float) -> float:
    if p <= 0 or p >= 1:
        return 1.0 if p <= 0 or k >= n else 0.0
    i = np.arange(1, k + 1)
    choose = np.concatenate([[0.0], np.cumsum(np.log((n - i + 1) / i))])
    return _sum_of_exp(choose + np.arange(k + 1) * math.log(p) + (n - np.arange(k + 1)) * math.log1p(-p))


def _poisson_upto(k: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    factorial: Scores = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, k + 1, dtype=np.float64)))])
    counts = np.arange(k + 1, dtype=np.float64)
    return _sum_of_exp(counts * math.log(mean) - mean - factorial)


def _sum_of_exp(logs: NDArray[np.floating]) -> float:
    top = float(logs.max())
    return min(math.exp(top) * float(np.exp(logs - top).sum()), 1.0)
