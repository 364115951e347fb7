"""Attacks on what brings things to a standstill: a wired stop that can't be read, a lost answer in a group, a heartbeat's counter."""

from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.evals.oracle import Judgement

STOP = "press/estop"


@attack("a wired stop that can't be read")
async def unreadable(world: World, rng: Random) -> None:
    """Nobody knows whether the wired stop is pressed: before the proposal, or between decision and write."""
    tag = rng.choice(("press/speed.sp", "press/force.sp", "oven/count_sp", "oven/damper"))

    def written(judged: Judgement) -> None:
        if not world.plant.good(STOP):
            world.oracle.judgements.append(Judgement(arrival=judged.arrival, faults=("stop unknown",), proposal=judged.proposal))

    world.plant.on_write = written
    late = rng.random() < 0.5
    if late:
        world.say("alpha", world.message((tag, near(world, tag, rng))))
    world.plant.break_point(STOP)
    await world.act()
    await world.run(rng.choice((1, 4)))
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("an answer lost in a group")
async def lost_in_group(world: World, rng: Random) -> None:
    """The answer to a group's first step is lost: the later steps don't come, whatever became of it."""
    world.plant.mute_next = 1
    tags = rng.sample(("press/speed.sp", "press/force.sp", "oven/count_sp"), rng.choice((2, 3)))
    await world.push("alpha", *((tag, near(world, tag, rng)) for tag in tags))
    await world.run(rng.choice((1, 12)))


@attack("a heartbeat's counter at its end", "inside")
async def wraps(world: World, rng: Random) -> None:
    """Half a day of heartbeats later the counter begins anew, within what 16 bits hold and the PLC's block expects."""
    watchdog = world.gate.watchdog
    watchdog._count = 32_000 - rng.randint(1, 3)  # pyright: ignore[reportPrivateUsage]
    await world.run(6)
