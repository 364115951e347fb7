"""Every built-in detector is held to the contract that a third party's is, and the contract can refuse."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.agent.perception.auto import Auto
from holdfast.agent.perception.cusum import Cusum
from holdfast.agent.perception.dynamic import Dynamic
from holdfast.agent.perception.ewma import Ewma
from holdfast.agent.perception.frozen import Frozen
from holdfast.agent.perception.gradual import Gradual
from holdfast.agent.perception.limits import Limits
from holdfast.agent.perception.named import detector_named, names
from holdfast.agent.perception.pca import Pca
from holdfast.agent.perception.spoofed import Spoofed
from holdfast.testing import check_detector, stand_of_one_tag

MADE = [
    Auto,
    Cusum,
    Dynamic,
    Ewma,
    Gradual,
    Limits,
    Pca,
    lambda: Limits(rule="minmax", k=1.2),
    lambda: Dynamic(lags=4, memories=(0.3,)),
    lambda: Dynamic(scale="tail"),
    lambda: Dynamic(scale="rarity", reach=6.0),
    lambda: Dynamic(memories=(1.0,)),
    lambda: Gradual(conditions="unit/tag_3", memory=30),
]


@pytest.mark.parametrize("make", MADE)
def test_a_built_in_detector_keeps_the_contract(make) -> None:
    check_detector(make)


def test_a_detector_of_stopped_sensors_keeps_the_contract() -> None:
    check_detector(Frozen, upset=stand_of_one_tag, judges_still_tags=False)


def test_a_detector_of_lying_sensors_keeps_the_contract() -> None:
    check_detector(Spoofed, judges_still_tags=False)


@pytest.mark.parametrize("name", names())
def test_every_own_detector_is_found_by_the_name_it_has(name: str) -> None:
    assert detector_named(name).name == name


class Forgetful(Limits):
    """Scores depend on how rows are cut."""

    def score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return super().score(values) + 1e-13 * values.shape[0]


class Undecided(Limits):
    """Gives NaN for a gap."""

    def score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(np.isfinite(values).all(axis=1), super().score(values), np.nan)


class Silent(Limits):
    """Names the wrong tag."""

    def shares(self) -> NDArray[np.float64]:
        return np.roll(super().shares(), 1)


class Trusting(Limits):
    """Loads anything."""

    def load(self, state: bytes) -> None:
        try:
            super().load(state)
        except ValueError:
            return


class Metric(Limits):
    """Believes that a large number is a large deviation."""

    def score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return super().score(values) + 1e-3 * np.abs(np.nan_to_num(values[:, 0], posinf=0.0))


@pytest.mark.parametrize(
    ("make", "clause"),
    [
        (Metric, "another unit"),
        (Forgetful, "the same bits"),
        (Undecided, "finite"),
        (Silent, "contributes most"),
        (Trusting, "load: ValueError"),
    ],
)
def test_the_contract_refuses_a_detector_that_breaks_a_clause(make, clause: str) -> None:
    with pytest.raises(AssertionError, match=clause):
        check_detector(make)
