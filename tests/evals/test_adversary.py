"""The attack suite on a small scale: nothing outside, what is legitimate goes through, and a broken gate is noticed."""

import asyncio

import pytest

from holdfast.evals.adversary import driver, suite
from holdfast.evals.adversary.mutants import Mutant, all_mutants
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


BROKEN = (
    "without envelope.range",
    "without envelope.step",
    "without envelope.rate",
    "without stop",
    "without yield",
    "no second look",
    "a yes binds nothing",
    "one's own yes counts",
    "no intent on record",
    "sent again when not acknowledged",
    "downtime counts as time",
    "clock drift not followed",
    "a first value is movement",
    "skew not looked at",
)


@pytest.mark.parametrize("mutant", [m for m in all_mutants() if m.name in BROKEN], ids=lambda m: m.name)
def test_a_gate_broken_on_purpose_is_caught_on_the_wire(mutant: Mutant) -> None:
    assert asyncio.run(driver.caught(mutant, 1)) is not None


def test_every_mutant_is_undone() -> None:
    for mutant in all_mutants():
        before = [vars(owner)[name] for owner, name, _ in mutant.patches]
        with driver.broken(mutant):
            assert all(vars(owner)[name] is value for owner, name, value in mutant.patches)
        assert [vars(owner)[name] for owner, name, _ in mutant.patches] == before
