"""The past of a few tags made small enough to draw: least, greatest and last usable value of each of so many equal stretches.

Stretches of five minutes and more are read from what was rolled up when the hour was sealed, shorter ones from the chunks
themselves, and what isn't sealed yet from the frames. Read on a connection of its own, in whatever thread it is called in, so
that nobody who appends waits for it.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history import hot, segment
from holdfast.gate.history.file import COLUMNS_MAX, HOUR_NS, HistoryError, has_chunks, opened_to_read, raw, whole
from holdfast.gate.history.layout import layout_at, names_of
from holdfast.gate.history.rollup import SLOT_NS, unrolled
from holdfast.gate.history.rows import layout_edges
from holdfast.terms import BAD, TagTable, Word

POINTS_MAX = 2_000
TAGS_MAX = 12
FRAMES_MAX = 100_000  # that are read of one table; of more, every second, third … is taken, and `thinned` says so
SEGMENTS_MAX = 200_000  # of one tag: over twenty years of hours


class Trend(Word):
    """Point i stands for the rows received in [at_ns[i], at_ns[i] + width_ns). By tag and point; None where no row is usable.

    Where points are five minutes or more apart they begin on whole five minutes: the first may begin before what was asked for,
    and there may be fewer than were asked for. Bad rows are left out; `good` says that every row there was exactly Good.
    `thinned` is k where only each k-th frame was read of what isn't sealed: the extremes are then those of what was read.
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
    by_table: dict[str, list[tuple[str, int]]] = {}
    for tag in tags:
        table, column = place[tag]
        by_table.setdefault(table.id, []).append((tag, column))
    width_ns = -(-(to_ns - from_ns) // points)
    if width_ns >= SLOT_NS:
        width_ns = -(-width_ns // SLOT_NS) * SLOT_NS
        from_ns = from_ns // SLOT_NS * SLOT_NS
        points = -(-(to_ns - from_ns) // width_ns)
        to_ns = from_ns + points * width_ns
    found = {tag: _Column(points, from_ns, to_ns, width_ns) for tag in tags}
    thinned = 1
    try:
        with contextlib.closing(opened_to_read(file)) as db, db:  # one state of the file, while others append and seal
            if has_chunks(db):
                for tag in tags:
                    _sealed(db, tag, found[tag])
            for table, wanted in by_table.items():
                thinned = max(thinned, _unsealed(db, table, wanted, found))
    except (apsw.Error, ValueError) as error:
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
    """One tag's points, each (points,)."""

    def __init__(self, points: int, from_ns: int, to_ns: int, width_ns: int) -> None:
        self.from_ns, self.to_ns, self.width_ns = from_ns, to_ns, width_ns
        self.least = np.full(points, np.inf)
        self.greatest = np.full(points, -np.inf)
        self.last = np.full(points, np.nan)
        self.good = np.ones(points, bool)
        self._last_ns = np.full(points, np.iinfo(np.int64).min)

    def add(self, received_ns: NDArray[np.int64], values: NDArray[np.float64], status: NDArray[np.uint32]) -> None:
        """Rows, each array (rows,)."""
        keep = (received_ns >= self.from_ns) & (received_ns < self.to_ns)
        if not keep.any():
            return
        received_ns, values, status = received_ns[keep], values[keep], status[keep]
        at = (received_ns - self.from_ns) // self.width_ns
        self.good[at[status != 0]] = False
        usable = (status < BAD) & np.isfinite(values)
        self._put(at[usable], received_ns[usable], values[usable], values[usable], values[usable])

    def add_rolled(self, blobs: Sequence[bytes], hours_ns: Sequence[int]) -> None:
        rolled = unrolled(blobs, hours_ns)
        at = (rolled.at_ns - self.from_ns) // self.width_ns
        keep = (rolled.at_ns >= self.from_ns) & (rolled.at_ns < self.to_ns)
        self.good[at[keep & (rolled.good != rolled.rows)]] = False
        keep &= rolled.usable > 0
        self._put(at[keep], rolled.at_ns[keep], rolled.min[keep], rolled.max[keep], rolled.last[keep])

    def _put(
        self,
        at: NDArray[np.int64],
        when_ns: NDArray[np.int64],
        least: NDArray[np.float64],
        greatest: NDArray[np.float64],
        last: NDArray[np.float64],
    ) -> None:
        if not len(at):
            return
        order = np.argsort(when_ns, kind="stable")
        at, when_ns, least, greatest, last = at[order], when_ns[order], least[order], greatest[order], last[order]
        begins = np.concatenate(([0], np.flatnonzero(at[1:] != at[:-1]) + 1))  # in the order of time, so of points
        points, ends = at[begins], np.append(begins[1:], len(at)) - 1
        self.least[points] = np.minimum(self.least[points], np.minimum.reduceat(least, begins))
        self.greatest[points] = np.maximum(self.greatest[points], np.maximum.reduceat(greatest, begins))
        later = when_ns[ends] >= self._last_ns[points]
        self.last[points[later]] = last[ends[later]]
        self._last_ns[points[later]] = when_ns[ends[later]]


def _sealed(db: apsw.Connection, tag: str, found: _Column) -> None:
    first_hour_ns = found.from_ns // HOUR_NS * HOUR_NS
    if found.width_ns >= SLOT_NS:
        query = (
            "SELECT r.hour_ns, r.data FROM tag t JOIN roll r ON r.tag=t.id WHERE t.name=? AND r.hour_ns>=? AND r.hour_ns<?"
            " ORDER BY r.hour_ns LIMIT ?"
        )
        rolls = db.execute(query, (tag, first_hour_ns, found.to_ns, SEGMENTS_MAX)).fetchall()
        if rolls:
            found.add_rolled([raw(data) for _, data in rolls], [whole(hour) for hour, _ in rolls])
        return
    query = (
        "SELECT s.spine, c.data FROM tag t JOIN place p ON p.tag=t.id JOIN segment s ON s.layout=p.layout"
        " JOIN chunk c ON c.id=s.id*?+p.col"
        " WHERE t.name=? AND s.hour_ns>=? AND s.hour_ns<? AND s.to_ns>=? AND s.from_ns<? ORDER BY s.hour_ns, s.id LIMIT ?"
    )
    given = (COLUMNS_MAX, tag, first_hour_ns, found.to_ns, found.from_ns, found.to_ns, SEGMENTS_MAX)
    for spine, chunk in db.execute(query, given):
        found.add(*segment.points(spine, chunk))


def _unsealed(db: apsw.Connection, table: str, wanted: Sequence[tuple[str, int]], found: Mapping[str, _Column]) -> int:
    """Each how manieth frame was read."""
    limits = found[wanted[0][0]]
    every = _every(db, table, limits.from_ns, limits.to_ns)
    places: dict[int | None, Mapping[str, int]] = {}
    for block in hot.blocks(_frames(db, table, limits.from_ns, limits.to_ns, every), same=layout_edges(db, table)):
        layout = layout_at(db, table, int(block.seqs[0])) if has_chunks(db) else None
        if layout not in places:
            names = names_of(db, layout)[0] if layout is not None else ()
            places[layout] = {name: column for column, name in enumerate(names)}
        for tag, column in wanted:
            known = places[layout]
            at = known.get(tag) if known and len(known) == block.values.shape[1] else column
            if at is not None and at < block.values.shape[1]:
                found[tag].add(block.received_ns, block.values[:, at], block.status[:, at])
    return every


def _every(db: apsw.Connection, table: str, from_ns: int, to_ns: int) -> int:
    """By the index alone, without touching a frame."""
    query = "SELECT count(*) FROM hot INDEXED BY hot_time WHERE tbl=? AND to_ns>=? AND to_ns<=?"
    (count,) = next(iter(db.execute(query, (table, from_ns, to_ns))))
    return max(1, -(-whole(count) // FRAMES_MAX))


def _frames(db: apsw.Connection, table: str, from_ns: int, to_ns: int, every: int) -> Iterator[tuple[object, object]]:
    """(seq, frame) by their time."""
    # The first frame that ends after to_ns may begin before it: one more is read than the index would say.
    query = "SELECT from_ns, seq, frame FROM hot INDEXED BY hot_time WHERE tbl=? AND to_ns>=? AND seq % ? = 0 ORDER BY to_ns"
    for begins_ns, seq, frame in db.execute(query, (table, from_ns, every)):
        if whole(begins_ns) > to_ns:
            break
        yield seq, frame


def _told(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    finite = np.isfinite(values).tolist()
    return tuple(value if known else None for value, known in zip(values.tolist(), finite, strict=True))
