"""A decision sees what others asked for or are doing as if it had happened, and never counts the proposal against itself."""

from pathlib import Path

from small_plant import ASKING, PASSWORD, F, T, World, site

from holdfast.site.model import Rule, Settles
from holdfast.terms import Snapshot

SP, FLOW = f"{T}.sp", f"{F}.sp"


def snapshot(world: World, id: str, tag: str, value: float = 101.0) -> Snapshot:
    from small_plant import proposal

    return world.gate.parts.snapshots.take(proposal((tag, value), id=id), world.clock.now_ns())


async def test_what_another_proposal_asks_for_is_pending(tmp_path: Path) -> None:
    world = World(tmp_path, site(rules=ASKING))
    await world.run(3)
    world.propose(103.0)
    seen = snapshot(world, "new", FLOW)
    assert [(m.tag, m.before, m.after, m.ours) for m in seen.pending] == [(SP, 100.0, 103.0, True)]
    assert seen.busy == ((SP, "asked"),)


async def test_a_proposals_own_ask_is_neither_pending_nor_busy_for_itself(tmp_path: Path) -> None:
    world = World(tmp_path, site(rules=ASKING))
    await world.run(3)
    world.propose(103.0)
    seen = snapshot(world, "p1", SP, 103.0)
    assert (seen.pending, seen.busy) == ((), ())


async def test_the_same_tag_is_busy_for_another_proposal(tmp_path: Path) -> None:
    world = World(tmp_path, site(rules=ASKING))
    await world.run(3)
    world.propose(103.0)
    assert "busy.busy" in world.failed(world.propose(102.0, id="p2"))


async def test_a_write_on_its_way_is_pending_for_other_tags_and_a_move_of_its_own(tmp_path: Path) -> None:
    world = World(tmp_path, rate_per_s=0.5)
    await world.run(3)
    world.propose(104.0)
    await world.run(2)
    assert world.state() == "sent"
    elsewhere = snapshot(world, "new", FLOW)
    assert [(m.tag, m.after) for m in elsewhere.pending] == [(SP, 104.0)]
    own = snapshot(world, "new", SP)
    assert own.pending == ()  # it is among the moves: to count it twice would use the budget twice
    assert [(m.tag, m.after, m.ours) for m in own.moves] == [(SP, 104.0, True)]


async def test_a_verified_write_is_not_pending_any_more(tmp_path: Path) -> None:
    settles = Settles(tag=f"{T}.pv", within=100.0, after_s=60.0)
    world = World(tmp_path, site(tension={"settles": settles}))
    await world.run(3)
    world.propose(104.0)
    await world.run(4)
    assert world.state() == "verified"  # its effect is not judged yet
    assert snapshot(world, "new", FLOW).pending == ()


async def test_a_policy_about_two_loops_sees_what_the_other_was_asked_to_become(tmp_path: Path) -> None:
    permit = Rule(id="p", effect="permit", agents=("*",), tags=("*",))
    ask = Rule(id="a", effect="ask", agents=("*",), tags=(SP,), approvals=("operator",))
    both = Rule(id="f", effect="forbid", agents=("*",), tags=(FLOW,), when=f'tag("{SP}") > 102.0 && proposed > 102.0')
    world = World(tmp_path, site(rules=(permit, ask, both)))
    await world.run(3)
    assert world.propose(103.0, id="flow", tag=FLOW).verdict == "permit"
    await world.run(4)
    assert world.propose(103.0).verdict == "ask"
    assert world.failed(world.propose(102.5, id="flow-2", tag=FLOW)) == {"policy.forbid"}


async def test_the_second_look_leaves_the_proposal_out_and_it_is_written(tmp_path: Path) -> None:
    world = World(tmp_path, site(rules=ASKING, tension={"rate": None}))
    world.gate.people.add("ann", ["operator"], PASSWORD)
    await world.run(3)
    world.propose(103.0)
    assert world.sign() == "approved"
    await world.run(3)
    assert world.plc.written == [(SP, 103.0)]
