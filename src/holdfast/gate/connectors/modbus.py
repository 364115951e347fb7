"""Modbus TCP: a device's registers as tags, polled in batches, and written with exactly one request.

Exception codes (V1.1b3 §7) fall into those that say nothing was done and those that leave it open; only the first are
`rejected`.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.clock import Clock, RealClock
from holdfast.gate.connectors import polled, registers, writable
from holdfast.gate.connectors.mbap import Mbap, NotSent, Refused
from holdfast.gate.connectors.modbus_write import ECHO, Writing
from holdfast.gate.connectors.pace import Budget, Pace
from holdfast.gate.connectors.polled import Columns
from holdfast.gate.connectors.registers import Area, Decoder, Order, Register, Span
from holdfast.gate.connectors.row import BAD_NODE_ID_INVALID, BAD_OUT_OF_RANGE
from holdfast.gate.connectors.scales import Scales
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_DECODING_ERROR, BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, GOOD, Frame, Sample, Sent, Tag, TagTable

_READ: dict[Area, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_BAD_DEVICE_FAILURE = 0x808B_0000
_BAD_RESOURCE_UNAVAILABLE = 0x8004_0000
_BAD_NOT_SUPPORTED = 0x803D_0000
_STATUS = {
    0x01: _BAD_NOT_SUPPORTED,
    0x02: BAD_NODE_ID_UNKNOWN,
    0x03: BAD_NODE_ID_UNKNOWN,
    0x04: _BAD_DEVICE_FAILURE,
    0x06: _BAD_RESOURCE_UNAVAILABLE,
    0x0A: BAD_NO_COMMUNICATION,
    0x0B: BAD_NO_COMMUNICATION,
}
# Illegal function, address or value, busy, no gateway path. 04 (failed while at it), 05 (still at it) and 0B (the
# device behind the gateway did not answer) are not among them.
PLANS_MAX = 1_000
_NOTHING_DONE = frozenset((0x01, 0x02, 0x03, 0x06, 0x0A))


class _Plan:
    """How some addresses are read: which registers they name, in which requests, and how the answers are decoded."""

    def __init__(self, registers_: Sequence[Register | None], spans: Sequence[Span], known: Sequence[int]) -> None:
        self.wanted = [register for register in registers_ if register is not None]
        self.spans = spans
        self.known = np.array(known, np.intp)
        self.width = len(registers_)
        # By first member and how many there are: spans and their halves are stretches of one order. At most 2n-1 for n registers.
        self._decoders: dict[tuple[int, int], Decoder] = {}

    def decoder(self, span: Span) -> Decoder:
        key = (span.members[0], len(span.members))
        found = self._decoders.get(key)
        if found is None:
            found = self._decoders[key] = Decoder(span, self.wanted)
        return found


@dataclass(kw_only=True)
class Modbus:
    """A Modbus TCP connection. Addresses: see `registers`."""

    name: str
    """The connection's name in the site file."""
    host: str
    """Address or name of the device or gateway."""
    port: int = 502
    """TCP port."""
    unit_id: int = 1
    """Unit identifier, 0 to 255; behind a gateway the serial address."""
    word_order: Order = "big"
    """Order of the words of values longer than one register, where the address does not say."""
    byte_order: Order = "big"
    """Order of the bytes in each word, where the address does not say."""
    gap_max: int = 16
    """Registers that nobody asked for are read along when there are no more of them than this between two tags."""
    words_max: int = 120
    """Most registers in one read request; the protocol allows 125, some devices less."""
    pipeline: int = 1
    """Requests that may be open at once. More than 1 only for a device known to bear it."""
    timeout_s: float = 3.0
    """Most seconds, real time, to wait for the device to accept a connection or to answer a read."""
    requests_per_s: float = 0.0
    """Most requests a second; 0 is no limit."""
    direct: bool = False
    """The device itself listens there, no gateway: then, after a crash, a read of the former value tells that a write did not land."""
    clock: Clock = field(default_factory=RealClock)
    state_dir: Path | None = None
    """Not used: a Modbus connection keeps nothing."""

    def __post_init__(self) -> None:
        # An option from `env:` arrives as text.
        self.port, self.unit_id, self.pipeline = int(self.port), int(self.unit_id), int(self.pipeline)
        self.gap_max, self.words_max, self.timeout_s = int(self.gap_max), int(self.words_max), float(self.timeout_s)
        if not 0 <= self.unit_id <= 255:
            raise ValueError(f"{self.name}: unit_id must lie in 0..255, not {self.unit_id}")
        if not 1 <= self.words_max <= 125:
            raise ValueError(f"{self.name}: words_max must lie in 1..125, not {self.words_max}")
        self._budget = Budget(float(self.requests_per_s))
        self._limited = self._budget.limited
        self._link: Mbap | None = None
        self._parsed: dict[str, Register | None] = {}  # one entry an address of the site file
        self._writings: dict[str, Writing] = {}  # one entry an address that is written
        self._plans: dict[tuple[str, ...], _Plan] = {}  # by addresses, PLANS_MAX of them
        self._paces: dict[str, Pace] = {}  # one entry a table
        self._lag_s = 0.0
        self._before = {"requests": 0, "late_answers": 0, "exceptions": 0}

    # ---- reader --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.close()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout_s):
                _, self._link = await loop.create_connection(lambda: Mbap(self.unit_id, self.pipeline), self.host, self.port)
        except (OSError, TimeoutError) as error:
            cause = str(error) or f"no answer within {self.timeout_s:g} s"
            raise ConnectionLost(
                f"{self.name}: {self.host}:{self.port} can't be reached ({cause}): check address, port and that the device runs"
            ) from None

    async def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._before["requests"] += link.requests
            self._before["late_answers"] += link.late
            link.abort("closed by us")
            await asyncio.sleep(0)  # abort() schedules connection_lost, which lets go of the socket
            await asyncio.sleep(0)

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        """Nothing: Modbus has no list of its registers."""
        for tag in ():
            yield tag

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        values, status = await self._poll(self._plan(tags), Scales(tags))
        now_ns = self.clock.now_ns()
        found = zip(tags, values.tolist(), status.tolist(), strict=True)
        return tuple(Sample(tag=t.name, value=v, status=s, source_ns=now_ns) for t, v, s in found)

    def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """Polls at the table's period; the source time is when the device answered, as Modbus carries none."""
        pace = self._paces.setdefault(table.id, Pace(self.clock, table.period_s))
        plan, scales = self._plan(table.tags), Scales(table.tags)

        async def poll() -> Columns:
            begun_ns = self.clock.monotonic_ns()
            found = await self._poll(plan, scales)
            self._lag_s = (self.clock.monotonic_ns() - begun_ns) / 1e9
            return found

        return polled.frames_of_columns(table, pace=pace, clock=self.clock, poll=poll, rests=self._rests)

    def health(self) -> Mapping[str, float]:
        link = self._link
        return {
            "connected": float(link is not None and not link.lost.done()),
            "lag_s": self._lag_s,
            "requests": float(self._before["requests"] + (link.requests if link else 0)),
            "late_answers": float(self._before["late_answers"] + (link.late if link else 0)),
            "exceptions": float(self._before["exceptions"]),
        }

    # ---- writer --------------------------------------------------------------------------------------------------

    def wire_value(self, tag: Tag, value: float) -> float:
        return registers.wire_value(self._writable(tag), tag.scale, writable.demand(tag, value))

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        """`rejected` also where nothing was sent: not connected, no value the register can hold, no turn in time."""
        try:
            writing = self._writings.get(tag.address)
            if writing is None:
                writing = self._writings[tag.address] = Writing(self._writable(tag))
            wanted = writable.demand(tag, value)
            pdu = writing.request(wanted if tag.scale is None else registers.to_raw(tag.scale, wanted))
        except ValueError:
            return "rejected"
        link = self._link
        if link is None:
            return "rejected"
        if self._limited:
            loop = asyncio.get_running_loop()
            until_s = loop.time() + timeout_s
            try:
                async with asyncio.timeout_at(until_s):
                    await self._budget.spend()
            except TimeoutError:
                return "rejected"
            timeout_s = until_s - loop.time()
        try:
            answer = await link.request(pdu, timeout_s=timeout_s)
        except NotSent:
            return "rejected"
        except Refused as refused:
            self._before["exceptions"] += 1
            return "rejected" if refused.code in _NOTHING_DONE else "unknown"
        except (TimeoutError, ConnectionError):
            return "unknown"
        return "acked" if answer == pdu[ECHO] else "unknown"

    # ---- inside --------------------------------------------------------------------------------------------------

    def _register(self, tag: Tag) -> Register | None:
        if tag.address not in self._parsed:
            try:
                self._parsed[tag.address] = registers.parse(tag.address, word_order=self.word_order, byte_order=self.byte_order)
            except ValueError:
                self._parsed[tag.address] = None
        return self._parsed[tag.address]

    def _writable(self, tag: Tag) -> Register:
        register = self._register(tag)
        if register is None:  # parse says what is wrong with it
            register = registers.parse(tag.address, word_order=self.word_order, byte_order=self.byte_order)
        if register.area in ("discrete", "input"):
            raise ValueError(
                f"{tag.name}: {tag.address} is a {register.area}, which nobody can write; coils are 0xxxx, holding registers 4xxxx"
            )
        return register

    def _plan(self, tags: Sequence[Tag]) -> _Plan:
        addresses = tuple([tag.address for tag in tags])
        plan = self._plans.get(addresses)
        if plan is None:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            parsed = [self._register(tag) for tag in tags]
            known = [i for i, register in enumerate(parsed) if register is not None]
            spans = registers.spans([parsed[i] for i in known], gap_max=self.gap_max, words_max=self.words_max)  # pyright: ignore[reportArgumentType]
            plan = self._plans[addresses] = _Plan(parsed, spans, known)
        return plan

    async def _poll(self, plan: _Plan, scales: Scales) -> Columns:
        """In engineering units, in the tags' order. Raises ConnectionLost once the device no longer answers."""
        link = self._link
        if link is None or link.lost.done():
            cause = link.lost.result() if link is not None else "it was not opened"
            raise ConnectionLost(f"{self.name}: no connection to {self.host}:{self.port}: {cause}")
        raw: Columns = np.full(len(plan.wanted), np.nan), np.zeros(len(plan.wanted), np.uint32)
        # Depth is bounded: each halving of a refused span leaves fewer members, at most 2n-1 requests for n tags.
        if self.pipeline == 1:
            for span in plan.spans:
                await self._read(link, span, plan, raw)
        else:
            left = iter(plan.spans)

            async def some() -> None:
                for span in left:
                    await self._read(link, span, plan, raw)

            for part in await asyncio.gather(*(some() for _ in range(self.pipeline)), return_exceptions=True):
                if isinstance(part, BaseException):
                    raise part
        if len(plan.wanted) == plan.width:
            values, status = raw
        else:
            values, status = np.full(plan.width, np.nan), np.full(plan.width, BAD_NODE_ID_INVALID, np.uint32)
            values[plan.known], status[plan.known] = raw
        values = scales.eng(values)
        unfit = (status == GOOD) & ~np.isfinite(values)
        status[unfit] = BAD_OUT_OF_RANGE
        values[status != GOOD] = np.nan
        return values, status

    async def _read(self, link: Mbap, span: Span, plan: _Plan, into: Columns) -> None:
        """Raw values of a span's members; a refused span is halved, so that one bad register degrades itself alone."""
        await self._budget.spend()
        pdu = struct.pack(">BHH", _READ[span.area], span.offset, span.count)
        try:
            body = await link.request(pdu, timeout_s=self.timeout_s)
        except Refused as refused:
            self._before["exceptions"] += 1
            smaller = registers.halves(span, plan.wanted) if refused.code in (0x02, 0x03) else ()
            if not smaller:
                into[1][list(span.members)] = _STATUS.get(refused.code, BAD_NO_COMMUNICATION)
            for half in smaller:
                await self._read(link, half, plan, into)
            return
        except TimeoutError:
            link.abort(f"no answer to a read within {self.timeout_s:g} s")
            raise ConnectionLost(f"{self.name}: {self.host}:{self.port} did not answer within {self.timeout_s:g} s") from None
        except (ConnectionError, NotSent) as error:
            raise ConnectionLost(f"{self.name}: {self.host}:{self.port}: {error}") from None
        words = _words(span, body)
        if words is None:
            into[1][list(span.members)] = BAD_DECODING_ERROR
        else:
            plan.decoder(span).into(words, into[0])

    async def _rests(self, wait_s: float) -> bool:
        """Wait for the next tick; True as soon as the connection is lost."""
        link = self._link
        if link is None or link.lost.done():
            return True
        if wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await asyncio.shield(link.lost)
        return link.lost.done() or self._link is not link


def _words(span: Span, body: bytes) -> NDArray[np.uint16] | None:
    """Registers, or one 0 or 1 a bit, (count,); None when the answer has not the length that was asked for."""
    if not body or body[0] != len(body) - 1:
        return None
    if span.area in ("holding", "input"):
        return np.frombuffer(body, ">u2", span.count, 1).astype(np.uint16) if body[0] == span.count * 2 else None
    if body[0] != (span.count + 7) // 8:
        return None
    return np.unpackbits(np.frombuffer(body, np.uint8, -1, 1), count=span.count, bitorder="little").astype(np.uint16)
