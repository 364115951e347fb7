"""A SQLite file, opened to be read: what is no reading is refused by SQLite's own authorizer before it begins."""

import contextlib
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from holdfast.gate.connectors.sql.answers import Answer
from holdfast.gate.connectors.sql.source import SourceFailed

PROGRESS_STEPS = 1_000  # of SQLite's machine between two looks at the clock
CELL_BYTES_MAX = 1 << 20
_READING = frozenset((apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE))


class SqliteSource:
    """Blocks, but for `abort` and `is_broken`; one thread at a time."""

    def __init__(self, file: Path, query: str, *, timeout_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._query = query
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._db: apsw.Connection | None = None
        self._is: tuple[int, int] | None = None  # device and inode of the file that is open
        self._why = ""
        self._statements = 0
        self._columns: tuple[str, ...] = ()

    def open(self) -> None:
        try:
            self._is = self._identity()
            db = apsw.Connection(str(self._file), flags=apsw.SQLITE_OPEN_READONLY)
            db.limit(apsw.SQLITE_LIMIT_LENGTH, CELL_BYTES_MAX)
            db.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
            db.set_busy_timeout(round(self._timeout_s * 1000))
            db.set_authorizer(_may)
            db.set_exec_trace(self._one_statement)
        except (apsw.Error, OSError) as error:
            raise SourceFailed(f"{self._file} can't be opened to be read ({error}): check the file and who may read it") from None
        self._db = db

    def ask(self, rows_max: int) -> Answer:
        """At most `rows_max` + 1 rows. Raises SourceFailed."""
        db = self._db
        if db is None or self._why:
            raise SourceFailed(self._why or "it was not opened")
        deadline_s = self._monotonic() + self._timeout_s
        try:
            if self._identity() != self._is:
                raise SourceFailed(f"{self._file} was replaced by another file")
            db.set_progress_handler(lambda: self._monotonic() > deadline_s, PROGRESS_STEPS)
            self._statements = 0
            cursor = db.execute(self._query)
            try:
                rows = tuple(tuple(row) for row in itertools.islice(cursor, rows_max + 1))
            finally:
                cursor.close(True)
        except apsw.InterruptError:
            raise SourceFailed(f"the query was not done within {self._timeout_s:g} s: make it faster, or write timeout_s") from None
        except apsw.AuthError:
            raise SourceFailed("the query does something other than reading: only a SELECT is allowed") from None
        except apsw.ExecTraceAbort:
            raise SourceFailed("the query has more than one statement: only one SELECT is allowed") from None
        except (apsw.Error, OSError) as error:
            raise SourceFailed(f"the query fails ({error})") from None
        return Answer(columns=self._columns, rows=rows)

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close(True)

    def abort(self, why: str) -> None:
        self._why = self._why or why
        if self._db is not None:
            with contextlib.suppress(apsw.ConnectionClosedError):
                self._db.interrupt()

    def is_broken(self) -> str:
        return self._why

    def _identity(self) -> tuple[int, int]:
        found = self._file.stat()
        return found.st_dev, found.st_ino

    def _one_statement(self, cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        """Called before each statement begins; here an answer without rows has its columns too."""
        self._statements += 1
        self._columns = tuple(str(name) for name, *_ in cursor.get_description())
        return self._statements == 1


def _may(operation: int, *_: object) -> int:
    return apsw.SQLITE_OK if operation in _READING else apsw.SQLITE_DENY
