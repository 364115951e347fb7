"""Failpoints do nothing unless they were armed, and a gate does not start with them but for tests."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast.gate.actuation import failpoints
from holdfast.gate.actuation.failpoints import NAMES, VARIABLE, InjectedFault, arm, committing, reach
from holdfast.gate.ledger.store import State

SOURCE = Path(holdfast.__file__).parent / "gate"


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    arm("")


def test_a_place_that_is_not_armed_costs_next_to_nothing() -> None:
    began = time.perf_counter()
    for _ in range(100_000):
        reach("write:before")
    assert (time.perf_counter() - began) / 100_000 < 2e-6


def test_an_armed_place_acts_the_nth_time_and_never_again() -> None:
    arm("write:before=raise:2")
    reach("write:before")
    reach("write:after")
    with pytest.raises(InjectedFault):
        reach("write:before")
    reach("write:before")


def test_before_its_commit_nothing_is_kept_and_after_it_everything_is(tmp_path: Path) -> None:
    state = State(tmp_path, durable=False, reserve_bytes=0)
    state.ensure("CREATE TABLE t(x)")
    for when, kept in (("before", 0), ("after", 1)):
        arm(f"intent:{when}=raise")
        with pytest.raises(InjectedFault), committing(state, "intent"):
            state.db.execute("INSERT INTO t VALUES(1)")
        assert len(state.rows("SELECT * FROM t")) == kept
    state.close()


@pytest.mark.parametrize(
    "what", ["write:before", "nowhere:before=kill", "write:before=burn", "write:before=kill:0", "=", "write:before=kill;x"]
)
def test_what_names_no_place_or_no_action_is_refused(what: str) -> None:
    with pytest.raises(ValueError, match=VARIABLE):
        arm(what)


def test_every_name_stands_somewhere_in_the_gate() -> None:
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name != "failpoints.py")
    for name in failpoints.COMMITS:
        assert f'committing(self._log.state, "{name}")' in text or f'committing(self._state, "{name}")' in text, name
    assert 'self._wire.send(job.steps, "write")' in text
    assert 'self._wire.send(job.back, "restore")' in text
    assert len(set(NAMES)) == len(NAMES)


def test_a_gate_that_was_started_armed_refuses_but_for_tests(tmp_path: Path) -> None:
    def start(*more: str, what: str = "write:before=kill") -> subprocess.CompletedProcess[str]:
        given = [sys.executable, "-m", "holdfast.gate.process", "--site", str(tmp_path / "none.yaml"), "--home", str(tmp_path), *more]
        return subprocess.run(given, env={**os.environ, VARIABLE: what}, capture_output=True, text=True, timeout=30, check=False)

    refused = start()
    assert refused.returncode == 2
    assert VARIABLE in refused.stderr
    assert VARIABLE not in start("--for-tests").stderr  # it goes on, and finds no site
    assert "names are" in start("--for-tests", what="nonsense").stderr
