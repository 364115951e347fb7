"""MQTT as tags: the newest message of each topic or metric, a row each period; and writes of exactly one PUBLISH.

A broker's PUBACK says that the broker has it, not the device. So a write is `acked` only when the device itself says the
new value on the topic or metric that the tag is read from.
"""

import asyncio
import contextlib
import math
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from holdfast.clock import Clock, RealClock
from holdfast.gate.connectors import polled, registers, writable
from holdfast.gate.connectors.mqtt import addresses, browse, payload, sparkplug
from holdfast.gate.connectors.mqtt.addresses import NAMESPACE, Metric, Plain
from holdfast.gate.connectors.mqtt.heard import Heard
from holdfast.gate.connectors.mqtt.nodes import Cell
from holdfast.gate.connectors.mqtt.payload import TimeUnit
from holdfast.gate.connectors.pace import Budget, Pace
from holdfast.gate.connectors.polled import Polled
from holdfast.gate.connectors.row import BAD_NODE_ID_INVALID, BAD_OUT_OF_RANGE, is_bad
from holdfast.ports import ConnectionLost
from holdfast.terms import GOOD, SECOND_NS, Frame, Sample, Sent, Tag, TagTable

if TYPE_CHECKING:
    from holdfast.gate.connectors.mqtt import session

REBIRTH_EVERY_S = 5.0  # one edge node is asked for its birth no more often than this
ASK_AGAIN_EVERY_S = 30.0  # while nothing at all was heard of it
_NAN = math.nan


@dataclass(kw_only=True)
class Mqtt:
    """A connection to an MQTT broker. Addresses: see `addresses`."""

    name: str
    """The connection's name in the site file."""
    host: str
    """Address or name of the broker; with TLS a name in its certificate."""
    port: int = 0
    """TCP port; 0 is 8883 with TLS, else 1883."""
    protocol: Literal["mqtt5", "mqtt311"] = "mqtt5"
    """Version of the protocol. With mqtt311 a broker can't say that it refused a write, and drops no late ones."""
    security: Literal["tls", "none"] = "tls"
    """`tls` believes only the authority in `server`."""
    server: Path | str = ""
    """File with the certificate (PEM) of the authority that signed the broker's, or the broker's own. Needed with tls."""
    login: str = ""
    """`user:password`, "" for none."""
    client_cert: Path | str = ""
    """The gate's own certificate (PEM), where the broker wants one."""
    client_key: Path | str = ""
    """Its private key (PEM)."""
    client_id: str = ""
    """Client identifier; "" lets the broker make one. Two clients of one identifier throw each other out."""
    qos: int = 0
    """Quality of service of plain subscriptions; Sparkplug's are 1."""
    write_qos: int = 0
    """0: a command arrives at most once. 1: a broker may deliver it twice, or late to a device that was away."""
    stale_s: float = 60.0
    """A plain topic unheard for this long is Uncertain; 0 for topics that speak only on change. A metric has its node's death instead."""
    time: str = ""
    """Path of the source time in JSON payloads, "" where they have none."""
    time_unit: TimeUnit = "ms"
    """What that time counts since 1970, or `iso` for text with an offset from UTC."""
    rebirth: bool = True
    """May ask Sparkplug nodes for their birth (NCMD "Node Control/Rebirth"); without it metrics stay Bad until one comes by itself."""
    first_s: float = 2.0
    """Most seconds, real time, that a read waits for the first message of a tag: a broker can't be asked for a value."""
    browse_s: float = 3.0
    """How long browsing listens, real time."""
    payload_bytes_max: int = 262_144
    """A longer payload is let pass unread, and its tags are Bad."""
    timeout_s: float = 3.0
    """Most seconds, real time, that the broker may take for an answer, and that it may be silent."""
    requests_per_s: float = 0.0
    """Most writes a second; 0 is no limit."""
    clock: Clock = field(default_factory=RealClock)
    state_dir: Path | None = None
    """Not used: an MQTT connection keeps nothing."""

    def __post_init__(self) -> None:
        # An option from `env:` arrives as text.
        self.port = int(self.port) or (8883 if self.security == "tls" else 1883)
        self.qos, self.write_qos = int(self.qos), int(self.write_qos)
        self.stale_s, self.first_s, self.timeout_s = float(self.stale_s), float(self.first_s), float(self.timeout_s)
        self.browse_s, self.payload_bytes_max = float(self.browse_s), int(self.payload_bytes_max)
        if str(self.security).casefold() == "none":
            self.security = "none"
        self._demand()
        self._time = addresses.path(self.time)
        self._budget = Budget(float(self.requests_per_s))
        self._session: session.Session | None = None
        self._heard = self._deaf()
        self._asked_s: dict[tuple[str, str], float] = {}  # one entry an edge node: when it was last asked for its birth
        self._waited: set[str] = set()  # addresses that a read has waited for, of this connection
        self._parsed: dict[str, Plain | Metric | None] = {}  # one entry an address of the site file
        self._paces: dict[str, Pace] = {}  # one entry a table
        self._changed = asyncio.Event()
        self._counts = {"messages": 0, "too_large": 0, "unreadable": 0, "gaps": 0, "deaths": 0, "historical": 0, "writes": 0, "rebirths": 0}

    # ---- reader --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.close()
        self._heard = self._deaf()
        self._session = await self._opened(self._heard.hear)

    async def close(self) -> None:
        link, self._session = self._session, None
        if link is not None:
            for name, number in self._running(link).items():
                self._counts[name] += number
            self._heard = self._deaf()
            self._waited.clear()
            self._asked_s.clear()
            link.close()
            await asyncio.sleep(0)

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        """What speaks within `browse_s` below a topic (all by default): metrics of births, which Sparkplug nodes are asked
        for, numbers and numbers in JSON. A topic that nobody wrote to meanwhile and that is not retained is not found."""
        found = browse.Found(self.name)
        link = await self._opened(found.hear)
        try:
            codes = await link.subscribe([(f"{under.rstrip('/')}/#" if under else "#", 1)])
            if codes[0] >= 0x80:
                raise ConnectionLost(f"{self.name}: the broker does not let us listen below {under or '#'}: name a topic that it allows")
            until_s = asyncio.get_running_loop().time() + self.browse_s
            asked: set[tuple[str, str]] = set()  # at most browse.NODES_MAX
            while (left_s := until_s - asyncio.get_running_loop().time()) > 0 and not link.lost.done():
                for node in found.unborn() - asked if self.rebirth else ():
                    asked.add(node)
                    self._ask_rebirth(link, node)
                await asyncio.wait((link.lost,), timeout=min(left_s, 0.1))
            if link.lost.done():
                raise ConnectionLost(f"{self.name}: browsing {self.host}:{self.port} broke off: {link.lost.result()}")
        finally:
            link.close()
        for tag in found.tags():
            yield tag

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        """The newest message of each: MQTT has no request for a value. Waits `first_s` for those that were never heard."""
        found = await self._poll(tags, self.first_s)
        return tuple(Sample(tag=t.name, value=v, status=s, source_ns=at) for t, (v, s, at) in zip(tags, found, strict=True))

    def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """The newest message of each tag, each period. Alive is what sends or answers a ping within `timeout_s`."""
        pace = self._paces.setdefault(table.id, Pace(self.clock, table.period_s))
        link = self._session
        wait_s = min(self.clock.real_s(table.period_s), self.first_s)
        return polled.frames(
            table, pace=pace, clock=self.clock, poll=lambda: self._poll(table.tags, wait_s), rests=lambda rest_s: self._rests(link, rest_s)
        )

    def health(self) -> Mapping[str, float]:
        link = self._session
        running = self._running(link) if link is not None else {}
        offsets = [node.offset_ns for node in self._heard.nodes.values() if node.offset_ns is not None]
        return {
            "connected": float(link is not None and not link.lost.done()),
            **{name: float(number + running.get(name, 0)) for name, number in self._counts.items()},
            "clock_offset_s": max(offsets, key=abs) / SECOND_NS if offsets else 0.0,
        }

    # ---- writer --------------------------------------------------------------------------------------------------

    def wire_value(self, tag: Tag, value: float) -> float:
        """Raises ValueError also for a metric whose birth was not heard: it tells the type."""
        return registers.to_eng(tag.scale, self._command(tag, value)[3])

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        """`acked`: the device said the new value itself. `rejected`: nothing was sent, or the broker (mqtt5 and `write_qos` 1)
        said no or knows nobody who listens. `unknown`: neither within the time limit."""
        from holdfast.gate.connectors.mqtt.session import NO_SUBSCRIBER, REFUSED, NotSent

        link = self._session
        if link is None or link.lost.done():
            return "rejected"
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        try:
            address, topic, data, wanted = self._command(tag, value)
            async with asyncio.timeout_at(until_s):
                await self._watch(link, (address,))  # or its echo would not be heard
                await self._budget.spend()
        except (ValueError, TimeoutError, ConnectionLost):
            return "rejected"
        echoed: asyncio.Future[None] = loop.create_future()
        unlisten = self._heard.listen(address, lambda said, status: _settle(echoed, status == GOOD and _same(tag, said, wanted)))
        answer: asyncio.Future[int] | None = None
        try:
            qos = int(self.write_qos) if isinstance(address, Plain) else 0  # commands of Sparkplug are 0 (§6.4.26, §6.4.27)
            answer = link.publish(topic, data, qos=qos, expires_s=max(math.ceil(timeout_s), 1))
            self._counts["writes"] += 1
            waiting: set[asyncio.Future[None] | asyncio.Future[int] | asyncio.Future[str]] = {echoed, answer, link.lost}
            while not echoed.done() and not link.lost.done() and waiting and until_s > loop.time():
                done, _ = await asyncio.wait(waiting, timeout=until_s - loop.time(), return_when=asyncio.FIRST_COMPLETED)
                waiting -= done
                if answer in done and not answer.cancelled() and (answer.result() >= REFUSED or answer.result() == NO_SUBSCRIBER):
                    return "rejected"
        except NotSent:
            return "rejected"
        finally:
            unlisten()
            if answer is not None:
                answer.cancel()
        return "acked" if echoed.done() else "unknown"

    # ---- inside --------------------------------------------------------------------------------------------------

    def _demand(self) -> None:
        """Raises ValueError for options that don't go together."""
        if self.security not in ("tls", "none"):
            raise ValueError(f"{self.name}: security {self.security!r} is not offered: write tls, or none")
        if self.security == "tls" and not self.server:
            raise ValueError(f"{self.name}: security tls needs the certificate of the broker's authority: server: file:ca.pem")
        if bool(self.client_cert) != bool(self.client_key):
            raise ValueError(f"{self.name}: client_cert and client_key go together")
        if self.qos not in (0, 1) or self.write_qos not in (0, 1):
            raise ValueError(f"{self.name}: qos and write_qos are 0 or 1")
        if self.protocol not in ("mqtt5", "mqtt311"):
            raise ValueError(f"{self.name}: protocol is mqtt5 or mqtt311, not {self.protocol!r}")

    def _deaf(self) -> Heard:
        return Heard(self.clock, stale_s=self.stale_s, time=self._time, time_unit=self.time_unit, doubt=self._doubt)

    async def _opened(self, hear: "session.Heard") -> "session.Session":
        try:
            from holdfast.gate.connectors.mqtt import session
        except ImportError:
            raise ConnectionLost(f"{self.name}: paho-mqtt is not installed: install holdfast with its extra `mqtt`") from None
        tls = self.security == "tls"
        address = session.Address(
            name=self.name, host=self.host, port=self.port, v5=self.protocol == "mqtt5", tls=tls, ca=Path(self.server) if tls else None,
            certificate=Path(self.client_cert) if self.client_cert else None, key=Path(self.client_key) if self.client_key else None,
            login=self.login, client_id=self.client_id, alive_s=self.timeout_s, timeout_s=self.timeout_s,
            payload_bytes_max=self.payload_bytes_max,
        )  # fmt: skip
        try:
            opened = session.Session(address, hear)
        except (OSError, ValueError) as error:
            raise ConnectionLost(f"{self.name}: {error}: check `server`, `client_cert` and `client_key`") from None
        await opened.open()
        return opened

    def _address(self, tag: Tag) -> Plain | Metric | None:
        if tag.address not in self._parsed:
            try:
                self._parsed[tag.address] = addresses.parse(tag.address)
            except ValueError:
                self._parsed[tag.address] = None
        return self._parsed[tag.address]

    async def _poll(self, tags: Sequence[Tag], wait_s: float) -> Sequence[Polled]:
        """What is known of each tag. Raises ConnectionLost."""
        link = self._session
        if link is None or link.lost.done():
            cause = link.lost.result() if link is not None else "it was not opened"
            raise ConnectionLost(f"{self.name}: no connection to {self.host}:{self.port}: {cause}")
        parsed = [self._address(tag) for tag in tags]
        await self._watch(link, [address for address in parsed if address is not None])
        await self._wait_first(link, tags, parsed, wait_s)
        if link.lost.done():
            raise ConnectionLost(f"{self.name}: {self.host}:{self.port}: {link.lost.result()}")
        self._ask_unborn(link)
        now_ns, monotonic_ns, state = self.clock.now_ns(), self.clock.monotonic_ns(), self._heard.state
        found: list[Polled] = []
        for tag, address in zip(tags, parsed, strict=True):
            if address is None:
                found.append((_NAN, BAD_NODE_ID_INVALID, now_ns))
                continue
            said = state(address, now_ns, monotonic_ns)
            found.append(said if tag.scale is None or is_bad(said[1]) else _scaled(tag, *said))
        return found

    async def _watch(self, link: "session.Session", wanted: Sequence[Plain | Metric]) -> None:
        """Subscribe to what is not yet. Raises ConnectionLost."""
        heard = self._heard
        filters = heard.watch(wanted, int(self.qos))
        if not filters:
            return
        codes = await link.subscribe(filters)
        heard.refuse([name for (name, _), code in zip(filters, codes, strict=True) if code >= 0x80])
        self._ask_unborn(link)

    async def _wait_first(
        self, link: "session.Session", tags: Sequence[Tag], parsed: Sequence[Plain | Metric | None], wait_s: float
    ) -> None:
        """Only once an address and connection: what stays silent must not hold up every read."""
        waiting = [address for tag, address in zip(tags, parsed, strict=True) if address is not None and tag.address not in self._waited]
        if not waiting:
            return
        self._heard.changed = self._changed.set
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while (waiting := [address for address in waiting if not self._heard.is_heard(address)]) and not link.lost.done():
                    self._changed.clear()
                    await self._changed.wait()
        self._heard.changed = None
        self._waited.update(tag.address for tag in tags)

    def _doubt(self, node: tuple[str, str]) -> None:
        """An edge node said what we can't place: it is asked for its birth, at most once in REBIRTH_EVERY_S."""
        link = self._session
        if self.rebirth and link is not None and asyncio.get_running_loop().time() - self._asked_s.get(node, -math.inf) >= REBIRTH_EVERY_S:
            self._ask_rebirth(link, node)

    def _ask_unborn(self, link: "session.Session") -> None:
        now_s = asyncio.get_running_loop().time()
        for name, node in self._heard.nodes.items():
            if self.rebirth and not node.born and not node.died and now_s - self._asked_s.get(name, -math.inf) >= ASK_AGAIN_EVERY_S:
                self._ask_rebirth(link, name)

    def _ask_rebirth(self, link: "session.Session", node: tuple[str, str]) -> None:
        from holdfast.gate.connectors.mqtt.session import NotSent

        self._asked_s[node] = asyncio.get_running_loop().time()
        data = sparkplug.command(
            name="Node Control/Rebirth", alias=None, datatype=sparkplug.BOOLEAN, raw=1.0, field=0, time_ms=self.clock.now_ns() // 1_000_000
        )
        with contextlib.suppress(NotSent):
            link.publish(f"{NAMESPACE}/{node[0]}/NCMD/{node[1]}", data, qos=0, expires_s=math.ceil(REBIRTH_EVERY_S))
            self._counts["rebirths"] += 1

    def _command(self, tag: Tag, value: float) -> tuple[Plain | Metric, str, bytes, float]:
        """(address, topic, payload, raw value that arrives). Raises ValueError."""
        address = self._address(tag) or addresses.parse(tag.address)  # parse says what is wrong with it
        raw = registers.to_raw(tag.scale, writable.demand(tag, value))
        if isinstance(address, Plain):
            if not address.command:
                raise ValueError(f"{tag.name}: {tag.address} names no topic for commands: write it as STATE TOPIC -> COMMAND TOPIC")
            kind = "float" if tag.type == "float" or tag.scale is not None else tag.type
            if not math.isfinite(raw):
                raise ValueError(f"{tag.name}: {value:g} does not fit a number")
            return address, address.command, payload.encode(raw, address.command_path, kind=kind), raw
        cell = self._cell(address)
        if cell is None:
            raise ValueError(f"{tag.name}: the type of {tag.address} is not known yet: its node's birth was not heard")
        wire = sparkplug.wire_value(cell.datatype, raw)
        time_ms = self.clock.now_ns() // 1_000_000
        data = sparkplug.command(name=address.name, alias=cell.alias, datatype=cell.datatype, raw=wire, field=cell.field, time_ms=time_ms)
        kind, behind = ("DCMD", f"/{address.device}") if address.device else ("NCMD", "")
        return address, f"{NAMESPACE}/{address.group}/{kind}/{address.edge}{behind}", data, wire

    def _cell(self, address: Metric) -> Cell | None:
        """None unless the device lives and nothing of its node is in doubt: an alias may mean something else by now."""
        node = self._heard.nodes.get(address.node)
        if node is None or node.in_doubt or address.device not in node.born:
            return None
        return node.cells.get((address.device, address.name))

    def _running(self, link: "session.Session") -> dict[str, int]:
        nodes = self._heard.nodes.values()
        return {
            "messages": link.messages,
            "too_large": link.too_large,
            "unreadable": self._heard.unreadable,
            "gaps": sum(node.gaps for node in nodes),
            "deaths": sum(node.deaths for node in nodes),
            "historical": sum(node.historical for node in nodes),
        }

    async def _rests(self, link: "session.Session | None", wait_s: float) -> bool:
        """Wait for the next tick; True as soon as the connection is lost."""
        if link is None or link is not self._session:
            return True
        if wait_s > 0 and not link.lost.done():
            await asyncio.wait((link.lost,), timeout=wait_s)
        return link.lost.done() or self._session is not link


def _scaled(tag: Tag, value: float, status: int, source_ns: int) -> Polled:
    eng = registers.to_eng(tag.scale, value)
    return (eng, status, source_ns) if math.isfinite(eng) else (_NAN, BAD_OUT_OF_RANGE, source_ns)


def _settle(waiting: "asyncio.Future[None]", now: bool) -> None:
    if now and not waiting.done():
        waiting.set_result(None)


def _same(tag: Tag, said: float, wanted: float) -> bool:
    """Equal, for a float also as 32 bits: a device may hold no more."""
    if said == wanted:
        return True
    try:
        return tag.type == "float" and struct.pack("<f", said) == struct.pack("<f", wanted)
    except OverflowError:
        return False
