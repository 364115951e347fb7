"""What each kind of detector is for: a shift, a slope, a stopped sensor, a lying one, a model of the user's own."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.agent.perception.cusum import CEILING, Cusum
from holdfast.agent.perception.ewma import Ewma
from holdfast.agent.perception.frozen import Frozen
from holdfast.agent.perception.gradual import Gradual
from holdfast.agent.perception.onnx import Onnx
from holdfast.agent.perception.pca import Pca
from holdfast.agent.perception.spoofed import Spoofed
from holdfast.testing import check_detector

RNG = np.random.default_rng(11)
QUIET = RNG.normal(size=(500, 3))
TAGS = ["a", "b", "c"]


def test_a_sum_adds_what_is_beyond_the_allowance_and_stops_at_its_ceiling() -> None:
    detector = Cusum(k=0.5, h=4.0)
    detector.fit(np.tile([[-1.0], [1.0]], (10, 1)), ["a"])  # mean 0, standard deviation 1
    assert detector.score(np.array([[2.0], [2.0], [-1.0], [-2.0]])).tolist() == [0.375, 0.75, 0.375, 0.5]
    assert detector.score(np.full((20, 1), 9.0)).max() == CEILING


def test_an_average_forgets_by_its_weight() -> None:
    detector = Ewma(weight=0.5, k=1.0)
    detector.fit(np.tile([[-1.0], [1.0]], (200, 1)), ["a"])  # averages settle at ±1/3, which is above half of the textbook's 0.577
    assert detector.score(np.array([[4.0], [0.0]])) == pytest.approx([6.0, 3.0], rel=1e-3)


def test_a_row_off_the_plane_is_seen_though_every_tag_is_in_its_range() -> None:
    one = RNG.normal(size=(400, 1))
    quiet = np.hstack([one, 2 * one, -one]) + 0.1 * RNG.normal(size=(400, 3))
    detector = Pca()
    detector.fit(quiet, TAGS)
    on, off = detector.score(np.array([[1.5, 3.0, -1.5], [1.5, 3.0, 1.5]]))
    assert on < 1 < off
    assert int(detector.shares().argmax()) == 2


def test_a_tag_that_stands_longer_than_ever_is_frozen_and_a_gap_is_no_stand() -> None:
    detector = Frozen(margin=2.0, rows_least=3)
    detector.fit(QUIET, TAGS)
    rows = RNG.normal(size=(12, 3))
    rows[2:, 1] = rows[2, 1]
    rows[5, 1] = np.nan
    scores = detector.score(rows)
    assert scores[[2, 4, 5, 6]].tolist() == [0.0, 2 / 6, 2 / 6, 3 / 6]  # allowed are 2 · 3 rows
    assert scores[-1] == 8 / 6
    assert detector.shares().tolist() == [0.0, 1.0, 0.0]


def test_a_tag_that_holds_its_value_by_nature_may_do_so() -> None:
    held = QUIET.copy()
    held[:, 1] = np.repeat(RNG.normal(size=100), 5)  # an analyser: a new value every five rows
    detector = Frozen(margin=3.0, rows_least=1)
    detector.fit(held, TAGS)
    assert detector.score(held).max() < 1


def test_a_sensor_that_leaves_the_others_is_told_from_a_plant_that_moves() -> None:
    one = RNG.normal(size=(500, 1))
    quiet = np.hstack([one, one, one]) + 0.3 * RNG.normal(size=(500, 3))
    detector = Spoofed()
    detector.fit(quiet, TAGS)
    assert detector.score(np.full((60, 3), 2.0)).max() < 1
    detector.reset()
    assert detector.score(np.tile([0.0, 2.0, 0.0], (60, 1)))[-1] > 1
    assert int(detector.shares().argmax()) == 1


def test_of_tags_that_say_nothing_of_each_other_nothing_is_claimed() -> None:
    detector = Spoofed()
    detector.fit(QUIET, TAGS)
    assert detector.score(np.full((50, 3), 9.0)).max() < 1e-6


def test_a_slope_is_extended_to_the_limit_and_the_interval_holds_the_truth() -> None:
    held = 0
    for seed in range(20):
        detector = Gradual(memory=50)
        detector.fit(QUIET, TAGS)
        rows = np.random.default_rng(seed).normal(size=(200, 3))
        rows[:, 1] += 0.05 * np.arange(200)  # 9.95 at the last row, 15 after 101 more
        detector.score(rows)
        (found,) = detector.remaining({"b": 15.0})
        assert found.low_rows is not None
        assert found.high_rows is not None
        held += found.low_rows <= 101 <= found.high_rows
    assert held >= 17  # 19 expected of 20


def test_no_time_is_told_where_nothing_goes_to_the_limit() -> None:
    detector = Gradual(memory=50)
    detector.fit(QUIET, TAGS)
    detector.score(np.random.default_rng(1).normal(size=(200, 3)) - 0.05 * np.arange(200)[:, None])
    away, there = detector.remaining({"a": 30.0, "b": -5.0})
    assert (away.rows, away.high_rows) == (None, None)
    assert (there.rows, there.low_rows, there.high_rows) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="no tag z: there are a, b, c"):
        detector.remaining({"z": 1.0})


def test_what_the_load_explains_is_no_degradation() -> None:
    load = RNG.normal(size=(600, 1))
    quiet = np.hstack([load, 5 + 3 * load + 0.2 * RNG.normal(size=(600, 1))])
    heavy = np.linspace(0, 2, 300)[:, None]
    rows = np.hstack([heavy, 5 + 3 * heavy + 0.2 * RNG.normal(size=(300, 1))])
    aware, blind = Gradual(conditions="load"), Gradual()
    for detector in (aware, blind):
        detector.fit(quiet, ["load", "temperature"])
    assert aware.score(rows).max() < 1 < blind.score(rows).max()
    with pytest.raises(ValueError, match="no tag speed to be a condition: there are load, temperature"):
        Gradual(conditions="speed").fit(quiet, ["load", "temperature"])


def test_without_a_model_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"set the option `model` to an \.onnx file"):
        Onnx().fit(QUIET, TAGS)
    with pytest.raises(ValueError, match="the model can't be read: No such file"):
        Onnx(model=str(tmp_path / "none.onnx")).fit(QUIET, TAGS)
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match="no ONNX model that can be run"):
        Onnx(model=str(tmp_path / "no.onnx")).fit(QUIET, TAGS)


def test_a_model_of_the_users_own_keeps_the_contract(tmp_path: Path) -> None:
    (tmp_path / "energy.onnx").write_bytes(energy_model(5))
    check_detector(lambda: Onnx(model=str(tmp_path / "energy.onnx")))


def test_a_model_for_other_tags_is_refused(tmp_path: Path) -> None:
    (tmp_path / "energy.onnx").write_bytes(energy_model(5))
    with pytest.raises(ValueError, match="can't take rows of 3 tags"):
        Onnx(model=str(tmp_path / "energy.onnx")).fit(QUIET, TAGS)


def energy_model(tags: int) -> bytes:
    """y = sum of x², x (1, tags), as ONNX: protocol buffers written out, field by field of onnx.proto."""

    def shape(name: str, width: int) -> bytes:
        dims = b"".join(field(1, number(1, size)) for size in (1, width))
        return text(1, name) + field(2, field(1, number(1, 1) + field(2, dims)))

    square = text(1, "x") + text(1, "x") + text(2, "q") + text(4, "Mul")
    total = text(1, "q") + text(2, "y") + text(4, "ReduceSum")
    graph = field(1, square) + field(1, total) + text(2, "energy") + field(11, shape("x", tags)) + field(12, shape("y", 1))
    return number(1, 8) + field(7, graph) + field(8, text(1, "") + number(2, 13))


def number(place: int, value: int) -> bytes:
    return bytes([place << 3, value])


def field(place: int, body: bytes) -> bytes:
    assert len(body) < 1 << 14
    size = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 127 | 128, len(body) >> 7])
    return bytes([place << 3 | 2]) + size + body


def text(place: int, value: str) -> bytes:
    return field(place, value.encode())
