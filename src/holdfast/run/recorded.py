"""A recording in a connection's place: surveyed whole before anything starts, then its rows in the order they happened.

The survey reads everything once, so that what can't be read is told before there is a record of half a run.
"""

import dataclasses
import hashlib
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from holdfast.clock import Clock
from holdfast.gate.connectors.replay import RecordingError, Replay
from holdfast.gate.connectors.writable import demand
from holdfast.ports import ConnectionLost
from holdfast.site import plugged
from holdfast.site.load import Loaded
from holdfast.terms import SECOND_NS, Frame, Sample, Sent, Tag, TagTable, Word

TYPE = "replay"
HASH_BYTES = 1 << 20

Ints = NDArray[np.int64]


class ReplayError(Exception):
    """The site file and the recording don't make a run; the text says what to do."""


class Survey(Word, eq=False):
    """What one recording holds for the tags of one table."""

    rows: int
    from_ns: int
    to_ns: int
    step_s: float  # median between rows, 0 with fewer than two
    good: Ints  # (tags,): rows with a value
    good_first: Ints  # (tags,): of the first `first` rows


class Source(Word):
    """A file, by content."""

    path: str
    sha256: str


def source_of(path: Path) -> Source:
    """Raises RecordingError where it can't be read."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(HASH_BYTES):
                found.update(block)
    except OSError as error:
        raise RecordingError(f"{path}: can't be read ({error.strerror}): check the path") from None
    return Source(path=str(path), sha256=found.hexdigest())


def choose(loaded: Loaded, connection: str | None) -> str:
    """The connection that --data stands for. Raises ReplayError."""
    there = [c.name for c in loaded.site.connections if c.type == TYPE]
    if not there:
        example = "rec: {type: replay, file: recording.csv, time: time}"
        raise ReplayError(f"{loaded.file}: no connection of type replay; write one, such as {example}, and put the tags on it")
    if connection is None:
        if len(there) > 1:
            raise ReplayError(f"{loaded.file}: several recordings ({', '.join(there)}): say with --connection which one --data is")
        return there[0]
    if connection not in there:
        raise ReplayError(f"{loaded.file}: no connection of type replay is called {connection!r}; there are: {', '.join(there)}")
    return connection


def recording(loaded: Loaded, name: str, file: Path | None, clock: Clock) -> Replay:
    """The connection's recording, of `file` where one is given. Raises RecordingError, SecretError, ValueError, PluginError."""
    connection = next(c for c in loaded.site.connections if c.name == name)
    if file is not None:
        options = tuple((k, v) for k, v in connection.options if k != "file")
        connection = dataclasses.replace(connection, options=(*options, ("file", str(file.absolute()))))
    made = cast(Replay, plugged.open_connector(connection, Path(loaded.file).parent, clock=clock, state_dir=None))
    if file is not None:
        made.file = file  # named in errors as the user named it
    return made


def survey(replay: Replay, table: TagTable, first: int, told: Callable[[int], None] = lambda _: None) -> Survey:
    """Read it all once; `told` gets the rows read so far. Raises RecordingError for what can't be read, or holds no rows."""
    rows, from_ns, to_ns = 0, 0, 0
    good, good_first = np.zeros(len(table.tags), np.int64), np.zeros(len(table.tags), np.int64)
    steps: list[Ints] = []
    for block in replay.rows(table):
        here = block.status == 0
        good += here.sum(axis=0)
        good_first += here[: max(first - rows, 0)].sum(axis=0)
        if not steps:
            from_ns = int(block.received_ns[0])
            steps.append(np.diff(block.received_ns))  # of the first block: enough to tell seconds from minutes
        to_ns = int(block.received_ns[-1])
        rows += block.rows
        told(rows)
    if not rows:
        raise RecordingError(f"{replay.file}: has a header and no rows: give a recording with data")
    step_s = float(np.median(steps[0])) / SECOND_NS if steps[0].size else 0.0
    return Survey(rows=rows, from_ns=from_ns, to_ns=to_ns, step_s=step_s, good=good, good_first=good_first)


def past(replay: Replay, table: TagTable, until_ns: int, rows: int) -> Iterator[Frame]:
    """Another recording's last `rows` rows as a historian would have kept them: a period apart, the last at until_ns."""
    period_ns = round(table.period_s * SECOND_NS)
    skip = -rows
    for block in replay.rows(table):
        skip += block.rows
    seq = 0
    for block in replay.rows(table):
        keep = slice(max(skip - block.seq, 0), None)
        values = block.values[keep]
        if not len(values):
            continue
        times = until_ns + (np.arange(seq + 1, seq + 1 + len(values), dtype=np.int64) - rows) * period_ns
        source_ns = np.repeat(times[:, None], values.shape[1], axis=1)
        yield Frame(table=table.id, seq=seq, received_ns=times, source_ns=source_ns, values=values, status=block.status[keep])
        seq += len(values)


def moments(replays: Mapping[str, Replay], tables: Sequence[TagTable]) -> Iterator[tuple[int, Sequence[Frame]]]:
    """(UTC ns, one-row frames) in order of time: what all tables hold at that moment. `seq` is the recording's data row."""
    streams = [_single(replays[table.connection], table, place) for place, table in enumerate(tables)]
    for at_ns, group in itertools.groupby(heapq.merge(*streams, key=lambda one: one[:3]), key=lambda one: one[0]):
        held: dict[str, Frame] = {}
        for _, _, _, frame in group:
            if frame.table in held:  # two rows of one table at the same instant are two moments
                yield at_ns, tuple(held.values())
                held = {}
            held[frame.table] = frame
        yield at_ns, tuple(held.values())


def _single(replay: Replay, table: TagTable, place: int) -> Iterator[tuple[int, int, int, Frame]]:
    for block in replay.rows(table):
        for row, at_ns in enumerate(block.received_ns.tolist()):
            cut = slice(row, row + 1)
            frame = Frame(
                table=block.table,
                seq=block.seq + row,
                received_ns=block.received_ns[cut],
                source_ns=block.source_ns[cut],
                values=block.values[cut],
                status=block.status[cut],
            )
            yield at_ns, frame.seq, place, frame


class Played:
    """A connection of a replay: its present row is the plant, and no write reaches anything.

    `replay` None is a connection that the run has no recording of: it stays closed. A wire value is the value itself, so
    that the guard's shadow decision is about the envelope, not about the recording.
    """

    def __init__(self, name: str, replay: Replay | None) -> None:
        self.name = name
        self.replay = replay
        self._now: dict[str, Sample] = {}

    def show(self, table: TagTable, frame: Frame) -> None:
        """This row is now."""
        values, status, source_ns = frame.values[0].tolist(), frame.status[0].tolist(), int(frame.received_ns[0])
        for tag, value, code in zip(table.tags, values, status, strict=True):
            self._now[tag.name] = Sample(tag=tag.name, value=value, status=code, source_ns=source_ns)

    async def connect(self) -> None:
        self._require()

    async def close(self) -> None:
        return

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        async for tag in self._require().browse(under):
            yield tag

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        self._require()
        missing = [tag.name for tag in tags if tag.name not in self._now]
        if missing:
            raise ConnectionLost(f"{self.name}: {missing[0]} was not played yet")
        return tuple(self._now[tag.name] for tag in tags)

    async def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        async for frame in self._require().subscribe(table):
            yield frame

    def health(self) -> Mapping[str, float]:
        return {"recorded": float(self.replay is not None)}

    def wire_value(self, tag: Tag, value: float) -> float:
        return demand(tag, value)

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        return "rejected"

    def _require(self) -> Replay:
        if self.replay is None:
            raise ConnectionLost(f"{self.name}: a replay opens no connection")
        return self.replay
