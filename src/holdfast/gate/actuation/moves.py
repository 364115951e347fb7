"""Every change of a setpoint, ours and others', kept over restarts: what rate, budget, dwell and yield count from.

What somebody else did is told by actuation/hands.py; here it is counted.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping

from holdfast.gate.ledger.store import State
from holdfast.terms import SECOND_NS, Move

MOVES_MAX = 4096  # a tag; the site loader allows no window that could need more
TRIM_EVERY = 256  # and so many more rows in the file: to look for the oldest at every move would read them all each time
ALIVE_EVERY_NS = 10 * SECOND_NS


class Moves:
    def __init__(self, state: State, now_ns: int) -> None:
        self._state = state
        state.ensure(
            "CREATE TABLE IF NOT EXISTS moves(id INTEGER PRIMARY KEY, tag TEXT, before REAL, after REAL, at_ns INTEGER, by TEXT,"
            " ours INTEGER, shadow INTEGER)"
        )
        state.ensure("CREATE TABLE IF NOT EXISTS yielding(tag TEXT PRIMARY KEY, until_ns INTEGER)")
        state.ensure("CREATE TABLE IF NOT EXISTS seen(tag TEXT PRIMARY KEY, value REAL NOT NULL)")
        state.ensure("CREATE TABLE IF NOT EXISTS alive(one INTEGER PRIMARY KEY CHECK(one=1), at_ns INTEGER)")
        self._by_tag: dict[str, deque[tuple[int, Move]]] = {}  # with the latest time of the move and of all before it
        self._rows: dict[str, int] = {}  # in the file, by tag
        self.yields: dict[str, int] = {}
        self._alive_ns = now_ns
        self._shift_over_downtime(now_ns)
        self._alive_ns = now_ns
        self._load()
        state.on_rollback(self._load)

    def _load(self) -> None:
        self._by_tag.clear()
        self._rows.clear()
        self.yields = {str(tag): int(str(until)) for tag, until in self._state.db.execute("SELECT tag, until_ns FROM yielding")}
        for tag, before, after, at_ns, by, ours, shadow in self._state.db.execute(
            "SELECT tag, before, after, at_ns, by, ours, shadow FROM moves ORDER BY id"
        ):
            self._rows[str(tag)] = self._rows.get(str(tag), 0) + 1
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
        self._rows[move.tag] = self._rows.get(move.tag, 0) + 1
        if self._rows[move.tag] >= MOVES_MAX + TRIM_EVERY:
            self._trim(move.tag)
        # Whoever moves something is alive: after a restart no move may lie in the future.
        self._state.db.execute("UPDATE alive SET at_ns = max(at_ns, ?)", (move.at_ns,))
        self._remember(move)

    def follow(self, tag: str, before: float, after: float, at_ns: int) -> None:
        """Somebody else's ramp goes on: one move as long as it keeps its direction, so that travel adds up and rows don't.

        It counts from its latest step. In the caller's transaction.
        """
        latest_ns, last = next(reversed(self._by_tag.get(tag, ())), (0, None))
        if last is None or last.ours or last.after != before or (after - before) * (last.after - last.before) <= 0:
            self.add(Move(tag=tag, before=before, after=after, at_ns=at_ns, by="operator", ours=False))
            return
        newest = "SELECT id FROM moves WHERE tag=? ORDER BY id DESC LIMIT 1"
        self._state.db.execute(f"UPDATE moves SET after=?, at_ns=? WHERE id=({newest})", (after, at_ns, tag))  # noqa: S608 - constants
        self._by_tag[tag][-1] = max(latest_ns, at_ns), dataclasses.replace(last, after=after, at_ns=at_ns)

    def saw(self, values: Mapping[str, float]) -> None:
        """Where setpoints, modes and permits stand, so that the next start knows what others did meanwhile."""
        self._state.db.executemany("INSERT OR REPLACE INTO seen VALUES(?, ?)", tuple(values.items()))

    def seen(self) -> dict[str, float]:
        return {str(tag): float(str(value)) for tag, value in self._state.db.execute("SELECT tag, value FROM seen")}

    def since(self, since_ns: int, tags: Iterable[str] | None = None, *, others_since_ns: int | None = None) -> tuple[Move, ...]:
        """Moves later than since_ns, in order of time; those that aren't ours since others_since_ns, where it is given."""
        wanted = self._by_tag if tags is None else tags
        of_others_ns = since_ns if others_since_ns is None else others_since_ns
        earliest_ns = min(since_ns, of_others_ns)
        found: list[Move] = []
        for tag in wanted:
            late: list[Move] = []
            for latest_ns, move in reversed(self._by_tag.get(tag, ())):
                if latest_ns <= earliest_ns:  # nor is any before it later
                    break
                if move.at_ns > (since_ns if move.ours else of_others_ns):
                    late.append(move)
            found += reversed(late)
        return tuple(sorted(found, key=lambda m: (m.at_ns, m.tag)))

    def yield_until(self, tag: str, until_ns: int) -> None:
        """No writes to this setpoint until then; in the caller's transaction."""
        self._state.db.execute("INSERT OR REPLACE INTO yielding VALUES(?, ?)", (tag, until_ns))
        self.yields[tag] = until_ns

    def alive(self, now_ns: int) -> None:
        """Note that the gate runs, so that the next start knows how long it did not."""
        if now_ns - self._alive_ns >= ALIVE_EVERY_NS:
            with self._state.transaction():
                self._state.db.execute("INSERT OR REPLACE INTO alive VALUES(1, ?)", (now_ns,))
            self._alive_ns = now_ns

    def shift(self, by_ns: int) -> None:
        """Move everything that is counted `by_ns` later: that time is not known to have passed. In the caller's transaction."""
        self._state.db.execute("UPDATE moves SET at_ns = at_ns + ?", (by_ns,))
        self._state.db.execute("UPDATE yielding SET until_ns = until_ns + ?", (by_ns,))
        self._state.db.execute("UPDATE alive SET at_ns = at_ns + ?", (by_ns,))
        self._alive_ns += by_ns
        self._load()

    def _shift_over_downtime(self, now_ns: int) -> None:
        """Unknown downtime counts as no time passed: a window that was full before it is as full after it."""
        row = next(iter(self._state.db.execute("SELECT at_ns FROM alive")), None)
        with self._state.transaction():
            if row is not None:
                self.shift(max(now_ns - int(str(row[0])), 0))
            self._state.db.execute("INSERT OR REPLACE INTO alive VALUES(1, ?)", (now_ns,))

    def _trim(self, tag: str) -> None:
        """Let the oldest rows of a tag go, all but MOVES_MAX."""
        oldest = "SELECT id FROM moves WHERE tag=? ORDER BY id DESC LIMIT 1 OFFSET ?"
        self._state.db.execute(f"DELETE FROM moves WHERE tag=? AND id <= ({oldest})", (tag, tag, MOVES_MAX))  # noqa: S608 - constants
        self._rows[tag] = MOVES_MAX

    def _remember(self, move: Move) -> None:
        kept = self._by_tag.setdefault(move.tag, deque(maxlen=MOVES_MAX))
        kept.append((max(move.at_ns, kept[-1][0]) if kept else move.at_ns, move))
