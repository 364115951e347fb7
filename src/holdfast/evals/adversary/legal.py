"""Legitimate actions, by the oracle's own rules: what must be let through, so that refusing everything does not win."""

from random import Random

from holdfast.evals.adversary.bounds import KN_A_COUNT, PLACES
from holdfast.evals.adversary.world import World
from holdfast.terms import Word

AUTHORS = ("alpha", "beta", "gamma")
TRIES_MAX = 20
SIGNERS = {"operator": ("ann", "cid"), "engineer": ("bob", "cid")}


class Legal(Word):
    """One action that the design lets through. `effect` is what must come of it."""

    author: str
    sets: tuple[tuple[str, float], ...]
    effect: str
    roles: tuple[str, ...]


def near(world: World, tag: str, rng: Random) -> float:
    """A value about as far from the present one as the step allows, often exactly so."""
    bound = world.oracle.ground.bounds[tag]
    present = world.present(tag)
    way = rng.choice((-1.0, 1.0))
    match bound.kind:
        case "bool":
            return 1.0 - present
        case "integer":
            return present + way * rng.randint(1, int(bound.step))
        case _:
            far = bound.step * rng.choice((1.0, 1.0, 0.75, 0.5, 0.25, rng.random()))
    if bound.resolution:
        counts = round(present / KN_A_COUNT) + int(way * far / KN_A_COUNT)
        return counts * 150.0 / 27648.0
    place = PLACES[tag]
    if place.kind == "u16":  # whole numbers are all that its register carries
        return present + way * max(int(far), 1)
    value = round(present + way * far, 2)
    carried = place.decode(place.encode(value))
    # A step of 32-bit floats leaves room for the last digit: the guard compares the decimals that denote them (docs/design/guard.md).
    return value if abs(carried - present) <= bound.step - 1e-9 else round(present + way * (far - 0.01), 2)


def find(world: World, rng: Random) -> Legal | None:
    """Some legitimate action as things are; None where few are left."""
    tags = tuple(tag for tag in world.oracle.ground.bounds if tag != "oven/fan_sp" and world.free(tag))
    if not tags:
        return None
    for _ in range(TRIES_MAX):
        author = rng.choice(AUTHORS)
        chosen = rng.sample(tags, 2 if len(tags) > 1 and rng.random() < 0.15 else 1)
        sets = tuple((tag, near(world, tag, rng)) for tag in chosen)
        carried = tuple((tag, PLACES[tag].decode(PLACES[tag].encode(value))) for tag, value in sets if world.fits(tag, value))
        if len(carried) != len(sets):
            continue
        effect, roles = world.oracle.outlook(author, carried)
        if effect in ("permit", "ask"):
            return Legal(author=author, sets=sets, effect=effect, roles=roles)
    return None


async def do(world: World, rng: Random, action: Legal) -> str:
    """Have it done, with the people's yes where it takes one. Returns "" or how it was refused, though it is legitimate."""
    decision = await world.ask(action.author, *action.sets)
    if decision is None or decision.verdict != action.effect or decision.would:
        why = [f"{r.code} {r.tag}" for r in decision.reasons if not r.passed] if decision else ["no decision"]
        return f"{action}: {', '.join(why) or 'another verdict'}"
    if decision.verdict == "ask":
        free = dict.fromkeys(name for names in SIGNERS.values() for name in names)
        for role in sorted(set(decision.roles)):
            person = next(name for name in SIGNERS[role] if name in free)
            del free[person]
            if role not in action.roles or not world.sign(decision.proposal, person, role):
                return f"{action}: {person}'s yes as {role} is not taken"
        await world.act()
    state = world.state_of(decision.proposal)
    await world.run(2)
    return "" if state in ("sent", "verified", "done") else f"{action}: {state or 'not known'}"


async def legal(world: World, rng: Random) -> str | None:
    """Find one and have it done: "" or how it was refused, None where there was none."""
    action = find(world, rng)
    return None if action is None else await do(world, rng, action)
