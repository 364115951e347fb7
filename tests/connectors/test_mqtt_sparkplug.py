"""Sparkplug B against an edge node made with npm's sparkplug-payload, over a real mosquitto."""

import asyncio
import functools
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors import mosquitto
from connectors.mosquitto import Broker, needs_mosquitto, running, until
from connectors.sparkplug_node import DEVICE, EDGE, GROUP, Node
from holdfast.evals.peers.kept import NoPeer
from holdfast.gate.connectors.mqtt import Mqtt
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, BAD_WAITING_FOR_INITIAL_DATA, GOOD, Scale, Tag, TagTable
from holdfast.testing import check_reader, check_writer

pytestmark = [needs_mosquitto, pytest.mark.timeout(300)]  # the first run of all fetches the node's packages
UNCERTAIN_LAST_USABLE = 0x4090_0000
PLACE = f"spBv1.0/{GROUP}/{EDGE}"


def tag(metric: str, **more: object) -> Tag:
    address = f"{PLACE}/{DEVICE}:{metric}"
    return Tag(**{"name": f"oven/{metric}", "connection": "broker", "address": address, "unit": "1"} | more)  # type: ignore[arg-type]


INLET, OFFSET, SMALL, COUNT, WIDE = tag("Temps/Inlet"), tag("Offset"), tag("Small"), tag("Count"), tag("Wide")
SPEED, RUNNING, NAME = tag("Speed"), tag("Running", type="bool"), tag("Name")
UPTIME = tag("Uptime", address=f"{PLACE}:Uptime")
NUMBERS = (INLET, OFFSET, SMALL, COUNT, WIDE, SPEED, RUNNING, UPTIME)
TABLE = TagTable(id="broker@0.05", connection="broker", period_s=0.05, tags=NUMBERS)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def node(broker: Broker) -> AsyncIterator[Node]:
    there = Node(broker.port)
    try:
        await there.start()
    except NoPeer as error:
        pytest.skip(str(error))
    try:
        yield there
    finally:
        await there.kill()


client = functools.partial(mosquitto.client, first_s=3.0)  # a birth takes its time
connected = functools.partial(mosquitto.connected, first_s=3.0)


async def test_the_contract_of_readers_is_kept(broker: Broker, node: Node) -> None:
    assert node.births == 0  # not read yet
    await check_reader(lambda: client(broker.port), table=TABLE, bad=tag("Nothing"), lose=broker.kill)


async def test_the_contract_of_writers_is_kept(broker: Broker, node: Node) -> None:
    got: list[dict[str, object]] = []
    held = {"Offset": -7.0}

    def count() -> int:
        got[:] = [c for c in node.commands if c["name"] != "Node Control/Rebirth"]
        for command in got:
            held["Offset"] = float(command["value"])  # type: ignore[arg-type]
        return len(got)

    async def listen() -> None:
        while True:
            await node.next_event()

    listening = asyncio.create_task(listen())
    try:
        await check_writer(
            lambda: client(broker.port), tag=OFFSET, value=-1234.4, requests=count, holds=lambda: held["Offset"] if count() else math.nan,
            too_large=3e9,
        )  # fmt: skip
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert got == [
        {"event": "command", "topic": f"spBv1.0/{GROUP}/DCMD/{EDGE}/{DEVICE}", "qos": 0, "retain": False, "name": None, "alias": 11,
         "type": "Int32", "value": -1234},
    ]  # fmt: skip


async def test_integers_get_their_sign_from_the_datatype(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        samples = await connector.read((*NUMBERS, NAME))
    assert [s.status for s in samples] == [GOOD] * 8 + [0x8074_0000]  # text is no number
    assert [s.value for s in samples[:8]] == [21.5, -7.0, -100.0, 4_000_000_000.0, -5.0, 10.0, 1.0, 12_345_678_901.0]


async def test_values_are_scaled(broker: Broker, node: Node) -> None:
    scaled = tag("Speed", scale=Scale(raw=(0, 20), eng=(0, 100)))
    async with connected(broker.port) as connector:
        assert (await connector.read((scaled,)))[0].value == 50.0
        assert connector.wire_value(scaled, 25.0) == 25.0


async def test_data_by_alias_follow_the_birth(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read((OFFSET,))
        await node.do("data", name="Offset", value=-70000, timestamp=1_700_000_000_123)
        sample = await until(connector, OFFSET, lambda s: s.value != -7.0)
    assert (sample.value, sample.status, sample.source_ns) == (-70_000.0, GOOD, 1_700_000_000_123_000_000)


async def test_a_node_that_dies_turns_its_metrics_bad_at_once_and_good_with_its_next_birth(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        frames = connector.subscribe(TABLE)
        await anext(frames)
        await node.kill()  # the broker publishes its will
        async with asyncio.timeout(5):
            while (frame := await anext(frames)).status[0].tolist() != [BAD_NO_COMMUNICATION] * len(NUMBERS):
                pass
        assert all(math.isnan(value) for value in frame.values[0].tolist())
        await node.start()
        async with asyncio.timeout(10):
            while (await anext(frames)).status[0].tolist() != [GOOD] * len(NUMBERS):
                pass
        await frames.aclose()  # type: ignore[attr-defined]
        assert connector.health()["deaths"] == 1.0


async def test_a_death_certificate_of_an_earlier_session_counts_for_nothing(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read((OFFSET,))
        await node.do("lateDeath")
        await node.do("data", name="Offset", value=8)
        await until(connector, OFFSET, lambda s: s.value == 8.0)
        assert connector.health()["deaths"] == 0.0


async def test_a_device_that_dies_takes_only_its_own_metrics_along(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read((OFFSET, UPTIME))
        await node.do("ddeath")
        await until(connector, OFFSET, lambda s: s.status == BAD_NO_COMMUNICATION)
        assert (await connector.read((UPTIME,)))[0].status == GOOD
        await node.do("dbirth")
        await until(connector, OFFSET, lambda s: s.status == GOOD)


async def test_a_lost_message_is_counted_and_heals_by_a_rebirth(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read(NUMBERS)
        births = node.births
        connector._asked_s.clear()  # it was asked a moment ago, at the first read
        await node.do("deaf", on=True)
        await node.do("skip")
        await node.do("data", name="Offset", value=9)
        # An alias may mean another metric by now: nothing is taken by it, and what was known is not certain any more.
        sample = await until(connector, OFFSET, lambda s: s.status != GOOD)
        assert (sample.value, sample.status) == (-7.0, UNCERTAIN_LAST_USABLE)
        assert await connector.write(OFFSET, 1.0, timeout_s=0.5) == "rejected"
        assert connector.health()["gaps"] == 1.0
        await node.do("deaf", on=False)
        connector._asked_s.clear()
        await node.do("data", name="Speed", value=11.0)
        sample = await until(connector, OFFSET, lambda s: s.status == GOOD)
        assert sample.value == 9.0
        await node.born(births + 1)
        assert connector.health()["gaps"] == 1.0


async def test_history_never_becomes_the_present(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read((OFFSET,))
        await node.do("data", name="Offset", value=55, historical=True)
        await node.do("data", name="Speed", value=12.0)
        await until(connector, SPEED, lambda s: s.value == 12.0)
        assert (await connector.read((OFFSET,)))[0].value == -7.0
        assert connector.health()["historical"] == 1.0


async def test_a_metric_that_is_null_is_bad(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read((OFFSET,))
        await node.do("data", name="Offset", value=None)
        assert math.isnan((await until(connector, OFFSET, lambda s: s.status != GOOD)).value)  # type: ignore[arg-type]


async def test_a_message_that_is_no_sparkplug_puts_its_device_alone_in_doubt_until_the_rebirth(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read((OFFSET, UPTIME))
        await node.do("deaf", on=True)
        await node.do("garbage")
        await until(connector, OFFSET, lambda s: s.status == UNCERTAIN_LAST_USABLE)
        assert (await connector.read((UPTIME,)))[0].status == GOOD
        assert connector.health()["unreadable"] == 1.0
        await node.do("deaf", on=False)
        connector._asked_s.clear()
        await node.do("data", name="Speed", value=13.0)
        await until(connector, OFFSET, lambda s: s.status == GOOD)
        assert connector.health()["gaps"] == 0.0


async def test_without_a_birth_nothing_is_known_and_nothing_is_written(broker: Broker, node: Node) -> None:
    async with connected(broker.port, rebirth=False, first_s=0.2) as connector:
        assert (await connector.read((OFFSET,)))[0].status == BAD_WAITING_FOR_INITIAL_DATA
        with pytest.raises(ValueError, match="birth was not heard"):
            connector.wire_value(OFFSET, 1.0)
        assert await connector.write(OFFSET, 1.0, timeout_s=0.5) == "rejected"
        await node.do("birth")
        await until(connector, OFFSET, lambda s: s.status == GOOD)
        assert (await connector.read((tag("Nothing"),)))[0].status == BAD_NODE_ID_UNKNOWN
    await node.do("skip")
    assert node.commands == []


@pytest.mark.parametrize(
    ("metric", "value", "arrives"),
    [
        ("Temps/Inlet", 0.1, 0.10000000149011612),
        ("Small", -128.0, -128.0),
        ("Count", 4e9, 4e9),
        ("Wide", -(2.0**40), -(2.0**40)),
        ("Speed", 0.1, 0.1),
        ("Running", 0.0, 0.0),
    ],
)
async def test_each_datatype_is_written_as_the_device_reads_it(
    broker: Broker, node: Node, metric: str, value: float, arrives: float
) -> None:
    of = tag(metric, type="bool") if metric == "Running" else tag(metric)
    async with connected(broker.port) as connector:
        await connector.read((of,))
        assert connector.wire_value(of, value) == arrives
        assert await connector.write(of, value, timeout_s=5.0) == "acked"
        await node.do("skip")
        assert node.commands[-1]["value"] == arrives
        assert (await connector.read((of,)))[0].value == arrives


async def test_a_device_that_says_nothing_leaves_a_write_unknown(broker: Broker, node: Node) -> None:
    async with connected(broker.port) as connector:
        await connector.read((SPEED,))
        await node.do("deaf", on=True)
        assert await connector.write(SPEED, 77.0, timeout_s=0.3) == "unknown"
        await node.do("skip")
    assert [c["value"] for c in node.commands if c["name"] is None] == [77]


async def test_browsing_finds_metrics_with_unit_and_range(broker: Broker, node: Node) -> None:
    async with connected(broker.port, browse_s=1.5) as connector:
        await node.born(1)
        browsing = asyncio.create_task(_listed(connector, f"spBv1.0/{GROUP}"))
        async with asyncio.timeout(5):
            while not browsing.done() and node.births < 2:  # it is heard by its data, and then asked for its birth
                await node.do("data", name="Speed", value=10.0)
        found = {t.address: t for t in await browsing}
    inlet = found[INLET.address]
    assert (inlet.unit, inlet.eu_range, inlet.type) == ("Cel", (-50.0, 250.0), "float")
    assert {found[t.address].type for t in (OFFSET, SMALL, COUNT, WIDE, UPTIME)} == {"integer"}
    assert NAME.address not in found
    assert not [address for address in found if "Rebirth" in address or "bdSeq" in address]


async def _listed(connector: Mqtt, under: str) -> list[Tag]:
    return [found async for found in connector.browse(under)]
