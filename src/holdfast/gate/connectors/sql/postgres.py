"""A PostgreSQL server, asked in read-only transactions through a cursor, which takes nothing but one SELECT or VALUES.

The wall behind this one is the account: give it SELECT on what it is to read, and nothing else.
"""

import contextlib
import math
import os
import socket
from typing import TYPE_CHECKING, Any

from holdfast.gate.connectors import farewell
from holdfast.gate.connectors.sql.answers import Answer
from holdfast.gate.connectors.sql.source import SourceFailed

if TYPE_CHECKING:
    import psycopg

CURSOR = "holdfast"


class PostgresSource:
    """Blocks, but for `abort` and `is_broken`; one thread at a time."""

    def __init__(self, query: str, *, host: str, port: int, database: str, user: str, password: str, timeout_s: float) -> None:
        self._query = query
        self._place = f"{host}:{port}"
        self._timeout_s = timeout_s
        wait_ms = round(timeout_s * 1000)
        self._parameters: dict[str, Any] = {
            "host": host,
            "port": port,
            "dbname": database,
            "user": user,
            "password": password or None,
            "connect_timeout": max(2, math.ceil(timeout_s)),  # libpq knows whole seconds, and none below 2
            "options": (
                f"-c statement_timeout={wait_ms} -c default_transaction_read_only=on -c idle_in_transaction_session_timeout={2 * wait_ms}"
            ),
            "application_name": "holdfast",
            "client_encoding": "UTF8",
            "passfile": f"{os.devnull}/none",  # what stands in somebody's home is no part of the configuration
        }
        self._db: psycopg.Connection[tuple[Any, ...]] | None = None
        self._why = ""

    def open(self) -> None:
        try:
            import psycopg
        except ImportError:
            raise SourceFailed("psycopg is not installed: install Holdfast with its extra `postgres`") from None
        try:
            db = psycopg.connect(**self._parameters)
        except (psycopg.Error, OSError) as error:
            cure = "check address, database, account and password"
            raise SourceFailed(f"{self._place} can't be reached ({_told(error)}): {cure}") from None
        if self._why:  # nobody waits for it any more
            db.close()
            raise SourceFailed(self._why)
        db.read_only = True
        self._db = db

    def ask(self, rows_max: int) -> Answer:
        """At most `rows_max` + 1 rows. Raises SourceFailed."""
        import psycopg

        db = self._db
        if db is None or self.is_broken():
            raise SourceFailed(self._why or "it was not opened")
        try:
            with db.transaction(), db.cursor(name=CURSOR) as cursor:
                cursor.execute(self._query.encode())  # bytes: the query is the site file's own
                rows = cursor.fetchmany(rows_max + 1)
                return Answer(columns=tuple(column.name for column in cursor.description or ()), rows=tuple(rows))
        except psycopg.errors.QueryCanceled:
            raise SourceFailed(f"the query was not done within {self._timeout_s:g} s: make it faster, or write timeout_s") from None
        except (psycopg.Error, OSError) as error:
            raise SourceFailed(self._why or f"the query fails ({_told(error)})") from None

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def abort(self, why: str) -> None:
        self._why = self._why or why
        db = self._db
        if db is None or db.closed:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(db.fileno())) as sock:
            sock.shutdown(socket.SHUT_RDWR)  # the thread that waits in libpq sees the end of the stream

    def is_broken(self) -> str:
        db = self._db
        if not self._why and db is not None and not db.closed and farewell.heard(db.fileno()):
            self._why = f"{self._place} closed the connection"
        return self._why


def _told(error: BaseException) -> str:
    """The driver's first line: what follows points into the query."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
