"""What else could keep a plant's values: a row a sample in SQLite, and DuckDB. For `bench history` to be measured beside."""

from pathlib import Path
from typing import Protocol

import apsw
import numpy as np
from numpy.typing import NDArray

BUCKETS = (
    "SELECT (ns - {from_ns}) // {width_ns} AS point, min(value), max(value) FROM sample"
    " WHERE tag={tag} AND ns>={from_ns} AND ns<{to_ns} GROUP BY point"
)


class Rival(Protocol):
    """One store of (tag, ns, value, status) rows. Each `keep` is one durable transaction."""

    def keep(self, tags: NDArray[np.int64], ns: NDArray[np.int64], values: NDArray[np.float64]) -> None: ...

    def buckets(self, tag: int, from_ns: int, to_ns: int, points: int) -> int:
        """How many points it gave."""
        ...

    def bytes_used(self) -> int: ...

    def close(self) -> None: ...


class SqliteRows:
    """Clustered by tag and time: the best that rows can be for these reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = apsw.Connection(str(path))
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "full")
        self._db.execute("CREATE TABLE sample(tag INTEGER, ns INTEGER, value REAL, status INTEGER, PRIMARY KEY(tag, ns)) WITHOUT ROWID")

    def keep(self, tags: NDArray[np.int64], ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        with self._db:
            self._db.executemany("INSERT INTO sample VALUES(?,?,?,0)", zip(tags.tolist(), ns.tolist(), values.tolist(), strict=True))

    def buckets(self, tag: int, from_ns: int, to_ns: int, points: int) -> int:
        width_ns = -(-(to_ns - from_ns) // points)
        query = BUCKETS.replace("//", "/").format(tag=tag, from_ns=from_ns, to_ns=to_ns, width_ns=width_ns)
        return len(self._db.execute(query).fetchall())

    def bytes_used(self) -> int:
        self._db.pragma("wal_checkpoint(truncate)")
        return self._path.stat().st_size

    def close(self) -> None:
        self._db.close()


class DuckRows:
    """Columns of its own, compressed at a checkpoint; rows go in as arrays."""

    def __init__(self, path: Path) -> None:
        import duckdb

        self._path = path
        self._db = duckdb.connect(str(path), config={"threads": 1})
        self._db.execute("CREATE TABLE sample(tag BIGINT, ns BIGINT, value DOUBLE, status UINTEGER)")

    def keep(self, tags: NDArray[np.int64], ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        rows = {"tag": tags, "ns": ns, "value": values, "status": np.zeros(len(tags), np.uint32)}
        self._db.register("rows", rows)
        self._db.execute("INSERT INTO sample SELECT * FROM rows")

    def buckets(self, tag: int, from_ns: int, to_ns: int, points: int) -> int:
        width_ns = -(-(to_ns - from_ns) // points)
        return len(self._db.execute(BUCKETS.format(tag=tag, from_ns=from_ns, to_ns=to_ns, width_ns=width_ns)).fetchall())

    def bytes_used(self) -> int:
        self._db.execute("CHECKPOINT")
        return self._path.stat().st_size

    def close(self) -> None:
        self._db.close()
