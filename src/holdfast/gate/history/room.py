"""Room for history: a cap on its bytes, a little room kept for a full disk, and the oldest go first.

What is dropped leaves free pages in the file, which the next frames take: on a full disk the file need not grow. Before they can,
what waits in the write-ahead log has to get into the file, and for that the reserve is given up. From then on the file is held
at its size until the disk has room again, so that nothing waits in the log that the file has no place for.
"""

import contextlib
import os
from pathlib import Path

import apsw

from holdfast.gate.history import segment
from holdfast.gate.history.file import HOUR_NS, transaction, whole
from holdfast.gate.history.layout import names_of

CAP_BYTES = 2_000_000_000
RESERVE_BYTES = 2 << 20
LOG_PAGES = 128  # of write-ahead log before it is folded into the file: less than the reserve
SHARE_AT_ONCE = 0.05  # of what came and isn't sealed yet
SHARE_ON_FULL = 0.1
TRIM_ROUNDS_MAX = 10_000  # hours in a trim: more than a year
HELPS_BYTES = 4 * RESERVE_BYTES  # of a smaller history a tenth is no help: then somebody else fills the disk, and people must know
PAGES_MAX = 4_294_967_294  # SQLite's own limit
FREE_TIMES = 4  # the reserve is taken again when the disk has this many of it


class Room:
    """All its doings are inside the caller's turn; `dropped` counts rows until somebody asks."""

    def __init__(self, db: apsw.Connection, path: Path, bytes_max: int) -> None:
        self.dropped = 0
        self.bytes_max = bytes_max
        self._db = db
        self._reserve = path.with_name(path.name + ".reserve")
        db.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        self.reserve()
        if not self._reserve.exists() and self.used_bytes() >= HELPS_BYTES:
            self._hold()  # started on a disk that is full already

    def reserve(self) -> None:
        """Where the disk has plenty: take the reserve, and let the file grow."""
        if self._reserve.exists():
            return
        with contextlib.suppress(OSError):
            there = os.statvfs(self._reserve.parent)
            if there.f_bavail * there.f_frsize < FREE_TIMES * RESERVE_BYTES:
                return
            self._db.execute(f"PRAGMA max_page_count={PAGES_MAX}").fetchall()
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def make(self) -> None:
        """On a full disk: the oldest tenth goes. Raises apsw.Error where that can't be done, or would be no help."""
        if self.used_bytes() < HELPS_BYTES:
            raise apsw.FullError("the disk is full, and not by history")
        self._reserve.unlink(missing_ok=True)
        self._fold()
        wanted = self.used_bytes() * (1.0 - SHARE_ON_FULL)
        for _ in range(TRIM_ROUNDS_MAX):
            if not self._drop_oldest(SHARE_ON_FULL) or self.used_bytes() <= wanted:
                break
        self._fold()
        self._hold()

    def trim(self) -> None:
        """Down to the cap. Raises apsw.Error."""
        for _ in range(TRIM_ROUNDS_MAX):
            if self.used_bytes() <= self.bytes_max or not self._drop_oldest(SHARE_AT_ONCE):
                break
        pages, size = self._pragma("page_count"), self._pragma("page_size")
        if (over := pages - self.bytes_max // size) > 0:
            self._db.execute(f"PRAGMA incremental_vacuum({over})").fetchall()  # a page a row: all must be asked for
        self.reserve()

    def used_bytes(self) -> int:
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _hold(self) -> None:
        self._db.execute(f"PRAGMA max_page_count={self._pragma('page_count')}").fetchall()

    def _fold(self) -> None:
        with contextlib.suppress(apsw.Error):  # as far as it gets; what was asked for fails by itself where it isn't enough
            self._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _pragma(self, name: str) -> int:
        return whole(self._db.execute(f"PRAGMA {name}").fetchall()[0][0])

    def _drop_oldest(self, share: float) -> bool:
        """The oldest sealed hour, or of what isn't sealed the oldest share. False where nothing is left."""
        ((hour,),) = self._db.execute("SELECT min(hour_ns) FROM segment").fetchall()
        ((first,),) = self._db.execute("SELECT min(to_ns) FROM hot").fetchall()
        if hour is not None and (first is None or whole(first) >= whole(hour)):
            self._drop_hour(whole(hour))
            return True
        if first is None:
            return False
        ((count,),) = self._db.execute("SELECT count(*) FROM hot").fetchall()
        until = None if hour is None else whole(hour) + HOUR_NS
        drop = max(1, int(whole(count) * share))
        with transaction(self._db):
            self._db.execute(
                "DELETE FROM hot WHERE (tbl, seq) IN (SELECT tbl, seq FROM hot WHERE to_ns<coalesce(?, to_ns+1) ORDER BY to_ns LIMIT ?)",
                (until, drop),
            )
            self.dropped += self._db.changes()
        return True

    def _drop_hour(self, hour_ns: int) -> None:
        """One segment a transaction: what has to be written for it must find room in the log."""
        query = "SELECT id, layout, rows FROM segment WHERE hour_ns=?"
        for id, layout, rows in self._db.execute(query, (hour_ns,)).fetchall():
            with transaction(self._db):
                segment.drop(self._db, whole(id), hour_ns, names_of(self._db, whole(layout))[1])
            self.dropped += whole(rows)
