"""The state folder has one owner, and every fault of file or disk is a clear word with a cure."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.ledger import store
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import FILE, RESERVE, State, StateError, refuse_old_sqlite


def refused(folder: Path) -> StateError:
    with pytest.raises(StateError) as caught:
        State(folder, durable=False, reserve_bytes=0)
    return caught.value


def test_a_second_gate_in_the_same_folder_is_refused_with_the_first_ones_number(tmp_path: Path):
    state = State(tmp_path, durable=False, reserve_bytes=0)
    error = refused(tmp_path)
    assert error.code == "state.in_use"
    assert str(os.getpid()) in str(error)
    state.close()
    State(tmp_path, durable=False, reserve_bytes=0).close()


def test_a_dead_gates_lock_does_not_bind(tmp_path: Path):
    script = (
        f"import os; from pathlib import Path; from holdfast.gate.ledger.store import State; State(Path({str(tmp_path)!r})); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    State(tmp_path, durable=False).close()


def test_a_foreign_file_is_refused_untouched(tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"Dear diary, " * 1000)
    assert refused(tmp_path).code == "state.foreign"
    assert (tmp_path / FILE).read_bytes() == b"Dear diary, " * 1000


def test_another_programs_database_is_refused(tmp_path: Path):
    db = apsw.Connection(str(tmp_path / FILE))
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    assert refused(tmp_path).code == "state.foreign"


def test_a_file_of_a_later_release_is_refused(tmp_path: Path):
    State(tmp_path, durable=False, reserve_bytes=0).close()
    db = apsw.Connection(str(tmp_path / FILE))
    db.pragma("user_version", 99)
    db.close()
    assert refused(tmp_path).code == "state.newer"


def test_a_damaged_file_is_a_clear_word(tmp_path: Path):
    state = State(tmp_path, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(0))
    with state.transaction():
        for i in range(500):
            log.append("tick", {"i": i, "x": "x" * 200})
    state.close()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with contextlib.closing(State(tmp_path, durable=False, reserve_bytes=0)) as state, pytest.raises(StateError) as caught:
        Log(state, VirtualClock(0)).read()
    assert caught.value.code == "state.corrupt"
    assert "backup" in str(caught.value)


def test_a_full_disk_records_nothing_and_says_so(tmp_path: Path):
    with contextlib.closing(State(tmp_path, durable=False, reserve_bytes=0)) as state:
        log = Log(state, VirtualClock(0))
        log.append("first", {})
        pages = state.db.pragma("page_count")
        state.db.pragma("max_page_count", pages + 2)
        with pytest.raises(StateError, match="full") as caught:
            log.append("large", {"x": "y" * 100_000})
        assert caught.value.code == "state.full"
        assert log.size == 1
        state.db.pragma("max_page_count", pages + 1000)
        assert log.append("second", {}) == 2


def test_a_folder_that_is_a_file_is_a_clear_word(tmp_path: Path):
    (tmp_path / "gate").write_text("")
    assert refused(tmp_path / "gate").code == "state.readonly"


def test_the_reserve_is_kept_and_can_be_given_once(tmp_path: Path):
    with contextlib.closing(State(tmp_path, durable=False, reserve_bytes=65536)) as state:
        assert (tmp_path / RESERVE).stat().st_blocks * 512 >= 65536
        assert state.release_reserve()
        assert not (tmp_path / RESERVE).exists()
        assert not state.release_reserve()
        assert state.restore_reserve()


def test_what_a_failure_must_not_erase_is_written_after_the_rollback(tmp_path: Path):
    with contextlib.closing(State(tmp_path, durable=False, reserve_bytes=0)) as state:
        state.ensure("CREATE TABLE IF NOT EXISTS tries (n INTEGER)")

        def fail() -> None:
            with state.transaction():
                state.also_if_rolled_back(lambda: state.db.execute("INSERT INTO tries VALUES (1)") and None)
                raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011
            fail()
        assert state.rows("SELECT count(*) FROM tries") == [(1,)]


def test_an_old_sqlite_is_refused():
    with pytest.raises(StateError, match=r"3\.51\.3"):
        refuse_old_sqlite("3.51.2")
    refuse_old_sqlite("3.51.3")
    refuse_old_sqlite("3.100.0")


def test_the_log_is_folded_into_the_file_beside_an_open_transaction_and_nothing_is_lost(tmp_path: Path):
    state = State(tmp_path, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(0))
    before = (tmp_path / FILE).stat().st_size
    for number in range(50):
        log.append("k", {"number": number, "text": "x" * 2000})
    assert (tmp_path / FILE).stat().st_size == before  # all of it is in the write-ahead log
    with state.transaction():
        log.append("k", {"number": 50})
        assert state.fold()
    assert (tmp_path / FILE).stat().st_size > before + 50 * 2000
    assert [r.body["number"] for r in log.read()] == list(range(51))
    state.close()


def test_a_log_that_nobody_folds_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "LOG_PAGES_MAX", 20)
    state = State(tmp_path, durable=False, reserve_bytes=0)
    log = Log(state, VirtualClock(0))
    for number in range(200):
        log.append("k", {"number": number, "text": "x" * 2000})
    assert (tmp_path / f"{FILE}-wal").stat().st_size < 60 * 4096
    state.close()


def test_a_file_that_can_not_be_opened_is_not_folded_and_nothing_is_raised(tmp_path: Path):
    state = State(tmp_path, durable=False, reserve_bytes=0)
    state.close()
    (tmp_path / FILE).unlink()
    assert not state.fold()
