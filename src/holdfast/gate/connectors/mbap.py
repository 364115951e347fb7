"""Modbus requests over one TCP connection: transaction ids checked, late answers thrown away, nothing ever sent twice.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1.3 (MBAP header).
"""

import asyncio
import struct
from typing import cast

_HEADER = struct.Struct(">HHHB")  # transaction, protocol (0), bytes that follow (unit and PDU), unit
_PDU_MAX = 253


class Refused(Exception):
    """The device answered with an exception code (V1.1b3 §7)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code:#04x}")
        self.code = code


class NotSent(Exception):
    """Nothing of the request has left: the device can't have seen it."""


class Mbap(asyncio.Protocol):
    """One connection. `pipeline` requests may be open at once: 1, unless the device is known to bear more."""

    def __init__(self, unit_id: int, pipeline: int = 1) -> None:
        self._unit_id = unit_id
        self._transport: asyncio.Transport | None = None
        self._open = asyncio.Semaphore(pipeline)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}  # at most `pipeline` entries
        self._until_s: dict[int, float] = {}  # their time limits, on the loop's clock
        self._limit: asyncio.TimerHandle | None = None  # one for all that wait: most answers come long before it is due
        self._limit_s = 0.0
        self._buffer = bytearray()  # at most one message and what came in the same read
        self._last_id = 0
        self._loop = asyncio.get_running_loop()
        self.lost = self._loop.create_future()  # done with the reason once the connection is gone
        self.requests = 0
        self.late = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection broke ({exc})" if exc else "the device closed the connection")

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer)
            self._buffer.clear()
        at, end = 0, len(data)
        while end - at >= _HEADER.size:
            transaction, protocol, length, unit_id = _HEADER.unpack_from(data, at)
            if protocol != 0 or not 2 <= length <= _PDU_MAX + 1:
                self.abort("the device sent something that is no Modbus TCP")
                return
            if end - at < 6 + length:
                break
            waiting = self._waiting.get(transaction)
            if waiting is None or waiting.done() or unit_id != self._unit_id:
                self.late += 1  # the answer to a request that was given up, or nobody's: it must not answer another
            else:
                waiting.set_result(data[at + _HEADER.size : at + 6 + length])
            at += 6 + length
        if at < end:
            self._buffer += data[at:]

    async def request(self, pdu: bytes, *, timeout_s: float) -> bytes:
        """The answering PDU's body after its function code.

        Raises NotSent, Refused, TimeoutError or ConnectionError (the last two: the request's fate is unknown). The
        time limit, real seconds, covers waiting for the turn too.
        """
        loop = self._loop
        until_s = loop.time() + timeout_s
        if self._open.locked():
            try:
                async with asyncio.timeout_at(until_s):
                    await self._open.acquire()
            except TimeoutError:
                raise NotSent(f"earlier requests were not answered within {timeout_s:g} s") from None
        else:
            await self._open.acquire()  # at once
        transaction = 0
        try:
            transport = self._transport
            if transport is None or self.lost.done() or transport.is_closing():
                raise NotSent("the connection is closed")
            self._last_id = transaction = self._last_id % 0xFFFF + 1
            answer: asyncio.Future[bytes] = loop.create_future()
            self._waiting[transaction] = answer
            self._until_s[transaction] = until_s
            if self._limit is None or until_s < self._limit_s:
                self._watch(until_s)
            self.requests += 1
            transport.write(_HEADER.pack(transaction, 0, len(pdu) + 1, self._unit_id) + pdu)
            body = await answer
        finally:
            self._waiting.pop(transaction, None)
            self._until_s.pop(transaction, None)
            self._open.release()
        if body[0] == pdu[0] | 0x80 and len(body) == 2:
            raise Refused(body[1])
        if body[0] != pdu[0]:
            self.abort(f"the device answered function {body[0]} to function {pdu[0]}")
            raise ConnectionError("the answer belongs to another request")
        return body[1:]

    def abort(self, why: str) -> None:
        """Drop the connection: after a message that makes no sense nothing behind it can be trusted."""
        self._end(why)
        if self._transport is not None:
            self._transport.abort()

    def _watch(self, until_s: float) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit_s = until_s
        self._limit = self._loop.call_at(until_s, self._expire)

    def _expire(self) -> None:
        self._limit = None
        now_s = self._loop.time()
        for transaction, until_s in self._until_s.items():
            answer = self._waiting[transaction]
            if until_s <= now_s and not answer.done():
                answer.set_exception(TimeoutError())
        left = [until_s for until_s in self._until_s.values() if until_s > now_s]
        if left:
            self._watch(min(left))

    def _end(self, why: str) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if not self.lost.done():
            self.lost.set_result(why)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(why))
