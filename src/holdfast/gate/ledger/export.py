"""A copy of the record for who may not see all of it: what is labelled higher stays as its hash, and every proof still works.

A text file: a header line (canonical JSON: checkpoint, form, key, label, size), then a line a record up to the
checkpoint: the leaf's exact bytes, or the 64 hex digits of its hash. A canonical leaf has no line end in it.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import apsw

from holdfast.gate.ledger.checkpoint import PublicKey, parse, signed_by
from holdfast.gate.ledger.log import record_of
from holdfast.gate.ledger.merkle import Frontier, leaf_hash
from holdfast.terms import LABELS, Label, Word, canonical

FORM = "holdfast export/1"


class ExportError(Exception):
    """Nothing was exported; the text says why."""


class Exported(Word):
    size: int  # records up to the checkpoint
    shown: int
    hidden: int
    root: str  # hex


def lines(
    db: apsw.Connection, key: PublicKey, label: Label, *, first: int = 1, last: int | None = None
) -> Generator[bytes, None, Exported]:
    """The export, line by line; what lies outside records `first` to `last` stays as its hash too. Returns what it held.

    Raises ExportError where the records don't have the root that the checkpoint signs, at the end, so that nobody takes what
    came so far for an export; ValueError for a bad record.
    """
    row = db.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    if row is None:
        raise ExportError("there is no checkpoint yet: nothing signed could be exported. Let the gate run for a minute.")
    checkpoint = parse(str(row[0]))
    if not signed_by(checkpoint, key):
        raise ExportError("the newest checkpoint is not signed by this gate's key. Run `holdfast ledger verify`.")
    allowed = frozenset(LABELS[: LABELS.index(label) + 1])
    last = checkpoint.size if last is None else min(last, checkpoint.size)
    ranged = {} if (first, last) == (1, checkpoint.size) else {"first": first, "last": last}
    header = {"checkpoint": checkpoint.note, "form": FORM, "key": key.text(), "label": label, "size": checkpoint.size, **ranged}
    yield canonical(header) + b"\n"
    frontier, shown = Frontier(), 0
    for (leaf,) in db.execute("SELECT bytes FROM leaf WHERE seq <= ? ORDER BY seq", (checkpoint.size,)):
        hashed = leaf_hash(leaf)
        frontier.append(hashed)
        may = first <= frontier.size <= last and record_of(leaf).label in allowed
        shown += may
        yield (leaf if may else hashed.hex().encode()) + b"\n"
    if (frontier.size, frontier.root()) != (checkpoint.size, checkpoint.root):
        raise ExportError("the records don't have the root that the checkpoint signs. Run `holdfast ledger verify`.")
    return Exported(size=checkpoint.size, shown=shown, hidden=checkpoint.size - shown, root=checkpoint.root.hex())


def write(found: Generator[bytes, None, Exported], to: BinaryIO) -> Exported:
    """Write `lines` to a file that is open. Raises as they do, and OSError."""
    while True:
        try:
            to.write(next(found))
        except StopIteration as done:
            return done.value


def export(db: apsw.Connection, key: PublicKey, label: Label, out: Path, *, first: int = 1, last: int | None = None) -> Exported:
    """Write `lines` to a new file; an existing one is not replaced, a half-written one not left. Raises as `lines`, and OSError."""
    handle = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            return write(lines(db, key, label, first=first, last=last), file)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
