"""The diagnosis suite's arithmetic by hand, and the suite on the public recordings where they are there."""

import os
from pathlib import Path

import pytest

from holdfast.agent.diagnosis.rank import NONE
from holdfast.evals.diagnosis import mill, suite, tep
from holdfast.evals.diagnosis.calibration import Forecast, brier, forecasts, reliability
from holdfast.evals.suites import Options, SuiteError
from holdfast.evals.suites import suite as named

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not (DATA / "tep").is_dir(), reason=f"the public recordings are not in {DATA}")


def case(fault: int, *causes: str, id: str = "") -> tep.Case:
    looked = (tep.Looked(row=200, causes=tuple((name, 1.0 / len(causes)) for name in causes)),) if causes else ()
    found = 190 if causes else None
    return tep.Case(id=id or f"fault_{fault:02}_test", fault=fault, right=tep.MODES.get(fault, NONE), found=found, looked=looked)


def test_a_right_cause_that_was_not_named_was_given_nothing() -> None:
    assert forecasts((("a", 0.7), (NONE, 0.3)), "b") == (
        Forecast(chance=0.7, so=False),
        Forecast(chance=0.3, so=False),
        Forecast(chance=0.0, so=True),
    )


def test_the_reliability_table_counts_what_was_so_in_each_bin() -> None:
    rows = reliability([Forecast(chance=0.8, so=True), Forecast(chance=0.8, so=False), Forecast(chance=0.05, so=False)])
    assert [(row["from"], row["predicted"], row["observed"], row["forecasts"]) for row in rows] == [(0.0, 0.05, 0.0, 1), (0.7, 0.8, 0.5, 2)]
    assert rows[1]["interval"] == [0.0126, 0.9874]  # Clopper-Pearson of one in two


def test_briers_score_is_nought_for_who_knows_and_two_for_who_is_sure_of_the_wrong() -> None:
    knows = (Forecast(chance=1.0, so=True), Forecast(chance=0.0, so=False))
    wrong = (Forecast(chance=1.0, so=False), Forecast(chance=0.0, so=True))
    assert brier([knows]) == 0.0
    assert brier([wrong]) == 2.0
    assert brier([knows, wrong]) == 1.0


def test_the_aims_want_three_places_first_for_most_and_none_of_these_where_nothing_is_published() -> None:
    right = [case(fault, tep.MODES[fault], NONE) for fault in suite.OBSERVABLE]
    unknown = [case(16, NONE, "te_a_feed_loss"), case(0, id="normal_test_a")]
    assert suite.of_tep([*right, *unknown], ())["aims_met"]
    third = case(1, "x", "y", tep.MODES[1])
    assert suite.of_tep([third, *right[1:], *unknown], ())["aims_met"]
    fourth = case(1, "x", "y", "z", tep.MODES[1])
    assert not suite.of_tep([fourth, *right[1:], *unknown], ())["aims_met"]
    seconds = [case(fault, "x", tep.MODES[fault]) for fault in (1, 4, 5)]
    assert not suite.of_tep([*seconds, *right[3:], *unknown], ())["aims_met"]
    assert not suite.of_tep([*right, case(19, "te_a_feed_loss", NONE)], ())["aims_met"]


def test_a_fault_that_is_never_found_is_claimed_to_be_nothing() -> None:
    assert case(4).standing.place(NONE) == 1
    assert case(4).standing.place(tep.MODES[4]) is None
    assert not suite.of_tep([case(4)], ())["aims_met"]


def test_a_scenario_that_was_not_found_is_wrong_and_a_quiet_one_right() -> None:
    quiet = mill.Heard()
    assert [one.is_right for one in mill.told("chatter", 1, quiet)] == [False]
    assert [one.is_right for one in mill.told("normal", 1, quiet)] == [True]
    assert [(one.right, one.is_right) for one in mill.told("frozen-sensor", 1, quiet)] == [
        ("lubrication_loss", False),
        ("sensor_frozen", False),
    ]


def test_the_demo_plant_is_told_why_in_one_seed_of_the_bearing() -> None:
    (told,) = mill.run_one(("bearing", 3))
    assert told.found_s is not None
    assert told.is_right, told.last[:3]


def test_a_wrong_class_and_missing_recordings_are_told(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="there are: mill, tep"):
        named("eval", "diagnosis")(Options(classes=("pump",)))
    with pytest.raises(SuiteError, match="give --data DIR"):
        named("eval", "diagnosis")(Options(classes=("tep",)))
    with pytest.raises(SuiteError, match=r"no normal_train\.csv\.gz"):
        named("eval", "diagnosis")(Options(classes=("tep",), data=tmp_path))


@needs_data
def test_a_step_of_the_reactors_cooling_water_is_told_from_its_recording() -> None:
    duty = tep.Duty(DATA / "tep")
    rows = tep.table(DATA / "tep" / "fault_04_test.csv.gz", skip=2)[1][:300]
    found = duty.case("fault_04_test", 4, rows)
    assert found.found is not None
    assert found.found >= tep.ONSET
    assert found.standing.place(tep.MODES[4]) == 1
