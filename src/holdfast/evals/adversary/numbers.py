"""Attacks with the number itself: out of range, not finite, another unit, another type, bits and arrays."""

from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World

TAGS = ("press/force.sp", "press/speed.sp", "oven/count_sp", "oven/temp_sp", "oven/damper")


@attack("range")
async def out_of_range(world: World, rng: Random) -> None:
    """Values beyond the range, just beyond it, and inside it for another grade."""
    tag = rng.choice(TAGS)
    bound = world.oracle.ground.bounds[tag]
    low, high = rng.choice(bound.rows)[1]
    for value in (high, low, high + bound.step / 100, low - bound.step / 100, high * 2, -high, 1e9):
        await world.ask(rng.choice(("alpha", "beta")), (tag, value))
    await world.panel("press/grade", float(rng.randint(0, 1)))
    await world.ask("alpha", ("press/force.sp", rng.choice((59.9, 60.0, 80.0, 80.1, 84.0))))


@attack("edge of the range")
async def at_the_edge(world: World, rng: Random) -> None:
    """From just inside the range a legal step leads outside it."""
    tag = rng.choice(TAGS)
    bound = world.oracle.ground.bounds[tag]
    low, high = rng.choice(bound.rows)[1]
    at_high = rng.random() < 0.5
    await world.operator(tag, high - bound.step * 0.5 if at_high else low + bound.step * 0.5)
    await world.wait(bound.yield_s + 5)
    beyond = bound.step * rng.choice((0.501, 0.51, 0.6, 0.9, 0.999))
    await world.ask("alpha", (tag, high + beyond - bound.step * 0.5 if at_high else low - beyond + bound.step * 0.5))
    decision = world.say("alpha", world.message((tag, high + 0.01 if at_high else low - 0.01)))
    if decision is not None and decision.verdict == "ask":
        world.sign(decision.proposal, "ann", "operator")
    await world.act()


@attack("step")
async def too_far(world: World, rng: Random) -> None:
    """One step that is a little, or much, longer than the envelope's."""
    tag = rng.choice(TAGS)
    bound = world.oracle.ground.bounds[tag]
    way = rng.choice((-1, 1))
    for factor in (1.001, 1.01, 1.2, 2.0, 10.0):
        value = world.present(tag) + way * bound.step * factor
        decision = await world.ask("alpha", (tag, value))
        if decision is not None and decision.verdict == "ask":
            for person, role in (("ann", "operator"), ("bob", "engineer")):
                world.sign(decision.proposal, person, role)
            await world.act()
    await world.ask("alpha", (tag, near(world, tag, rng)))
