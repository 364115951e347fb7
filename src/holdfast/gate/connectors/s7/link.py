"""One S7 connection: one request on the line at a time, each answer checked against its request, nothing ever sent twice.

The next request has its turn once the one before it was answered, also where nobody waits for that answer any more: a request is never sent
behind another of unknown fate. One that is not answered in the time that the connection has for it ends the connection.
"""

import asyncio
from collections.abc import Sequence
from typing import cast

from holdfast.gate.connectors.s7 import frames, telegrams
from holdfast.gate.connectors.s7.addresses import Address
from holdfast.gate.connectors.s7.frames import Frames, NoS7
from holdfast.gate.connectors.s7.plan import Span
from holdfast.gate.connectors.s7.telegrams import Answer
from holdfast.gate.connectors.turns import Crowded, Turns

PDU_BYTES_MIN = 128  # below it is no CPU of these families
LATE_MAX = 8  # answers to nobody that are passed over while waiting for one's own


class Broken(Exception):
    """The connection can't be used any more; what was sent last may have been done."""


class NotSent(Exception):
    """Nothing of the request has left: the CPU can't have seen it."""


class Refused(Exception):
    """The CPU refused a request as a whole, with the error class and code of its header."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code:#06x}")
        self.code = code


class Link(asyncio.Protocol):
    """`requests` and `late` count since it was made. Made by `opened`."""

    def __init__(self, pdu_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._turns = Turns(1)  # given back by the answer, not by who asked
        self._reference = 0
        self._answer: asyncio.Future[Answer] | None = None  # of the request on the line
        self._until_s = self._patience_s = 0.0  # how long it is waited for, and how long the connection bears its silence
        self._limit: asyncio.TimerHandle | None = None  # one for all requests: most answers come long before it is due
        self._limit_s = 0.0
        self._strays = 0  # since the last answer that was waited for
        self._confirmed: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()  # done with the reason once the connection is gone
        self.pdu_bytes = pdu_bytes  # wanted, and once open what the CPU grants
        self.requests = 0
        self.late = 0

    # ---- the loop's side -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection broke ({exc})" if exc else "the CPU closed the connection")

    def data_received(self, data: bytes) -> None:
        if self.lost.done():
            return
        try:
            for message in self._frames.feed(data):
                self._take(telegrams.answer(message))
        except NoS7 as error:
            self.abort(f"the CPU sent {error}")
            return
        if self._frames.tpdu_bytes and not self._confirmed.done():
            self._confirmed.set_result(None)

    # ---- the connector's side ------------------------------------------------------------------------------------

    @staticmethod
    async def opened(host: str, port: int, *, tsap: int, pdu_bytes: int, timeout_s: float) -> "Link":
        """Connect, and agree on the message's size. Raises Broken with the cause, or OSError."""
        loop = asyncio.get_running_loop()
        link = Link(pdu_bytes)
        until_s = loop.time() + timeout_s
        try:
            async with asyncio.timeout_at(until_s):
                transport, _ = await loop.create_connection(lambda: link, host, port)
                transport.write(frames.connection_request(tsap))
                await link._confirmed
                answer = await link._exchange(telegrams.setup(pdu_bytes), b"", until_s=until_s, patience_s=until_s)
            granted = telegrams.granted(answer)
            if granted < PDU_BYTES_MIN:
                raise Broken(f"the CPU grants messages of {granted} bytes, which is too few")
            link.pdu_bytes = min(granted, pdu_bytes)
        except BaseException as error:
            link.abort("not opened")
            if isinstance(error, TimeoutError):
                raise Broken(f"no answer within {timeout_s:g} s") from None
            if isinstance(error, NoS7):
                raise Broken(f"the CPU sent {error}") from None
            raise
        return link

    async def read(self, spans: Sequence[Span], timeout_s: float) -> list[tuple[int, bytes]]:
        """(return code, bytes) of each stretch, as `telegrams.stretches` says.

        Raises NotSent, Refused, and Broken; a CPU that does not answer within `timeout_s` ends the connection.
        """
        until_s = self._loop.time() + timeout_s
        try:
            answer = await self._exchange(telegrams.read(spans), b"", until_s=until_s, patience_s=until_s)
            return telegrams.stretches(answer, spans)
        except TimeoutError:
            why = f"it did not answer within {timeout_s:g} s"
        except NoS7 as error:
            why = f"the CPU sent {error}"
        self.abort(why)
        raise Broken(why) from None

    async def write(self, address: Address, value: bytes, *, timeout_s: float, patience_s: float) -> int | None:
        """The CPU's return code, None where its answer has none.

        Raises NotSent, Refused, and, where the fate is open, TimeoutError or Broken. An answer that comes within `patience_s`, too late
        for whoever asked, is taken off the line and the connection stays.
        """
        now_s = self._loop.time()
        parameters, data = telegrams.write(address, value)
        return telegrams.outcome(
            await self._exchange(parameters, data, until_s=now_s + timeout_s, patience_s=now_s + max(timeout_s, patience_s))
        )

    def abort(self, why: str) -> None:
        """Drop the connection: after a message that makes no sense, or none, nothing behind it can be trusted."""
        self._end(why)
        if self._transport is not None:
            self._transport.abort()

    def is_broken(self) -> str:
        """Why it can't be used, empty while it can."""
        return self.lost.result() if self.lost.done() else ""

    # ---- inside --------------------------------------------------------------------------------------------------

    async def _exchange(self, parameters: bytes, data: bytes, *, until_s: float, patience_s: float) -> Answer:
        if not self._turns.take():
            try:
                await self._turns.wait(until_s)
            except Crowded as error:
                raise NotSent(str(error)) from None
        transport = self._transport
        if transport is None or self.lost.done() or transport.is_closing():
            self._turns.give()
            raise NotSent(self.is_broken() or "the connection is closed")
        self._reference = self._reference % 0xFFFF + 1
        self._until_s, self._patience_s = until_s, patience_s
        self._answer = answer = self._loop.create_future()
        if self._limit is None or until_s < self._limit_s:
            self._watch(until_s)
        self.requests += 1
        transport.write(frames.data(telegrams.request(self._reference, parameters, data), self._frames.tpdu_bytes))
        found = await answer
        if found.error:
            raise Refused(found.error)
        return found

    def _take(self, found: Answer) -> None:
        answer = self._answer
        if answer is None or found.reference != self._reference:
            self.late += 1  # nobody's: it must not answer another
            self._strays += 1
            if self._strays > LATE_MAX:
                raise NoS7(f"{self._strays} answers that belong to no request")
            return
        self._answer, self._strays = None, 0
        if answer.done():
            self.late += 1  # whoever asked gave up
        else:
            answer.set_result(found)
        self._turns.give()

    def _watch(self, until_s: float) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit_s = until_s
        self._limit = self._loop.call_at(until_s, self._expire)

    def _expire(self) -> None:
        self._limit = None
        answer, now_s = self._answer, self._loop.time()
        if answer is None:
            return
        if self._until_s <= now_s and not answer.done():
            answer.set_exception(TimeoutError())
        if self._patience_s <= now_s:
            self.abort("the CPU does not answer")
        else:
            self._watch(self._until_s if self._until_s > now_s else self._patience_s)

    def _end(self, why: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(why)
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if not self._confirmed.done():
            self._confirmed.set_exception(Broken(why))
            self._confirmed.exception()  # nobody may wait for it
        answer, self._answer = self._answer, None
        if answer is not None:
            if not answer.done():
                answer.set_exception(Broken(why))
            self._turns.give()
