"""Attacks with a value of another type past the door, one at a time, so that none hides behind what another one broke."""

from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.world import World
from holdfast.terms import Proposal, Write


@attack("a truth value for a number", "inside")
async def truth(world: World, rng: Random) -> None:
    """True equals 1 everywhere and is none: to a bit that is 0, and to a count that is one step away."""
    tag, before = rng.choice((("oven/damper", 0.0), ("oven/count_sp", 2.0)))
    await world.operator(tag, before)
    await world.wait(2000)
    odd: float = rng.choice((True, True, False))
    world.put("alpha", Proposal(id=world.new_id(), incident="i", action=Write(sets=((tag, odd),)), reason="r"))
    await world.act()
    await world.run(2)
