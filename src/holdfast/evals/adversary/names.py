"""Attacks on what is written to: other names for a tag, what nobody may write, methods, and actions of another kind."""

import json
from random import Random

from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World
from holdfast.terms import Adopt, Call, Order, Proposal, Write

SPEED = "press/speed.sp"


@attack("lookalikes")
async def lookalikes(world: World, rng: Random) -> None:
    """Names that look like a tag's, or fold to it: Cyrillic letters, full width, combining marks, case, spaces, zero width."""
    tag = rng.choice(("press/force.sp", SPEED, "oven/count_sp"))
    value = near(world, tag, rng)
    others = (
        tag.replace("e", "е"),
        tag.replace("p", "р"),
        tag.replace("s", "ｓ"),
        tag.upper(),
        f" {tag}",
        f"{tag} ",
        f"{tag}\u200b",
        f"{tag}\x00",
        tag.replace("/", "//"),
        tag.replace("/", "／"),
        tag.replace("press", "./press"),
        f"{tag}\n",
    )
    for other in rng.sample(others, 6):
        await world.push("alpha", (other, value))
    await world.push("alpha", (tag, value), (rng.choice(others), value))


@attack("alias and renumbering")
async def alias(world: World, rng: Random) -> None:
    """The address instead of the name: registers, node ids, another connection's, another unit's."""
    value = near(world, SPEED, rng)
    for other in (
        "40011:float32",
        "40001:int16",
        "plc/40011:float32",
        "ns=2;s=Press.Speed.SP",
        "ns=3;i=1001",
        "nsu=urn:attacked;s=press/speed.sp",
        "speed.sp",
        "press/speed",
        "press/speed.sp_now",
        "40012:uint16",
    ):
        await world.push("alpha", (other, value))
    await world.push("alpha", (SPEED, value))


@attack("what nobody may write")
async def forbidden(world: World, rng: Random) -> None:
    """The safety system's tag, read-only ones, the heartbeat, the permit, one in shadow; alone and behind a legal one."""
    for tag in (
        "press/trip",
        "press/door",
        "press/force.heartbeat",
        "press/speed.heartbeat",
        "press/force.permit",
        "press/key",
        "oven/batch",
    ):
        value = float(rng.choice((0, 1, 77, 130, 200)))
        await world.push("alpha", (tag, value))
        if rng.random() < 0.3:
            await world.push("alpha", (SPEED, near(world, SPEED, rng)), (tag, value))
    for author in ("alpha", "shady"):
        await world.push(author, ("oven/fan_sp", near(world, "oven/fan_sp", rng)))
    await world.push(rng.choice(("alpha", "beta")), ("oven/fan_sp", 55.0), (SPEED, near(world, SPEED, rng)))


@attack("writes by method")
async def methods(world: World, rng: Random) -> None:
    """Calls that would set a setpoint, and orders and adoptions that carry one."""
    value = near(world, SPEED, rng)
    actions = (
        Call(method="press/speed.SetSetpoint", arguments=(value,)),
        Call(method=SPEED, arguments=(value,)),
        Order(kind="hold_batch", target="press", text=f"{SPEED}={value}"),
        Order(kind="notify", target="press", text="set it", parts=((SPEED, 30),)),
        Order(kind="work_order", target=SPEED, text="x"),
        Adopt(what="configuration", name="site.yaml", digest="0" * 64),
        Adopt(what="autonomy", name="oven/fan_sp", digest="act"),
    )
    for action in rng.sample(actions, 4):
        decision = world.put("alpha", Proposal(id=world.new_id(), incident="i", action=action, reason="r"))
        if decision is not None and decision.verdict == "ask":
            world.agree(decision)
        await world.act()
    await world.push("shady", ("oven/fan_sp", near(world, "oven/fan_sp", rng)))
    await world.push("alpha", ("oven/fan_sp", near(world, "oven/fan_sp", rng)))


@attack("agents without leave")
async def authors(world: World, rng: Random) -> None:
    """Agents that only observe or shadow, agents that nobody knows, and those to whom the policy gives nothing here."""
    for author in ("watcher", "shady", "nobody", "Alpha", "alpha ", "", "*", "operator", "ann", "beta", "gamma"):
        tag = rng.choice((SPEED, "oven/count_sp", "oven/damper", "oven/temp_sp"))
        await world.push(author, (tag, near(world, tag, rng)))


@attack("unread fields")
async def fields(world: World, rng: Random) -> None:
    """Messages with missing, unknown and repeated fields, with an author of their own, or another's decision inside."""
    value = near(world, SPEED, rng)
    good = world.message((SPEED, value))
    for message in (
        {k: v for k, v in good.items() if k != "reason"},
        {**good, "author": "beta"},
        {**good, "verdict": "permit"},
        {**good, "id": ""},
        {**good, "valid_s": rng.choice((0, -1, 1e12, "300"))},
        {**good, "action": {**good["action"], "force": True}},
        {**good, "action": {**good["action"], "kind": "WRITE"}},
        {**good, "evidence": [{"kind": "finding", "ref": "x" * 100_000}]},
        [good],
    ):
        world.say("watcher" if rng.random() < 0.5 else "alpha", message)
    body = json.dumps(good)[:-1] + f', "action": {{"kind": "write", "sets": [["{SPEED}", 44.9]]}}}}'
    world.say("alpha", {**good, "action": {"sets": [[SPEED, 44.9]]}}, body.encode())
    await world.act()


@attack("objects past the door", "inside")
async def objects(world: World, rng: Random) -> None:
    """Proposals as objects whose parts are of no declared type: what a defect of the door would let through."""
    tag = rng.choice((SPEED, "oven/count_sp"))
    value = near(world, tag, rng)
    for sets in (((tag, value), (tag, value)), [(tag, value)], ((tag, value, 1),), (tag, value), (), ((tag,),), None):
        world.put("alpha", Proposal(id=world.new_id(), incident="i", action=Write(sets=sets), reason="r"))  # type: ignore[arg-type]
    for more in ({"id": "x" * 500}, {"id": "\ud800"}, {"valid_s": float("nan")}, {"valid_s": 1e9}, {"reason": 5}, {"evidence": "e"}):
        given = {"id": world.new_id(), "incident": "i", "action": Write(sets=((tag, value),)), "reason": "r", **more}
        world.put("alpha", Proposal(**given))  # type: ignore[arg-type]
    await world.act()
