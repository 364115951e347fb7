"""A full disk under a whole run: no write without its record, stop still works, and with room again it goes on, whole."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mill_run import ASK_AGAIN_S, MillRun, holdfast, mill_run, verified

from holdfast.link import LinkError
from holdfast.link.http import HttpLink
from holdfast.run.wired import tell
from holdfast.terms import Proposal, Write

DISK_MIB = 16  # the reserve of 4 MiB, history and record of a minute, and room for a filler


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of its own, small enough to be filled."""
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", folder]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a small tmpfs needs root and the right to mount")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


async def until_fault(run: MillRun, wanted: bool) -> str:
    """The status's fault, once there is one, or none."""
    async with asyncio.timeout(30):
        while True:
            fault = str((await run.desk.status())["fault"])
            if bool(fault) == wanted:
                return fault
            await asyncio.sleep(ASK_AGAIN_S)


@pytest.mark.slow
async def test_on_a_full_disk_nothing_is_written_stop_works_and_room_brings_it_back(disk: Path, tmp_path: Path) -> None:
    home, filler = disk / "home", disk / "filler"
    async with mill_run(tmp_path, home) as run:
        await run.says("look:")
        await run.status(least=2)
        fill(filler)
        assert "free some space" in (await until_fault(run, True)).lower()
        await run.says("FAULT")
        link = HttpLink(f"unix:{home / 'link' / 'link.sock'}", (home / "agents" / "mill-agent" / "token").read_text())
        trim = Proposal(id="trim-1", incident="none", action=Write(sets=(("stand-4/tension.sp", 101.0),)), reason="a trim")
        with pytest.raises(LinkError, match="nothing can be recorded"):
            await link.propose(trim)
        code, said = await holdfast("status", "--home", home)
        assert (code, "FAULT" in said) == (0, True)
        code, said = await holdfast("stop", "--home", home)
        assert (code, "Stopped: the whole plant" in said) == (0, True)
        assert tuple((await run.desk.status())["stopped"]) == ("*",)
        report = await tell(run.plant, "report")
        assert report["writes_sent"] == 0
        filler.unlink()
        assert await until_fault(run, False) == ""
        decision = await link.propose(Proposal(id="trim-2", incident="none", action=trim.action, reason="a trim"))
        assert decision.verdict == "refuse"
        assert "stop.pressed" in [r.code for r in decision.reasons if not r.passed]
        await link.close()
        assert await run.end() == 0
    assert (await verified(home))["verified"]
    shown = (await holdfast("ledger", "show", home / "gate"))[1]
    for kind in ("fault", "stop", "recovered", "decision"):
        assert f" {kind} " in shown, shown
    assert "trim-1" not in shown
