"""A write-ahead log told by its bytes alone; and a gate whose log is gone does not begin anew."""

import shutil
from pathlib import Path

import apsw
import pytest

from holdfast.evals.crash.starts import started
from holdfast.evals.crash.wal import HEADER, frames_of
from holdfast.gate.actuation import failpoints
from holdfast.run.backup import back_up, restore


def _log(folder: Path, commits: int) -> bytes:
    db = apsw.Connection(str(folder / "some.db"))
    db.pragma("journal_mode", "wal")
    db.execute("CREATE TABLE t(x)")
    for number in range(commits):
        db.execute("INSERT INTO t VALUES(?)", (f"{number}" * 5_000,))  # two pages each
    log = (folder / "some.db-wal").read_bytes()
    db.close()
    return log


def test_whole_frames_and_commits_are_told_as_sqlite_reads_them(tmp_path: Path) -> None:
    log = _log(tmp_path, 3)
    found = frames_of(log)
    assert found.end(found.count) == len(log)
    assert len(found.commits) == 4  # the table, and three rows
    assert found.commits[-1] == found.count
    assert found.kept(found.commits[1] - 1) == found.commits[0]
    assert found.kept(0) == 0


def test_a_frame_with_one_wrong_byte_ends_the_log(tmp_path: Path) -> None:
    log = bytearray(_log(tmp_path, 3))
    whole = frames_of(bytes(log))
    log[whole.end(2) + 100] ^= 1
    assert frames_of(bytes(log)).count == 2
    assert frames_of(bytes(log[:HEADER])).commits == ()


@pytest.mark.parametrize("bad", [b"", b"short", bytes(64)])
def test_what_is_no_log_is_said_to_be_none(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r"header|magic"):
        frames_of(bad)


def test_a_gate_whose_log_is_gone_only_observes(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with started(tmp_path / "gate") as gate:
        assert gate.autonomy.of("*") == "act"
        for path in (tmp_path / "gate").iterdir():
            if path.is_file() and not path.name.startswith(("state.db-", "state.lock", "history")):
                shutil.copy(path, gone)
    with started(gone) as gate:
        assert gate.autonomy.of("*") == "observe"
        assert any(record.kind == "set_back" for record in gate.log.read())
    with started(gone) as gate:  # answered for once; it stays so until a person raises it
        assert gate.autonomy.of("*") == "observe"
        assert sum(record.kind == "set_back" for record in gate.log.read()) == 1


@pytest.mark.parametrize("place", ["put_back:before", "put_back:after", "put_aside:after"])
def test_a_restore_that_is_interrupted_leaves_a_whole_home(tmp_path: Path, place: str) -> None:
    with started(tmp_path / "home" / "gate"):
        pass
    back_up(tmp_path / "home", tmp_path / "archive.tar", at_ns=1)
    shutil.copytree(tmp_path / "home", tmp_path / "spare")
    failpoints.arm(f"{place}=raise")
    try:
        with pytest.raises(failpoints.InjectedFault):
            restore(tmp_path / "archive.tar", tmp_path / "spare", at_ns=2, force=True)
    finally:
        failpoints.arm("")
    with started(tmp_path / "spare" / "gate") as gate:
        assert gate.autonomy.of("*") == ("act" if place == "put_back:before" else "observe")
    aside = [path for path in tmp_path.iterdir() if path.name.startswith(("spare.before", ".spare.restoring"))]
    assert len(aside) == (0 if place == "put_back:before" else 1)
    assert all((path / "gate" / "state.db").exists() for path in aside)  # never deleted


def test_a_first_start_that_was_killed_between_the_two_halves_of_its_key_is_gone_on_with(tmp_path: Path) -> None:
    with started(tmp_path) as gate:
        key = gate.checkpoints.key
    (tmp_path / "ledger.pub").unlink()
    (tmp_path / "ledger.pub.new").write_text("half a li")
    with started(tmp_path) as gate:
        assert gate.checkpoints.key == key
    assert not (tmp_path / "ledger.pub.new").exists()
