"""`auto` chooses by what the quiet stretch shows, and an engine is held against its own beginning."""

import numpy as np
import pytest

from holdfast.agent.perception.auto import Auto
from holdfast.agent.perception.learning import held_out_scores
from holdfast.agent.perception.limits import Limits
from holdfast.agent.perception.own_level import OwnLevel
from holdfast.agent.perception.tail import tail, tolerance
from holdfast.language import LANGUAGES, say

TAGS = ["a", "b", "c"]


def engines(count: int, rows: int, *, seed: int = 3) -> list[np.ndarray]:
    """Units that differ by ten times what each of them moves."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=3) * 10 + rng.normal(size=(rows, 3)) for _ in range(count)]


def test_a_few_rows_get_fixed_limits_and_the_reason_is_told() -> None:
    detector = Auto()
    detector.fit(np.random.default_rng(1).normal(size=(20, 3)), TAGS)
    assert detector.chosen == "limits"
    assert detector.why == (("auto.short", {"rows": "20", "least": "40"}),)


def test_a_tag_without_a_level_of_its_own_is_named() -> None:
    quiet = np.random.default_rng(1).normal(size=(400, 3))
    quiet[:, 1] += np.linspace(0, 20, 400)
    detector = Auto()
    detector.fit(quiet, TAGS)
    assert [code for code, _ in detector.why] == ["auto.together", "auto.wander"]
    assert detector.why[1][1] == {"tags": "b"}


def test_every_reason_is_said_in_both_languages() -> None:
    facts = {"tags": "3", "rows": "20", "least": "30", "units": "6", "shortest": "50"}
    for code in ("auto.together", "auto.short", "auto.wander", "auto.steady", "auto.units"):
        told = {say(code, facts, language) for language in LANGUAGES}
        assert len(told) == 2
        assert not any("?" in text or code in text for text in told)


def test_wear_of_an_engine_is_seen_though_engines_differ_by_far_more() -> None:
    apart, together = Auto(), Auto()
    runs = engines(12, 50)
    apart.fit_runs(runs, TAGS)
    together.fit(np.concatenate(runs), TAGS)
    assert "auto.units" in [code for code, _ in apart.why]
    worn = engines(1, 200, seed=9)[0]
    worn[100:, 0] += 6.0
    for detector in (apart, together):
        detector.reset()
    seen, unseen = apart.score(worn), together.score(worn)
    assert seen[105:].min() > seen[10:100].max()
    assert not unseen[105:].min() > unseen[10:100].max()


def test_a_new_engine_is_held_against_its_own_beginning_however_rows_come_and_after_load() -> None:
    detector = Auto()
    detector.fit_runs(engines(12, 50), TAGS)
    rows = engines(1, 40, seed=5)[0]
    rows[2, 1] = np.nan
    whole = detector.score(rows)
    detector.reset()
    assert np.concatenate([detector.score(row[None]) for row in rows]).tobytes() == whole.tobytes()
    loaded = Auto()
    loaded.load(detector.save())
    assert loaded.score(rows).tobytes() == whole.tobytes()


def test_runs_too_few_or_too_short_to_tell_units_apart_are_one_stretch() -> None:
    for runs in (engines(3, 100), engines(10, 15)):
        detector = Auto()
        detector.fit_runs(runs, TAGS)
        assert "auto.units" not in [code for code, _ in detector.why]


@pytest.mark.parametrize("rows", [41, 45, 53])
def test_a_part_of_a_stretch_is_scored_by_what_the_whole_was_given(rows: int) -> None:
    quiet = np.random.default_rng(1).normal(size=(rows, 3))
    detector = Auto()
    streams = held_out_scores(detector, quiet, TAGS)
    assert detector.chosen == "dynamic"
    limits = Limits()
    limits.fit(quiet[streams[0].shape[0] :], TAGS)
    assert not np.allclose(streams[0], limits.score(quiet[: streams[0].shape[0]]))


def test_held_out_parts_are_whole_runs_each_from_its_own_start() -> None:
    runs = engines(12, 50)
    detector = Auto()
    streams = held_out_scores(detector, np.concatenate(runs), TAGS, starts=range(50, 600, 50))
    assert [stream.shape[0] for stream in streams] == [50] * 12
    assert float(np.mean(np.concatenate(streams) > 1)) < 0.05  # what one held-out row in a hundred is above


def test_a_unit_that_is_trusted_fully_starts_at_the_centre() -> None:
    level = OwnLevel(centre=np.array([1.0]), trust=np.ones((2, 1)), rows=2)
    assert level.taken_off(np.array([[5.0], [7.0], [6.0]]))[:, 0].tolist() == [1.0, 2.0, 1.0]
    level.reset()
    assert level.taken_off(np.array([[3.0]]))[0, 0] == 1.0


def test_an_exponential_tail_is_told_with_its_own_slope() -> None:
    logs = -2.0 * np.log((np.arange(10_000) + 0.5) / 10_000)  # P(x) = exp(-x/2)
    begins, slope = tail(logs[:, None])
    assert begins[0] == pytest.approx(-2.0 * np.log(0.2), abs=1e-2)
    assert slope[0] == pytest.approx(2.0, abs=1e-2)


def test_fewer_windows_ask_for_more() -> None:
    asked = tolerance(np.array([2.0, 8.0, 13.0, 100.0, 1e6]))
    assert asked[0] == asked[1]
    assert (np.diff(asked) <= 0).all()
    assert asked[-1] == pytest.approx(1.0, abs=0.01)
