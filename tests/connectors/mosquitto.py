"""A real mosquitto on a free loopback port, to be killed, stopped and started again; and who publishes and listens beside us."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import aiomqtt
import pytest

from holdfast.gate.connectors.mqtt import Mqtt
from holdfast.terms import Sample, Tag

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed: apt-get install mosquitto")

AS_US = ("user root",) if os.getuid() == 0 else ()  # else mosquitto becomes a user who may not read our folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """`lines` go into its configuration behind the listener."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._file = folder / f"mosquitto-{self.port}.conf"
        known = any(line.startswith("allow_anonymous") for line in lines)
        self._file.write_text("\n".join((f"listener {self.port} 127.0.0.1", *(() if known else ("allow_anonymous true",)), *lines, "")))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        assert PROGRAM is not None
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(PROGRAM, "-c", str(self._file), stdout=quiet, stderr=quiet)
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    await writer.wait_closed()
                    return
                assert self._process.returncode is None, f"mosquitto did not start: {self._file.read_text()}"
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def client(self, **more: object) -> AsyncGenerator[aiomqtt.Client]:
        client = aiomqtt.Client("127.0.0.1", self.port, **more)  # type: ignore[arg-type]
        try:
            async with client:
                yield client
        finally:
            if client._disconnected.done() and not client._disconnected.cancelled():
                client._disconnected.exception()  # aiomqtt leaves it behind, and asyncio would complain


@contextlib.asynccontextmanager
async def running(folder: Path, *lines: str) -> AsyncGenerator[Broker]:
    broker = Broker(folder, *lines)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()


class Pump:
    """A device: says its state on `plant/pump/…`, takes commands on `plant/pump/set` and says the new value, unless it is deaf."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.speed = 10.0
        self.commands: list[tuple[bytes, int, bool]] = []  # payload, quality of service, retained
        self.deaf = False
        self.got = asyncio.Event()

    async def run(self, ready: asyncio.Event) -> None:
        await self.client.subscribe("plant/pump/set", qos=1)
        await self.say()
        ready.set()
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            self.commands.append((message.payload, message.qos, message.retain))
            self.got.set()
            if not self.deaf:
                self.speed = float(message.payload)
                await self.say()

    async def say(self) -> None:
        await self.client.publish("plant/pump/speed", repr(self.speed))


@contextlib.asynccontextmanager
async def pump(broker: Broker) -> AsyncGenerator[Pump]:
    async with broker.client() as client:
        device = Pump(client)
        ready = asyncio.Event()
        task = asyncio.create_task(device.run(ready))
        try:
            await ready.wait()
            yield device
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def flood(port: int, topic: str, payload: bytes, count: int) -> None:
    """`count` messages of quality 0, as fast as the broker takes them, written without a client."""
    body = len(topic).to_bytes(2, "big") + topic.encode() + payload
    length, left = b"", len(body)
    while left > 127:
        length += bytes((left & 127 | 128,))
        left >>= 7
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00" + (b"\x30" + length + bytes((left,)) + body) * count)
    writer.write(b"\xe0\x00")
    await writer.drain()
    await reader.read()  # to the end: closing with its CONNACK unread would throw away what the broker has not read yet
    writer.close()
    await writer.wait_closed()


def client(port: int, **more: object) -> Mqtt:
    return Mqtt(**{"name": "broker", "host": "127.0.0.1", "port": port, "security": "none", "timeout_s": 3.0, "first_s": 0.3} | more)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def connected(port: int, **more: object) -> AsyncGenerator[Mqtt]:
    connector = client(port, **more)
    await connector.connect()
    try:
        yield connector
    finally:
        await connector.close()


async def until(connector: Mqtt, of: Tag, holds: Callable[[Sample], bool]) -> Sample:
    """The first sample that is as wanted; whatever waits longer than five seconds for it has failed."""
    sample = (await connector.read((of,)))[0]
    async with asyncio.timeout(5):
        while not holds(sample):
            await asyncio.sleep(0.005)
            sample = (await connector.read((of,)))[0]
    return sample
