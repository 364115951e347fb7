"""`holdfast tags` as a person with nothing but an address uses it, against a real OPC UA server and a real Modbus device."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.opcua_plant import URI, Plant
from holdfast.sim.modbus_server import ModbusServer

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")


async def call(*words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(*HOLDFAST, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    async with Plant() as running:
        yield running


@pytest.fixture
async def device() -> AsyncIterator[ModbusServer]:
    words = [0] * 30
    words[0:2] = [0x3FC0, 0x0000]  # 1.5 as float32, and 7 after it
    words[2] = 7
    server = ModbusServer(1, lambda: words, lambda address, values: True)
    await server.start()
    yield server
    await server.stop()


async def test_browsing_lists_addresses_units_and_what_may_be_written(plant: Plant) -> None:
    code, out, _ = await call("tags", "browse", plant.url, "--namespace", URI, "--find", "tension", "--json")
    found: dict[str, Any] = {tag["address"]: tag for tag in json.loads(out)["tags"]}
    assert code == 0
    assert set(found) == {"Stand4.Tension.PV", "Stand4.Tension.SP"}
    assert (found["Stand4.Tension.PV"]["unit"], found["Stand4.Tension.PV"]["writable"]) == ("kN", False)
    assert found["Stand4.Tension.SP"]["writable"]


async def test_reading_tells_value_and_quality_and_says_which_address_is_wrong(plant: Plant) -> None:
    code, out, _ = await call("tags", "read", plant.url, "Stand4.Tension.PV", "Stand4.Nowhere", "--namespace", URI, "--json")
    good, bad = json.loads(out)["values"]
    assert code == 1
    assert (good["value"], good["quality"]) == (101.5, "Good")
    assert (bad["value"], bad["good"]) == (None, False)
    _, out, _ = await call("tags", "read", plant.url, "Stand4.Tension.PV", "--namespace", URI)
    assert "101.5" in out
    assert "Good" in out


async def test_a_modbus_register_is_read_by_its_reference(device: ModbusServer) -> None:
    code, out, _ = await call("tags", "read", f"modbus://127.0.0.1:{device.port}/1", "40001:float32", "40003:uint16", "--json")
    assert code == 0
    assert [value["value"] for value in json.loads(out)["values"]] == [1.5, 7]


async def test_a_modbus_device_says_that_it_can_not_be_browsed(device: ModbusServer) -> None:
    code, _, err = await call("tags", "browse", f"modbus://127.0.0.1:{device.port}")
    assert code == 2
    assert "can't be asked what it has" in err
    assert "40001:float32" in err


async def test_watching_prints_a_row_each_period(device: ModbusServer) -> None:
    target = f"modbus://127.0.0.1:{device.port}/1"
    code, out, _ = await call("tags", "watch", target, "40001:float32", "--every", "0.05", "--rows", "3", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["state"] for row in rows] == ["connected"] * 3
    assert [row["values"][0]["value"] for row in rows] == [1.5] * 3


async def test_watching_shows_a_loss_and_comes_back_by_itself(device: ModbusServer) -> None:
    target = f"modbus://127.0.0.1:{device.port}/1"
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST, "tags", "watch", target, "40001:float32", "--every", "0.05", "--json", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    async def until(state: str) -> dict[str, Any]:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while True:
                row = json.loads(await process.stdout.readline())
                if row["state"].startswith(state) and bool(row["values"]) == (state == "connected"):
                    return row

    try:
        await until("connected")
        await device.stop()
        lost = await until("LOST")
        assert "tried again in 1 s" in lost["state"]
        await device.start()
        assert (await until("connected"))["values"][0]["value"] == 1.5
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tags", "read", "10.1.4.10", "a"), "is no address"),
        (("tags", "read", "http://10.1.4.10", "a"), "no connector is reached by http://"),
        (("tags", "read", "modbus://:502", "40001"), "no host"),
        (("tags", "read", "opc.tcp://me:secret@127.0.0.1:4840", "a"), "--login env:NAME"),
        (("tags", "read", "modbus://127.0.0.1:1", "40001:float32"), "127.0.0.1:1"),
        (("tags", "read", "modbus://127.0.0.1", "40001", "40001"), "stands there twice"),
    ],
)
async def test_wrong_use_says_what_to_type(words: tuple[str, ...], said: str) -> None:
    code, _, err = await call(*words)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
