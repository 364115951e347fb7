"""An agent tells the gate how far its normal state drifted: in the list, once on record, and it changes nothing by itself."""

from pathlib import Path

from mill_world import AGENT, NAME, MillWorld

from holdfast.agent.diagnosis import drift
from holdfast.link import DetectorTold


async def test_drift_is_on_record_once_and_once_more_when_it_is_over(tmp_path: Path) -> None:
    world = MillWorld(tmp_path)
    told = DetectorTold(name=NAME, digest="d" * 64, drift=4.2, drifted=True, tags=(("stand-4/force", 4.2),))
    for one in (told, told, DetectorTold(name=NAME, digest="d" * 64, drift=1.0)):
        world.gate.learning.told(AGENT, (one,))
    assert [(r["drifted"], r["wanders"]) for r in world.records("drift")] == [(True, 4.2), (False, 1.0)]
    assert world.now().told[0][1].drift == 1.0
    world.close()


async def test_a_line_whose_force_crept_up_is_told_and_its_state_stays(tmp_path: Path) -> None:
    world = MillWorld(tmp_path)
    agent = await world.agent_again()
    await world.run(2)
    first = world.in_force
    (watch,) = agent._watches
    assert watch.drift is not None
    place = watch.tags.index("stand-4/force")
    for _ in range(drift.ROWS):  # half an hour in which nothing else is seen but a force four wanders higher
        row = watch.drift._quiet.mean.copy()
        row[place] += 4.0 * watch.drift._quiet.wander[place]
        watch.drift.take(row)
    await world.run(40)
    (_, told) = world.now().told[0]
    assert told.drifted
    assert told.tags[0][0] == "stand-4/force"
    assert [name for name, _ in agent.status().drift] == [NAME]
    assert (world.in_force, len(world.records("learned"))) == (first, 1)
    world.close()


async def test_rows_of_maintenance_are_no_news_of_the_normal_state(tmp_path: Path) -> None:
    world = MillWorld(tmp_path)
    agent = await world.agent_again()
    await world.run(20)
    (watch,) = agent._watches
    assert watch.drift is not None
    before = watch.drift._rows.copy()
    read = world.plant.mill.read
    world.plant.mill.read = lambda server, address: (1.0, 0) if address == "Line.KeySwitch" else read(server, address)  # type: ignore[method-assign]
    await world.run(20)
    assert int((watch.drift._rows - before).max()) <= 1
    world.close()
