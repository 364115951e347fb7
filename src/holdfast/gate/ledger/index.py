"""Which records speak of whom: a file beside the ledger, made from its leaves alone, that may be deleted at any time.

It is no part of the record: nothing is decided by it, and what a query shows are the leaves themselves. It is filled by
SQL on a connection of its own, in steps, so that neither a commit nor the gate's thread waits for it.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from holdfast.gate.ledger.store import BUSY_TIMEOUT_MS, FILE, StateError, cured
from holdfast.terms import Word

INDEX = "index.db"
FORM = 3  # of what is indexed: another number is made anew
STEP = 4_000  # records a step: some tenths of a second
BLOCK = 1_024  # records whose earliest and latest time are kept together

TABLES = """
CREATE TABLE entry (seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL) STRICT;
CREATE TABLE block (id INTEGER PRIMARY KEY, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL) STRICT;
CREATE TABLE term (
  id INTEGER PRIMARY KEY, what TEXT NOT NULL, value TEXT NOT NULL, n INTEGER NOT NULL DEFAULT 0, UNIQUE (what, value)
) STRICT;
CREATE TABLE post (term INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (term, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE incident (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL UNIQUE) STRICT;
CREATE INDEX incident_id ON incident (id);
CREATE TABLE done (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO done VALUES (1, 0, x'');
CREATE TABLE fresh (seq INTEGER NOT NULL, what TEXT NOT NULL, value TEXT NOT NULL) STRICT;
"""

# A leaf that is no JSON (somebody changed it) is shown by its number alone; only `ledger verify` says what is wrong with it.
READ = """
CREATE TEMP TABLE IF NOT EXISTS body (seq INTEGER PRIMARY KEY, kind TEXT, at_ns INTEGER, b BLOB);
"""
TAKE = """
INSERT INTO temp.body
SELECT seq, j ->> '$.kind', j ->> '$.at_ns', jsonb_extract(j, '$.body') FROM (
  SELECT seq, CASE WHEN json_valid(CAST(bytes AS TEXT)) THEN jsonb(CAST(bytes AS TEXT)) ELSE jsonb('{}') END AS j
  FROM record.leaf WHERE seq > ? AND seq <= ?)
"""
# What each kind of record names, and where. A value that is not there is NULL, and no term.
TERMS = """
INSERT INTO fresh
SELECT seq, 'kind', kind FROM temp.body WHERE kind IS NOT NULL
UNION ALL SELECT seq, 'agent', a FROM (SELECT seq, coalesce(b ->> '$.author', b ->> '$.decision.author', b ->> '$.agent',
    CASE kind WHEN 'agent' THEN b ->> '$.name' END) AS a FROM temp.body) WHERE a IS NOT NULL
UNION ALL SELECT seq, 'person', p FROM (
    SELECT seq, b ->> '$.person' AS p FROM temp.body
    UNION SELECT seq, b ->> '$.by' FROM temp.body
    UNION SELECT seq, b ->> '$.name' FROM temp.body WHERE kind = 'person'
    UNION SELECT seq, b ->> '$.answered_by' FROM temp.body) WHERE p IS NOT NULL AND p <> ''
UNION ALL SELECT seq, 'proposal', p FROM (SELECT seq, CASE json_type(b, '$.proposal') WHEN 'text' THEN b ->> '$.proposal'
    ELSE b ->> '$.proposal.id' END AS p FROM temp.body) WHERE p IS NOT NULL
UNION ALL SELECT seq, 'tag', t FROM (
    SELECT seq, b ->> '$.tag' AS t FROM temp.body
    UNION SELECT seq, b ->> '$.loop' FROM temp.body
    UNION SELECT seq, b ->> '$.scope' FROM temp.body
    UNION SELECT seq, value FROM temp.body, json_each(b, '$.tags')
    UNION SELECT seq, value ->> '$.tag' FROM temp.body, json_each(b, '$.steps')
    UNION SELECT seq, value ->> '$[0]' FROM temp.body, json_each(b, '$.proposal.action.sets')
    UNION SELECT seq, value ->> '$[0]' FROM temp.body, json_each(b, '$.finding.shares')) WHERE t IS NOT NULL AND typeof(t) = 'text'
UNION ALL SELECT seq, 'incident', (b ->> '$.author') || char(10) || (b ->> '$.finding.incident') FROM temp.body
    WHERE kind = 'finding' AND json_type(b, '$.finding.incident') = 'text'
UNION ALL SELECT seq, 'incident', (b ->> '$.author') || char(10) || (b ->> '$.diagnosis.incident') FROM temp.body
    WHERE kind = 'diagnosis' AND json_type(b, '$.diagnosis.incident') = 'text'
UNION ALL SELECT seq, 'incident', (b ->> '$.author') || char(10) || (b ->> '$.report.incident') FROM temp.body
    WHERE kind = 'report' AND json_type(b, '$.report.incident') = 'text'
UNION ALL SELECT seq, 'incident', (b ->> '$.decision.author') || char(10) || (b ->> '$.proposal.incident') FROM temp.body
    WHERE kind = 'decision' AND json_type(b, '$.proposal.incident') = 'text'
"""
# What a report counts: where a record of this kind says how it came out.
ANSWERS = {"decision": "$.decision.verdict", "outcome": "$.outcome.result", "effect": "$.outcome.effect"}
ANSWERED = f"""
INSERT INTO fresh SELECT seq, 'answer', kind || char(10) || a FROM (SELECT seq, kind, CASE kind
    WHEN 'decision' THEN b ->> '{ANSWERS["decision"]}'
    WHEN 'outcome' THEN b ->> '{ANSWERS["outcome"]}'
    WHEN 'effect' THEN b ->> '{ANSWERS["effect"]}' END AS a FROM temp.body) WHERE typeof(a) = 'text'
"""  # noqa: S608 - constants
# "decisions of this agent" is one list, not two to be intersected.
WITH_KIND = """
INSERT INTO fresh SELECT f.seq, f.what || '+kind', b.kind || char(10) || f.value FROM fresh f JOIN temp.body b USING (seq)
WHERE f.what IN ('agent', 'person', 'tag') AND b.kind IS NOT NULL
"""
KEEP = """
INSERT INTO term (what, value, n) SELECT what, value, count(*) FROM fresh GROUP BY what, value
  ON CONFLICT (what, value) DO UPDATE SET n = n + excluded.n;
INSERT OR IGNORE INTO post SELECT term.id, fresh.seq FROM fresh JOIN term USING (what, value) ORDER BY 1, 2;
INSERT OR IGNORE INTO incident SELECT seq, b ->> '$.finding.id', (b ->> '$.author') || char(10) || (b ->> '$.finding.incident')
  FROM temp.body WHERE kind = 'finding' AND json_type(b, '$.finding.id') = 'text' AND json_type(b, '$.finding.incident') = 'text'
  ORDER BY seq;
INSERT OR REPLACE INTO entry SELECT seq, coalesce(at_ns, 0) FROM temp.body;
"""
BLOCKS = f"""
INSERT INTO block SELECT (seq - 1) / {BLOCK}, min(at_ns), max(at_ns) FROM entry WHERE seq > ? AND seq <= ? GROUP BY 1
  ON CONFLICT (id) DO UPDATE SET first_ns = min(first_ns, excluded.first_ns), last_ns = max(last_ns, excluded.last_ns)
"""  # noqa: S608 - a constant


class Term(Word):
    """A list of records: its number in the index and how many it holds."""

    id: int
    n: int


class RecordIndex:
    """Of the state folder `folder`. For one thread at a time, any thread. Raises StateError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / INDEX
        try:
            self.db = self._opened()
        except (apsw.CorruptError, apsw.NotADBError):
            self._delete()
            self.db = self._opened()

    def close(self) -> None:
        """Safe to call twice."""
        self.db.close()

    def rows(self, sql: str, bindings: Sequence[int | str] = ()) -> list[Any]:
        """All rows of a query; the caller's SQL bounds them. Raises StateError."""
        with cured(self._path):
            return self.db.execute(sql, bindings).fetchall()

    def term(self, what: str, value: str) -> Term:
        """The list of the records that name `value` as their `what`; an empty one where none does."""
        rows = self.rows("SELECT id, n FROM term WHERE what = ? AND value = ?", (what, value))
        return Term(id=rows[0][0], n=rows[0][1]) if rows else Term(id=0, n=0)

    def count(self, what: str, value: str) -> int:
        return self.term(what, value).n

    def waiting(self) -> int:
        """How many records are not indexed yet."""
        with cured(self._path):
            return self._last() - self.done()

    def done(self) -> int:
        """The last record that is indexed."""
        ((seq,),) = self.rows("SELECT seq FROM done")
        return int(seq)

    def _last(self) -> int:
        ((last,),) = self.rows("SELECT coalesce(max(seq), 0) FROM record.leaf")
        return int(last)

    def step(self) -> int:
        """Index up to STEP more records; returns how many are still waiting. Raises StateError."""
        with cured(self._path):
            after = self.done()
            last = self._last()
            upto = min(after + STEP, last)
            if upto > after:
                self._take(after, upto)
            return last - upto

    def _take(self, after: int, upto: int) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute("DELETE FROM temp.body")
            db.execute(TAKE, (after, upto))
            db.execute(TERMS)
            db.execute(ANSWERED)
            db.execute(WITH_KIND)
            db.execute(KEEP)
            db.execute(BLOCKS, (after, upto))
            db.execute("DELETE FROM fresh")
            db.execute("UPDATE done SET seq = ?, hash = (SELECT hash FROM record.leaf WHERE seq = ?)", (upto, upto))
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(apsw.Error):
                db.execute("ROLLBACK")
            raise

    def _opened(self) -> apsw.Connection:
        with contextlib.suppress(OSError):  # told below, where it is opened
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))  # before SQLite makes it with wider rights
        db = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI)
        try:
            db.set_busy_timeout(BUSY_TIMEOUT_MS)
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "normal")
            db.pragma("temp_store", "memory")
            db.execute("ATTACH ? AS record", (f"file:{quote(str((self._folder / FILE).absolute()))}?mode=ro",))
            if not self._fits(db):
                names = [name for (name,) in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall()]
                db.execute("BEGIN IMMEDIATE")
                for name in names:
                    db.execute(f'DROP TABLE main."{name}"')
                db.execute(TABLES)
                db.execute("COMMIT")
                db.pragma("user_version", FORM)
            db.execute(READ)
        except BaseException as error:
            db.close()
            if isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError):
                raise StateError("state.readonly", f"{self._path}: can't be opened. Check owner and rights of its folder.") from error
            raise
        return db

    @staticmethod
    def _fits(db: apsw.Connection) -> bool:
        """Whether it is of this form, and of this very ledger: a restored or replaced one has another leaf in the same place."""
        if db.pragma("user_version") != FORM:
            return False
        ((seq, hashed),) = db.execute("SELECT seq, hash FROM done").fetchall()
        there = db.execute("SELECT hash FROM record.leaf WHERE seq = ?", (seq,)).fetchall()
        return seq == 0 or there == [(hashed,)]

    def _delete(self) -> None:
        for end in ("", "-wal", "-shm"):
            self._path.with_name(INDEX + end).unlink(missing_ok=True)
