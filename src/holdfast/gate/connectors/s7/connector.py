"""S7: a controller's data blocks, flags, inputs and outputs as tags, read in few requests and written with exactly one.

Return codes of an item and error codes of a request fall into those that say nothing was done and those that leave it open; only the first
are `rejected`. Source of the codes: the tables of Snap7 (s7_types.h) and of Wireshark's dissector of S7 Communication.
"""

import asyncio
import contextlib
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from holdfast.clock import Clock, RealClock
from holdfast.gate.connectors import polled, registers, writable
from holdfast.gate.connectors.pace import Budget, Pace
from holdfast.gate.connectors.polled import Columns
from holdfast.gate.connectors.row import BAD_NODE_ID_INVALID, BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from holdfast.gate.connectors.s7 import addresses, plan
from holdfast.gate.connectors.s7.addresses import Address
from holdfast.gate.connectors.s7.link import Broken, Link, NotSent, Refused
from holdfast.gate.connectors.s7.plan import Span
from holdfast.gate.connectors.s7.stretch import Stretch
from holdfast.gate.connectors.s7.telegrams import DONE
from holdfast.gate.connectors.scales import Scales
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_DECODING_ERROR, BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, GOOD, Frame, Sample, Sent, Tag, TagTable

Resource = Literal["pg", "op", "basic"]
_RESOURCES: Mapping[Resource, int] = {"pg": 1, "op": 2, "basic": 3}
PLANS_MAX = 1_000
BAD_ACCESS_DENIED = 0x801F_0000
_BAD_DEVICE_FAILURE = 0x808B_0000
_BAD_NOT_SUPPORTED = 0x803D_0000
_STATUS = {
    0x01: _BAD_DEVICE_FAILURE,  # hardware fault
    0x03: BAD_ACCESS_DENIED,
    0x05: BAD_NODE_ID_UNKNOWN,  # address out of range: the block is too short
    0x06: _BAD_NOT_SUPPORTED,
    0x07: BAD_TYPE_MISMATCH,
    0x0A: BAD_NODE_ID_UNKNOWN,  # no such block; or one with optimised access
    0x8104: BAD_ACCESS_DENIED,  # of a whole request: PUT/GET is not permitted in the CPU's properties
    0x8703: BAD_ACCESS_DENIED,
}
_SPLIT = frozenset((0x03, 0x05, 0x0A))  # refusals of a stretch that may be due to one part of it
# No: not allowed, no such address, no such type, types differ, no such object. A hardware fault (01) may come after the fact.
_NOTHING_DONE = frozenset((0x03, 0x05, 0x06, 0x07, 0x0A))
# No, of a whole request: service unknown or not allowed (PUT/GET is not permitted), function not available, wrong frame, wrong address,
# not supported, access refused.
_REQUEST_NOT_DONE = frozenset((0x8100, 0x8104, 0x8305, 0x8500, 0x8701, 0x8702, 0x8703))


class _Plan:
    """How some addresses are read: which of them can be, in which stretches. It lives as long as the connection."""

    def __init__(self, parsed: Sequence[Address | None], gap_max: int, pdu_bytes: int) -> None:
        self.width = len(parsed)
        self.columns = [i for i, address in enumerate(parsed) if address is not None]
        self.known = np.array(self.columns, np.intp)
        self.wanted = [address for address in parsed if address is not None]
        spans = plan.spans(self.wanted, gap_max=gap_max, pdu_bytes=pdu_bytes)
        self.stretches = tuple(Stretch(span, self.wanted) for span in spans)


@dataclass(kw_only=True)
class S7:
    """An S7 connection by PUT/GET: S7-300, 400, 1200, 1500. Addresses: see `addresses`."""

    name: str
    """The connection's name in the site file."""
    host: str
    """Address or name of the CPU or its communications processor."""
    port: int = 102
    """TCP port."""
    rack: int = 0
    """Rack of the CPU, 0 to 7."""
    slot: int = 1
    """Slot of the CPU, 0 to 31: 2 for an S7-300, as configured for a 400, 1 (or 0) for 1200 and 1500."""
    resource: Resource = "basic"
    """Which of the CPU's connection resources is taken: that of a programming device, of an operator panel, or of other S7 partners."""
    pdu_bytes: int = 960
    """Longest message that is asked for, 240 to 960; the CPU grants what it can."""
    gap_max: int = 16
    """Bytes that nobody asked for are read along when there are no more of them than this between two tags."""
    timeout_s: float = 3.0
    """Most seconds, real time, to wait for the CPU to accept a connection or to answer a read."""
    requests_per_s: float = 0.0
    """Most requests a second; 0 is no limit."""
    clock: Clock = field(default_factory=RealClock)
    state_dir: Path | None = None
    """Not used: an S7 connection keeps nothing."""

    def __post_init__(self) -> None:
        # An option from `env:` arrives as text.
        self.port, self.rack, self.slot, self.gap_max = int(self.port), int(self.rack), int(self.slot), int(self.gap_max)
        self.pdu_bytes, self.timeout_s = int(self.pdu_bytes), float(self.timeout_s)
        if not (0 <= self.rack <= 7 and 0 <= self.slot <= 31):
            raise ValueError(f"{self.name}: rack must lie in 0..7 and slot in 0..31, not {self.rack} and {self.slot}")
        if not 240 <= self.pdu_bytes <= 960:
            raise ValueError(f"{self.name}: pdu_bytes must lie in 240..960, not {self.pdu_bytes}")
        if self.resource not in _RESOURCES:
            raise ValueError(f"{self.name}: resource must be pg, op or basic, not {self.resource!r}")
        self._budget = Budget(float(self.requests_per_s))
        self._link: Link | None = None
        self._parsed: dict[str, Address | None] = {}  # one entry an address of the site file
        self._plans: dict[tuple[str, ...], _Plan] = {}  # by addresses, PLANS_MAX of them; anew with each connection
        self._paces: dict[str, Pace] = {}  # one entry a table
        self._lag_s = 0.0
        self._before = {"requests": 0, "late_answers": 0, "refusals": 0}

    # ---- reader --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.close()
        tsap = _RESOURCES[self.resource] << 8 | self.rack << 5 | self.slot
        try:
            self._link = await Link.opened(self.host, self.port, tsap=tsap, pdu_bytes=self.pdu_bytes, timeout_s=self.timeout_s)
        except (Broken, NotSent, Refused, OSError) as error:
            cure = f"check address, port {self.port}, rack {self.rack} and slot {self.slot}, and that the CPU has a connection free"
            raise ConnectionLost(f"{self.name}: {self.host}:{self.port} can't be reached ({error}): {cure}") from None

    async def close(self) -> None:
        link, self._link = self._link, None
        self._plans.clear()
        if link is not None:
            self._before["requests"] += link.requests
            self._before["late_answers"] += link.late
            link.abort("closed by us")
            await asyncio.sleep(0)  # abort() schedules connection_lost, which lets go of the socket
            await asyncio.sleep(0)

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        """Nothing: PUT/GET knows no symbols."""
        for tag in ():
            yield tag

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        asked = self._plan(tags)
        settled = await self._read_all(asked)
        now_ns = self.clock.now_ns()
        found = [(math.nan, BAD_NODE_ID_INVALID)] * len(tags)
        # One by one: arrays cost more than they save where a single tag is read back, and samples are made one by one anyway.
        for stretch, code, data in settled:
            status = _status(stretch, code, data)
            for member in stretch.span.members:
                column = asked.columns[member]
                found[column] = (math.nan, status) if status else _value(tags[column], asked.wanted[member], stretch, data)
        return tuple(Sample(tag=t.name, value=v, status=s, source_ns=now_ns) for t, (v, s) in zip(tags, found, strict=True))

    def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """Polls at the table's period; the source time is when the CPU answered, as S7 carries none."""
        pace = self._paces.setdefault(table.id, Pace(self.clock, table.period_s))
        scales, link = Scales(table.tags), self._link

        async def poll() -> Columns:
            begun_ns = self.clock.monotonic_ns()
            found = await self._poll(self._plan(table.tags), scales)
            self._lag_s = (self.clock.monotonic_ns() - begun_ns) / 1e9
            return found

        return polled.frames_of_columns(table, pace=pace, clock=self.clock, poll=poll, rests=lambda wait_s: self._rests(link, wait_s))

    def health(self) -> Mapping[str, float]:
        link = self._link
        return {
            "connected": float(link is not None and not link.is_broken()),
            "lag_s": self._lag_s,
            "requests": float(self._before["requests"] + (link.requests if link else 0)),
            "late_answers": float(self._before["late_answers"] + (link.late if link else 0)),
            "refusals": float(self._before["refusals"]),
            "pdu_bytes": float(link.pdu_bytes if link else 0),
        }

    # ---- writer --------------------------------------------------------------------------------------------------

    def wire_value(self, tag: Tag, value: float) -> float:
        address = self._writable(tag)
        raw = registers.to_raw(tag.scale, writable.demand(tag, value))
        return registers.to_eng(tag.scale, addresses.written(address, raw))

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        """`rejected` also where nothing was sent: not connected, no value the type can hold, no turn in time."""
        try:
            address = self._writable(tag)
            data = addresses.encode(address, registers.to_raw(tag.scale, writable.demand(tag, value)))
        except ValueError:
            return "rejected"
        link = self._link
        if link is None or link.is_broken():
            return "rejected"
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        if self._budget.limited:
            try:
                async with asyncio.timeout_at(until_s):
                    await self._budget.spend()
            except TimeoutError:
                return "rejected"
        try:
            code = await link.write(address, data, timeout_s=until_s - loop.time(), patience_s=self.timeout_s)
        except NotSent:
            return "rejected"
        except Refused as refused:
            self._before["refusals"] += 1
            return "rejected" if refused.code in _REQUEST_NOT_DONE else "unknown"
        except (TimeoutError, Broken):
            return "unknown"
        if code == DONE:
            return "acked"
        self._before["refusals"] += 1
        return "rejected" if code in _NOTHING_DONE else "unknown"

    # ---- inside --------------------------------------------------------------------------------------------------

    def _address(self, tag: Tag) -> Address | None:
        if tag.address not in self._parsed:
            try:
                self._parsed[tag.address] = addresses.parse(tag.address)
            except ValueError:
                self._parsed[tag.address] = None
        return self._parsed[tag.address]

    def _writable(self, tag: Tag) -> Address:
        address = self._address(tag) or addresses.parse(tag.address)  # parse says what is wrong with it
        if address.area == "I":
            raise ValueError(f"{tag.name}: {tag.address} is an input, which the CPU overwrites every cycle; write to a data block")
        return address

    def _plan(self, tags: Sequence[Tag]) -> _Plan:
        key = tuple([tag.address for tag in tags])
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            pdu_bytes = self._link.pdu_bytes if self._link is not None else self.pdu_bytes
            found = self._plans[key] = _Plan([self._address(tag) for tag in tags], self.gap_max, pdu_bytes)
        return found

    async def _poll(self, asked: _Plan, scales: Scales) -> Columns:
        """In engineering units, in the tags' order. Raises ConnectionLost once the CPU no longer answers."""
        raw, said = np.full(len(asked.wanted), np.nan), np.full(len(asked.wanted), GOOD, np.uint32)
        for stretch, code, data in await self._read_all(asked):
            status = _status(stretch, code, data)
            if status:
                said[stretch.members] = status
            else:
                stretch.into(data, raw)
        values, status = raw, said
        if len(asked.wanted) != asked.width:
            values, status = np.full(asked.width, np.nan), np.full(asked.width, BAD_NODE_ID_INVALID, np.uint32)
            values[asked.known], status[asked.known] = raw, said
        values = scales.eng(values)
        status[(status == GOOD) & ~np.isfinite(values)] = BAD_OUT_OF_RANGE
        values[status != GOOD] = np.nan
        return values, status

    async def _read_all(self, asked: _Plan) -> list[tuple[Stretch, int, bytes]]:
        """(stretch, return code, bytes) until all are settled. A refused stretch is halved, so that one bad address degrades itself
        alone; what was halved stays so, so that it costs no more requests the next time. At most 2n-1 stretches for n addresses.
        Raises ConnectionLost once the CPU no longer answers."""
        link = self._link
        if link is None or link.is_broken():
            why = "it was not opened" if link is None else link.is_broken()
            raise ConnectionLost(f"{self.name}: no connection to {self.host}:{self.port}: {why}")
        waiting = deque(asked.stretches)
        settled: list[tuple[Stretch, int, bytes]] = []
        while waiting:
            next_ones = [stretch.span for stretch in itertools.islice(waiting, plan.ITEMS_MAX)]
            part = [waiting.popleft() for _ in range(plan.first(next_ones, pdu_bytes=link.pdu_bytes))]
            for stretch, (code, data) in zip(part, await self._read(link, [one.span for one in part]), strict=True):
                smaller = stretch.halves() if code in _SPLIT else ()
                waiting.extend(smaller)
                if not smaller:
                    settled.append((stretch, code, data))
                if code != DONE:
                    self._before["refusals"] += 1
        if len(settled) != len(asked.stretches):
            asked.stretches = tuple([stretch for stretch, _, _ in settled])
        return settled

    async def _read(self, link: Link, spans: Sequence[Span]) -> Sequence[tuple[int, bytes]]:
        await self._budget.spend()
        try:
            return await link.read(spans, self.timeout_s)
        except Refused as refused:
            # The request as a whole: as a rule the CPU does not permit PUT/GET, so nothing is gained by asking for less.
            return [(refused.code, b"")] * len(spans)
        except (Broken, NotSent) as error:
            link.abort(str(error))
            raise ConnectionLost(f"{self.name}: {self.host}:{self.port}: {error}") from None

    async def _rests(self, link: Link | None, wait_s: float) -> bool:
        """Wait for the next tick; True as soon as the connection is lost."""
        if link is None or link.lost.done():
            return True
        if wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await asyncio.shield(link.lost)
        return link.lost.done() or self._link is not link


def _status(stretch: Stretch, code: int, data: bytes) -> int:
    """Of all tags in a stretch, by its answer; GOOD (0) where its bytes can be read."""
    if code != DONE:
        return _STATUS.get(code, _BAD_NOT_SUPPORTED if code > DONE else BAD_NO_COMMUNICATION)
    return GOOD if len(data) == stretch.span.count else BAD_DECODING_ERROR


def _value(tag: Tag, address: Address, stretch: Stretch, data: bytes) -> tuple[float, int]:
    at = address.byte - stretch.span.start
    value = registers.to_eng(tag.scale, addresses.decode(address, data[at : at + address.bytes]))
    return (value, GOOD) if math.isfinite(value) else (math.nan, BAD_OUT_OF_RANGE)
