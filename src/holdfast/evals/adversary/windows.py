"""Attacks at the end of a window: what is used up is asked for again a moment before it may be."""

from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.world import World
from holdfast.terms import SECOND_NS

SPEED = "press/speed.sp"


@attack("writes to the end of the window")
async def writes(world: World, rng: Random) -> None:
    """All writes are used up; the next one comes just before the first one leaves the window."""
    await world.operator(SPEED, 25.0)
    await world.wait(1000)
    bound = world.oracle.ground.bounds[SPEED]
    assert bound.writes is not None  # noqa: S101 - it has some
    most, per_s = bound.writes
    begun_ns = world.up_ns()
    for number in range(most):
        await world.push("alpha", (SPEED, 25.5 if number % 2 == 0 else 25.0))
        await world.run(3)
    left_s = per_s - (world.up_ns() - begun_ns) / SECOND_NS
    await world.wait(left_s - rng.choice((1, 2, 30)))
    await world.push("beta", (SPEED, 25.7))
