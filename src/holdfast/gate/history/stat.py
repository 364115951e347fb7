"""What history holds of each tag: rows, bytes a sample, from when to when, and where rows are missing."""

import contextlib
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history import segment
from holdfast.gate.history.file import COLUMNS_MAX, HistoryError, has_chunks, opened_to_read, raw, whole
from holdfast.gate.history.hot import blocks
from holdfast.gate.history.layout import layout_at, names_of
from holdfast.gate.history.rows import layout_edges
from holdfast.terms import SECOND_NS, Word

GAP_STEPS = 3.0  # of the usual step of a layout's rows, from which on rows are missing
SAMPLE_BYTES = 20  # of a frame as it came: source time, value, status


class TagStat(Word):
    """`rows` of which `unsealed` are frames as they came; bytes are of chunks and rollups, without what SQLite adds."""

    tag: str
    rows: int
    unsealed: int
    bytes_a_sample: float | None  # of what is sealed; None where nothing is
    from_ns: int
    to_ns: int
    gaps: int
    gap_s: float  # all gaps together


class Stat(Word):
    """`bytes_used` of the file, without its free pages; `bytes_a_sample` is all of it over all samples, sealed or not."""

    bytes_file: int
    bytes_used: int
    samples: int
    unsealed: int
    bytes_a_sample: float | None
    tags: tuple[TagStat, ...]


class _Layout:
    """What is known of one order of tags."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.times: list[NDArray[np.int64]] = []
        self.rows = self.unsealed = 0
        self.bytes = np.zeros(len(names))


def stat(file: Path) -> Stat:
    """May run beside a gate. Raises HistoryError."""
    layouts: dict[int, _Layout] = {}
    sizes: list[int] = []
    try:
        with contextlib.closing(opened_to_read(file)) as db, db:  # one state of the file
            if not has_chunks(db):
                raise HistoryError("this history was written by an older version; start its gate once")
            _sealed(db, layouts)
            _unsealed(db, layouts)
            sizes += [whole(db.execute(f"PRAGMA {of}").fetchall()[0][0]) for of in ("freelist_count", "page_count", "page_size")]
    except (apsw.Error, ValueError) as error:
        raise HistoryError(f"{file}: history can't be read ({error}); check the name, disk and permissions") from error
    free, pages, size = sizes
    samples = sum((of.rows + of.unsealed) * len(of.names) for of in layouts.values())
    return Stat(
        bytes_file=pages * size,
        bytes_used=(pages - free) * size,
        samples=samples,
        unsealed=sum(of.unsealed * len(of.names) for of in layouts.values()),
        bytes_a_sample=round((pages - free) * size / samples, 3) if samples else None,
        tags=_by_tag(list(layouts.values())),
    )


def _sealed(db: apsw.Connection, layouts: dict[int, _Layout]) -> None:
    for id, layout, rows, spine in db.execute("SELECT id, layout, rows, spine FROM segment ORDER BY hour_ns, id"):
        of = layouts.setdefault(whole(layout), _Layout(names_of(db, whole(layout))[0]))
        of.times.append(segment.spine(spine)[0])
        of.rows += whole(rows)
        of.bytes += len(raw(spine)) / len(of.names)
        query = "SELECT id % ?, length(data) FROM chunk WHERE id>=? AND id<?"
        for column, size in db.execute(query, (COLUMNS_MAX, whole(id) * COLUMNS_MAX, (whole(id) + 1) * COLUMNS_MAX)):
            of.bytes[whole(column)] += whole(size)
    query = (
        "SELECT p.layout, p.col, sum(length(r.data)) FROM roll r JOIN segment s ON s.id=r.segment"
        " JOIN place p ON p.tag=r.tag AND p.layout=s.layout GROUP BY p.layout, p.col"
    )
    for layout, column, size in db.execute(query):
        layouts[whole(layout)].bytes[whole(column)] += whole(size)


def _unsealed(db: apsw.Connection, layouts: dict[int, _Layout]) -> None:
    for (table,) in db.execute("SELECT DISTINCT tbl FROM hot").fetchall():
        rows = db.execute("SELECT seq, frame FROM hot WHERE tbl=? ORDER BY seq", (table,))
        for block in blocks(rows, same=layout_edges(db, str(table))):
            width = block.values.shape[1]
            layout = layout_at(db, str(table), int(block.seqs[0]))
            names = names_of(db, layout)[0] if layout is not None else ()
            if layout is None or len(names) != width:
                layout, names = -width, tuple(f"{table}#{column}" for column in range(width))
            of = layouts.setdefault(layout, _Layout(names))
            of.times.append(block.received_ns)
            of.unsealed += len(block.seqs)


def _by_tag(layouts: list[_Layout]) -> tuple[TagStat, ...]:
    parts: dict[str, list[tuple[_Layout, int]]] = {}
    for of in layouts:
        for column, name in enumerate(of.names):
            parts.setdefault(name, []).append((of, column))
    known: dict[tuple[int, ...], tuple[NDArray[np.int64], int, float]] = {}
    found: list[TagStat] = []
    for name, of in sorted(parts.items()):
        key = tuple(sorted(id(layout) for layout, _ in of))
        if key not in known:
            times = np.unique(np.concatenate([part for layout, _ in of for part in layout.times]))
            known[key] = (times, *_gaps(times))
        times, gaps, gap_s = known[key]
        rows, unsealed = sum(layout.rows for layout, _ in of), sum(layout.unsealed for layout, _ in of)
        found.append(
            TagStat(
                tag=name,
                rows=rows + unsealed,
                unsealed=unsealed,
                bytes_a_sample=round(sum(float(layout.bytes[column]) for layout, column in of) / rows, 3) if rows else None,
                from_ns=int(times[0]),
                to_ns=int(times[-1]),
                gaps=gaps,
                gap_s=gap_s,
            )
        )
    return tuple(found)


def _gaps(times: NDArray[np.int64]) -> tuple[int, float]:
    steps = np.diff(times)
    if not len(steps):
        return 0, 0.0
    long = steps[steps > GAP_STEPS * np.median(steps)]
    return len(long), float(long.sum()) / SECOND_NS
