"""Attacks on the same site with more in it: the gate is opened anew on it, and the oracle is told.

Added are context in the policy, a setpoint that another one requires, a state that no range knows, and a range down to 0.
"""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.evals.oracle import Bound, Question, Ruling
from holdfast.site.load import load
from holdfast.terms import Proposal, Write

DOOR, COUNT, SPEED, FORCE = "press/door", "oven/count_sp", "press/speed.sp", "press/force.sp"
WORN = 5.0
STILL = 25.0  # the speed that a new count requires
OTHER = 2.0  # a grade without a range of its own
READBACK = "readback: {tag: count_now, within: 0.4, after: 1s}"
EDITS = (
    ("{0: soft, 1: hard}", "{0: soft, 1: hard, 2: other}"),
    ("range: [10, 45]", "range: [0, 45]"),
    (READBACK, f"{READBACK}\n        requires: {{press/speed.sp_now: {STILL}}}"),
)
CONTEXT = "\ncontext:\n  door: {kind: health, source: {type: tag, tag: press/door, as: door}, newer_than: 1h}\n"
RULE = f'  - {{id: worn door, effect: forbid, agents: ["*"], tags: [{COUNT}], when: \'health("door") > {WORN} || tag("press/estop")\'}}\n'


def _texts(folder: Path) -> None:
    """Site and policy with more in them. Raises ValueError where the site has changed so that an edit finds nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    site = (Path(__file__).parent / "site.yaml").read_text(encoding="utf-8")
    for old, new in EDITS:
        if site.count(old) != 1:
            raise ValueError(f"{old!r} stands {site.count(old)} times in site.yaml, not once; say in reopened.py what stands there now")
        site = site.replace(old, new)
    (folder / "site.yaml").write_text(site + CONTEXT, encoding="utf-8")
    policy = (Path(__file__).parent / "policy.yaml").read_text(encoding="utf-8")
    (folder / "policy.yaml").write_text(policy + RULE, encoding="utf-8")


@contextlib.asynccontextmanager
async def with_more(world: World) -> AsyncGenerator[None]:
    """The gate on the site with more in it; afterwards on the old one again."""
    old, ground = world.site, world.oracle.ground
    _texts(world.folder / "more")

    def rule(q: Question) -> Ruling:
        forbidden = q.tag == COUNT and (q.value(DOOR) > WORN or not world.plant.good(DOOR))
        return Ruling(effect="forbid") if forbidden else ground.rule(q)

    def more(bound: Bound) -> Bound:
        if bound.tag == COUNT:
            return dataclasses.replace(bound, musts=(*bound.musts, ("press/speed.sp_now", STILL)))
        return dataclasses.replace(bound, rows=((0.0, (0.0, 45.0)),)) if bound.tag == SPEED else bound

    world.site = world.wire.site(load(world.folder / "more" / "site.yaml").site)
    bounds = {tag: more(bound) for tag, bound in ground.bounds.items()}
    world.oracle.ground = dataclasses.replace(ground, rule=rule, bounds=bounds)
    try:
        await world.reboot()
        await world.operator(SPEED, STILL)
        await world.run(3)
        yield
    finally:
        world.site, world.oracle.ground = old, ground
        world.plant.values[DOOR] = 0.0
        world.plant.values["press/grade"] = 0.0
        await world.reboot()
        await world.run(1)


@attack("context that forbids or is missing", "inside")
async def forbidden(world: World, rng: Random) -> None:
    """What the policy reads of context says no, can't be read, or can't be told from nonsense, before or after the decision."""
    async with with_more(world):
        await world.push("alpha", (COUNT, near(world, COUNT, rng)))
        await world.wait(20)
        if rng.random() < 0.4:
            world.say("alpha", world.message((COUNT, near(world, COUNT, rng))))
        if rng.random() < 0.5:
            world.plant.operator_sets(DOOR, rng.choice((6.0, 9.0, 65535.0)))
        else:
            world.plant.break_point(DOOR)
        await world.see()
        await world.act()
        await world.run(2)
        await world.push("alpha", (COUNT, near(world, COUNT, rng)))


@attack("a group against its own requirement", "inside")
async def against_itself(world: World, rng: Random) -> None:
    """One step of a group takes away what another one requires; before it, after it, or while it is on its way."""
    async with with_more(world):
        if rng.random() < 0.5:  # it doesn't hold before, nor after
            await world.operator(SPEED, STILL + 1.0)
        await world.wait(1000)
        sets = [(SPEED, STILL + rng.choice((-1.0, 0.5))), (COUNT, near(world, COUNT, rng))]
        match rng.randrange(3):
            case 0:
                await world.push("alpha", *sets)
            case 1:
                await world.push("alpha", *reversed(sets))
            case _:
                world.say("alpha", world.message(sets[0]))
                world.say("alpha", world.message(sets[1]))
                await world.act()
        await world.run(2)


@attack("a state that no range knows", "inside")
async def rowless(world: World, rng: Random) -> None:
    """The grade is one that the site file lists and the envelope has no range for."""
    async with with_more(world):
        await world.panel("press/grade", OTHER)
        await world.wait(rng.choice((2, 100)))
        for author in ("alpha", "beta"):
            await world.push(author, (FORCE, near(world, FORCE, rng)))


@attack("minus zero", "inside")
async def minus_zero(world: World, rng: Random) -> None:
    """Where 0 is in range, -0 has other bits on the wire: as JSON and past the door."""
    async with with_more(world):
        await world.operator(SPEED, rng.choice((1.0, 2.0)))
        await world.wait(1000)  # yield and travel have run out
        if rng.random() < 0.5:
            message = world.message((SPEED, -0.0))
            world.say("alpha", message, json.dumps(message).encode())
        else:
            world.put("alpha", Proposal(id=world.new_id(), incident="i", action=Write(sets=((SPEED, -0.0),)), reason="r"))
        await world.act()
        await world.run(2)
