"""The dynamic detector: exact under any split, sound under bad data, and seeing what it is for."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.agent.perception.charts import BLOCK, PART_ROWS
from holdfast.agent.perception.covariance import shrunk
from holdfast.agent.perception.dynamic import Dynamic

TAGS = [f"t{i}" for i in range(7)]


def plant(rows: int, seed: int) -> np.ndarray:
    """Seven tags driven by two slow causes, with noise."""
    rng = np.random.default_rng(seed)
    causes = np.zeros((rows, 2))
    for i in range(1, rows):
        causes[i] = 0.8 * causes[i - 1] + rng.normal(size=2)
    mix = np.random.default_rng(0).normal(size=(2, 7))
    return causes @ mix + 0.3 * rng.normal(size=(rows, 7))


@pytest.fixture(scope="module")
def fitted() -> Dynamic:
    detector = Dynamic()
    detector.fit(plant(600, 1), TAGS)
    return detector


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.sampled_from([0, 1, 1, 2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 31, PART_ROWS, PART_ROWS + 5, 150]), max_size=40))
def test_scores_have_the_same_bits_however_rows_are_split(fitted: Dynamic, cuts: list[int]) -> None:
    rows = plant(300, 2)
    rows[40, 3], rows[41] = np.nan, np.nan
    fitted.reset()
    whole = fitted.score(rows)
    last = fitted.shares()
    fitted.reset()
    parts, at = [], 0
    for cut in [*cuts, rows.shape[0]]:
        parts.append(fitted.score(rows[at : at + cut]))
        at += cut
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert fitted.shares().tobytes() == last.tobytes()


def test_a_broken_correlation_is_seen_though_every_tag_is_in_its_range(fitted: Dynamic) -> None:
    rows = plant(200, 3)
    quiet = fitted_scores(fitted, rows)
    broken = rows.copy()
    broken[100:, 2] = plant(200, 4)[100:, 2]  # a sensor that shows another plant: each value is normal by itself
    assert np.abs(broken[:, 2]).max() <= 1.2 * np.abs(plant(600, 1)[:, 2]).max()
    assert np.median(fitted_scores(fitted, broken)[110:]) > quiet.max()
    assert int(fitted.shares().argmax()) == 2


def test_a_slow_drift_of_one_tag_is_seen_while_it_is_still_inside_the_noise(fitted: Dynamic) -> None:
    rows = plant(400, 5)
    limit = fitted_scores(fitted, plant(2000, 6)).max()
    rows[200:, 4] += np.linspace(0, 0.9, 200)  # ends below the tag's own standard deviation
    assert plant(600, 1)[:, 4].std() > 0.9
    assert fitted_scores(fitted, rows)[200:].max() > limit


def fitted_scores(detector: Dynamic, rows: np.ndarray) -> np.ndarray:
    detector.reset()
    return detector.score(rows)


def test_fewer_rows_than_tags_still_teach_something() -> None:
    rng = np.random.default_rng(3)
    detector = Dynamic()
    detector.fit(rng.normal(size=(40, 60)), [f"t{i}" for i in range(60)])
    rows = rng.normal(size=(50, 60))
    rows[25:, 7] += 12
    scores = detector.score(rows)
    assert scores[25:].min() > scores[:25].max()


def test_a_stretch_far_too_short_is_refused_with_what_is_needed() -> None:
    with pytest.raises(ValueError, match="has 12 rows and at least 30 are needed"):
        Dynamic().fit(np.zeros((12, 3)), ["a", "b", "c"])


def test_tags_that_all_stand_still_are_watched_for_a_change() -> None:
    detector = Dynamic()
    detector.fit(np.tile([5.0, 0.0, 1.0], (100, 1)), ["a", "b", "c"])
    scores = detector.score(np.array([[5.0, 0.0, 1.0], [5.0, 1.0, 1.0]]))
    assert scores[0] < 0 < 5 < scores[1] < 10
    assert detector.shares().tolist() == [0.0, 1.0, 0.0]


def test_a_warming_motor_does_not_hide_a_fault_of_another_tag_nor_alarm_by_warming_on() -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(600, 4))
    rows[:, 0] = 60 + 0.02 * np.arange(600) + 0.2 * rng.normal(size=600)
    detector = Dynamic()
    detector.fit(rows[:300], ["temperature", "a", "b", "c"])
    faulty = rows[300:].copy()
    faulty[150:, 2] += 2.5
    scores = detector.score(faulty)
    assert np.median(scores[160:]) > np.quantile(scores[:150], 0.99)
    assert int(detector.shares().argmax()) == 2


def test_a_broken_sensor_at_the_end_of_the_number_range_scores_finite(fitted: Dynamic) -> None:
    rows = plant(20, 9)
    rows[5, 0], rows[6, 1] = 1e308, -1e308
    assert np.isfinite(fitted_scores(fitted, rows)).all()


def test_a_quiet_stretch_of_impossible_numbers_is_refused() -> None:
    rows = plant(100, 9)
    rows[5, 0] = 1e300
    with pytest.raises(ValueError, match="too large"):
        Dynamic().fit(rows, TAGS)


def test_a_quiet_stretch_of_an_hour_of_seconds_is_learned_within_a_second() -> None:
    rows = np.random.default_rng(1).normal(size=(3600, 15))
    began = time.process_time()
    Dynamic().fit(rows, [f"t{i}" for i in range(15)])
    assert time.process_time() - began < 2.0  # twice the aim: the machine may be busy


def test_a_state_of_another_detector_is_refused_by_name(fitted: Dynamic) -> None:
    from holdfast.agent.perception.limits import Limits

    rule = Limits()
    rule.fit(plant(100, 1), TAGS)
    with pytest.raises(ValueError, match="learned state of limits, not of dynamic"):
        Dynamic().load(rule.save())


def test_shrinkage_is_that_of_ledoit_and_wolf_by_hand() -> None:
    # Rows ±(1, 0), ±(0, 1): S = I/2 exactly, so nothing is left to shrink towards but itself.
    cov, a = shrunk(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    assert np.allclose(cov, np.eye(2) / 2)
    assert a == 1.0
    # Rows ±(2, 0), ±(0, 1): S = diag(2, 1/2), m = 5/4, ‖S - mI‖² = 2·(3/4)² = 9/8, mean‖x‖⁴ = (16+1)/2 = 17/2,
    # ‖S‖² = 17/4, b² = (17/2 - 17/4)/4 = 17/16, a = (17/16)/(9/8) = 17/18; S* = diag(2/18 + 17·1.25/18, ...).
    cov, a = shrunk(np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    assert a == pytest.approx(17 / 18)
    assert np.allclose(cov, np.diag([(2 + 21.25) / 18, (0.5 + 21.25) / 18]))
