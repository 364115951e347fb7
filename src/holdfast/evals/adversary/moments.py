"""Attacks with time and restarts: the wall clock set, summer time, a shift's end, a reboot, files changed on disk."""

from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.terms import SECOND_NS

FORCE, SPEED = "press/force.sp", "press/speed.sp"
HOUR_NS = 3600 * SECOND_NS


@attack("clock jump")
async def jump(world: World, rng: Random) -> None:
    """The wall clock leaps forward or back by seconds, hours or years; no window empties by it, no yield ends."""
    tag = rng.choice((FORCE, SPEED, "oven/count_sp"))
    bound = world.oracle.ground.bounds[tag]
    for _ in range(4):
        await world.push("alpha", (tag, world.present(tag) + (1 if bound.kind == "integer" else bound.step * 0.73)))
        await world.run(2)
        world.clock.offset_ns += round(rng.choice((-1, 1, 1, 1)) * rng.choice((1.9, 5, 61, 605, 3605, 86400 * 366)) * SECOND_NS)
        if rng.random() < 0.7:
            await world.see()
    if rng.random() < 0.4:
        world.plant.operator_moves(tag, near(world, tag, rng))
        await world.run(1)
        world.clock.offset_ns += 2 * HOUR_NS
        await world.push("alpha", (tag, near(world, tag, rng)))


@attack("creeping clock", "inside")
async def creep(world: World, rng: Random) -> None:
    """The wall clock gains a little again and again, each time less than what counts as a step of it."""
    tag = rng.choice((FORCE, SPEED))
    bound = world.oracle.ground.bounds[tag]
    for _ in range(5):
        await world.push("alpha", (tag, world.present(tag) + bound.step * 0.73 * rng.choice((-1, 1))))
        for _ in range(12):
            world.clock.offset_ns += round(1.9 * SECOND_NS)
            await world.run(1)


@attack("summer time and the shift's end")
async def local_time(world: World, rng: Random) -> None:
    """Windows that span the hour that comes twice, midnight, or the change of shift count on."""
    when_ns = rng.choice((1_792_890_000, 1_774_746_000, 1_790_028_000, 1_790_049_600)) * SECOND_NS  # 25 Oct 01:00Z, 29 Mar, 06:00, midnight
    world.clock.offset_ns = when_ns - world.clock.monotonic - 70 * SECOND_NS
    await world.run(1)
    for _ in range(5):
        await world.push("alpha", (SPEED, world.present(SPEED) + rng.choice((-2.4, 2.4))))
        await world.wait(rng.choice((35, 40)))
    if rng.random() < 0.5:
        world.clock.offset_ns += rng.choice((-1, 1)) * HOUR_NS  # a box that keeps local time
        await world.run(1)
        await world.push("beta", (SPEED, world.present(SPEED) + rng.choice((-2.4, 2.4))))


@attack("reboot in between")
async def reboot(world: World, rng: Random) -> None:
    """The gate restarts between decision and yes, between yes and write, or between write and read-back."""
    tag = rng.choice((FORCE, SPEED, "oven/temp_sp", "oven/count_sp"))
    decision = world.say("alpha", world.message((tag, near(world, tag, rng)), valid_s=3600.0))
    asked = decision is not None and decision.verdict == "ask"
    when = rng.randrange(3)
    if when >= 1 and asked and decision is not None:
        world.agree(decision)
    if when == 2:
        world.plant.mute_next = rng.randint(0, 1)
        await world.act()
    if rng.random() < 0.5:
        world.plant.operator_sets("press/grade", float(rng.randint(0, 1)))
    await world.reboot(away_s=rng.choice((0, 5, 4000)))
    await world.run(rng.choice((1, 3)))
    if asked and decision is not None:
        world.agree(decision)
    await world.act()
    await world.push("beta", (tag, near(world, tag, rng)))


@attack("moved while the gate was away")
async def away(world: World, rng: Random) -> None:
    """While the gate is down the operator moves the loop; the new gate must not take it for nobody's."""
    tag = rng.choice((FORCE, SPEED, "oven/count_sp"))
    if rng.random() < 0.5:
        await world.push("alpha", (tag, near(world, tag, rng)))
        await world.run(rng.choice((0, 2)))
    away_s = rng.choice((0, 20, 5000))
    stood = world.present(tag)
    world.plant.operator_moves(tag, near(world, tag, rng))
    moved = world.present(tag) != stood  # a register at its end can't be moved further
    await world.reboot(away_s=away_s)
    if moved:
        world.oracle.hand(tag)
    await world.run(4)
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.wait(rng.choice((40, 250)))
    await world.push("beta", (tag, near(world, tag, rng)))


@attack("policy and envelope edited on disk")
async def edited(world: World, rng: Random) -> None:
    """Whoever can write the site's folder widens range, step and policy under the running gate."""
    folder = world.folder / "site"
    site, policy = (folder / "site.yaml").read_text(encoding="utf-8"), (folder / "policy.yaml").read_text(encoding="utf-8")
    (folder / "site.yaml").write_text(site.replace("step: 2.5", "step: 25").replace("[10, 45]", "[0, 45]"), encoding="utf-8")
    (folder / "policy.yaml").write_text(policy.replace("effect: forbid", "effect: permit").replace("< 7.0", "< 700.0"), encoding="utf-8")
    try:
        await world.run(2)
        await world.push("alpha", (SPEED, world.present(SPEED) + rng.choice((-6.0, 6.0))))
        await world.panel("oven/batch", 2.0)
        await world.push("alpha", ("oven/count_sp", near(world, "oven/count_sp", rng)))
        await world.push("beta", (SPEED, near(world, SPEED, rng)))
    finally:
        (folder / "site.yaml").write_text(site, encoding="utf-8")
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")


@attack("stop switch tampered with")
async def swapped(world: World, rng: Random) -> None:
    """The stop switch's file is emptied, replaced or made unreadable: what can't be read stops everything."""
    switch = world.folder / "gate" / "stop.switch"
    world.stop("*")
    kept = switch.read_bytes()
    switch.write_bytes(rng.choice((b"", b"[]", b"\xff" * 100, b"{", kept)))
    tag = rng.choice((FORCE, SPEED, "oven/count_sp"))
    await world.push("alpha", (tag, near(world, tag, rng)))
    switch.write_bytes(kept)
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("a step too small to notice")
async def small_step(world: World, rng: Random) -> None:
    """The wall clock is set by less than what counts as a step; a dwell, window or yield ends that much too early."""
    tag = rng.choice((FORCE, "oven/count_sp", "oven/damper"))
    bound = world.oracle.ground.bounds[tag]
    back = rng.random() < 0.5
    if back:
        world.clock.offset_ns -= round(1.9 * SECOND_NS)
        await world.run(1)
    if rng.random() < 0.3:
        await world.operator(tag, near(world, tag, rng))
        wait_s = bound.yield_s - 2
    else:
        await world.push("alpha", (tag, near(world, tag, rng)))
        wait_s = bound.dwell_s - 1
    world.clock.offset_ns += round(1.9 * SECOND_NS)
    await world.wait(wait_s)
    await world.push("beta" if tag == FORCE else "alpha", (tag, near(world, tag, rng)))
