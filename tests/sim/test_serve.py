"""The plant's process over real sockets: an OPC UA client, raw Modbus, and the lines of its standard input."""

import asyncio
import datetime
import json
import socket
import stat
import struct
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.cert_gen import generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from holdfast.sim.mill import EPOCH_NS
from holdfast.sim.mill.plant import Mill

URI = "urn:holdfast:test"
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Served:
    def __init__(self, process: asyncio.subprocess.Process, home: Path) -> None:
        self.process, self.home = process, home
        self.url, self.port = "", 0

    async def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(await asyncio.wait_for(self.process.stdout.readline(), 20))

    async def ask(self, text: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())
        return await self.line()

    def client(self, password: str | None = None) -> Client:
        client = Client(self.url, timeout=10)
        client.application_uri = URI
        user, _, right = (self.home / "mill.login").read_text().partition(":")
        client.set_user(user)
        client.set_password(right if password is None else password)
        return client

    async def secure(self, client: Client) -> Client:
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            certificate=str(self.home / "client.der"),
            private_key=str(self.home / "client.pem"),
            server_certificate=str(self.home / "mill-server.der"),
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )
        return client


@pytest.fixture(scope="session")
def client_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("client")
    key = generate_private_key()
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(URI)]
    certificate = generate_self_signed_app_certificate(key, "test", {}, names, [ExtendedKeyUsageOID.CLIENT_AUTH])
    (home / "client.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "client.pem").write_bytes(pem)
    return home


async def start(home: Path, *arguments: str) -> Served:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "holdfast.sim.serve",
        "--home",
        str(home),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    served = Served(process, home)
    ready = await served.line()
    served.url, served.port = ready["mill_url"], ready["cooling_port"]
    return served


async def end(served: Served) -> None:
    assert served.process.stdin is not None
    served.process.stdin.close()
    assert await asyncio.wait_for(served.process.wait(), 20) == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(client_files: Path) -> AsyncIterator[Served]:
    """One plant for the tests of this file, in their order: a server takes seconds to start."""
    served = await start(client_files, "--scenario", "chatter", "--seed", "2", "--lockstep")
    yield served
    await end(served)


def modbus(port: int, *frames: bytes, wanted: int) -> bytes:
    """Send the pieces one by one; return `wanted` bytes of what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as door:
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for frame in frames:
            door.sendall(frame)
        got = b""
        while len(got) < wanted and (part := door.recv(4096)):
            got += part
    return got


def request(*pdu: int, transaction: int = 7, unit: int = 1) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + bytes(pdu)


async def test_the_wire_shows_the_numbers_of_the_plant_in_one_process(served: Served) -> None:
    alone = Mill(2, "chatter")
    for _ in range(3):
        await served.ask("step 1.0")
        alone.step(1.0)
    answer = modbus(served.port, request(3, 0, 0, 0, 3), wanted=15)
    assert answer == struct.pack(">HHHBBB3H", 7, 0, 9, 1, 3, 6, *alone.registers[:3])
    async with await served.secure(served.client()) as client:
        index = await client.get_namespace_index("urn:holdfast:mill")
        assert await client.get_node(f"ns={index};s=Stand4.VibRMS").read_value() == alone.read("mill", "Stand4.VibRMS")[0]


async def test_a_client_reads_writes_and_reads_back_after_the_blocks_next_scan(served: Served) -> None:
    async with await served.secure(served.client()) as client:
        index = await client.get_namespace_index("urn:holdfast:mill")

        def node(name: str) -> Any:
            return client.get_node(f"ns={index};s={name}")

        beat, setpoint, active = (node(f"Stand4.Tension.{part}") for part in ("Ext_HB", "SP_Ext", "SP_Active"))
        await served.ask("step 1.0")
        now_s = (await served.ask("step 1.0"))["time_s"]
        await beat.write_value(ua.DataValue(ua.Variant(5, ua.VariantType.Int32)))
        await setpoint.write_value(ua.DataValue(ua.Variant(101.0, ua.VariantType.Double)))
        assert await setpoint.read_value() == 101.0
        await served.ask("step 1.0")
        value = await active.read_data_value()
        assert value.Value.Value == 101.0
        assert value.SourceTimestamp.replace(tzinfo=datetime.UTC).timestamp() == EPOCH_NS / 1e9 + now_s + 1.0
        with pytest.raises(ua.UaStatusCodeError):
            await node("Stand4.Tension.Mode").write_value(ua.DataValue(ua.Variant(1, ua.VariantType.Int32)))
        span = await (await setpoint.get_child("0:EURange")).read_value()
        unit = await (await setpoint.get_child("0:EngineeringUnits")).read_value()
        assert (span.Low, span.High, unit.DisplayName.Text, unit.UnitId) == (60.0, 140.0, "kN", 0x423437)
    report = await served.ask("report")
    assert (report["writes_sent"], report["writes_outside"], report["heartbeats"]) == (1, 0, 1)
    assert report["received"] == [[now_s, "Stand4.Tension.SP_Ext", 101.0]]


async def test_a_wrong_password_and_an_unsecured_client_are_refused(served: Served) -> None:
    client = await served.secure(served.client(password="guess"))
    with pytest.raises(ua.UaStatusCodeError):
        await client.connect()
    with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
        await served.client().connect()


async def test_its_secrets_are_readable_by_their_owner_alone(served: Served) -> None:
    for name in ("mill-server.der", "mill.login"):
        assert stat.S_IMODE((served.home / name).stat().st_mode) == 0o400


async def test_modbus_answers_what_it_cannot_serve_with_an_exception(served: Served) -> None:
    cases = {
        request(3, 0, 30, 0, 3): 2,  # beyond the last register
        request(3, 0, 0, 0, 0): 3,  # none
        request(3, 0, 0, 0, 126): 3,  # too many
        request(43, 14, 1, 0): 1,  # a function it lacks
        request(6, 0, 0, 0, 1): 4,  # the device takes no write
        request(16, 0, 0, 0, 1, 2, 0, 1): 4,
        request(16, 0, 0, 0, 2, 2, 0, 1): 3,  # count and size disagree
        request(3, 0): 3,  # too short
    }
    for frame, code in cases.items():
        assert modbus(served.port, frame, wanted=9)[7:] == bytes((frame[7] | 0x80, code)), frame.hex()


async def test_modbus_puts_split_and_joined_frames_together(served: Served) -> None:
    first, second = request(4, 0, 20, 0, 1, transaction=1), request(4, 0, 20, 0, 1, transaction=2)
    joined = first + second
    answers = modbus(served.port, joined[:3], joined[3:9], joined[9:17], joined[17:], wanted=22)
    assert answers[:2] == b"\0\1"
    assert answers[11:13] == b"\0\2"
    assert modbus(served.port, struct.pack(">HHHB", 1, 9, 6, 1) + bytes(5), wanted=1) == b""  # no Modbus: the door closes


async def test_the_operator_moves_his_own_setpoint_from_the_panel(served: Served) -> None:
    await served.ask("operator tension 101.5")
    for _ in range(3):
        await served.ask("step 1.0")
    async with await served.secure(served.client()) as client:
        index = await client.get_namespace_index("urn:holdfast:mill")
        assert await client.get_node(f"ns={index};s=Stand4.Tension.SP_Active").read_value() == 101.5
        assert await client.get_node(f"ns={index};s=Stand4.Tension.Mode").read_value() == 1
    assert "error" in await served.ask("dance")
    assert "error" in await served.ask("step x")


async def test_a_lost_link_closes_the_door_and_opens_it_on_the_same_port(tmp_path: Path) -> None:
    mill = Mill(1, "lost-link")
    (_, cooling_from, cooling_to), (_, mill_from, mill_to) = mill.schedule.link_down
    served = await start(tmp_path, "--scenario", "lost-link", "--seed", "1", "--lockstep")
    host, port = "127.0.0.1", int(served.url.split(":")[2].split("/")[0])

    async def go_to(time_s: float) -> None:
        while (await served.ask("step 5.0"))["time_s"] < time_s:
            pass

    await go_to(cooling_from)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, served.port), timeout=5)
    await go_to(cooling_to)
    assert len(modbus(served.port, request(3, 0, 0, 0, 1), wanted=11)) == 11
    await go_to(mill_from)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), timeout=5)
    await go_to(mill_to)
    socket.create_connection((host, port), timeout=5).close()
    await end(served)


async def test_on_a_scaled_clock_the_plant_steps_by_itself(tmp_path: Path) -> None:
    served = await start(tmp_path, "--epoch-ns", str(time.time_ns()), "--factor", "50")
    async with asyncio.timeout(20):
        while (await served.ask("report"))["time_s"] < 20.0:
            pass
    served.process.terminate()
    assert await asyncio.wait_for(served.process.wait(), 20) == 0
