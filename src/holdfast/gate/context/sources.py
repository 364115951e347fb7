"""Where context comes from: CSV files and SQL queries, read whole, each within bounds of size and time.

All of this blocks and runs in a worker thread. A source that can't be read raises Unread; nothing is said in its place.
"""

import csv
import importlib
import io
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import apsw

from holdfast.gate.context.rows import TEXT_MAX, Flaw
from holdfast.site import secrets
from holdfast.site.model import ContextTable
from holdfast.site.secrets import SecretError
from holdfast.terms import Word

FILE_BYTES_MAX = 8 << 20
ROWS_MAX = 50_000
SQL_TIMEOUT_S = 5.0
PROGRESS_STEPS = 1_000  # of SQLite's machine between two looks at the clock
Raw = tuple[tuple[str, Mapping[str, Any]], ...]


class Unread(Exception):
    """A source could not be read."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.code)
        self.flaw = flaw


class Mark(Word):
    """What a file looked like; while it looks the same it says the same."""

    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int


def mark(path: Path, shown: str) -> Mark:
    """Raises Unread."""
    try:
        found = path.stat()
    except OSError as error:
        raise Unread(_unread(shown, error.strerror or type(error).__name__)) from None
    return Mark(inode=found.st_ino, bytes=found.st_size, modified_ns=found.st_mtime_ns, changed_ns=found.st_ctime_ns)


def csv_rows(path: Path, shown: str) -> tuple[Mark, Raw]:
    """(where, cells by column) of each row: UTF-8 or GB18030; comma, semicolon or tab. Raises Unread."""
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read(FILE_BYTES_MAX + 1)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise Unread(_unread(shown, error.strerror or type(error).__name__)) from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != after.st_size:
        if len(data) > FILE_BYTES_MAX:
            raise Unread(Flaw(where=shown, code="context.large", facts=(("max", str(FILE_BYTES_MAX)),)))
        raise Unread(Flaw(where=shown, code="context.written_now"))
    seen = Mark(inode=after.st_ino, bytes=after.st_size, modified_ns=after.st_mtime_ns, changed_ns=after.st_ctime_ns)
    text = _decoded(data, shown)
    if text and not text.endswith(("\n", "\r")):
        # The writer may be at it still, or have died: 0.6 may have been meant to be 0.65.
        raise Unread(Flaw(where=f"{shown}:{text.count(chr(10)) + 1}", code="context.cut"))
    return seen, tuple(_cells(text, shown))


def _decoded(data: bytes, shown: str) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unread(Flaw(where=shown, code="context.encoding"))


def _cells(text: str, shown: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    count = 0
    try:
        for row in rows:
            where = f"{shown}:{rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = [cell.strip() for cell in row]
                if len(set(header)) != len(header):
                    raise Unread(Flaw(where=where, code="context.header"))
                continue
            count += 1
            if count > ROWS_MAX:
                raise Unread(Flaw(where=where, code="context.rows", facts=(("max", str(ROWS_MAX)),)))
            # A row of another length has no columns by which it could be read: it is bad as a whole.
            yield where, dict(zip(header, row, strict=True)) if len(row) == len(header) else {}
    except csv.Error as error:
        raise Unread(Flaw(where=f"{shown}:{rows.line_num}", code="context.csv", facts=(("why", str(error)),))) from None
    if header is None:
        raise Unread(Flaw(where=shown, code="context.empty"))


def sqlite_rows(path: Path, shown: str, query: str) -> Raw:
    """Rows of a query on a database that is opened read-only. Raises Unread."""
    deadline = time.monotonic() + SQL_TIMEOUT_S
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            db.set_busy_timeout(round(SQL_TIMEOUT_S * 1000))
            db.set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_STEPS)
            cursor = db.execute(query)
            columns = [name for name, *_ in cursor.get_description()]
            return _numbered(shown, columns, cursor)
        finally:
            db.close()
    except apsw.Error as error:
        raise Unread(_unread(shown, f"{type(error).__name__}: {error}")) from None


def postgres_rows(table: ContextTable, folder: Path) -> Raw:
    """Rows of a query in a read-only transaction. Raises Unread; also where the driver (extra `postgres`) is not installed."""
    shown = table.name
    try:
        with postgres(dict(table.options), folder, read_only=True) as db:
            cursor = db.execute(str(table.option("query")))
            columns = [column.name for column in cursor.description]
            return _numbered(shown, columns, cursor)
    except SecretError as error:
        raise Unread(_unread(shown, str(error))) from None
    except ImportError:
        raise Unread(Flaw(where=shown, code="context.driver")) from None
    except Exception as error:  # noqa: BLE001 - whatever the driver raises, there is nothing to rest on; its text can hold the address
        raise Unread(_unread(shown, type(error).__name__)) from None


def postgres(options: Mapping[str, Any], folder: Path, *, read_only: bool) -> Any:
    """An open connection, to be used as a context manager. Raises ImportError, SecretError and what psycopg raises."""
    driver: Any = importlib.import_module("psycopg")  # an extra, and only where a site names it
    password = options.get("password")
    flags = f"-c statement_timeout={round(SQL_TIMEOUT_S * 1000)} -c default_transaction_read_only={'on' if read_only else 'off'}"
    return driver.connect(
        host=str(options["host"]),
        port=int(float(options.get("port") or 5432)),
        dbname=str(options["database"]),
        user=str(options["user"]),
        password=secrets.text(str(password), folder) if password else None,
        connect_timeout=round(SQL_TIMEOUT_S),
        options=flags,
        application_name="holdfast",
        client_encoding="UTF8",
        passfile=f"{os.devnull}/none",  # what stands in somebody's home is no part of the configuration
    )


def _numbered(shown: str, columns: list[str], rows: Any) -> Raw:
    found: list[tuple[str, Mapping[str, Any]]] = []
    for row in rows:
        if len(found) >= ROWS_MAX:
            raise Unread(Flaw(where=shown, code="context.rows", facts=(("max", str(ROWS_MAX)),)))
        found.append((f"{shown}: row {len(found) + 1}", dict(zip(columns, row, strict=True))))
    return tuple(found)


def _unread(shown: str, why: str) -> Flaw:
    return Flaw(where=shown, code="context.unread", facts=(("why", why[:TEXT_MAX]),))
