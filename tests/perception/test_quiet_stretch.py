"""What a quiet stretch can and can't say: of slow tags, of the pull of a prediction, and how a score comes back after a fault."""

import numpy as np
import pytest

from holdfast.agent.perception.dynamic import Dynamic
from holdfast.agent.perception.quiet import independent_values, wandering
from holdfast.agent.perception.ridge import CANDIDATES, pull

TAGS = ["a", "b", "c"]


def slow(rows: int, keeps: float, *, seed: int) -> np.ndarray:
    """(rows,) of variance 1, each keeping so much of the one before."""
    rng = np.random.default_rng(seed)
    out = np.zeros(rows)
    out[0] = rng.normal()
    for row in range(1, rows):
        out[row] = keeps * out[row - 1] + np.sqrt(1 - keeps**2) * rng.normal()
    return out


def test_a_slow_tag_shows_fewer_independent_values_than_rows() -> None:
    rows = np.stack([np.random.default_rng(1).normal(size=20_000), slow(20_000, 0.8, seed=2), np.full(20_000, 7.0)], axis=1)
    values = independent_values(rows)
    assert values[0] == pytest.approx(20_000, rel=0.1)
    assert values[1] == pytest.approx(20_000 / 9, rel=0.2)  # (1 + 0.8) / (1 - 0.8) = 9
    assert values[2] == 20_000


def test_a_tag_that_moves_too_slowly_for_the_stretch_has_no_level_of_its_own() -> None:
    steady = np.random.default_rng(3).normal(size=400)
    slowly = slow(400, 0.93, seed=31)  # 400 · 0.07 / 1.93 = 15 values, the means of five parts alike
    assert wandering(np.stack([steady, slowly], axis=1)).tolist() == [False, True]


def test_a_short_stretch_of_quick_tags_still_has_levels() -> None:
    assert not wandering(np.random.default_rng(4).normal(size=(40, 5))).any()


def test_the_pull_falls_where_rows_tell_the_next_and_rises_where_they_tell_nothing() -> None:
    rng = np.random.default_rng(6)
    telling = np.stack([slow(400, 0.9, seed=seed) for seed in (7, 8, 9)], axis=1)
    assert pull(telling, lags=2) <= 10
    assert pull(rng.normal(size=(400, 20)), lags=2) == CANDIDATES[-1]


def after_a_fault(reach: float) -> np.ndarray:
    rng = np.random.default_rng(10)
    detector = Dynamic(scale="tail", reach=reach)
    detector.fit(rng.normal(size=(500, 3)), TAGS)
    rows = rng.normal(size=(650, 3))
    rows[50:150] += [45.0, 45.0, 0.0]
    return detector.score(rows)


def test_the_score_is_back_sooner_after_a_large_fault_where_one_row_has_a_reach() -> None:
    bounded, free = after_a_fault(6.0), after_a_fault(0.0)
    assert bounded[50:150].min() > 4  # and the fault itself is as plain as before
    back = [int(np.flatnonzero(scores[150:] < 3)[0]) for scores in (bounded, free)]
    assert back[0] < 0.6 * back[1]


def test_rarity_is_the_cube_root_of_e_folds_and_one_is_a_quiet_row_in_a_hundred() -> None:
    rng = np.random.default_rng(11)
    quiet, fresh = rng.normal(size=(2000, 3)), rng.normal(size=(20_000, 3))
    tails, rare = Dynamic(scale="tail"), Dynamic(scale="rarity")
    tails.fit(quiet, TAGS)
    rare.fit(quiet, TAGS)
    folds = 3 * np.log(rare.score(quiet)) - tails.score(quiet)
    assert np.ptp(folds) < 1e-9
    assert 0.004 < float(np.mean(rare.score(fresh) > 1)) < 0.02


def test_memories_out_of_order_or_a_reach_beyond_the_clip_are_refused() -> None:
    with pytest.raises(ValueError, match="from the shortest"):
        Dynamic(memories=(0.2, 1.0))
    with pytest.raises(ValueError, match="reach must be"):
        Dynamic(reach=60.0)
