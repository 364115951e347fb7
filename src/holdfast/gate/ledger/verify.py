"""Is the record whole and unchanged? Needs the state file and the public key, trusts nothing else, and never raises.

Every leaf is hashed again, must be canonical and carry its place; the tree over all of them must have the root that
each signed checkpoint states at its size. Notes kept elsewhere (a witness, the `checkpoints` file) are judged alike.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

import apsw

from holdfast.gate.ledger.checkpoint import CHECKPOINTS, Checkpoint, PublicKey, notes_in, parse, signed_by
from holdfast.gate.ledger.leaves import pieces, reader
from holdfast.gate.ledger.log import record_of
from holdfast.gate.ledger.merkle import TILE, Frontier
from holdfast.gate.ledger.store import APPLICATION_ID, FILE, LOCK, StateError, cured
from holdfast.terms import Record, Word

NOTES_BYTES_MAX = 256 << 20
HASH_BYTES = 32
UNSIGNED = "ledger.unsigned"  # the code where there is no checkpoint at all


class Verdict(Word):
    """What verification found. `signed` records are under a checkpoint; later ones only hang together."""

    ok: bool
    records: int
    signed: int = 0
    root: str = ""  # hex, over all records
    first_bad: int | None = None  # seq
    between: tuple[int, int] | None = None  # sizes of the two checkpoints between which records were made anew
    code: str = "ledger.whole"
    detail: str = ""


class _Bad(Exception):
    def __init__(self, code: str, detail: str, *, first_bad: int | None = None, between: tuple[int, int] | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.first_bad, self.between = code, detail, first_bad, between


def _say_nothing(done: int, of: int) -> None:
    """For who shows no progress."""


def verify(path: Path, key: PublicKey, *, notes: Sequence[str] = (), progress: Callable[[int, int], None] = _say_nothing) -> Verdict:
    """Verify a state file or the folder that holds one; `notes` are checkpoints kept elsewhere. Works while a gate runs.

    `progress` is told how many records are done, and of how many, every few thousand.
    """
    file = path / FILE if path.is_dir() else path
    frontier = Frontier()
    signed: list[int] = []
    try:
        with cured(file), readable(file) as uri, _reading(uri, file) as db, _one_snapshot(db):
            beside = _notes_beside(file)
            checkpoints = _checkpoints(db, key, [*beside, *notes])
            _nodes(db, _walk(db, uri, checkpoints, frontier, signed, progress))
    except _Bad as bad:
        return Verdict(
            ok=False,
            records=frontier.size,
            signed=max(signed, default=0),
            root=frontier.root().hex(),
            first_bad=bad.first_bad,
            between=bad.between,
            code=bad.code,
            detail=bad.detail,
        )
    except StateError as error:
        return Verdict(ok=False, records=frontier.size, first_bad=frontier.size + 1, code=error.code, detail=str(error))
    except (apsw.Error, OSError, MemoryError, TypeError, ValueError) as error:
        detail = f"{file}: can't be read as a ledger ({error}). Restore a backup, or point to the right file."
        return Verdict(ok=False, records=frontier.size, first_bad=frontier.size + 1, code="state.foreign", detail=detail)
    last = max(signed, default=0)
    unsigned = frontier.size - last
    detail = f"{frontier.size} records, {last} under a signed checkpoint" + (
        f"; the last {unsigned} are not signed yet" if unsigned else ""
    )
    return Verdict(ok=True, records=frontier.size, signed=last, root=frontier.root().hex(), detail=detail)


def _walk(
    db: apsw.Connection,
    uri: str,
    checkpoints: Sequence[Checkpoint],
    frontier: Frontier,
    signed: list[int],
    progress: Callable[[int, int], None],
) -> dict[tuple[int, int], bytes]:
    """Hash every leaf again, compare with each checkpoint as its size is reached, return the inner hashes worth storing."""
    inner: dict[tuple[int, int], bytes] = {}
    ahead = list(reversed(checkpoints))
    _settle(ahead, frontier, signed)
    total = _total(db)
    for piece in pieces(db, uri, total):
        for level, index, node in _grown(frontier, piece.hashes, ahead, signed):
            inner[level, index] = node
        if piece.fault is not None:
            raise _Bad(piece.fault.code, piece.fault.detail, first_bad=piece.fault.seq)
        progress(frontier.size, total)
    if ahead:
        lost = ahead[0].size
        detail = f"a checkpoint signs {lost} records, {frontier.size} are here: records {frontier.size + 1} to {lost} were cut off"
        raise _Bad("ledger.truncated", detail, first_bad=frontier.size + 1)
    return inner


def _total(db: apsw.Connection) -> int:
    """The highest number of a record; numbers begin at 1."""
    row = db.execute("SELECT min(seq), max(seq) FROM leaf").fetchone()
    lowest, highest = row if row else (None, None)
    if lowest is not None and lowest < 1:
        raise _Bad("ledger.gap", f"record 1 is missing; the next one is {lowest}", first_bad=1)
    return highest or 0


def _grown(frontier: Frontier, hashes: bytes, ahead: list[Checkpoint], signed: list[int]) -> Generator[tuple[int, int, bytes]]:
    """Append leaf hashes, whole tiles at once where no checkpoint lies inside one; yield the inner hashes worth storing."""
    leaves = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    at = 0
    while at < len(leaves):
        nearest = ahead[-1].size if ahead else 0
        tile = frontier.size % TILE == 0 and at + TILE <= len(leaves) and not frontier.size < nearest < frontier.size + TILE
        if tile:
            yield from frontier.append_tile(leaves[at : at + TILE])
            at += TILE
        else:
            yield from frontier.append(leaves[at])
            at += 1
        if nearest == frontier.size:
            _settle(ahead, frontier, signed)


def _settle(ahead: list[Checkpoint], frontier: Frontier, signed: list[int]) -> None:
    while ahead and ahead[-1].size == frontier.size:
        checkpoint = ahead.pop()
        if checkpoint.root != frontier.root():
            before = max(signed, default=0)
            detail = (
                f"records {before + 1} to {checkpoint.size} don't have the root that the checkpoint at {checkpoint.size} signs: "
                f"one of them was changed and its hashes were made anew, after the checkpoint at {before}"
            )
            raise _Bad("ledger.rewritten", detail, between=(before, checkpoint.size))
        signed.append(checkpoint.size)


def _checkpoints(db: apsw.Connection, key: PublicKey, elsewhere: Iterable[str]) -> list[Checkpoint]:
    """All checkpoints, smallest first, each parsed and its signature verified. Bad where there is none at all."""
    found: list[Checkpoint] = []
    for size, note in db.execute("SELECT size, note FROM checkpoint ORDER BY size"):
        checkpoint = _genuine(note, key, f"the checkpoint at {size}")
        if checkpoint.size != size:
            raise _Bad("ledger.checkpoint", f"the checkpoint at {size} signs {checkpoint.size} records: it was moved")
        found.append(checkpoint)
    known = {checkpoint.note for checkpoint in found}
    for place, note in enumerate(elsewhere, start=1):
        if note not in known:
            known.add(note)
            found.append(_genuine(note, key, f"note {place} of those kept beside the file"))
    if not found:
        raise _Bad(UNSIGNED, "there is no checkpoint: nothing shows that these records are the ones that were written")
    return sorted(found, key=lambda c: c.size)


def _genuine(note: object, key: PublicKey, name: str) -> Checkpoint:
    try:
        checkpoint = parse(note if isinstance(note, str) else "")
    except ValueError as error:
        raise _Bad("ledger.checkpoint", f"{name} is damaged: {error}") from None
    if checkpoint.origin != key.name:
        raise _Bad("ledger.key", f"{name} is of {checkpoint.origin!r}, the key of {key.name!r}: give the key of this gate")
    if not signed_by(checkpoint, key):
        raise _Bad("ledger.checkpoint", f"{name} is not signed by this key: it was altered, or the key is another gate's")
    return checkpoint


def _nodes(db: apsw.Connection, inner: dict[tuple[int, int], bytes]) -> None:
    """The stored inner hashes, which proofs are made from, must be those that follow from the leaves."""
    for level, index, node in db.execute("SELECT level, idx, hash FROM node"):
        expected = inner.pop((level, index), None)
        if expected is None:
            raise _Bad("ledger.node", f"the stored hash ({level}, {index}) belongs to no records")
        if expected != node:
            first = (index << level) + 1
            raise _Bad("ledger.node", f"the stored hash over records {first} to {first + (1 << level) - 1} does not follow from them")
    if inner:
        raise _Bad("ledger.node", f"{len(inner)} stored inner hashes are missing; proofs can't be made")


def _notes_beside(file: Path) -> list[str]:
    notes = file.parent / CHECKPOINTS
    if file.name != FILE or not notes.exists():
        return []
    return read_notes(notes)


def read_notes(path: Path) -> list[str]:
    """The notes of a checkpoints or witness file. Raises OSError; what can't be decoded becomes a note that won't verify."""
    with path.open("rb") as file:
        return list(notes_in(file.read(NOTES_BYTES_MAX).decode(errors="replace")))


def selected(db: apsw.Connection, *, after: int, kind: str, limit: int) -> tuple[Record, ...]:
    """Up to `limit` records with seq > after, of one kind or ("") of all, oldest first. Raises ValueError for a bad one."""
    found: list[Record] = []
    for (leaf,) in db.execute("SELECT bytes FROM leaf WHERE seq > ? ORDER BY seq", (after,)):
        record = record_of(leaf)
        if not kind or record.kind == kind:
            found.append(record)
        if len(found) >= limit:
            break
    return tuple(found)


@contextlib.contextmanager
def opened(file: Path) -> Generator[apsw.Connection]:
    """The state file, only to read, leaving nothing beside evidence where no gate runs. Raises StateError, OSError, apsw.Error."""
    with readable(file) as uri, _reading(uri, file) as db:
        yield db


@contextlib.contextmanager
def readable(file: Path) -> Generator[str]:
    """The URI under which the state file, or a copy of what a killed gate left, can be read. Raises StateError, OSError."""
    if not file.is_file():
        raise StateError("state.missing", f"{file}: there is no such file. Give a state folder or its {FILE}.")
    wal = file.with_name(file.name + "-wal")
    if gate_runs(file):
        yield f"file:{quote(str(file))}?mode=ro"
    elif wal.exists() and wal.stat().st_size:
        # Recovering the WAL writes beside it, so that happens to a copy.
        with tempfile.TemporaryDirectory(prefix="holdfast-verify-") as folder:
            for source in (file, wal):
                shutil.copyfile(source, Path(folder) / source.name)
            yield f"file:{quote(str(Path(folder) / file.name))}?mode=ro"
    else:
        yield f"file:{quote(str(file))}?immutable=1"


@contextlib.contextmanager
def _reading(uri: str, file: Path) -> Generator[apsw.Connection]:
    with contextlib.closing(reader(uri)) as db:
        if db.pragma("application_id") != APPLICATION_ID:
            raise StateError("state.foreign", f"{file}: a database, but not Holdfast's. Point to the right file.")
        yield db


@contextlib.contextmanager
def _one_snapshot(db: apsw.Connection) -> Generator[None]:
    """All reads see one moment, also while a gate appends."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        with contextlib.suppress(apsw.Error):
            db.execute("ROLLBACK")


def gate_runs(file: Path) -> bool:
    """Whether someone holds the folder's lock."""
    try:
        lock = os.open(file.with_name(LOCK), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
