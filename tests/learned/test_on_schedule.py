"""A detector learns anew on the site file's schedule: asked for as a person would, on record, and in force by people alone."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mill_world import MillWorld, learning_site

from holdfast.gate.actuation.relearning import RETRY_S
from holdfast.site.load import load
from holdfast.site.model import DetectorSpec, SiteError
from holdfast.terms import canonical

EVERY_S = 60.0


@pytest.fixture
def opened(tmp_path: Path):
    made: list[MillWorld] = []

    def open_(**changes: Any) -> MillWorld:
        made.append(MillWorld(tmp_path, learning_site(**{**dict[str, Any](relearn_every_s=EVERY_S), **changes})))
        return made[-1]

    yield open_
    for world in made:
        world.close()


async def test_a_candidate_is_learned_when_it_is_due_and_in_force_once_people_sign(opened: Callable[..., MillWorld]) -> None:
    world = opened()
    await world.agent_again()
    await world.run(50)
    first, now = world.in_force, world.now()
    assert world.records("relearn") == []
    assert first
    assert now.in_force is not None
    assert (now.every_s, now.due_ns) == (EVERY_S, now.in_force.since_ns + 60_000_000_000)
    await world.run(40)
    (record,) = world.records("relearn")
    assert (record["person"], record["name"], record["every_s"]) == ("", now.name, EVERY_S)
    asked = world.now().asked
    assert asked is not None
    assert (asked.person, asked.ended) == ("", "learned.offered")
    assert world.in_force == first
    world.sign(world.asked())
    await world.run(5)
    assert world.in_force == asked.digest != first


async def test_not_during_maintenance_and_later_once_it_is_over(opened: Callable[..., MillWorld]) -> None:
    world = opened()
    await world.agent_again()
    await world.run(20)
    point = next(t for t in world.site.tags if t.name == "line/key_switch")
    read = world.plant.mill.read
    world.plant.mill.read = lambda server, address: (  # type: ignore[method-assign]
        (1.0, 0) if (server, address) == (point.connection, point.address) else read(server, address)
    )
    await world.run(100)
    assert world.records("relearn") == []
    world.plant.mill.read = read  # type: ignore[method-assign]
    await world.run(60)
    assert world.records("relearn") == []  # looked at again after an hour, not at every glance
    world.clock.advance(RETRY_S)
    await world.run(20)
    assert len(world.records("relearn")) == 1


async def test_without_a_schedule_nobody_asks(opened: Callable[..., MillWorld]) -> None:
    world = opened(relearn_every_s=0.0)
    await world.agent_again()
    await world.run(120)
    assert world.records("relearn") == []
    assert world.now().due_ns == 0


SITE = """
holdfast: 1
site: {name: pump house, language: en, timezone: Europe/Berlin}
connections: {pump: {type: opcua, url: "opc.tcp://127.0.0.1:4840", security: none, namespace: urn:pump}}
equipment: {pump: {tags: {flow: {on: pump, address: Flow, unit: m3/h}}}}
perception: [{name: flow, detector: ewma, tags: [pump/*], relearn: {every: EVERY}}]
agents: {watcher: {autonomy: observe}}
"""


def written(folder: Path, every: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.replace("EVERY", every))
    return path


def test_the_site_file_says_how_often(tmp_path: Path) -> None:
    (spec,) = load(written(tmp_path, "7d")).site.perception
    assert spec.relearn_every_s == 7 * 86400
    with pytest.raises(SiteError):
        load(written(tmp_path, "weekly"))


def test_a_configuration_without_a_schedule_keeps_the_digest_that_it_had_before_there_were_any() -> None:
    spec = DetectorSpec(name="flow", detector="ewma", tags=("pump/flow",))
    assert b"relearn" not in canonical(spec)
    assert b'"relearn_every_s":60.0' in canonical(dataclasses.replace(spec, relearn_every_s=60.0))
