"""Every change of a setpoint, ours and others', kept over restarts: what rate, budget, dwell and yield count from.

A change of the active setpoint is ours only while it lies between the former and the wanted value of a write of ours
that is under way. Any other change, and any change of mode or permit, is somebody else's: the operator wins.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from holdfast.gate.ledger.store import State
from holdfast.site.model import Envelope, Loop, Site
from holdfast.terms import SECOND_NS, Move, Word

MOVES_MAX = 4096  # a tag; the site loader allows no window that could need more
ALIVE_EVERY_NS = 10 * SECOND_NS


class Moves:
    def __init__(self, state: State, now_ns: int) -> None:
        self._state = state
        state.ensure(
            "CREATE TABLE IF NOT EXISTS moves(id INTEGER PRIMARY KEY, tag TEXT, before REAL, after REAL, at_ns INTEGER, by TEXT,"
            " ours INTEGER, shadow INTEGER)"
        )
        state.ensure("CREATE TABLE IF NOT EXISTS yielding(tag TEXT PRIMARY KEY, until_ns INTEGER)")
        state.ensure("CREATE TABLE IF NOT EXISTS alive(one INTEGER PRIMARY KEY CHECK(one=1), at_ns INTEGER)")
        self._by_tag: dict[str, deque[Move]] = {}
        self.yields: dict[str, int] = {}
        self._alive_ns = now_ns
        self._shift_over_downtime(now_ns)
        self._load()
        state.on_rollback(self._load)

    def _load(self) -> None:
        self._by_tag.clear()
        self.yields = {str(tag): int(str(until)) for tag, until in self._state.db.execute("SELECT tag, until_ns FROM yielding")}
        for tag, before, after, at_ns, by, ours, shadow in self._state.db.execute(
            "SELECT tag, before, after, at_ns, by, ours, shadow FROM moves ORDER BY id"
        ):
            self._remember(
                Move(
                    tag=str(tag),
                    before=float(str(before)),
                    after=float(str(after)),
                    at_ns=int(str(at_ns)),
                    by=str(by),
                    ours=bool(ours),
                    shadow=bool(shadow),
                )
            )

    def add(self, move: Move) -> None:
        """In the caller's transaction."""
        self._state.db.execute(
            "INSERT INTO moves(tag, before, after, at_ns, by, ours, shadow) VALUES(?,?,?,?,?,?,?)",
            (move.tag, move.before, move.after, move.at_ns, move.by, int(move.ours), int(move.shadow)),
        )
        self._state.db.execute(
            "DELETE FROM moves WHERE tag=? AND id <= (SELECT max(id) FROM moves WHERE tag=?) - ?", (move.tag, move.tag, MOVES_MAX)
        )
        self._remember(move)

    def since(self, since_ns: int, tags: Iterable[str] | None = None) -> tuple[Move, ...]:
        """Moves later than since_ns, in order of time."""
        wanted = self._by_tag if tags is None else tags
        return tuple(sorted((m for tag in wanted for m in self._by_tag.get(tag, ()) if m.at_ns > since_ns), key=lambda m: (m.at_ns, m.tag)))

    def yield_until(self, tag: str, until_ns: int) -> None:
        """No writes to this setpoint until then; in the caller's transaction."""
        self._state.db.execute("INSERT OR REPLACE INTO yielding VALUES(?, ?)", (tag, until_ns))
        self.yields[tag] = until_ns

    def alive(self, now_ns: int) -> None:
        """Note that the gate runs, so that the next start knows how long it did not."""
        if now_ns - self._alive_ns >= ALIVE_EVERY_NS:
            self._alive_ns = now_ns
            self._state.db.execute("INSERT OR REPLACE INTO alive VALUES(1, ?)", (now_ns,))

    def _shift_over_downtime(self, now_ns: int) -> None:
        """Unknown downtime counts as no time passed: a window that was full before it is as full after it."""
        row = next(iter(self._state.db.execute("SELECT at_ns FROM alive")), None)
        with self._state.transaction():
            if row is not None:
                down_ns = max(now_ns - int(str(row[0])), 0)
                self._state.db.execute("UPDATE moves SET at_ns = at_ns + ?", (down_ns,))
                self._state.db.execute("UPDATE yielding SET until_ns = until_ns + ?", (down_ns,))
            self._state.db.execute("INSERT OR REPLACE INTO alive VALUES(1, ?)", (now_ns,))

    def _remember(self, move: Move) -> None:
        self._by_tag.setdefault(move.tag, deque(maxlen=MOVES_MAX)).append(move)


class Target(Word):
    """A write of ours that is under way or was the last: between former and wanted the setpoint's changes are ours."""

    tag: str
    former: float
    wanted: float
    author: str


class Taken(Word):
    """Somebody else acted on a loop."""

    sp: str
    what: str  # "setpoint", "external setpoint", "mode" or "permit"
    before: float
    after: float


@dataclasses.dataclass
class _Seen:
    envelope: Envelope
    watched: tuple[tuple[str, str, float], ...]  # (what, tag, tolerance)
    last: dict[str, float]


class OperatorWatch:
    """Compares each frame with the one before. `targets` is kept by the saga."""

    def __init__(self, site: Site) -> None:
        self.targets: dict[str, Target] = {}
        self._loops: list[_Seen] = []
        for envelope in site.envelopes:
            loop = site.loop_of(envelope.tag) or Loop(name=envelope.tag, equipment=envelope.equipment, sp=envelope.tag)
            within = envelope.readback.within if envelope.readback else 0.0
            active = loop.sp_now or (envelope.readback.tag if envelope.readback else "")
            watched: Sequence[tuple[str, str, float]] = (
                ("setpoint", active, within),
                ("external setpoint", loop.sp if loop.sp != active else "", within),
                ("mode", loop.mode, 0.0),
                ("permit", loop.permit, 0.0),
            )
            self._loops.append(_Seen(envelope, tuple(w for w in watched if w[1]), {}))

    def step(self, good_value: Callable[[str], float | None]) -> Iterator[Taken]:
        """What others did since the last step. Bad data is no act of anyone; what it hid is seen when data is back."""
        for seen in self._loops:
            for what, tag, within in seen.watched:
                value = good_value(tag)
                if value is None:
                    continue
                before = seen.last.get(tag)
                seen.last[tag] = value
                if before is None or value == before:
                    continue
                if what in ("setpoint", "external setpoint") and self._ours(seen.envelope.tag, value, within):
                    continue
                yield Taken(sp=seen.envelope.tag, what=what, before=before, after=value)

    def _ours(self, sp: str, value: float, within: float) -> bool:
        target = self.targets.get(sp)
        if target is None:
            return False
        low, high = sorted((target.former, target.wanted))
        return low - within <= value <= high + within
