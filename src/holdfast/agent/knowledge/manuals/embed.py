"""Make the vectors that are missing, a batch at a time: each is kept when it is made, so an end at any moment loses one batch."""

from collections.abc import Callable

from holdfast.agent.knowledge.manuals.index import Index
from holdfast.agent.knowledge.manuals.meaning import Embedder
from holdfast.agent.knowledge.manuals.vectors import Vectors
from holdfast.terms import Word

BATCH = 64  # passages of one transaction


class Embedded(Word):
    """`done` now; `there` had a vector before."""

    done: int
    there: int


def embed(
    index: Index, embedder: Embedder, now_ns: int, progress: Callable[[float], None] = lambda _: None, *, again: bool = False
) -> Embedded:
    """Every passage without a vector of this model; `again`: every passage. Raises NoMeaning and BadIndex; what was kept stays."""
    with index.told():
        vectors = Vectors(index.db)
        standing = vectors.begin(embedder.digest, embedder.dims, now_ns, again=again)
        missing = vectors.missing(standing)
        there = sum(document.passages for document in index.documents()) - missing
        done, after = 0, 0
        # By id, each once: what is added meanwhile is embedded too, and what is gone meanwhile is passed over.
        while batch := vectors.pending(standing, after, BATCH):
            rows = embedder.passages([one.text for one in batch])
            done += vectors.keep(standing, [one.passage for one in batch], rows)
            after = batch[-1].passage
            progress(min(1.0, done / max(missing, 1)))
    return Embedded(done=done, there=there)
