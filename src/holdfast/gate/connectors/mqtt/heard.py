"""What was last heard of each address. A plain topic's message is kept as it came, and read when somebody looks: most never are."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from holdfast.clock import Clock
from holdfast.gate.connectors.mqtt import payload
from holdfast.gate.connectors.mqtt.addresses import NAMESPACE, Address, Metric, Path, Plain
from holdfast.gate.connectors.mqtt.nodes import EdgeNode
from holdfast.gate.connectors.mqtt.payload import TimeUnit
from holdfast.gate.connectors.mqtt.sparkplug import UNCERTAIN_LAST_USABLE
from holdfast.terms import BAD_DECODING_ERROR, BAD_WAITING_FOR_INITIAL_DATA, GOOD, SECOND_NS

BAD_ACCESS_DENIED = 0x801F_0000
BAD_ENCODING_LIMITS_EXCEEDED = 0x8008_0000
State = tuple[float, int, int]  # value, NaN where Bad; status; source time, UTC ns
_NAN = math.nan


class Topic:
    """The newest message of one plain topic."""

    __slots__ = ("at_ns", "document", "known", "monotonic_ns", "payload", "refused", "retained", "stale_ns", "time_ns")

    def __init__(self, stale_s: float) -> None:
        self.stale_ns = round(stale_s * SECOND_NS)  # 0: never
        self.payload: bytes | None = b""
        self.at_ns = self.monotonic_ns = -1  # arrival; -1 before the first
        self.retained = self.refused = self.known = False
        self.document: Any = None  # of the payload, once `known`; None where it is no JSON
        self.time_ns: int | None = None  # the source's own time, once `known`

    def state(self, path: Path, time: Path, unit: TimeUnit, now_ns: int, monotonic_ns: int) -> State:
        if self.at_ns < 0:
            return _NAN, BAD_ACCESS_DENIED if self.refused else BAD_WAITING_FOR_INITIAL_DATA, now_ns
        data = self.payload
        if data is None:
            return _NAN, BAD_ENCODING_LIMITS_EXCEEDED, self.at_ns
        source_ns = self.at_ns
        if path:
            if not self.known:
                self._read(data, time, unit)
            if self.document is None or (time and self.time_ns is None):
                return _NAN, BAD_DECODING_ERROR, source_ns
            value, status = payload.at(self.document, path)
            source_ns = source_ns if self.time_ns is None else self.time_ns
        else:
            value, status = payload.number(data)
        if status == GOOD and self._is_old(source_ns, now_ns, monotonic_ns, timed=bool(path and time)):
            status = UNCERTAIN_LAST_USABLE
        return value, status, source_ns

    def _is_old(self, source_ns: int, now_ns: int, monotonic_ns: int, *, timed: bool) -> bool:
        """A retained message without a time of its own may be of any age."""
        if self.retained and not timed:
            return True
        return 0 < self.stale_ns < max(monotonic_ns - self.monotonic_ns, now_ns - source_ns)

    def _read(self, data: bytes, time: Path, unit: TimeUnit) -> None:
        self.known, self.document, self.time_ns = True, None, None
        try:
            self.document = payload.document(data)
            if time:
                self.time_ns = payload.time_ns(self.document, time, unit)
        except ValueError:
            pass


class Heard:
    """All addresses of one connection to the broker. Holds one message a topic and one value a metric, no queue."""

    def __init__(self, clock: Clock, *, stale_s: float, time: Path, time_unit: TimeUnit, doubt: Callable[[tuple[str, str]], None]) -> None:
        self._clock, self._stale_s, self._time, self._doubt = clock, stale_s, time, doubt
        self._unit: TimeUnit = time_unit
        self._topics: dict[bytes, Topic] = {}  # one a watched topic
        self.nodes: dict[tuple[str, str], EdgeNode] = {}  # one a watched edge node
        self._echoes: dict[object, tuple[Address, Callable[[float, int], None]]] = {}  # one a write that is under way
        self.refused_nodes: set[tuple[str, str]] = set()
        self.unreadable = 0
        self.changed: Callable[[], None] | None = None  # called after each message while somebody waits for one

    def watch(self, addresses: Sequence[Address], qos: int) -> list[tuple[str, int]]:
        """Make room for addresses; the filters to subscribe to for those that are new."""
        filters: list[tuple[str, int]] = []
        for address in addresses:
            if isinstance(address, Plain):
                topic = address.topic.encode()
                if topic not in self._topics:
                    self._topics[topic] = Topic(self._stale_s)
                    filters.append((address.topic, qos))
            elif address.node not in self.nodes:
                self.nodes[address.node] = EdgeNode()
                filters.append((f"{NAMESPACE}/{address.group}/+/{address.edge}/#", 1))
        return filters

    def refuse(self, filters: Sequence[str]) -> None:
        """The broker does not let us have these."""
        for name in filters:
            topic = self._topics.get(name.encode())
            if topic is not None:
                topic.refused = True
            else:
                _, group, _, edge, _ = name.split("/")
                self.refused_nodes.add((group, edge))

    def state(self, address: Address, now_ns: int, monotonic_ns: int) -> State:
        if isinstance(address, Plain):
            topic = self._topics.get(address.topic.encode())
            if topic is None:
                return _NAN, BAD_WAITING_FOR_INITIAL_DATA, now_ns
            return topic.state(address.path, self._time, self._unit, now_ns, monotonic_ns)
        node = self.nodes.get(address.node)
        if node is None or address.node in self.refused_nodes:
            return _NAN, BAD_WAITING_FOR_INITIAL_DATA if node is None else BAD_ACCESS_DENIED, now_ns
        return node.state((address.device, address.name), now_ns)

    def is_heard(self, address: Address) -> bool:
        """Whether anything, good or bad, is known; what never will be counts too."""
        if isinstance(address, Plain):
            topic = self._topics.get(address.topic.encode())
            return topic is not None and (topic.at_ns >= 0 or topic.refused)
        node = self.nodes.get(address.node)
        return node is not None and (node.died or address.device in node.born or address.node in self.refused_nodes)

    def hear(self, topic: bytes, data: bytes | None, retained: bool) -> None:
        """One message. Never raises: a broken one degrades what it is about."""
        of = self._topics.get(topic)
        if of is None:
            self._metrics(topic, data, retained)
        else:
            of.payload, of.retained, of.known = data, retained, False
            of.at_ns, of.monotonic_ns = self._clock.now_ns(), self._clock.monotonic_ns()
            if self._echoes and not retained:
                self._echo_plain(topic)
        if self.changed is not None:
            self.changed()

    def listen(self, address: Address, echo: Callable[[float, int], None]) -> Callable[[], None]:
        """`echo` gets (value, status) of `address` whenever it is said anew; the answer ends it."""
        mark = object()
        self._echoes[mark] = (address, echo)
        return lambda: self._echoes.pop(mark, None) and None

    def _metrics(self, topic: bytes, data: bytes | None, retained: bool) -> None:
        try:
            parts = topic.decode().split("/")
        except UnicodeDecodeError:
            return
        if len(parts) not in (4, 5) or parts[0] != NAMESPACE:
            return
        name = (parts[1], parts[3])
        node = self.nodes.get(name)
        if node is None or retained:  # births and data are never retained (§6.1.3): one that is says nothing of now
            return
        now_ns = self._clock.now_ns()
        try:
            if data is None:
                raise ValueError("too large")
            node.take(parts[2], parts[4] if len(parts) == 5 else "", data, now_ns)
        except ValueError:  # UnicodeDecodeError too
            self.unreadable += 1
            node.unread(parts[2], parts[4] if len(parts) == 5 else "", now_ns)
        if node.in_doubt:
            self._doubt(name)
        if self._echoes and node.touched:
            touched = set(node.touched)
            for address, echo in tuple(self._echoes.values()):
                if isinstance(address, Metric) and address.node == name and (address.device, address.name) in touched:
                    value, status, _ = node.state((address.device, address.name), now_ns)
                    echo(value, status)

    def _echo_plain(self, topic: bytes) -> None:
        now_ns, monotonic_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        for address, echo in tuple(self._echoes.values()):
            if isinstance(address, Plain) and address.topic.encode() == topic:
                value, status, _ = self.state(address, now_ns, monotonic_ns)
                echo(value, status)
