"""Which tag each column of a table's frames was: names outlive the order, the table and the configuration."""

from collections.abc import Iterable, Mapping, Sequence

import apsw

from holdfast.gate.history.file import transaction, whole
from holdfast.terms import TagTable


class Layout:
    """One order of tags; `ids` are theirs in the file."""

    def __init__(self, id: int, names: tuple[str, ...], ids: tuple[int, ...]) -> None:
        self.id, self.names, self.ids = id, names, ids


class Layouts:
    """Layouts of a history that is written. Each row number of a table belongs to the last layout that begins at or before it."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._by_id: dict[int, Layout] = {}  # as many as the configuration ever had

    def declare(self, tables: Iterable[TagTable], next_seq: Mapping[str, int]) -> None:
        """From its next row on a table has these tags; the first layout ever is also that of the rows before it."""
        for table in tables:
            names = tuple(tag.name for tag in table.tags)
            last = self._last(table.id)
            if last is None or self.of(last).names != names:
                self.add(table.id, names, 0 if last is None else next_seq.get(table.id, 0))

    def add(self, table: str, names: Sequence[str], from_seq: int | None) -> Layout:
        """Inside the caller's transaction, or one of its own."""
        ids: list[int] = []
        id = 0
        with transaction(self._db):
            if from_seq is not None:  # two configurations without a row between them: only the later one counts
                self._db.execute("UPDATE layout SET from_seq=NULL WHERE tbl=? AND from_seq=?", (table, from_seq))
            query = "INSERT INTO layout(tbl, from_seq) VALUES(?,?) RETURNING id"
            id = whole(self._db.execute(query, (table, from_seq)).fetchall()[0][0])
            for column, name in enumerate(names):
                self._db.execute("INSERT OR IGNORE INTO tag(name) VALUES(?)", (name,))
                (tag,) = self._db.execute("SELECT id FROM tag WHERE name=?", (name,)).fetchall()[0]
                self._db.execute("INSERT INTO place VALUES(?,?,?)", (tag, id, column))
                ids.append(whole(tag))
        return Layout(id, tuple(names), tuple(ids))

    def of(self, id: int) -> Layout:
        if id not in self._by_id:
            names, ids = names_of(self._db, id)
            self._by_id[id] = Layout(id, names, ids)
        return self._by_id[id]

    def at(self, table: str, seq: int, width: int) -> Layout:
        """Of a frame. Where nobody said what its columns are, they are called by their place."""
        found = layout_at(self._db, table, seq)
        if found is not None and len(self.of(found).names) == width:
            return self.of(found)
        names = by_place(table, width)
        for (id,) in self._db.execute("SELECT id FROM layout WHERE tbl=? AND from_seq IS NULL", (table,)).fetchall():
            if self.of(whole(id)).names == names:
                return self.of(whole(id))
        return self.add(table, names, None)

    def brought(self, table: str, names: Sequence[str]) -> Layout:
        """Of rows that were brought in: the table's own where it has the same tags."""
        for (id,) in self._db.execute("SELECT id FROM layout WHERE tbl=? ORDER BY id DESC", (table,)).fetchall():
            if self.of(whole(id)).names == tuple(names):
                return self.of(whole(id))
        return self.add(table, names, None)

    def _last(self, table: str) -> int | None:
        return layout_at(self._db, table, 2**62)


def by_place(table: str, width: int) -> tuple[str, ...]:
    return tuple(f"{table}#{column}" for column in range(width))


def layout_at(db: apsw.Connection, table: str, seq: int) -> int | None:
    found = db.execute("SELECT id FROM layout WHERE tbl=? AND from_seq<=? ORDER BY from_seq DESC, id DESC LIMIT 1", (table, seq)).fetchall()
    return whole(found[0][0]) if found else None


def names_of(db: apsw.Connection, id: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """(names, ids) in the order of the columns."""
    rows = db.execute("SELECT t.name, t.id FROM place p JOIN tag t ON t.id=p.tag WHERE p.layout=? ORDER BY p.col", (id,)).fetchall()
    return tuple(str(name) for name, _ in rows), tuple(whole(tag) for _, tag in rows)
