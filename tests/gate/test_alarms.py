"""Alarms as operators have them (ISA-18.2-2016 §5.3): acknowledged, returned, shelved for a time, and kept over a restart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import AsyncTestClient
from small_plant import PASSWORD, F, T, World, site

from holdfast.gate.actuation.attend import AlarmError
from holdfast.gate.alarms.board import alarm_id
from holdfast.gate.alarms.flood import Flood
from holdfast.gate.api.people import people_app
from holdfast.gate.ledger.store import StateError
from holdfast.site.model import AlarmLimits
from holdfast.terms import SECOND_NS

PV = f"{T}.pv"
HI = alarm_id(PV, "hi")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.gate.close()


async def rings(world: World) -> None:
    world.plc.pv[T] = 131.0  # its limit is 130
    await world.run(1)


async def returns(world: World) -> None:
    world.plc.pv[T] = 100.0
    await world.run(1)


def states(world: World) -> list[str]:
    return [alarm.state for alarm in world.gate.alarms.shown()]


async def test_an_alarm_waits_for_a_person_and_goes_once_it_was_seen_and_returned(world: World) -> None:
    await rings(world)
    assert states(world) == ["unacknowledged"]
    world.gate.attend.acknowledge(HI, "ann")
    (shown,) = world.gate.alarms.shown()
    assert (shown.state, shown.acknowledged_by, shown.active) == ("acknowledged", "ann", True)
    await returns(world)
    assert states(world) == []


async def test_what_returned_unseen_stays_latched_until_somebody_acknowledges(world: World) -> None:
    await rings(world)
    await returns(world)
    await world.run(700)
    assert states(world) == ["returned"]
    world.gate.attend.acknowledge(HI, "ann")
    assert states(world) == []
    assert [s.state for s in world.gate.alarms.shown(normal=True)] == ["normal"]


async def test_what_comes_back_after_it_was_acknowledged_must_be_acknowledged_anew(world: World) -> None:
    await rings(world)
    world.gate.attend.acknowledge(HI, "ann")
    await returns(world)
    await rings(world)
    (shown,) = world.gate.alarms.shown()
    assert (shown.state, shown.acknowledged_by) == ("unacknowledged", "")


async def test_a_second_acknowledgement_is_refused_and_not_recorded(world: World) -> None:
    await rings(world)
    world.gate.attend.acknowledge(HI, "ann")
    with pytest.raises(AlarmError, match="acknowledged"):
        world.gate.attend.acknowledge(HI, "bob")
    (record,) = world.records("alarm.acknowledged")
    assert (record["person"], record["tag"], record["limit"]) == ("ann", PV, "hi")


async def test_a_shelved_alarm_does_not_ring_and_rings_by_itself_when_its_time_is_over(world: World) -> None:
    world.gate.attend.shelve(HI, "ann", 60.0, "the gauge is being changed")
    await rings(world)
    (shown,) = world.gate.alarms.shown()
    assert (shown.state, shown.active, shown.shelved_by, shown.reason) == ("shelved", True, "ann", "the gauge is being changed")
    assert world.gate.alarms.flood(world.clock.now_ns()) == (False, 0)
    await world.run(58)
    assert states(world) == ["shelved"]
    await world.run(1)
    assert states(world) == ["unacknowledged"]
    assert world.gate.alarms.flood(world.clock.now_ns()) == (False, 1)
    assert [(r["by"], r["person"], r["shelved"]["person"]) for r in world.records("alarm.unshelved")] == [("time", "", "ann")]


async def test_what_came_and_went_on_the_shelf_leaves_nothing_behind(world: World) -> None:
    world.gate.attend.shelve(HI, "ann", 60.0, "test")
    await rings(world)
    await returns(world)
    world.gate.attend.unshelve(HI, "bob")
    assert states(world) == []
    assert [(r["by"], r["person"]) for r in world.records("alarm.unshelved")] == [("person", "bob")]


async def test_a_shelving_ends_also_while_no_data_comes(world: World) -> None:
    world.gate.attend.shelve(HI, "ann", 60.0, "test")
    world.clock.advance(60.0)
    await world.gate.advance()
    assert [r["by"] for r in world.records("alarm.unshelved")] == ["time"]


@pytest.mark.parametrize("for_s", [0.0, -1.0, 8 * 3600.0 + 1, float("nan"), float("inf")])
def test_a_shelving_has_an_end_within_a_shift(world: World, for_s: float) -> None:
    with pytest.raises(AlarmError, match="for_s"):
        world.gate.attend.shelve(HI, "ann", for_s, "test")
    assert world.records("alarm.shelved") == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 301])
def test_a_shelving_has_a_reason(world: World, reason: str) -> None:
    with pytest.raises(AlarmError, match="reason"):
        world.gate.attend.shelve(HI, "ann", 60.0, reason)


async def test_all_of_it_outlives_a_restart(tmp_path: Path) -> None:
    of = site(alarms=(AlarmLimits(tag=PV, hi=130.0, hihi=140.0), AlarmLimits(tag=f"{F}.pv", hi=130.0)))
    world = World(tmp_path, of)
    await rings(world)
    world.plc.pv[F] = 131.0
    await world.run(1)
    world.gate.attend.acknowledge(alarm_id(PV, "hi"), "ann")
    world.gate.attend.shelve(alarm_id(PV, "hihi"), "bob", 600.0, "test")
    before = world.gate.alarms.shown()
    assert sorted(a.state for a in before) == ["acknowledged", "shelved", "unacknowledged"]
    world.again()
    assert world.gate.alarms.shown() == before
    assert world.gate.alarms.flood(world.clock.now_ns()) == (False, 2)
    await world.run(2)
    assert world.gate.alarms.shown() == before  # and what is active still does not ring anew
    world.gate.close()


async def test_a_shelving_ends_at_its_time_also_while_the_gate_is_down(world: World) -> None:
    world.gate.attend.shelve(HI, "ann", 600.0, "test")
    await rings(world)
    world.again(after_s=700.0)
    await world.run(1)
    assert states(world) == ["unacknowledged"]


async def test_a_clock_that_is_set_neither_lengthens_nor_shortens_a_shelving(world: World) -> None:
    world.gate.attend.shelve(HI, "ann", 600.0, "test")
    now_ns = world.clock.now_ns
    world.clock.now_ns = lambda: now_ns() + 3600 * SECOND_NS  # type: ignore[method-assign]
    await world.run(590)
    assert states(world) == ["shelved"]
    await world.run(11)
    assert states(world) == []


async def test_an_act_that_cannot_be_recorded_did_not_happen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await rings(world)

    def refuses(*_: Any, **__: Any) -> None:
        raise StateError("state.broken", "no")

    with monkeypatch.context() as patched:
        patched.setattr(world.gate.log, "append", refuses)
        with pytest.raises(StateError):
            world.gate.attend.acknowledge(HI, "ann")
        with pytest.raises(StateError):
            world.gate.attend.shelve(HI, "ann", 60.0, "test")
    assert states(world) == ["unacknowledged"]


async def test_more_than_ten_in_ten_minutes_is_a_flood_until_fewer_than_five_are(world: World) -> None:
    for _ in range(10):
        await rings(world)
        await returns(world)
    assert world.gate.alarms.flood(world.clock.now_ns()) == (False, 10)
    await rings(world)
    assert world.gate.alarms.flood(world.clock.now_ns()) == (True, 11)
    await returns(world)
    await world.run(590)  # the first came at 1 s, then every 2 s; it is 612 s now
    assert world.gate.alarms.flood(world.clock.now_ns()) == (True, 5)
    await world.run(2)
    assert world.gate.alarms.flood(world.clock.now_ns()) == (False, 4)
    assert [(r["state"], r["per_10min"]) for r in world.records("alarm.flood")] == [("began", 11), ("ended", 4)]


def test_a_flood_counts_a_window_that_is_open_at_its_beginning() -> None:
    flood = Flood()
    flood.ring(0)
    assert [flood.count(600 * SECOND_NS - 1), flood.count(600 * SECOND_NS)] == [1, 0]


class Door:
    """The people's door, with somebody signed in."""

    def __init__(self, world: World) -> None:
        world.gate.people.add("ann", ["operator"], PASSWORD)
        self.app = people_app(world.gate)

    async def sign_in(self) -> None:
        self.token = ""
        self.token = (await self.ask("POST", "/v1/session", {"person": "ann", "password": PASSWORD}))[1]["token"]

    async def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> tuple[int, Any]:
        async with AsyncTestClient(self.app) as http:
            headers = {"authorization": f"Bearer {self.token if token is None else token}"}
            answer = await http.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None


async def test_the_door_lists_alarms_and_takes_a_persons_acts(world: World) -> None:
    door = Door(world)
    await door.sign_in()
    await rings(world)
    status, told = await door.ask("GET", "/v1/alarms")
    assert (status, told["flood"], told["per_10min"]) == (200, False, 1)
    (alarm,) = told["alarms"]
    assert [alarm[k] for k in ("id", "tag", "limit", "priority", "state", "value", "unit")] == [
        HI,
        PV,
        "hi",
        "medium",
        "unacknowledged",
        131.0,
        "kN",
    ]
    assert (await door.ask("POST", f"/v1/alarms/{HI}/shelve", {"for_s": 60, "reason": "why"}))[0] == 204
    assert (await door.ask("POST", f"/v1/alarms/{HI}/unshelve", {}))[0] == 204
    assert (await door.ask("POST", f"/v1/alarms/{HI}/acknowledge", {}))[0] == 204
    status, told = await door.ask("GET", "/v1/alarms")
    assert [(a["state"], a["acknowledged_by"]) for a in told["alarms"]] == [("acknowledged", "ann")]


async def test_the_door_refuses_who_is_not_signed_in_and_what_is_not_there(world: World) -> None:
    door = Door(world)
    await door.sign_in()
    await rings(world)
    for verb in ("acknowledge", "unshelve", "shelve"):
        assert (await door.ask("POST", f"/v1/alarms/{HI}/{verb}", {"for_s": 60, "reason": "why"}, token="wrong"))[0] == 401
    assert states(world) == ["unacknowledged"]
    assert (await door.ask("POST", "/v1/alarms/none/acknowledge", {}))[0] == 404
    assert (await door.ask("POST", f"/v1/alarms/{HI}/unshelve", {}))[0] == 409
    assert (await door.ask("POST", f"/v1/alarms/{HI}/shelve", {"for_s": 1e9, "reason": "why"}))[0] == 400
    assert (await door.ask("POST", f"/v1/alarms/{HI}/shelve", {"for_s": 60}))[0] == 400
