"""The local index: documents and their passages in one SQLite file, searched by FTS5, with nothing sent anywhere.

Replaced a document at a time, in one transaction: who searches meanwhile finds the old one or the new one.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import apsw

from holdfast.agent.knowledge.manuals.passage import Manual
from holdfast.agent.knowledge.manuals.words import indexed, terms
from holdfast.terms import Evidence, Word

NAME = "manuals.db"
FORM = 1
HITS_MAX = 50
QUOTE_CHARS_MAX = 300
CANDIDATES = 60  # passages that are looked at more closely, by how much of the question they hold
HEADING_SCORE = 0.5  # of a heading itself: it names much in few words, and answers nothing
HEADING_WEIGHT = 0.5  # of words above a passage against words in it: they say where it stands, not what it says
BUSY_TIMEOUT_MS = 5_000
TABLES = """
CREATE TABLE document (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, pages INTEGER NOT NULL,
  passages INTEGER NOT NULL, blank INTEGER NOT NULL, added_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE passage (
  id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES document (id) ON DELETE CASCADE, page INTEGER NOT NULL,
  paragraph INTEGER NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, is_table INTEGER NOT NULL,
  held TEXT NOT NULL
) STRICT;
CREATE INDEX passage_document ON passage (document);
CREATE VIRTUAL TABLE words USING fts5 (
  text, heading, content='', contentless_delete=1, tokenize="porter unicode61 remove_diacritics 2 tokenchars '.-/'"
);
"""
FOUND = f"""
SELECT p.id, d.name, p.page, p.paragraph, p.heading, p.text, p.is_table, p.held, best.rank FROM (
  SELECT rowid, rank FROM words WHERE words MATCH ? AND rank MATCH 'bm25(1.0, {HEADING_WEIGHT})' ORDER BY rank LIMIT {CANDIDATES}
) AS best JOIN passage AS p ON p.id = best.rowid JOIN document AS d ON d.id = p.document ORDER BY best.rank
"""  # noqa: S608 - constants
NAMED = """
SELECT p.id, d.name, p.page, p.paragraph, p.heading, p.text, p.is_table, p.held, 0.0
FROM passage AS p JOIN document AS d ON d.id = p.document WHERE p.id = ?
"""
# Whoever has read the vectors (vectors.py), which go with their passages, sees by this number that they are others.
CHANGED = "UPDATE embedded SET changed = changed + 1"


FoundBy = Literal["words", "vectors", "both"]


class BadIndex(Exception):
    """The index can't be used; the text says what to do."""


class Document(Word):
    name: str
    sha256: str
    bytes: int
    pages: int
    passages: int
    blank: int  # pages without text
    added_ns: int


class Hit(Word):
    """`quote` is words of the passage as they stand; `ref` names the place as evidence does: `NAME#pPAGE.PARAGRAPH`."""

    document: str
    page: int
    paragraph: int
    heading: str
    quote: str
    text: str
    table: bool
    score: float  # larger is better; only an order, no probability
    covers: float  # how much of the question's words the passage has, 0 to 1
    found_by: FoundBy = "words"

    @property
    def ref(self) -> str:
        return f"{self.document}#p{self.page}.{self.paragraph}"

    def evidence(self) -> Evidence:
        """As a diagnosis cites it; reports show page and paragraph."""
        return Evidence(kind="document", ref=self.ref, quote=self.quote)


class Index:
    """For one thread at a time. Raises BadIndex."""

    def __init__(self, file: Path) -> None:
        try:
            self._db = apsw.Connection(str(file))
            self._db.set_busy_timeout(BUSY_TIMEOUT_MS)
            form = self._db.pragma("user_version")
            if form == 0 and not self._db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
                with self._db:
                    self._db.execute(TABLES)
                    self._db.pragma("user_version", FORM)
            elif form != FORM:
                raise BadIndex(f"{file}: an index of form {form}, this release reads {FORM}; delete it and add the manuals again")
            self._db.pragma("foreign_keys", 1)
        except apsw.Error as error:
            raise BadIndex(f"{file}: can't be used ({error}); delete it and add the manuals again") from error

    def close(self) -> None:
        self._db.close()

    def add(self, name: str, sha256: str, size: int, manual: Manual, now_ns: int) -> Document:
        """In place of a document of the same name."""
        with self.told(), self._db:
            self._remove(name)
            row = (name, sha256, size, manual.pages, len(manual.passages), len(manual.blank), now_ns)
            sql = "INSERT INTO document (name, sha256, bytes, pages, passages, blank, added_ns) VALUES (?,?,?,?,?,?,?) RETURNING id"
            ((document,),) = self._db.execute(sql, row).fetchall()
            ((last,),) = self._db.execute("SELECT coalesce(max(id), 0) FROM passage").fetchall()
            passages = list(enumerate(manual.passages, start=int(str(last)) + 1))
            for id, p in passages:
                words, above = indexed(p.text), indexed(p.heading)
                row = (id, document, p.page, p.paragraph, p.heading, p.text, int(p.table), f" {words} ")
                self._db.execute("INSERT INTO passage VALUES (?,?,?,?,?,?,?,?)", row)
                self._db.execute("INSERT INTO words (rowid, text, heading) VALUES (?,?,?)", (id, words, above))
        return Document(
            name=name,
            sha256=sha256,
            bytes=size,
            pages=manual.pages,
            passages=len(manual.passages),
            blank=len(manual.blank),
            added_ns=now_ns,
        )

    def remove(self, name: str) -> bool:
        """False where there is none of that name."""
        with self.told():
            there = any(document.name == name for document in self.documents())
            with self._db:
                self._remove(name)
        return there

    @property
    def db(self) -> apsw.Connection:
        """For the vectors beside the passages."""
        return self._db

    @property
    def embedded(self) -> bool:
        """Whether vectors were ever made here."""
        return bool(self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'embedded'").fetchall())

    def _remove(self, name: str) -> None:
        found = self._db.execute("SELECT id FROM document WHERE name = ?", (name,)).fetchall()
        for (document,) in found:
            self._db.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM passage WHERE document = ?)", (document,))
            self._db.execute("DELETE FROM passage WHERE document = ?", (document,))
            self._db.execute("DELETE FROM document WHERE id = ?", (document,))
        if found and self.embedded:
            self._db.execute(CHANGED)

    def documents(self) -> tuple[Document, ...]:
        with self.told():
            rows: list[Any] = self._db.execute(
                "SELECT name, sha256, bytes, pages, passages, blank, added_ns FROM document ORDER BY name"
            ).fetchall()
        return tuple(Document(name=n, sha256=s, bytes=b, pages=p, passages=q, blank=e, added_ns=a) for n, s, b, p, q, e, a in rows)

    def search(self, question: str, limit: int = 5) -> tuple[Hit, ...]:
        """The passages that answer best, best first. () where nothing of the question is in any."""
        looked = _looked(question)
        best = [hit for _, hit in self.by_words(question)][: min(limit, HITS_MAX)]
        return tuple(_quoted(hit, looked) for hit in best)

    def by_words(self, question: str) -> list[tuple[int, Hit]]:
        """All candidates, best first, each with its passage's id and not quoted yet."""
        wanted = terms(question)
        if not wanted:
            return []
        with self.told():
            rows: list[Any] = self._db.execute(FOUND, (" OR ".join(wanted),)).fetchall()
        looked = _looked(question)
        return sorted((_hit(row, looked) for row in rows), key=lambda found: -found[1].score)

    def named(self, passage: int, question: str) -> Hit | None:
        """A passage by its id, as a hit for a question; None where it is gone."""
        with self.told():
            rows: list[Any] = self._db.execute(NAMED, (passage,)).fetchall()
        return _hit(rows[0], _looked(question))[1] if rows else None

    def quoted(self, hit: Hit, question: str) -> Hit:
        """With the words of the passage that say most of what was asked; its beginning where none does."""
        return _quoted(hit, _looked(question))

    @contextlib.contextmanager
    def told(self) -> Generator[None]:
        """Whatever SQLite says inside is said as BadIndex."""
        try:
            yield
        except apsw.Error as error:
            raise BadIndex(f"the index of manuals can't be used ({error}); is its disk full, or the file damaged?") from error


def _looked(question: str) -> set[str]:
    return {term.strip('"*') for term in terms(question)}


def _hit(row: Any, looked: set[str]) -> tuple[int, Hit]:
    """Of a row of FOUND or NAMED. Rare words weigh most (bm25), but a passage that holds all that was asked for comes before one that
    repeats a part."""
    id, name, page, paragraph, heading, text, table, here, rank = row
    covers = sum(_has(here, term) for term in looked) / len(looked) if looked else 0.0
    score = -rank * (0.3 + covers) * (HEADING_SCORE if text == heading else 1.0)
    return id, Hit(
        document=name, page=page, paragraph=paragraph, heading=heading, quote="", text=text, table=bool(table), score=score, covers=covers
    )  # fmt: skip


def _has(here: str, term: str) -> bool:
    """English words are compared by their beginning, since the index keeps them without their endings."""
    return f" {term} " in here or (term.isalpha() and len(term) > 4 and f" {term[: max(4, len(term) - 3)]}" in here)


def _quoted(hit: Hit, looked: set[str]) -> Hit:
    """With the sentence, or the row under its column names, that holds most of what was looked for."""
    pieces = hit.text.split("\n") if hit.table else _sentences(hit.text)
    weight = [sum(_has(f" {indexed(piece)} ", term) for term in looked) for piece in pieces]
    best = max(range(len(pieces)), key=lambda i: (weight[i], -i))
    quote = pieces[best]
    if hit.table and best > 0:
        quote = f"{pieces[0]}\n{quote}"
    elif not hit.table:
        after = best + 1
        while after < len(pieces) and len(quote) + len(pieces[after]) <= QUOTE_CHARS_MAX // 2:
            quote, after = quote + pieces[after], after + 1
    return dataclasses.replace(hit, quote=quote.strip() if hit.table else quote.strip()[:QUOTE_CHARS_MAX])


def _sentences(text: str) -> list[str]:
    """Cut behind what ends a sentence; put together again they are the text."""
    pieces, start = list[str](), 0
    for at, char in enumerate(text):
        ends = char in "。！？；" or (char in ".!?;" and (at + 1 == len(text) or text[at + 1] == " "))
        if ends:
            pieces.append(text[start : at + 1])
            start = at + 1
    return [*pieces, text[start:]] if text[start:].strip() or not pieces else pieces


def digest_of(file: Path) -> tuple[str, int]:
    """SHA-256 and bytes of a file. Raises OSError."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest(), file.stat().st_size
