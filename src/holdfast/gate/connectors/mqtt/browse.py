"""What speaks on a broker, as tags: metrics of births with unit and range, numbers, numbers inside JSON."""

from collections.abc import Iterator
from typing import Any

from holdfast.clock import RealClock
from holdfast.gate.connectors.mqtt import payload, sparkplug
from holdfast.gate.connectors.mqtt.addresses import NAMESPACE
from holdfast.gate.connectors.mqtt.nodes import Cell, EdgeNode
from holdfast.terms import GOOD, Tag

TOPICS_MAX = 50_000
NODES_MAX = 1_000
LEAVES_MAX = 1_000  # of one JSON document
DEPTH_MAX = 16
_COMMANDS = frozenset(("NCMD", "DCMD"))


class Found:
    """Hears everything for a while. Holds one message a topic, TOPICS_MAX of them, and NODES_MAX edge nodes."""

    def __init__(self, connection: str) -> None:
        self._connection = connection
        self._topics: dict[bytes, bytes] = {}
        self._nodes: dict[tuple[str, str], EdgeNode] = {}

    def hear(self, topic: bytes, data: bytes | None, retained: bool) -> None:
        if data is None:
            return
        if topic.startswith(NAMESPACE.encode() + b"/"):
            if not retained:
                self._metrics(topic, data)
        elif topic in self._topics or len(self._topics) < TOPICS_MAX:
            self._topics[topic] = data

    def unborn(self) -> set[tuple[str, str]]:
        """Edge nodes that speak and whose birth was not heard."""
        return {name for name, node in self._nodes.items() if node.in_doubt}

    def tags(self) -> Iterator[Tag]:
        for topic, data in sorted(self._topics.items()):
            try:
                yield from self._plain(topic.decode(), data)
            except (UnicodeDecodeError, ValueError):
                continue
        for (group, edge), node in sorted(self._nodes.items()):
            for (device, name), cell in sorted(node.cells.items()):
                tag = self._metric(f"{NAMESPACE}/{group}/{edge}" + (f"/{device}" if device else ""), name, cell)
                if tag is not None:
                    yield tag

    def _metrics(self, topic: bytes, data: bytes) -> None:
        try:
            parts = topic.decode().split("/")
            if len(parts) not in (4, 5) or parts[2] in _COMMANDS:
                return
            name = (parts[1], parts[3])
            if name not in self._nodes and len(self._nodes) >= NODES_MAX:
                return
            self._nodes.setdefault(name, EdgeNode()).take(parts[2], parts[4] if len(parts) == 5 else "", data, RealClock().now_ns())
        except ValueError:
            return

    def _plain(self, topic: str, data: bytes) -> Iterator[Tag]:
        if payload.number(data)[1] == GOOD:
            yield self._tag(topic, "bool" if data.strip().lower() in (b"true", b"false") else "float")
            return
        found = payload.document(data)
        for path, kind in _leaves(found, "", DEPTH_MAX, [LEAVES_MAX]):
            yield self._tag(f"{topic}#{path}", kind)

    def _tag(self, address: str, kind: Any) -> Tag:
        return Tag(name=f"{self._connection}/{address}", connection=self._connection, address=address, unit="1", type=kind)

    def _metric(self, place: str, name: str, cell: Cell) -> Tag | None:
        kind = sparkplug.tag_type(cell.datatype)
        if kind is None or name == "bdSeq" or name.startswith("Node Control/"):
            return None
        said = dict(cell.properties)
        low, high, unit = (
            said.get("EngLow", said.get("engLow")),
            said.get("EngHigh", said.get("engHigh")),
            said.get("engUnit", said.get("EngUnit")),
        )
        ranged = isinstance(low, float) and isinstance(high, float) and low < high
        address = f"{place}:{name}"
        return Tag(
            name=f"{self._connection}/{address}",
            connection=self._connection,
            address=address,
            unit=unit if isinstance(unit, str) and unit else "1",
            type=kind,
            eu_range=(low, high) if ranged else None,  # type: ignore[arg-type]
            description=str(said.get("Documentation", said.get("documentation", ""))),
        )


def _leaves(found: Any, path: str, depth: int, left: list[int]) -> Iterator[tuple[str, str]]:
    """(path, type) of each number; `left` counts down."""
    if not depth or left[0] <= 0:
        return
    if isinstance(found, dict):
        for name, inside in found.items():
            plain = not set(name) & set('.[]"')
            if not name or '"' in name:
                continue
            step = (f".{name}" if path else name) if plain else f'["{name}"]'
            yield from _leaves(inside, path + step, depth - 1, left)
    elif isinstance(found, list):
        for i, inside in enumerate(found):
            yield from _leaves(inside, f"{path}[{i}]", depth - 1, left)
    elif type(found) in (int, float, bool) and path:
        left[0] -= 1
        yield path, "bool" if type(found) is bool else "float"
