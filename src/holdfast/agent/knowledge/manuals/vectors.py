"""One vector a passage, beside the passages: kept a batch at a time, so that what was cut off goes on where it ended.

Numbers are float16: of directions that keeps three digits, in half the room. The vectors of the model before the present one are kept too,
so that a rollback needs no embedding anew; those of older ones go when another begins.
"""

from collections.abc import Sequence
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.agent.knowledge.manuals.meaning import NoMeaning
from holdfast.terms import Word

MODELS_MAX = 2  # whose vectors are kept
DIMS_MAX = 8_192
ROWS_MAX = 200_000  # passages that are searched by meaning; with more, words alone rank
BYTES_MAX = 1 << 30  # of one model's vectors in memory
TABLES = """
CREATE TABLE IF NOT EXISTS embedded (
  id INTEGER PRIMARY KEY, model TEXT NOT NULL UNIQUE, dims INTEGER NOT NULL, changed INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS vector (
  model INTEGER NOT NULL REFERENCES embedded (id) ON DELETE CASCADE, passage INTEGER NOT NULL REFERENCES passage (id) ON DELETE CASCADE,
  data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS vector_place ON vector (model, passage);
CREATE INDEX IF NOT EXISTS vector_passage ON vector (passage);
"""
PENDING = """
SELECT p.id, p.heading, p.text FROM passage AS p LEFT JOIN vector AS v ON v.model = ? AND v.passage = p.id
WHERE v.passage IS NULL AND p.id > ? ORDER BY p.id LIMIT ?
"""


class Standing(Word):
    """What is kept of one model. `changed` is another number after every change of it."""

    id: int
    dims: int
    changed: int


class Pending(Word):
    """A passage without a vector, and the text that is to be embedded: what it says, under its heading."""

    passage: int
    text: str


class Matrix(Word):
    """The vectors of one model: `passages` (n,) ids, ascending; `rows` (n, dims)."""

    passages: NDArray[np.int64]
    rows: NDArray[np.float16]


class Vectors:
    """Over an index's own connection, for one thread at a time. Raises apsw.Error, and NoMeaning where it says so."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def standing(self, model: str) -> Standing | None:
        """None where nothing was embedded with it."""
        if not self._there():
            return None
        found: list[Any] = self._db.execute("SELECT id, dims, changed FROM embedded WHERE model = ?", (model,)).fetchall()
        return Standing(id=found[0][0], dims=found[0][1], changed=found[0][2]) if found else None

    def models(self) -> tuple[str, ...]:
        """Whose vectors are kept, the newest last."""
        if not self._there():
            return ()
        return tuple(str(model) for (model,) in self._db.execute("SELECT model FROM embedded ORDER BY id").fetchall())

    def begin(self, model: str, dims: int, now_ns: int, *, again: bool = False) -> Standing:
        """Make room for a model's vectors; those that there are of it stay, unless `again`."""
        with self._db:
            self._db.execute(TABLES)
            if again:
                self._db.execute("DELETE FROM embedded WHERE model = ?", (model,))
            before = self.standing(model)
            if before is not None and before.dims == dims:
                return before
            self._db.execute("DELETE FROM embedded WHERE model = ?", (model,))
            # Never lower than before, also in an index that was made anew: whoever has read the vectors tells by it that they changed.
            self._db.execute("INSERT INTO embedded (model, dims, changed) VALUES (?,?,?)", (model, dims, now_ns))
            keep = "SELECT id FROM embedded ORDER BY id DESC LIMIT ?"
            self._db.execute(f"DELETE FROM embedded WHERE id NOT IN ({keep})", (MODELS_MAX,))  # noqa: S608 - a constant
        found = self.standing(model)
        assert found is not None  # noqa: S101  just written
        return found

    def pending(self, standing: Standing, after: int, limit: int) -> tuple[Pending, ...]:
        """The next passages without a vector, by id."""
        rows: list[Any] = self._db.execute(PENDING, (standing.id, after, limit)).fetchall()
        return tuple(Pending(passage=id, text=text if heading in ("", text) else f"{heading}\n{text}") for id, heading, text in rows)

    def missing(self, standing: Standing) -> int:
        """How many passages have no vector."""
        sql = "SELECT count(*) FROM passage WHERE id NOT IN (SELECT passage FROM vector WHERE model = ?)"
        return int(str(self._db.execute(sql, (standing.id,)).fetchall()[0][0]))

    def keep(self, standing: Standing, passages: Sequence[int], rows: NDArray[np.float32]) -> int:
        """In one transaction; returns how many were kept. A passage that went meanwhile is passed over."""
        if rows.shape != (len(passages), standing.dims) or standing.dims > DIMS_MAX:
            raise NoMeaning("manuals.model_dims", has=str(rows.shape[-1]), wanted=str(standing.dims))
        with np.errstate(over="ignore"):
            small = rows.astype(np.float16)
        if not np.isfinite(small).all():
            raise NoMeaning("manuals.model_numbers")
        sql = "INSERT OR REPLACE INTO vector (model, passage, data) SELECT ?1, id, ?3 FROM passage WHERE id = ?2"
        before = after = self._db.total_changes()
        with self._db:
            for passage, row in zip(passages, small, strict=True):
                self._db.execute(sql, (standing.id, passage, row.tobytes()))
            after = self._db.total_changes()
            self._db.execute("UPDATE embedded SET changed = changed + 1 WHERE id = ?", (standing.id,))
        return after - before

    def matrix(self, standing: Standing) -> Matrix:
        """All vectors of a model. Raises NoMeaning for more than fit, and for what is no vector of its."""
        n = int(str(self._db.execute("SELECT count(*) FROM vector WHERE model = ?", (standing.id,)).fetchall()[0][0]))
        if n > ROWS_MAX or 2 * n * standing.dims > BYTES_MAX:
            raise NoMeaning("manuals.vectors_many", count=str(n), most=str(min(ROWS_MAX, BYTES_MAX // (2 * max(standing.dims, 1)))))
        passages, rows = np.empty(n, np.int64), np.empty((n, standing.dims), np.float16)
        sql = "SELECT passage, data FROM vector WHERE model = ? ORDER BY passage"
        at = 0
        for passage, data in self._db.execute(sql, (standing.id,)):
            if at == n or not isinstance(data, bytes) or len(data) != 2 * standing.dims:
                raise NoMeaning("manuals.vectors_damaged")
            passages[at], rows[at] = int(str(passage)), np.frombuffer(data, np.float16)
            at += 1
        if at < n or not np.isfinite(rows).all():
            raise NoMeaning("manuals.vectors_damaged")
        return Matrix(passages=passages, rows=rows)

    def _there(self) -> bool:
        return bool(self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'embedded'").fetchall())
