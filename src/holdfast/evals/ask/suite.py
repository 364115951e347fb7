"""Asks each question of the demo plant in its state, and judges the answer by what its author expected and by the kept rows."""

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.agent.ask.answer import Answer
from holdfast.agent.ask.asker import Asker
from holdfast.agent.tools.listed import tools
from holdfast.evals.ask.day import Day, mill_day
from holdfast.evals.suites import Figures, Options, SuiteError, hashed
from holdfast.run.headless import AGENT
from holdfast.run.papers import lay_out
from holdfast.site.tables import tables
from holdfast.terms import SECOND_NS

OWN = Path(str(resources.files("holdfast.evals.ask") / "questions.jsonl"))
OPEN = (
    "questions.jsonl", "questions_later.jsonl", "questions_third.jsonl", "questions_near.jsonl", "questions_fourth.jsonl",
    "questions_fifth.jsonl",
)  # fmt: skip
SETS = (*OPEN, "questions_held.jsonl")  # held back until the others had been mended by; read once, then opened
RIGHT_MIN, DECLINED_MIN = 0.90, 0.95
SECONDS = 2400
NEAR = 0.006  # a number is right within this share of it: answers show four digits, one second may lie between


def judged(options: Options) -> Figures:
    """The first set decides; the others, each by which the words were widened after one reading, are told beside it."""
    paths = [options.data] if options.data else [OWN.with_name(name) for name in SETS]
    cases = [read_cases(path)[: options.n] for path in paths]
    scored = asyncio.run(_asked(cases, options))
    figures = {**scored[0], **dict(zip(("later", "third", "near", "fourth", "fifth", "held"), scored[1:], strict=False))}
    right, declined = scored[0]["right"], scored[0]["declined"]  # None where there was nothing of the kind to ask
    ok = (right is None or right >= RIGHT_MIN) and (declined is None or declined >= DECLINED_MIN)
    return Figures(name="ask", seed=1, data=hashed(paths), figures=figures, pass_=ok)


def read_cases(path: Path) -> Sequence[Mapping[str, Any]]:
    """Raises SuiteError."""
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise SuiteError(f"{path}: {error}; give a file of one JSON object a line with --data") from error


async def _asked(sets: Sequence[Sequence[Mapping[str, Any]]], options: Options) -> list[Mapping[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        async with mill_day(Path(folder), seconds=SECONDS, autonomy="act") as day:
            lay_out(day.home, day.clock.now_ns())
            asker = Asker(tools(day.link, day.site, day.home, clock=day.clock, author=AGENT), day.site, clock=day.clock)
            return [await _scored(cases, asker, day, options) for cases in sets]


async def _scored(cases: Sequence[Mapping[str, Any]], asker: Asker, day: Day, options: Options) -> Mapping[str, Any]:
    right: dict[str, list[bool]] = {}
    said_no: list[bool] = []
    texts = {case["id"]: case["text"] for case in cases}
    for done, case in enumerate(cases):
        talk = f"{case['id']}-talk"
        if case.get("after"):
            await asker.answer(texts[case["after"]], talk=talk)
        answer = await asker.answer(case["text"], talk=talk)
        ok = answer.declined if case.get("decline") else await fits(answer, case, day)
        if case.get("decline"):
            said_no.append(ok)
        else:
            for group in ("all", case["language"], *(("follow-up",) if case.get("after") else ())):
                right.setdefault(group, []).append(ok)
        options.answer(
            case["id"], {"ok": ok, "text": answer.text, "declined": answer.declined, "code": answer.code, "cites": cites(answer)}
        )
        options.progress((done + 1) / len(cases), "")
    return {
        "questions": len(cases),
        "answerable": len(right.get("all", ())),
        "unanswerable": len(said_no),
        "right": _share(right.get("all", [])),
        "declined": _share(said_no),
        "by": {group: _share(found) for group, found in sorted(right.items()) if group != "all"},
    }


async def fits(answer: Answer, case: Mapping[str, Any], day: Day) -> bool:
    """All that must be said is said, every number is the plant's own, and a right place is cited for each part."""
    if answer.declined:
        return False
    text = answer.text.lower().replace("—", "-")  # a standard's year stands behind either dash
    says = all(any(one.lower() in text for one in wanted.split("|")) for wanted in case.get("says", ()))
    wanted_values: Any = case.get("value", [])
    values = [wanted_values] if isinstance(wanted_values, Mapping) else wanted_values
    numbers = [await _has_number(answer, one, day) for one in values]
    places = [*([case["cites"]] if "cites" in case else []), *case.get("cites_all", ())]
    return says and all(numbers) and all(any(_is_cited(wanted, answer) for wanted in of) for of in places)


def cites(answer: Answer) -> list[str]:
    return [f"{one.kind}:{one.ref}" for one in answer.citations]


def _is_cited(wanted: str, answer: Answer) -> bool:
    kind, _, ref = wanted.partition(":")
    of = [one.ref for one in answer.citations if one.kind == kind]
    return any(one.endswith(ref) if kind == "document" else one.startswith(ref) for one in of)


async def _has_number(answer: Answer, wanted: Mapping[str, Any], day: Day) -> bool:
    """Worked out here from the kept rows, not by the tools."""
    table, column = next(
        (t, [tag.name for tag in t.tags].index(wanted["tag"])) for t in tables(day.site) if any(tag.name == wanted["tag"] for tag in t.tags)
    )
    now_ns = day.clock.now_ns()
    minutes = float(wanted.get("minutes", 1.0))
    frame = await day.link.history(table.id, now_ns - round(minutes * 60 * SECOND_NS), now_ns + SECOND_NS, rows_max=100_000)
    values = frame.values[frame.status[:, column] == 0, column]
    true = {"now": lambda: values[-1], "max": values.max, "min": values.min, "mean": values.mean}[wanted["what"]]()
    told = [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", answer.text)]
    return any(abs(one - float(true)) <= max(NEAR * abs(float(true)), 1e-6) for one in told) and bool(np.isfinite(true))


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None
