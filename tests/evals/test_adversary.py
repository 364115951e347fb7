"""The attack suite on a small scale: nothing outside, and what is legitimate goes through."""

import asyncio

import pytest

from holdfast.evals.adversary import driver, suite
from holdfast.evals.suites import Options, SuiteError

CLASSES_MIN = 30
SEQUENCES = 140  # two of each class


def test_there_are_enough_classes_and_each_says_what_it_tries() -> None:
    attacks = driver.named(())
    assert len(attacks) >= CLASSES_MIN
    assert all(attack.doc for attack in attacks)


def test_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(SuiteError, match="no class 'brute force'"):
        suite.judged(Options(classes=("brute force",), n=1))


@pytest.mark.timeout(60)
def test_no_attack_puts_anything_outside_on_the_wire() -> None:
    found = suite.judged(Options(seed=20261122, n=SEQUENCES))
    assert found.figures["outside"] == []
    assert found.figures["refused_wrongly"] == []
    assert found.figures["sequences"] == SEQUENCES
    assert found.figures["legal_share"] >= suite.LEGAL_SHARE_MIN
    assert set(found.figures["writes_by_wire"]) == {"modbus", "opcua"}
    assert found.pass_


def test_a_run_is_a_function_of_its_seed() -> None:
    def writes(seed: int) -> object:
        return asyncio.run(driver.assail(seed, 0, 6, driver.named(("ramp", "range")))).writes

    assert writes(3) == writes(3)
