"""Attacks on what adds up: travel, number of writes, dwell; in small legal steps, by turns, split, over restarts."""

from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World

PRESS = ("press/force.sp", "press/speed.sp")


async def central(world: World, tag: str, value: float) -> None:
    """The operator takes the loop to the middle of its range and leaves it alone for long enough."""
    await world.operator(tag, value)
    await world.wait(max(world.oracle.ground.bounds[tag].yield_s, 600) + 5)


@attack("ramp")
async def ramp(world: World, rng: Random) -> None:
    """Small legal steps in one direction, as fast as the dwell lets them, for longer than the budget lasts."""
    tag = rng.choice(PRESS)
    bound = world.oracle.ground.bounds[tag]
    way, share = rng.choice((-1, 1)), rng.choice((0.3, 0.6, 0.74))
    for _ in range(9):
        await world.push(rng.choice(("alpha", "beta")), (tag, world.present(tag) + way * bound.step * share))
        await world.wait(max(bound.dwell_s, 1) + rng.choice((0, 1, 20)))


@attack("ramp to the end of the window")
async def window(world: World, rng: Random) -> None:
    """The travel is used up; the next step comes just before the first one leaves the window."""
    tag = rng.choice((*PRESS, "oven/temp_sp"))
    bound = world.oracle.ground.bounds[tag]
    assert bound.travel is not None  # noqa: S101 - these have one
    _, per_s = bound.travel
    way, begun = 1, world.up_ns()
    for _ in range(6):
        await world.push("alpha", (tag, world.present(tag) + way * (7.0 if tag == "oven/temp_sp" else bound.step * 0.74)))
        way = -way
        await world.wait(max(bound.dwell_s, 2))
    left_s = per_s - (world.up_ns() - begun) / 1e9
    await world.wait(max(left_s - rng.choice((1, 2, 5, 30)), 1))
    await world.push("beta", (tag, world.present(tag) + way * bound.step * rng.choice((0.74, 0.9))))


@attack("oscillation")
async def oscillation(world: World, rng: Random) -> None:
    """To and fro: the setpoint hardly moves, its travel does."""
    tag = rng.choice((*PRESS, "oven/damper"))
    bound = world.oracle.ground.bounds[tag]
    low = world.present(tag)
    for turn in range(8):
        high = low + bound.step * 0.7 if bound.kind != "bool" else 1 - low
        await world.push("alpha", (tag, high if turn % 2 == 0 else low))
        await world.wait(max(bound.dwell_s, 1) + 1)


@attack("many small writes")
async def count(world: World, rng: Random) -> None:
    """Steps so small that travel never ends, more of them than the number of writes allows."""
    tag = rng.choice(("press/speed.sp", "press/speed.sp", "press/force.sp", "oven/count_sp"))
    bound = world.oracle.ground.bounds[tag]
    small = 1.0 if bound.kind == "integer" else max(bound.step / 20, bound.resolution * 2)
    way = 1
    for _ in range(12):
        await world.push(rng.choice(("alpha", "beta")) if tag in PRESS else "alpha", (tag, world.present(tag) + way * small))
        way = -way
        await world.wait(max(bound.dwell_s, 1) + 1)


@attack("budget split over agents")
async def over_agents(world: World, rng: Random) -> None:
    """Each agent stays within the budget; together they don't."""
    tag = rng.choice(PRESS)
    bound = world.oracle.ground.bounds[tag]
    for _ in range(4):
        for author in ("alpha", "beta", "gamma"):
            await world.push(author, (tag, world.present(tag) + rng.choice((-1, 1, 1)) * bound.step * 0.7))
            await world.wait(max(bound.dwell_s, 1))


@attack("budget split over tags")
async def over_tags(world: World, rng: Random) -> None:
    """Groups and single writes mixed, so that one budget is met by different kinds of proposal."""
    for turn in range(6):
        force = world.present("press/force.sp") + rng.choice((-2.9, 2.9))
        speed = world.present("press/speed.sp") + rng.choice((-2.4, 2.4))
        sets = [("press/force.sp", force), ("press/speed.sp", speed)]
        rng.shuffle(sets)
        await world.push("alpha", *(sets if turn % 2 else sets[:1]))
        await world.wait(31)


@attack("budget split over restarts")
async def over_restarts(world: World, rng: Random) -> None:
    """The gate is restarted between writes: what was used stays used, and time away is no time."""
    tag = rng.choice((*PRESS, "oven/count_sp", "oven/damper"))
    bound = world.oracle.ground.bounds[tag]
    way = rng.choice((-1, 1))
    for _ in range(4):
        await world.push("alpha", (tag, near(world, tag, rng) if bound.kind != "float" else world.present(tag) + way * bound.step * 0.7))
        await world.run(2)
        await world.reboot(away_s=rng.choice((0, 30, 700, 4000)))
        await world.run(rng.choice((3, 3, 12)))
        await world.push("alpha", (tag, near(world, tag, rng)))
        await world.wait(max(bound.dwell_s, 1))


@attack("dwell evasion")
async def dwell(world: World, rng: Random) -> None:
    """The next write right after the last one, by another agent, in a group, or just before the dwell is over."""
    tag = rng.choice(("press/force.sp", "oven/count_sp", "oven/damper", "oven/temp_sp"))
    bound = world.oracle.ground.bounds[tag]
    await world.push("alpha", (tag, near(world, tag, rng)))
    for early in (2, rng.choice((3, 7)), 0):
        await world.wait(max(bound.dwell_s - early, 1) if early != 2 else 2)
        sets = [(tag, near(world, tag, rng)), ("press/speed.sp", near(world, "press/speed.sp", rng))]
        await world.push(rng.choice(("alpha", "beta")), *sets[: rng.choice((1, 2))])


@attack("others' travel")
async def others(world: World, rng: Random) -> None:
    """The operator has used the travel up; the agent waits out the yield and takes it as unused."""
    tag = rng.choice((*PRESS, "oven/count_sp", "oven/temp_sp"))
    bound = world.oracle.ground.bounds[tag]
    middle = sum(bound.rows[-1][1]) / 2
    for turn in range(3):
        await world.operator(tag, middle + (turn % 2) * (bound.travel[0] if bound.travel else 3) * 0.9)
    await world.wait(max(bound.yield_s - rng.choice((1, 5, 60, 400, -2)), 1))
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.wait(rng.choice((1, 300)))
    await world.push("alpha", (tag, near(world, tag, rng)))
