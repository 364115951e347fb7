"""A user's recording: a CSV of any separator, gzipped or not, read in blocks, with bad cells as NaN.

The separator (comma, semicolon, tab, bar, blanks), the decimal sign, the encoding (UTF-8, GB18030) and the header are
found from the first rows. Memory is bounded by one block, whatever the file's size.
"""

import csv
import gzip
import hashlib
import io
import itertools
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Word

Matrix = NDArray[np.float64]
BLOCK_ROWS = 8192
SAMPLE_ROWS = 200  # read to find the layout
SAMPLE_BYTES = 1 << 20
LINE_MAX = 1 << 20  # characters; a longer line is no table
_TIME = re.compile(r"^(date|time|datetime|timestamp|date_?time|zeit|datum|ts|t|时间|日期|时间戳|采样时间)([ _(\[].*)?$", re.I)
_COUNT = re.compile(r"^(sample|sample_?no|index|idx|row|row_?no|no|nr|id|cycle|序号|编号|#|unnamed.*|)$", re.I)
_UNIT = re.compile(r"^(unit|engine|machine|asset|batch|lot|设备|机组|批次|炉次)([ _]?(no|nr|id|number))?$", re.I)
_LABEL = re.compile(r"^(anomaly|anomalies|changepoint|label|labels|fault|fault_?no|is_?anomaly|attack|target|class|标签|异常)$", re.I)
_DATE = re.compile(r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d{1,2}:\d{2}.*)?$|^\d{1,2}:\d{2}(:\d{2}.*)?$|^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*$")
_WITH_UNIT = re.compile(r"^\s*[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?\s*[A-Za-z°%µμ²³/·*^]{1,12}\d?\s*$")
_GAPS = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "bad", "#n/a", "?", "inf", "-inf", "+inf"})


class Unreadable(ValueError):
    """The recording can't be used; the text says file, place, cause and cure."""


class Layout(Word):
    """How a recording is written, and what its columns seem to be."""

    path: str
    separator: str  # "" for runs of blanks
    decimal_comma: bool
    encoding: str
    header: bool
    columns: tuple[str, ...]
    numeric: tuple[str, ...]  # columns whose sampled cells are numbers, gaps apart
    time: str  # the time column, "" where there is none
    set_aside: tuple[tuple[str, str], ...]  # numeric columns that are no tags by their name or nature, and why
    unit: str  # the column that names the unit a row is of (engine, batch), "" where there is none
    count: str  # the column that counts the rows of a run, "" where there is none


def layout(path: Path) -> Layout:
    """Look at the first rows. Raises Unreadable."""
    raw = _head(path)
    text, encoding = _decode(path, raw)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(raw) >= SAMPLE_BYTES:
        lines = lines[:-1]  # the last one may be cut
    lines = lines[: SAMPLE_ROWS + 1]
    if not lines:
        raise Unreadable(f"{path}: no table: the file is empty or its first line is over {SAMPLE_BYTES} bytes")
    separator = _separator(lines)
    cells = [_split(line, separator) for line in lines]
    comma = separator not in ("", ",") and any(re.fullmatch(r"\s*-?\d+,\d+\s*", cell) for row in cells[1:] for cell in row)
    header = not any(_number(cell, comma) is not None for cell in cells[0])
    names = [name.strip() for name in cells[0]] if header else [f"c{i}" for i in range(len(cells[0]))]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Unreadable(f"{path}:1: column names that occur twice: {', '.join(twice)}: rename them")
    body = cells[1:] if header else cells
    if not body:
        raise Unreadable(f"{path}: a header and no rows")
    columns = {name: [row[i] if i < len(row) else "" for row in body] for i, name in enumerate(names)}
    numeric = tuple(name for name, column in columns.items() if _is_numeric(column, comma))
    time = next((name for name, column in columns.items() if _is_time(name, column, comma)), "")
    aside = tuple((name, why) for name in numeric if (why := _why_aside(name, columns[name], time, comma)))
    return Layout(
        path=str(path),
        separator=separator,
        decimal_comma=comma,
        encoding=encoding,
        header=header,
        columns=tuple(names),
        numeric=numeric,
        time=time,
        set_aside=aside,
        unit=next((name for name in names if _UNIT.match(name)), ""),
        count=next((name for name in numeric if name and _COUNT.match(name)), ""),
    )


class Recording:
    """Reads one file once, block by block; afterwards knows its digest and what was odd."""

    def __init__(self, shape: Layout, columns: Sequence[str]) -> None:
        missing = [name for name in columns if name not in shape.columns]
        if missing:
            raise Unreadable(f"{shape.path}: no column {', '.join(missing)}: it has {', '.join(shape.columns)}")
        self._shape = shape
        self._places = [shape.columns.index(name) for name in columns]
        self._time = shape.columns.index(shape.time) if shape.time else None
        self._last_time = ""
        self._run = shape.columns.index(shape.unit or shape.count) if shape.unit or shape.count else None
        self._first_run: str | None = None
        self._last_run = ""
        self.starts: list[int] = []
        """Rows of the block last given where another run begins: another unit, or a count back at what it began with."""
        self.rows = 0
        self.gaps = np.zeros(len(columns), dtype=np.int64)
        """Cells of each column that are no number."""
        self.with_unit = [""] * len(columns)
        """Of each column: the first cell that is a number with a unit beside it."""
        self.backwards: int | None = None
        """First row whose time is before the one above it."""
        self.sha256 = ""

    def blocks(self, *, rows_max: int | None = None, told: Callable[[int], None] | None = None) -> Iterator[Matrix]:
        """(rows, columns) arrays. `told` gets the file's bytes read so far. Raises Unreadable."""
        path = Path(self._shape.path)
        try:
            with path.open("rb") as file:
                source = _Counted(file)
                buffered = io.BufferedReader(source, 1 << 20)
                stream = gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered
                yield from self._read(
                    io.TextIOWrapper(stream, encoding=self._shape.encoding, errors="replace", newline=None), source, rows_max, told
                )
                if rows_max is None:
                    while source.read(1 << 20):
                        pass
                    self.sha256 = source.hash.hexdigest()
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable(f"{path}: can't be read after row {self.rows}: {error}") from error

    def _read(self, text: io.TextIOBase, source: "_Counted", rows_max: int | None, told: Callable[[int], None] | None) -> Iterator[Matrix]:
        skip = self._shape.header
        while rows_max is None or self.rows < rows_max:
            lines: list[str] = []
            most = BLOCK_ROWS if rows_max is None else min(BLOCK_ROWS, rows_max - self.rows)
            while len(lines) < most:
                line = text.readline(LINE_MAX)
                if not line:
                    break
                if len(line) >= LINE_MAX:
                    raise Unreadable(f"{self._shape.path}: a line of over {LINE_MAX} characters after row {self.rows}: this is no table")
                if line.strip():
                    if skip:
                        skip = False
                    else:
                        lines.append(line)
            if not lines:
                return
            values = self._parse(lines)
            self._watch_time(lines)
            self.starts = self._watch_runs(lines)
            self.rows += len(lines)
            self.gaps += (~np.isfinite(values)).sum(axis=0)
            if told is not None:
                told(source.bytes)
            yield values

    def _parse(self, lines: list[str]) -> Matrix:
        shape = self._shape
        if not shape.decimal_comma:
            try:
                # The quick road: no gaps, all rows whole.
                return np.loadtxt(lines, delimiter=shape.separator or None, usecols=self._places, ndmin=2, comments=None, quotechar='"')
            except ValueError:
                pass
        out = np.full((len(lines), len(self._places)), np.nan)
        for at, line in enumerate(lines):
            cells = _split(line, shape.separator)
            for place, column in enumerate(self._places):
                number = _number(cells[column], shape.decimal_comma) if column < len(cells) else None
                if number is not None:
                    out[at, place] = number
                elif column < len(cells) and not self.with_unit[place] and _WITH_UNIT.match(cells[column]):
                    self.with_unit[place] = cells[column].strip()
        return out

    def _watch_time(self, lines: list[str]) -> None:
        if self._time is None or self.backwards is not None or self._shape.separator == "":
            return
        for at, line in enumerate(lines):
            cells = line.split(self._shape.separator, self._time + 1)
            now = cells[self._time].strip().strip('"') if self._time < len(cells) else ""
            if _before(now, self._last_time):
                self.backwards = self.rows + at
                return
            self._last_time = now or self._last_time

    def _watch_runs(self, lines: list[str]) -> list[int]:
        found: list[int] = []
        if self._run is None:
            return found
        for at, line in enumerate(lines):
            cells = _split(line, self._shape.separator)
            now = cells[self._run].strip() if self._run < len(cells) else ""
            if not now:
                continue
            if self._first_run is None:
                self._first_run = now
            elif now != self._last_run if self._shape.unit else now == self._first_run:
                found.append(at)
            self._last_run = now
        return found


class _Counted(io.RawIOBase):
    """A file that counts and hashes what is read from it."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self.bytes, self.hash = file, 0, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        got = self._file.readinto(buffer)
        self.bytes += got
        self.hash.update(memoryview(buffer)[:got])
        return got


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            start = file.read(2)
            file.seek(0)
            return gzip.GzipFile(fileobj=file).read(SAMPLE_BYTES) if start == b"\x1f\x8b" else file.read(SAMPLE_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(f"{path}: can't be read: {reason}") from error


def _decode(path: Path, raw: bytes) -> tuple[str, str]:
    if b"\x00" in raw[:4096]:
        raise Unreadable(f"{path}: this is no text: give a CSV, gzipped or not")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw[: max(len(raw) - 4, 0) if len(raw) >= SAMPLE_BYTES else len(raw)].decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1"), "latin-1"


def _separator(lines: Sequence[str]) -> str:
    """The one that cuts most lines into the same number of cells, at least two; of one column: a comma."""
    best, most = ",", 1
    for separator in (";", "\t", "|", ",", ""):
        counts = [len(_split(line, separator)) for line in lines]
        same = counts.count(counts[0])
        if counts[0] > most and same >= 0.8 * len(lines):
            best, most = separator, counts[0]
            break
    return best


def _split(line: str, separator: str) -> list[str]:
    if separator == "":
        return line.split()
    if '"' in line:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])
    return line.rstrip("\r\n").split(separator)


def _number(cell: str, comma: bool) -> float | None:
    try:
        return float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return None


def _is_numeric(column: Sequence[str], comma: bool) -> bool:
    told = [cell.strip() for cell in column if cell.strip().lower() not in _GAPS]
    numbers = sum(_number(cell, comma) is not None for cell in told)
    return numbers > 0 and numbers >= 0.9 * len(told)


def _is_time(name: str, column: Sequence[str], comma: bool) -> bool:
    told = [cell.strip() for cell in column if cell.strip()]
    if told and sum(bool(_DATE.match(cell)) for cell in told) >= 0.9 * len(told):
        return True
    return bool(_TIME.match(name)) and bool(told) and _rises(told, comma)


def _rises(cells: Sequence[str], comma: bool) -> bool:
    numbers = [number for cell in cells if (number := _number(cell, comma)) is not None]
    return len(numbers) == len(cells) and len(numbers) > 1 and all(b >= a for a, b in itertools.pairwise(numbers))


def _why_aside(name: str, column: Sequence[str], time: str, comma: bool) -> str:
    if name == time:
        return "time"
    if _LABEL.match(name):
        return "label by its name"
    if _COUNT.match(name) or _UNIT.match(name):
        return "row or unit number by its name"
    numbers = np.array([number for cell in column if (number := _number(cell, comma)) is not None])
    steps = np.diff(numbers)
    if steps.size >= 10 and steps[0] != 0:
        common = float(np.median(steps))
        if common != 0 and float(np.mean(np.abs(steps - common) <= 1e-9 * abs(common))) >= 0.9:
            return "counter: it moves by the same step on every row"
    return ""


def _before(now: str, last: str) -> bool:
    if not now or not last:
        return False
    a, b = _number(now, False), _number(last, False)
    if a is not None and b is not None:
        return a < b
    # Year-first text of one length sorts as time does; other spellings are not judged.
    return len(now) == len(last) and now[:4].isdigit() and now < last
