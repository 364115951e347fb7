"""A new gate knows of no movement: a sensor that stands still is stuck, not new."""

from pathlib import Path

from small_plant import T, World, site

from holdfast.site.model import RestsOn

RESTS = RestsOn(tags=(f"{T}.pv",), newer_than_s=3.0, moves_within_s=300.0)


async def test_a_sensor_that_was_never_seen_to_move_is_stuck(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension={"rests_on": RESTS}))
    await world.run(5)
    assert world.failed(world.propose(102.0)) == {"fresh.stuck"}
    world.plc.pv[T] = 100.5
    await world.run(1)
    assert world.propose(102.0, id="p2").verdict == "permit"


async def test_a_restart_does_not_make_a_frozen_sensor_a_living_one(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension={"rests_on": RESTS}))
    await world.run(2)
    world.plc.pv[T] = 100.5
    await world.run(400)
    assert world.failed(world.propose(102.0)) == {"fresh.stuck"}
    world.again()
    await world.run(5)
    assert world.failed(world.propose(102.0, id="p2")) == {"fresh.stuck"}
