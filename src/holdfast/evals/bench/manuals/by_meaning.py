"""What finding by meaning costs beside words: an index of thousands of passages, an encoder made by hand, the same questions both ways.

The encoder looks up rows of a table: its time is nobody's model's. What is measured is all around it: splitting, storing, the products of
all vectors, and putting two rankings together. A model's own time comes on top: that of a small transformer with weights by chance is
measured by itself, on one thread.
"""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from holdfast.agent.knowledge.manuals.embed import embed
from holdfast.agent.knowledge.manuals.fused import ByMeaning
from holdfast.agent.knowledge.manuals.index import Hit, Index
from holdfast.agent.knowledge.manuals.meaning import NoMeaning
from holdfast.agent.knowledge.manuals.passage import Manual, Passage
from holdfast.agent.models.embeddings.described import Described, described
from holdfast.agent.models.embeddings.encoder import Encoder
from holdfast.agent.models.embeddings.tokens import Tokens
from holdfast.clock import RealClock
from holdfast.evals.bench.manuals.encoder import write_encoder
from holdfast.evals.bench.manuals.generated import MACHINES, PARTS, QUANTITIES
from holdfast.evals.bench.manuals.transformer import write_transformer
from holdfast.evals.bench.quantiles import spread

PASSAGES, QUESTIONS = 10_000, 200
DIMS = 384
VOCABULARY = 256  # of the transformer: looking words up takes no time
EMBEDDED, PASSAGE_TOKENS, ASKED, QUESTION_TOKENS = 64, 100, 100, 12
NAMED = 3  # things that a passage is about
LIMIT = 3
CONCEPTS = (*MACHINES, *PARTS, *((zh, en) for zh, en, _ in QUANTITIES))
ABOUT_EMBEDDER = "made by hand, directions known by construction; no figure of any model"


def measured(seed: int, questions: int, progress: Callable[[float], None]) -> dict[str, Any]:
    """Figures, or `why` there are none where what splits text (extra `agent`) is not installed."""
    rng = random.Random(seed)
    about = [tuple(sorted(rng.sample(range(len(CONCEPTS)), NAMED))) for _ in range(PASSAGES)]
    with tempfile.TemporaryDirectory(prefix="holdfast-") as name:
        folder = Path(name)
        weights, split, told = write_encoder(folder, CONCEPTS, DIMS, seed, similar_min=0.9)
        how = described(told.read_bytes())
        try:
            encoder = Encoder(weights, Tokens(split.read_bytes(), how.max_tokens), how, "00" * 32)
        except NoMeaning as why:
            return {"why": why.code}
        index = Index(folder / "manuals.db")
        index.add("made.txt", "00", 1, Manual(pages=1, passages=tuple(_passage(n, of) for n, of in enumerate(about))), 0)
        began = time.perf_counter()
        done = embed(index, encoder, 0, progress).done
        embed_s = time.perf_counter() - began
        search = ByMeaning(lambda: encoder, RealClock())
        asked = [(place, about[place]) for place in range(0, PASSAGES, max(1, PASSAGES // questions))]
        search.search(index, "warm", LIMIT)  # reads the vectors, once
        words = _asked(asked, about, lambda question: index.search(question, LIMIT))
        both = _asked(asked, about, lambda question: search.search(index, question, LIMIT).hits)
        index.close()
        transformer = _transformer(folder, split, seed)
    return {
        "encoder": ABOUT_EMBEDDER,
        "passages": done,
        "dims": DIMS,
        "embed_s": embed_s,
        "passages_per_s": done / embed_s,
        "questions": len(asked),
        "words": words,
        "words_and_vectors": both,
        "transformer": transformer,
    }


def _transformer(folder: Path, split: Path, seed: int) -> dict[str, Any]:
    """Time alone, of a size that is shipped for sentences; its vectors mean nothing."""
    parameters = write_transformer(folder / "transformer.onnx", VOCABULARY, seed)
    tokens = Tokens(split.read_bytes(), 512)
    encoder = Encoder(folder / "transformer.onnx", tokens, Described(pooling="mean"), "11" * 32)
    names = [name for concept in CONCEPTS for name in concept]
    rng = random.Random(seed)
    texts = ["".join(rng.choices(names, k=PASSAGE_TOKENS)) for _ in range(EMBEDDED)]
    encoder.passages(texts[:1])
    began = time.perf_counter()
    encoder.passages(texts)
    embed_s = time.perf_counter() - began
    times_ns = list[int]()
    for text in ["".join(rng.choices(names, k=QUESTION_TOKENS)) for _ in range(ASKED)]:
        began_ns = time.perf_counter_ns()
        encoder.query(text)
        times_ns.append(time.perf_counter_ns() - began_ns)
    return {
        "parameters": parameters,
        "passage_tokens": PASSAGE_TOKENS,
        "passages_per_s": EMBEDDED / embed_s,
        "question_tokens": QUESTION_TOKENS,
        "query_ms": spread(times_ns),
    }


def _passage(number: int, about: Sequence[int]) -> Passage:
    """Even ones are Chinese, odd ones English."""
    names = [CONCEPTS[one][number % 2] for one in about]
    text = f"{'、'.join(names)}：每班检查一次。" if number % 2 == 0 else f"Once a shift look at {', '.join(names)}."
    return Passage(page=1, paragraph=number + 1, text=text)


def _asked(
    asked: Sequence[tuple[int, Sequence[int]]], about: Sequence[Sequence[int]], search: Callable[[str], Sequence[Hit]]
) -> dict[str, Any]:
    """Asked in the other language than the passage's. Found: among the first, one in that passage's language about the same things."""
    times_ns, cpu_ns, found = list[int](), list[int](), 0
    for place, wanted in asked:
        question = " ".join(CONCEPTS[one][(place + 1) % 2] for one in wanted)
        began, worked = time.perf_counter_ns(), time.thread_time_ns()
        hits = search(question)
        cpu_ns.append(time.thread_time_ns() - worked)
        times_ns.append(time.perf_counter_ns() - began)
        found += any(about[hit.paragraph - 1] == wanted and (hit.paragraph - 1) % 2 == place % 2 for hit in hits)
    return {"other_language_found": found / len(asked), "query_ms": spread(times_ns), "query_cpu_ms": spread(cpu_ns)}
