"""A sealed stretch: rows of one layout within one hour, a chunk a column, and what is told of its five minutes."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history import codec
from holdfast.gate.history.file import COLUMNS_MAX, HOUR_NS, HistoryError, raw, whole
from holdfast.gate.history.hot import Block
from holdfast.gate.history.layout import Layout
from holdfast.gate.history.rollup import rolled_up


class Encoded(NamedTuple):
    """A segment before it is in the file."""

    hour_ns: int
    rows: int
    from_ns: int
    to_ns: int
    spine: bytes
    chunks: list[bytes]
    rolls: list[bytes]


def by_hour(block: Block) -> list[tuple[int, Block]]:
    """(hour, its rows in the order of their time; of equal times in the order of their numbers)."""
    received = block.received_ns
    if (received[1:] >= received[:-1]).all() and (block.seqs[1:] > block.seqs[:-1]).all():  # as nearly always: nothing to move
        cuts = np.flatnonzero(received[1:] // HOUR_NS != received[:-1] // HOUR_NS) + 1
        edges = [0, *cuts.tolist(), len(received)]
        return [(int(received[a] // HOUR_NS * HOUR_NS), block.cut(a, b)) for a, b in itertools.pairwise(edges)]
    order = np.lexsort((block.seqs, received))
    hours = block.received_ns[order] // HOUR_NS
    cuts = np.flatnonzero(hours[1:] != hours[:-1]) + 1
    return [(int(block.received_ns[part[0]] // HOUR_NS * HOUR_NS), block.taken(part)) for part in np.split(order, cuts)]


def encoded(hour_ns: int, block: Block, breathe: Callable[[], None]) -> Encoded:
    """`block` as `by_hour` gives it. `breathe` is called between columns, for who has others to let run."""
    received = block.received_ns
    lead = np.ascontiguousarray(block.source_ns[:, 0])
    values, status = np.ascontiguousarray(block.values.T), np.ascontiguousarray(block.status.T)
    source = np.ascontiguousarray(block.source_ns.T)
    chunks: list[bytes] = []
    for column in range(len(values)):
        chunks.append(codec.encode_column(values[column], status[column], source[column], received, lead))
        breathe()
    return Encoded(
        hour_ns=hour_ns,
        rows=len(received),
        from_ns=int(received[0]),
        to_ns=int(received[-1]),
        spine=codec.encode_spine(received, block.seqs, lead),
        chunks=chunks,
        rolls=rolled_up(received, values, status, hour_ns),
    )


def put(db: apsw.Connection, layout: Layout, segment: Encoded) -> None:
    """Inside the caller's transaction."""
    query = "INSERT INTO segment(layout, hour_ns, rows, from_ns, to_ns, spine) VALUES(?,?,?,?,?,?) RETURNING id"
    values = (layout.id, segment.hour_ns, segment.rows, segment.from_ns, segment.to_ns, segment.spine)
    id = whole(db.execute(query, values).fetchall()[0][0])
    db.executemany("INSERT INTO chunk VALUES(?,?)", [(id * COLUMNS_MAX + column, data) for column, data in enumerate(segment.chunks)])
    rolls = [(tag, segment.hour_ns, id, data) for tag, data in zip(layout.ids, segment.rolls, strict=True)]
    db.executemany("INSERT INTO roll VALUES(?,?,?,?)", rolls)


def drop(db: apsw.Connection, id: int, hour_ns: int, tags: Sequence[int]) -> None:
    """Inside the caller's transaction."""
    db.execute("DELETE FROM chunk WHERE id>=? AND id<?", (id * COLUMNS_MAX, (id + 1) * COLUMNS_MAX))
    db.executemany("DELETE FROM roll WHERE tag=? AND hour_ns=? AND segment=?", [(tag, hour_ns, id) for tag in tags])
    db.execute("DELETE FROM segment WHERE id=?", (id,))


def spine(data: object) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(received_ns, seqs, lead_ns), each (rows,). Raises HistoryError."""
    try:
        return codec.decode_spine(raw(data))
    except codec.ChunkError as error:
        raise HistoryError(f"history: {error}; what it holds of that hour is lost. Check the disk") from error


def column(
    db: apsw.Connection, id: int, at: int, received_ns: NDArray[np.int64], lead_ns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.uint32], NDArray[np.int64]]:
    """(values, status, source_ns), each (rows,). Raises HistoryError."""
    try:
        return codec.decode_column(_chunk(db, id, at), received_ns, lead_ns)
    except codec.ChunkError as error:
        raise HistoryError(f"history: {error}; what it holds of that tag and hour is lost. Check the disk") from error


def points(spine_data: object, chunk: object) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]:
    """(received_ns, values, status) of one column, each (rows,): what a trend needs. Raises HistoryError."""
    try:
        return codec.decode_times(raw(spine_data)), *codec.decode_values(raw(chunk))
    except codec.ChunkError as error:
        raise HistoryError(f"history: {error}; what it holds of that tag and hour is lost. Check the disk") from error


def block(db: apsw.Connection, id: int, width: int, spine_data: object) -> Block:
    """All of a segment. Its arrays lie column by column, as they are decoded and encoded again. Raises HistoryError."""
    received, seqs, lead = spine(spine_data)
    rows = len(received)
    found = Block(received, seqs, np.empty((width, rows), np.int64).T, np.empty((width, rows)).T, np.empty((width, rows), np.uint32).T)
    query = "SELECT id, data FROM chunk WHERE id>=? AND id<? ORDER BY id"
    chunks = db.execute(query, (id * COLUMNS_MAX, id * COLUMNS_MAX + width)).fetchall()
    if len(chunks) != width:
        raise HistoryError("history: a segment lacks one of its columns; restore the file from a backup, or move it aside")
    try:
        for at, (_, data) in enumerate(chunks):
            found.values[:, at], found.status[:, at], found.source_ns[:, at] = codec.decode_column(raw(data), received, lead)
    except codec.ChunkError as error:
        raise HistoryError(f"history: {error}; what it holds of that hour is not put together. Check the disk") from error
    return found


def _chunk(db: apsw.Connection, id: int, at: int) -> bytes:
    found = db.execute("SELECT data FROM chunk WHERE id=?", (id * COLUMNS_MAX + at,)).fetchall()
    if not found:
        raise HistoryError("history: a segment lacks one of its columns; restore the file from a backup, or move it aside")
    return raw(found[0][0])
