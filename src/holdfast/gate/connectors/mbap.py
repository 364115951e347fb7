"""Modbus requests over one TCP connection: transaction ids checked, late answers thrown away, nothing ever sent twice.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1.3 (MBAP header).
"""

import asyncio
import math
import struct
from typing import cast

from holdfast.gate.connectors.turns import Crowded, Turns

_HEADER = struct.Struct(">HHHB")  # transaction, protocol (0), bytes that follow (unit and PDU), unit
_PDU_MAX = 253
_SIZE_MAX = 6 + 1 + _PDU_MAX  # of a message
_FUNCTION = 7  # its place in a message


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
        self._transport: asyncio.Transport | None = None  # None before the connection is made and once it is lost
        self._turns = Turns(pipeline)
        self._waiting: dict[int, tuple[asyncio.Future[bytes], float]] = {}  # at most `pipeline`: answer, time limit on the loop's clock
        self._limit: asyncio.TimerHandle | None = None  # one for all that wait: most answers come long before it is due
        self._limit_s = math.inf  # when that is due
        self._buffer = bytearray()  # at most one message and what came in the same read
        self._loop = asyncio.get_running_loop()
        self.lost = self._loop.create_future()  # done with the reason once the connection is gone
        self.requests = 0
        self.late = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def eof_received(self) -> None:
        self._end("the device closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection broke ({exc})" if exc else "the device closed the connection")

    def data_received(self, data: bytes) -> None:
        size = len(data)
        if 9 <= size <= _SIZE_MAX and not self._buffer:  # as a rule it is one whole answer
            transaction, protocol, length, unit_id = _HEADER.unpack_from(data)
            if protocol == 0 and size == 6 + length and unit_id == self._unit_id:
                waiting = self._waiting.get(transaction)
                if waiting is not None and not waiting[0].done():
                    waiting[0].set_result(data)
                    return
        self._taken_apart(data)

    def _taken_apart(self, data: bytes) -> None:
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
            if waiting is None or waiting[0].done() or unit_id != self._unit_id:
                self.late += 1  # the answer to a request that was given up, or nobody's: it must not answer another
            else:
                waiting[0].set_result(data[at : at + 6 + length])
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
        turns = self._turns
        if not turns.take():
            try:
                await turns.wait(until_s)
            except Crowded as error:
                raise NotSent(str(error)) from None
        transport = self._transport
        if transport is None:
            turns.give()
            raise NotSent("the connection is closed")
        self.requests = sent = self.requests + 1
        transaction = sent & 0xFFFF
        answer: asyncio.Future[bytes] = loop.create_future()
        self._waiting[transaction] = answer, until_s
        if until_s < self._limit_s:
            self._watch(until_s)
        try:
            transport.write(_HEADER.pack(transaction, 0, len(pdu) + 1, self._unit_id) + pdu)
            message = await answer
        finally:
            del self._waiting[transaction]
            turns.give()
        function = message[_FUNCTION]
        if function == pdu[0]:
            return message[_FUNCTION + 1 :]
        if function == pdu[0] | 0x80 and len(message) == _FUNCTION + 2:
            raise Refused(message[_FUNCTION + 1])
        self.abort(f"the device answered function {function} to function {pdu[0]}")
        raise ConnectionError("the answer belongs to another request")

    def abort(self, why: str) -> None:
        """Drop the connection: after a message that makes no sense nothing behind it can be trusted."""
        self._end(why)

    def _watch(self, until_s: float) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit_s = until_s
        self._limit = self._loop.call_at(until_s, self._expire)

    def _expire(self) -> None:
        self._limit, self._limit_s = None, math.inf
        now_s = self._loop.time()
        for answer, until_s in self._waiting.values():
            if until_s <= now_s and not answer.done():
                answer.set_exception(TimeoutError())
        left = [until_s for _, until_s in self._waiting.values() if until_s > now_s]
        if left:
            self._watch(min(left))

    def _end(self, why: str) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if not self.lost.done():
            self.lost.set_result(why)
        for answer, _ in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError(why))
