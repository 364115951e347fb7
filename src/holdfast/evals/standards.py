"""Scores the finder of standard references on annotated lines: a find counts where it overlaps and has the exact canonical form.

`--data FILE.jsonl` has one item a line: `id`, `text`, `refs` with `start`, `end` (characters, end exclusive) and `canonical`.
Without it, the project's own lines are scored, which were written before the finder.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from holdfast.agent.knowledge.standards.find import find
from holdfast.agent.knowledge.standards.reference import Reference
from holdfast.evals.suites import Figures, Options, SuiteError, hashed
from holdfast.terms import Word

OWN = Path(__file__).resolve().parents[3] / "tests" / "knowledge" / "standard_lines.jsonl"
F1_MIN, MB_PER_S_MIN = 0.97, 5.0
BYTES_MAX = 50_000_000  # of one file of lines
DENSE_PER_KB = 10.0  # references a kilobyte above which lines are a list of standards and no text: their speed is told, not judged
TIMED_BYTES, ROUNDS = 1_000_000, 5  # `n` is the rounds; the best one counts, for others share the machine


class Wanted(Word):
    start: int
    end: int
    canonical: str


class Item(Word):
    id: str
    text: str
    refs: tuple[Wanted, ...]


def run(options: Options) -> Figures:
    path = options.data or OWN
    items = read(path)
    hits = found = wanted = clean = 0
    for number, item in enumerate(items):
        options.progress(number / len(items), "lines")
        got = find(item.text)
        options.answer(item.id, {"refs": [{"start": r.start, "end": r.end, "canonical": r.canonical} for r in got]})
        hits += matched(got, item.refs)
        found, wanted = found + len(got), wanted + len(item.refs)
        clean += not item.refs and not got
    negatives = sum(not item.refs for item in items)
    precision, recall = hits / found if found else 1.0, hits / wanted if wanted else 1.0
    f1 = 2 * precision * recall / (precision + recall) if hits else float(not wanted and not found)
    text = "\n".join(item.text for item in items)
    speed, dense = mb_per_s(text, options.n or ROUNDS), wanted / (len(text.encode()) / 1000)
    figures: dict[str, Any] = {
        "lines": len(items),
        "references": wanted,
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "negatives": negatives,
        "negatives_clean": clean,
        "references_per_kb": dense,
        "mb_per_s": speed,
    }
    passed = f1 >= F1_MIN and clean == negatives and (speed >= MB_PER_S_MIN or dense > DENSE_PER_KB)
    return Figures(name="standards", seed=options.seed, data=hashed([path]), figures=figures, pass_=passed)


def matched(got: Sequence[Reference], wanted: Sequence[Wanted]) -> int:
    """How many wanted references were found; each find counts once."""
    free = list(got)
    hits = 0
    for want in wanted:
        hit = next((r for r in free if r.start < want.end and r.end > want.start and r.canonical == want.canonical), None)
        if hit is not None:
            free.remove(hit)
            hits += 1
    return hits


def mb_per_s(text: str, rounds: int) -> float:
    """Megabytes of UTF-8 that one core searches a second: the lines as one text, repeated to TIMED_BYTES."""
    times = max(1, TIMED_BYTES // len(text.encode()))
    long = "\n".join([text] * times)
    best_s = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        find(long)
        best_s = min(best_s, time.process_time() - began)
    return len(long.encode()) / 1e6 / best_s


def read(path: Path) -> tuple[Item, ...]:
    """The items of a file. Raises SuiteError with file, line and cure."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise SuiteError(f"{path}: larger than {BYTES_MAX} bytes; split it")
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise SuiteError(f"{path}: {error.strerror}; give a file of annotated lines with --data") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    items = tuple(_item(path, number, line) for number, line in enumerate(lines, start=1) if line.strip())
    if not any(item.text for item in items):
        raise SuiteError(f"{path}: no lines; give one JSON object a line with id, text and refs")
    return items


def _item(path: Path, number: int, line: str) -> Item:
    try:
        raw = cast("dict[str, Any]", json.loads(line))
        refs = tuple(Wanted(start=int(r["start"]), end=int(r["end"]), canonical=str(r["canonical"])) for r in raw["refs"])
        return Item(id=str(raw["id"]), text=str(raw["text"]), refs=refs)
    except (ValueError, KeyError, TypeError) as error:
        cure = "each line is an object with id, text and refs of start, end and canonical"
        raise SuiteError(f"{path}:{number}: {type(error).__name__}: {error}; {cure}") from error
