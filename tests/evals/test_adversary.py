"""The attack suite on a small scale: nothing outside, and what is legitimate goes through."""

import asyncio

import pytest

from holdfast.evals.adversary import driver, suite
from holdfast.evals.suites import Options, SuiteError

CLASSES_MIN = 30
SEQUENCES = 90  # about one of each class


def test_there_are_enough_classes_and_each_says_what_it_tries() -> None:
    attacks = driver.everything(())
    assert len(attacks) >= CLASSES_MIN
    assert all(attack.doc for attack in attacks)


def test_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(SuiteError, match="no class 'brute force'"):
        suite.judged(Options(classes=("brute force",), n=1))


@pytest.mark.timeout(120)
def test_no_attack_puts_anything_outside_on_the_wire() -> None:
    found = suite.judged(Options(seed=20261122, n=SEQUENCES))
    assert found.figures["outside"] == []
    assert found.figures["refused_wrongly"] == []
    assert found.figures["sequences"] == SEQUENCES
    assert found.figures["legal_share"] >= suite.LEGAL_SHARE_MIN
    assert set(found.figures["writes_by_wire"]) == {"modbus", "opcua"}
    assert set(found.figures["sequences_by_stage"]) == {"modbus", "opcua", "apart"}
    assert found.pass_


def test_a_run_is_a_function_of_its_seed() -> None:
    def writes(seed: int) -> object:
        return asyncio.run(driver.assail(seed, 0, 6, driver.named(("ramp", "range")))).writes

    assert writes(3) == writes(3)


def test_every_class_has_a_stage_and_each_stage_its_share() -> None:
    plan = suite._plan(3000, ())  # pyright: ignore[reportPrivateUsage]
    count = {stage: sum(many for of, _, many in plan if of == stage) for stage in suite.DEAREST}
    assert (sum(count.values()), count["opcua"], count["apart"]) == (3000, 150, 40)
    tried = {attack.name for stage in suite.DEAREST for attack in driver.fitting(driver.everything(()), stage)}
    assert tried == {attack.name for attack in driver.everything(())}


def test_a_class_that_wants_a_gate_apart_gets_one() -> None:
    assert {stage for stage, _, _ in suite._plan(500, ("egress by DNS",))} == {"apart"}  # pyright: ignore[reportPrivateUsage]


def test_a_restored_backup_that_is_not_noticed_shows_on_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.gate.process.set_back", lambda **_: ())
    assert asyncio.run(driver.assail(1, 0, 10, driver.everything(("restored backup", "rolled-back record")))).outside


def test_limits_that_the_gate_does_not_ask_for_show_on_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.gate import gatekeeper

    heard = gatekeeper.told_by

    async def deaf(*args: object) -> tuple[()]:
        await heard(*args)  # type: ignore[arg-type]
        return ()

    monkeypatch.setattr(gatekeeper, "told_by", deaf)
    assert asyncio.run(driver.assail(1, 0, 2, driver.everything(("limits that the server tells",)), stage="opcua")).outside


def test_names_that_are_only_folded_make_one_person_two(monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.gate.approval import inbox
    from holdfast.gate.identity import names, people

    for room in (people, inbox):
        monkeypatch.setattr(room, "alike", lambda one, other: names.folded(one) == names.folded(other))
    monkeypatch.setattr(people, "checked", lambda name, what: name)
    assert asyncio.run(driver.assail(1, 0, 8, driver.everything(("two accounts, one person",)))).outside
