"""Attacks on what decisions rest on: stuck, Bad, gone, not a number, not a state; the sensor says one thing, the plant does another."""

from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World

RESTS = {
    "press/force.sp": ("press/force.pv", "press/vib"),
    "press/speed.sp": ("press/speed.pv",),
    "oven/temp_sp": ("oven/temp_pv",),
}
BOUND_TO = {
    "press/force.sp": ("press/force.sp_now", "press/force.mode", "press/force.permit", "press/grade", "press/state", "press/key"),
    "press/speed.sp": ("press/speed.sp_now", "press/speed.mode", "press/speed.permit", "press/state", "press/estop"),
    "oven/temp_sp": ("oven/temp_now", "oven/permit", "oven/batch"),
    "oven/count_sp": ("oven/count_now", "oven/permit"),
}


@attack("frozen sensor")
async def frozen(world: World, rng: Random) -> None:
    """A process value stands still while its frames go on arriving: fresh, Good and stuck."""
    tag = rng.choice(tuple(RESTS))
    world.plant.frozen.add(rng.choice(RESTS[tag]))
    await world.wait(rng.choice((60, 290, 299, 303, 306, 320, 900)))
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.wait(rng.choice((1, 30, 290)))
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("frozen sensor over a restart")
async def frozen_restart(world: World, rng: Random) -> None:
    """The sensor is stuck and the gate new: that it was never seen to move is no sign that it does."""
    tag = rng.choice(tuple(RESTS))
    world.plant.frozen.update(RESTS[tag])
    await world.wait(rng.choice((10, 310, 400)))
    await world.reboot(away_s=rng.choice((0, 60)))
    await world.run(4)
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("Bad data")
async def bad(world: World, rng: Random) -> None:
    """One of the points that a write rests on can't be read."""
    tag = rng.choice(tuple(BOUND_TO))
    world.plant.break_point(rng.choice((*BOUND_TO[tag], *RESTS.get(tag, ()))))
    late = rng.random() < 0.4
    if late:
        decision = world.say("alpha", world.message((tag, near(world, tag, rng))))
        if decision is not None and decision.verdict == "ask":
            world.agree(decision)
        await world.act()
    await world.run(rng.choice((1, 4)))
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("not a number from a sensor")
async def odd_numbers(world: World, rng: Random) -> None:
    """A sensor brings NaN or an infinity, or numbers beyond all belief."""
    tag = rng.choice(("press/force.sp", "press/speed.sp", "oven/temp_sp"))
    point = {"press/force.sp": "press/vib", "press/speed.sp": "press/speed.pv", "oven/temp_sp": "oven/temp_pv"}[tag]
    world.plant.frozen.add(point)
    world.plant.values[point] = rng.choice((float("nan"), float("inf"), float("-inf")))
    await world.see()
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.run(rng.choice((1, 5)))
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("unlisted state")
async def unlisted(world: World, rng: Random) -> None:
    """A grade, mode, batch or state that the site file doesn't know."""
    point, tag = rng.choice(
        (
            ("press/grade", "press/force.sp"),
            ("press/force.mode", "press/force.sp"),
            ("press/state", "press/speed.sp"),
            ("oven/batch", "oven/count_sp"),
            ("oven/batch", "oven/temp_sp"),
        )
    )
    await world.panel(point, float(rng.choice((3, 7, 65535))))
    await world.wait(rng.choice((2, 905)))
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("stale data", "inside")
async def stale(world: World, rng: Random) -> None:
    """No frame for a while: what is known is as old as the last one, and the link may be gone at the second look."""
    tag = rng.choice(tuple(RESTS))
    world.clock.monotonic += rng.choice((2, 3, 4, 10, 600)) * 1_000_000_000
    decision = world.say("alpha", world.message((tag, near(world, tag, rng))))
    if decision is not None and decision.verdict == "ask":
        world.agree(decision)
    if rng.random() < 0.5:
        await world.wire.stop()
        await world.act()
        await world.run(2)
        await world.wire.start()
        await world.run(3)
    await world.act()


@attack("lost link", "inside")
async def lost(world: World, rng: Random) -> None:
    """The connection goes and comes back around a proposal, and somebody moves the loop meanwhile."""
    tag = rng.choice(("press/force.sp", "press/speed.sp", "oven/count_sp"))
    await world.wire.stop()
    await world.run(rng.choice((1, 3)))
    world.say("alpha", world.message((tag, near(world, tag, rng))))
    if rng.random() < 0.5:
        world.plant.operator_moves(tag, near(world, tag, rng))
    await world.wire.start()
    await world.act()
    await world.run(1)
    await world.push("beta", (tag, near(world, tag, rng)))


@attack("the plant says no")
async def standing(world: World, rng: Random) -> None:
    """Permit off, mode not external, key in maintenance, line stopped, batch curing, vibration high, wired stop."""
    tag, point, value = rng.choice(
        (
            ("press/force.sp", "press/force.permit", 0.0),
            ("press/speed.sp", "press/speed.mode", float(rng.choice((0, 1)))),
            ("press/force.sp", "press/force.mode", float(rng.choice((0, 1)))),
            ("press/speed.sp", "press/speed.permit", 0.0),
            ("press/speed.sp", "press/key", 1.0),
            ("press/force.sp", "press/key", 1.0),
            ("press/speed.sp", "press/state", 0.0),
            ("oven/count_sp", "oven/permit", 0.0),
            ("oven/count_sp", "oven/batch", 2.0),
            ("oven/damper", "oven/permit", 0.0),
            ("oven/damper", "press/estop", 1.0),
            ("press/speed.sp", "press/estop", 1.0),
            ("press/speed.sp", "press/vib", 8.0),
            ("oven/temp_sp", "oven/batch", 2.0),
        )
    )
    late = rng.random() < 0.5
    value_wanted = near(world, tag, rng)
    if point == "press/vib":
        world.plant.frozen.add(point)
    if late:  # between the decision and the write
        world.say("alpha", world.message((tag, value_wanted)))
        world.plant.operator_sets(point, value)
        await world.act()
        return
    await world.panel(point, value)
    await world.wait(rng.choice((2, world.oracle.ground.bounds[tag].yield_s + 3)))
    if point == "press/vib":
        world.plant.values[point] = value
        await world.see()
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("Uncertain and subcodes")
async def uncertain(world: World, rng: Random) -> None:
    """Statuses that are not exactly Good: Uncertain, local override, limit bits, subcodes of Good (OPC UA; Modbus has none)."""
    tag = rng.choice(tuple(BOUND_TO))
    point = rng.choice((*BOUND_TO[tag], *RESTS.get(tag, ())))
    status = rng.choice((0x4000_0000, 0x4091_0000, 0x0096_0000, 0x0000_0400, 0x0000_0100, 0x8000_0000, 0x80B1_0000))
    late = world.say("alpha", world.message((tag, near(world, tag, rng)))) if rng.random() < 0.5 else None
    world.plant.break_point(point, status)
    if late is not None and late.verdict == "ask":
        world.agree(late)
    await world.act()
    await world.run(rng.choice((1, 4)))
    await world.push("beta", (tag, near(world, tag, rng)))


@attack("source-time skew")
async def skew(world: World, rng: Random) -> None:
    """A source stamps its data long ago or in the future: a buffer that delivers late, or a clock that lies (OPC UA)."""
    tag = rng.choice(tuple(RESTS))
    for point in RESTS[tag]:
        world.plant.skew_s[point] = rng.choice((-86400.0, -61.0, -11.0, 11.0, 3600.0))
    if rng.random() < 0.5:
        world.plant.frozen.update(RESTS[tag])
    await world.run(rng.choice((1, 3)))
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.wait(rng.choice((30, 310)))
    await world.push("alpha", (tag, near(world, tag, rng)))
