"""MQTT against a real mosquitto: the contract, faults, and writes that never come twice or late."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from connectors.mosquitto import Broker, Pump, needs_mosquitto, pump, running
from holdfast.gate.connectors.mqtt import Mqtt
from holdfast.terms import GOOD, Scale, Tag, TagTable
from holdfast.testing import check_reader, check_writer

pytestmark = needs_mosquitto
UNCERTAIN_LAST_USABLE = 0x4090_0000


def tag(address: str, **more: object) -> Tag:
    return Tag(name=f"plant/{address}", connection="broker", address=address, unit="1", **more)  # type: ignore[arg-type]


SPEED = tag("plant/pump/speed -> plant/pump/set")
TEMP, FLOW = tag("plant/oven#temperature.zones[1]"), tag("plant/flow", scale=Scale(raw=(0, 1000), eng=(0, 50)))
NOWHERE = tag("plant/nowhere")
TABLE = TagTable(id="broker@0.05", connection="broker", period_s=0.05, tags=(TEMP, FLOW))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def device(broker: Broker) -> AsyncIterator[Pump]:
    async with pump(broker) as there:
        yield there


def client(port: int, **more: object) -> Mqtt:
    return Mqtt(**{"name": "broker", "host": "127.0.0.1", "port": port, "security": "none", "timeout_s": 1.0, "first_s": 0.3} | more)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def connected(port: int, **more: object) -> AsyncGenerator[Mqtt]:
    connector = client(port, **more)
    await connector.connect()
    try:
        yield connector
    finally:
        await connector.close()


@contextlib.asynccontextmanager
async def speaking(broker: Broker, every_s: float = 0.02) -> AsyncGenerator[None]:
    """A plant that says two values again and again."""

    async def speak() -> None:
        async with broker.client() as mouth:
            while True:
                await mouth.publish("plant/oven", b'{"temperature": {"zones": [20.5, 640.25]}}')
                await mouth.publish("plant/flow", b"200")
                await asyncio.sleep(every_s)

    task = asyncio.create_task(speak())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("protocol", ["mqtt5", "mqtt311"])
async def test_the_contract_of_readers_is_kept(broker: Broker, protocol: str) -> None:
    async with speaking(broker):
        await check_reader(lambda: client(broker.port, protocol=protocol), table=TABLE, bad=NOWHERE, lose=broker.kill)


@pytest.mark.parametrize(("protocol", "qos"), [("mqtt5", 0), ("mqtt5", 1), ("mqtt311", 0)])
async def test_the_contract_of_writers_is_kept(broker: Broker, device: Pump, protocol: str, qos: int) -> None:
    async def mute() -> None:
        device.deaf = True

    await check_writer(
        lambda: client(broker.port, protocol=protocol, write_qos=qos),
        tag=SPEED,
        value=12.5,
        requests=lambda: len(device.commands),
        holds=lambda: device.speed,
        mute=mute,
    )
    assert device.commands == [(b"12.5", qos, False)] * 2


async def test_values_come_from_plain_numbers_and_from_json(broker: Broker) -> None:
    async with connected(broker.port) as connector, speaking(broker):
        samples = await connector.read((TEMP, FLOW))
    assert [(s.value, s.status) for s in samples] == [(640.25, GOOD), (10.0, GOOD)]
