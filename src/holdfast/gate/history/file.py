"""The file that history is in: its tables, and how it is opened.

`hot` has frames as they came, `segment` the sealed stretches of one layout within one hour, `chunk` a segment's columns, `roll`
what is told of five minutes of a tag. A layout is the ordered tags of a table's frames from one row number on.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path

import apsw

PAGE_BYTES = 8192  # of a new file; chunks of a few kB fill larger pages better
BUSY_MS = 5_000
COLUMNS_MAX = 1 << 16
HOUR_NS = 3_600_000_000_000

TABLES = (
    "CREATE TABLE IF NOT EXISTS hot(tbl TEXT, seq INTEGER, from_ns INTEGER, to_ns INTEGER, frame BLOB, PRIMARY KEY(tbl, seq))"
    " WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS hot_time ON hot(tbl, to_ns)",
    "CREATE TABLE IF NOT EXISTS tag(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS layout(id INTEGER PRIMARY KEY, tbl TEXT NOT NULL, from_seq INTEGER)",  # NULL: of no frames
    "CREATE TABLE IF NOT EXISTS place(tag INTEGER, layout INTEGER, col INTEGER, PRIMARY KEY(tag, layout)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS segment(id INTEGER PRIMARY KEY, layout INTEGER NOT NULL, hour_ns INTEGER NOT NULL, rows INTEGER NOT NULL,"
    " from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, spine BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS segment_hour ON segment(layout, hour_ns)",
    "CREATE INDEX IF NOT EXISTS segment_age ON segment(hour_ns)",
    "CREATE TABLE IF NOT EXISTS chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL)",  # segment * COLUMNS_MAX + column
    "CREATE TABLE IF NOT EXISTS roll(tag INTEGER, hour_ns INTEGER, segment INTEGER, data BLOB, PRIMARY KEY(tag, hour_ns, segment))"
    " WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS sealed(tbl TEXT PRIMARY KEY, next_seq INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS brought(source TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID",
)


class HistoryError(Exception):
    """History can't be kept or read; the text says what to do."""


def opened(path: Path, *, durable: bool) -> apsw.Connection:
    """For writing. Raises HistoryError."""
    try:
        db = apsw.Connection(str(path))
        db.set_busy_timeout(BUSY_MS)  # a backup, or the end of another writer
        db.execute(f"PRAGMA page_size={PAGE_BYTES}")  # both before anything is written: later they change nothing
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        with transaction(db):
            for table in TABLES:
                db.execute(table)
    except apsw.Error as error:
        raise HistoryError(f"{path}: history can't be opened ({error}); check disk and permissions") from error
    return db


def opened_to_read(path: Path) -> apsw.Connection:
    """Beside whoever writes. Raises apsw.Error."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(BUSY_MS)
    return db


@contextlib.contextmanager
def transaction(db: apsw.Connection) -> Generator[None]:
    """All or nothing, and part of a transaction that is under way. Raises what was raised inside.

    On a full disk SQLite itself may have rolled back already, and apsw's own context would then raise that instead of why.
    """
    if db.in_transaction:
        yield
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def has_chunks(db: apsw.Connection) -> bool:
    """False for a file that an older version wrote and that no newer one has opened for writing."""
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name='segment'").fetchall())


def whole(value: object) -> int:
    """A whole number of a row. Raises HistoryError."""
    if not isinstance(value, int):
        raise HistoryError("history's file has a row that no Holdfast wrote; restore it from a backup, or move it aside")
    return value


def raw(value: object) -> bytes:
    """Bytes of a row. Raises HistoryError."""
    if not isinstance(value, bytes):
        raise HistoryError("history's file has a row that no Holdfast wrote; restore it from a backup, or move it aside")
    return value
