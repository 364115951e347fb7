"""What must be recorded and could not be: owed, and recorded first when the disk takes it again.

No record, no write: from the first refusal of the disk until all debts are paid the gate is not well, so nothing is
decided, nothing is sent, and the heartbeat stops. Data, alarms and the stop switch go on.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from holdfast.clock import Clock
from holdfast.gate.actuation.faults import Faults
from holdfast.gate.actuation.hands import OperatorWatch, Taken
from holdfast.gate.actuation.moves import Moves
from holdfast.gate.actuation.watchdog import Late, Lost, Watchdog
from holdfast.gate.alarms.board import AlarmBoard
from holdfast.gate.history.store import HistoryError
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import StateError
from holdfast.terms import SECOND_NS

OWED_MAX = 10_000  # records and acts that wait for a disk; beyond it the oldest go, and the record says how many
CLOCK_STEP_NS = 2 * SECOND_NS  # of the wall clock against the monotonic one: on record
SEEN_NS = SECOND_NS  # where setpoints stand may wait so long for its place in the file, unless something is recorded anyway
CLOCK_DRIFT_NS = SECOND_NS // 100  # from here on followed: less shortens no window by more than this
T = TypeVar("T")


class Debts:
    """`wins` is done for each act of others, in the transaction that records it; `told` when something was recorded."""

    def __init__(
        self,
        *,
        log: Log,
        clock: Clock,
        moves: Moves,
        watch: OperatorWatch,
        watchdog: Watchdog,
        faults: Faults,
        alarms: AlarmBoard,
        wins: Callable[[Taken], None],
        told: Callable[[], None],
    ) -> None:
        self._log = log
        self._clock = clock
        self._moves = moves
        self._watch = watch
        self._watchdog = watchdog
        self._faults = faults
        self._alarms = alarms
        self._wins = wins
        self._told = told
        self._owed: deque[tuple[str, Any]] = deque()
        self._acts: deque[Taken] = deque()
        self._forgotten = 0
        self._seen_due_ns = clock.monotonic_ns()
        self._clock_offset_ns = clock.now_ns() - clock.monotonic_ns()
        self.fault: StateError | HistoryError | None = None  # why nothing can be recorded now
        self.history_kept = True

    def now_ns(self) -> int:
        """UTC, after a step of the clock was seen to: what is counted must not run out because somebody set the time.

        Whichever way and however little the wall clock was set, all that is counted is set with it: the monotonic clock says
        how long ago it was. Only a step worth telling is recorded.
        """
        offset_ns = self._clock.now_ns() - self._clock.monotonic_ns()
        step_ns = offset_ns - self._clock_offset_ns
        if abs(step_ns) >= CLOCK_DRIFT_NS:
            try:
                with self._log.state.transaction():
                    self._moves.shift(step_ns)
                    if abs(step_ns) >= CLOCK_STEP_NS:
                        self._log.append("clock", {"step_s": step_ns / SECOND_NS})
                        self._faults.clock_stepped(step_ns / SECOND_NS)
            except StateError as error:
                self.ill(error)
            else:
                self._clock_offset_ns = offset_ns
                self._alarms.shift(step_ns)
        return self._clock.now_ns()

    def record(self, kind: str, body: Mapping[str, Any]) -> None:
        """Record it now. Raises StateError, HistoryError: then it is not recorded, and nobody owes it."""
        self.demand_well()
        try:
            with self._log.state.transaction():
                self._log.append(kind, body)
        except StateError as error:
            self.ill(error)
            raise
        self._told()

    def owe(self, kind: str, body: Any) -> None:
        """Record it now, or when the disk takes it. Never raises for the disk."""
        self.owe_all(((kind, body),), ())

    def owe_all(self, records: Iterable[tuple[str, Any]], acts: Iterable[Taken]) -> None:
        """The same for several, and for what others did."""
        self._owed.extend(records)
        self._acts.extend(acts)
        for queue in (self._owed, self._acts):
            while len(queue) > OWED_MAX:
                queue.popleft()
                self._forgotten += 1
        self.settle()

    def settle(self, *, now: bool = False) -> bool:
        """Record all that is owed, in one transaction. False: the disk refused, and all of it is still owed.

        What was merely seen waits up to SEEN_NS, unless it must be `now`: nothing is decided by it while this gate runs.
        """
        seen = self._watch.unsaved()
        if not (self._owed or self._acts or self._alarms.changed or (seen and (now or self._clock.monotonic_ns() >= self._seen_due_ns))):
            return True
        self._seen_due_ns = self._clock.monotonic_ns() + SEEN_NS
        try:
            with self._log.state.transaction():
                for kind, body in self._owed:
                    self._log.append(kind, body)
                for act in self._acts:
                    self._wins(act)
                self._moves.saw(seen)
                self._alarms.save()
        except StateError as error:
            self.ill(error)
            return False
        self._owed.clear()
        self._acts.clear()
        self._watch.saved(seen)
        self._alarms.saved()
        self._told()
        return True

    def ill(self, error: StateError | HistoryError) -> None:
        """The disk refused something: from now on no decision, no write, no heartbeat."""
        if self.fault is None:
            self._owed.append(("fault", {"code": getattr(error, "code", "history"), "since_ns": self._clock.now_ns()}))
        self.fault = error
        self._watchdog.well = False

    def recovered(self) -> bool:
        """Whether everything can be recorded. After a fault: once the reserve is back and all that was owed is on record."""
        if self.fault is None:
            return True
        if not (self.history_kept and self._log.state.restore_reserve()):
            return False
        self._owed.append(("recovered", {"forgotten": self._forgotten, "at_ns": self._clock.now_ns()}))
        if not self.settle():
            self._owed.pop()
            return False
        self.fault, self._forgotten = None, 0
        self._watchdog.well = True
        self._record_faults(self._faults.record_was_ill)
        return True

    def watch_over(self) -> None:
        """Put on record what the watchdog noticed, and what follows from it."""
        for fault in self._watchdog.faults():
            match fault:
                case Late():
                    self.owe("fault", {"code": "watchdog.late", "late_s": round(fault.late_s, 3)})
                case Lost():
                    self.owe("fault", {"code": "agent.lost", "agent": fault.agent})
                    self._record_faults(lambda agent=fault.agent: self._faults.agent_lost(agent))
        self.settle()

    def _record_faults(self, lower: Callable[[], None]) -> None:
        """A disk that refuses this stops everything anyway, so nothing is owed."""
        try:
            with self._log.state.transaction():
                lower()
        except StateError as error:
            self.ill(error)
        else:
            self._told()

    def demand_well(self) -> None:
        """Raises the fault while there is one."""
        if self.fault is not None:
            raise self.fault

    def demand_settled(self) -> None:
        """Raises the fault where what others did can't be put on record: a decision must know of it."""
        self.settle()
        self.demand_well()

    def by_person(self, act: Callable[[], T]) -> T:
        """People's acts are recorded also on a full disk: a reserve is kept for them, and this gives it free."""
        try:
            return act()
        except StateError as error:
            self.ill(error)
            if error.code != "state.full" or not self._log.state.release_reserve():
                raise
            return act()
