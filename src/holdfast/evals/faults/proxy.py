"""What a network does to a connection: a proxy that tears an answer in two, or loses requests at random."""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random

Framed = Callable[[bytes], int]  # the bytes of the first message, 0 while that can't be told


def opcua_frame(data: bytes) -> int:
    """OPC 10000-6 §7.1.2.2: type (3), chunk (1), size (4, little-endian)."""
    return int.from_bytes(data[4:8], "little") if len(data) >= 8 else 0


def modbus_frame(data: bytes) -> int:
    """MBAP: transaction (2), protocol (2), length (2) of what follows."""
    return int.from_bytes(data[4:6], "big") + 6 if len(data) >= 6 else 0


def s7_frame(data: bytes) -> int:
    """RFC 1006 §6: version (1), reserved (1), length (2) of all."""
    return int.from_bytes(data[2:4], "big") if len(data) >= 4 else 0


class Proxy:
    """`async with Proxy(port, framed, random) as proxy`: listens on `proxy.port` until the end, whatever happens to connections."""

    def __init__(self, port: int, framed: Framed, random: Random) -> None:
        self._to = port
        self._framed = framed
        self._random = random
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()  # two a connection; a client has one connection at a time
        self._flows: set[asyncio.Task[None]] = set()
        self._tear = False
        self.torn = asyncio.Event()
        self.lose_share = 0.0  # of requests, whole messages
        self.lost = 0
        self.port = 0

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self._cut()
        await asyncio.gather(*self._flows, return_exceptions=True)

    async def tear(self) -> None:
        """Let half of the next answer through, then cut the connection; return once that has happened."""
        self.torn.clear()
        self._tear = True
        await self.torn.wait()

    def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()
        for flow in self._flows:
            flow.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, there_writer)
        self._ends |= set(ends)
        for flow in (self._requests(reader, there_writer, ends), self._answers(there_reader, writer, ends)):
            task = asyncio.create_task(flow)
            self._flows.add(task)
            task.add_done_callback(self._flows.discard)

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, ends: tuple[asyncio.StreamWriter, ...]) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                buffer += data
                while (size := self._framed(buffer)) and len(buffer) >= size:
                    message, buffer = buffer[:size], buffer[size:]
                    if self._random.random() < self.lose_share:
                        self.lost += 1
                    else:
                        sink.write(message)
                await sink.drain()
        self._drop(ends)

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, ends: tuple[asyncio.StreamWriter, ...]) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self._tear:
                    self._tear = False
                    sink.write(data[: len(data) // 2])
                    await sink.drain()
                    self.torn.set()
                    break
                sink.write(data)
                await sink.drain()
        self._drop(ends)

    def _drop(self, ends: tuple[asyncio.StreamWriter, ...]) -> None:
        for end in ends:
            end.close()
            self._ends.discard(end)
