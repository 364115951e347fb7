"""A configuration comes into force while the gate runs: at once, whole, by named people; what was decided before it is void."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from small_plant import ASKING, PASSWORD, T, World, envelope, site

from holdfast.gate.actuation.activation import needs_restart
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.configuration import ConfigurationError, Standing
from holdfast.gate.identity.seal import opened
from holdfast.gate.ledger.agree import agreement
from holdfast.gate.ledger.store import StateError
from holdfast.site.load import Loaded
from holdfast.site.model import AlarmLimits, Policy, Rule, Site
from holdfast.terms import Tag, digest

SP = f"{T}.sp"
NO_RULES = Policy(revision=2, rules=())


class House(World):
    """A world whose configuration is in force and in which ann (operator) and bo (process-engineer) may sign."""

    def __init__(self, folder: Path, of: Site | None = None) -> None:
        super().__init__(folder, of)
        self.gate.people.add("ann", ["operator"], PASSWORD)
        self.gate.people.add("bo", ["process-engineer"], PASSWORD)
        self.gate.activation.configurations.first(self.site)

    def key(self, person: str) -> Ed25519PrivateKey:
        attempt = self.gate.people.begin(person)
        return self.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))

    def activate(self, new: Site, person: str = "ann") -> Standing:
        found = Loaded(site=new, digest=digest(new), file="site.yaml", policy_file="", modes_file="", files=(), warnings=())
        self.gate.activation.propose(found, "site.yaml", {"site.yaml": ""}, person)
        return self.gate.activation.activate(digest(new), person, self.key(person))

    def tighter(self, revision: int = 2, **changes: Any) -> Site:
        """The range of the tension ends at 102 instead of 120."""
        narrow = dataclasses.replace(envelope(T).range, rows=(("", (80.0, 102.0)),))  # type: ignore[type-var]
        of = tuple(dataclasses.replace(e, range=narrow) if e.tag == SP else e for e in self.site.envelopes)
        return dataclasses.replace(self.site, envelopes=of, policy=dataclasses.replace(self.site.policy, revision=revision), **changes)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.run(3)
    yield made
    made.gate.close()


def refused(code: str) -> contextlib.AbstractContextManager[Any]:
    return pytest.raises(ConfigurationError, check=lambda e: e.code == code)


async def test_a_narrower_envelope_binds_the_very_next_decision(house: House) -> None:
    assert house.propose(103.0, id="before").verdict == "permit"
    assert house.activate(house.tighter()).adopted
    after = house.propose(103.0, id="after")
    assert (after.verdict, after.configuration) == ("refuse", digest(house.tighter()))
    assert house.failed(after) == {"envelope.range.above"}
    assert house.propose(101.0, id="inside").verdict == "permit"


async def test_what_was_permitted_before_is_never_sent_after(house: House) -> None:
    house.propose(103.0)
    house.activate(house.tighter())
    await house.run(3)
    assert (house.state(), house.plc.written) == ("voided", [])
    assert [r["code"] for r in house.records("voided")] == ["configuration.changed"]


async def test_an_approval_binds_the_configuration_and_falls_with_it(tmp_path: Path) -> None:
    house = House(tmp_path, site(rules=ASKING))
    await house.run(3)
    house.propose(101.0, id="waits")
    house.propose(101.0, id="signed", tag="stand/flow.sp")
    house.sign("signed")
    house.activate(dataclasses.replace(house.site, policy=dataclasses.replace(house.site.policy, revision=2)))
    with pytest.raises(ApprovalError):
        house.sign("waits")
    await house.run(3)
    assert (house.state("waits"), house.state("signed"), house.plc.written) == ("voided", "voided", [])
    house.gate.close()


async def test_it_is_on_record_in_order_and_the_tables_agree(house: House) -> None:
    house.propose(103.0)
    house.activate(house.tighter())
    kinds = [r.kind for r in house.gate.log.read(0, 1000)]
    assert kinds[-5:] == ["configuration.proposed", "configuration.signed", "activated", "configuration", "voided"]
    assert agreement(house.gate.log.state.db).agrees
    (record,) = house.records("configuration")
    assert (record["digest"], record["site"]["connections"]) == (digest(house.tighter()), [])


async def test_it_is_what_runs_after_a_restart_too(house: House) -> None:
    house.activate(house.tighter())
    active = house.gate.activation.configurations.active()
    assert active is not None
    assert (active.digest, active.generation) == (house.gate.compiled.digest, 1)


async def test_a_rollback_gives_back_what_was_there(house: House) -> None:
    house.activate(house.tighter())
    standing = house.gate.activation.rollback("ann", house.key("ann"))
    assert (standing.adopted, standing.digest) == (True, digest(house.site))
    assert house.propose(103.0, id="wide").verdict == "permit"
    with refused("configuration.revision"):  # the highest revision that was ever in force still counts
        house.activate(house.tighter(revision=2))


async def test_a_signature_alone_puts_nothing_in_force(house: House) -> None:
    two = dataclasses.replace(house.site, configuration_approvals=("operator", "process-engineer"), policy=Policy(revision=2, rules=()))
    house.activate(two)
    of = house.tighter(revision=3)
    assert house.activate(of).missing == ("process-engineer",)
    assert house.gate.activation.sign(digest(of), "bo", house.key("bo")).missing == ()
    assert house.gate.compiled.digest == digest(two)
    assert house.gate.activation.activate(digest(of), "bo", house.key("bo")).adopted
    assert house.gate.compiled.digest == digest(of)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"connections": ()}, "connections"),
        ({"tags": (Tag(name="new", connection="plc", address="new", unit="1"),)}, "tags"),
        ({"timezone": "Asia/Shanghai"}, "timezone"),
        ({"agents": ()}, "agents"),
    ],
)
def test_what_only_a_restart_can_change_is_named(changes: dict[str, Any], part: str) -> None:
    assert needs_restart(site(), dataclasses.replace(site(), **changes)) == (part,)


async def test_a_changed_connection_is_refused_whole(house: House) -> None:
    moved = dataclasses.replace(house.site.connections[0], type="other")
    with refused("configuration.restart"):
        house.activate(house.tighter(connections=(moved,)))
    assert house.gate.compiled.digest == digest(house.site)
    assert house.records("configuration.proposed") == []


async def test_a_write_on_its_way_is_judged_by_what_it_was_sent_under(house: House) -> None:
    house.propose(103.0)
    await house.gate.advance()  # sent; its read-back is due in a second
    assert house.state() == "sent"
    other = dataclasses.replace(house.tighter().envelopes[0], readback=None)
    with refused("configuration.in_flight"):
        house.activate(dataclasses.replace(house.tighter(), envelopes=(other, house.site.envelopes[1])))
    assert house.activate(house.tighter()).adopted  # a range judges nothing that was sent
    await house.run(3)
    assert (house.state(), house.plc.written) == ("done", [(SP, 103.0)])


async def test_the_budget_that_was_used_stays_used(house: House) -> None:
    for value, id in ((104.0, "a"), (108.0, "b")):
        house.propose(value, id=id)
        await house.run(4)
    small = dataclasses.replace(house.site.envelopes[0], writes=dataclasses.replace(house.site.envelopes[0].writes, max=2))  # type: ignore[type-var]
    house.activate(
        dataclasses.replace(
            house.site, envelopes=(small, house.site.envelopes[1]), policy=dataclasses.replace(house.site.policy, revision=2)
        )
    )
    assert "envelope.writes.over" in house.failed(house.propose(106.0, id="c"))


async def test_a_disk_that_refuses_leaves_the_old_one_in_force(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.propose(103.0)
    append = house.gate.log.append

    def full(kind: str, body: Any) -> int:
        if kind == "voided":  # the last thing that is recorded
            raise StateError("state.broken", "no")
        return append(kind, body)

    with monkeypatch.context() as patched:
        patched.setattr(house.gate.log, "append", full)
        with pytest.raises(StateError):
            house.activate(house.tighter())
    assert house.gate.compiled.digest == digest(house.site)
    assert house.state() == "approved"
    active = house.gate.activation.configurations.active()
    assert active is not None
    assert active.digest == digest(house.site)


async def test_alarm_limits_change_with_it(house: House) -> None:
    house.activate(house.tighter(alarms=(AlarmLimits(tag=f"{T}.pv", hi=90.0),)))
    await house.run(1)  # it stands at 100
    assert [(a.threshold, a.state) for a in house.gate.alarms.shown()] == [(90.0, "unacknowledged")]
    house.activate(house.tighter(revision=3, alarms=()))
    assert house.gate.alarms.shown() == ()
    house.again()
    assert house.gate.alarms.states == {}


async def test_an_operators_hand_is_seen_right_after(house: House) -> None:
    house.activate(house.tighter())
    house.plc.blocks[T].sp_op = 95.0
    house.plc.blocks[T].mode = 1
    await house.run(2)
    assert {r["what"] for r in house.records("taken")} >= {"mode"}
    assert house.failed(house.propose(96.0)) == {"requires.off", "yield.operator"}


async def test_an_agent_may_only_what_the_new_rules_say(house: House) -> None:
    other = Rule(id="one", effect="permit", agents=("other",), tags=("*",))
    house.activate(dataclasses.replace(house.site, policy=Policy(revision=2, rules=(other,))))
    assert house.propose(101.0, id="a").verdict == "refuse"
    assert house.propose(101.0, id="b", author="other").verdict == "permit"
