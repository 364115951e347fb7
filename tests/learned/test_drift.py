"""The normal state's drift: nothing while the plant behaves as it did, told once a slow mean has moved, quiet again with hysteresis."""

import numpy as np
import pytest

from holdfast.agent.diagnosis.drift import ROWS, Drift
from holdfast.agent.diagnosis.features import learn_quiet

TAGS = ("a", "b")


def learned(rng: np.random.Generator) -> Drift:
    quiet = learn_quiet(rng.normal(10.0, 1.0, size=(3600, 2)), TAGS)
    return Drift(quiet)


def seen(drift: Drift, rng: np.random.Generator, rows: int, *, mean: tuple[float, float] = (10.0, 10.0)) -> None:
    for row in rng.normal(mean, 1.0, size=(rows, 2)):
        drift.take(row)


def test_nothing_is_said_before_enough_was_seen() -> None:
    rng = np.random.default_rng(1)
    drift = learned(rng)
    seen(drift, rng, ROWS // 2 - 1, mean=(20.0, 10.0))
    assert (drift.worst, drift.judge(), drift.furthest()) == (None, False, ())
    seen(drift, rng, 1, mean=(20.0, 10.0))
    assert drift.worst is not None


@pytest.mark.parametrize("seed", range(5))
def test_a_plant_that_behaves_as_it_did_does_not_drift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drift = learned(rng)
    for _ in range(6):
        seen(drift, rng, 900)
        assert drift.worst is None or drift.worst < 2.0
        assert not drift.judge()


def test_a_mean_that_moved_is_told_in_wanders_with_its_tag() -> None:
    rng = np.random.default_rng(2)
    drift = learned(rng)
    seen(drift, rng, 6 * ROWS, mean=(10.0, 9.0))  # one unit down; a block of 60 wanders by 1/sqrt(60), 0.13
    assert drift.judge()
    ((tag, wanders),) = drift.furthest()
    assert tag == "b"
    assert wanders == pytest.approx(-(60**0.5), rel=0.25)


def test_it_is_told_until_it_is_well_back() -> None:
    rng = np.random.default_rng(3)
    drift = learned(rng)
    seen(drift, rng, 4 * ROWS, mean=(10.6, 10.0))
    assert drift.judge()
    while (drift.worst or 0.0) > 2.6:
        seen(drift, rng, 10)
    assert drift.judge()  # below what it takes to begin, above what it takes to end
    while (drift.worst or 0.0) > 1.9:
        seen(drift, rng, 10)
    assert not drift.judge()


def test_bad_rows_say_nothing() -> None:
    rng = np.random.default_rng(4)
    drift = learned(rng)
    for _ in range(ROWS):
        drift.take(np.array([np.nan, 10.0]))
    assert abs(float(drift.wanders[0])) == 0.0
