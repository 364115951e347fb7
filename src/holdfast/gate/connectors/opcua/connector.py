"""An OPC UA server as tags: subscriptions into frames, reads, and writes of exactly one WriteRequest."""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from holdfast.clock import Clock, RealClock
from holdfast.gate.connectors import registers, writable
from holdfast.gate.connectors.opcua import browse, identity, methods, outcome, values
from holdfast.gate.connectors.opcua.alarms import follow
from holdfast.gate.connectors.opcua.channel import Address, Channel, open_channel
from holdfast.gate.connectors.opcua.columns import Columns
from holdfast.gate.connectors.opcua.conditions import Conditions
from holdfast.gate.connectors.opcua.limit import at_most, plain_cancelling
from holdfast.gate.connectors.opcua.nodes import Nodes, standard
from holdfast.gate.connectors.opcua.publish import Feed
from holdfast.gate.connectors.pace import Budget, Pace
from holdfast.gate.connectors.row import BAD_NODE_ID_INVALID, BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH, Row, is_bad
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NO_COMMUNICATION, Frame, Sample, Sent, ServerAlarms, Tag, TagTable

T = TypeVar("T")
Act = Callable[[], Awaitable[Sent]]  # one request on the wire
_BATCH = 1000  # items a request
_ALIVE_PERIODS = 3
_ALIVE_S_MIN = 3.0  # real time: a busy server may be late, a dead one is never earlier than this
_KEEP_ALIVE_S = 1.0
_LIFETIME_S = 20.0  # what a torn connection leaves behind at the server lasts so long, and servers allow few


@dataclass(kw_only=True)
class OpcUa:
    """An OPC UA connection. An address is a string identifier in `namespace` (`Stand4.Tension.PV`) or a whole NodeId
    (`ns=2;s=…`, `nsu=urn:mill;s=…`, `i=2258`)."""

    name: str
    """The connection's name in the site file."""
    url: str
    """`opc.tcp://host:port/path`."""
    security: Literal["none", "Basic256Sha256"] = "Basic256Sha256"
    """Policy; Basic256Sha256 always signs and encrypts."""
    server: Path | str = ""
    """File with the server's certificate (DER or PEM), pinned. Needed with Basic256Sha256."""
    namespace: str = ""
    """URI of the namespace of addresses that name none. Its index is looked up at each connect."""
    login: str = ""
    """`user:password`, "" for anonymous."""
    client_cert: Path | str = ""
    """The gate's own certificate (DER or PEM); made in the state folder when not given."""
    client_key: Path | str = ""
    """Its private key (PEM)."""
    timeout_s: float = 5.0
    """Most seconds, real time, that the server may take for an answer."""
    requests_per_s: float = 0.0
    """Most requests a second (reads, writes, set-up; not publishing); 0 is no limit."""
    server_alarms: bool = False
    """Take in the alarms that the server itself raises, and show and record them beside the plant's limits."""
    clock: Clock = field(default_factory=RealClock)
    state_dir: Path | None = None
    """Where the gate's own certificate is kept."""

    def __post_init__(self) -> None:
        if self.security.casefold() == "none":  # however it is spelled: the site file's check takes any
            self.security = "none"
        if self.security not in ("none", "Basic256Sha256"):
            raise ValueError(f"{self.name}: security {self.security!r} is not offered: write Basic256Sha256, or none")
        if self.security != "none" and not self.server:
            raise ValueError(f"{self.name}: security {self.security} needs the server's certificate: server: file:NAME.der")
        if bool(self.client_cert) != bool(self.client_key):
            raise ValueError(f"{self.name}: client_cert and client_key go together")
        self.timeout_s = float(self.timeout_s)
        self._budget = Budget(float(self.requests_per_s))
        self._channel: Channel | None = None
        self._nodes = Nodes()  # made anew at each connect
        self._methods = methods.Methods(self._nodes)
        self._types: dict[str, ua.VariantType] = {}  # as last seen in a Good value; made anew at each connect
        self._paces: dict[str, Pace] = {}  # one entry a table
        self._counts = {"requests": 0, "gaps": 0}
        self._clock_offset_s = 0.0
        self.lost_why = ""  # why the last subscription ended, where it is known

    # ---- reader --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.close()
        self.lost_why = ""
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # it logs what is raised here in words of our own
        channel = await open_channel(self._address())
        self._channel = channel
        try:
            await self._look_up_namespaces()
        except ConnectionLost:
            await self.close()
            raise

    async def close(self) -> None:
        channel, self._channel = self._channel, None
        self._know(Nodes())
        self._types.clear()
        if channel is not None:
            await channel.close()

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        """Scalar variables below `under` (an address; the Objects folder by default). `writable` is what the login may
        write as the server tells it; units are spelled as the server does."""
        channel = self._require()
        node = self._nodes.node(under) if under else standard(ObjectIds.ObjectsFolder)
        if node is None:
            raise ValueError(f"{self.name}: {under!r} is no address here")
        try:
            async with plain_cancelling():
                async for tag in browse.variables(channel.session, node, self.name, self._nodes.address):
                    yield tag
        except (ua.UaError, OSError, TimeoutError) as error:
            raise ConnectionLost(f"{self.name}: browsing {self.url} broke off: {error or type(error).__name__}") from None

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        nodes = [self._nodes.node(tag.address) for tag in tags]
        known = [i for i, node in enumerate(nodes) if node is not None]
        now_ns = self.clock.now_ns()
        samples = [Sample(tag=tag.name, value=math.nan, status=BAD_NODE_ID_INVALID, source_ns=now_ns) for tag in tags]
        self._require()
        for start in range(0, len(known), _BATCH):
            part = known[start : start + _BATCH]
            request = ua.ReadParameters(
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                NodesToRead=[ua.ReadValueId(NodeId=nodes[i], AttributeId=AttributeIds.Value) for i in part],
            )
            results = await self._ask(lambda channel, request=request: channel.session.read(request))
            for i, data in zip(part, results, strict=True):
                samples[i] = self._sample(tags[i], data)
        return tuple(samples)

    async def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """The latest notified values each period. Alive is what sent data or a keep-alive within three periods, three
        seconds at least; else a Bad row ends it."""
        pace = self._paces.setdefault(table.id, Pace(self.clock, table.period_s))
        await pace.start()
        row = Row(table, self.clock.now_ns())
        columns = Columns(table, row, self._types.__setitem__, self.clock.now_ns)
        missing = columns.missing
        feed = Feed(columns.put, asyncio.get_running_loop().time())
        subscription = 0
        try:
            subscription = await self._open_subscription(table, feed, row, missing)
            period_s = self.clock.real_s(table.period_s)
            await feed.until(lambda: not missing, min(period_s, self.timeout_s))
            alive_s = max(_ALIVE_PERIODS * period_s, _ALIVE_S_MIN)
            while await self._tick(feed, pace, alive_s):
                yield row.frame(pace.take(), self.clock.now_ns())
        except ConnectionLost as lost:
            self.lost_why = str(lost)
        finally:
            await self._close_subscription(subscription, feed)
        now_ns = self.clock.now_ns()
        row.lose(BAD_NO_COMMUNICATION, now_ns)
        seq = pace.lose()
        if seq is not None:
            yield row.frame(seq, now_ns)

    async def alarms(self) -> AsyncIterator[ServerAlarms]:
        """Ends with the connection; also where the server has none."""
        conditions = Conditions(self.name, self.clock.now_ns())
        with contextlib.suppress(ConnectionLost):
            async for told in follow(conditions, self._require(), self._ask, self.timeout_s):
                yield told

    def health(self) -> Mapping[str, float]:
        publisher = self._channel.publisher if self._channel is not None else None
        return {
            "connected": float(self._channel is not None and self._channel.alive),
            "requests": float(self._counts["requests"]),
            "gaps": float(self._counts["gaps"]),
            "answers": float(publisher.answers if publisher else 0),
            "unreadable": float(publisher.unreadable if publisher else 0),
            "slow_answers": float(publisher.slow if publisher else 0),
            "clock_offset_s": self._clock_offset_s,
        }

    # ---- writer --------------------------------------------------------------------------------------------------

    def wire_value(self, tag: Tag, value: float) -> float:
        """Raises ValueError also before the node's data type is known: a read or a subscription tells it."""
        kind = self._types.get(tag.address)
        if kind is None:
            raise ValueError(f"{tag.name}: the type of {tag.address} is not known yet: read it first")
        return registers.to_eng(tag.scale, float(self._encode(tag, kind, value).Value))

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        """`rejected` also where nothing was sent: not connected, type unknown, no value the node can hold, no turn."""
        channel, node, kind = self._channel, self._nodes.node(tag.address), self._types.get(tag.address)
        if channel is None or not channel.alive or node is None or kind is None:
            return "rejected"
        try:
            # Without status and times: many servers refuse to have them written (OPC 10000-4 §5.10.4).
            data = ua.DataValue(self._encode(tag, kind, value), StatusCode=None)
        except ValueError:
            return "rejected"

        async def written() -> Sent:
            results = await channel.session.write_attributes([node], [data])
            return outcome.of_result(results[0].value) if len(results) == 1 else "unknown"

        async def prepared() -> Act:
            return written

        return await self._send(channel, prepared, timeout_s)

    async def call(self, address: str, arguments: Sequence[float], *, timeout_s: float) -> Sent:
        """`rejected` also where nothing was sent: not connected, no such method, arguments that it does not take, no turn."""
        channel, known = self._channel, self._methods
        if channel is None or not channel.alive:
            return "rejected"

        async def prepared() -> Act:
            request = await known.request(channel.session, address, arguments)

            async def called() -> Sent:
                results = await channel.session.call([request])
                return methods.of_result(results[0].StatusCode.value) if len(results) == 1 else "unknown"

            return called

        return await self._send(channel, prepared, timeout_s)

    async def _send(self, channel: Channel, prepare: Callable[[], Awaitable[Act]], timeout_s: float) -> Sent:
        """One request that acts: what `prepare` gives, awaited once. What goes wrong in `prepare` itself went wrong before it."""
        sent = False
        try:
            async with at_most(timeout_s):
                await self._budget.spend()
                act = await prepare()
                if not channel.alive:
                    return "rejected"
                sent = True
                self._counts["requests"] += 1
                return await act()
        except ua.UaStatusCodeError as error:
            return outcome.of_fault(error.code) if sent else "rejected"
        except Exception:  # noqa: BLE001 - whatever went wrong after sending, its fate is open
            return "unknown" if sent else "rejected"

    # ---- inside --------------------------------------------------------------------------------------------------

    def _address(self) -> Address:
        secure = self.security != "none"
        certificate: Path | None = Path(self.client_cert) if self.client_cert else None
        key: Path | None = Path(self.client_key) if self.client_key else None
        try:
            pinned = identity.load(Path(self.server)) if secure else None
            if secure and certificate is None:
                if self.state_dir is None:
                    raise ValueError("no folder for the gate's own certificate: give client_cert and client_key")
                certificate, key = identity.own_certificate(self.state_dir)
        except (ValueError, OSError) as error:
            raise ConnectionLost(f"{self.name}: {error}") from None
        return Address(
            name=self.name, url=self.url, pinned=pinned, certificate=certificate, key=key, login=self.login, timeout_s=self.timeout_s
        )

    def _require(self) -> Channel:
        channel = self._channel
        if channel is None or not channel.alive:
            cause = channel.lost or "the server closed the connection" if channel is not None else "it was not opened"
            raise ConnectionLost(f"{self.name}: no connection to {self.url}: {cause}")
        return channel

    async def _ask(self, what: Callable[[Channel], Awaitable[T]]) -> T:
        """One request, within the budget and the time limit. Raises ConnectionLost; a silent server is given up."""
        channel = self._require()
        await self._budget.spend()
        self._counts["requests"] += 1
        try:
            async with at_most(self.timeout_s):
                return await what(channel)
        except TimeoutError:
            channel.fail(f"no answer within {self.timeout_s:g} s")
            cause = channel.lost
        except (ua.UaError, OSError) as error:
            cause = str(error) or type(error).__name__
        raise ConnectionLost(f"{self.name}: {self.url}: {cause}") from None

    async def _look_up_namespaces(self) -> None:
        request = ua.ReadParameters(
            NodesToRead=[ua.ReadValueId(NodeId=standard(ObjectIds.Server_NamespaceArray), AttributeId=AttributeIds.Value)]
        )
        results = await self._ask(lambda channel: channel.session.read(request))
        there = list((results[0].Value.Value if results[0].Value is not None else None) or [])
        if self.namespace and self.namespace not in there:
            listed = ", ".join(there)
            raise ConnectionLost(f"{self.name}: {self.url} has no namespace {self.namespace!r}; it has: {listed}. Correct `namespace`")
        self._know(Nodes(there, self.namespace))

    def _know(self, nodes: Nodes) -> None:
        self._nodes, self._methods = nodes, methods.Methods(nodes)

    def _learn(self, tag: Tag, data: ua.DataValue) -> None:
        kind = values.scalar_type(data)
        if kind is not None:
            self._types[tag.address] = kind

    def _sample(self, tag: Tag, data: ua.DataValue) -> Sample:
        self._learn(tag, data)
        value, status, source_ns = values.number(data, self.clock.now_ns())
        if status == BAD_TYPE_MISMATCH:
            text = values.other(data)
            if text is not None:
                good = data.StatusCode.value if data.StatusCode is not None else 0
                return Sample(tag=tag.name, value=text, status=good, source_ns=source_ns)
        if not is_bad(status) and not math.isfinite(value):
            value, status = math.nan, BAD_OUT_OF_RANGE
        return Sample(tag=tag.name, value=registers.to_eng(tag.scale, value), status=status, source_ns=source_ns)

    def _encode(self, tag: Tag, kind: ua.VariantType, value: float) -> ua.Variant:
        return values.encode(kind, registers.to_raw(tag.scale, writable.demand(tag, value)))

    async def _open_subscription(self, table: TagTable, feed: Feed, row: Row, missing: set[int]) -> int:
        """Fills `missing` with the columns that a value will come for; the others are Bad in `row` at once."""
        interval_ms = max(self.clock.real_s(table.period_s) * 1000, 1.0)
        keep_alive = max(int(_KEEP_ALIVE_S * 1000 / interval_ms), 1)
        request = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval_ms,
            RequestedMaxKeepAliveCount=keep_alive,
            RequestedLifetimeCount=max(keep_alive * 10, int(_LIFETIME_S * 1000 / interval_ms)),
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
        )
        created = await self._ask(lambda channel: channel.session.create_subscription(request, _unused))
        channel = self._require()
        channel.publisher.attach(created.SubscriptionId, feed)
        columns: list[int] = []
        for column, tag in enumerate(table.tags):
            if self._nodes.node(tag.address) is None:
                row.put(column, math.nan, BAD_NODE_ID_INVALID, self.clock.now_ns())
            else:
                columns.append(column)
        missing.update(columns)  # before the items exist: their first values may come before the answer that made them
        for start in range(0, len(columns), _BATCH):
            part = columns[start : start + _BATCH]
            items = ua.CreateMonitoredItemsParameters(
                SubscriptionId=created.SubscriptionId,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[self._item(table.tags[column], column, interval_ms) for column in part],
            )
            results = await self._ask(lambda channel, items=items: channel.session.create_monitored_items(items))
            for column, result in zip(part, results, strict=True):
                if is_bad(result.StatusCode.value):
                    missing.discard(column)
                    row.put(column, math.nan, result.StatusCode.value, self.clock.now_ns())
        return created.SubscriptionId

    def _item(self, tag: Tag, column: int, interval_ms: float) -> ua.MonitoredItemCreateRequest:
        """Queue of one, newest kept: a frame has room for one value a period."""
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=self._nodes.node(tag.address), AttributeId=AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(ClientHandle=column, SamplingInterval=interval_ms, QueueSize=1, DiscardOldest=True),
        )

    async def _tick(self, feed: Feed, pace: Pace, alive_s: float) -> bool:
        """Wait for the next tick; False once the subscription is over or was silent for too long."""
        loop = asyncio.get_running_loop()
        while True:
            silent_s = loop.time() - feed.heard_s
            if silent_s >= alive_s and not feed.ended and self._channel is not None:
                self._channel.fail(f"silent for {silent_s:.1f} s")
            if feed.ended:
                return False
            wait_s = pace.wait_s()
            if wait_s == 0.0:
                return True
            await feed.until(lambda: bool(feed.ended), min(wait_s, alive_s - silent_s))

    async def _close_subscription(self, subscription: int, feed: Feed) -> None:
        self._counts["gaps"] += feed.gaps
        channel = self._channel
        if channel is None or not subscription:
            return
        if channel.publisher.server_ns is not None:
            self._clock_offset_s = (channel.publisher.server_ns - self.clock.now_ns()) / 1e9
        channel.publisher.detach(subscription)
        if channel.alive and not feed.ended:
            with contextlib.suppress(ua.UaError, OSError, TimeoutError):
                async with at_most(1.0):
                    await channel.session.delete_subscriptions([subscription])


def _unused(_: object) -> None:
    """asyncua wants a callback for its own publish loop, which does not run here."""
