"""An S7 device that answers what a test tells it to: late, wrong, half, or never. It counts what it gets."""

import asyncio
import struct
from collections.abc import Callable

Answer = bytes | None  # whole bytes to send, None for silence


class FaultyS7:
    """`answer(reference, pdu)` makes the bytes that go back to a read or write; `then_close` cuts the connection after them."""

    def __init__(self, answer: "Callable[[bytes, bytes], Answer]", *, then_close: bool = False, pdu_bytes: int = 240) -> None:
        self.answer = answer
        self.got: list[bytes] = []  # PDUs of reads and writes, in order
        self.port = 0
        self._pdu_bytes = pdu_bytes
        self._then_close = then_close
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def writes(self) -> int:
        return sum(pdu[10] == 0x05 for pdu in self.got)

    async def __aenter__(self) -> "FaultyS7":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                _, _, length = struct.unpack(">BBH", await reader.readexactly(4))
                said = await reader.readexactly(length - 4)
                if said[1] == 0xE0:  # connection request: confirmed
                    data: Answer = b"\x03\x00\x00\x0b\x06\xd0\x00\x01\x00\x02\x00"
                elif said[3 + 10] == 0xF0:
                    data = message(said[7:9], struct.pack(">BBHHH", 0xF0, 0, 1, 1, self._pdu_bytes), b"")
                else:
                    self.got.append(said[3:])
                    data = self.answer(said[7:9], said[3:])
                if data is not None:
                    writer.write(data)
                    await writer.drain()
                    if self._then_close and self.got:
                        break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


def message(reference: bytes, parameters: bytes, data: bytes, error: int = 0) -> bytes:
    """TPKT, COTP data, S7 answer with data."""
    pdu = struct.pack(">BBH2sHHH", 0x32, 0x03, 0, reference, len(parameters), len(data), error) + parameters + data
    return struct.pack(">BBHBBB", 3, 0, len(pdu) + 7, 2, 0xF0, 0x80) + pdu


def value(data: bytes) -> bytes:
    """One item of a read's answer."""
    return struct.pack(">BBH", 0xFF, 0x04, len(data) * 8) + data


def read_of(reference: bytes, *items: bytes) -> bytes:
    return message(reference, bytes((0x04, len(items))), b"".join(items))


def written(reference: bytes, code: int) -> bytes:
    return message(reference, b"\x05\x01", bytes((code,)))
