"""What people do about alarms: acknowledge, shelve for a while, unshelve. Each act is theirs on record before it counts."""

from collections.abc import Callable

from holdfast.clock import Clock
from holdfast.gate.actuation.debts import Debts
from holdfast.gate.alarms.board import AlarmBoard, AlarmState, alarm_id
from holdfast.gate.alarms.shelf import Key, Shelved, refusal
from holdfast.gate.ledger.log import Log
from holdfast.terms import SECOND_NS


class AlarmError(Exception):
    """The act is not possible on this alarm now; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Attend:
    """`person` is whoever the caller has verified. Every call raises AlarmError, and StateError where it can't be recorded."""

    def __init__(self, *, clock: Clock, log: Log, debts: Debts, board: AlarmBoard, told: Callable[[], None]) -> None:
        self._clock, self._log, self._debts, self._board, self._told = clock, log, debts, board, told

    def acknowledge(self, id: str, person: str) -> None:
        """A second time is an error: somebody else was there first, and the record says who."""
        key = self._key(id)
        self._demand(key, ("unacknowledged", "returned"), "alarm.nothing_to_acknowledge", "there is nothing to acknowledge")
        self._do("alarm.acknowledged", key, person, lambda: self._board.acknowledged(key, person))

    def shelve(self, id: str, person: str, for_s: float, reason: str) -> None:
        """Again while it is shelved: the new time counts from now."""
        key = self._key(id)
        if why := refusal(for_s, reason):
            raise AlarmError("alarm.shelving", why)
        until_ns = self._debts.now_ns() + round(for_s * SECOND_NS)
        shelved = Shelved(tag=key[0], limit=key[1], until_ns=until_ns, person=person, reason=reason)
        self._do("alarm.shelved", key, person, lambda: self._board.shelved(shelved), until_ns=until_ns, reason=reason)

    def unshelve(self, id: str, person: str) -> None:
        key = self._key(id)
        shelved = self._board.shelving(key)
        if shelved is None:
            raise AlarmError("alarm.not_shelved", f"{key[0]} {key[1]} is not shelved")
        now_ns = self._debts.now_ns()
        self._do("alarm.unshelved", key, person, lambda: self._board.unshelved(shelved, now_ns), by="person", shelved=shelved)

    def _key(self, id: str) -> Key:
        try:
            return self._board.key_of(id)
        except KeyError:
            raise AlarmError("alarm.unknown", f"no alarm {id[:80]!r} in the configuration in force") from None

    def _demand(self, key: Key, states: tuple[AlarmState, ...], code: str, what: str) -> None:
        state = self._board.state_of(key)
        if state not in states:
            raise AlarmError(code, f"{key[0]} {key[1]} is {state}: {what}")

    def _do(self, kind: str, key: Key, person: str, change: Callable[[], None], **facts: object) -> None:
        """Record and file in one transaction; undone in memory where the disk refuses."""
        body = {"alarm": alarm_id(*key), "tag": key[0], "limit": key[1], "person": person, "at_ns": self._clock.now_ns(), **facts}

        def record() -> None:
            undo = self._board.mark(key)
            try:
                with self._log.state.transaction():
                    self._log.append(kind, body)
                    change()
                    self._board.save()
            except BaseException:
                undo()
                raise

        self._debts.by_person(record)
        self._board.saved()
        self._told()
