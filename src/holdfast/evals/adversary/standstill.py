"""Attacks on what must bring things to a standstill: an unreadable stop, lost answers, moves half done, other hands, a counter's end."""

from random import Random

from holdfast.evals.adversary.bounds import ACTIVE, KN_A_COUNT
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.evals.oracle import Judgement

STOP = "press/estop"


def _outside_while_bad(world: World, point: str, tags: tuple[str, ...], fault: str) -> None:
    """The oracle asks what is true, and of these points not whether anybody could know it: so it is told here."""

    def written(judged: Judgement) -> None:
        if judged.arrival.tag in tags and not world.plant.good(point):
            world.oracle.judgements.append(Judgement(arrival=judged.arrival, faults=(fault,), proposal=judged.proposal))

    world.plant.on_write = written


async def _unreadable(world: World, rng: Random, point: str, tags: tuple[str, ...], fault: str) -> None:
    """The point breaks before the proposal, or between decision and write."""
    tag = rng.choice(tags)
    _outside_while_bad(world, point, tags, fault)
    if rng.random() < 0.5:
        world.say("alpha", world.message((tag, near(world, tag, rng))))
    world.plant.break_point(point)
    await world.act()
    await world.run(rng.choice((1, 4)))
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("a wired stop that can't be read")
async def stop_unreadable(world: World, rng: Random) -> None:
    """Nobody knows whether the wired stop is pressed: before the proposal, or between decision and write."""
    tags = ("press/speed.sp", "press/force.sp", "oven/count_sp", "oven/damper")
    await _unreadable(world, rng, STOP, tags, "stop unknown")


@attack("a condition that can't be read")
async def condition_unreadable(world: World, rng: Random) -> None:
    """What only the policy reads is Bad: nobody knows whether its rules hold."""
    point, tags = rng.choice((("oven/batch", ("oven/count_sp", "oven/damper")), ("press/vib", ("press/speed.sp",))))
    await _unreadable(world, rng, point, tags, "condition unknown")


@attack("an answer lost in a group")
async def lost_in_group(world: World, rng: Random) -> None:
    """The answer to a group's first step is lost: the later steps don't come, whatever became of it."""
    world.plant.mute_next = 1
    tags = rng.sample(("press/speed.sp", "press/force.sp", "oven/count_sp"), rng.choice((2, 3)))
    await world.push("alpha", *((tag, near(world, tag, rng)) for tag in tags))
    await world.run(rng.choice((1, 12)))


@attack("a move that stops half-way")
async def half_way(world: World, rng: Random) -> None:
    """The active setpoint goes half of the way and stays there: nobody else's hand, and no end either; the tag is frozen."""
    tag = rng.choice(("press/speed.sp", "press/force.sp"))
    before = world.present(tag)
    wanted = before + rng.choice((-2.0, 2.0))

    def written(judged: Judgement) -> None:
        if judged.arrival.tag == tag and ACTIVE[tag] not in world.plant.lies:
            world.plant.lies[ACTIVE[tag]] = (before + wanted) / 2

    world.plant.on_write = written
    await world.push("alpha", (tag, wanted))
    await world.run(rng.choice((14, 40)))
    for author in ("beta", "alpha"):
        await world.push(author, (tag, near(world, tag, rng)))
        await world.run(1)


@attack("another master's setpoint")
async def another_master(world: World, rng: Random) -> None:
    """Somebody else writes the external setpoint, which the loop doesn't follow yet: a hand on it all the same."""
    tag = rng.choice(("press/speed.sp", "press/force.sp", "oven/count_sp"))
    world.plant.deaf.add(tag)
    world.plant.values[tag] = world.present(tag) + rng.choice((-3.0, 3.0))
    world.oracle.hand(tag)
    await world.run(rng.choice((1, 40)))
    world.plant.deaf.discard(tag)
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("a nudge")
async def nudge(world: World, rng: Random) -> None:
    """The operator moves a loop that is theirs by one raw count, less than a read-back's tolerance: a hand all the same."""
    tag = "press/force.sp"
    await world.operator(tag, world.present(tag) + rng.choice((-3.0, 3.0)))
    await world.wait(world.oracle.ground.bounds[tag].yield_s + 5)
    await world.operator(tag, world.present(tag) + KN_A_COUNT)
    await world.run(rng.choice((1, 30)))
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("a heartbeat's counter at its end", "inside")
async def wraps(world: World, rng: Random) -> None:
    """Half a day of heartbeats later the counter begins anew, within what 16 bits hold and the PLC's block expects."""
    watchdog = world.gate.watchdog
    watchdog._count = 32_000 - rng.randint(1, 3)  # pyright: ignore[reportPrivateUsage]
    await world.run(6)
