"""How each connection stands: since when it is there or lost, why, how often, and how late its newest data came."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from holdfast.clock import Clock
from holdfast.terms import SECOND_NS, Frame

ContactState = Literal["waiting", "connected", "lost"]
TOLD = ("lag_s", "gaps", "backlog", "clock_offset_s")  # what people are told of every connection, null where it isn't known


@dataclasses.dataclass
class _Contact:
    state: ContactState
    since_ns: int  # UTC
    why: str = ""
    losses: int = 0
    late_s: float | None = None  # of the newest frame: from its newest source time to its arrival, the clocks' difference in it


class Contacts:
    """Kept in memory: the record has every loss and return."""

    def __init__(self, connections: Iterable[str], clock: Clock) -> None:
        self._clock = clock
        self._of = {name: _Contact("waiting", clock.now_ns()) for name in connections}

    def lost(self, connection: str, why: str) -> None:
        """A reason told anew doesn't make the loss a new one."""
        contact = self._of.get(connection)
        if contact is None:
            return
        if contact.state != "lost":
            contact.state, contact.since_ns, contact.losses = "lost", self._clock.now_ns(), contact.losses + 1
        contact.why, contact.late_s = why, None

    def found(self, connection: str) -> None:
        contact = self._of.get(connection)
        if contact is not None and contact.state != "connected":
            contact.state, contact.since_ns, contact.why = "connected", self._clock.now_ns(), ""

    def came(self, connection: str, frame: Frame) -> None:
        """Data is the proof of a connection, also where nobody says `found` (a stepped plant). Hot path."""
        contact = self._of.get(connection)
        if contact is None or frame.rows == 0:
            return
        if contact.state != "connected":
            self.found(connection)
        contact.late_s = (int(frame.received_ns[-1]) - int(np.max(frame.source_ns[-1]))) / SECOND_NS

    def told(self, connection: str, health: Mapping[str, float]) -> dict[str, Any]:
        """`health` is the connector's own, which knows better where it knows."""
        contact = self._of[connection]
        known = {"lag_s": contact.late_s, **health}
        return {
            **known,
            **{name: known.get(name) for name in TOLD},
            "state": contact.state,
            "since_ns": contact.since_ns,
            "why": contact.why,
            "losses": contact.losses,
        }
