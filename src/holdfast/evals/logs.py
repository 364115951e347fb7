"""Scores the reading of maintenance records, field by field, on records with what is to be read from each.

`--data FILE.jsonl` has one item a line: `id`, `text`, `equipment`, `symptom`, `cause`, `action` ("" for none), `parts`, `standards`.
A field is right where it says the same, spaces and signs at its ends apart; `overlap` also counts what says a part of it (F1 over
characters of Chinese and words of letters). Without `--data`, the project's own records are scored, written before the reader.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from holdfast.agent.knowledge.logs.parse import parsed
from holdfast.agent.knowledge.logs.record import Entry
from holdfast.agent.knowledge.standards.find import find
from holdfast.evals.suites import Figures, Options, SuiteError, hashed

OWN = Path(__file__).resolve().parents[3] / "tests" / "logs" / "log_cases.jsonl"
TEXTS, LISTS = ("equipment", "symptom", "cause", "action"), ("parts", "standards")
F1_MIN = 0.8
BYTES_MAX = 50_000_000
UNITS = re.compile(r"[\u4e00-\u9fff]|[A-Za-z0-9.]+")


class _Score:
    def __init__(self) -> None:
        self.hits = self.found = self.wanted = 0
        self.overlap = 0.0

    def add(self, found: Sequence[str], wanted: Sequence[str]) -> None:
        self.found, self.wanted = self.found + len(found), self.wanted + len(wanted)
        self.hits += sum((Counter(map(_plain, found)) & Counter(map(_plain, wanted))).values())
        self.overlap += sum(max((_overlap(want, got) for got in found), default=0.0) for want in wanted)

    def told(self) -> dict[str, Any]:
        precision = self.hits / self.found if self.found else 1.0
        recall = self.hits / self.wanted if self.wanted else 1.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        overlap = self.overlap / self.wanted if self.wanted else 1.0
        return {"f1": f1, "precision": precision, "recall": recall, "overlap": overlap, "wanted": self.wanted}


def run(options: Options) -> Figures:
    path = options.data or OWN
    items = _read(path)
    scores = {name: _Score() for name in (*TEXTS, *LISTS)}
    for number, item in enumerate(items):
        options.progress(number / len(items), "records")
        entry = parsed(str(item["text"]))
        options.answer(str(item["id"]), {name: getattr(entry, name) for name in scores})
        for name, score in scores.items():
            score.add(_of(entry, name), _wanted(item, name))
    fields = {name: score.told() for name, score in scores.items()}
    macro = sum(field["f1"] for field in fields.values()) / len(fields)
    figures = {"records": len(items), "f1": macro, "overlap": sum(f["overlap"] for f in fields.values()) / len(fields), "fields": fields}
    return Figures(name="logs", seed=options.seed, data=hashed([path]), figures=figures, pass_=macro >= F1_MIN)


def _of(entry: Entry, name: str) -> tuple[str, ...]:
    value: str | tuple[str, ...] = getattr(entry, name)
    return value if isinstance(value, tuple) else (value,) if value else ()


def _wanted(item: dict[str, Any], name: str) -> tuple[str, ...]:
    if name == "standards":
        return tuple(reference.canonical for text in cast("list[str]", item[name]) for reference in find(text))
    return tuple(item[name]) if name in LISTS else (str(item[name]),) if item[name] else ()


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text).strip(".,;:，。；：").lower()


def _overlap(wanted: str, found: str) -> float:
    ours, theirs = Counter(_units(found)), Counter(_units(wanted))
    both = sum((ours & theirs).values())
    return 2 * both / (ours.total() + theirs.total()) if both else 0.0


def _units(text: str) -> Iterable[str]:
    return UNITS.findall(text.lower())


def _read(path: Path) -> list[dict[str, Any]]:
    """Raises SuiteError with file, line and cure."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise SuiteError(f"{path}: larger than {BYTES_MAX} bytes; split it")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SuiteError(f"{path}: {error.strerror}; give a file of records with --data") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    items: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = cast("dict[str, Any]", json.loads(line))
            _ = [item[name] for name in ("id", "text", *TEXTS, *LISTS)]
        except (ValueError, KeyError, TypeError) as error:
            cure = "each line is an object with id, text, equipment, symptom, cause, action, parts and standards"
            raise SuiteError(f"{path}:{number}: {type(error).__name__}: {error}; {cure}") from error
        items.append(item)
    if not items:
        raise SuiteError(f"{path}: no records; give one JSON object a line")
    return items
