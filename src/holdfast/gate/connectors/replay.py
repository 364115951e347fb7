"""A recording as a connection: its rows at full speed on its own clock. It opens no connection and refuses every write.

CSV or `.csv.gz`, UTF-8, any of the separators `,` `;` tab `|`, one header line. An address is a column's name. Read as
a stream: memory does not grow with the file.
"""

import csv
import datetime
import gzip
import io
import math
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np

from holdfast.clock import Clock, RealClock
from holdfast.gate.connectors import registers
from holdfast.gate.connectors.row import BAD_OUT_OF_RANGE
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NODE_ID_UNKNOWN, GOOD, SECOND_NS, Frame, Sample, Sent, Tag, TagTable

BAD_NO_DATA = 0x809B_0000
BLOCK_ROWS = 600
_SEPARATORS = ",;\t|"
_LINE_MAX = 1_000_000  # characters; a longer line is no line of a table
_EMPTY = frozenset(("", "nan", "na", "n/a", "#n/a", "null", "none", "bad", "-"))
_UNIT_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND_NS, "min": 60 * SECOND_NS, "h": 3600 * SECOND_NS}


class RecordingError(ConnectionLost):
    """The recording can't be used: file, line, column, cause and cure."""


@dataclass(kw_only=True)
class Replay:
    """A recording to replay."""

    name: str
    """The connection's name in the site file."""
    file: Path | str
    """The recording, `.csv` or `.csv.gz`."""
    time: str = ""
    """The time column: dates (ISO 8601, UTC where they name no offset) or numbers. "" counts rows, `period_s` apart."""
    time_unit: str = ""
    """Of a time column of numbers: ns, us, ms, s, min or h, counted from `epoch`. "" for dates."""
    period_s: float = 1.0
    """Seconds between rows where there is no time column."""
    epoch: str = "2000-01-01T00:00:00Z"
    """When row 0, or time 0 of a numeric column, was."""
    clock: Clock = field(default_factory=RealClock)
    """Not used: the recording has its own."""
    state_dir: Path | None = None
    """Not used: a replay keeps nothing."""

    def __post_init__(self) -> None:
        self.file, self.period_s = Path(self.file), float(self.period_s)
        if self.time_unit and self.time_unit not in _UNIT_NS:
            raise ValueError(f"{self.name}: time_unit {self.time_unit!r} is none of {', '.join(_UNIT_NS)}")
        if not self.period_s > 0:
            raise ValueError(f"{self.name}: period_s must be above 0, not {self.period_s:g}")
        try:
            self._epoch_ns = _date_ns(self.epoch)
        except ValueError:
            raise ValueError(f"{self.name}: epoch {self.epoch!r} is no date such as 2000-01-01T00:00:00Z") from None
        self._open = False
        self._rows = 0

    # ---- reader --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self.columns()
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        """Every column but the time."""
        for column in self.columns():
            if column != self.time and column.startswith(under):
                yield Tag(name=f"{self.name}/{column}", connection=self.name, address=column, unit="1", period_s=self.period_s)

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        """Of the recording's first row: a recording has no now."""
        self._require()
        for block in self.rows(TagTable(id="", connection=self.name, period_s=self.period_s, tags=tuple(tags)), strict=False):
            values, status = block.values[0].tolist(), block.status[0].tolist()
            source_ns = int(block.received_ns[0])
            return tuple(Sample(tag=t.name, value=v, status=s, source_ns=source_ns) for t, v, s in zip(tags, values, status, strict=True))
        raise RecordingError(f"{self.file}: has no rows")

    async def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """One row a frame, as fast as they are taken; ends with the recording."""
        self._require()
        for block in self.rows(table, strict=False):
            for i in range(block.rows):
                yield Frame(
                    table=block.table,
                    seq=block.seq + i,
                    received_ns=block.received_ns[i : i + 1],
                    source_ns=block.source_ns[i : i + 1],
                    values=block.values[i : i + 1],
                    status=block.status[i : i + 1],
                )

    def health(self) -> Mapping[str, float]:
        return {"connected": float(self._open), "rows": float(self._rows)}

    # ---- writer --------------------------------------------------------------------------------------------------

    def wire_value(self, tag: Tag, value: float) -> float:
        raise ValueError(f"{tag.name}: {self.name} is a recording, which nobody can write")

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        return "rejected"

    # ---- the recording -------------------------------------------------------------------------------------------

    def columns(self) -> tuple[str, ...]:
        """The header. Raises RecordingError."""
        with self._text() as text:
            return self._header(text)[0]

    def rows(self, table: TagTable, *, strict: bool = True) -> Iterator[Frame]:
        """Blocks of up to 600 rows: received and source time are the recording's (UTC ns), `seq` counts its data rows
        from 0. An empty or NaN cell is Bad. A column that is missing is an error, or Bad where not `strict`.

        Raises RecordingError at the line that can't be read; whatever came before it was yielded.
        """
        with self._text() as text:
            header, separator = self._header(text)
            columns = self._columns(table, header, strict)
            at = header.index(self.time) if self.time else -1
            reader = csv.reader(self._lines(text), delimiter=separator)
            block = _Block(table, columns)
            last_ns, seq, line = -(2**63), 0, 1
            try:
                for cells in reader:
                    line = reader.line_num + 1
                    if not cells:
                        continue
                    if len(cells) != len(header):
                        raise self._problem(line, "", f"{len(cells)} cells under {len(header)} columns: complete or remove the line")
                    now_ns = self._epoch_ns + round(seq * self.period_s * SECOND_NS) if at < 0 else self._time_ns(cells[at], line)
                    if now_ns < last_ns:
                        raise self._problem(
                            line, self.time, f"time runs backwards at {cells[at]!r}: sort the recording by time, or cut it there"
                        )
                    last_ns = now_ns
                    fault = block.add(now_ns, cells)
                    if fault is not None:
                        cause = f"{cells[fault]!r} is no number: correct the cell, or leave it empty where there is no data"
                        raise self._problem(line, header[fault], cause)
                    seq += 1
                    if block.full:
                        yield self._counted(block.take(seq))
            except UnicodeDecodeError:
                raise self._problem(line + 1, "", "from about here it is not UTF-8: save the recording as UTF-8") from None
            except csv.Error as error:
                raise self._problem(line + 1, "", f"can't be read as CSV ({error})") from None
            except (OSError, EOFError, zlib.error) as error:
                raise self._problem(line + 1, "", f"breaks off ({error}): copy the recording again") from None
            if not block.empty:
                yield self._counted(block.take(seq))

    def _lines(self, text: TextIO) -> Iterator[str]:
        """So that a file without line ends is refused before it fills the memory."""
        number = 1
        while line := text.readline(_LINE_MAX):
            number += 1
            if len(line) == _LINE_MAX:
                raise self._problem(number, "", f"a line of more than {_LINE_MAX} characters is no row of a table")
            yield line

    def _require(self) -> None:
        if not self._open:
            raise ConnectionLost(f"{self.name}: the recording {self.file} was not opened")

    def _counted(self, frame: Frame) -> Frame:
        self._rows = frame.seq + frame.rows
        return frame

    def _problem(self, line: int, column: str, cause: str) -> RecordingError:
        where = f", column {column!r}" if column else ""
        return RecordingError(f"{self.file}:{line}{where}: {cause}")

    def _text(self) -> TextIO:
        path = Path(self.file)
        try:
            raw = gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # noqa: SIM115 - the wrapper closes it
        except OSError as error:
            raise RecordingError(f"{path}: can't be read ({error.strerror}): check the path in `file`") from None
        return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")  # type: ignore[arg-type]

    def _header(self, text: TextIO) -> tuple[tuple[str, ...], str]:
        try:
            line = text.readline(_LINE_MAX)
        except UnicodeDecodeError:
            raise self._problem(1, "", "is not UTF-8: save the recording as UTF-8") from None
        except (OSError, EOFError, zlib.error) as error:
            raise self._problem(1, "", f"can't be read ({error}): check that it is what its name says") from None
        if not line.strip():
            raise self._problem(1, "", "is empty: the first line names the columns")
        separator = max(_SEPARATORS, key=line.count)
        header = tuple(cell.strip() for cell in next(csv.reader([line], delimiter=separator)))
        double = sorted({name for name in header if header.count(name) > 1})
        if double:
            raise self._problem(1, double[0], "is there twice: give every column a name of its own")
        if self.time and self.time not in header:
            raise self._problem(1, self.time, f"the time column is missing; there are: {', '.join(header)}")
        return header, separator

    def _columns(self, table: TagTable, header: Sequence[str], strict: bool) -> list[int]:
        """Index of each tag's column, -1 where it is missing."""
        missing = [tag.address for tag in table.tags if tag.address not in header]
        if missing and strict:
            raise self._problem(1, missing[0], f"{len(missing)} columns are missing; there are: {', '.join(header)}")
        return [header.index(tag.address) if tag.address in header else -1 for tag in table.tags]

    def _time_ns(self, cell: str, line: int) -> int:
        try:
            if self.time_unit:
                return self._epoch_ns + round(float(cell) * _UNIT_NS[self.time_unit])
            return _date_ns(cell)
        except (ValueError, OverflowError):
            numeric = _number(cell.strip()) is not None
            cure = "give `time_unit` for a time column of numbers" if numeric else "write dates as 2000-01-01T00:00:00"
            raise self._problem(line, self.time, f"{cell!r} is no time: {cure}") from None


class _Block:
    """Rows on their way into one frame."""

    def __init__(self, table: TagTable, columns: Sequence[int]) -> None:
        self._table = table
        self._columns = columns
        self._at_ns: list[int] = []
        self._values: list[list[float]] = []

    @property
    def full(self) -> bool:
        return len(self._at_ns) >= BLOCK_ROWS

    @property
    def empty(self) -> bool:
        return not self._at_ns

    def add(self, at_ns: int, cells: Sequence[str]) -> int | None:
        """Index of the cell that is no number, None when all are."""
        values: list[float] = []
        for column in self._columns:
            number = _number(cells[column]) if column >= 0 else math.nan
            if number is None:
                return column
            values.append(number)
        self._at_ns.append(at_ns)
        self._values.append(values)
        return None

    def take(self, seq_end: int) -> Frame:
        rows, width = len(self._at_ns), len(self._columns)
        received_ns = np.array(self._at_ns, dtype=np.int64)
        values = np.array(self._values, dtype=np.float64).reshape(rows, width)
        status = np.where(np.isnan(values), BAD_NO_DATA, GOOD).astype(np.uint32)
        status[np.isinf(values)] = BAD_OUT_OF_RANGE
        values[np.isinf(values)] = np.nan
        for i, (tag, column) in enumerate(zip(self._table.tags, self._columns, strict=True)):
            if column < 0:
                status[:, i] = BAD_NODE_ID_UNKNOWN
            if tag.scale is not None:
                values[:, i] = registers.to_eng(tag.scale, 0.0) + values[:, i] * (
                    registers.to_eng(tag.scale, 1.0) - registers.to_eng(tag.scale, 0.0)
                )
        self._at_ns, self._values = [], []
        source_ns = np.repeat(received_ns[:, None], width, axis=1)
        return Frame(table=self._table.id, seq=seq_end - rows, received_ns=received_ns, source_ns=source_ns, values=values, status=status)


def _number(cell: str) -> float | None:
    """NaN for a cell that says there is no data, None for one that is no number."""
    try:
        return float(cell)
    except ValueError:
        text = cell.strip().lower()
        return math.nan if text in _EMPTY else {"true": 1.0, "false": 0.0}.get(text)


def _date_ns(text: str) -> int:
    """UTC ns of an ISO 8601 date; UTC where it names no offset. Raises ValueError."""
    at = datetime.datetime.fromisoformat(text.strip())
    at = at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)
    return (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1) * 1000
