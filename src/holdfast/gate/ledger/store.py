"""The one SQLite file of a state folder: one writer, one transaction for all that must be true together.

Saga, approvals, counters and ledger share this file because transactions over attached files are not crash-atomic.
A State belongs to one thread at a time.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import apsw

SQLITE_MIN = (3, 51, 3)  # has the fix of the WAL-reset bug
APPLICATION_ID = 0x484F4C44  # "HOLD"
USER_VERSION = 1
BUSY_TIMEOUT_MS = 5_000
RESERVE_BYTES = 4 << 20  # some thousand people's actions, WAL included
LOCK_TRIES, LOCK_PAUSE_S = 5, 0.02
# SQLite moves the write-ahead log into the file within a commit once it has so many pages: by itself at 1,000, every some
# thirty actions, which then wait for it. `fold` does it beside them; this is the bound where nobody calls that.
LOG_PAGES_MAX = 8_000  # 32 MiB
FILE, LOCK, RESERVE = "state.db", "state.lock", "reserve"


class StateError(Exception):
    """The state folder can't be used; the text says what is wrong with it and what to do. `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _cure(error: apsw.Error, path: Path) -> StateError | None:
    """What a disk's or a file's fault means; None for faults of the caller (a constraint, wrong SQL)."""
    match error:
        case apsw.NotADBError():
            return StateError("state.foreign", f"{path}: not a Holdfast state file. Point to the right folder, or restore a backup.")
        case apsw.CorruptError():
            return StateError("state.corrupt", f"{path}: damaged ({error}). Keep it for inspection and restore a backup.")
        case apsw.FullError():
            return StateError("state.full", f"{path}: the disk is full; nothing was recorded. Free some space on it.")
        case apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.AuthError():
            return StateError("state.readonly", f"{path}: can't be written ({error}). Check owner, rights and mount of its folder.")
        case apsw.BusyError() | apsw.LockedError():
            return StateError("state.locked", f"{path}: another program holds it. End that program (`fuser {path}` names it).")
        case apsw.CantOpenError():
            return StateError("state.readonly", f"{path}: can't be opened ({error}). Check owner and rights of its folder.")
        case apsw.IOError():
            return StateError("state.disk", f"{path}: the disk fails ({error}). Check the disk, then restore a backup elsewhere.")
        case _:
            return None


@contextlib.contextmanager
def cured(path: Path) -> Generator[None]:
    """Turn faults of file and disk into StateError with a cure; let the caller's own faults through."""
    try:
        yield
    except apsw.Error as error:
        if cure := _cure(error, path):
            raise cure from error
        raise


def refuse_old_sqlite(version: str) -> None:
    """Raises StateError below SQLITE_MIN."""
    if tuple(int(part) for part in version.split(".")) < SQLITE_MIN:
        raise StateError("state.old_sqlite", f"SQLite {version} can lose records when its WAL is reset. Install apsw 3.51.3 or newer.")


class State:
    """The open state folder.

    durable: a commit is on the disk when it returns (synchronous=FULL); False only for runs on a virtual clock.
    exclusive: hold the folder's lock, so that no second gate writes here.
    Raises StateError.
    """

    # Told (name, "before" or "after") of each commit, where a test breaks the gate on purpose (actuation/failpoints.py).
    committing: ClassVar[Callable[[str, str], None] | None] = None

    def __init__(self, folder: Path, *, durable: bool = True, exclusive: bool = True, reserve_bytes: int = RESERVE_BYTES) -> None:
        refuse_old_sqlite(apsw.sqlite_lib_version())
        self.folder = folder
        self.path = folder / FILE
        self.durable = durable
        self._reserve_bytes = reserve_bytes
        self._depth = 0
        self._doomed: BaseException | None = None
        self._rolled_back: list[Callable[[], None]] = []  # told at each rollback, for as long as the State lives
        self._redo: list[Callable[[], None]] = []  # of the open transaction only
        self._lock: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if exclusive:
                self._lock = _hold(folder / LOCK)
        except OSError as error:
            raise StateError("state.readonly", f"{folder}: {error.strerror}. Check owner and rights of the folder.") from error
        try:
            with cured(self.path):
                self.db = _open(self.path, durable=durable)
            self.restore_reserve()
        except BaseException:
            self._unlock()
            raise

    @property
    def in_transaction(self) -> bool:
        return self._depth > 0

    @contextlib.contextmanager
    def transaction(self, name: str = "") -> Generator[None]:
        """All or nothing, joined by inner ones. Any exception that leaves an inner one undoes the whole, caught or not.

        Never await inside: what runs meanwhile would join. Raises StateError when the disk refuses, also at the commit; then
        nothing is recorded.
        """
        if self._depth:
            self._depth += 1
            try:
                yield
            except BaseException as error:
                self._doomed = self._doomed or error
                raise
            finally:
                self._depth -= 1
            return
        with cured(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            self._depth, self._doomed, self._redo = 1, None, []
            try:
                yield
                if self._doomed:
                    raise RuntimeError("a part of this transaction failed, so none of it is recorded") from self._doomed
                if State.committing is not None:
                    State.committing(name, "before")
                self.db.execute("COMMIT")
            except BaseException:
                self._depth = 0
                self._undo()
                raise
            self._depth = 0
        if State.committing is not None:
            State.committing(name, "after")

    def rows(self, sql: str, bindings: Sequence[int | str | bytes | None] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, in or outside a transaction; the caller's SQL bounds them. Raises StateError."""
        with cured(self.path):
            return self.db.execute(sql, bindings).fetchall()

    def ensure(self, sql: str) -> None:
        """Make a room's own tables; `sql` is CREATE … IF NOT EXISTS statements."""
        with self.transaction("store.ensure"):
            self.db.execute(sql)

    def on_rollback(self, forget: Callable[[], None]) -> None:
        """Have `forget` called after every rollback: for what is kept in memory beside the file."""
        self._rolled_back.append(forget)

    def also_if_rolled_back(self, write: Callable[[], None]) -> None:
        """Do `write` now, and again on its own if the open transaction is undone: for what a failure must not erase."""
        with self.transaction("store.also_if_rolled_back"):
            write()
            self._redo.append(write)

    def release_reserve(self) -> bool:
        """Give the kept disk space free, so that people's actions are still recorded. False: it was given already."""
        try:
            (self.folder / RESERVE).unlink()
        except OSError:
            return False
        return True

    def restore_reserve(self) -> bool:
        """Keep disk space back again. False: there is none to keep; the gate goes on without."""
        path = self.folder / RESERVE
        if not self._reserve_bytes or (path.exists() and path.stat().st_size >= self._reserve_bytes):
            return True
        try:
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._reserve_bytes)
        except OSError:
            path.unlink(missing_ok=True)
            return False
        return True

    def fold(self) -> bool:
        """Move what is committed from the write-ahead log into the file, on a connection of its own: for a thread beside.

        No commit waits for it, and it waits for none. False: the disk refused; then the log grows, and the commit that finds no
        more room says so.
        """
        try:
            with contextlib.closing(apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
                db.pragma("schema_version")  # a connection that has read nothing yet knows of no log, and would do nothing
                db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            return False
        return True

    def close(self) -> None:
        """Safe to call twice."""
        self.db.close()
        self._unlock()

    def _undo(self) -> None:
        if self.db.in_transaction:  # a full disk makes SQLite roll back by itself
            self.db.execute("ROLLBACK")
        for forget in self._rolled_back:
            forget()
        redo, self._redo = self._redo, []
        if redo:
            # A fault here must not hide the one that is being raised.
            with contextlib.suppress(StateError), self.transaction("store.undo"):
                for write in redo:
                    write()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _open(path: Path, *, durable: bool) -> apsw.Connection:
    new = not path.exists() or path.stat().st_size == 0
    if new:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # before SQLite makes it with wider rights
    db = apsw.Connection(str(path))
    try:
        db.set_busy_timeout(BUSY_TIMEOUT_MS)
        if new:
            db.execute("BEGIN IMMEDIATE")  # both or neither: a crash between them would leave a file that nobody opens
            db.pragma("application_id", APPLICATION_ID)
            db.pragma("user_version", USER_VERSION)
            db.execute("COMMIT")
        if db.pragma("application_id") != APPLICATION_ID:
            raise StateError("state.foreign", f"{path}: a database, but not Holdfast's. Point to the right folder.")
        if (version := db.pragma("user_version")) != USER_VERSION:
            raise StateError(
                "state.newer", f"{path}: format {version}, this Holdfast reads {USER_VERSION}. Install the release that wrote it."
            )
        db.pragma("journal_mode", "wal")
        db.wal_autocheckpoint(LOG_PAGES_MAX)
        db.pragma("synchronous", "full" if durable else "off")
        db.pragma("foreign_keys", True)
        # A damaged page is an error, not a wrong row.
        db.pragma("cell_size_check", True)
    except BaseException:
        db.close()
        raise
    return db


def _hold(path: Path) -> int:
    """Take the folder's lock and write our process id into it, for whoever is refused."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    for _ in range(LOCK_TRIES):  # who verifies a record looks at the lock for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            time.sleep(LOCK_PAUSE_S)
    else:
        holder = os.read(lock, 64).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise StateError(
            "state.in_use", f"{path.parent}: process {holder} runs a gate here. End that process first, or use another folder."
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
