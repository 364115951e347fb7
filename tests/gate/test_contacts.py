"""What people are told of a connection: its state, since when, why, and how late its data is."""

from pathlib import Path

from small_plant import START_NS, World

from holdfast.terms import SECOND_NS


async def test_a_connection_is_waited_for_then_there_then_lost_with_its_reason(tmp_path: Path) -> None:
    world = World(tmp_path)
    told = world.gate.status()["connections"]["plc"]
    assert (told["state"], told["since_ns"], told["lag_s"]) == ("waiting", START_NS, None)
    await world.run(2)
    told = world.gate.status()["connections"]["plc"]
    assert (told["state"], told["since_ns"], told["lag_s"]) == ("connected", START_NS + SECOND_NS, 0.0)
    assert (told["gaps"], told["backlog"], told["clock_offset_s"]) == (None, None, None)  # this connector doesn't say
    world.gate.lost("plc", "the cable")
    world.clock.advance(5.0)
    world.gate.lost("plc", "still the cable")
    told = world.gate.status()["connections"]["plc"]
    assert (told["state"], told["since_ns"], told["why"], told["losses"]) == ("lost", START_NS + 2 * SECOND_NS, "still the cable", 1)
    assert told["lag_s"] is None
    world.gate.found("plc")
    told = world.gate.status()["connections"]["plc"]
    assert (told["state"], told["since_ns"], told["why"]) == ("connected", START_NS + 7 * SECOND_NS, "")
    world.gate.close()


async def test_data_that_left_late_is_told_as_late(tmp_path: Path) -> None:
    world = World(tmp_path)
    for table in world.gate.tables.values():
        frame = world.plc.row(table)
        frame.source_ns[:] -= 3 * SECOND_NS
        world.gate.ingest(frame)
    assert world.gate.status()["connections"]["plc"]["lag_s"] == 3.0
    world.gate.close()
