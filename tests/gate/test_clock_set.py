"""The wall clock is set: by less than counts as a step, and back and forth. What is counted follows the monotonic clock."""

from pathlib import Path

from small_plant import World, site

from holdfast.terms import SECOND_NS


def set_clock(world: World, offset_s: float) -> None:
    before = world.clock.monotonic_ns
    world.clock.now_ns = lambda: before() + round(offset_s * SECOND_NS)  # type: ignore[method-assign]


async def test_a_step_too_small_to_notice_ends_no_dwell_early(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension={"dwell_s": 30.0}))
    await world.run(3)
    assert world.propose(102.0).verdict == "permit"
    await world.run(1)
    set_clock(world, 1.9)
    await world.run(28)
    assert world.failed(world.propose(103.0, id="p2")) == {"envelope.dwell.early"}
    await world.run(2)
    assert world.propose(103.0, id="p3").verdict == "permit"


async def test_a_clock_set_back_and_forth_leaves_windows_as_they_were(tmp_path: Path) -> None:
    world = World(tmp_path, site(tension={"dwell_s": 30.0}))
    await world.run(3)
    assert world.propose(102.0).verdict == "permit"
    await world.run(2)
    for offset_s in (-7200.0, 0.0, 7200.0, 0.0):
        set_clock(world, offset_s)
        await world.run(2)
    assert world.failed(world.propose(103.0, id="p2")) == {"envelope.dwell.early"}
    await world.run(30)
    assert world.propose(103.0, id="p3").verdict == "ask"  # a step of hours lowers the plant to ask
