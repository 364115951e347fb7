"""What a query is asked of: opened, asked, closed in one thread; broken from any."""

from typing import Protocol

from holdfast.gate.connectors.sql.answers import Answer


class SourceFailed(Exception):
    """There is no answer; the text says why and what to check, and holds no password."""


class Source(Protocol):
    """A SQLite file or a PostgreSQL server. `open`, `ask` and `close` block."""

    def open(self) -> None:
        """Raises SourceFailed."""
        ...

    def ask(self, rows_max: int) -> Answer:
        """The query's answer, of at most `rows_max` + 1 rows. Raises SourceFailed."""
        ...

    def close(self) -> None: ...

    def abort(self, why: str) -> None:
        """End what blocks, from another thread; from then on it is broken."""
        ...

    def is_broken(self) -> str:
        """Why it can't be used any more, as far as can be seen without asking; empty while it can."""
        ...
