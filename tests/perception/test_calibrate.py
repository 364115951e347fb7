"""Limits at a stated rate, with intervals checked against published tables."""

import numpy as np
import pytest

from holdfast.agent.perception.calibrate import count_interval, limit_for_episodes, limit_for_rate, proportion_interval


# Garwood (1936), table of exact 95 % limits of a Poisson mean.
@pytest.mark.parametrize(
    ("events", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (3, 0.6187, 8.7673), (10, 4.7954, 18.3904), (100, 81.364, 121.627)]
)
def test_the_interval_of_a_count_is_garwoods(events: int, low: float, high: float) -> None:
    assert count_interval(events) == pytest.approx((low, high), abs=5e-4)


# Exact binomial limits, 95 %: 0 of 10 and 10 of 10 by hand (1 - 0.025^(1/10)), the others from Clopper and Pearson's tables.
@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (1, 10, 0.0025, 0.4450), (5, 100, 0.0164, 0.1128)]
)
def test_the_interval_of_a_share_is_clopper_and_pearsons(hits: int, of: int, low: float, high: float) -> None:
    assert proportion_interval(hits, of) == pytest.approx((low, high), abs=1e-4)


def test_one_row_in_a_hundred_may_be_above_the_limit() -> None:
    scores = np.random.default_rng(1).permutation(np.arange(200.0))
    found = limit_for_rate([scores[:120], scores[120:]], 0.01)
    assert found.limit == 197.0  # 198 and 199 are above: two of two hundred
    assert (found.rows, found.above) == (200, 2)


def test_equal_scores_never_push_the_rate_above_what_was_asked() -> None:
    found = limit_for_rate([np.array([0.0] * 90 + [5.0] * 10)], 0.05)
    assert (found.limit, found.above) == (5.0, 0)


def test_with_too_few_rows_the_limit_is_the_highest_score_and_the_interval_says_what_that_is_worth() -> None:
    found = limit_for_rate([np.arange(10.0)], 0.01)
    assert (found.limit, found.above) == (9.0, 0)
    assert found.high == pytest.approx(0.3085, abs=1e-4)


def test_exceedances_in_clusters_count_as_few_draws() -> None:
    scores = np.zeros(1000)
    scores[500:510] = 1.0 + np.arange(10)
    together = limit_for_rate([scores], 0.01)
    apart = limit_for_rate([np.random.default_rng(2).permutation(scores)], 0.01)
    assert (together.above, together.clusters) == (10, 1)
    assert together.high > 2 * apart.high


def test_the_limit_for_episodes_allows_as_many_as_the_hours_do() -> None:
    # Three bursts of three rows, of heights 3, 2 and 1: with confirm 2 each is one episode.
    stream = np.zeros(60)
    for at, height in ((10, 3.0), (30, 2.0), (50, 1.0)):
        stream[at : at + 3] = height
    one = limit_for_episodes([stream], hours=160, per_hours=160, confirm=2)
    assert (one.limit, one.episodes) == (2.0, 1)
    two = limit_for_episodes([stream], hours=160, per_hours=80, confirm=2)
    assert (two.limit, two.episodes) == (1.0, 2)
    assert two.per_hour_high == pytest.approx(7.2247 / 160, abs=1e-5)  # Garwood for 2 events
    none = limit_for_episodes([stream], hours=10, per_hours=80, confirm=2)
    assert (none.limit, none.episodes) == (3.0, 0)


def test_a_burst_shorter_than_the_confirmation_is_no_episode() -> None:
    stream = np.zeros(40)
    stream[10:12] = 9.0
    stream[20:24] = 5.0
    found = limit_for_episodes([stream], hours=1, per_hours=10, confirm=3)
    assert found.limit == 5.0


def test_episodes_of_one_stream_do_not_join_those_of_the_next() -> None:
    found = limit_for_episodes([np.array([0.0, 2.0]), np.array([2.0, 0.0])], hours=10, per_hours=10, confirm=1)
    assert (found.limit, found.episodes) == (2.0, 0)  # two episodes at a limit below 2, one allowed


@pytest.mark.parametrize("seed", range(5))
def test_the_incremental_count_agrees_with_counting_at_that_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = [np.round(rng.normal(size=80), 1) for _ in range(3)]
    found = limit_for_episodes(streams, hours=100, per_hours=25, confirm=2)

    def count(limit: float) -> int:
        total = 0
        for stream in streams:
            run = 0
            for score in stream:
                run = run + 1 if score > limit else 0
                total += run == 2
        return total

    assert found.episodes == count(found.limit) <= 4
    lower = max(v for v in np.concatenate(streams) if v < found.limit)
    assert count(lower) > 4 or count(lower) == found.episodes or found.limit == lower


def test_impossible_wishes_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        limit_for_rate([np.zeros(3)], 1.0)
    with pytest.raises(ValueError, match="no rows to calibrate on"):
        limit_for_rate([], 0.1)
    with pytest.raises(ValueError, match="no numbers"):
        limit_for_rate([np.array([np.nan])], 0.1)
