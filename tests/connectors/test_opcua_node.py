"""OPC UA against node-opcua's server, which is not our code: the contract, scale, namespaces, certificates and crashes."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.proxy import Proxy
from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.opcua import DECOY, URI, NodePlant
from holdfast.gate.connectors.opcua import OpcUa
from holdfast.gate.connectors.opcua.offered import offered
from holdfast.ports import ConnectionLost
from holdfast.terms import Tag, TagTable
from holdfast.testing import check_reader, check_writer

# The first run installs node-opcua; a server needs seconds to come up.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]


def tag(address: str, **more: Any) -> Tag:
    return Tag(name=f"stand-4/{address}", connection="mill", address=address, unit="1", **more)


PV, SP, SPEED, RUN = tag("Stand4.Tension.PV"), tag("Stand4.Tension.SP"), tag("Stand4.Speed"), tag("Stand4.Run", type="bool")
LOCKED, GRADE, NOWHERE = tag("Stand4.Locked"), tag("Stand4.Grade"), tag("Stand4.Nowhere")
TABLE = TagTable(id="mill@0.1", connection="mill", period_s=0.1, tags=(PV, SPEED, RUN))


def client(url: str, **more: Any) -> OpcUa:
    options: dict[str, Any] = {"name": "mill", "url": url, "security": "none", "namespace": URI, "timeout_s": 5.0}
    return OpcUa(**options | more)


async def started(plant: NodePlant) -> NodePlant:
    try:
        await plant.start()
    except NoPeer as absent:
        pytest.skip(f"no node-opcua here: {absent}")
    return plant


async def test_node_opcua_serves_a_reader_that_keeps_its_contract(node_plant: NodePlant) -> None:
    async with Proxy(node_plant.port) as proxy:
        await check_reader(lambda: client(f"opc.tcp://127.0.0.1:{proxy.port}"), table=TABLE, bad=NOWHERE, lose=proxy.cut)


async def test_node_opcua_gets_one_write_request_a_write_and_a_silent_one_means_unknown(node_plant: NodePlant) -> None:
    """The server's own counter is asked over its side channel, so the counts are fetched around each call of the contract."""
    async with Proxy(node_plant.port) as proxy:
        writer = client(f"opc.tcp://127.0.0.1:{proxy.port}")
        counted = _Counted(node_plant)
        await check_writer(
            lambda: counted.beside(writer),
            tag=SP,
            value=101.1,
            requests=lambda: counted.writes,
            holds=lambda: counted.held,
            too_large=1e39,
            refused=LOCKED,
            mute=proxy.swallow,
        )
        assert counted.held == pytest.approx(101.1, abs=1e-5)


class _Counted:
    """A connector whose writes are counted at the server before their answer is handed on."""

    def __init__(self, node_plant: NodePlant) -> None:
        self._server = node_plant
        self.writes = 0
        self.held = 0.0

    def beside(self, inner: OpcUa) -> Any:
        counted = self

        class Beside:
            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

            async def connect(self) -> None:
                counted.writes = await counted._server.count("WriteRequest")
                await inner.connect()

            async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Any:
                said = await inner.write(tag, value, timeout_s=timeout_s)
                counted.writes = await counted._server.count("WriteRequest")
                counted.held = await counted._server.ask(f"holds {SP.address}")
                return said

        return Beside()


async def test_ten_thousand_items_come_and_each_value_is_its_own(node_plant: NodePlant) -> None:
    tags = tuple(tag(f"T{i}") for i in range(10_000))
    table = TagTable(id="mill@0.5", connection="mill", period_s=0.5, tags=tags)
    mill = client(node_plant.url, timeout_s=20.0)
    await mill.connect()
    frames = mill.subscribe(table)
    expected = np.arange(10_000) * 1000.0
    async with asyncio.timeout(60):
        for change in (7, 8):
            await node_plant.ask(f"change {change}")
            while not np.array_equal((await anext(frames)).values[0], expected + change):
                pass
    assert mill.health()["slow_answers"] == 0, "scalars never go through the slow decoder"
    assert mill.health()["gaps"] == 0
    await mill.close()


async def test_browsing_node_opcua_tells_unit_range_description_and_access(node_plant: NodePlant) -> None:
    mill = client(node_plant.url)
    await mill.connect()
    found = {t.address: t async for t in mill.browse("Stand4")}
    pv = found["Stand4.Tension.PV"]
    assert (pv.unit, pv.eu_range, pv.description, pv.writable) == ("kN", (0.0, 150.0), "strip tension", False)
    assert found["Stand4.Tension.SP"].writable
    assert found["Stand4.Speed"].type == "integer"
    samples = await mill.read([GRADE, NOWHERE, tag("i=2258")])
    assert samples[0].value == "DC01"
    assert samples[1].status == 0x80340000  # BadNodeIdUnknown
    await mill.close()


async def test_after_a_restart_with_namespaces_in_another_order_values_are_still_their_own(tmp_path: Path) -> None:
    plant = await started(NodePlant(tmp_path / "pki", items=3, namespaces=(DECOY, URI)))
    mill = client(plant.url)
    tags = [tag(f"T{i}") for i in range(3)]
    try:
        await mill.connect()
        assert [s.value for s in await mill.read(tags)] == [0.0, 1000.0, 2000.0]
        await plant.kill()
        plant.namespaces = (URI, "urn:between", DECOY)
        await plant.start()
        with pytest.raises(ConnectionLost):
            await mill.read(tags)
        await mill.connect()
        assert [s.value for s in await mill.read(tags)] == [0.0, 1000.0, 2000.0], "not the decoy's -1"
    finally:
        await mill.close()
        await plant.kill()


async def test_an_untrusted_gate_is_refused_with_what_to_do_and_a_trusted_one_reads_and_writes(tmp_path: Path) -> None:
    plant = await started(NodePlant(tmp_path / "pki", secure=True))
    try:
        shown = await offered(plant.url, 10.0)
        pinned = tmp_path / "mill.der"
        pinned.write_bytes(shown.der)
        options: dict[str, Any] = {"security": "Basic256Sha256", "server": pinned, "state_dir": tmp_path / "state", "timeout_s": 10.0}
        mill = client(plant.url, **options)
        with pytest.raises(ConnectionLost, match=r"ended the handshake .*that it trusts this gate's certificate .*opcua-gate\.der"):
            await mill.connect()
        await plant.ask(f"trust {tmp_path / 'state' / 'opcua-gate.der'}")
        await mill.connect()
        (sample,) = await mill.read([SP])
        assert sample.value == 100.0
        assert await mill.write(SP, 102.0, timeout_s=5.0) == "acked"
        assert await plant.ask(f"holds {SP.address}") == 102.0
        await mill.close()
    finally:
        await plant.kill()


async def test_a_server_that_freezes_for_six_seconds_is_lost_in_time_and_read_again_after_it(node_plant: NodePlant) -> None:
    mill = client(node_plant.url, timeout_s=3.0)
    table = TagTable(id="t", connection="mill", period_s=0.1, tags=(tag("T1"),))
    try:
        await mill.connect()
        frames = mill.subscribe(table)
        first = last = await anext(frames)
        node_plant.freeze()
        async with asyncio.timeout(6):
            async for frame in frames:
                last = frame
        assert last.status[0, 0] & 0x80000000, "Bad while it is frozen"
        node_plant.thaw()
        await mill.connect()
        frames = mill.subscribe(table)
        again = await anext(frames)
        assert again.status[0, 0] == 0
        assert again.seq - first.seq >= 30, "the outage is a gap in seq"
    finally:
        node_plant.thaw()
        await mill.close()
