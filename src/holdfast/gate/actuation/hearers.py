"""Who hears of new records: the event stream, the terminal, the lockstep's agent."""

from collections.abc import Callable

from holdfast.gate.ledger.log import Log
from holdfast.terms import Record


class Hearers:
    """`listeners` come and go by themselves; each gets every record once, in order."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told = log.size
        self.listeners: list[Callable[[Record], None]] = []

    def tell(self) -> None:
        """Hand over what was recorded since the last time."""
        while self.listeners and self._told < self._log.size:
            for record in self._log.read(self._told):
                self._told = record.seq
                for listener in tuple(self.listeners):  # one that is too slow leaves while it is told
                    listener(record)
        self._told = self._log.size
