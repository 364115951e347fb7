"""Methods over OPC UA, against node-opcua: one CallRequest a call, and what its answer means."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.proxy import Proxy
from holdfast.evals.peers.opcua import URI, NodePlant
from holdfast.gate.connectors.opcua import OpcUa
from holdfast.ports import Caller
from holdfast.testing import check_caller

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]
TRIM = "Stand4.Trim"  # node-opcua's server: server.js


def client(port: int) -> OpcUa:
    return OpcUa(name="mill", url=f"opc.tcp://127.0.0.1:{port}", security="none", namespace=URI, timeout_s=5.0)


@pytest_asyncio.fixture(loop_scope="session")
async def mill(node_plant: NodePlant) -> AsyncIterator[OpcUa]:
    connected = client(node_plant.port)
    await connected.connect()
    yield connected
    await connected.close()


async def test_a_caller_keeps_its_contract(node_plant: NodePlant) -> None:
    async def ran() -> list[float]:
        return (await node_plant.ask("called"))[-1]

    async with Proxy(node_plant.port) as proxy:
        assert isinstance(client(proxy.port), Caller)
        await check_caller(
            lambda: client(proxy.port),
            method=TRIM,
            arguments=(1.5, 2),
            requests=lambda: node_plant.count("CallRequest"),
            ran=ran,
            refused=f"Stand4.Drive -> {TRIM}",  # an object that does not have it
            half_way=(14, 1),  # BadDeviceFailure
            unfit=((1.5,), (1.5, 2, 3), (1.5, 40_000), (1e39, 1), (float("nan"), 1)),
            mute=proxy.swallow,
        )


async def test_a_bad_answer_that_may_come_from_half_way_leaves_it_open(mill: OpcUa) -> None:
    assert await mill.call(TRIM, (13, 1), timeout_s=5.0) == "unknown"  # BadOutOfRange: of what, the server does not say


async def test_a_method_that_never_answers_is_unknown_after_the_time_limit_and_others_go_on(mill: OpcUa) -> None:
    assert await mill.call(TRIM, (99, 1), timeout_s=0.5) == "unknown"
    assert await mill.call(TRIM, (2, 1), timeout_s=5.0) == "acked"


async def test_the_object_may_be_written_and_is_else_looked_up(node_plant: NodePlant, mill: OpcUa) -> None:
    for address in (TRIM, f"Stand4 -> {TRIM}", f"nsu={URI};s={TRIM}"):
        assert await mill.call(address, (3.25, 4), timeout_s=5.0) == "acked"
    assert (await node_plant.ask("called"))[-3:] == [[3.25, 4]] * 3


@pytest.mark.parametrize("address", ["Stand4.Nothing", "Nowhere -> Stand4.Trim", "Stand4.Speed", "ns=99;s=x", ""])
async def test_what_is_no_method_is_rejected(mill: OpcUa, address: str) -> None:
    assert await mill.call(address, (1, 1), timeout_s=5.0) == "rejected"


async def test_calls_at_once_are_each_sent_once(node_plant: NodePlant, mill: OpcUa) -> None:
    before = await node_plant.count("CallRequest")
    said = await asyncio.gather(*(mill.call(TRIM, (float(i), 1), timeout_s=5.0) for i in range(8)))
    assert said == ["acked"] * 8
    assert await node_plant.count("CallRequest") == before + 8
