"""The proof that a record is under a signed checkpoint, made from a state file that is only read."""

from typing import Any

import apsw

from holdfast.gate.ledger.log import subtree
from holdfast.gate.ledger.merkle import inclusion
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

    def rows(sql: str, bindings: tuple[int, ...]) -> list[Any]:
        return db.execute(sql, bindings).fetchall()

    def perfect(level: int, index: int) -> bytes:
        return subtree(rows, level, index)

    return Proof(leaf=row[0], size=size, path=inclusion(seq - 1, size, perfect), note=note)
