"""Attacks with answers that nobody gave, or whose giver is gone when they are used."""

from random import Random

from holdfast.evals.adversary.approvals import asked
from holdfast.evals.adversary.catalogue import attack
from holdfast.evals.adversary.world import World
from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.ledger.store import StateError
from holdfast.terms import Approval


@attack("a forged yes", "inside")
async def forged(world: World, rng: Random) -> None:
    """An answer in the name of somebody who didn't give it is put to the inbox itself, past every door, and the job set going."""
    tag, value = asked(world, rng)
    decision = world.say("alpha", world.message((tag, value)))
    if decision is None or decision.verdict != "ask":
        return
    forgery = Approval(
        proposal=decision.proposal,
        binds=decision.binds,
        person="ann",
        role="operator",
        yes=True,
        reason="fine",
        at_ns=world.clock.now_ns(),
        signature=bytes(64),
    )
    try:
        world.gate.inbox.record(forgery)
    except ApprovalError:
        pass
    else:
        for job in world.gate.jobs.open():
            if job.proposal.id == decision.proposal and job.state == "asked":
                world.gate.jobs.put(job.on("signed"))
    await world.act()
    await world.run(2)


@attack("who signed is gone", "inside")
async def removed(world: World, rng: Random) -> None:
    """Somebody signs and is removed, or loses the role, before the gate acts."""
    name = f"dan{world.new_id()}"
    if not world.enrol(name, ("operator",)):
        return
    tag, value = asked(world, rng)
    decision = world.say("alpha", world.message((tag, value)))
    if decision is not None and decision.verdict == "ask":
        world.sign(decision.proposal, name, "operator")
    try:
        world.gate.people.remove(name)
    except (IdentityError, StateError):
        return
    await world.act()
    await world.run(2)
