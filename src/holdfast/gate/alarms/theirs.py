"""Alarms that servers raise themselves, beside the plant's limits that the gate watches: shown with whose word they are, and recorded.

Nobody acknowledges or shelves them here: that is done at the server, and shown when the server says so. Nothing rests on them. They live in
memory: after a restart the servers are asked anew, and what stands is recorded anew.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from holdfast.clock import Clock
from holdfast.terms import SECOND_NS, ServerAlarm, ServerAlarms, Word

RECORDED_MAX = 200  # changes of one server that are recorded in WINDOW_S; a chattering server must not fill the record
WINDOW_S = 60.0
Records = list[tuple[str, Any]]


class Server(Word):
    """What one server's alarms are now. `known` False: it may be more or less; `why` says why."""

    connection: str
    known: bool
    why: str
    alarms: tuple[ServerAlarm, ...]


@dataclasses.dataclass
class _Of:
    standing: dict[str, ServerAlarm] = dataclasses.field(default_factory=dict[str, ServerAlarm])
    known: bool = False
    why: str = "nothing was heard yet"
    window_ns: int | None = None  # monotonic, when the present one began
    recorded: int = 0  # in the present window
    dropped: int = 0


class Theirs:
    """One entry a connection that takes its server's alarms in."""

    def __init__(self, connections: Sequence[str], clock: Clock) -> None:
        self._of = {name: _Of() for name in connections}
        self._clock = clock

    def take(self, told: ServerAlarms) -> Records:
        """What is to be recorded: each change that is news to us, and what ended while nobody listened."""
        of = self._of.get(told.connection)
        if of is None:
            return []
        found = self._window(told.connection, of)
        for alarm in told.news:
            if of.standing.get(alarm.id) != alarm and (alarm.standing or alarm.id in of.standing or not of.known):
                found += self._record(of, alarm, "")
            of.standing.pop(alarm.id, None)
            if alarm.standing:
                of.standing[alarm.id] = alarm
        now = {alarm.id: alarm for alarm in told.standing}
        for id in [id for id in of.standing if id not in now]:
            gone = of.standing.pop(id)
            if told.known:
                found += self._record(of, dataclasses.replace(gone, standing=False), "unheard")
        of.standing, of.known, of.why = now, told.known, told.why
        of.dropped += told.missed
        return found

    def lost(self, connection: str) -> None:
        """Its last word stays, as no more than that."""
        of = self._of.get(connection)
        if of is not None:
            of.known, of.why = False, "the connection is lost: this is the last that was heard"

    def shown(self) -> tuple[Server, ...]:
        """By connection; each server's worst first."""
        return tuple(
            Server(
                connection=name,
                known=of.known,
                why=of.why,
                alarms=tuple(sorted(of.standing.values(), key=lambda a: (not a.active, -a.severity, a.at_ns, a.id))),
            )
            for name, of in self._of.items()
        )

    def _record(self, of: _Of, alarm: ServerAlarm, ended: str) -> Records:
        """`ended` "unheard": that it ended was found out later, its own last word is not known."""
        if of.recorded >= RECORDED_MAX:
            of.dropped += 1
            return []
        of.recorded += 1
        return [("alarm.server", {"alarm": alarm, "ended": ended})]

    def _window(self, connection: str, of: _Of) -> Records:
        now = self._clock.monotonic_ns()
        if of.window_ns is not None and now - of.window_ns < WINDOW_S * SECOND_NS:
            return []
        dropped, of.window_ns, of.recorded, of.dropped = of.dropped, now, 0, 0
        return [("alarm.server.unrecorded", {"connection": connection, "changes": dropped})] if dropped else []
