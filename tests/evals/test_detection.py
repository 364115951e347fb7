"""The detection suite's arithmetic by hand, and the suite on the public recordings where they are there."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from holdfast.agent.perception.limits import Limits
from holdfast.evals.bench.detect import good
from holdfast.evals.detection import cmapss, skab, tep
from holdfast.evals.detection.alarms import Found, episodes, first_above, in_a_row, share_above, stretches
from holdfast.evals.suites import Options, SuiteError, suite

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not (DATA / "cmapss").is_dir(), reason=f"the public recordings are not in {DATA}")


def test_three_in_a_row_is_above_where_the_last_three_are() -> None:
    held = in_a_row(np.array([5.0, 4.0, 6.0, 1.0, 7.0, 8.0, 9.0]), 3)
    assert held.tolist() == [-np.inf, -np.inf, 4.0, 1.0, 1.0, 1.0, 7.0]
    assert first_above(held, 6.5) == 6
    assert first_above(held, 7.0) is None


def test_episodes_and_shares_are_counted_stream_by_stream() -> None:
    streams = [np.array([2.0, 0.0, 2.0, 2.0]), np.array([2.0, 0.0])]
    assert episodes(streams, 1.0) == 3
    assert share_above(streams, 1.0) == pytest.approx(4 / 6)
    assert stretches(streams[0] > 1.0) == [[0, 1], [2, 4]]


def test_a_figure_is_met_on_its_own_side_of_the_aim() -> None:
    assert Found(value=1.0, aim=1.0, at_most=True).met
    assert not Found(value=1.1, aim=1.0, at_most=True).met
    assert Found(value=-3.0, aim=-3.0, at_most=False).met
    assert Found(value=2.0, aim=35.0, at_most=False, rule_engine=1.0).plain() == {
        "value": 2.0,
        "aim": ">= 35",
        "met": False,
        "rule_engine": 1.0,
    }


def test_rows_before_onset_that_two_faults_share_are_counted_once() -> None:
    first, other = np.zeros((200, 2)), np.ones((200, 2))
    half = tep.Half(normals=(np.full((10, 2), 3.0),), faults={4: first, 5: first.copy(), 8: other})
    streams = tep.normal_streams(half, lambda rows: rows[:, 0], {4: first[:, 0], 5: first[:, 0], 8: other[:, 0]})
    assert [stream.shape[0] for stream in streams] == [10, 160, 160]


def test_a_warning_is_the_cycles_left_when_three_in_a_row_are_above() -> None:
    healthy = np.tile([[9.0], [11.0]], (25, 1))
    worn = np.concatenate([healthy, np.full((20, 1), 10.0), np.full((10, 1), 30.0)])  # 80 cycles, abnormal from 70 on
    found = cmapss.warned(Limits, ("s01",), {1: healthy}, {2: healthy}, {3: worn, 4: np.concatenate([healthy, healthy])})
    assert found.cycles.tolist() == [8, 0]  # rows 70, 71, 72 are above; at row 72 eight cycles are left
    assert found.far == 0.0


def test_counts_of_a_water_loop_leave_the_learned_rows_out() -> None:
    anomalous = np.concatenate([np.zeros(402, dtype=bool), np.ones(4, dtype=bool)])
    scores = np.concatenate([np.full(400, 9.0), [0.0, 2.0], [0.0, 2.0, 2.0, 2.0]])
    count = skab.counted([(scores, anomalous)], 1.0)
    assert (count.quiet, count.false, count.misses, count.hits) == (1, 1, 1, 3)
    assert count.f1 == 0.75


def test_the_trailing_median_needs_no_row_of_the_future() -> None:
    assert skab.smoothed(np.array([1.0, 9.0, 2.0, 3.0]), 3).tolist() == [1.0, 5.0, 2.0, 3.0]


def test_a_missing_folder_or_an_unknown_recording_is_wrong_use(tmp_path: Path) -> None:
    run = suite("eval", "detection")
    with pytest.raises(SuiteError, match="give --fit DIR"):
        run(Options())
    with pytest.raises(SuiteError, match="no recording moon; there are: tep, cmapss, skab"):
        run(Options(data=tmp_path, classes=("moon",)))
    with pytest.raises(SuiteError, match="can't be read"):
        run(Options(data=tmp_path, classes=("tep",)))


@needs_data
def test_the_suite_tells_every_figure_with_its_aim_and_every_case() -> None:
    cases: list[str] = []
    found = suite("eval", "detection")(Options(data=DATA, classes=("cmapss",), answer=lambda case, _: cases.append(case)))
    assert found.figures["cmapss"]["engines"] == 25
    assert found.figures["cmapss"]["median_lead_cycles"]["aim"] == ">= 35"
    assert len(cases) == 25
    assert found.pass_ == (found.figures["aims"] == found.figures["aims_met"])


def test_the_bench_says_what_a_row_costs_and_which_rival_is_absent() -> None:
    found = suite("bench", "detect")(Options(n=100))
    assert found.figures["rows"] == 100
    assert found.figures["one_row_us"]["p50"] > found.figures["block_us_a_row"] > 0
    for rival, package in (("half_space_trees", "river"), ("isolation_forest", "sklearn")):
        absent = importlib.util.find_spec(package) is None
        assert isinstance(found.figures[rival], str) == absent


@pytest.mark.parametrize(
    ("one", "block", "core", "met"), [(50.0, 5.0, 0.5, True), (50.1, 5.0, 0.5, False), (9.0, 5.1, 0.5, False), (9.0, 1.0, 0.6, False)]
)
def test_the_bench_passes_only_with_every_cost_within_its_aim(one: float, block: float, core: float, met: bool) -> None:
    figures = {"one_row_us": {"p50": one}, "block_us_a_row": block, "core_share_of_2000_tags_at_10_hz": core}
    assert good(figures) == met
