"""A detector per grade: each learns and judges its own grade alone, has versions of its own, and says when another is made."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mill_world import NAME, MillWorld, learning_site

from holdfast.agent.diagnosis.watch import Watch, detector_of
from holdfast.gate.actuation.learned import basis
from holdfast.gate.actuation.relearning import DetectorNow
from holdfast.site.load import load
from holdfast.site.model import DetectorSpec, Equals, Site, SiteError
from holdfast.terms import SECOND_NS, canonical

DC01, SPCC = f"{NAME}@DC01", f"{NAME}@SPCC"


def per_grade() -> Site:
    site = learning_site()
    (spec,) = site.perception
    both = [dataclasses.replace(spec, name=f"{spec.name}@{name}", only_at=Equals(tag="line/grade", value=at)) for name, at in GRADES]
    return dataclasses.replace(site, perception=tuple(both))


GRADES = (("DC01", 0.0), ("SPCC", 1.0))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MillWorld]:
    made = MillWorld(tmp_path, per_grade())
    yield made
    made.close()


def rolls(world: MillWorld, grade: float) -> None:
    """The line makes this grade from now on; its steel is the same, so only the word changes."""
    point = next(t for t in world.site.tags if t.name == "line/grade")
    read = type(world.plant.mill).read

    def other(server: str, address: str) -> tuple[float, int]:
        return (grade, 0) if (server, address) == (point.connection, point.address) else read(world.plant.mill, server, address)

    world.plant.mill.read = other  # type: ignore[method-assign]


def both(world: MillWorld) -> dict[str, DetectorNow]:
    return {one.name: one for one in world.gate.learning.detectors()}


def trouble(world: MillWorld, name: str) -> str:
    ((_, told),) = both(world)[name].told
    return told.trouble


async def test_each_grade_learns_from_its_own_rows_and_has_a_version_of_its_own(world: MillWorld) -> None:
    rolls(world, 0.0)
    await world.agent_again()
    await world.run(20)
    found = both(world)
    made = next(iter({float(v) for v in (world.agent.value_of("line/grade"),)}))  # type: ignore[union-attr, arg-type]
    assert made == 0.0
    assert found[DC01].in_force is not None
    assert found[SPCC].in_force is None
    rolls(world, 1.0)
    await world.run(410)
    found = both(world)
    assert found[SPCC].in_force is not None
    assert found[SPCC].in_force.digest != found[DC01].in_force.digest  # type: ignore[union-attr]


async def test_what_is_not_being_made_has_no_score_and_says_so(world: MillWorld) -> None:
    rolls(world, 0.0)
    await world.agent_again()
    await world.run(35)
    assert (trouble(world, DC01), trouble(world, SPCC)) == ("", "learned.other_grade")
    rolls(world, 7.0)
    await world.run(35)
    assert (trouble(world, DC01), trouble(world, SPCC)) == ("learned.no_grade", "learned.no_grade")


def watch_of(site: Site) -> tuple[Watch, list[str]]:
    tags = [tag.name for tag in site.tags]
    spec = site.perception[0]
    return Watch(site, spec, detector_of(spec), tags, 1.0), tags


def test_a_finding_ends_where_the_grade_does_and_the_next_rows_begin_anew() -> None:
    site = per_grade()
    watch, tags = watch_of(site)
    rng, grade = np.random.default_rng(3), tags.index("line/grade")
    seen = [tags.index(tag) for tag in site.perception[0].tags]

    def row(at: float, shift: float = 0.0) -> Any:
        made = 10.0 + rng.normal(size=len(tags))
        made[seen] += shift
        made[grade] = at
        return made

    clock = iter(range(10**6))

    def feed(one: Any) -> Any:
        return watch.feed(next(clock) * SECOND_NS, one)

    while watch.quiet is None:
        feed(row(0.0))
        feed(row(1.0, shift=500.0))  # rows of the other grade are in between, and teach nothing
    assert float(np.nanmax(watch.quiet.mean)) < 20
    for _ in range(20):
        feed(row(0.0, shift=40.0))
    assert watch.active is not None
    (ended,) = feed(row(1.0))
    assert ended.kind == "cleared"
    assert (watch.active, watch.score, watch.off) == (None, 0.0, "learned.other_grade")
    feed(row(np.nan))
    assert watch.off == "learned.no_grade"
    assert feed(row(0.0)) == ()
    assert watch.off == ""


SITE = """
holdfast: 1
site: {name: pump house, language: en, timezone: Europe/Berlin}
connections: {pump: {type: opcua, url: "opc.tcp://127.0.0.1:4840", security: none, namespace: urn:pump}}
equipment:
  pump:
    tags:
      flow: {on: pump, address: Flow, unit: m3/h}
      medium: {on: pump, address: Medium, states: {0: water, 3: brine}}
perception: [{name: flow, detector: ewma, tags: [pump/flow], per: PER}]
agents: {watcher: {autonomy: observe}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], tuple[DetectorSpec, ...]]:
    def load_(per: str) -> tuple[DetectorSpec, ...]:
        path = tmp_path / "site.yaml"
        path.write_text(SITE.replace("PER", per))
        return load(path).site.perception

    return load_


def test_the_site_file_names_the_tag_and_there_is_a_detector_for_each_of_its_states(
    loaded: Callable[[str], tuple[DetectorSpec, ...]],
) -> None:
    found = loaded("pump/medium")
    assert [(spec.name, spec.only_at.value) for spec in found if spec.only_at] == [("flow@water", 0.0), ("flow@brine", 3.0)]
    with pytest.raises(SiteError, match="has no states"):
        loaded("pump/flow")


def test_a_state_is_of_its_grade_and_of_no_other() -> None:
    site = per_grade()
    spec = site.perception[0]
    renumbered = dataclasses.replace(spec, only_at=Equals(tag="line/grade", value=5.0))
    assert basis(site, spec) != basis(site, renumbered)
    assert b"only_at" not in canonical(dataclasses.replace(spec, only_at=None))
