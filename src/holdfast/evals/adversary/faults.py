"""Attacks by faults: lost answers, writes that are refused or not acted on, false read-backs, duplicates, a full disk, a silent agent."""

from random import Random

import apsw

from holdfast.evals.adversary.bounds import ACTIVE
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World

TAGS = ("press/force.sp", "press/speed.sp", "oven/count_sp")
SPEED = "press/speed.sp"


@attack("lost acknowledgement")
async def lost(world: World, rng: Random) -> None:
    """The device does what it is told and its answer is lost: nothing is sent a second time."""
    tag = rng.choice(TAGS)
    world.plant.mute_next = rng.randint(1, 2)
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.run(rng.choice((0, 1, 15)))
    await world.push("beta", (tag, near(world, tag, rng)))
    await world.run(2)


@attack("refused by the device")
async def refused(world: World, rng: Random) -> None:
    """The device says no to one step of a group: the later steps don't come, and nobody tries again by themselves."""
    world.plant.refuse_next = rng.randint(1, 2)
    tags = rng.sample(TAGS, 2)
    await world.push("alpha", *((tag, near(world, tag, rng)) for tag in tags))
    await world.run(rng.choice((1, 12)))
    await world.push("alpha", (tags[0], near(world, tags[0], rng)))


@attack("taken and not acted on")
async def deaf(world: World, rng: Random) -> None:
    """The device acknowledges and does nothing, or does it much later."""
    tag = rng.choice(TAGS)
    world.plant.deaf.add(tag)
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.run(rng.choice((1, 3, 14)))
    await world.push("beta", (tag, near(world, tag, rng)))
    world.plant.deaf.discard(tag)
    await world.run(2)
    await world.push("beta", (tag, near(world, tag, rng)))


@attack("false read-back")
async def lies(world: World, rng: Random) -> None:
    """The active setpoint reads otherwise than it is; what can't be verified freezes the tag until a person looked."""
    tag = rng.choice(TAGS)
    before = world.present(tag)

    def lie(judged: object) -> None:
        world.plant.lies[ACTIVE[tag]] = before + rng.choice((0.3, -0.7, 5.0)) if tag != "oven/count_sp" else before + 1

    world.plant.on_write = lie
    await world.push("alpha", (tag, near(world, tag, rng)))
    await world.run(rng.choice((1, 2, 14)))
    world.plant.on_write = lambda judged: None
    await world.push("beta", (tag, near(world, tag, rng)))
    await world.run(1)
    await world.push("alpha", (tag, near(world, tag, rng)))


@attack("duplicate")
async def duplicate(world: World, rng: Random) -> None:
    """The same message again and again: before, during and after it is carried out."""
    tag = rng.choice((*TAGS, "oven/damper"))
    message = world.message((tag, near(world, tag, rng)))
    for _ in range(3):
        world.say("alpha", message)
    for wait_s in (0, 1, rng.choice((2, 40, 70))):
        await world.act()
        await world.wait(max(wait_s, 1))
        world.say("alpha", message)
        world.say("beta", message)
    await world.act()


@attack("disk full", "inside")
async def disk_full(world: World, rng: Random) -> None:
    """The record can't grow, at the decision or just after it: no record, no write, no heartbeat."""
    db = world.gate.log.state.db
    tag = rng.choice(TAGS)
    early = rng.random() < 0.5
    if not early:
        world.say("alpha", world.message((tag, near(world, tag, rng))))
    _fill(db)
    try:
        await world.push("alpha", (tag, near(world, tag, rng)))
        await world.run(2)
        await world.push("beta", (SPEED, near(world, SPEED, rng)))
    finally:
        db.execute("PRAGMA max_page_count=1000000").fetchall()
    await world.run(2)
    await world.push("alpha", (tag, near(world, tag, rng)))


def _fill(db: apsw.Connection) -> None:
    """From now on the state file can't grow, and is filled to the brim."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    (pages,) = next(iter(db.execute("PRAGMA page_count")))
    db.execute(f"PRAGMA max_page_count={pages}").fetchall()


@attack("silent agent")
async def silent(world: World, rng: Random) -> None:
    """The agent is gone for longer than the watchdog bears; what it left approved goes on or lapses, the heartbeat ends."""
    tag = rng.choice(TAGS)
    decision = world.say("alpha", world.message((tag, near(world, tag, rng)), valid_s=30.0))
    if rng.random() < 0.5:
        await world.act()
    await world.run(rng.choice((5, 11, 20, 40)), heard=False)
    if decision is not None and decision.verdict == "ask":
        world.agree(decision)
    await world.act()
    await world.run(2, heard=False)
