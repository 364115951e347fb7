"""Attacks on what is taken back: for no reason, against a hand, past its budget; and groups that are forbidden half-way."""

from collections.abc import Awaitable, Callable
from random import Random

from holdfast.evals.adversary.bounds import CURING
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.legal import near
from holdfast.evals.adversary.world import World

FLOW, COUNT, SPEED = "oven/flow_sp", "oven/count_sp", "press/speed.sp"
JUDGED_S = 14  # until an answer was judged and a retreat read back
Trouble = Callable[[World, Random], Awaitable[None]]


def spoil(world: World, rng: Random) -> None:
    """The process will answer wrongly: the flow goes elsewhere, or smoke rises."""
    if rng.random() < 0.5:
        world.plant.astray[FLOW] = rng.choice((-10.0, -3.5, 3.5, 10.0))
    else:
        world.plant.smoke = rng.choice((0.7, 2.0))


async def _moved(world: World, rng: Random) -> None:
    await world.operator(FLOW, world.present(FLOW) + rng.choice((-5.0, -1.0, 1.0, 5.0)))


async def _there_and_back(world: World, rng: Random) -> None:
    """A hand that leaves the setpoint where it was found."""
    value = world.present(FLOW)
    await world.operator(FLOW, value + 2.0)
    await world.operator(FLOW, value)


async def _stopped(world: World, rng: Random) -> None:
    world.stop(rng.choice(("*", "oven")))


async def _locked(world: World, rng: Random) -> None:
    await world.panel("oven/permit", 0.0)


async def _curing(world: World, rng: Random) -> None:
    await world.panel("oven/batch", CURING)


async def _blind(world: World, rng: Random) -> None:
    world.plant.break_point(rng.choice(("oven/flow_pv", "oven/flow_now", "oven/permit")))


async def _lowered(world: World, rng: Random) -> None:
    world.set_level(rng.choice(("*", FLOW)), rng.choice(("shadow", "observe")))


async def _reboot(world: World, rng: Random) -> None:
    await world.reboot(away_s=rng.choice((0.0, 5.0, 400.0)))


async def _healed(world: World, rng: Random) -> None:
    """The answer comes late, and right, before it is judged."""
    world.plant.astray.clear()
    world.plant.smoke = -1.0


async def _lying(world: World, rng: Random) -> None:
    world.plant.lies["oven/flow_now"] = world.present(FLOW) + rng.choice((-0.3, -5.0, 5.0))


async def _deaf(world: World, rng: Random) -> None:
    world.plant.deaf.add(FLOW)


async def _mute(world: World, rng: Random) -> None:
    world.plant.mute_next = 1


async def _refusing(world: World, rng: Random) -> None:
    world.plant.refuse_next = 1


async def _asked_again(world: World, rng: Random) -> None:
    """Others want the same setpoint while its last write is not judged."""
    for author in ("alpha", "beta"):
        await world.push(author, (FLOW, near(world, FLOW, rng)))


HANDS: tuple[Trouble, ...] = (_moved, _there_and_back, _asked_again, _lying)
WORDS: tuple[Trouble, ...] = (_stopped, _locked, _curing, _lowered)
FAULTS: tuple[Trouble, ...] = (_blind, _reboot, _healed, _deaf, _mute, _refusing)


@attack("taken back for nothing")
async def for_nothing(world: World, rng: Random) -> None:
    """The process answers as expected, or not at all: nothing is taken back."""
    world.plant.smoke = rng.choice((-1.0, -0.6, 0.0))
    world.plant.astray[FLOW] = rng.choice((0.0, 0.0, -2.0, 2.0))
    await world.push(rng.choice(("alpha", "beta")), (FLOW, near(world, FLOW, rng)))
    await world.run(JUDGED_S)


async def _spoilt(world: World, rng: Random, trouble: Trouble) -> None:
    """A wrong answer, and something happens before it is judged."""
    spoil(world, rng)
    await world.push("alpha", (FLOW, near(world, FLOW, rng)))
    await world.run(rng.choice((1, 2, 5)))
    await trouble(world, rng)
    await world.run(JUDGED_S)
    await world.push("beta", (FLOW, near(world, FLOW, rng)))
    await world.run(2)


@attack("taken back against a hand")
async def against_a_hand(world: World, rng: Random) -> None:
    """Somebody moves the setpoint, or another agent wants it, or it reads otherwise than it is, before a wrong answer is judged."""
    await _spoilt(world, rng, rng.choice(HANDS))


@attack("taken back against a word")
async def against_a_word(world: World, rng: Random) -> None:
    """A stop, a lock, a rule that now forbids, a lowered level, before a wrong answer is judged."""
    await _spoilt(world, rng, rng.choice(WORDS))


@attack("taken back in a fault")
async def in_a_fault(world: World, rng: Random) -> None:
    """A lost sensor, a restart, a device that is deaf or refuses, or an answer that comes right in the last moment."""
    await _spoilt(world, rng, rng.choice(FAULTS))


@attack("taken back again and again")
async def again_and_again(world: World, rng: Random) -> None:
    """Writes that all have to be taken back, until their travel and their number are used up."""
    for _ in range(rng.randint(4, 7)):
        spoil(world, rng)
        way = rng.choice((-8.0, 8.0, 8.0, 7.0))
        await world.push(rng.choice(("alpha", "beta")), (FLOW, world.present(FLOW) + way))
        await world.run(JUDGED_S)
        world.plant.mend()
        await world.wait(rng.choice((6, 15, 30, 200)))


@attack("a group forbidden on its way")
async def on_its_way(world: World, rng: Random) -> None:
    """Each write of a group is allowed by itself; together, at the end or half-way, they are not."""
    moves = rng.choice(
        (
            ((COUNT, 10.0, 12.0), (FLOW, 75.0, 83.0), (SPEED, 25.0, 26.0)),  # the end is forbidden
            ((FLOW, 75.0, 83.0), (COUNT, 10.0, 12.0), (SPEED, 29.0, 31.0)),  # only half-way
            ((SPEED, 31.0, 29.0), (COUNT, 10.0, 12.0), (FLOW, 83.0, 79.0)),
            ((FLOW, 75.0, 83.0), (SPEED, 31.0, 29.0), (COUNT, 10.0, 12.0)),  # by two steps together
            ((FLOW, 60.0, 62.0), (COUNT, 16.0, 18.0), (SPEED, 25.0, 26.0)),  # permitted at first, not at the end
            ((COUNT, 18.0, 16.0), (FLOW, 60.0, 62.0), (SPEED, 25.0, 26.0)),  # the other way about
        )
    )
    for tag, start, _ in moves:
        await world.operator(tag, start)
    await world.wait(400)
    sets = [(tag, end) for tag, _, end in moves]
    if rng.random() < 0.5:
        rng.shuffle(sets)
    await world.push("alpha", *sets[: rng.choice((2, 3, 3))])
    await world.run(JUDGED_S)
