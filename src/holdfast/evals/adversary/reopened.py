"""Attacks on the same site with context in its policy: the gate is opened anew on it, and the oracle is told of the rule."""

import contextlib
import dataclasses
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.evals.oracle import Question, Ruling
from holdfast.site.load import load

DOOR, COUNT = "press/door", "oven/count_sp"
WORN = 5.0
CONTEXT = "\ncontext:\n  door: {kind: health, source: {type: tag, tag: press/door, as: door}, newer_than: 1h}\n"
RULE = f'  - {{id: worn door, effect: forbid, agents: ["*"], tags: [{COUNT}], when: \'health("door") > {WORN} || tag("press/estop")\'}}\n'


@contextlib.asynccontextmanager
async def with_context(world: World) -> AsyncGenerator[None]:
    """The site forbids new counts while the door's health is above WORN or the wired stop pressed; afterwards it is the old one again."""
    folder, old, ground = world.folder / "context", world.site, world.oracle.ground
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, more in (("site.yaml", CONTEXT), ("policy.yaml", RULE)):
        text = (Path(__file__).parent / name).read_text(encoding="utf-8")
        (folder / name).write_text(text + more, encoding="utf-8")

    def rule(q: Question) -> Ruling:
        forbidden = q.tag == COUNT and (q.value(DOOR) > WORN or not world.plant.good(DOOR))
        return Ruling(effect="forbid") if forbidden else ground.rule(q)

    world.site = world.wire.site(load(folder / "site.yaml").site)
    world.oracle.ground = dataclasses.replace(ground, rule=rule)
    try:
        await world.reboot()
        await world.run(4)
        yield
    finally:
        world.site, world.oracle.ground = old, ground
        world.plant.values[DOOR] = 0.0
        await world.reboot()
        await world.run(1)


@attack("context that forbids or is missing", "inside")
async def forbidden(world: World, rng: Random) -> None:
    """What the policy reads of context says no, can't be read, or can't be told from nonsense, before or after the decision."""
    async with with_context(world):
        await world.push("alpha", (COUNT, near(world, COUNT, rng)))
        await world.wait(20)
        late = rng.random() < 0.4
        if late:
            world.say("alpha", world.message((COUNT, near(world, COUNT, rng))))
        if rng.random() < 0.5:
            world.plant.operator_sets(DOOR, rng.choice((6.0, 9.0, 65535.0)))
        else:
            world.plant.break_point(DOOR)
        await world.see()
        await world.act()
        await world.run(2)
        await world.push("alpha", (COUNT, near(world, COUNT, rng)))
