"""What changed against the quiet stretch, on rows whose answer is known."""

import numpy as np
import pytest

from holdfast.agent.diagnosis.features import Features, frozen_after_rows, learn_quiet, longest_still
from holdfast.agent.diagnosis.features import features as compare

TAGS = ("a", "b", "c")
RNG = np.random.default_rng(3)
QUIET = learn_quiet(RNG.normal(10.0, 1.0, (1800, 3)), TAGS)
TIMES = np.arange(600, dtype=np.int64) * 1_000_000_000


def now(rows: np.ndarray) -> Features:
    return compare(TIMES, rows, QUIET, np.zeros(3), np.zeros(3, dtype=np.int64))


def test_a_shift_is_seen_on_its_side_and_nothing_else() -> None:
    rows = RNG.normal(10.0, 1.0, (600, 3))
    rows[300:, 0] += 3.0
    rows[300:, 1] -= 3.0
    found = now(rows)
    assert found.z[0] > 10
    assert found.z[1] < -10
    assert abs(found.z[2]) < 4
    assert abs(int(found.onset_ns[0]) - 300_000_000_000) <= 15_000_000_000
    assert found.onset_ns[2] == 0


def test_more_swing_is_no_shift() -> None:
    rows = RNG.normal(10.0, 1.0, (600, 3))
    rows[300:, 2] = 10.0 + 3.0 * (rows[300:, 2] - 10.0)
    found = now(rows)
    assert found.ratio[2] == pytest.approx(3.0, rel=0.3)
    assert found.ratio[0] == pytest.approx(1.0, rel=0.3)


def test_a_bad_tag_has_nothing_to_say() -> None:
    rows = RNG.normal(10.0, 1.0, (600, 3))
    rows[500:, 1] = np.nan
    found = now(rows)
    assert not found.seen[1]
    assert (found.z[1], found.ratio[1], found.onset_ns[1]) == (0.0, 1.0, 0)


def test_the_longest_still_run_is_counted_in_rows_without_a_change() -> None:
    assert longest_still(np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 2.0], [2.0, 3.0]])).tolist() == [2, 1]


def test_a_tag_that_always_stands_still_is_never_frozen() -> None:
    rows = RNG.normal(10.0, 1.0, (600, 3))
    rows[:, 1] = 5.0
    after = frozen_after_rows(learn_quiet(rows, TAGS))
    assert after[0] == 30
    assert after[1] > 10**9


def test_a_short_stretch_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="too short"):
        learn_quiet(np.zeros((100, 3)), TAGS)


def test_a_cycle_is_told_from_a_slow_wander_and_a_wander_from_noise() -> None:
    row = np.arange(600)
    rows = RNG.normal(10.0, 1.0, (600, 3))
    rows[:, 0] += 6.0 * np.sin(row * 2 * np.pi / 7)
    rows[:, 1] += 0.4 * np.cumsum(RNG.normal(size=600))
    found = now(rows)
    assert found.cycle[0] > 0.8
    assert found.cycle[1] < 0.4
    assert found.cycle[2] < 0.25
    assert found.swing[1] > 2.5
    assert found.swing[2] < 1.6
    assert found.chop[0] == pytest.approx(2.79, rel=0.1)  # rms of the step, 12 sin(pi/7) over the root of two, with the noise, over it
    assert found.chop[1] < 1.4


def test_a_shift_that_changes_its_side_keeps_none() -> None:
    rows = RNG.normal(10.0, 1.0, (600, 3))
    rows[:, 0] += 4.0
    rows[:, 1] += np.where(np.arange(600) // 60 % 2, 4.0, -4.0)
    found = now(rows)
    assert found.side[0] == 1.0
    assert found.side[1] < 0.3


def test_rows_before_the_onset_do_not_count_as_variation() -> None:
    rows = RNG.normal(10.0, 1.0, (600, 3))
    rows[480:, 0] += 20.0
    args = (TIMES, rows, QUIET, np.zeros(3), np.zeros(3, dtype=np.int64))
    assert compare(*args).swing[0] > 10.0
    assert compare(*args, 480_000_000_000).swing[0] < 2.0
