"""A Modbus TCP device that answers what a test tells it to: late, wrong, half, or never. It counts what it gets."""

import asyncio
import struct
from collections.abc import Callable

Answer = bytes | None  # whole bytes to send, None for silence


class Faulty:
    """`answer(transaction, unit_id, pdu)` makes the bytes that go back; `then_close` cuts the connection after them."""

    def __init__(self, answer: "Callable[[int, int, bytes], Answer]", *, then_close: bool = False) -> None:
        self.answer = answer
        self.got: list[bytes] = []  # PDUs, in order
        self.port = 0
        self._then_close = then_close
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def writes(self) -> int:
        return sum(pdu[0] in (5, 6, 15, 16) for pdu in self.got)

    async def __aenter__(self) -> "Faulty":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    def push(self, data: bytes) -> None:
        for writer in self._writers:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                transaction, _, length, unit_id = struct.unpack(">HHHB", await reader.readexactly(7))
                pdu = await reader.readexactly(length - 1)
                self.got.append(pdu)
                data = self.answer(transaction, unit_id, pdu)
                if data is not None:
                    writer.write(data)
                    await writer.drain()
                    if self._then_close:
                        break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


def message(transaction: int, unit_id: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit_id) + pdu


def well_behaved(pdu: bytes) -> bytes:
    """Registers hold their own offset; writes are echoed."""
    if pdu[0] in (3, 4):
        offset, count = struct.unpack_from(">HH", pdu, 1)
        return struct.pack(f">BB{count}H", pdu[0], count * 2, *(i & 0xFFFF for i in range(offset, offset + count)))
    return pdu[:5]
