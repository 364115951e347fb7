"""Modbus TCP against libmodbus's server in C, which is not our code: the contract, all areas, a freeze, a kill."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from connectors.proxy import Proxy
from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.modbus import LOCKED, Device
from holdfast.gate.connectors.modbus import Modbus
from holdfast.ports import ConnectionLost
from holdfast.terms import Scale, Tag, TagTable
from holdfast.testing import check_reader, check_writer


def tag(address: str, **more: Any) -> Tag:
    return Tag(name=f"cooling/{address}", connection="cooling", address=address, unit="1", **more)


FLOW, FULL, WIDE = tag("40101:uint16"), tag("00004:bool"), tag("30010:uint32")
NOWHERE = tag("410001:uint16")  # the server has 10,000 registers
REFUSED = tag(f"4{LOCKED + 1:05d}:uint16")
TABLE = TagTable(id="cooling@0.05", connection="cooling", period_s=0.05, tags=(FLOW, FULL, WIDE))


@pytest_asyncio.fixture
async def device() -> AsyncIterator[Device]:
    server = Device()
    try:
        await server.start()
    except NoPeer as absent:
        pytest.skip(f"no libmodbus here: {absent}")
    yield server
    await server.kill()


def client(port: int, **more: Any) -> Modbus:
    options: dict[str, Any] = {"name": "cooling", "host": "127.0.0.1", "port": port, "timeout_s": 1.0}
    return Modbus(**options | more)


async def test_libmodbus_serves_a_reader_that_keeps_its_contract(device: Device) -> None:
    async with Proxy(device.port) as proxy:
        await check_reader(lambda: client(proxy.port), table=TABLE, bad=NOWHERE, lose=proxy.cut)


async def test_libmodbus_gets_one_request_a_write_and_a_silent_one_means_unknown(device: Device) -> None:
    scaled = tag("40101:int16", scale=Scale(raw=(0, 27648), eng=(0, 150)))
    seen: dict[str, Any] = {"writes": 0, "held": 0.0}

    class Beside(Modbus):
        """Asks the device's own counter before a write's answer is handed on."""

        async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Any:
            said = await super().write(tag, value, timeout_s=timeout_s)
            seen["writes"] = await device.writes()
            seen["held"] = await device.holds(100) * 150 / 27648
            return said

    async with Proxy(device.port) as proxy:
        await check_writer(
            lambda: Beside(name="cooling", host="127.0.0.1", port=proxy.port, timeout_s=1.0),
            tag=scaled,
            value=75.001,
            requests=lambda: seen["writes"],
            holds=lambda: seen["held"],
            too_large=200_000.0,
            refused=REFUSED,
            mute=proxy.swallow,
        )
    assert await device.holds(100) == 13824  # 75.001 * 27648 / 150 is 13824.18


async def test_all_areas_and_widths_hold_what_the_server_says_they_hold(device: Device) -> None:
    mill = client(device.port)
    await mill.connect()
    samples = await mill.read([FLOW, FULL, tag("00005:bool"), tag("10007:bool"), WIDE, tag("30010:uint32:little"), tag("40008.2:bool")])
    # Register n (from 0) holds n, bit n is set where 3 divides n: 100; 3 yes; 4 no; 6 yes; 9 and 10; 7 is 0b111.
    assert [s.value for s in samples] == [100.0, 1.0, 0.0, 1.0, 9 * 65536 + 10, 10 * 65536 + 9, 1.0]
    await mill.close()


async def test_a_frozen_device_is_lost_and_a_restarted_one_is_read_again(device: Device) -> None:
    mill = client(device.port)
    await mill.connect()
    frames = mill.subscribe(TABLE)
    last = await anext(frames)
    device.freeze()
    async with asyncio.timeout(5):
        async for frame in frames:
            last = frame
    assert all(status & 0x80000000 for status in last.status[0].tolist())
    await device.kill()
    with pytest.raises(ConnectionLost):
        await mill.connect()
    await device.start()
    await mill.connect()
    assert (await anext(mill.subscribe(TABLE))).values.tolist() == [[100.0, 1.0, 9 * 65536 + 10]]
    await mill.close()
