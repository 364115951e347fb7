"""A Sparkplug edge node as its host application knows it: what it was born with, what it last said, whether it lives.

Source: Sparkplug 3.0 §5 (operational behaviour), §6.4 (payload).
"""

import math
from collections.abc import Iterable

from holdfast.gate.connectors.mqtt import sparkplug
from holdfast.gate.connectors.mqtt.sparkplug import UNCERTAIN_LAST_USABLE, Payload
from holdfast.gate.connectors.row import is_bad
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, BAD_WAITING_FOR_INITIAL_DATA

_TIMES_MS = range(1, 2**63 // 1_000_000)
Key = tuple[str, str]  # device ("" for the node's own), metric


class Cell:
    """One metric: as it was born, and its latest value."""

    __slots__ = ("alias", "datatype", "field", "properties", "source_ns", "status", "value")

    def __init__(self, metric: sparkplug.Metric, now_ns: int) -> None:
        self.alias = metric.alias
        self.datatype = metric.datatype
        self.field = sparkplug.value_field(metric, metric.datatype)
        self.properties = metric.properties
        self.value, self.status, self.source_ns = math.nan, BAD_WAITING_FOR_INITIAL_DATA, now_ns

    def lose(self, status: int, now_ns: int) -> None:
        self.value, self.status, self.source_ns = math.nan, status, now_ns


class EdgeNode:
    """`take` gets each of its messages. `in_doubt` says why a new birth is wanted, "" when it is not."""

    def __init__(self) -> None:
        self.born: set[str] = set()  # devices that live; "" is the node itself
        self.died = False
        self.in_doubt = "its birth was not heard"
        self.cells: dict[Key, Cell] = {}  # at most sparkplug.METRICS_MAX a birth
        self.touched: list[Key] = []  # by the last message
        self.gaps = self.deaths = self.historical = 0
        self.offset_ns: int | None = None  # the node's clock ahead (+) of ours, at its last message
        self._aliases: dict[int, Key] = {}
        self._seq: int | None = None
        self._birth: float | None = None  # the bdSeq of the living birth

    def state(self, key: Key, now_ns: int) -> tuple[float, int, int]:
        """(value, status, source time) of a metric."""
        cell = self.cells.get(key)
        if cell is not None:
            return cell.value, cell.status, cell.source_ns
        if self.died:
            return math.nan, BAD_NO_COMMUNICATION, now_ns
        return math.nan, BAD_NODE_ID_UNKNOWN if key[0] in self.born else BAD_WAITING_FOR_INITIAL_DATA, now_ns

    def take(self, kind: str, device: str, data: bytes, now_ns: int) -> bool:
        """One message; False for one that nothing was made of. Raises ValueError for what is no Sparkplug payload."""
        self.touched = []
        if kind not in ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH") or (kind[0] == "D") != bool(device):
            return False
        payload = sparkplug.decode(data)
        if kind == "NDEATH":
            return self._end(payload, now_ns)
        if payload.time_ms is not None and payload.time_ms in _TIMES_MS:
            self.offset_ns = payload.time_ms * 1_000_000 - now_ns
        if kind == "NBIRTH":
            self._begin(payload, now_ns)
        elif "" not in self.born:
            self.in_doubt = self.in_doubt or "data without a birth"
            return False  # without the node's birth neither names nor sequence mean anything
        else:
            self._follow(payload)
        if kind in ("NBIRTH", "DBIRTH"):
            self._bear(device, payload, now_ns)
        elif kind == "DDEATH":
            self.deaths += 1
            self.born.discard(device)
            self._lose(device, now_ns)
        elif device not in self.born:
            self.in_doubt = f"data of {device}, whose birth was not heard"
        else:
            self._data(device, payload, now_ns)
        return True

    def unread(self, kind: str, device: str, now_ns: int) -> None:
        """A message that could not be read: what it was about is in doubt, and it took a number of the sequence."""
        if kind == "NDEATH":
            self._end(Payload(), now_ns)
        elif kind in ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"):
            self.in_doubt = self.in_doubt or f"a {kind} that could not be read"
            self._seq = None if self._seq is None else (self._seq + 1) % 256
            if kind == "NBIRTH":
                self.lose(now_ns, self.in_doubt)
            elif kind in ("DBIRTH", "DDEATH"):
                self.born.discard(device)
                self._lose(device, now_ns)
            for key, cell in self.cells.items():
                if key[0] == device and not is_bad(cell.status):
                    cell.status = UNCERTAIN_LAST_USABLE

    def lose(self, now_ns: int, why: str) -> None:
        """Nothing that was said counts any more, until the next birth."""
        self.born.clear()
        self.in_doubt = why
        for cell in self.cells.values():
            cell.lose(BAD_NO_COMMUNICATION, now_ns)

    def _begin(self, payload: Payload, now_ns: int) -> None:
        """A birth of the node: its devices are to be born anew behind it (§5.6)."""
        self.lose(now_ns, "")
        self._aliases.clear()
        self.cells = {key: cell for key, cell in self.cells.items() if key[0]}
        self.died = False
        self._seq = payload.seq
        self._birth = _bd_seq(payload)

    def _end(self, payload: Payload, now_ns: int) -> bool:
        """A death certificate counts for the birth that it was made with: one of an earlier session may come late (§5.4)."""
        dead = _bd_seq(payload)
        if "" in self.born and dead is not None and self._birth is not None and dead != self._birth:
            return False
        self.deaths += 1
        self.died = True
        self.lose(now_ns, "")
        self.touched = list(self.cells)
        return True

    def _follow(self, payload: Payload) -> None:
        """Numbers go up by one from 0 to 255, across all messages of the node but its death."""
        if payload.seq is None or self._seq is None:
            return
        expected = (self._seq + 1) % 256
        self._seq = payload.seq
        if payload.seq == expected:
            return
        self.gaps += 1
        self.in_doubt = f"message {payload.seq} came where {expected} was due"
        for cell in self.cells.values():  # what was lost may have been a new value of any
            if not is_bad(cell.status):
                cell.status = UNCERTAIN_LAST_USABLE

    def _bear(self, device: str, payload: Payload, now_ns: int) -> None:
        for key in [key for key in self.cells if key[0] == device]:
            del self.cells[key]
        for metric in payload.metrics:
            if not metric.name:
                continue
            key = (device, metric.name)
            cell = self.cells[key] = Cell(metric, now_ns)
            if metric.alias is not None:
                self._aliases[metric.alias] = key
            self._put(cell, metric, payload, now_ns)
            self.touched.append(key)
        self.born.add(device)

    def _data(self, device: str, payload: Payload, now_ns: int) -> None:
        for metric in payload.metrics:
            if metric.name:
                key = (device, metric.name)
            elif self.in_doubt:
                continue  # an alias may mean another metric since
            else:
                key = self._aliases.get(metric.alias, ("", "")) if metric.alias is not None else ("", "")
            cell = self.cells.get(key)
            if cell is None or key[0] != device:
                self.in_doubt = self.in_doubt or f"a metric that {device or 'the node'} was not born with"
                continue
            if metric.historical:
                self.historical += 1
                continue
            self._put(cell, metric, payload, now_ns)
            self.touched.append(key)

    def _put(self, cell: Cell, metric: sparkplug.Metric, payload: Payload, now_ns: int) -> None:
        cell.value, cell.status = sparkplug.number(metric, cell.datatype)
        time_ms = metric.time_ms if metric.time_ms is not None else payload.time_ms
        cell.source_ns = time_ms * 1_000_000 if time_ms is not None and time_ms in _TIMES_MS else now_ns

    def _lose(self, device: str, now_ns: int) -> None:
        for key, cell in self.cells.items():
            if key[0] == device:
                cell.lose(BAD_NO_COMMUNICATION, now_ns)
                self.touched.append(key)


def _bd_seq(payload: Payload) -> float | None:
    found: Iterable[sparkplug.Metric] = [metric for metric in payload.metrics if metric.name == "bdSeq"]
    for metric in found:
        value, status = sparkplug.number(metric, metric.datatype or 8)
        return None if is_bad(status) else value
    return None
