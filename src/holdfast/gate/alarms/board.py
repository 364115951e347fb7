"""All alarms of a plant as operators have them (ISA-18.2-2016 §5.3): unacknowledged, acknowledged, returned, shelved, and the flood.

An alarm that returned to normal before anyone saw it stays `returned`, latched, until somebody acknowledges it. A shelved one
is watched on but does not ring; when its time is over it rings anew if it is active, and is normal if it is not.
Memory is ahead of the file until `save` was committed: `saved` says so. A person's act that can't be recorded is undone: `mark`.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from holdfast.gate.alarms.flood import Flood
from holdfast.gate.alarms.kept import KeptAlarms, Known
from holdfast.gate.alarms.limits import AlarmWatch, Limit
from holdfast.gate.alarms.shelf import Key, Shelf, Shelved
from holdfast.gate.ledger.store import State
from holdfast.site.model import AlarmLimits
from holdfast.terms import Alarm, Priority, Word, digest

AlarmState = Literal["normal", "unacknowledged", "acknowledged", "returned", "shelved"]
Records = list[tuple[str, Any]]
ID_CHARS = 16


def alarm_id(tag: str, limit: str) -> str:
    """Of one limit, the same for ever and safe in an address."""
    return digest((tag, limit))[:ID_CHARS]


class ShownAlarm(Word):
    """One limit for people. Times are UTC ns; `value` is that of its last change."""

    id: str
    tag: str
    limit: str
    priority: Priority
    state: AlarmState
    active: bool
    value: float | None
    threshold: float
    since_ns: int
    acknowledged_by: str
    shelved_until_ns: int
    shelved_by: str
    reason: str


class AlarmBoard:
    """Steps with each frame; `states` holds what is active or waits to be acknowledged, shelved or not."""

    def __init__(self, alarms: Sequence[AlarmLimits], state: State, now_ns: int) -> None:
        self._watch = AlarmWatch(alarms)
        self._kept = KeptAlarms(state)
        self._shelf = Shelf()
        self._shelf.restore(self._kept.shelved(), now_ns)
        self._people: dict[Key, str] = {}  # who acknowledged
        for known in self._kept.alarms():
            self._watch.put(known.alarm)
            self._people[known.alarm.tag, known.alarm.limit] = known.person
        on, rang = self._kept.flood()
        self._flood = Flood(rang, on=on)
        self._unsaved: dict[Key, None] = {}  # in the order in which they changed
        self._flood_unsaved = False
        self.adopt(alarms)

    @property
    def states(self) -> Mapping[Key, Alarm]:
        return self._watch.states

    @property
    def episodes(self) -> int:
        return self._watch.episodes

    def adopt(self, alarms: Sequence[AlarmLimits]) -> None:
        """Other limits from now on. An alarm whose limit is gone goes with it: the configuration's record says so."""
        gone: list[Key] = [(alarm.tag, alarm.limit) for alarm in self._watch.adopt(alarms)]
        known = {(limit.tag, limit.side) for limit in self._watch.limits}
        gone += [key for key in self._shelf.held() if key not in known]
        for key in dict.fromkeys(gone):
            self._shelf.take(key)
            self._people.pop(key, None)
            self._unsaved[key] = None

    # ---- with each frame -----------------------------------------------------------------------------------------------

    def step(self, good_value: Callable[[str], float | None], now_ns: int) -> Records:
        """What changed, as (kind, body) for the record."""
        found: Records = []
        for alarm in self._watch.step(good_value, now_ns):
            key = (alarm.tag, alarm.limit)
            self._unsaved[key] = None
            if alarm.active:
                self._people.pop(key, None)
                if self._shelf.of(key) is None:
                    self._ring(now_ns)
            found.append(("alarm", alarm))
        return found + self.due(now_ns)

    def due(self, now_ns: int) -> Records:
        """Shelvings whose time is over, and whether a flood begins or ends."""
        found: Records = []
        for shelved in self._shelf.due(now_ns):
            found.append(("alarm.unshelved", {**_about((shelved.tag, shelved.limit)), "by": "time", "person": "", "shelved": shelved}))
            self.unshelved(shelved, now_ns)
        if (began := self._flood.step(now_ns)) is not None:
            self._flood_unsaved = True
            found.append(("alarm.flood", {"state": "began" if began else "ended", "per_10min": self._flood.count(now_ns)}))
        return found

    def shift(self, by_ns: int) -> None:
        """The wall clock was set: what lasts a time lasts as long as before."""
        self._flood.shift(by_ns)
        self._flood_unsaved = True
        for key in self._shelf.shift(by_ns):
            self._unsaved[key] = None

    # ---- people's acts -------------------------------------------------------------------------------------------------

    def key_of(self, id: str) -> Key:
        """Raises KeyError."""
        for limit in self._watch.limits:
            if alarm_id(limit.tag, limit.side) == id:
                return limit.tag, limit.side
        raise KeyError(id)

    def state_of(self, key: Key) -> AlarmState:
        alarm = self._watch.states.get(key)
        if self._shelf.of(key) is not None:
            return "shelved"
        if alarm is None:
            return "normal"
        if not alarm.active:
            return "returned"
        return "acknowledged" if alarm.acknowledged else "unacknowledged"

    def shelving(self, key: Key) -> Shelved | None:
        return self._shelf.of(key)

    def mark(self, key: Key) -> Callable[[], None]:
        """How to undo what is done to this alarm from now on."""
        alarm, shelved, person = self._watch.states.get(key), self._shelf.of(key), self._people.get(key)
        on, rang = self._flood.on, self._flood.rang

        def undo() -> None:
            for held, value in ((self._watch.states, alarm), (self._people, person)):
                held.pop(key, None)
                if value is not None:
                    held[key] = value  # type: ignore[assignment]
            self._shelf.take(key)
            if shelved is not None:
                self._shelf.put(shelved)
            self._flood = Flood(rang, on=on)

        return undo

    def acknowledged(self, key: Key, person: str) -> None:
        self._watch.put(dataclasses.replace(self._watch.states[key], acknowledged=True))
        self._people[key] = person
        self._unsaved[key] = None

    def shelved(self, shelved: Shelved) -> None:
        self._shelf.put(shelved)
        self._unsaved[shelved.tag, shelved.limit] = None

    def unshelved(self, shelved: Shelved, now_ns: int) -> None:
        """Rings anew where it is active; what came and went meanwhile was put aside on purpose."""
        key = (shelved.tag, shelved.limit)
        self._shelf.take(key)
        self._people.pop(key, None)
        self._unsaved[key] = None
        if (alarm := self._watch.states.get(key)) is not None:
            self._watch.put(dataclasses.replace(alarm, acknowledged=not alarm.active))
            if alarm.active:
                self._ring(now_ns)

    # ---- file ----------------------------------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether memory is ahead of the file."""
        return bool(self._unsaved) or self._flood_unsaved

    def save(self) -> None:
        """Put all that changed in the file, in the caller's transaction."""
        for key in self._unsaved:
            alarm = self._watch.states.get(key)
            self._kept.put(*key, None if alarm is None else Known(alarm=alarm, person=self._people.get(key, "")))
            self._kept.put_shelved(*key, self._shelf.of(key))
        if self._flood_unsaved:
            self._kept.put_flood(self._flood.on, self._flood.rang)

    def saved(self) -> None:
        """The caller's transaction was committed."""
        self._unsaved.clear()
        self._flood_unsaved = False

    # ---- for people ----------------------------------------------------------------------------------------------------

    def shown(self, *, normal: bool = False) -> tuple[ShownAlarm, ...]:
        """Every limit that is not normal, or all of them."""
        return tuple(self._show(limit) for limit in self._watch.limits if normal or self.state_of((limit.tag, limit.side)) != "normal")

    def flood(self, now_ns: int) -> tuple[bool, int]:
        """(whether there is a flood, alarms in the last 10 min)"""
        return self._flood.on, self._flood.count(now_ns)

    def _show(self, limit: Limit) -> ShownAlarm:
        key = (limit.tag, limit.side)
        alarm, shelved = self._watch.states.get(key), self._shelf.of(key)
        return ShownAlarm(
            id=alarm_id(*key),
            tag=limit.tag,
            limit=limit.side,
            priority=limit.priority,
            state=self.state_of(key),
            active=alarm is not None and alarm.active,
            value=alarm.value if alarm else None,
            threshold=limit.threshold,
            since_ns=alarm.since_ns if alarm else 0,
            acknowledged_by=self._people.get(key, ""),
            shelved_until_ns=shelved.until_ns if shelved else 0,
            shelved_by=shelved.person if shelved else "",
            reason=shelved.reason if shelved else "",
        )

    def _ring(self, now_ns: int) -> None:
        self._flood.ring(now_ns)
        self._flood_unsaved = True


def _about(key: Key) -> dict[str, str]:
    return {"alarm": alarm_id(*key), "tag": key[0], "limit": key[1]}
