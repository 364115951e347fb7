"""Everything that was seen, kept in a file of its own: frames as they come, sealed into chunks, oldest out first at the cap."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import apsw

from holdfast.gate.history import hot, rows, seal, segment
from holdfast.gate.history.file import HistoryError, opened, opened_to_read, raw, transaction, whole
from holdfast.gate.history.hot import Block
from holdfast.gate.history.layout import Layouts
from holdfast.gate.history.room import CAP_BYTES, Room
from holdfast.gate.history.seal import Sealed
from holdfast.terms import Frame, TagTable, pack, unpack

KEEP = (
    "INSERT OR IGNORE INTO hot SELECT ?1, ?2, ?3, ?4, ?5"
    " WHERE NOT EXISTS (SELECT 1 FROM sealed WHERE tbl=?1 AND next_seq>?2)"  # it is in a chunk already
)
__all__ = ["History", "HistoryError"]


class History:
    """Appends are durable on return where `durable` is set; a run on a virtual clock can be run again instead.

    One writer a file. Any thread may call; who reads waits for nobody, and nobody for who reads.
    """

    def __init__(self, path: Path, *, durable: bool, bytes_max: int = CAP_BYTES, tables: Iterable[TagTable] = ()) -> None:
        self._path = path
        self._turn = threading.Lock()  # frames may be kept beside the gate's thread
        self._sealing = threading.Lock()
        self._closed = False
        self._db = opened(path, durable=durable)
        try:
            self._room = Room(self._db, path, bytes_max)
            self._layouts = Layouts(self._db)
            tables = tuple(tables)
            self._layouts.declare(tables, {table.id: self.next_seq(table.id) for table in tables})
        except apsw.Error as error:
            self._db.close()
            raise HistoryError(f"{path}: history can't be opened ({error}); check disk and permissions") from error

    def append(self, *frames: Frame) -> None:
        """One transaction for all frames given. On a full disk the oldest tenth goes and the append is tried once more.

        A frame whose number is there already is left as it is. Raises HistoryError: then none of them is kept.
        """
        kept = [(f.table, f.seq, int(f.received_ns.min()), int(f.received_ns.max()), pack(f)) for f in hot.joined(frames)]
        self._write(lambda db: db.executemany(KEEP, kept))

    def next_seq(self, table: str) -> int:
        row = next(iter(self._db.execute("SELECT frame FROM hot WHERE tbl=? ORDER BY seq DESC LIMIT 1", (table,))), None)
        if row is None:
            sealed = self._db.execute("SELECT next_seq FROM sealed WHERE tbl=?", (table,)).fetchall()
            return whole(sealed[0][0]) if sealed else 0
        last = unpack(raw(row[0]))
        return last.seq + last.rows

    def read(self, table: str, from_ns: int, to_ns: int, rows_max: int, columns: int) -> Frame:
        """Rows received in [from_ns, to_ns], by time, evenly thinned to rows_max; an empty frame where there are none.

        Columns are those of the table's newest layout; what was not kept of a row is Bad (no data). Raises HistoryError.
        """
        try:
            with contextlib.closing(opened_to_read(self._path)) as db:
                return rows.between(db, table, from_ns, to_ns, rows_max, columns)
        except (apsw.Error, ValueError) as error:
            raise HistoryError(f"{self._path}: history can't be read ({error}); check disk and permissions") from error

    def seal(self, now_ns: int, *, all_: bool = False, breathe: Callable[[], None] = lambda: None) -> Sealed:
        """Turn what has waited long enough (`all_`: everything up to now) into chunks, beside whoever appends and reads.

        `breathe` is called often, for who wants others to run in between. Raises HistoryError: what is not sealed stays as it came.
        """
        with self._sealing:
            try:
                sealed = seal.seal_frames(self._path, self._layouts, now_ns, self._write, breathe, all_=all_)
                seal.merge_hours(self._path, now_ns, self._write, breathe)
            except (apsw.Error, ValueError) as error:
                raise HistoryError(f"{self._path}: history can't be sealed ({error}); check disk and permissions") from error
            return sealed

    def brought_before(self, source: str) -> int:
        """How many rows of a source that is brought in are here already."""
        with self._turn:
            found = self._db.execute("SELECT rows FROM brought WHERE source=?", (source,)).fetchall()
        return whole(found[0][0]) if found else 0

    def bring(self, source: str, rows: int, blocks: Sequence[tuple[str, tuple[str, ...], Block]]) -> None:
        """(table, tags, rows) straight into segments; `rows` of the source are then done. One transaction. Raises HistoryError."""
        ready = [
            (table, names, segment.encoded(hour, part, lambda: None))
            for table, names, block in blocks
            for hour, part in segment.by_hour(block)
        ]

        def put(db: apsw.Connection) -> None:
            for table, names, made in ready:
                segment.put(db, self._layouts.brought(table, names), made)
            db.execute("INSERT INTO brought VALUES(?,?) ON CONFLICT(source) DO UPDATE SET rows=excluded.rows", (source, rows))

        self._write(put)

    def settle(self, progress: Callable[[float, str], None]) -> None:
        """After bringing in: pieces of one hour become one. Raises HistoryError."""
        try:
            while merged := seal.merge_hours(self._path, seal.EVER_NS, self._write, lambda: None):
                progress(1.0, f"{merged} hours put together")  # each round leaves fewer pieces, so it ends
        except apsw.Error as error:
            raise HistoryError(f"{self._path}: history can't be sealed ({error}); check disk and permissions") from error

    def trim(self) -> int:
        """Drop the oldest until the file is under its cap; how many rows went since the last time, also on a full disk.

        Raises HistoryError.
        """
        with self._turn:
            try:
                self._room.trim()
            except apsw.Error as error:
                raise HistoryError(f"history: the oldest can't be dropped ({error}); check disk and permissions") from error
            dropped, self._room.dropped = self._room.dropped, 0
        return dropped

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._db.close()

    def _write(self, action: Callable[[apsw.Connection], object]) -> None:
        """One transaction. Raises HistoryError."""
        with self._turn:
            if self._closed:
                raise HistoryError("history is closed; nothing was kept")
            try:
                try:
                    self._commit(action)
                except apsw.FullError:
                    self._room.make()
                    self._commit(action)
            except apsw.FullError as error:
                raise HistoryError("history: the disk is full; free some space, the ledger is not touched") from error
            except apsw.Error as error:
                raise HistoryError(f"history: the disk refuses ({error}); check disk and permissions") from error

    def _commit(self, action: Callable[[apsw.Connection], object]) -> None:
        with transaction(self._db):
            action(self._db)
