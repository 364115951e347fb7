"""Suites are found by name, answer in one JSON line, and exit 1 when they fall short."""

import json
import sys
import types
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from holdfast.cli import evals
from holdfast.evals import suites
from holdfast.evals.suites import Figures, Options, SuiteError, hashed, suite


def a_suite(monkeypatch: pytest.MonkeyPatch, kind: suites.Kind, name: str, *, good: bool, data: tuple[tuple[str, str], ...] = ()) -> None:
    """Put a suite under a name into the package, as a file of its own would be."""

    def run(options: Options) -> Figures:
        options.progress(0.5, "half way")
        options.answer("case-1", {"refuse": True})
        options.answer("case-2", {"value": 2.5})
        figures = {"ran": options.n, "lead_s": None, "parts": {"p50_ms": 1.25}}
        return Figures(name=name, seed=options.seed, data=data, figures=figures, pass_=good)

    module = types.ModuleType(f"{suites.PACKAGES[kind]}.{name}")
    module.run = run  # type: ignore[attr-defined]
    module.__spec__ = types.SimpleNamespace(name=module.__name__)  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, module.__name__, module)


def door() -> typer.Typer:
    app = typer.Typer()
    evals.register(app)
    return app


def test_every_bench_of_the_package_is_found_by_its_name() -> None:
    found = suites.names("bench")
    for name in found:
        assert callable(suite("bench", name))


def test_a_file_without_an_entry_function_is_no_suite() -> None:
    assert "suites" not in suites.names("eval")
    with pytest.raises(SuiteError, match="no eval 'suites'"):
        suite("eval", "suites")


@pytest.mark.parametrize("name", ["nothing-such", "../demo", "bench.loop", "", "Demo"])
def test_an_unknown_name_is_wrong_use(name: str) -> None:
    ran = CliRunner().invoke(door(), ["eval", name, "--json"])
    assert ran.exit_code == 2
    assert f"no eval {name!r}" in json.loads(ran.stdout.splitlines()[-1])["error"]


def test_the_last_line_with_json_is_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    a_suite(monkeypatch, "eval", "sample", good=True, data=(("rows.csv", "ab12"),))
    ran = CliRunner().invoke(door(), ["eval", "sample", "--seed", "7", "--n", "3", "--json"])
    assert ran.exit_code == 0
    assert json.loads(ran.stdout.splitlines()[-1]) == {
        "name": "sample",
        "seed": 7,
        "data": [{"path": "rows.csv", "sha256": "ab12"}],
        "figures": {"ran": 3, "lead_s": None, "parts": {"p50_ms": 1.25}},
        "pass": True,
    }


@pytest.mark.parametrize(("command", "kind"), [("eval", "eval"), ("bench", "bench")])
def test_a_suite_that_falls_short_exits_1_and_says_so(monkeypatch: pytest.MonkeyPatch, command: str, kind: suites.Kind) -> None:
    a_suite(monkeypatch, kind, "sample", good=False)
    ran = CliRunner().invoke(door(), [command, "sample", "--json"])
    assert ran.exit_code == 1
    assert json.loads(ran.stdout.splitlines()[-1])["pass"] is False
    told = CliRunner().invoke(door(), [command, "sample"])
    assert told.exit_code == 1
    assert "FELL SHORT" in told.stdout
    assert "parts.p50_ms" in told.stdout


def test_out_gets_one_json_line_a_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_suite(monkeypatch, "eval", "sample", good=True)
    out = tmp_path / "answers.jsonl"
    assert CliRunner().invoke(door(), ["eval", "sample", "--out", str(out)]).exit_code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines == [{"id": "case-1", "answer": {"refuse": True}}, {"id": "case-2", "answer": {"value": 2.5}}]


def test_an_out_that_cannot_be_written_is_wrong_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_suite(monkeypatch, "eval", "sample", good=True)
    ran = CliRunner().invoke(door(), ["eval", "sample", "--out", str(tmp_path / "absent" / "answers.jsonl")])
    assert ran.exit_code == 2
    assert "can't be written" in ran.stderr


def test_data_is_told_with_its_hash_and_an_absent_file_is_named(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_bytes(b"abc")
    # FIPS 180-4's example: SHA-256 of "abc"
    assert hashed([rows]) == ((str(rows), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),)
    with pytest.raises(SuiteError, match=r"absent\.csv"):
        hashed([tmp_path / "absent.csv"])
