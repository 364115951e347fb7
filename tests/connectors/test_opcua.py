"""OPC UA against asyncua's server over loopback, with a proxy between for what a network does."""

import asyncio
import datetime
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import ua

from connectors.opcua_plant import URI, Plant, make_certificate
from connectors.proxy import Proxy
from holdfast.clock import VirtualClock
from holdfast.gate.connectors.opcua import OpcUa
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, Scale, Tag, TagTable
from holdfast.testing import check_reader, check_writer


def tag(address: str, **more: object) -> Tag:
    return Tag(name=f"stand-4/{address}", connection="mill", address=address, unit="1", **more)  # type: ignore[arg-type]


PV, SP, SPEED, RUN = tag("Stand4.Tension.PV"), tag("Stand4.Tension.SP"), tag("Stand4.Speed"), tag("Stand4.Run", type="bool")
LOCKED, GRADE, NOWHERE = tag("Stand4.Locked"), tag("Stand4.Grade"), tag("Stand4.Nowhere")
TABLE = TagTable(id="mill@0.05", connection="mill", period_s=0.05, tags=(PV, SPEED, RUN))


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Plant]:
    """One server for all: building its address space takes seconds."""
    async with Plant() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def plant(server: Plant) -> Plant:
    await server.reset()
    return server


def client(url: str, **more: object) -> OpcUa:
    return OpcUa(**{"name": "mill", "url": url, "security": "none", "namespace": URI, "timeout_s": 2.0} | more)  # type: ignore[arg-type]


async def test_the_reader_keeps_its_contract_when_the_connection_is_cut(plant: Plant) -> None:
    async with Proxy(plant.port) as proxy:
        await check_reader(lambda: client(f"opc.tcp://127.0.0.1:{proxy.port}/"), table=TABLE, bad=NOWHERE, lose=proxy.cut)


async def test_the_writer_keeps_its_contract_and_a_silent_server_means_unknown(plant: Plant) -> None:
    async with Proxy(plant.port) as proxy:
        await check_writer(
            lambda: client(f"opc.tcp://127.0.0.1:{proxy.port}/"),
            tag=SP,
            value=101.1,
            requests=lambda: plant.writes,
            holds=lambda: plant.held("Stand4.Tension.SP"),
            too_large=1e39,
            refused=LOCKED,
            mute=proxy.swallow,
        )
        assert plant.held("Stand4.Tension.SP") == pytest.approx(101.1, abs=1e-5)


async def test_a_frozen_server_is_lost_within_three_seconds_though_its_socket_stays_open(plant: Plant) -> None:
    async with Proxy(plant.port) as proxy:
        mill = client(f"opc.tcp://127.0.0.1:{proxy.port}/")
        await mill.connect()
        frames = mill.subscribe(TABLE)
        frame = await anext(frames)
        await proxy.freeze()
        begun_s = asyncio.get_running_loop().time()
        async for frame in frames:  # noqa: B007 - the last one counts
            pass
        assert 2.5 < asyncio.get_running_loop().time() - begun_s < 5.0
        assert frame.status.tolist() == [[BAD_NO_COMMUNICATION] * 3]
        with pytest.raises(ConnectionLost, match="silent"):
            await mill.read([PV])
        assert await mill.write(SP, 99.0, timeout_s=1.0) == "rejected"
        await mill.close()


async def test_a_steady_value_stays_good_because_keep_alives_count_as_life(plant: Plant) -> None:
    mill = client(plant.url)
    await mill.connect()
    frames = mill.subscribe(TABLE)
    first = frame = await anext(frames)
    end_s = asyncio.get_running_loop().time() + 4.0  # longer than the limit on silence
    while asyncio.get_running_loop().time() < end_s:
        frame = await anext(frames)
    assert frame.status.tolist() == [[0, 0, 0]]
    assert frame.source_ns.tolist() == first.source_ns.tolist(), "carried forward under its own source time"
    await mill.close()


async def test_each_value_keeps_its_own_time_and_status(plant: Plant) -> None:
    mill = client(plant.url)
    await mill.connect()
    frames = mill.subscribe(TABLE)
    await anext(frames)
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=datetime.UTC)
    await plant.set("Stand4.Tension.PV", 88.25, ua.VariantType.Double, at=at)
    await plant.set("Stand4.Speed", 7, ua.VariantType.UInt16, status=0x80AB0000)  # BadConfigurationError's neighbour: any Bad
    frame = await anext(frames)
    for _ in range(20):  # the server samples on its own time
        if frame.values[0, 0] == 88.25 and frame.status[0, 1]:
            break
        frame = await anext(frames)
    assert frame.values[0, 0] == 88.25
    assert frame.source_ns[0, 0] == 1767323045_678900_000  # date -u -d '2026-01-02 03:04:05' +%s
    assert frame.status[0].tolist() == [0, 0x80AB0000, 0]
    assert math.isnan(frame.values[0, 1]), "a Bad value is not shown"
    await mill.close()


async def test_reading_tells_text_apart_and_an_unknown_node_is_bad_alone(plant: Plant) -> None:
    mill = client(plant.url)
    await mill.connect()
    samples = await mill.read([GRADE, NOWHERE, tag("ns=nonsense;x"), tag(f"nsu={URI};s=Stand4.Run"), tag("i=2258")])
    assert samples[0].value == "DC01"
    assert samples[0].status == 0
    assert samples[1].status == BAD_NODE_ID_UNKNOWN
    assert samples[2].status & 0x80000000
    assert samples[3].value == 1.0
    await mill.close()


async def test_a_scaled_integer_is_rounded_to_what_the_node_can_hold(plant: Plant) -> None:
    scaled = tag("Stand4.Speed", scale=Scale(raw=(0, 27648), eng=(0, 100)))
    mill = client(plant.url)
    await mill.connect()
    with pytest.raises(ValueError, match="read it first"):
        mill.wire_value(scaled, 50.0)
    (sample,) = await mill.read([scaled])
    assert sample.value == pytest.approx(812 * 100 / 27648)
    assert mill.wire_value(scaled, 50.001) == 13824 * 100 / 27648  # 13824.276 rounds to 13824, which is 50
    with pytest.raises(ValueError, match="UInt16"):
        mill.wire_value(scaled, 300.0)
    assert await mill.write(scaled, 50.001, timeout_s=2.0) == "acked"
    assert plant.held("Stand4.Speed") == 13824
    await mill.close()


async def test_browsing_tells_unit_range_description_and_access(plant: Plant) -> None:
    mill = client(plant.url)
    await mill.connect()
    found = {t.address: t async for t in mill.browse()}
    assert set(found) == {"Stand4.Tension.PV", "Stand4.Tension.SP", "Stand4.Speed", "Stand4.Run", "Stand4.Locked"}
    pv = found["Stand4.Tension.PV"]
    assert (pv.unit, pv.eu_range, pv.description, pv.writable, pv.type) == ("kN", (0.0, 150.0), "strip tension", False, "float")
    assert found["Stand4.Tension.SP"].writable
    assert found["Stand4.Speed"].type == "integer"
    assert found["Stand4.Run"].type == "bool"
    under = [t.address async for t in mill.browse("Stand4")]
    assert len(under) == 5
    await mill.close()


async def test_a_namespace_is_found_by_uri_and_a_wrong_one_is_named(plant: Plant) -> None:
    mill = client(plant.url, namespace="urn:nobody")
    with pytest.raises(ConnectionLost, match=r"no namespace 'urn:nobody'; it has: .*urn:test:mill"):
        await mill.connect()


async def test_an_absent_server_says_so(plant: Plant) -> None:
    async with Proxy(plant.port) as proxy:
        port = proxy.port
    mill = client(f"opc.tcp://127.0.0.1:{port}/")
    with pytest.raises(ConnectionLost, match=f"mill: opc.tcp://127.0.0.1:{port}/ can't be reached .*check that the server runs"):
        await mill.connect()


async def test_reading_works_on_a_clock_that_is_stepped(plant: Plant) -> None:
    mill = client(plant.url, clock=VirtualClock(1_000))
    await mill.connect()
    (sample,) = await mill.read([PV])
    assert sample.value == 101.5
    with pytest.raises(RuntimeError, match="stepped"):
        await anext(mill.subscribe(TABLE))
    await mill.close()


async def test_requests_stay_within_their_rate(plant: Plant) -> None:
    mill = client(plant.url, requests_per_s=20)
    await mill.connect()
    begun_s = asyncio.get_running_loop().time()
    for _ in range(29):  # 30 with the one that connect needs: 20 at once, 10 more at 20 a second
        await mill.read([PV])
    assert asyncio.get_running_loop().time() - begun_s > 0.4
    assert mill.health()["requests"] == 30
    await mill.close()


async def test_an_encrypted_pinned_login_reads_and_writes(tmp_path: Path) -> None:
    async with Plant(tmp_path) as plant:
        options = {"security": "Basic256Sha256", "login": "mill:right", "state_dir": tmp_path / "state"}
        mill = client(plant.url, server=plant.certificate, **options)
        await mill.connect()
        (sample,) = await mill.read([SP])
        assert sample.value == 100.0
        assert await mill.write(SP, 102.0, timeout_s=2.0) == "acked"
        await mill.close()
        assert (tmp_path / "state" / "opcua-gate.key.pem").stat().st_mode & 0o777 == 0o600

        with pytest.raises(ConnectionLost, match="refused the login: check user and password"):
            await client(plant.url, server=plant.certificate, **options | {"login": "mill:wrong"}).connect()
        with pytest.raises(ConnectionLost):
            await client(plant.url, server=plant.certificate, **options | {"login": ""}).connect()

        other, _ = make_certificate(tmp_path, "another")
        with pytest.raises(ConnectionLost, match=r"shows another certificate .* than the pinned one .*not connected"):
            await client(plant.url, server=other, **options).connect()


async def test_encryption_without_a_pinned_server_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the server's certificate"):
        OpcUa(name="mill", url="opc.tcp://127.0.0.1:4840")
