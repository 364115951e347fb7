"""Rows of one table between two times, from sealed segments and from frames as they came, in the order of their time.

Times are looked at first and rows chosen by them, so that a thinned read of months decodes only the columns it gives, and holds
only one segment beside what it gives. Rows of one time that were brought in from several files are one row.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history import hot, segment
from holdfast.gate.history.file import HOUR_NS, has_chunks, whole
from holdfast.gate.history.layout import by_place, layout_at, names_of
from holdfast.terms import Frame

BAD_NO_DATA = 0x809B_0000  # OPC UA Part 8 §6.3.3: the tag was not among what was kept of that row
SEGMENTS_A_READ = 100_000
FRAMES_A_READ = 200_000


class _Source(NamedTuple):
    """Where some of the rows are: a segment (id), or frames as they came (first and last row number; id 0)."""

    id: int
    layout: int
    names: tuple[str, ...]
    received_ns: NDArray[np.int64]
    seqs: NDArray[np.int64]


def between(
    db: apsw.Connection, table: str, from_ns: int, to_ns: int, rows_max: int, columns: int, *, names: tuple[str, ...] = ()
) -> Frame:
    """Rows received in [from_ns, to_ns], evenly thinned to rows_max with both ends. Raises HistoryError, apsw.Error.

    Columns are `names`, or without them the `columns` tags of the table's newest layout.
    """
    with db:  # one state of the file, while others append and seal
        return _between(db, table, from_ns, to_ns, rows_max, names or _wanted(db, table, columns))
    raise AssertionError("a transaction that is only read swallows nothing")


def times_of(db: apsw.Connection, table: str, names: frozenset[str], from_ns: int, to_ns: int) -> NDArray[np.int64]:
    """(rows,) times within [from_ns, to_ns] of rows that have all these tags. Raises HistoryError, apsw.Error."""
    sources = [*_segments(db, table, from_ns, to_ns), *_frames(db, table, from_ns, to_ns)]
    found = [source.received_ns for source in sources if names <= set(source.names)]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _between(db: apsw.Connection, table: str, from_ns: int, to_ns: int, rows_max: int, wanted: tuple[str, ...]) -> Frame:
    sources = [*_segments(db, table, from_ns, to_ns), *_frames(db, table, from_ns, to_ns)]
    if not sources:
        return _blank(table, np.zeros(0, np.int64), len(wanted))
    sizes = [len(source.received_ns) for source in sources]
    times = np.concatenate([source.received_ns for source in sources])
    row_of, rows = _rows(times, np.repeat([source.layout for source in sources], sizes))
    received = np.empty(rows, np.int64)
    received[row_of] = times
    chosen = np.flatnonzero((received >= from_ns) & (received <= to_ns))
    if len(chosen) > rows_max:
        chosen = chosen[np.linspace(0, len(chosen) - 1, rows_max).round().astype(np.intp)]
    place = np.full(rows, -1, np.intp)
    place[chosen] = np.arange(len(chosen))
    found = _blank(table, received[chosen], len(wanted))
    seq = 0
    for source, at in zip(sources, np.split(place[row_of], np.cumsum(sizes)[:-1]), strict=True):
        local = np.flatnonzero(at >= 0)
        if not len(local):
            continue
        _fill(db, table, source, local, at[local], wanted, found)
        if (first := np.flatnonzero(at == 0)).size:
            seq = int(source.seqs[first[0]])
    return dataclasses.replace(found, seq=seq)


def _wanted(db: apsw.Connection, table: str, columns: int) -> tuple[str, ...]:
    if has_chunks(db) and (last := layout_at(db, table, 2**62)) is not None and len(names := names_of(db, last)[0]) == columns:
        return names
    return by_place(table, columns)


def _segments(db: apsw.Connection, table: str, from_ns: int, to_ns: int) -> list[_Source]:
    if not has_chunks(db):
        return []
    query = (
        "SELECT s.id, s.layout, s.spine FROM layout l JOIN segment s ON s.layout=l.id"
        " WHERE l.tbl=? AND s.hour_ns>=? AND s.hour_ns<=? AND s.to_ns>=? AND s.from_ns<=? ORDER BY s.hour_ns, s.id LIMIT ?"
    )
    first_hour_ns = max(from_ns // HOUR_NS * HOUR_NS, -(2**62))
    found = db.execute(query, (table, first_hour_ns, to_ns, from_ns, to_ns, SEGMENTS_A_READ)).fetchall()
    names = {whole(layout): names_of(db, whole(layout))[0] for layout in {layout for _, layout, _ in found}}
    sources: list[_Source] = []
    for id, layout, data in found:
        received, seqs, _ = segment.spine(data)
        sources.append(_Source(whole(id), whole(layout), names[whole(layout)], received, seqs))
    return sources


def _frames(db: apsw.Connection, table: str, from_ns: int, to_ns: int) -> list[_Source]:
    query = "SELECT seq, frame FROM hot WHERE tbl=? AND to_ns>=? AND from_ns<=? ORDER BY seq LIMIT ?"
    edges = layout_edges(db, table)
    sources: list[_Source] = []
    for block in hot.blocks(db.execute(query, (table, from_ns, to_ns, FRAMES_A_READ)), same=edges):
        layout, names = _layout_of(db, table, int(block.seqs[0]), block.values.shape[1])
        sources.append(_Source(0, layout, names, block.received_ns, block.seqs))
    return sources


def layout_edges(db: apsw.Connection, table: str) -> Sequence[int]:
    """Row numbers at which a table's columns changed."""
    if not has_chunks(db):
        return ()
    return [whole(seq) for (seq,) in db.execute("SELECT from_seq FROM layout WHERE tbl=? AND from_seq>0", (table,)).fetchall()]


def _layout_of(db: apsw.Connection, table: str, seq: int, width: int) -> tuple[int, tuple[str, ...]]:
    layout = layout_at(db, table, seq) if has_chunks(db) else None
    if layout is not None and len(names := names_of(db, layout)[0]) == width:
        return layout, names
    return -width, by_place(table, width)


def _rows(times: NDArray[np.int64], layouts: NDArray[np.int64]) -> tuple[NDArray[np.intp], int]:
    """(row of each entry, how many rows): by time, and rows of different layouts but one time together."""
    order = np.lexsort((layouts, times))
    row_of = np.empty(len(times), np.intp)
    if (layouts == layouts[0]).all():
        row_of[order] = np.arange(len(times))
        return row_of, len(times)
    sorted_times, sorted_layouts = times[order], layouts[order]
    new = np.concatenate(([True], (sorted_times[1:] != sorted_times[:-1]) | (sorted_layouts[1:] != sorted_layouts[:-1])))
    groups = np.flatnonzero(new)
    again = np.arange(len(times)) - np.repeat(groups, np.diff(groups, append=len(times)))  # the how manieth row of one time and layout
    turn = np.lexsort((again, sorted_times))
    told, count = sorted_times[turn], again[turn]
    steps = np.concatenate(([0], ((told[1:] != told[:-1]) | (count[1:] != count[:-1])).astype(np.intp)))
    row_of[order[turn]] = np.cumsum(steps)
    return row_of, int(steps.sum()) + 1


def _fill(
    db: apsw.Connection,
    table: str,
    source: _Source,
    local: NDArray[np.intp],
    at: NDArray[np.intp],
    wanted: tuple[str, ...],
    found: Frame,
) -> None:
    """Rows `local` of a source into rows `at` of what is given."""
    places = {name: column for column, name in enumerate(source.names)}
    pairs = [(column, places[name]) for column, name in enumerate(wanted) if name in places]
    if not pairs and len(source.names) == len(wanted):  # kept before anybody said what the columns are called
        pairs = [(column, column) for column in range(len(wanted))]
    if source.id:
        ((data,),) = db.execute("SELECT spine FROM segment WHERE id=?", (source.id,)).fetchall()
        received, _, lead = segment.spine(data)
        for column, kept in pairs:
            values, status, source_ns = segment.column(db, source.id, kept, received, lead)
            found.values[at, column], found.status[at, column], found.source_ns[at, column] = values[local], status[local], source_ns[local]
        return
    query = "SELECT seq, frame FROM hot WHERE tbl=? AND seq>=? AND seq<=? ORDER BY seq"
    first, last = int(source.seqs.min()), int(source.seqs.max())
    for block in hot.blocks(db.execute(query, (table, first, last))):
        # A block was one when its times were read; frames between its ends that were left out then are left out again.
        rows = np.searchsorted(block.seqs, source.seqs[local])
        rows[rows == len(block.seqs)] = 0
        hit = block.seqs[rows] == source.seqs[local]
        for column, kept in pairs:
            found.values[at[hit], column] = block.values[rows[hit], kept]
            found.status[at[hit], column] = block.status[rows[hit], kept]
            found.source_ns[at[hit], column] = block.source_ns[rows[hit], kept]


def _blank(table: str, received_ns: NDArray[np.int64], columns: int) -> Frame:
    rows = len(received_ns)
    return Frame(
        table=table,
        seq=0,
        received_ns=received_ns,
        source_ns=np.repeat(received_ns[:, None], columns, axis=1),
        values=np.full((rows, columns), np.nan),
        status=np.full((rows, columns), BAD_NO_DATA, np.uint32),
    )
