"""The history bench runs small, says what it measured, and falls short where it must."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from holdfast.cli import evals
from holdfast.evals.bench import history

pytest.importorskip("duckdb")


def test_a_small_history_bench_keeps_seals_and_reads_bit_for_bit_beside_its_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    # How quick it is, is not this test's business: the machine that runs the tests has other things to do.
    for name, small in (("DAY_S", 7_200), ("LINES", 2), ("HOT_SECONDS", 4_000), ("READS", 3), ("WARM_UP", 1), ("TICKS", 5)):
        monkeypatch.setattr(history, name, small)
    monkeypatch.setattr(history, "RIVAL_GROUPS", 1)
    app = typer.Typer()
    evals.register(app)
    result = CliRunner().invoke(app, ["bench", "history", "--n", "1", "--json"])
    figures: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])["figures"]
    assert figures["bit_exact"]
    assert figures["sealing"]["samples"] == figures["sealing_in_pieces"]["samples"] == 4_000 * 78
    assert 0 < figures["bytes_a_sample"]["measured_tags"] < 20
    assert set(figures["beside"]) == {"sqlite_rows", "duckdb"}


def test_it_falls_short_where_any_aim_is_missed() -> None:
    whole: dict[str, Any] = {
        "hot": {"samples_per_s": 600_000},
        "sealing": {"samples_per_s": 6_000_000},
        "bytes_a_sample": {"measured_tags": 1.5},
        "bit_exact": True,
        "read_ms": {"last_hour": {"p50": 9.0}, "all_days": {"p50": 19.0}},
    }
    assert history.good(whole)
    for name, worse in (
        ("hot", {"samples_per_s": 400_000}),
        ("sealing", {"samples_per_s": 4_000_000}),
        ("bytes_a_sample", {"measured_tags": 2.5}),
        ("bit_exact", False),
        ("read_ms", {"last_hour": {"p50": 11.0}, "all_days": {"p50": 19.0}}),
        ("read_ms", {"last_hour": {"p50": 9.0}, "all_days": {"p50": 21.0}}),
    ):
        assert not history.good({**whole, name: worse}), name
