"""Reads each item of a set of register maps with both readers, and scores the answers field by field."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

from holdfast.agent.models.registers.read import by_rules, by_tagger, read
from holdfast.agent.models.registers.words import Abstention, Answer, Refusal, Request
from holdfast.agent.models.spans import ModelUnusable
from holdfast.evals.registers.naming import names
from holdfast.evals.suites import Figures, Options, SuiteError, hashed
from holdfast.terms import Word

_HERE = Path(str(resources.files("holdfast.evals.registers")))
OWN = tuple(_HERE / f"{name}.jsonl" for name in ("own_maps", "own_maps_more"))
BESIDE = tuple(_HERE / f"{name}.jsonl" for name in ("foreign_maps", "foreign_maps_held"))  # told under their own names, without --data
EXACT_MIN, VERBATIM_MIN, NAMED_MIN, P95_MS_MAX = 0.93, 0.85, 0.90, 25.0
BYTES_MAX = 50_000_000
_FIELDS = ("function_code", "address", "count", "data_type", "word_order", "byte_order", "scale", "offset", "unit")

Verdict = Literal["exact", "refused", "abstained", "missed_abstained", "missed_refused", "wrong_read", "wrong_write"]
Reader = Callable[[str, str], Answer]


class Item(Word, eq=False):
    id: str
    description: str
    question: str
    style: str
    expected: Mapping[str, Any]


class Scored(Word):
    verdict: Verdict
    named: bool = False  # a refusal names one of the things that are missing
    reason: bool = False  # and gives the reason's code
    refusal: bool  # of an item that must be refused
    style: str
    cpu_ms: float


def judged(options: Options, beside: Sequence[Path] = BESIDE) -> Figures:
    """Scores the set given, or the project's own ones with the totals of those `beside`."""
    paths = (options.data,) if options.data else OWN
    others = () if options.data else tuple(beside)
    items = tuple(item for path in paths for item in load(path))
    readers: tuple[tuple[str, Reader], ...] = (("both", read), ("rules", by_rules), ("tagger", by_tagger))
    by: dict[str, list[Scored]] = {}
    try:
        readers[0][1](items[0].description, items[0].question)  # opens the model, which is no part of an answer's time
        for which, (name, reader) in enumerate(readers):
            for number, item in enumerate(items):
                options.progress((which + number / len(items)) / len(readers), name)
                answer, scored = score(item, reader)
                by.setdefault(name, []).append(scored)
                if name == "both":
                    options.answer(item.id, plain(answer))
        again = [plain(read(item.description, item.question)) for item in items]
        same = again == [plain(read(item.description, item.question)) for item in items]
    except ModelUnusable as error:
        raise SuiteError(str(error)) from error
    figures = counted(by["both"])
    figures |= {f"{name}_alone": _brief(by[name]) for name in ("rules", "tagger")}
    figures["reruns_identical"] = same
    figures |= {path.stem: counted([score(item, read)[1] for item in load(path)]) for path in others}
    safe = all(figures[path.stem]["wrong_writes"] == 0 for path in others)
    return Figures(
        name="registers", seed=options.seed, data=hashed((*paths, *others)), figures=figures, pass_=same and safe and passed(figures)
    )


def passed(figures: Mapping[str, Any]) -> bool:
    """Whether a run is as good as it must be. Figures that an item set has no cases for don't count against it."""
    verbatim, named = figures["verbatim_exact"], figures["refusals_named"]
    return (
        figures["exact"] >= EXACT_MIN
        and (verbatim is None or verbatim >= VERBATIM_MIN)
        and figures["refusals_answered"] == 0
        and (named is None or named >= NAMED_MIN)
        and figures["wrong_writes"] == 0
        and figures["p95_cpu_ms"] <= P95_MS_MAX
    )


def score(item: Item, reader: Reader) -> tuple[Answer, Scored]:
    """One answer and what it is worth. The time is of the processor, for others share the machine."""
    began = time.process_time_ns()
    answer = reader(item.description, item.question)
    cpu_ms = (time.process_time_ns() - began) / 1e6
    refusal = bool(item.expected.get("refuse"))
    missing = {str(of) for of in item.expected.get("missing", ())}
    refused = isinstance(answer, Refusal)
    return answer, Scored(
        verdict=_verdict(answer, item.expected),
        named=refusal and isinstance(answer, Refusal) and names(answer.missing, missing),
        reason=refusal and refused and answer.reason == item.expected.get("reason_code"),
        refusal=refusal,
        style=item.style,
        cpu_ms=cpu_ms,
    )


def _verdict(answer: Answer, expected: Mapping[str, Any]) -> Verdict:
    if expected.get("refuse"):
        if isinstance(answer, Request):
            return "wrong_write" if answer.writes else "wrong_read"
        return "refused" if isinstance(answer, Refusal) else "abstained"
    if isinstance(answer, Request):
        if exact(answer, expected):
            return "exact"
        return "wrong_write" if answer.writes or "value_registers" in expected or "value_bits" in expected else "wrong_read"
    return "missed_refused" if isinstance(answer, Refusal) else "missed_abstained"


def exact(request: Request, expected: Mapping[str, Any]) -> bool:
    """Function code, address, count, type, word order, scale and what is written are the same."""
    written = [*request.registers, *request.bits]
    wanted = [*expected.get("value_registers", ()), *expected.get("value_bits", ())]
    same = all(getattr(request, name) == expected[name] for name in ("function_code", "address", "count", "data_type", "word_order"))
    scale = abs(request.scale - Decimal(str(expected["scale"]))) < Decimal("1e-9")
    return same and scale and written == wanted and request.bit == expected.get("bit")


def counted(scored: Sequence[Scored]) -> dict[str, Any]:
    """The figures of a run. A refusal or an abstention is right for an item that must be refused."""
    refusals = [s for s in scored if s.refusal]
    styles = {"verbatim": [s for s in scored if s.style == "verbatim"], "rendered": [s for s in scored if s.style.startswith("rendered")]}
    times = sorted(s.cpu_ms for s in scored)
    found: dict[str, Any] = {"items": len(scored), **_brief(scored)}
    found |= {f"{name}_exact": _share([_right(s) for s in part]) for name, part in styles.items()}
    found |= {
        "missed_abstained": sum(s.verdict == "missed_abstained" for s in scored),
        "missed_refused": sum(s.verdict == "missed_refused" for s in scored),
        "refusals": len(refusals),
        "refusals_answered": sum(s.verdict in ("wrong_read", "wrong_write") for s in refusals),
        "refusals_named": _share([s.named for s in refusals]),
        "refusals_reason": _share([s.reason for s in refusals]),
        "p50_cpu_ms": times[len(times) // 2],
        "p95_cpu_ms": times[min(len(times) - 1, int(0.95 * len(times)))],
    }
    return found


def _brief(scored: Sequence[Scored]) -> dict[str, Any]:
    wrong = {
        name: sum(s.verdict == verdict for s in scored)
        for name, verdict in (("wrong_writes", "wrong_write"), ("wrong_reads", "wrong_read"))
    }
    return {"exact": _share([_right(s) for s in scored]), **wrong}


def _right(scored: Scored) -> bool:
    return scored.verdict in ("exact", "refused", "abstained")


def _share(of: Sequence[bool]) -> float | None:
    return sum(of) / len(of) if of else None


def plain(answer: Answer) -> dict[str, Any]:
    """An answer with the keys of `expected`."""
    match answer:
        case Refusal():
            return {"refuse": True, "reason_code": answer.reason, "missing": list(answer.missing)}
        case Abstention():
            return {"abstain": True, "why": answer.why}
        case Request():
            found: dict[str, Any] = {name: getattr(answer, name) for name in _FIELDS if name not in ("scale", "offset", "unit")}
            found |= {"scale": float(answer.scale), "offset": float(answer.offset), "unit": answer.unit or None}
            found |= {"value_registers": list(answer.registers)} if answer.registers else {}
            found |= {"value_bits": list(answer.bits)} if answer.bits else {}
            return found | ({"bit": answer.bit} if answer.bit is not None else {})


def load(path: Path) -> tuple[Item, ...]:
    """The items of a file. Raises SuiteError with file, line and cure."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise SuiteError(f"{path}: larger than {BYTES_MAX} bytes; split it")
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise SuiteError(f"{path}: {error.strerror}; give a file of register maps with --data") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    items = tuple(_item(path, number, line) for number, line in enumerate(lines, start=1) if line.strip())
    if not items:
        raise SuiteError(f"{path}: no items; give one JSON object a line with id, description, question and expected")
    return items


def _item(path: Path, number: int, line: str) -> Item:
    try:
        raw = cast("dict[str, Any]", json.loads(line))
        expected = cast("dict[str, Any]", raw["expected"])
        if not expected.get("refuse"):
            missing = {"function_code", "address", "count", "data_type", "word_order", "scale"} - expected.keys()
            if missing:
                raise KeyError(", ".join(sorted(missing)))
        return Item(
            id=str(raw["id"]),
            description=str(raw["description"]),
            question=str(raw["question"]),
            style=str(raw.get("style", "")),
            expected=expected,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cure = "each line is an object with id, description, question and expected"
        raise SuiteError(f"{path}:{number}: {type(error).__name__}: {error}; {cure}") from error
