"""What the people's door says of the plant: the tables, the newest rows, the past made small, and how each loop stands."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar.testing import AsyncTestClient
from small_plant import START_NS, F, T, World, envelope, site

from holdfast.gate.api.people import people_app
from holdfast.gate.history import trend as past
from holdfast.gate.history.store import History
from holdfast.gate.history.trend import trend
from holdfast.site.model import Loop, Range
from holdfast.terms import SECOND_NS, Frame, Tag, TagTable, unpack

PV = f"{T}.pv"
GRADE = Tag(name="stand/grade", connection="plc", address=f"{F}.mode", unit="1", type="state", states=((2, "thin"), (3, "thick")))
TABLE = TagTable(
    id="t",
    connection="c",
    period_s=1.0,
    tags=(Tag(name="a", connection="c", address="a", unit="1"), Tag(name="b", connection="c", address="b", unit="1")),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.gate.close()


async def get(world: World, path: str, **query: Any) -> Any:
    async with AsyncTestClient(people_app(world.gate)) as client:
        return await client.get(path, params=query)


def kept(folder: Path, *blocks: list[tuple[float, float, int]]) -> Path:
    """Frames of (second, value of a, status of a) rows; b is always 5 and Good."""
    history = History(folder / "history.db", durable=False)
    seq = 0
    for block in blocks:
        at = np.array([round(s * SECOND_NS) for s, _, _ in block], np.int64)
        history.append(
            Frame(
                table="t",
                seq=seq,
                received_ns=at,
                source_ns=np.stack([at, at], axis=1),
                values=np.array([[value, 5.0] for _, value, _ in block]),
                status=np.array([[status, 0] for _, _, status in block], np.uint32),
            )
        )
        seq += len(block)
    history.close()
    return folder / "history.db"


def test_a_stretch_is_told_by_its_least_greatest_and_last_value(tmp_path: Path) -> None:
    file = kept(tmp_path, [(0, 3.0, 0)], [(1, 9.0, 0)], [(2, 1.0, 0), (3, 4.0, 0)], [(10, 7.0, 0)])
    found = trend(file, {"t": TABLE}, ["a", "b"], 0, 12 * SECOND_NS, 3)
    assert found.at_ns == (0, 4 * SECOND_NS, 8 * SECOND_NS)
    assert found.min == ((1.0, None, 7.0), (5.0, None, 5.0))
    assert found.max == ((9.0, None, 7.0), (5.0, None, 5.0))
    assert found.last == ((4.0, None, 7.0), (5.0, None, 5.0))


def test_bad_values_are_a_gap_and_uncertain_ones_are_not_good(tmp_path: Path) -> None:
    file = kept(tmp_path, [(0, 3.0, 0x8000_0000), (1, 4.0, 0x4000_0000), (2, 5.0, 0)])
    found = trend(file, {"t": TABLE}, ["a"], 0, 3 * SECOND_NS, 3)
    assert found.last == ((None, 4.0, 5.0),)
    assert found.good == ((False, False, True),)


def test_rows_outside_the_range_are_left_out_also_of_a_frame_that_reaches_into_it(tmp_path: Path) -> None:
    file = kept(tmp_path, [(0, 100.0, 0), (5, 1.0, 0)], [(9, 2.0, 0), (15, 100.0, 0)])
    found = trend(file, {"t": TABLE}, ["a"], 4 * SECOND_NS, 10 * SECOND_NS, 1)
    assert (found.min, found.max, found.last) == (((1.0,),), ((2.0,),), ((2.0,),))


def test_of_too_many_frames_each_second_is_read_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kept(tmp_path, *([(float(s), float(s), 0)] for s in range(6)))
    monkeypatch.setattr(past, "FRAMES_MAX", 3)
    found = trend(file, {"t": TABLE}, ["a"], 0, 6 * SECOND_NS, 1)
    assert (found.thinned, found.min, found.max) == (2, ((0.0,),), ((4.0,),))


async def test_the_door_gives_the_past_of_a_tag_and_refuses_what_cannot_be(world: World) -> None:
    world.plc.pv[T] = 104.0
    await world.run(3)
    answer = await get(world, "/v1/trend", tags=PV, from_ns=START_NS, to_ns=START_NS + 4 * SECOND_NS, points=4)
    assert answer.json()["last"] == [[None, 104.0, 104.0, 104.0]]
    assert (await get(world, "/v1/trend", tags="no/such", from_ns=0, to_ns=1, points=4)).status_code == 404
    assert (await get(world, "/v1/trend", tags=PV, from_ns=5, to_ns=5, points=4)).status_code == 400
    assert (await get(world, "/v1/trend", tags=PV, from_ns=0, to_ns=9, points=10**6)).status_code == 400


async def test_newest_begins_with_the_last_row_however_many_came_before(world: World) -> None:
    await world.run(5)
    (table,) = world.gate.tables
    frame = unpack((await get(world, "/v1/frames", table=table, newest=1)).content)
    assert (frame.seq, frame.rows) == (4, 1)
    assert unpack((await get(world, "/v1/frames", table=table, after=1)).content).rows == 3
    assert (await get(world, "/v1/frames", table=table, after=4)).status_code == 204


async def test_tables_are_told_without_where_their_tags_are(world: World) -> None:
    (table,) = (await get(world, "/v1/tables")).json()
    assert PV in {tag["name"] for tag in table["tags"]}
    assert not {"address", "connection"} & set(table["tags"][0])


async def test_a_loop_is_told_with_the_envelope_row_that_holds_now(tmp_path: Path) -> None:
    by = envelope(T, range=Range(by=GRADE.name, rows=(("thin", (90.0, 95.0)), ("thick", (80.0, 120.0)))), autonomy="ask")
    small = site()
    world = World(tmp_path, dataclasses.replace(small, tags=(*small.tags, GRADE), envelopes=(by, envelope(F))))
    await world.run(1)
    tension, flow = (await get(world, "/v1/loops")).json()
    assert (tension["low"], tension["high"], tension["range_by"]) == (90.0, 95.0, GRADE.name)
    assert tension["bands"] == [{"state": 2, "low": 90.0, "high": 95.0}, {"state": 3, "low": 80.0, "high": 120.0}]
    assert (tension["autonomy"], tension["ceiling"]) == ("ask", "ask")
    assert flow["bands"] == [{"state": None, "low": 80.0, "high": 120.0}]
    world.plc.bad.add(GRADE.name)
    await world.run(1)
    (tension, _) = (await get(world, "/v1/loops")).json()
    assert (tension["low"], tension["high"]) == (None, None)
    world.gate.close()


async def test_a_loop_that_nobody_may_write_has_no_autonomy(tmp_path: Path) -> None:
    small = site()
    world = World(tmp_path, dataclasses.replace(small, loops=(*small.loops, Loop(name="stand/other", equipment="stand", pv=PV))))
    other = (await get(world, "/v1/loops")).json()[2]
    assert (other["autonomy"], other["ceiling"], other["low"]) == (None, None, None)
    world.gate.close()
