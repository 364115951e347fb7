"""Search by words and by meaning together: each ranks on its own, and a passage stands where its places in both put it.

Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): a passage has 1/(60 + its place) of each ranking that it is in. Places and no
scores, since bm25 and an inner product have nothing in common. What words find is found without a model, and as fast.
"""

import dataclasses
import threading
from collections.abc import Callable

import apsw
import numpy as np
from numpy.typing import NDArray

from holdfast.agent.knowledge.manuals.index import HITS_MAX, Hit, Index
from holdfast.agent.knowledge.manuals.meaning import Embedder, NoMeaning, Ranked
from holdfast.agent.knowledge.manuals.vectors import Standing, Vectors
from holdfast.clock import Clock
from holdfast.terms import SECOND_NS, Word

FUSED = 60.0
CANDIDATES = 60  # of each ranking
BLOCK = 8_192  # rows that are float32 at once
WHOLE_BYTES_MAX = (
    512 << 20
)  # up to here rows are kept as float32: else blocks of them are made for each question, which takes several times as long
REST_S = 60.0  # for which a model that was too slow is not asked again: each question would wait for it


class _Held(Word):
    standing: Standing
    model: str
    passages: NDArray[np.int64]  # (n,) ids
    rows: NDArray[np.float32] | NDArray[np.float16]  # (n, dims)


class ByMeaning:
    """`embedder` gives what is in force now, or raises NoMeaning. Keeps the vectors between searches; several threads may search."""

    def __init__(self, embedder: Callable[[], Embedder], clock: Clock) -> None:
        self._embedder, self._clock = embedder, clock
        self._one = threading.Lock()
        self._held: _Held | None = None
        self._rests_until_ns: int | None = None
        self._why = NoMeaning("manuals.no_model")

    def serves(self) -> bool:
        """Whether a search will ask a model, and so may take long."""
        try:
            self._awake()
        except NoMeaning:
            return False
        return True

    def search(self, index: Index, question: str, limit: int = 5) -> Ranked:
        """By words alone where nothing can be found by meaning: `why` says so. Raises BadIndex."""
        try:
            with self._one, index.told():
                near, share = self._near(index.db, question)
        except NoMeaning as why:
            return Ranked(hits=index.search(question, limit), why=why.code, facts=tuple(why.facts.items()))
        hits = _fused(index, question, near, min(limit, HITS_MAX))
        return Ranked(hits=tuple(index.quoted(hit, question) for hit in hits), ranked_by="words+vectors", share=share)

    def _awake(self) -> Embedder:
        if self._rests_until_ns is not None and self._clock.monotonic_ns() < self._rests_until_ns:
            raise self._why
        return self._embedder()

    def _near(self, db: apsw.Connection, question: str) -> tuple[list[int], float]:
        """Ids of the passages that are most like the question, the likest first; and how many of all have a vector."""
        embedder = self._awake()
        held, total = self._hold(db, embedder)
        if not len(held.passages):
            raise NoMeaning("manuals.no_vectors")
        try:
            wanted = embedder.query(question)
        except NoMeaning as why:
            if why.code == "manuals.model_slow":
                self._why, self._rests_until_ns = why, self._clock.monotonic_ns() + round(REST_S * SECOND_NS)
            raise
        like = _products(held.rows, wanted)
        near = [int(held.passages[i]) for i in _largest(like) if like[i] >= embedder.similar_min]
        return near, len(held.passages) / max(total, 1)

    def _hold(self, db: apsw.Connection, embedder: Embedder) -> tuple["_Held", int]:
        """The vectors, read anew where they changed; and the number of passages of the same moment."""
        held, total = self._held, 0
        with db:
            standing = _standing(Vectors(db), embedder)
            if held is None or (held.standing, held.model) != (standing, embedder.digest):
                self._held = None  # the former ones make room first
                self._held = held = _read(Vectors(db), standing, embedder.digest)
            total = int(str(db.execute("SELECT coalesce(sum(passages), 0) FROM document").fetchall()[0][0]))
        assert held is not None  # noqa: S101  read above, else it raised
        return held, total


def _standing(vectors: Vectors, embedder: Embedder) -> Standing:
    found = vectors.standing(embedder.digest)
    if found is None:
        raise NoMeaning("manuals.other_model" if vectors.models() else "manuals.no_vectors")
    if found.dims != embedder.dims:
        raise NoMeaning("manuals.vectors_damaged")
    return found


def _read(vectors: Vectors, standing: Standing, model: str) -> _Held:
    matrix = vectors.matrix(standing)
    few = 4 * matrix.rows.size <= WHOLE_BYTES_MAX
    return _Held(
        standing=standing, model=model, passages=matrix.passages, rows=matrix.rows.astype(np.float32) if few else matrix.rows
    )  # fmt: skip


def _products(rows: NDArray[np.float32] | NDArray[np.float16], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,): the inner product of each row with the question's vector."""
    if rows.dtype == np.float32:
        return (rows @ wanted).astype(np.float32, copy=False)
    blocks = [rows[at : at + BLOCK].astype(np.float32) @ wanted for at in range(0, len(rows), BLOCK)]
    return np.concatenate(blocks)


def _largest(like: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places of the CANDIDATES largest, the largest first."""
    some = np.argpartition(-like, CANDIDATES)[:CANDIDATES] if len(like) > CANDIDATES else np.arange(len(like))
    return some[np.lexsort((some, -like[some]))].astype(np.int64)


def _fused(index: Index, question: str, near: list[int], limit: int) -> list[Hit]:
    words = index.by_words(question)[:CANDIDATES]
    by_words = dict(words)
    score = {passage: 1.0 / (FUSED + place) for place, (passage, _) in enumerate(words, start=1)}
    for place, passage in enumerate(near, start=1):
        score[passage] = score.get(passage, 0.0) + 1.0 / (FUSED + place)
    alike = set(near)
    found: list[Hit] = []
    # Of equals what words found comes first: it holds what was asked for.
    for passage in sorted(score, key=lambda one: (-score[one], one not in by_words)):
        if len(found) == limit:
            break
        hit = by_words.get(passage) or index.named(passage, question)
        if hit is not None:
            way = "vectors" if passage not in by_words else "both" if passage in alike else "words"
            found.append(dataclasses.replace(hit, score=score[passage], found_by=way))
    return found
