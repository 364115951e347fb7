"""SQL: the columns of a query's only row, or its rows by key, as tags; asked again each period, and never written.

What is written to a database are orders, and those go through the outbox, which knows how to write one once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.clock import Clock, RealClock
from holdfast.gate.connectors import polled
from holdfast.gate.connectors.pace import Budget, Pace
from holdfast.gate.connectors.polled import Polled
from holdfast.gate.connectors.sql import answers
from holdfast.gate.connectors.sql.answers import Cell, Layout, Shape, TimeUnit, Unusable
from holdfast.gate.connectors.sql.postgres import PostgresSource
from holdfast.gate.connectors.sql.source import Source, SourceFailed
from holdfast.gate.connectors.sql.sqlite import SqliteSource
from holdfast.gate.connectors.worker import NotBegun, Worker
from holdfast.ports import ConnectionLost
from holdfast.terms import Frame, Sample, Sent, Tag, TagTable

LOOK_EVERY_S = 0.5  # how late it may be noticed, between two polls, that the server closed the connection


@dataclass(kw_only=True)
class Sql:
    """A query of a SQLite file or of PostgreSQL. A tag's address is a column's name, or with `shape: rows` a key."""

    name: str
    """The connection's name in the site file."""
    query: str
    """One SELECT."""
    file: Path | None = None
    """The SQLite file, opened to be read; or else `host`, `database` and `user` of PostgreSQL."""
    host: str = ""
    """Address or name of the PostgreSQL server."""
    port: int = 5432
    """Its TCP port."""
    database: str = ""
    """Name of its database."""
    user: str = ""
    """An account that may SELECT what the query reads, and nothing else."""
    password: str = ""
    """The account's password, as env:NAME or file:PATH."""
    shape: Shape = "columns"
    """columns: the answer is one row and each column is a tag. rows: each row is a tag, by `key` and `value`."""
    key: str = "name"
    """With `shape: rows`, the column that holds a tag's address."""
    value: str = "value"
    """With `shape: rows`, the column that holds its value."""
    time: str = ""
    """The column that says when a row was written. Without it a row is as fresh as its asking."""
    newer_than_s: float = 0.0
    """With `time`, the most seconds that a row may be old; an older one is Bad."""
    timezone: str = ""
    """With `time`, the zone of times without an offset, such as Asia/Shanghai."""
    time_unit: TimeUnit = ""
    """With `time`, the unit of times that are numbers, counted from 1970 in UTC."""
    rows_max: int = 10_000
    """Most rows of an answer; a longer one is none."""
    timeout_s: float = 5.0
    """Most seconds, real time, for connecting and for the query."""
    requests_per_s: float = 0.0
    """Most queries a second; 0 is no limit."""
    clock: Clock = field(default_factory=RealClock)
    state_dir: Path | None = None
    """Not used: an SQL connection keeps nothing."""

    def __post_init__(self) -> None:
        # An option from `env:` arrives as text.
        self.port, self.rows_max = int(self.port), int(self.rows_max)
        self.timeout_s, self.newer_than_s = float(self.timeout_s), float(self.newer_than_s)
        if bool(self.file) == bool(self.host):
            raise ValueError(f"{self.name}: write `file` for SQLite, or `host`, `database` and `user` for PostgreSQL")
        if self.host and not (self.database and self.user):
            raise ValueError(f"{self.name}: PostgreSQL needs `database` and `user` beside `host`")
        if not self.query.strip():
            raise ValueError(f"{self.name}: the query is empty; write one SELECT")
        if bool(self.time) != (self.newer_than_s > 0):
            raise ValueError(f"{self.name}: `time` and `newer_than_s` go together: how old may a row be before it is no word on now?")
        if self.rows_max < 1 or self.timeout_s <= 0:
            raise ValueError(f"{self.name}: rows_max and timeout_s must be above 0")
        if self.shape not in ("columns", "rows") or self.time_unit not in ("", "s", "ms", "us", "ns"):
            raise ValueError(f"{self.name}: shape is columns or rows, and time_unit s, ms, us or ns")
        self._layout = Layout(
            shape=self.shape,
            key=self.key,
            value=self.value,
            time=self.time,
            zone=answers.zone_of(self.timezone),
            time_unit=self.time_unit,
            newer_than_s=self.newer_than_s,
        )
        self._budget = Budget(float(self.requests_per_s))
        self._worker = Worker()
        self._source: Source | None = None
        self._paces: dict[str, Pace] = {}  # one entry a table
        self._lag_s = 0.0
        self._queries = 0
        self._rows = 0

    # ---- reader --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Asks once, so that a query that can't be used is told of here, with its cause."""
        await self.close()
        source = self._made()
        try:
            await self._worker.run(source.open, timeout_s=self.timeout_s + 1.0)
        except (SourceFailed, NotBegun, TimeoutError) as error:
            source.abort("not opened")
            await self._let_go(source)
            raise ConnectionLost(f"{self.name}: {error}") from None
        self._source = source
        try:
            await self._ask(source)
        except ConnectionLost:
            await self.close()
            raise

    async def close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.abort("closed by us")
            await self._let_go(source)
        self._worker.end()

    async def browse(self, under: str = "") -> AsyncIterator[Tag]:
        """What the query gives now: its columns, or its keys."""
        for address in await self._ask(self._source):
            if address != self.time and address.startswith(under):
                yield Tag(name=f"{self.name}/{address}", connection=self.name, address=address, unit="1")

    async def read(self, tags: Sequence[Tag]) -> Sequence[Sample]:
        found = await self._poll(tags)
        return tuple(Sample(tag=t.name, value=v, status=s, source_ns=at) for t, (v, s, at) in zip(tags, found, strict=True))

    def subscribe(self, table: TagTable) -> AsyncIterator[Frame]:
        """Asks at the table's period; the source time is the row's own, else when it was asked."""
        pace = self._paces.setdefault(table.id, Pace(self.clock, table.period_s))
        source = self._source
        return polled.frames(
            table, pace=pace, clock=self.clock, poll=lambda: self._poll(table.tags), rests=lambda wait_s: self._rests(source, wait_s)
        )

    def health(self) -> Mapping[str, float]:
        source = self._source
        return {
            "connected": float(source is not None and not source.is_broken()),
            "lag_s": self._lag_s,
            "requests": float(self._queries),
            "rows": float(self._rows),
        }

    # ---- writer --------------------------------------------------------------------------------------------------

    def wire_value(self, tag: Tag, value: float) -> float:
        """Always raises ValueError: nothing is written to a database this way."""
        raise ValueError(f"{tag.name}: {self.name} is a query, which can't be written; orders for a database go through the outbox")

    async def write(self, tag: Tag, value: float, *, timeout_s: float) -> Sent:
        """Always `rejected`; nothing is sent."""
        return "rejected"

    # ---- inside --------------------------------------------------------------------------------------------------

    def _made(self) -> Source:
        if self.file is not None:
            return SqliteSource(Path(self.file), self.query, timeout_s=self.timeout_s)
        return PostgresSource(
            self.query,
            host=self.host,
            port=self.port,
            database=self.database,
            user=self.user,
            password=self.password,
            timeout_s=self.timeout_s,
        )

    async def _poll(self, tags: Sequence[Tag]) -> Sequence[Polled]:
        """One value a tag, in order. Raises ConnectionLost where there is no answer to use."""
        begun_ns, asked_ns = self.clock.monotonic_ns(), self.clock.now_ns()
        found = await self._ask(self._source)
        self._lag_s = (self.clock.monotonic_ns() - begun_ns) / 1e9
        # What the database said was so when it was asked: a slow answer is not a fresh one.
        return [answers.said(tag, found.get(tag.address), self._layout, asked_ns) for tag in tags]

    async def _ask(self, source: Source | None) -> Mapping[str, Cell]:
        if source is None:
            raise ConnectionLost(f"{self.name}: no connection: it was not opened")
        await self._budget.spend()
        self._queries += 1
        rows_max = self.rows_max if self.shape == "rows" else 1
        try:
            answer = await self._worker.run(lambda: source.ask(rows_max), timeout_s=self.timeout_s + 1.0)  # its own limit comes first
            if self.shape == "rows" and len(answer.rows) > self.rows_max:
                raise Unusable(f"the query gives more than {self.rows_max} rows: let it give fewer, or write rows_max")
            found = answers.cells(answer, self._layout)
        except (SourceFailed, Unusable, NotBegun, TimeoutError) as error:
            source.abort(str(error))
            raise ConnectionLost(f"{self.name}: {error}") from None
        self._rows = len(answer.rows)
        return found

    async def _rests(self, source: Source | None, wait_s: float) -> bool:
        """Wait for the next tick; True as soon as the connection is lost."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while source is not None and source is self._source and not source.is_broken():
            left_s = until_s - loop.time()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(left_s, LOOK_EVERY_S))
        return True

    async def _let_go(self, source: Source) -> None:
        with contextlib.suppress(NotBegun, TimeoutError):
            await self._worker.run(source.close, timeout_s=self.timeout_s)
