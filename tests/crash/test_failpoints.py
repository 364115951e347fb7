"""Failpoints do nothing unless they were armed, and a gate does not start with them but for tests."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast.evals.crash import scenes
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


# Always part of another function's transaction, so that they have no commit of their own.
JOINED = {
    "failpoints.committing",
    "activated",  # a part of "configuration.sign"
    "inbox.consume", "inbox.open", "inbox.record", "inbox.sweep", "inbox.void", "inbox.void_tags",
    "jobs.put", "learned.adopt", "log.append", "outbox.queue",
    "store.undo",  # repeats "store.also_if_rolled_back" after a rollback
}  # fmt: skip


PLANT = "connectors"  # what is begun there is a database of the plant's, not the gate's


def _named(path: Path) -> Iterator[str]:
    """The name of every transaction and every step in a file: what stands there, else the file and the function."""

    def within(node: ast.AST, function: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not function
            inner = child.name.strip("_") if named else function  # type: ignore[attr-defined]
            match child:
                case ast.Call(func=ast.Attribute(attr="transaction"), args=args):
                    yield _said(args, 0) or f"{path.stem}.{inner}"
                case ast.Call(func=ast.Name(id="committing"), args=args):
                    yield _said(args, 1)
                case ast.Call(func=ast.Name(id="reach"), args=args) if _said(args, 0):
                    yield _said(args, 0).partition(":")[0]
                case _:
                    pass
            yield from within(child, inner)

    yield from within(ast.parse(path.read_text()), "")


def _said(args: list[ast.expr], which: int) -> str:
    found = args[which] if len(args) > which else None
    return str(found.value) if isinstance(found, ast.Constant) else ""


def test_every_transaction_of_the_gate_has_a_failpoint_and_every_failpoint_stands_in_the_gate() -> None:
    files = [path for path in (*SOURCE.rglob("*.py"), SOURCE.parent / "run" / "backup.py") if path.name != "failpoints.py"]
    found = {name for path in files if PLANT not in path.parts for name in _named(path)} - JOINED - {""}
    # Wire.send is told which of the two it does.
    text = (SOURCE / "actuation" / "saga.py").read_text()
    assert 'send(job.steps, "write")' in text
    assert 'send(job.back, "restore")' in text
    assert found | {"write", "restore"} == {*failpoints.COMMITS, *failpoints.STEPS}
    assert len(set(NAMES)) == len(NAMES)


def test_a_transaction_that_has_no_failpoint_would_be_found(tmp_path: Path) -> None:
    source = tmp_path / "rooms.py"
    source.write_text(
        "class Room:\n    def _shut(self):\n        def now():\n            with self._state.transaction():\n                pass\n"
    )
    assert list(_named(source)) == ["rooms.shut"]


def test_every_failpoint_has_a_scene_in_the_crash_suite_and_every_scene_a_failpoint() -> None:
    assert set(scenes.SCENES) == {*failpoints.COMMITS, *failpoints.STEPS}
    assert {aim.place for aim in scenes.aims() if not aim.connection} == set(NAMES)


def test_every_place_is_crossed_with_every_fault_of_the_connection_that_lets_a_gate_get_there() -> None:
    crossed = {(aim.place, aim.connection) for aim in scenes.aims()}
    assert ("intent:after", "half") in crossed
    assert ("verified:before", "lies") not in crossed  # nothing is verified while the device shows another value
    assert len(crossed) == len(scenes.aims())
    planned = {(aim.place, aim.connection) for aim in scenes.schedule(3_000, 1, 0.7) if aim is not None}
    assert planned == crossed


def test_a_commit_is_named_for_the_function_that_makes_it(tmp_path: Path) -> None:
    heard: list[str] = []
    state = State(tmp_path, durable=False, reserve_bytes=0)
    arm("", heard.append)

    class Room:
        def _shuts(self) -> None:
            def now() -> None:
                with state.transaction(), state.transaction("joined"):
                    pass

            now()

    Room()._shuts()
    state.ensure("CREATE TABLE t(x)")
    with committing(state, "intent"):
        pass
    state.close()
    assert heard == ["test_failpoints.test_a_commit_is_named_for_the_function_that_makes_it", "store.ensure", "intent"]


def test_a_gate_that_was_started_armed_refuses_but_for_tests(tmp_path: Path) -> None:
    def start(*more: str, what: str = "write:before=kill") -> subprocess.CompletedProcess[str]:
        given = [sys.executable, "-m", "holdfast.gate.process", "--site", str(tmp_path / "none.yaml"), "--home", str(tmp_path), *more]
        return subprocess.run(given, env={**os.environ, VARIABLE: what}, capture_output=True, text=True, timeout=30, check=False)

    refused = start()
    assert refused.returncode == 2
    assert VARIABLE in refused.stderr
    assert VARIABLE not in start("--for-tests").stderr  # it goes on, and finds no site
    assert "names are" in start("--for-tests", what="nonsense").stderr
