"""A detector learns anew only from a stretch in which nobody worked, the plant ran, and nothing of it was wrong; else it says why."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mill_world import AGENT, NAME, MillWorld, learning_site

from holdfast.gate.actuation.learned import ADOPTED_MAX, CANDIDATES_MAX, FOLDER, STATE_BYTES_MAX, LearnedError, put
from holdfast.link import DetectorTold, LearnedOffer, RelearnDeclined

LOOKS_S = 12


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MillWorld]:
    made = MillWorld(tmp_path)
    yield made
    made.close()


async def on_duty(world: MillWorld, seconds: int = 20) -> MillWorld:
    await world.agent_again()
    await world.run(seconds)
    return world


def refused(world: MillWorld) -> str:
    with pytest.raises(LearnedError) as error:
        world.relearn()
    assert world.records("relearn") == []
    return error.value.code


def held(world: MillWorld, tag: str, value: float) -> Callable[[], None]:
    """The plant reads so from now on, until what is returned is called."""
    point = next(t for t in world.site.tags if t.name == tag)
    mill = world.plant.mill
    read = mill.read

    def other(server: str, address: str) -> tuple[float, int]:
        return (value, 0) if (server, address) == (point.connection, point.address) else read(server, address)

    mill.read = other  # type: ignore[method-assign]

    def again() -> None:
        mill.read = read  # type: ignore[method-assign]

    return again


async def declined(world: MillWorld) -> str:
    world.relearn()
    await world.run(LOOKS_S)
    asked = world.now().asked
    assert asked is not None
    (record,) = world.records("relearn.declined")
    assert (record["code"], record["relearn"]) == (asked.ended, asked.relearn)
    assert len(world.records("learned.offered")) == 1  # the first
    return asked.ended


async def test_not_while_it_is_stopped(world: MillWorld) -> None:
    await on_duty(world)
    world.gate.acts.press_stop("stand-4", "ann")
    assert refused(world) == "relearn.stopped"


async def test_not_during_maintenance_nor_after_it_until_the_stretch_is_free_of_it(world: MillWorld) -> None:
    await on_duty(world)
    again = held(world, "line/key_switch", 1.0)
    await world.run(5)
    assert refused(world) == "relearn.maintenance"
    again()
    await world.run(5)
    assert await declined(world) == "relearn.maintenance_then"
    facts = dict(world.now().asked.facts)  # type: ignore[union-attr]
    assert facts == {"tag": "line/key_switch", "rows": "5"}


async def test_not_while_the_line_stands_nor_over_rows_in_which_it_stood(world: MillWorld) -> None:
    await on_duty(world)
    again = held(world, "line/state", 0.0)
    await world.run(3)
    assert refused(world) == "relearn.not_running"
    again()
    await world.run(3)
    assert await declined(world) == "relearn.not_running_then"


async def test_not_where_nobody_can_tell(world: MillWorld) -> None:
    await on_duty(world)
    world.gate.lost("mill", "unplugged")
    assert refused(world) == "relearn.unknown"


async def test_not_under_an_alarm(world: MillWorld) -> None:
    await on_duty(world)
    held(world, "stand-4/vibration", 5.5)
    await world.run(5)
    assert refused(world) == "relearn.alarm"


async def test_not_with_an_incident_open_says_the_gate_by_what_the_agent_told(world: MillWorld) -> None:
    await on_duty(world)
    world.gate.learning.told(AGENT, (DetectorTold(name=NAME, active=True),))
    assert refused(world) == "relearn.incident"


async def test_not_with_an_incident_open_says_the_agent_itself(world: MillWorld) -> None:
    await on_duty(world, seconds=22)  # it has just looked
    world.relearn()
    held(world, "stand-4/bearing_temp", 75.0)  # found before the agent looks again
    await world.run(LOOKS_S)
    assert world.now().asked.ended == "relearn.incident"  # type: ignore[union-attr]


async def test_not_without_an_agent(world: MillWorld) -> None:
    await world.run(3)
    assert refused(world) == "relearn.nobody"


async def test_not_twice_at_once(world: MillWorld) -> None:
    await on_duty(world)
    world.relearn()
    with pytest.raises(LearnedError, match="asked to learn already"):
        world.relearn()


async def test_not_from_fewer_rows_than_are_wanted(tmp_path: Path) -> None:
    world = MillWorld(tmp_path)
    first = await on_duty(world)
    state = dict(first.agent.learned()) if first.agent else {}
    world.close()
    site = learning_site(quiet_rows=4500)
    fresh = MillWorld(tmp_path / "fresh", site)
    await fresh.agent_again(learned=state)
    await fresh.run(20)
    assert await declined(fresh) == "relearn.short"
    fresh.close()


async def test_a_request_that_nobody_answers_ends_by_itself(world: MillWorld) -> None:
    await on_duty(world)
    asked = world.relearn()
    world.clock.advance(901.0)
    assert world.gate.learning.standing()[0].relearn == ""
    assert world.now().asked.ended == "relearn.no_answer"  # type: ignore[union-attr]
    with pytest.raises(LearnedError, match="nobody asks"):
        world.gate.learning.declined(AGENT, RelearnDeclined(relearn=asked.relearn, code="relearn.short"))
    offer = LearnedOffer(name=NAME, rows=1, from_ns=0, to_ns=1, relearn=asked.relearn)
    with pytest.raises(LearnedError, match="nobody asks"):
        world.gate.learning.offer(AGENT, offer, b"late")


async def test_a_relearning_is_signed_by_who_asked(world: MillWorld) -> None:
    await on_duty(world)
    asked = world.relearn()
    (record,) = world.records("relearn")
    assert (record["person"], record["name"], record["reason"], record["relearn"]) == ("ann", NAME, "new rolls", asked.relearn)
    assert len(bytes.fromhex(record["signature"])) == 64


async def test_a_flood_of_candidates_pushes_no_adopted_state_out(world: MillWorld) -> None:
    await on_duty(world)
    first = world.in_force
    for n in range(20):
        world.gate.learning.offer(AGENT, LearnedOffer(name=NAME, rows=1, from_ns=0, to_ns=1), b"state %d" % n)
    versions = world.now().versions
    assert len(versions) == CANDIDATES_MAX + 1
    assert first in [version.digest for version in versions]
    assert world.in_force == first
    assert {path.name for path in (world.folder / FOLDER).iterdir()} == {version.digest for version in versions}


async def test_of_many_adopted_states_the_last_are_kept(world: MillWorld) -> None:
    await on_duty(world)
    states = world.gate.learning.states
    for n in range(12):
        world.clock.advance(1.0)
        state = b"state %d" % n
        world.gate.learning.offer(AGENT, LearnedOffer(name=NAME, rows=1, from_ns=0, to_ns=1), state)
        of = put(states.folder, state)
        states.adopt(NAME, of, "ann", "p")
    adopted = [version for version in world.now().versions if version.adopted_ns]
    assert len(adopted) == ADOPTED_MAX
    assert adopted[0].digest == world.in_force


def test_a_state_that_is_too_large_or_empty_is_not_kept(tmp_path: Path) -> None:
    for state in (b"", bytes(STATE_BYTES_MAX + 1)):
        with pytest.raises(LearnedError, match="are kept"):
            put(tmp_path / FOLDER, state)
    assert not (tmp_path / FOLDER).exists()


async def test_an_unknown_detector_is_named_with_those_there_are(world: MillWorld) -> None:
    with pytest.raises(LearnedError, match=NAME):
        world.gate.learning.relearn("nothing", "ann", world.key("ann"), reason="")
    assert world.now().asked is None
