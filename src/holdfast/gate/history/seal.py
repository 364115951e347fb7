"""Frames as they came become segments: every ten minutes the newest, and once an hour is over its pieces become one.

What is read and encoded holds nobody up; only the last step, segments in and frames out, takes the file's turn, in one
transaction. A kill at any moment leaves each row in exactly one of the two places.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import apsw
import numpy as np

from holdfast.gate.history import hot, segment
from holdfast.gate.history.file import HOUR_NS, opened_to_read, raw, whole
from holdfast.gate.history.hot import Block
from holdfast.gate.history.layout import Layout, Layouts, names_of
from holdfast.gate.history.rows import layout_edges
from holdfast.gate.history.segment import Encoded
from holdfast.terms import SECOND_NS, unpack

SEAL_EVERY_S = 600  # how old a frame gets before it is sealed: what a read of the last hour finds unsealed
SLICE_SAMPLES = 1_000_000  # in memory at once, some 100 bytes each; a table that fills it sooner is sealed sooner
SLICES_MAX = 100_000  # of a table in one call
EVER_NS = 2**62
MERGES_MAX = 1_000  # in one call
Write = Callable[[Callable[[apsw.Connection], None]], None]


class Sealed(NamedTuple):
    rows: int
    samples: int


def seal_frames(file: Path, layouts: Layouts, now_ns: int, write: Write, breathe: Callable[[], None], *, all_: bool = False) -> Sealed:
    """Seal what has waited long enough (`all_`: everything up to now). Raises HistoryError, apsw.Error, ValueError."""
    rows = samples = 0
    db = opened_to_read(file)
    try:
        for (table,) in db.execute("SELECT DISTINCT tbl FROM hot").fetchall():
            for _ in range(SLICES_MAX):
                found = _slice(db, str(table), now_ns, all_=all_)
                if not found:
                    break
                for block in found:
                    rows += len(block.seqs)
                    samples += block.values.size
                _write(db, str(table), layouts, found, write, breathe)
    finally:
        db.close()
    return Sealed(rows, samples)


def merge_hours(file: Path, now_ns: int, write: Write, breathe: Callable[[], None]) -> int:
    """Make one segment of the pieces of each hour that is over; returns how many were made."""
    merged = 0
    db = opened_to_read(file)
    try:
        query = "SELECT layout, hour_ns FROM segment WHERE hour_ns<=? GROUP BY layout, hour_ns HAVING count(*)>1 ORDER BY hour_ns"
        over = now_ns - HOUR_NS - SEAL_EVERY_S * SECOND_NS
        for layout, hour in db.execute(query, (over,)).fetchall():
            if merged >= MERGES_MAX:
                break
            merged += _merge(db, whole(layout), whole(hour), write, breathe)
    finally:
        db.close()
    return merged


def _slice(db: apsw.Connection, table: str, now_ns: int, *, all_: bool) -> list[Block]:
    """The oldest frames by number, as many as may be in memory at once; none where it is not yet time."""
    first = db.execute("SELECT seq, from_ns, frame FROM hot WHERE tbl=? ORDER BY seq LIMIT 1", (table,)).fetchall()
    ((until,),) = db.execute("SELECT max(seq) FROM hot WHERE tbl=? AND to_ns<=?", (table, now_ns)).fetchall()
    if not first or until is None:
        return []
    seq, from_ns, frame = whole(first[0][0]), whole(first[0][1]), unpack(raw(first[0][2]))
    frames = max(1, SLICE_SAMPLES // max(frame.values.size, 1))
    waits = whole(until) + frame.rows - seq  # row numbers have no gaps but those of a restart
    if not all_ and from_ns > now_ns - SEAL_EVERY_S * SECOND_NS and waits * frame.values.shape[1] < SLICE_SAMPLES:
        return []
    last = _whole_hours(db, table, whole(until), frames)
    query = "SELECT seq, frame FROM hot WHERE tbl=? AND seq<=? ORDER BY seq LIMIT ?"
    return list(hot.blocks(db.execute(query, (table, last, frames)), same=layout_edges(db, table)))


def _whole_hours(db: apsw.Connection, table: str, until: int, frames: int) -> int:
    """The last row number of a slice, so that it ends where an hour does if there is more than a slice: its pieces needn't be merged."""
    query = "SELECT seq, to_ns FROM hot WHERE tbl=? AND seq<=? ORDER BY seq LIMIT 1 OFFSET ?"
    last = db.execute(query, (table, until, frames - 1)).fetchall()
    if not last:
        return until
    seq, hour_ns = whole(last[0][0]), whole(last[0][1]) // HOUR_NS * HOUR_NS
    ((cut,),) = db.execute("SELECT max(seq) FROM hot WHERE tbl=? AND seq<=? AND to_ns<?", (table, seq, hour_ns)).fetchall()
    return seq if cut is None else whole(cut)


def _write(db: apsw.Connection, table: str, layouts: Layouts, found: list[Block], write: Write, breathe: Callable[[], None]) -> None:
    until = int(found[-1].seqs[-1])
    ready: list[tuple[int, int, Encoded]] = []
    for block in _joined(found, layout_edges(db, table)):
        seq, width = int(block.seqs.min()), block.values.shape[1]
        ready += [(seq, width, segment.encoded(hour, part, breathe)) for hour, part in segment.by_hour(block)]

    def swap(writer: apsw.Connection) -> None:
        for seq, width, made in ready:
            segment.put(writer, layouts.at(table, seq, width), made)
        writer.execute("INSERT INTO sealed VALUES(?,?) ON CONFLICT(tbl) DO UPDATE SET next_seq=excluded.next_seq", (table, until + 1))
        writer.execute("DELETE FROM hot WHERE tbl=? AND seq<=?", (table, until))

    write(swap)


def _joined(found: list[Block], edges: Sequence[int]) -> list[Block]:
    """Blocks of one layout as one: frames of different lengths are no reason for small segments."""
    joined: list[list[Block]] = []
    for block in found:
        last = joined[-1][-1] if joined else None
        alike = last is not None and last.values.shape[1] == block.values.shape[1]
        if last is not None and alike and not any(int(last.seqs[-1]) < edge <= int(block.seqs[0]) for edge in edges):
            joined[-1].append(block)
        else:
            joined.append([block])
    return [one(parts) for parts in joined]


def one(parts: Sequence[Block]) -> Block:
    if len(parts) == 1:
        return parts[0]
    return Block(
        np.concatenate([part.received_ns for part in parts]),
        np.concatenate([part.seqs for part in parts]),
        np.concatenate([part.source_ns for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.status for part in parts]),
    )


def _merge(db: apsw.Connection, layout: int, hour: int, write: Write, breathe: Callable[[], None]) -> int:
    of = Layout(layout, *names_of(db, layout))
    query = "SELECT id, rows FROM segment WHERE layout=? AND hour_ns=? ORDER BY from_ns, id"
    groups: list[list[int]] = [[]]
    size = 0
    for id, rows in db.execute(query, (layout, hour)).fetchall():
        samples = whole(rows) * len(of.names)
        if groups[-1] and size + samples > SLICE_SAMPLES:
            groups.append([])
            size = 0
        groups[-1].append(whole(id))
        size += samples
    merged = 0
    for group in groups:
        if len(group) < 2:
            continue
        spines = [db.execute("SELECT spine FROM segment WHERE id=?", (id,)).fetchall()[0][0] for id in group]
        block = one([segment.block(db, id, len(of.names), spine) for id, spine in zip(group, spines, strict=True)])
        ((_, part),) = segment.by_hour(block)
        made = segment.encoded(hour, part, breathe)

        def swap(writer: apsw.Connection, made: Encoded = made, group: list[int] = group) -> None:
            for id in group:
                segment.drop(writer, id, hour, of.ids)
            segment.put(writer, of, made)

        write(swap)
        merged += 1
    return merged
