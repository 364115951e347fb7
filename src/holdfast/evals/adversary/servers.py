"""Attacks through what the plant's server says of itself, and with values that change as late as a gate can still see."""

from random import Random

from holdfast.evals.adversary.approvals import FORCE, large
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.gate.connectors.limits import LIMITS_EVERY_S

SPEED, TEMP = "press/speed.sp", "oven/temp_sp"
LATE = {
    FORCE: ("press/grade", "press/force.mode", "press/force.permit", "press/key", "press/state", "press/estop", "press/force.sp_now"),
    SPEED: ("press/speed.mode", "press/speed.permit", "press/key", "press/state", "press/estop", "press/speed.sp_now"),
    TEMP: ("oven/permit", "oven/batch", "press/estop", "oven/temp_now"),
}


@attack("limits that the server tells", "opcua")
async def told(world: World, rng: Random) -> None:
    """The server's EURange or access level is narrower than the envelope: at the start, or from a moment while the gate runs."""
    tag = rng.choice((SPEED, "oven/count_sp"))
    present = world.present(tag)
    half = world.oracle.ground.bounds[tag].step * 0.4
    running = rng.random() < 0.5
    if rng.random() < 0.6:
        world.plant.eu_range[tag] = rng.choice(((present - half, present + half), (present, 1e6), (0.0, 1.0), (-1e6, 1e6)))
    else:
        world.plant.read_only.add(tag)
    if running:
        await world.wait(LIMITS_EVERY_S + rng.choice((2, 60)))
    else:
        await world.reboot()
        await world.run(4)
    for _ in range(3):
        await world.push("alpha", (tag, near(world, tag, rng)))
        await world.wait(rng.choice((2, 20)))
    world.plant.eu_range[tag] = (-1e9, 1e9)  # wider than the envelope: that widens nothing
    world.plant.read_only.clear()
    await world.wait(LIMITS_EVERY_S + 2)
    low, high = world.oracle.ground.bounds[tag].rows[0][1]
    for value in (high + half, low - half, near(world, tag, rng)):
        await world.push("alpha", (tag, value))


@attack("changed during the second look")
async def at_the_last_look(world: World, rng: Random) -> None:
    """After the yes, the plant changes in the very moment at which the gate reads it for the last time."""
    tag = rng.choice((FORCE, FORCE, SPEED, TEMP))
    value = large(world, rng) if tag == FORCE else near(world, tag, rng)
    decision = world.say("alpha", world.message((tag, value)))
    if decision is None:
        return
    point = rng.choice(LATE[tag])

    def change(points: tuple[str, ...]) -> None:
        if point not in points:
            return
        world.plant.on_read = None
        if point in ("press/force.sp_now", "press/speed.sp_now", "oven/temp_now"):
            world.plant.operator_moves(tag, near(world, tag, rng))
        else:
            world.plant.operator_sets(point, 2.0 if point == "oven/batch" else 1.0 - min(world.plant.values[point], 1.0))

    if decision.verdict == "ask":
        world.agree(decision)
    world.plant.on_read = change
    await world.act()
    world.plant.on_read = None
    await world.run(1)
    await world.push("beta", (tag, near(world, tag, rng)))
