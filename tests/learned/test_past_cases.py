"""What people say an incident's cause was: signed by who may, on record, taken back, told to agents, kept over a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from mill_world import MillWorld, learning_site
from served_mill import Served, serving

from holdfast.gate.actuation.causes import CASES_MAX, CauseError
from holdfast.link.direct import DirectLink
from holdfast.sim.mill import EPOCH_NS
from holdfast.site.model import Rule
from holdfast.terms import Cause, Diagnosis, Finding

SHARES = (("stand-4/force", 0.7), ("stand-4/vibration", 0.3))
FINDING = Finding(id="f1", incident="i1", detector="d@0", onset_ns=EPOCH_NS, found_ns=EPOCH_NS, confidence=0.6, score=2.0, shares=SHARES)
TOLD = Diagnosis(
    id="i1-d1",
    incident="i1",
    at_ns=EPOCH_NS,
    causes=(
        Cause(mode="lubrication_loss", probability=0.8, supporting=(), opposing=()),
        Cause(mode="none of these", probability=0.2, supporting=(), opposing=()),
    ),
)
ENGINEERS = Rule(id="cases", effect="ask", agents=("*",), tags=("cause/*",), actions=("adopt",), approvals=("process-engineer",))


def confirm(world: MillWorld, mode: str = "bearing_wear", person: str = "ann", incident: str = "i1") -> None:
    world.gate.causes.confirm(incident, mode, person, world.key(person), told="lubrication_loss", shares=SHARES, reason="seen at the stand")


@pytest.fixture
def world(tmp_path: Path) -> MillWorld:
    return MillWorld(tmp_path)


async def test_a_word_is_signed_on_record_and_told_to_agents(world: MillWorld) -> None:
    confirm(world)
    (told,) = await DirectLink(world.gate, "mill-agent").causes()
    assert (told.incident, told.mode, told.told, told.shares, told.person) == ("i1", "bearing_wear", "lubrication_loss", SHARES, "ann")
    (record,) = world.records("cause")
    assert (record["act"], record["mode"], record["person"], record["reason"]) == ("confirm", "bearing_wear", "ann", "seen at the stand")
    assert len(record["signature"]) == 128  # Ed25519, in hex
    world.close()


async def test_a_later_word_replaces_it_and_a_word_taken_back_counts_no_more(world: MillWorld) -> None:
    confirm(world)
    confirm(world, "gauge_drift")
    assert [one.mode for one in world.gate.causes.confirmed()] == ["gauge_drift"]
    was = world.gate.causes.retract("i1", "ann", world.key("ann"), reason="mistaken")
    assert was.mode == "gauge_drift"
    assert world.gate.causes.confirmed() == ()
    assert [(r["act"], r["mode"]) for r in world.records("cause")] == [
        ("confirm", "bearing_wear"),
        ("confirm", "gauge_drift"),
        ("retract", "gauge_drift"),
    ]
    with pytest.raises(CauseError, match="nobody confirmed a cause"):
        world.gate.causes.retract("i1", "ann", world.key("ann"))
    world.close()


async def test_who_may_say_so_is_who_the_policy_asks(tmp_path: Path) -> None:
    world = MillWorld(tmp_path, learning_site(rules=(ENGINEERS,)))
    with pytest.raises(CauseError, match="ann has none of the roles that may do this: process-engineer"):
        confirm(world)
    assert world.records("cause") == []
    confirm(world, person="ben")
    assert [one.person for one in world.gate.causes.confirmed()] == ["ben"]
    world.close()


async def test_without_a_rule_it_is_who_the_site_asks_by_default(world: MillWorld) -> None:
    with pytest.raises(CauseError, match="operator"):
        confirm(world, person="ben")
    confirm(world, person="ann")
    world.close()


async def test_it_is_kept_over_a_restart_and_the_oldest_go_first(world: MillWorld) -> None:
    confirm(world)
    world.again()
    assert [one.mode for one in world.gate.causes.confirmed()] == ["bearing_wear"]
    world.clock.advance(1.0)
    with world.gate.log.state.transaction():
        for number in range(CASES_MAX):
            row = (f"j{number}", "m", "", "[]", "ann", world.clock.now_ns())
            world.gate.log.state.db.execute("INSERT INTO confirmed_cause VALUES (?, ?, ?, ?, ?, ?)", row)
    world.clock.advance(1.0)
    confirm(world, incident="i2")
    kept = {one.incident for one in world.gate.causes.confirmed()}
    assert len(kept) == CASES_MAX
    assert "i2" in kept
    assert "i1" not in kept
    world.close()


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as world:
        yield world


async def test_an_operator_corrects_an_incident_by_command_and_takes_it_back(served: Served) -> None:
    await served.link.find(FINDING)
    await served.link.diagnose(TOLD)
    await served.run(2)
    code, said = await served.command("confirm", "f1", "bearing_wear", "--as", "ann", "--reason", "spalled", group="knowledge")
    assert (code, said["case"]["told"], dict(said["case"]["shares"])) == (0, "lubrication_loss", dict(SHARES)), said
    assert [one.mode for one in await served.link.causes()] == ["bearing_wear"]
    code, said = await served.command("cases", group="knowledge")
    assert [one["mode"] for one in said["cases"]] == ["bearing_wear"]
    code, said = await served.command("confirm", "i9", "bearing_wear", "--as", "ann", group="knowledge")
    assert (code, said["error"]) == (1, "no incident 'i9'")
    code, said = await served.command("retract", "f1", "--as", "ann", group="knowledge")
    assert code == 0
    assert await served.link.causes() == ()
