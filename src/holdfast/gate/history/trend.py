"""The past of a few tags made small enough to draw: least, greatest and last usable value of each of so many equal stretches.

Read on a connection of its own, in whatever thread it is called in, so that nobody who appends waits for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history.store import HistoryError
from holdfast.terms import TagTable, Word, unpack

POINTS_MAX = 2_000
TAGS_MAX = 12
FRAMES_MAX = 100_000  # that are read of one table; of more, every second, third … is taken, and `thinned` says so
FRAMES_AT_ONCE = 2_000
BAD = 0x8000_0000
HEAD_BYTES = 20  # of a packed frame, before the table's name (terms.pack)


class Trend(Word):
    """Point i stands for the rows received in [at_ns[i], at_ns[i] + width_ns). By tag and point; None where no row is usable.

    Bad rows are left out; `good` says that every row there was exactly Good. `thinned` is k where only each k-th frame was
    read: the extremes are then those of what was read.
    """

    tags: tuple[str, ...]
    at_ns: tuple[int, ...]
    width_ns: int
    min: tuple[tuple[float | None, ...], ...]
    max: tuple[tuple[float | None, ...], ...]
    last: tuple[tuple[float | None, ...], ...]
    good: tuple[tuple[bool, ...], ...]
    thinned: int


def trend(file: Path, tables: Mapping[str, TagTable], tags: Sequence[str], from_ns: int, to_ns: int, points: int) -> Trend:
    """`file` is the history's. Raises KeyError for an unknown tag, ValueError for a range or a count that can't be, HistoryError."""
    if not 0 < points <= POINTS_MAX or not 0 < len(tags) <= TAGS_MAX:
        raise ValueError(f"1 to {POINTS_MAX} points of 1 to {TAGS_MAX} tags can be had, not {points} of {len(tags)}")
    if not 0 <= from_ns < to_ns:
        raise ValueError("from_ns must be before to_ns, and not negative")
    place = {tag.name: (table, i) for table in tables.values() for i, tag in enumerate(table.tags)}
    width_ns = -(-(to_ns - from_ns) // points)
    found = {tag: _Column(points) for tag in tags}
    thinned = 1
    by_table: dict[str, list[tuple[str, int]]] = {}
    for tag in tags:
        table, column = place[tag]
        by_table.setdefault(table.id, []).append((tag, column))
    try:
        db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            for table, wanted in by_table.items():
                every = _every(db, table, from_ns, to_ns)
                thinned = max(thinned, every)
                for received, values, status in _rows(db, table, from_ns, to_ns, every, [column for _, column in wanted]):
                    keep = (received >= from_ns) & (received < to_ns)
                    at = (received[keep] - from_ns) // width_ns
                    for i, (tag, _) in enumerate(wanted):
                        found[tag].add(at, values[keep, i], status[keep, i])
        finally:
            db.close()
    except apsw.Error as error:
        raise HistoryError(f"{file}: history can't be read ({error}); check disk and permissions") from error
    return Trend(
        tags=tuple(tags),
        at_ns=tuple(from_ns + i * width_ns for i in range(points)),
        width_ns=width_ns,
        min=tuple(_told(found[tag].least) for tag in tags),
        max=tuple(_told(found[tag].greatest) for tag in tags),
        last=tuple(_told(found[tag].last) for tag in tags),
        good=tuple(tuple(found[tag].good.tolist()) for tag in tags),
        thinned=thinned,
    )


class _Column:
    def __init__(self, points: int) -> None:
        self.least = np.full(points, np.inf)
        self.greatest = np.full(points, -np.inf)
        self.last = np.full(points, np.nan)
        self.good = np.ones(points, bool)

    def add(self, at: NDArray[np.int64], values: NDArray[np.float64], status: NDArray[np.uint32]) -> None:
        """Rows in the order of their time."""
        self.good[at[status != 0]] = False
        usable = (status < BAD) & np.isfinite(values)
        at, values = at[usable], values[usable]
        np.minimum.at(self.least, at, values)
        np.maximum.at(self.greatest, at, values)
        self.last[at] = values  # of equal places the last one stays


def _every(db: apsw.Connection, table: str, from_ns: int, to_ns: int) -> int:
    """By the index alone, without touching a frame."""
    query = "SELECT count(*) FROM hot INDEXED BY hot_time WHERE tbl=? AND to_ns>=? AND to_ns<=?"
    (count,) = next(iter(db.execute(query, (table, from_ns, to_ns))))
    return max(1, -(-int(str(count)) // FRAMES_MAX))


def _rows(
    db: apsw.Connection, table: str, from_ns: int, to_ns: int, every: int, columns: Sequence[int]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]]:
    """(rows,), (rows, columns), (rows, columns) of many frames at once."""
    # The first frame that ends after to_ns may begin before it: one more is read than the index would say.
    query = "SELECT from_ns, frame FROM hot INDEXED BY hot_time WHERE tbl=? AND to_ns>=? AND seq % ? = 0 ORDER BY to_ns"
    blobs: list[bytes] = []
    for begins_ns, blob in db.execute(query, (table, from_ns, every)):
        if int(str(begins_ns)) > to_ns:
            break
        if not isinstance(blob, bytes):
            continue
        if blobs and (len(blobs) == FRAMES_AT_ONCE or len(blob) != len(blobs[0])):
            yield _taken(blobs, columns)
            blobs = []
        blobs.append(blob)
    if blobs:
        yield _taken(blobs, columns)


def _taken(blobs: Sequence[bytes], columns: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]:
    """Frames of one table and length have one shape: they are taken apart together."""
    first = unpack(blobs[0])
    rows, width = first.values.shape
    raw = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), -1)
    at = HEAD_BYTES + len(first.table.encode())
    received = raw[:, at : at + 8 * rows].copy().view("<i8").reshape(-1)
    at += 8 * rows + 8 * rows * width
    values = raw[:, at : at + 8 * rows * width].copy().view("<f8").reshape(-1, width)
    at += 8 * rows * width
    status = raw[:, at:].copy().view("<u4").reshape(-1, width)
    return received, values[:, columns], status[:, columns]


def _told(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    finite = np.isfinite(values).tolist()
    return tuple(value if known else None for value, known in zip(values.tolist(), finite, strict=True))
