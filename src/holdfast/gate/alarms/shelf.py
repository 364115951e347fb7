"""Alarms that a person put aside for a while, each with a reason: it ends by itself (ISA-18.2-2016 §5.3, shelved state)."""

from collections.abc import Iterable

from holdfast.gate.alarms.limits import Side
from holdfast.terms import SECOND_NS, Word

SHELVED_S_MAX = 8 * 3600.0  # a shift
REASON_MAX = 300
Key = tuple[str, Side]


class Shelved(Word):
    """`until_ns` is UTC."""

    tag: str
    limit: Side
    until_ns: int
    person: str
    reason: str


class Shelf:
    """At most one shelving a limit, which bounds it."""

    def __init__(self) -> None:
        self._held: dict[Key, Shelved] = {}

    def restore(self, held: Iterable[Shelved], now_ns: int) -> None:
        """What an earlier run kept. A clock that was set back must not make a shelving longer than any may be."""
        latest_ns = now_ns + round(SHELVED_S_MAX * SECOND_NS)
        for s in held:
            until_ns = min(s.until_ns, latest_ns)
            self._held[s.tag, s.limit] = Shelved(tag=s.tag, limit=s.limit, until_ns=until_ns, person=s.person, reason=s.reason)

    def of(self, key: Key) -> Shelved | None:
        return self._held.get(key)

    def held(self) -> tuple[Key, ...]:
        return tuple(self._held)

    def put(self, shelved: Shelved) -> None:
        self._held[shelved.tag, shelved.limit] = shelved

    def take(self, key: Key) -> Shelved | None:
        return self._held.pop(key, None)

    def due(self, now_ns: int) -> tuple[Shelved, ...]:
        """Those whose time is over; they stay until they are taken."""
        return tuple(s for s in self._held.values() if s.until_ns <= now_ns)

    def shift(self, by_ns: int) -> tuple[Key, ...]:
        """The wall clock was set: a shelving lasts as long as was said."""
        for key, s in self._held.items():
            self._held[key] = Shelved(tag=s.tag, limit=s.limit, until_ns=s.until_ns + by_ns, person=s.person, reason=s.reason)
        return tuple(self._held)


def refusal(for_s: float, reason: str) -> str:
    """Why a shelving can't be as it is asked for; "" where it can."""
    if not 0.0 < for_s <= SHELVED_S_MAX:  # also where it is not a number
        return f"for_s: {for_s:g} s; a shelving is longer than 0 s and at most {SHELVED_S_MAX:g} s, so that it ends within a shift"
    if not reason.strip():
        return "reason: why the alarm may be put aside is asked for; whoever comes next reads it"
    if len(reason) > REASON_MAX:
        return f"reason: {len(reason)} characters; at most {REASON_MAX}"
    return ""
