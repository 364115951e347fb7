"""A quiet stretch becomes a learned state that another process scores alike from."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.agent.perception.learned import load
from holdfast.agent.perception.learning import learn, restored

TAGS = ["a", "b", "c"]
QUIET = np.random.default_rng(5).normal(size=(800, 3))


def test_a_learned_state_scores_alike_in_another_process(tmp_path: Path) -> None:
    detector, learned = learn("dynamic", TAGS, QUIET, options=(("lags", 3.0),))
    learned.save(tmp_path / "state")
    rows = np.random.default_rng(6).normal(size=(50, 3))
    again = restored(load(tmp_path / "state"))
    detector.reset()
    assert again.score(rows).tobytes() == detector.score(rows).tobytes()


def test_the_limit_holds_on_quiet_rows_never_seen() -> None:
    detector, learned = learn("dynamic", TAGS, QUIET, far=0.01)
    detector.reset()
    fresh = detector.score(np.random.default_rng(7).normal(size=(20_000, 3)))
    assert 0.002 < np.mean(fresh > learned.limit) < 0.03
    assert 0.6 < np.mean(fresh <= learned.normal) < 0.9
    assert "8 of 800 held-out quiet rows" in learned.calibration


def test_a_limit_that_is_given_is_kept_and_what_it_means_is_said() -> None:
    _, learned = learn("limits", TAGS, QUIET, limit=1.0)
    assert learned.limit == 1.0
    assert "limit given" in learned.calibration


def test_an_unknown_option_or_detector_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no option speed: it has memories, lags, ridge, folds"):
        learn("dynamic", TAGS, QUIET, options=(("speed", 1.0),))
    with pytest.raises(ValueError, match=r"installed: auto, .*dynamic, .*limits"):
        learn("oracle", TAGS, QUIET)
