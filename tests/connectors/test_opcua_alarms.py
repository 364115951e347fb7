"""Alarms of the server's own, against node-opcua: what stood before the connection, each change, and what an outage hid."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from connectors.opcua_plant import Plant
from connectors.proxy import Proxy
from holdfast.evals.peers.opcua import URI, NodePlant
from holdfast.gate.connectors.opcua import OpcUa
from holdfast.ports import AlarmReader
from holdfast.terms import ServerAlarm, ServerAlarms

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]


def client(url: str, namespace: str = URI) -> OpcUa:
    return OpcUa(name="mill", url=url, security="none", namespace=namespace, timeout_s=5.0)


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(node_plant: NodePlant) -> AsyncIterator[NodePlant]:
    yield node_plant
    for name in ("Hot", "Wet", "Loose"):
        await node_plant.ask(f"alarm {name} quiet 100 back to normal")


async def until(coming: AsyncIterator[ServerAlarms], wanted: Callable[[ServerAlarms], bool]) -> list[ServerAlarms]:
    """All that is told up to and with the one that is wanted."""
    found: list[ServerAlarms] = []
    async with asyncio.timeout(10):
        async for told in coming:
            found.append(told)
            if wanted(told):
                return found
    raise AssertionError("the alarms ended")


def standing(told: ServerAlarms) -> dict[str, ServerAlarm]:
    return {alarm.name: alarm for alarm in told.standing}


async def test_an_alarm_that_was_active_before_the_connection_is_told_first(quiet: NodePlant) -> None:
    await quiet.ask("alarm Hot on 800 bearing too hot")
    mill = client(quiet.url)
    assert isinstance(mill, AlarmReader)
    await mill.connect()
    (told,) = await until(mill.alarms(), lambda told: True)
    hot = standing(told)["Hot"]
    assert told.known
    assert (hot.connection, hot.message, hot.severity) == ("mill", "bearing too hot", 800)
    assert hot.source.endswith("Drive")  # node-opcua puts the namespace before it
    assert (hot.active, hot.acknowledged, hot.shelved, hot.standing) == (True, False, False, True)
    await mill.close()


async def test_each_change_is_told_and_what_the_server_forgets_stands_no_more(quiet: NodePlant) -> None:
    mill = client(quiet.url)
    await mill.connect()
    coming = mill.alarms()
    (first,) = await until(coming, lambda told: True)
    assert (first.standing, first.known) == ((), True)
    for act, active, acknowledged in (("on 700 wet", True, False), ("ack 700 wet, seen", True, True)):
        await quiet.ask(f"alarm Wet {act}")
        told = (await until(coming, lambda told: bool(told.news)))[-1]
        wet = standing(told)["Wet"]
        assert (wet.active, wet.acknowledged) == (active, acknowledged)
        assert told.news == (wet,)
    await quiet.ask("alarm Wet quiet 100 dry again")
    told = (await until(coming, lambda told: bool(told.news)))[-1]
    assert "Wet" not in standing(told)
    assert (told.news[0].active, told.news[0].standing, told.news[0].message) == (False, False, "dry again")
    await mill.close()


async def test_what_came_and_went_within_one_telling_is_told_in_order(quiet: NodePlant) -> None:
    mill = client(quiet.url)
    await mill.connect()
    coming = mill.alarms()
    await until(coming, lambda told: True)
    for act in ("on 700 first", "quiet 100 second", "on 600 third"):
        quiet.say(f"alarm Loose {act}")
    for _ in range(3):
        await quiet.line()
    found = await until(coming, lambda told: any(alarm.message == "third" for alarm in told.news))
    assert [alarm.message for told in found for alarm in told.news] == ["first", "second", "third"]
    await mill.close()


async def test_over_a_cut_connection_what_ended_and_what_began_meanwhile_is_known_after_it(quiet: NodePlant) -> None:
    await quiet.ask("alarm Hot on 800 hot")
    async with Proxy(quiet.port) as proxy:
        mill = client(f"opc.tcp://127.0.0.1:{proxy.port}")
        await mill.connect()
        coming = mill.alarms()
        assert set(standing((await until(coming, lambda told: True))[0])) == {"Hot"}
        await proxy.cut()
        async with asyncio.timeout(10):
            assert [told async for told in coming] == []
        await quiet.ask("alarm Hot quiet 100 cold")
        await quiet.ask("alarm Wet on 500 wet")
        await mill.close()
    again = client(quiet.url)
    await again.connect()
    (told,) = await until(again.alarms(), lambda told: True)
    assert set(standing(told)) == {"Wet"}
    await again.close()


async def test_a_silent_server_ends_them(quiet: NodePlant) -> None:
    async with Proxy(quiet.port) as proxy:
        mill = client(f"opc.tcp://127.0.0.1:{proxy.port}")
        await mill.connect()
        coming = mill.alarms()
        await until(coming, lambda told: True)
        await proxy.swallow()
        async with asyncio.timeout(8):
            assert [told async for told in coming] == []
        assert mill.health()["connected"] == 0.0
        await mill.close()


async def test_a_server_that_cannot_refresh_says_that_what_stands_is_not_known() -> None:
    """asyncua's server has events and no conditions."""
    async with Plant() as plant:
        mill = client(plant.url, namespace="")
        await mill.connect()
        (told,) = await until(mill.alarms(), lambda told: True)
        assert (told.known, told.standing) == (False, ())
        assert "can't say what stood before" in told.why
        await mill.close()


async def test_a_server_whose_events_are_refused_is_told_once_and_data_goes_on(quiet: NodePlant, monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncua.ua.object_ids import ObjectIds

    monkeypatch.setattr(ObjectIds, "Server", 1_999_999)  # a node that is not there
    mill = client(quiet.url)
    await mill.connect()
    async with asyncio.timeout(10):
        (told,) = [told async for told in mill.alarms()]
    assert (told.known, told.why.startswith("the server tells of no events")) == (False, True)
    assert mill.health()["connected"] == 1.0
    await mill.close()
