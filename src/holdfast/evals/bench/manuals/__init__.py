"""How fast a manual is read and searched, and how often the right page comes first: on a seeded generated one, of 120 pages.

SQLite's own trigrams are asked the same questions side by side, since they are the ready-made way to search Chinese. And what vectors cost
and find beside words, with an encoder made by hand (by_meaning.py): figures, no condition.
"""

import itertools
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from holdfast.agent.knowledge.manuals.index import Index, digest_of
from holdfast.agent.knowledge.manuals.passage import Manual, Unreadable
from holdfast.agent.knowledge.manuals.read import read
from holdfast.evals.bench.manuals.by_meaning import measured
from holdfast.evals.bench.manuals.generated import Fact, manual
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options, SuiteError

PAGES, QUESTIONS = 120, 200
ADD_S_MAX = 20.0
QUERY_MS_MAX = 20.0  # of the middle one by the clock, and of all but one in a hundred by the processor: others use this machine too
FIRST_MIN = 0.9  # of the questions, the right page first
LIMIT = 3
TRIGRAM_RUN = re.compile(r"[\u3400-\u9fff]{3,}|[A-Za-z0-9]{3,}")


def run(options: Options) -> Figures:
    made = manual(options.seed, PAGES)
    facts = made.facts[:: max(1, len(made.facts) // (options.n or QUESTIONS))]
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        file = Path(folder) / "manual.pdf"
        file.write_bytes(made.pdf)
        began = time.perf_counter()
        try:
            found = read(file, lambda share: options.progress(0.7 * share, "pages"))
        except Unreadable as error:
            raise SuiteError(str(error)) from error
        read_s = time.perf_counter() - began
        index = Index(Path(folder) / "manuals.db")
        index.add(file.name, *digest_of(file), found, 0)
        add_s = time.perf_counter() - began
        options.progress(0.8, "questions")
        ours = _asked(facts, lambda question: [(hit.page, hit.quote) for hit in index.search(question, LIMIT)])
        index.close()
        trigrams = Trigrams(found)
        theirs = _asked(facts, trigrams.search)
    by_meaning = measured(options.seed, options.n or QUESTIONS, lambda share: options.progress(0.85 + 0.15 * share, "vectors"))
    figures: dict[str, Any] = {
        "pages": found.pages,
        "passages": len(found.passages),
        "tables": sum(p.table for p in found.passages),
        "tables_written": PAGES,
        "bytes": len(made.pdf),
        "read_s": read_s,
        "add_s": add_s,
        "questions": len(facts),
        **ours,
        "trigram": theirs,
        "by_meaning": by_meaning,
    }
    passed = (
        add_s < ADD_S_MAX
        and max(figures["query_ms"]["p50"], figures["query_cpu_ms"]["p99"]) < QUERY_MS_MAX
        and figures["page_first"] >= FIRST_MIN
    )
    return Figures(name="manuals", seed=options.seed, figures=figures, pass_=passed)


def _asked(facts: Sequence[Fact], search: Callable[[str], list[tuple[int, str]]]) -> dict[str, Any]:
    times_ns, cpu_ns = list[int](), list[int]()
    first = among = quoted = 0
    for fact in facts:
        began, worked = time.perf_counter_ns(), time.thread_time_ns()
        hits = search(fact.question)
        cpu_ns.append(time.thread_time_ns() - worked)
        times_ns.append(time.perf_counter_ns() - began)
        first += bool(hits) and hits[0][0] == fact.page
        among += any(page == fact.page for page, _ in hits)
        quoted += bool(hits) and fact.answer in hits[0][1]
    n = len(facts)
    return {
        "page_first": first / n,
        f"page_among_{LIMIT}": among / n,
        "answer_in_quote": quoted / n,
        "query_ms": spread(times_ns),
        "query_cpu_ms": spread(cpu_ns),
    }


class Trigrams:
    """The same passages in an FTS5 table with the tokenizer `trigram`."""

    def __init__(self, manual: Manual) -> None:
        self._db = apsw.Connection(":memory:")
        self._db.execute("CREATE VIRTUAL TABLE words USING fts5 (text, page UNINDEXED, tokenize='trigram')")
        self._db.executemany("INSERT INTO words VALUES (?, ?)", [(p.text, p.page) for p in manual.passages])

    def search(self, question: str) -> list[tuple[int, str]]:
        runs = TRIGRAM_RUN.findall(question)
        parts = itertools.chain.from_iterable([run] if run.isascii() else [run[i : i + 3] for i in range(len(run) - 2)] for run in runs)
        wanted = " OR ".join(f'"{part}"' for part in dict.fromkeys(parts))
        rows = self._db.execute("SELECT page, text FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (wanted, LIMIT))
        return [(int(page), str(text)) for page, text in rows]
