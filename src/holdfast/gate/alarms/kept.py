"""Alarms in the state file: which are active or wait for a person, who acknowledged, what is shelved, and the flood's count."""

from collections.abc import Iterable
from typing import Any

from holdfast.gate.alarms.limits import Side
from holdfast.gate.alarms.shelf import Shelved
from holdfast.gate.ledger.store import State
from holdfast.terms import Alarm, Priority, Word

TABLES = """
CREATE TABLE IF NOT EXISTS alarm (
  tag TEXT NOT NULL, side TEXT NOT NULL, priority TEXT NOT NULL, active INTEGER NOT NULL, acknowledged INTEGER NOT NULL,
  since_ns INTEGER NOT NULL, value REAL NOT NULL, threshold REAL NOT NULL, person TEXT NOT NULL, PRIMARY KEY (tag, side)
) STRICT;
CREATE TABLE IF NOT EXISTS alarm_shelved (
  tag TEXT NOT NULL, side TEXT NOT NULL, until_ns INTEGER NOT NULL, person TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (tag, side)
) STRICT;
CREATE TABLE IF NOT EXISTS alarm_flood (one INTEGER PRIMARY KEY CHECK (one = 1), flood INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS alarm_rang (at_ns INTEGER NOT NULL) STRICT;
"""
SIDES: dict[str, Side] = {"hihi": "hihi", "hi": "hi", "lo": "lo", "lolo": "lolo"}
PRIORITIES: dict[str, Priority] = {"low": "low", "medium": "medium", "high": "high", "urgent": "urgent"}


class Known(Word):
    """One alarm that is not normal, and who acknowledged it ("" nobody)."""

    alarm: Alarm
    person: str


class KeptAlarms:
    """Makes its tables. Writes join the caller's transaction."""

    def __init__(self, state: State) -> None:
        self._state = state
        state.ensure(TABLES)

    def alarms(self) -> tuple[Known, ...]:
        """A row that is not one of ours can only have come from outside and is left out: the limit is watched anew."""
        rows = self._state.rows("SELECT tag, side, priority, active, acknowledged, since_ns, value, threshold, person FROM alarm")
        return tuple(_known(row) for row in rows if row[1] in SIDES and row[2] in PRIORITIES)

    def shelved(self) -> tuple[Shelved, ...]:
        rows = self._state.rows("SELECT tag, side, until_ns, person, reason FROM alarm_shelved")
        return tuple(
            Shelved(tag=tag, limit=SIDES[side], until_ns=until, person=person, reason=reason)
            for tag, side, until, person, reason in rows
            if side in SIDES
        )

    def flood(self) -> tuple[bool, tuple[int, ...]]:
        on = self._state.rows("SELECT flood FROM alarm_flood")
        return bool(on and on[0][0]), tuple(at for (at,) in self._state.rows("SELECT at_ns FROM alarm_rang ORDER BY at_ns"))

    def put(self, tag: str, side: Side, known: Known | None) -> None:
        self._state.db.execute("DELETE FROM alarm WHERE tag = ? AND side = ?", (tag, side))
        if known is not None:
            a = known.alarm
            self._state.db.execute(
                "INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (tag, side, a.priority, int(a.active), int(a.acknowledged), a.since_ns, a.value, a.threshold, known.person),
            )

    def put_shelved(self, tag: str, side: Side, shelved: Shelved | None) -> None:
        self._state.db.execute("DELETE FROM alarm_shelved WHERE tag = ? AND side = ?", (tag, side))
        if shelved is not None:
            self._state.db.execute(
                "INSERT INTO alarm_shelved VALUES (?, ?, ?, ?, ?)", (tag, side, shelved.until_ns, shelved.person, shelved.reason)
            )

    def put_flood(self, on: bool, rang: Iterable[int]) -> None:
        self._state.db.execute("INSERT OR REPLACE INTO alarm_flood VALUES (1, ?)", (int(on),))
        self._state.db.execute("DELETE FROM alarm_rang")
        self._state.db.executemany("INSERT INTO alarm_rang VALUES (?)", tuple((at,) for at in rang))


def _known(row: tuple[Any, ...]) -> Known:
    tag, side, priority, active, acknowledged, since_ns, value, threshold, person = row
    alarm = Alarm(
        tag=tag,
        limit=SIDES[side],
        priority=PRIORITIES[priority],
        active=bool(active),
        acknowledged=bool(acknowledged),
        since_ns=since_ns,
        value=value,
        threshold=threshold,
    )
    return Known(alarm=alarm, person=person)
