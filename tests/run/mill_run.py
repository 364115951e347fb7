"""`holdfast run` on the demo mill's own servers, in real time: what the end-to-end tests stand on."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from holdfast.run.desk import Desk, DeskError
from holdfast.run.supervise import Child
from holdfast.run.wired import addresses, start_plant

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
ASK_AGAIN_S = 0.1  # of what is told by no event: the status


class MillRun:
    def __init__(self, plant: Child, process: asyncio.subprocess.Process, home: Path) -> None:
        self.plant, self.process, self.home = plant, process, home
        self.desk = Desk(home)
        self.lines: list[str] = []

    async def says(self, text: str) -> str:
        """The next line with `text` in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line)
                if text in line:
                    return line
        raise AssertionError(f"it ended and never said {text!r}: {self.lines}")

    async def status(self, what: str = "rows", least: int = 0) -> Mapping[str, Any]:
        """The status, once each number of `what` is at least so."""
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(DeskError):
                    found = await self.desk.status()
                    if all(n >= least for n in found[what].values()):
                        return found
                await asyncio.sleep(ASK_AGAIN_S)

    async def end(self) -> int:
        """SIGTERM, and what it then exits with."""
        if self.process.returncode is None:
            self.process.terminate()
        said, _ = await asyncio.wait_for(self.process.communicate(), 20)
        self.lines += said.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode


async def holdfast(*arguments: object) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert b"Traceback" not in said, said.decode()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def verified(home: Path) -> Mapping[str, Any]:
    code, said = await holdfast("ledger", "verify", home / "gate", "--key", home / "gate" / "ledger.pub", "--json")
    assert code == 0, said
    return json.loads(said)


def processes_about(home: Path) -> list[str]:
    """The command lines of living processes that name this home."""
    found: list[str] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(home) in line:
                    found.append(line)
    return found


@contextlib.asynccontextmanager
async def mill_run(folder: Path, home: Path) -> AsyncGenerator[MillRun]:
    """Plant in real time, then `holdfast run` with its home at `home`."""
    plant, site = await start_plant("normal", 1, folder, "--epoch-ns", str(time.time_ns()), "--factor", "1")
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST, "run", str(site), "--home", str(home), "--console", "127.0.0.1:0",
        env={**os.environ, **addresses(plant)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    run = MillRun(plant, process, home)
    try:
        yield run
    finally:
        await run.desk.close()
        await run.end()
        await plant.end()
