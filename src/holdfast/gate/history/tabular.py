"""A plant's own table, CSV or Parquet, in bounded batches: times as UTC nanoseconds, cells as numbers, what is neither said so.

CSV: comma, semicolon or tab; UTF-8 or GB18030; ISO 8601 times, with their own offset or in the zone that is given, or seconds,
milliseconds, microseconds or nanoseconds since 1970, told apart by their size. Empty cells are rows in which that tag was not kept.
"""

import csv
import datetime as dt
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from holdfast.gate.history.file import HistoryError
from holdfast.terms import SECOND_NS, Word

BATCH_ROWS, BATCH_CELLS = 50_000, 1_000_000  # in memory at once, whatever the file's size and width
HEAD_BYTES = 65_536
LINE_MAX = 1 << 20  # characters of a cell
TIME_NAMES = ("time", "timestamp", "datetime", "date_time", "date", "ts", "t", "时间", "时间戳", "日期", "采样时间")
SEPARATORS = ",;\t"
NO_DATA, NO_NUMBER = 1, 2  # in `Batch.unread`
EPOCH_UNITS_NS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (0.0, SECOND_NS))  # from this size on: this many nanoseconds
TRUTH = {"true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0, "yes": 1.0, "no": 0.0}
GAPS = frozenset({"", "nan", "null", "none", "na", "n/a", "-", "bad"})
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Tabular(Word):
    """A file that was looked at."""

    path: Path
    columns: tuple[str, ...]  # without the time column
    time: str
    encoding: str  # "" for Parquet
    separator: str
    bytes: int


class Batch(NamedTuple):
    """Rows `first` and on of the file (0: the first after the header)."""

    first: int
    taken: int  # rows of the file that it stands for, also those without a time
    ns: NDArray[np.int64]  # (rows,)
    values: NDArray[np.float64]  # (rows, columns); NaN where unread
    unread: NDArray[np.uint8]  # (rows, columns): 0, NO_DATA or NO_NUMBER
    share: float  # of the file that is read


def look(path: Path, time: str) -> Tabular:
    """`time` names the time column, "" for the one that looks like it. Raises HistoryError."""
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            columns, encoding, separator = _parquet(path).schema_arrow.names, "", ""
        else:
            columns, encoding, separator = _head(path)
        size = path.stat().st_size
    except OSError as error:
        raise HistoryError(f"{path}: can't be read ({error.strerror or error}); check name and rights") from error
    if len(set(columns)) != len(columns):
        twice = sorted({name for name in columns if columns.count(name) > 1})
        raise HistoryError(f"{path}:1: column names that occur twice: {', '.join(twice)}; rename them")
    if time and time not in columns:
        raise HistoryError(f"{path}:1: no column {time!r}; there are: {', '.join(columns)}")
    time = time or next((name for name in columns if name.strip().lower() in TIME_NAMES), "")
    if not time:
        raise HistoryError(f"{path}:1: no time column found; name it with --time. There are: {', '.join(columns)}")
    rest = tuple(name for name in columns if name != time)
    return Tabular(path=path, columns=rest, time=time, encoding=encoding, separator=separator, bytes=size)


def batches(of: Tabular, columns: Sequence[str], zone: ZoneInfo, skip: int, states: Sequence[Mapping[str, float]]) -> Iterator[Batch]:
    """`columns` in this order, from row `skip` on; `states` names a column's values ("auto" for 1). Raises HistoryError."""
    try:
        if of.separator:
            yield from _csv(of, columns, zone, skip, states)
        else:
            yield from _from_parquet(of, columns, zone, skip, states)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(
            f"{of.path}: can't be read on ({error}); what came before is kept, the same command goes on from there"
        ) from error


def _head(path: Path) -> tuple[list[str], str, str]:
    with path.open("rb") as file:
        raw = file.read(HEAD_BYTES)
    encoding = "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(raw) - 4:  # not just cut within a character
            encoding = "gb18030"
        text = raw.decode(encoding, errors="ignore")
    line = text.partition("\n")[0].rstrip("\r")
    if not line:
        raise HistoryError(f"{path}: the file is empty")
    separator = max(SEPARATORS, key=line.count)
    if separator not in line:
        raise HistoryError(f"{path}:1: no comma, semicolon or tab in the header; a table with a time column is needed")
    return [name.strip() for name in next(csv.reader([line], delimiter=separator))], encoding, separator


def _csv(of: Tabular, columns: Sequence[str], zone: ZoneInfo, skip: int, states: Sequence[Mapping[str, float]]) -> Iterator[Batch]:
    csv.field_size_limit(LINE_MAX)
    with of.path.open("rb") as file, io.TextIOWrapper(file, encoding=of.encoding, newline="") as text:
        rows = csv.reader(text, delimiter=of.separator)
        header = [name.strip() for name in next(rows)]
        at, places = header.index(of.time), [header.index(name) for name in columns]
        first = sum(1 for _ in islice(rows, skip))
        while batch := list(islice(rows, _batch_rows(len(header)))):
            count = len(batch)
            times = [time_ns(row[at], zone) if len(row) > at else None for row in batch]
            kept = [row for row, ns in zip(batch, times, strict=True) if ns is not None]
            cells = [_column([row[p] if p < len(row) else "" for row in kept], names) for p, names in zip(places, states, strict=True)]
            yield _batch(first, count, [ns for ns in times if ns is not None], cells, min(file.tell() / max(of.bytes, 1), 1.0))
            first += count


def _from_parquet(of: Tabular, columns: Sequence[str], zone: ZoneInfo, skip: int, states: Sequence[Mapping[str, float]]) -> Iterator[Batch]:
    file = _parquet(of.path)
    total = file.metadata.num_rows
    first = 0
    for part in file.iter_batches(batch_size=_batch_rows(len(columns)), columns=[of.time, *columns]):
        if first + part.num_rows > skip:
            part = part.slice(max(skip - first, 0))
            start = max(first, skip)
            times = _arrow_times(part.column(of.time), zone)
            kept = np.array([ns is not None for ns in times], bool)
            cells = [_arrow_column(part.column(name), kept, names) for name, names in zip(columns, states, strict=True)]
            yield _batch(start, part.num_rows, [ns for ns in times if ns is not None], cells, (start + part.num_rows) / max(total, 1))
            first = start
        first += part.num_rows


def _batch_rows(columns: int) -> int:
    return max(1, min(BATCH_ROWS, BATCH_CELLS // max(columns, 1)))


def _batch(first: int, count: int, times: list[int], cells: list[tuple[NDArray[np.float64], NDArray[np.uint8]]], share: float) -> Batch:
    values = np.stack([of for of, _ in cells], axis=1)
    return Batch(first, count, np.array(times, np.int64), values, np.stack([of for _, of in cells], axis=1), share)


def time_ns(cell: object, zone: ZoneInfo) -> int | None:
    """UTC nanoseconds of a time as people and programs write it; None for what is none."""
    text = str(cell).strip()
    try:
        number = float(text)
    except ValueError:
        return _written_ns(text, zone)
    if not math.isfinite(number) or number < 0:
        return None
    unit = next(unit for least, unit in EPOCH_UNITS_NS if number >= least)
    whole, _, part = text.partition(".")
    if not whole.isdigit():  # 1.7e9
        return round(number * unit)
    return int(whole) * unit + (round(float(f"0.{part}") * unit) if part else 0)


def _written_ns(text: str, zone: ZoneInfo) -> int | None:
    head, dot, rest = text.replace("/", "-").partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        found = dt.datetime.fromisoformat(head + rest[len(digits) :] if dot else head)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    past = found - _EPOCH
    whole_ns = (past.days * 86_400 + past.seconds) * SECOND_NS + past.microseconds * 1_000
    return whole_ns + int(digits[:9].ljust(9, "0")) if digits else whole_ns


def _column(cells: list[str], states: Mapping[str, float]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    try:
        values = np.array(cells, np.float64)
    except ValueError:
        read = [_cell(cell, states) for cell in cells]
        return np.array([value for value, _ in read], np.float64), np.array([why for _, why in read], np.uint8)
    return values, np.where(np.isfinite(values), 0, NO_DATA).astype(np.uint8)


def _cell(cell: str, states: Mapping[str, float]) -> tuple[float, int]:
    text = cell.strip()
    try:
        value = float(text)
    except ValueError:
        named = states.get(text, TRUTH.get(text.lower()))
        if named is not None:
            return named, 0
        return math.nan, NO_DATA if text.lower() in GAPS else NO_NUMBER
    return value, 0 if math.isfinite(value) else NO_DATA


# ---- Parquet: pyarrow ships no types, so its things are Any here and nowhere else ------------------------------------


def pyarrow_parquet() -> Any:
    """Raises HistoryError where it is not installed."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise HistoryError("Parquet needs pyarrow: pip install 'holdfast[parquet]', or use CSV") from error
    return parquet


def _parquet(path: Path) -> Any:
    parquet = pyarrow_parquet()
    import pyarrow as pa

    try:
        return parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise HistoryError(f"{path}: no Parquet file, or a damaged one ({error})") from error


def _arrow_times(column: Any, zone: ZoneInfo) -> list[int | None]:
    import pyarrow as pa

    if not pa.types.is_timestamp(column.type):
        return [None if cell is None else time_ns(cell, zone) for cell in column.to_pylist()]
    numbers = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64()).to_pylist()
    if column.type.tz is not None:
        return numbers
    return [None if ns is None else _local_ns(ns, zone) for ns in numbers]


def _local_ns(ns: int, zone: ZoneInfo) -> int:
    """A wall clock's nanoseconds, counted as if it were UTC, as UTC."""
    wall = (_EPOCH + dt.timedelta(seconds=ns // SECOND_NS)).replace(tzinfo=zone)
    shift = wall.utcoffset() or dt.timedelta()
    return ns - (shift.days * 86_400 + shift.seconds) * SECOND_NS


def _arrow_column(column: Any, kept: NDArray[np.bool_], states: Mapping[str, float]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_dictionary(column.type):
        cells = column.cast(pa.string()).to_pylist()
        return _column([cell or "" for cell, keep in zip(cells, kept.tolist(), strict=True) if keep], states)
    try:
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)[kept]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.full(int(kept.sum()), np.nan), np.full(int(kept.sum()), NO_NUMBER, np.uint8)
    return values, np.where(np.isfinite(values), 0, NO_DATA).astype(np.uint8)
