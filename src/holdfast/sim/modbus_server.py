"""A small Modbus TCP server: holding and input registers of a device that is handed in.

Functions 3, 4, 6 and 16 of the MODBUS Application Protocol V1.1b3, framed as in the TCP/IP Implementation Guide V1.0b.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import cast

HEADER = struct.Struct(">HHHB")
PDU_MAX = 253
CLIENTS_MAX = 32
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4


class ModbusServer:
    """`read()` gives all registers (0…65535 each); `write(address, words)` is False where the device refuses."""

    def __init__(self, unit_id: int, read: Callable[[], Sequence[int]], write: Callable[[int, Sequence[int]], bool]) -> None:
        self.unit_id = unit_id
        self._read = read
        self._write = write
        self._server: asyncio.Server | None = None
        self.connections: set[Connection] = set()
        self.port = 0
        self.requests = 0

    async def start(self) -> None:
        """Listen on 127.0.0.1, on the former port if there was one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the door and every connection; start may follow."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await self._server.wait_closed()
        self._server = None

    @property
    def up(self) -> bool:
        return self._server is not None

    def answer(self, pdu: bytes) -> bytes:
        """The response to one request; an exception response where it can't be served."""
        self.requests += 1
        function = pdu[0]
        try:
            if function in (3, 4):
                return self._registers(function, pdu)
            if function == 6:
                address, word = struct.unpack(">HH", pdu[1:])
                return self._written(function, address, (word,), pdu)
            if function == 16:
                address, count, size = struct.unpack(">HHB", pdu[1:6])
                if not 1 <= count <= 123 or size != 2 * count or len(pdu) != 6 + size:
                    return bytes((function | 0x80, ILLEGAL_VALUE))
                return self._written(function, address, struct.unpack(f">{count}H", pdu[6:]), pdu[:5])
        except struct.error:  # too short or too long for its function
            return bytes((function | 0x80, ILLEGAL_VALUE))
        return bytes((function | 0x80, ILLEGAL_FUNCTION))

    def _registers(self, function: int, pdu: bytes) -> bytes:
        address, count = struct.unpack(">HH", pdu[1:])
        if not 1 <= count <= 125:
            return bytes((function | 0x80, ILLEGAL_VALUE))
        registers = self._read()
        if address + count > len(registers):
            return bytes((function | 0x80, ILLEGAL_ADDRESS))
        return struct.pack(f">BB{count}H", function, 2 * count, *registers[address : address + count])

    def _written(self, function: int, address: int, words: tuple[int, ...], echo: bytes) -> bytes:
        if address + len(words) > len(self._read()):
            return bytes((function | 0x80, ILLEGAL_ADDRESS))
        if not self._write(address, words):
            return bytes((function | 0x80, DEVICE_FAILURE))
        return echo


class Connection(asyncio.Protocol):
    """One client. The buffer holds at most one message and what came with it."""

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = tcp = cast(asyncio.Transport, transport)  # uvloop's has the methods, not the class
        if len(self._server.connections) >= CLIENTS_MAX or not self._server.up:
            tcp.abort()
            return
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= HEADER.size and self._transport is not None:
            transaction, protocol, length, unit_id = HEADER.unpack_from(self._buffer)
            if protocol != 0 or not 2 <= length <= PDU_MAX + 1:
                self._transport.abort()
                return
            if len(self._buffer) < 6 + length:
                return
            pdu = bytes(self._buffer[HEADER.size : 6 + length])
            del self._buffer[: 6 + length]
            if unit_id != self._server.unit_id:
                continue  # another unit's: the guide has a device stay silent
            answer = self._server.answer(pdu)
            self._transport.write(HEADER.pack(transaction, 0, len(answer) + 1, unit_id) + answer)
