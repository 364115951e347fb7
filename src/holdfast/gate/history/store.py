"""Everything that was seen, kept in a file of its own: one blob a frame, oldest out first when the cap is reached."""

import threading
from pathlib import Path

import apsw
import numpy as np

from holdfast.terms import Frame, pack, unpack

CHUNKS_A_READ = 200_000
TRIM_ROUNDS_MAX = 100


class HistoryError(Exception):
    """History can't be kept or read; the text says what to do."""


class History:
    """Appends are durable on return where `durable` is set; a run on a virtual clock can be run again instead."""

    def __init__(self, path: Path, *, durable: bool, bytes_max: int = 2_000_000_000) -> None:
        self._bytes_max = bytes_max
        self._turn = threading.Lock()  # frames may be kept beside the gate's thread
        try:
            self._db = apsw.Connection(str(path))
            self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # before anything is written: later it changes nothing
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS hot(tbl TEXT, seq INTEGER, from_ns INTEGER, to_ns INTEGER, frame BLOB,"
                " PRIMARY KEY(tbl, seq)) WITHOUT ROWID"
            )
            self._db.execute("CREATE INDEX IF NOT EXISTS hot_time ON hot(tbl, to_ns)")
        except apsw.Error as error:
            raise HistoryError(f"{path}: history can't be opened ({error}); check disk and permissions") from error

    def append(self, *frames: Frame) -> None:
        """One transaction for all frames given. On a full disk the oldest tenth goes and the append is tried once more."""
        rows = [(f.table, f.seq, int(f.received_ns[0]), int(f.received_ns[-1]), pack(f)) for f in frames]
        with self._turn:
            try:
                self._insert(rows)
            except apsw.FullError:
                try:
                    self._drop_oldest(0.1)
                    self._insert(rows)
                except apsw.Error as error:
                    raise HistoryError("history: the disk is full; free some space, the ledger is not touched") from error
            except apsw.Error as error:
                raise HistoryError(f"history: the disk refuses ({error}); check disk and permissions") from error

    def next_seq(self, table: str) -> int:
        row = next(iter(self._db.execute("SELECT frame FROM hot WHERE tbl=? ORDER BY seq DESC LIMIT 1", (table,))), None)
        if row is None or not isinstance(row[0], bytes):
            return 0
        last = unpack(row[0])
        return last.seq + last.rows

    def read(self, table: str, from_ns: int, to_ns: int, rows_max: int, columns: int) -> Frame:
        """Rows received in [from_ns, to_ns], evenly thinned to rows_max; an empty frame where there are none."""
        query = "SELECT frame FROM hot WHERE tbl=? AND to_ns>=? AND from_ns<=? ORDER BY seq LIMIT ?"
        with self._turn:
            blobs = self._db.execute(query, (table, from_ns, to_ns, CHUNKS_A_READ)).fetchall()
        found = [unpack(blob) for (blob,) in blobs if isinstance(blob, bytes)]
        if not found:
            return Frame(
                table=table,
                seq=0,
                received_ns=np.zeros(0, np.int64),
                source_ns=np.zeros((0, columns), np.int64),
                values=np.zeros((0, columns)),
                status=np.zeros((0, columns), np.uint32),
            )
        received = np.concatenate([f.received_ns for f in found])
        keep = np.flatnonzero((received >= from_ns) & (received <= to_ns))
        if len(keep) > rows_max:
            keep = keep[np.linspace(0, len(keep) - 1, rows_max).round().astype(np.intp)]
        return Frame(
            table=table,
            seq=found[0].seq,
            received_ns=received[keep],
            source_ns=np.concatenate([f.source_ns for f in found])[keep],
            values=np.concatenate([f.values for f in found])[keep],
            status=np.concatenate([f.status for f in found])[keep],
        )

    def trim(self) -> int:
        """Drop the oldest until the file is under its cap; returns how many frames went. Raises HistoryError."""
        dropped = 0
        with self._turn:
            try:
                for _ in range(TRIM_ROUNDS_MAX):
                    if self._size() <= self._bytes_max:
                        break
                    dropped += self._drop_oldest(0.05)
            except apsw.Error as error:
                raise HistoryError(f"history: the oldest can't be dropped ({error}); check disk and permissions") from error
        return dropped

    def close(self) -> None:
        with self._turn:
            self._db.close()

    def _insert(self, rows: list[tuple[str, int, int, int, bytes]]) -> None:
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO hot VALUES(?,?,?,?,?)", rows)

    def _size(self) -> int:
        (pages,), (size,) = next(iter(self._db.execute("PRAGMA page_count"))), next(iter(self._db.execute("PRAGMA page_size")))
        return int(str(pages)) * int(str(size))

    def _drop_oldest(self, share: float) -> int:
        (count,) = next(iter(self._db.execute("SELECT count(*) FROM hot")))
        drop = max(1, int(int(str(count)) * share))
        with self._db:
            self._db.execute(
                "DELETE FROM hot WHERE (tbl, seq) IN (SELECT tbl, seq FROM hot ORDER BY to_ns LIMIT ?)",
                (drop,),
            )
        self._db.execute("PRAGMA incremental_vacuum").fetchall()  # a page a row: all must be asked for
        return min(drop, int(str(count)))
