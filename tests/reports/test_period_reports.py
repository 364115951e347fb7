"""Reports over a time: what a shift hands over, and whether clauses were kept; the same facts in both languages."""

import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from reported_mill import reported
from typer.testing import CliRunner

from holdfast.cli import reports
from holdfast.console.reports import markdown
from holdfast.console.reports.compliance import compliance_report
from holdfast.console.reports.period import Clauses, Period, clauses, period
from holdfast.console.reports.shift import shift_report

MADE_NS = 1_767_580_000_000_000_000
FACT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|stand-4/[a-z.]+|\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def gathered() -> tuple[Period, Clauses]:
    async def gather() -> tuple[Period, Clauses]:
        async with reported() as world:
            world.gate.acts.press_stop("stand-4", "li.wei")
            return await period(world.ask, 3600), await clauses(world.ask, 86_400)

    return asyncio.run(gather())


def both(made: Any, found: Any) -> tuple[str, str]:
    english, chinese = (markdown.text(made(found, language, MADE_NS)).replace("\\", "") for language in ("en", "zh"))
    return english, chinese


def test_both_languages_of_each_report_name_the_same_facts(gathered: tuple[Period, Clauses]) -> None:
    for made, found in ((shift_report, gathered[0]), (compliance_report, gathered[1])):
        english, chinese = (Counter(FACT.findall(text)) for text in both(made, found))
        assert english - chinese == Counter()
        assert chinese - english == Counter()
        assert english.total() > 10


def test_what_stands_open_comes_first(gathered: tuple[Period, Clauses]) -> None:
    text, chinese = both(shift_report, gathered[0])
    handed = text.split("## Open at handover")[1].split("## ")[0]
    assert "| Stopped | stand-4 |" in handed
    assert "交班时未了事项" in chinese
    assert text.index("Open at handover") < text.index("## Summary")


def test_a_shift_counts_what_happened(gathered: tuple[Period, Clauses]) -> None:
    text, _ = both(shift_report, gathered[0])
    assert "Incidents: 1. Alarms that rang: 0. Answers of people to proposals: 2." in text
    assert "Proposed: 3. The guard permitted 0, asked a person about 2 and refused 1." in text
    assert "li.wei (operator) refused; li.wei: the coil ends in 2 min" in text
    assert "mill is connected" in text


def test_a_clause_is_told_with_what_it_asks_and_how_far_it_is_kept(gathered: tuple[Period, Clauses]) -> None:
    text, chinese = both(compliance_report, gathered[1])
    assert gathered[1].found["clauses"], "the demo's site file binds limits to clauses"
    assert "stand-4/vibration ≤ 4.5 mm/s" in text
    assert "| Now | kept |" in text
    assert "inside the limit" in text
    asks = dict(gathered[1].found["clauses"][0]["asks"])
    assert asks["en"] in text
    assert asks["zh"] in chinese


async def test_a_period_that_can_not_be_is_refused() -> None:
    async def nothing(path: str, query: object) -> Any:
        raise AssertionError

    with pytest.raises(ValueError, match="31 days"):
        await period(nothing, 32 * 86_400)


async def test_the_commands_print_and_write_reports(tmp_path: Path) -> None:
    def run(home: Path, *arguments: str) -> tuple[int, str]:
        app = typer.Typer()
        reports.register(app)
        answer = CliRunner().invoke(app, ["reports", *arguments, "--home", str(home)])
        return answer.exit_code, answer.output

    async with reported() as world:
        code, told = await asyncio.to_thread(run, world.home, "shift", "--hours", "1", "--lang", "zh")
        assert code == 0
        assert "# 交接班报告" in told
        out = tmp_path / "c.html"
        code, told = await asyncio.to_thread(run, world.home, "compliance", "--format", "html", "--out", str(out), "--json")
        assert code == 0
        assert json.loads(told)["file"] == str(out)
        assert "<svg" in out.read_text(encoding="utf-8")
        assert (await asyncio.to_thread(run, world.home, "shift", "--until", "yesterday"))[0] == 2
        assert (await asyncio.to_thread(run, world.home, "shift", "--format", "doc"))[0] == 2
