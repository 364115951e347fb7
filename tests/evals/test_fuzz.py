"""The fuzz run finds nothing in the guard as it is, and does find a guard, a reader or a loader that lets something through."""

from typing import Any

import pytest

from holdfast.evals import fuzz
from holdfast.evals.suites import Options
from holdfast.gate.guard.decide import decide
from holdfast.terms import Decision


def test_nothing_malformed_is_permitted_or_ends_in_a_traceback() -> None:
    found = fuzz.run(Options(seed=7, n=2000))
    assert found.pass_, found.figures["faults"]
    outcomes = found.figures["outcomes"]
    assert {f"{kind}.{how}" for kind, _ in fuzz.KINDS for how in ("refused", "still good")} == set(outcomes)


def test_a_guard_that_permits_what_is_malformed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def lax(proposal: Any, author: str, compiled: Any, snapshot: Any) -> Decision:
        return decide(fuzz.GOOD, author, compiled, fuzz._snapshot(compiled, fuzz.GOOD))

    monkeypatch.setattr(fuzz, "decide", lax)
    found = fuzz.run(Options(seed=7, n=200))
    assert not found.pass_
    assert found.figures["permits"] > 20


def test_a_traceback_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Decision:
        raise KeyError("x")

    monkeypatch.setattr(fuzz, "review", broken)
    found = fuzz.run(Options(seed=7, n=300))
    assert not found.pass_
    assert "KeyError" in found.figures["faults"]
