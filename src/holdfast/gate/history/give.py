"""History out of the box: CSV or Parquet, a column a tag, a row a time, hour by hour, so that memory is bounded.

What was Bad is an empty cell: never an old or a guessed value. With `status` each tag has a second column with its OPC UA code.
"""

import contextlib
import csv
import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history.file import HOUR_NS, HistoryError, has_chunks, opened_to_read, whole
from holdfast.gate.history.rows import BAD_NO_DATA, between
from holdfast.gate.history.tabular import pyarrow_parquet
from holdfast.terms import BAD, SECOND_NS, Word

ROWS_A_READ = 10_000_000
TAGS_MAX = 2_000  # a table of more columns is read by no program
Progress = Callable[[float, str], None]


class Given(Word):
    """What an export wrote."""

    path: str
    tags: tuple[str, ...]
    rows: int
    from_ns: int | None
    to_ns: int | None


class _Rows(NamedTuple):
    ns: NDArray[np.int64]  # (rows,)
    values: NDArray[np.float64]  # (rows, tags)
    status: NDArray[np.uint32]  # (rows, tags)


def give(
    file: Path,
    wanted: Sequence[str],
    from_ns: int | None,
    to_ns: int | None,
    out: Path,
    zone: ZoneInfo,
    *,
    status: bool,
    progress: Progress,
) -> Given:
    """Tags by name or pattern (`line/*`), rows received in [from_ns, to_ns]. May run beside a gate. Raises HistoryError."""
    try:
        with contextlib.closing(opened_to_read(file)) as db:
            tables = _tables(db, wanted)
            span = _span(db, list(tables))
            from_ns, to_ns = max(span[0], span[0] if from_ns is None else from_ns), min(span[1], span[1] if to_ns is None else to_ns)
            tags = tuple(tag for names in tables.values() for tag in names)
            return _written(out, tags, _hours(db, tables, from_ns, to_ns, progress), zone, status=status)
    except apsw.Error as error:
        raise HistoryError(f"{file}: history can't be read ({error}); check disk and permissions") from error


def _tables(db: apsw.Connection, wanted: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each table with those of its tags that are wanted; a tag that was in several tables counts in all."""
    if not has_chunks(db):
        raise HistoryError("this history was written by an older version; start its gate once, then export")
    found: dict[str, dict[str, None]] = {}
    query = "SELECT l.tbl, t.name FROM layout l JOIN place p ON p.layout=l.id JOIN tag t ON t.id=p.tag ORDER BY l.id DESC, p.col"
    for table, name in db.execute(query).fetchall():
        if any(fnmatchcase(str(name), pattern) for pattern in wanted):
            found.setdefault(str(table), {})[str(name)] = None
    names = {name for tags in found.values() for name in tags}
    if missing := [pattern for pattern in wanted if not any(fnmatchcase(name, pattern) for name in names)]:
        raise HistoryError(f"history has no tag {', '.join(missing)}; `holdfast history stat` lists them")
    if len(names) > TAGS_MAX:
        raise HistoryError(f"{len(names)} tags are more than the {TAGS_MAX} of one table; export them in parts")
    return {table: tuple(tags) for table, tags in found.items()}


def _span(db: apsw.Connection, tables: Sequence[str]) -> tuple[int, int]:
    bounds: list[int] = []
    for table in tables:
        for query in (
            "SELECT min(s.from_ns), max(s.to_ns) FROM segment s JOIN layout l ON l.id=s.layout WHERE l.tbl=?",
            "SELECT min(from_ns), max(to_ns) FROM hot WHERE tbl=?",
        ):
            bounds += [whole(bound) for bound in db.execute(query, (table,)).fetchall()[0] if bound is not None]
    return (min(bounds), max(bounds)) if bounds else (0, -1)


def _hours(db: apsw.Connection, tables: dict[str, tuple[str, ...]], from_ns: int, to_ns: int, progress: Progress) -> Iterator[_Rows]:
    """Rows of all tables together, by time; hours without any are left out."""
    for hour_ns in range(from_ns // HOUR_NS * HOUR_NS, to_ns + 1, HOUR_NS):
        first, last = max(hour_ns, from_ns), min(hour_ns + HOUR_NS - 1, to_ns)
        frames = [between(db, table, first, last, ROWS_A_READ, len(names), names=names) for table, names in tables.items()]
        ns = np.unique(np.concatenate([frame.received_ns for frame in frames])) if frames else np.zeros(0, np.int64)
        progress((hour_ns - from_ns) / max(to_ns - from_ns, 1), dt.datetime.fromtimestamp(first // SECOND_NS, dt.UTC).isoformat())
        if not len(ns):
            continue
        values = np.full((len(ns), sum(map(len, tables.values()))), np.nan)
        status = np.full(values.shape, BAD_NO_DATA, np.uint32)
        column = 0
        for frame in frames:
            at = np.searchsorted(ns, frame.received_ns)  # of rows of one table at one time the last stays
            columns = slice(column, column + frame.values.shape[1])
            values[at, columns], status[at, columns] = frame.values, frame.status
            column = columns.stop
        yield _Rows(ns, np.where(status < BAD, values, np.nan), status)


def _written(out: Path, tags: tuple[str, ...], hours: Iterator[_Rows], zone: ZoneInfo, *, status: bool) -> Given:
    part = out.with_name(out.name + ".part")  # a name that says whole is whole
    write = _parquet if out.suffix.lower() in (".parquet", ".pq") else _csv
    try:
        rows, first, last = write(part, tags, hours, zone, status)
        os.replace(part, out)
    except OSError as error:
        raise HistoryError(f"{out}: can't be written ({error.strerror or error}); check the folder, the disk and its rights") from error
    finally:
        part.unlink(missing_ok=True)
    return Given(path=str(out), tags=tags, rows=rows, from_ns=first, to_ns=last)


def _csv(part: Path, tags: tuple[str, ...], hours: Iterator[_Rows], zone: ZoneInfo, status: bool) -> tuple[int, int | None, int | None]:
    rows, first, last = 0, None, None
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", *tags, *(f"{tag} status" for tag in tags if status)])
        for hour in hours:
            first = int(hour.ns[0]) if first is None else first
            last = int(hour.ns[-1])
            rows += len(hour.ns)
            codes = hour.status.tolist() if status else [[]] * len(hour.ns)
            for ns, values, code in zip(hour.ns.tolist(), hour.values.tolist(), codes, strict=True):
                writer.writerow([written(ns, zone), *("" if v != v else repr(v) for v in values), *(f"0x{c:08X}" for c in code)])
    return rows, first, last


def written(ns: int, zone: ZoneInfo) -> str:
    """ISO 8601 with the zone's offset and as many decimals as it takes."""
    seconds, rest = divmod(ns, SECOND_NS)
    text = dt.datetime.fromtimestamp(seconds, zone).isoformat()
    return f"{text[:19]}.{f'{rest:09d}'.rstrip('0')}{text[19:]}" if rest else text


def _parquet(part: Path, tags: tuple[str, ...], hours: Iterator[_Rows], zone: ZoneInfo, status: bool) -> tuple[int, int | None, int | None]:
    parquet: Any = pyarrow_parquet()
    import pyarrow as pa

    fields = [("time", pa.timestamp("ns", tz=zone.key)), *((tag, pa.float64()) for tag in tags)]
    schema: Any = pa.schema([*fields, *((f"{tag} status", pa.uint32()) for tag in tags if status)])
    rows, first, last = 0, None, None
    with parquet.ParquetWriter(part, schema, compression="zstd") as writer:
        for hour in hours:
            first = int(hour.ns[0]) if first is None else first
            last = int(hour.ns[-1])
            rows += len(hour.ns)
            columns: list[Any] = [pa.array(hour.ns, pa.timestamp("ns", tz=zone.key))]
            columns += [pa.array(hour.values[:, n], pa.float64(), mask=np.isnan(hour.values[:, n])) for n in range(len(tags))]
            columns += [pa.array(hour.status[:, n], pa.uint32()) for n in range(len(tags)) if status]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return rows, first, last
