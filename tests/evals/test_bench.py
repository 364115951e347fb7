"""The benches run small, say what they measured, and fall short where they must."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from holdfast.cli import evals
from holdfast.evals.bench import guard, ledger, loop
from holdfast.evals.bench.quantiles import spread

MS = 1_000_000


def ran(*arguments: str) -> tuple[int, dict[str, Any]]:
    app = typer.Typer()
    evals.register(app)
    result = CliRunner().invoke(app, ["bench", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


def test_quantiles_are_values_that_were_measured() -> None:
    # nearest rank of 1…1000: the 500th, the 990th, the 999th, the last
    assert spread([MS * n for n in range(1, 1001)]) == {"p50": 500.0, "p99": 990.0, "p99.9": 999.0, "max": 1000.0}
    assert spread([3 * MS, 1 * MS]) == {"p50": 1.0, "p99": 3.0, "p99.9": 3.0, "max": 3.0}
    assert spread([1_500], unit_ns=1e3) == {"p50": 1.5, "p99": 1.5, "p99.9": 1.5, "max": 1.5}


def test_nothing_measured_is_told_as_none() -> None:
    assert spread([]) == {"p50": None, "p99": None, "p99.9": None, "max": None}


def test_a_small_loop_bench_runs_over_real_processes_and_every_write_is_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    # How quick it is, is not this test's business: the machine that runs the tests has other things to do.
    monkeypatch.setattr(loop, "WARM_UP", 5)
    _, told = ran("loop", "--n", "20")
    figures = told["figures"]
    assert figures["loops"] + figures["missed"] >= 20
    assert figures["writes_received"] == figures["writes_verified"] > 0
    assert figures["ledger_verified"]
    if figures["loops"]:
        parts = sum(part["p50"] for part in figures["parts_ms"].values())
        assert 0 < parts <= figures["total_ms"]["max"]


def whole(name: str = "loop-7", total_ms: int = 11) -> dict[str, int]:
    """A loop's stamps, a millisecond a part."""
    names = ["arrived", *(stamp for stamp, _ in loop.PARTS)]
    return {stamp: MS * min(at, total_ms) for at, stamp in enumerate(names)} | {"answered": 5 * MS}


def loops(stamps: dict[str, dict[str, int]], written: int, *, verified: bool = True) -> loop.Ran:
    verdicts = dict.fromkeys(stamps, "permit")
    return loop.Ran(stamps=stamps, verdicts=verdicts, written=written, verified=verified, records=1, load=0.5, cpu_ns=6 * MS)


@pytest.fixture(autouse=True)
def _no_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "WARM_UP", 0)


def test_a_loop_s_time_is_the_sum_of_its_parts() -> None:
    figures = loop.judged(loops({"loop-7": whole(), "loop-8": whole()}, 2))
    assert figures["total_ms"]["p50"] == 11.0
    assert [part["p50"] for part in figures["parts_ms"].values()] == [1.0] * 11
    assert (figures["loops"], figures["missed"]) == (2, 0)
    assert figures["gate_cpu_ms_a_loop"] == 3.0
    assert loop.good(figures, 2)


def test_a_sample_that_was_skipped_or_a_loop_without_an_end_is_missed() -> None:
    without = whole()
    del without["outcome durable"]
    figures = loop.judged(loops({"loop-7": whole(), "loop-9": whole(), "loop-10": without}, 2))
    assert (figures["loops"], figures["missed"]) == (2, 2)
    assert not loop.good(figures, 2)


@pytest.mark.parametrize(
    "of",
    [
        loops({"loop-7": {**whole(), "outcome durable": 13 * MS}}, 1),  # slow
        loops({"loop-7": whole()}, 2),  # the device got a write that nobody verified
        loops({"loop-7": whole()}, 1, verified=False),
    ],
)
def test_a_loop_bench_falls_short(of: loop.Ran) -> None:
    assert not loop.good(loop.judged(of), 1)


def test_the_guard_bench_decides_for_real_and_falls_short_at_an_aim_that_nothing_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "P50_US_MAX", 0.001)
    code, told = ran("guard", "--n", "50")
    assert code == 1
    assert told["pass"] is False
    assert told["figures"]["verdicts"] == ["permit"]
    assert told["figures"]["five_apply_us"]["p50"] > told["figures"]["plain_eval_us"]["p50"]


def test_five_of_twenty_rules_apply() -> None:
    assert len(guard._site(5).bounds[guard.SP].rules_for(guard.AGENT).rules) == 5
    assert len(guard._site(20).bounds[guard.SP].rules_for(guard.AGENT).rules) == 20


def test_the_ledger_bench_keeps_and_verifies_what_it_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ledger, "RECORDS_PER_S_MIN", 0.0)
    monkeypatch.setattr(ledger, "SINGLE_P50_MS_MAX", 1e6)
    monkeypatch.setattr(ledger, "MILLION_S_MAX", 1e6)
    code, told = ran("ledger", "--n", "200")
    figures = told["figures"]
    assert code == 0
    assert (figures["records"], figures["verified"]) == (200, True)
    assert 0 < figures["record_bytes"] < 1000
    assert not ledger.good({**figures, "verified": False})


def test_the_gate_is_started_in_earnest_and_slower_than_a_bare_interpreter() -> None:
    _, told = ran("start", "--n", "1")
    figures = told["figures"]
    assert figures["starts"] == 1
    assert figures["start_ms"]["p50"] > figures["bare_interpreter_with_numpy_ms"]["p50"] > 0
