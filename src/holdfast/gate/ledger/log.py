"""The record: leaves appended in the caller's transaction, gap-free, their exact bytes kept for ever.

A leaf is canonical({"seq", "at_ns", "kind", "label", "body"}), stored as hashed and never serialised again.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from holdfast.clock import Clock
from holdfast.gate.ledger.merkle import TILE_LEVELS, Frontier, consistency, frontier_of, inclusion, leaf_hash, node_hash
from holdfast.gate.ledger.store import State, StateError
from holdfast.terms import Label, Record, Word, canonical

LEAF_BYTES_MAX = 1 << 20
LARGER: Mapping[str, int] = {"configuration": 16 << 20}  # a whole site in one record: 40,000 tags are some 10 MB
READ_MAX = 10_000  # records one read returns

TABLES = """
CREATE TABLE IF NOT EXISTS leaf (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS node (level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (size INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
"""


def record_of(leaf: bytes) -> Record:
    """The record in a leaf's bytes. Raises ValueError for bytes that are none."""
    try:
        value = json.loads(leaf)
        return Record(seq=value["seq"], at_ns=value["at_ns"], kind=value["kind"], label=value["label"], body=value["body"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("these bytes are no record") from error


def subtree(rows: Callable[[str, tuple[int, ...]], list[Any]], level: int, index: int) -> bytes:
    """The hash of a complete subtree, from at most 2**(TILE_LEVELS - 1) stored hashes; `rows` runs a query.

    Raises ValueError where some of them are missing.
    """
    stored = level - level % TILE_LEVELS
    first, count = index << (level - stored), 1 << (level - stored)
    if stored == 0:
        found = rows("SELECT hash FROM leaf WHERE seq > ? AND seq <= ? ORDER BY seq", (first, first + count))
    else:
        found = rows("SELECT hash FROM node WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx", (stored, first, first + count))
    hashes = [bytes(row[0]) for row in found]
    if len(hashes) != count:
        raise ValueError("records are missing")
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


class Log:
    """The ledger of a State. Sequence numbers begin at 1; leaf index = seq - 1."""

    def __init__(self, state: State, clock: Clock) -> None:
        self.state = state
        self._clock = clock
        self._grown: Frontier | None = None  # None: read it from the file when next needed
        state.ensure(TABLES)
        state.on_rollback(self._forget)

    def append(self, kind: str, body: Word | Mapping[str, Any], *, label: Label = "site", at_ns: int | None = None) -> int:
        """Add a record, in the open transaction or one of its own; returns its number.

        Raises ValueError for what has no canonical form or is too large, StateError where the disk refuses.
        """
        frontier = self._frontier
        seq = frontier.size + 1
        at_ns = self._clock.now_ns() if at_ns is None else at_ns
        try:
            leaf = canonical({"seq": seq, "at_ns": at_ns, "kind": kind, "label": label, "body": body})
        except RecursionError:
            raise ValueError("a record nested too deeply to be written") from None
        if len(leaf) > (most := LARGER.get(kind, LEAF_BYTES_MAX)):
            raise ValueError(f"a record of {len(leaf)} bytes; at most {most} are recorded")
        hashed = leaf_hash(leaf)
        with self.state.transaction():
            db = self.state.db
            db.execute("INSERT INTO leaf VALUES (?, ?, ?)", (seq, leaf, hashed))
            for node in frontier.append(hashed):
                db.execute("INSERT INTO node VALUES (?, ?, ?)", node)
        return seq

    @property
    def size(self) -> int:
        return self._frontier.size

    def root(self) -> bytes:
        """The tree's root over all records so far, 32 bytes."""
        return self._frontier.root()

    def leaf(self, seq: int) -> bytes | None:
        """The exact bytes of a record."""
        rows = self.state.rows("SELECT bytes FROM leaf WHERE seq = ?", (seq,))
        return bytes(rows[0][0]) if rows else None

    def get(self, seq: int) -> Record | None:
        leaf = self.leaf(seq)
        return None if leaf is None else record_of(leaf)

    def read(self, after: int = 0, limit: int = 1000) -> tuple[Record, ...]:
        """Records with seq > after, oldest first, at most min(limit, READ_MAX)."""
        rows = self.state.rows("SELECT bytes FROM leaf WHERE seq > ? ORDER BY seq LIMIT ?", (after, min(limit, READ_MAX)))
        return tuple(record_of(row[0]) for row in rows)

    def prove_inclusion(self, seq: int, size: int | None = None) -> tuple[bytes, ...]:
        """The audit path of a record among the first `size` (all). Raises ValueError where it isn't among them."""
        size = self.size if size is None else size
        if size > self.size:
            raise ValueError(f"the ledger has {self.size} records, not {size}")
        return inclusion(seq - 1, size, self.perfect)

    def prove_consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the first `old` records are unchanged in the first `new`."""
        if new > self.size:
            raise ValueError(f"the ledger has {self.size} records, not {new}")
        return consistency(old, new, self.perfect)

    def root_at(self, size: int) -> bytes:
        """The root over the first `size` records."""
        return frontier_of(size, self.perfect).root()

    def perfect(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree. Raises StateError where records are missing."""
        try:
            return subtree(self.state.rows, level, index)
        except ValueError as error:
            raise StateError("state.corrupt", f"{self.state.path}: {error}. Keep the file and restore a backup.") from error

    @property
    def _frontier(self) -> Frontier:
        if self._grown is None:
            ((size,),) = self.state.rows("SELECT coalesce(max(seq), 0) FROM leaf")
            self._grown = frontier_of(size, self.perfect)
        return self._grown

    def _forget(self) -> None:
        self._grown = None
