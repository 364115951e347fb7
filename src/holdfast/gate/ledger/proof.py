"""Proofs made from a state file that is only read: that a record is under a signed checkpoint, that the record only grew."""

from typing import Any

import apsw

from holdfast.gate.ledger.log import subtree
from holdfast.gate.ledger.merkle import Perfect, consistency, inclusion
from holdfast.gate.ledger.witness import Growth
from holdfast.terms import Word


class Proof(Word):
    """Leaf bytes, audit path (nearest first) and the note that signs the tree of `size` leaves."""

    leaf: bytes
    size: int
    path: tuple[bytes, ...]
    note: str


def proof_of(db: apsw.Connection, seq: int) -> Proof | None:
    """Against the newest checkpoint; None where none covers the record. Raises ValueError for a record that isn't there."""
    row = db.execute("SELECT bytes FROM leaf WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        raise ValueError(f"there is no record {seq}")
    head = db.execute("SELECT size, note FROM checkpoint WHERE size >= ? ORDER BY size DESC LIMIT 1", (seq,)).fetchone()
    if head is None:
        return None
    size, note = head
    return Proof(leaf=row[0], size=size, path=inclusion(seq - 1, size, _perfect(db)), note=note)


def growth_of(db: apsw.Connection, old: int) -> Growth | None:
    """The newest checkpoint, and that the first `old` records are a beginning of it; None without one.

    There is no path where none is needed or none can be: from 0 records, to the same size, or from more than there are.
    Raises ValueError where records are missing.
    """
    head = db.execute("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    if head is None:
        return None
    size, note = head
    return Growth(note=note, old=old, path=consistency(old, size, _perfect(db)) if 0 < old < size else ())


def _perfect(db: apsw.Connection) -> Perfect:
    def rows(sql: str, bindings: tuple[int, ...]) -> list[Any]:
        return db.execute(sql, bindings).fetchall()

    return lambda level, index: subtree(rows, level, index)
