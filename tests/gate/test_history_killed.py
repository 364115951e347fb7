"""kill -9 at any moment, also between the steps of sealing: every acknowledged row is there, once. And a disk that fills up."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest
from history_writer import COLUMNS, TABLE, frame

from holdfast.gate.history import room
from holdfast.gate.history.file import HOUR_NS
from holdfast.gate.history.store import History, HistoryError
from holdfast.terms import SECOND_NS

WRITER = Path(__file__).with_name("history_writer.py")
LIVES, ROWS_A_LIFE = 4, 400


def lived(path: Path, *, until: int | None = None, dies_before: str = "") -> int:
    """How many rows were acknowledged when it was killed."""
    process = subprocess.Popen([sys.executable, str(WRITER), str(path), dies_before], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        acknowledged = 0
        for line in process.stdout:
            if line.endswith(b"\n"):
                acknowledged = int(line)
            if until is not None and acknowledged >= until:
                process.kill()
    assert process.returncode == -9
    return acknowledged


def whole(path: Path, acknowledged: int) -> None:
    history = History(path, durable=True, tables=[TABLE])
    found = history.read("t", 0, 2**62, 10**6, COLUMNS)
    rows = found.rows
    assert rows >= acknowledged
    assert found.received_ns.tolist() == [n * 10 * SECOND_NS for n in range(rows)]  # each once, none missing
    assert (found.values == np.arange(COLUMNS) + 0.5 * np.arange(rows)[:, None]).all()
    assert history.next_seq("t") == rows
    history.close()


def test_killed_again_and_again_while_it_seals_it_loses_no_acknowledged_row(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    for _ in range(LIVES):
        history = History(path, durable=True, tables=[TABLE])
        first = history.next_seq("t")
        history.close()
        whole(path, lived(path, until=first + ROWS_A_LIFE))
    with contextlib.closing(apsw.Connection(str(path))) as db:
        assert db.execute("SELECT count(*) FROM segment").fetchall() != [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO segment",
        "INSERT INTO chunk",
        "INSERT INTO roll",
        "INSERT INTO sealed",
        "DELETE FROM hot",
        "DELETE FROM chunk",
        "DELETE FROM roll",
        "DELETE FROM segment",
    ],
)
def test_killed_between_two_steps_of_sealing_each_row_is_in_one_place(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "h.db"
    acknowledged = lived(path, dies_before=statement, until=5_000)
    assert acknowledged < 5_000, "that step never came"
    whole(path, acknowledged)
    whole(path, lived(path, until=acknowledged + 100))


# ---- a disk of its own -----------------------------------------------------------------------------------------------


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system small enough to be filled."""
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a small tmpfs needs root and the right to mount")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def block(hour: int) -> tuple[int, np.ndarray]:
    return hour * 3600, np.random.default_rng(hour).normal(size=(3600, COLUMNS))


def keep_hour(history: History, hour: int) -> None:
    """An hour of noise that nothing makes smaller: some 130 kB."""
    first, values = block(hour)
    received = (np.arange(3600, dtype=np.int64) + first) * SECOND_NS
    made = frame(0)
    for part in range(0, 3600, 600):
        rows = slice(part, part + 600)
        history.append(
            type(made)(
                table="t",
                seq=first + part,
                received_ns=received[rows],
                source_ns=np.repeat(received[rows, None], COLUMNS, axis=1),
                values=values[rows],
                status=np.zeros((600, COLUMNS), np.uint32),
            )
        )
    history.seal((hour + 3) * HOUR_NS)


def keep_hours(history: History, hours: range) -> None:
    for hour in hours:
        keep_hour(history, hour)


def test_on_a_full_disk_the_oldest_hours_go_and_the_newest_are_kept(disk: Path) -> None:
    history = History(disk / "h.db", durable=True, tables=[TABLE])
    filler = disk / "filler"
    keep_hours(history, range(90))
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    keep_hours(history, range(90, 160))
    lost = history.trim()
    history.close()
    history = History(disk / "h.db", durable=True, tables=[TABLE])  # also started anew on the full disk
    keep_hours(history, range(160, 240))  # more than the whole disk
    dropped = history.trim() + lost
    assert dropped > lost > 0
    assert dropped % 3600 == 0
    found = history.read("t", 0, 2**62, 10**7, COLUMNS)
    assert found.rows == 240 * 3600 - dropped
    assert int(found.received_ns[0]) == dropped * SECOND_NS
    assert (found.values[-3600:] == block(239)[1]).all()
    filler.unlink()
    assert history.trim() == 0
    assert (disk / "h.db.reserve").stat().st_size == room.RESERVE_BYTES  # taken again
    history.close()


def test_a_disk_that_others_filled_is_told_when_history_is_too_small_to_help(disk: Path) -> None:
    history = History(disk / "h.db", durable=True, tables=[TABLE])
    keep_hour(history, 0)
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    with pytest.raises(HistoryError, match="free some space"):
        keep_hours(history, range(1, 60))
    (disk / "filler").unlink()
    first = history.next_seq("t")
    found = history.read("t", 0, 2**62, 10**7, COLUMNS)
    assert found.rows == first  # what was acknowledged, and no more
    history.close()
