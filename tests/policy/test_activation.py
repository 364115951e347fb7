"""The configuration in force is what named people signed for, never what lies on the disk."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.configuration import Active, ConfigurationError, Configurations, settle
from holdfast.gate.identity.people import People, WrongPassword
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.run.mill import site_file
from holdfast.site.load import load
from holdfast.site.model import Policy, Rule, Site, SiteError
from holdfast.terms import SECOND_NS, digest

PASSWORD = "brass kettle orchard"
START_NS = 1_700_000_000 * SECOND_NS
SITE = load(site_file()).site


class House:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(START_NS)
        self.state = State(folder, durable=False)
        self.log = Log(self.state, self.clock)
        self.people = People(self.state, self.log, self.clock, os.urandom, cost=Cost(passes=1, memory_kib=8, lanes=1))
        self.of = Configurations(self.state, self.log, self.people, self.clock)

    def kinds(self) -> list[str]:
        return [r.kind for r in self.log.read() if r.kind not in ("person",)]

    def active(self) -> Active:
        found = self.of.active()
        assert found is not None
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "gate")
    with contextlib.closing(made.state):
        made.people.add("ann", ["operator", "process-engineer"], PASSWORD)
        made.people.add("bo", ["process-engineer"], PASSWORD)
        made.people.add("cy", ["cook"], PASSWORD)
        made.of.first(SITE)
        yield made


def newer(revision: int = 2, **changes: object) -> Site:
    changed = dataclasses.replace(SITE, policy=Policy(revision=revision, rules=SITE.policy.rules[:2]))
    return dataclasses.replace(changed, **changes)  # type: ignore[arg-type]


def refused(code: str) -> contextlib.AbstractContextManager[pytest.ExceptionInfo[ConfigurationError]]:
    return pytest.raises(ConfigurationError, check=lambda e: e.code == code)


def test_the_first_start_takes_the_site_file_and_records_it(house: House) -> None:
    assert house.active().digest == digest(SITE)
    (record,) = [r for r in house.log.read() if r.kind == "activated"]
    assert (record.body["how"], record.body["generation"], record.body["digest"]) == ("first start", 0, digest(SITE))


def test_a_second_first_start_changes_nothing(house: House) -> None:
    assert house.of.first(newer()).digest == digest(SITE)


def test_one_signature_of_the_role_that_is_asked_for_puts_it_in_force(house: House) -> None:
    standing = house.of.activate(newer(), "Ann", PASSWORD)
    assert (standing.adopted, standing.signed, standing.missing) == (True, (("operator", "ann"),), ())
    assert (house.active().generation, house.active().revision, house.active().former) == (1, 2, digest(SITE))
    assert house.kinds()[-2:] == ["configuration.signed", "activated"]


def test_two_roles_need_two_people(house: House) -> None:
    two = newer(2, configuration_approvals=("process-engineer", "operator"))
    house.of.activate(two, "ann", PASSWORD)
    standing = house.of.activate(newer(3), "ann", PASSWORD, role="operator")
    assert (standing.adopted, standing.missing) == (False, ("process-engineer",))
    with refused("configuration.role"):
        house.of.activate(newer(3), "ann", PASSWORD, role="operator-and-more")
    assert not house.of.activate(newer(3), "ann", PASSWORD, role="process-engineer").adopted  # one person is one signature
    assert house.active().digest == digest(two)
    house.of.activate(newer(3), "ann", PASSWORD, role="operator")
    assert house.of.activate(newer(3), "bo", PASSWORD).adopted


def test_a_new_configuration_cannot_lower_the_bar_for_itself(house: House) -> None:
    house.of.activate(newer(2, configuration_approvals=("process-engineer",)), "ann", PASSWORD)
    with refused("configuration.role"):
        house.of.activate(newer(3, configuration_approvals=("cook",)), "cy", PASSWORD)


def test_a_signature_that_waited_a_day_is_void(house: House) -> None:
    house.of.activate(newer(2, configuration_approvals=("process-engineer", "operator")), "ann", PASSWORD)
    house.of.activate(newer(3), "ann", PASSWORD, role="operator")
    house.clock.advance(24 * 3600.0)
    assert house.of.activate(newer(3), "bo", PASSWORD).missing == ("operator",)


@pytest.mark.parametrize("revision", [0, 1])
def test_the_revision_must_rise(house: House, revision: int) -> None:
    with refused("configuration.revision"):
        house.of.activate(newer(revision), "ann", PASSWORD)
    assert house.active().digest == digest(SITE)


def test_what_is_in_force_is_not_activated_again(house: House) -> None:
    with refused("configuration.same"):
        house.of.activate(SITE, "ann", PASSWORD)


def test_a_wrong_password_signs_nothing(house: House) -> None:
    with pytest.raises(WrongPassword):
        house.of.activate(newer(), "ann", "not her password")
    assert "configuration.signed" not in house.kinds()


def test_what_cannot_decide_is_not_activated(house: House) -> None:
    broken = Rule(id="broken", effect="permit", agents=("*",), tags=("*",), when="proposed <")
    with pytest.raises(SiteError):
        house.of.activate(newer(2, policy=Policy(revision=2, rules=(broken,))), "ann", PASSWORD)


def test_rollback_goes_back_and_the_revision_goes_on_rising(house: House) -> None:
    house.of.activate(newer(5), "ann", PASSWORD)
    assert house.of.rollback("ann", PASSWORD).adopted
    assert (house.active().digest, house.active().generation) == (digest(SITE), 2)
    with refused("configuration.revision"):
        house.of.activate(newer(4), "ann", PASSWORD)
    assert house.of.activate(newer(6), "ann", PASSWORD).adopted


def test_there_is_nothing_before_the_first(house: House) -> None:
    with refused("configuration.no_former"):
        house.of.rollback("ann", PASSWORD)


def test_what_is_kept_and_was_changed_is_refused(house: House) -> None:
    house.state.db.execute("UPDATE configuration SET bytes = CAST(replace(bytes, '115.0', '135.0') AS BLOB)")
    with refused("configuration.changed"):
        house.of.active()


def test_a_file_changed_on_the_disk_is_not_used_and_told(house: House, tmp_path: Path) -> None:
    copy = tmp_path / "plant"
    shutil.copytree(site_file().parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "site.yaml"
    assert settle(file, house.of).on_disk == ""
    file.write_text(file.read_text().replace("DC01: [90, 115]", "DC01: [90, 135]"))
    changed = settle(file, house.of)
    assert changed.active.digest == digest(SITE)
    assert "is not what is in force" in changed.on_disk
    file.write_text("holdfast: 2\n")
    broken = settle(file, house.of)
    assert broken.active.digest == digest(SITE)
    assert "has errors and is not used" in broken.on_disk
