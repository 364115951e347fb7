"""The log is gap-free, exact and right again after a rollback."""

import contextlib
import hashlib
import json
from pathlib import Path

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State


@pytest.fixture
def state(tmp_path: Path):
    state = State(tmp_path / "state", durable=False, reserve_bytes=0)
    yield state
    state.close()


@pytest.fixture
def log(state: State):
    return Log(state, VirtualClock(1_000))


def test_a_leaf_is_the_canonical_form_and_is_kept_byte_for_byte(log: Log):
    record = log.get(log.append("finding", {"b": 1, "a": "°C 轧机", "n": (1.5, None)}))
    assert record is not None
    assert record.seq == 1
    assert log.leaf(1) == '{"at_ns":1000,"body":{"a":"°C 轧机","b":1,"n":[1.5,null]},"kind":"finding","label":"site","seq":1}'.encode()
    assert log.get(1) == record


def test_the_root_of_two_records_is_the_hash_of_their_hashes(log: Log):
    assert log.root() == hashlib.sha256(b"").digest()
    log.append("a", {})
    log.append("b", {})
    first, second = (hashlib.sha256(b"\x00" + (log.leaf(seq) or b"")).digest() for seq in (1, 2))
    assert log.root() == hashlib.sha256(b"\x01" + first + second).digest()


def test_a_rolled_back_record_leaves_no_gap_and_the_root_as_before(state: State, log: Log):
    log.append("a", {})
    root = log.root()

    def half() -> None:
        with state.transaction():
            for _ in range(5):
                log.append("b", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert (log.size, log.root()) == (1, root)
    assert log.append("c", {}) == 2
    assert [r.kind for r in log.read()] == ["a", "c"]


def test_a_reopened_log_goes_on_where_it_was(tmp_path: Path):
    roots: list[bytes] = []
    for reopen in (True, False):
        folder = tmp_path / str(reopen)
        state = State(folder, durable=False, reserve_bytes=0)
        log = Log(state, VirtualClock(0))
        for i in range(700):  # past two complete tiles
            if reopen and i % 97 == 0:
                state.close()
                state = State(folder, durable=False, reserve_bytes=0)
                log = Log(state, VirtualClock(0))
            log.append("tick", {"i": i})
        roots.append(log.root())
        state.close()
    assert roots[0] == roots[1]


def test_an_inner_failure_undoes_the_whole_even_if_it_is_caught(state: State, log: Log):
    def inner() -> None:
        with state.transaction():
            log.append("b", {})
            raise ValueError

    def outer() -> None:
        with state.transaction():
            log.append("a", {})
            with contextlib.suppress(ValueError):
                inner()

    with pytest.raises(RuntimeError, match="none of it"):
        outer()
    assert log.size == 0


def test_what_has_no_canonical_form_is_refused(log: Log):
    for body in ({"x": float("nan")}, {"x": float("inf")}):
        with pytest.raises(ValueError, match=r"(?i)json|float"):
            log.append("a", body)
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"d": deep}
    with pytest.raises(ValueError, match="deeply"):
        log.append("a", deep)
    with pytest.raises(ValueError, match="surrogates"):
        log.append("a", {"x": "\ud800"})
    with pytest.raises(ValueError, match="at most"):
        log.append("a", {"x": "y" * (1 << 20)})
    assert log.size == 0


def test_a_configuration_alone_may_be_as_large_as_a_site_of_many_thousand_tags(log: Log):
    assert log.append("configuration", {"x": "y" * (10 << 20)}) == 1
    with pytest.raises(ValueError, match="at most"):
        log.append("configuration", {"x": "y" * (16 << 20)})


def test_reading_goes_on_after_a_record(log: Log):
    for i in range(10):
        log.append("tick", {"i": i})
    assert [r.body["i"] for r in log.read(after=4, limit=3)] == [4, 5, 6]
    assert json.loads(log.leaf(10) or b"")["seq"] == 10
    assert log.get(11) is None
