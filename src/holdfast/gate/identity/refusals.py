"""Refused acts go on record, and a flood of them as one record a minute: what was tried is told, the disk is not filled."""

from collections.abc import Callable, Mapping
from typing import Any

from holdfast.clock import Clock
from holdfast.terms import SECOND_NS

EVERY_S = 60.0  # the same again within this is counted, not recorded
KINDS_MAX = 256  # different ones counted at once; all beyond are counted together
TEXT_MAX = 120
OTHERS = ("", "several", "several")


class Refusals:
    """Kind "refused.act": person ("" where nobody is known), act, why (a code), times. `owe` never raises."""

    def __init__(self, clock: Clock, owe: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._clock = clock
        self._owe = owe
        self._since: dict[tuple[str, str, str], tuple[int, int]] = {}  # (when last recorded, how many since)

    def note(self, person: str, act: str, why: str) -> None:
        """The first is recorded at once, the same again with the next record of it."""
        self.flush()
        key = (person[:TEXT_MAX], act[:TEXT_MAX], why[:TEXT_MAX])
        if key not in self._since and len(self._since) >= KINDS_MAX:
            key = OTHERS
        if key in self._since:
            at_ns, more = self._since[key]
            self._since[key] = at_ns, more + 1
            return
        self._since[key] = self._clock.monotonic_ns(), 0
        self._record(key, 1)

    def flush(self, *, all_of_them: bool = False) -> None:
        """Record what was counted for EVERY_S; called at each message, and with `all_of_them` before the gate ends."""
        now_ns = self._clock.monotonic_ns()
        for key, (at_ns, more) in list(self._since.items()):
            if not all_of_them and now_ns - at_ns < EVERY_S * SECOND_NS:
                continue
            if more:
                self._since[key] = now_ns, 0
                self._record(key, more)
            else:
                del self._since[key]

    def _record(self, key: tuple[str, str, str], times: int) -> None:
        person, act, why = key
        self._owe("refused.act", {"person": person, "act": act, "why": why, "times": times})
