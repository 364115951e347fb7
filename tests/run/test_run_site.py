"""`holdfast run` from end to end on the simulated mill, in real time: frames flow, people are obeyed, and it ends whole."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mill_run import ASK_AGAIN_S, holdfast, mill_run, processes_about, verified

from holdfast.run.isolate import available
from holdfast.run.supervise import END_TIMEOUT_S


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hf") as path:  # short: a socket's path has 107 bytes
        yield Path(path)


@pytest.mark.slow
async def test_a_site_runs_is_seen_obeys_and_ends_without_a_trace_but_its_record(folder: Path) -> None:
    home = folder / "home"
    async with mill_run(folder, home) as run:
        assert "NOT ISOLATED" in (agents := await run.says("agents:")) or not available()
        assert "mill-agent" in agents
        assert {(await run.says(": connected")).split(":")[0] for _ in range(2)} == {"mill", "cooling"}
        first = (await run.status(least=2))["rows"]
        later = (await run.status(least=max(first.values()) + 1))["rows"]
        assert all(later[table] > rows for table, rows in first.items())
        code, said = await holdfast("status", "--home", home)
        assert (code, said.count("connected, ")) == (0, 2)
        assert (await holdfast("stop", "--home", home))[0] == 0
        assert "root" in await run.says("STOPPED: the whole plant") or "at the command line" in run.lines[-1]
        assert len(processes_about(home)) >= 3  # run itself, the gate, the agent
        began = time.monotonic()
        assert await run.end() == 0
        assert time.monotonic() - began < END_TIMEOUT_S  # nobody had to be waited for in vain
        assert run.lines[-1].startswith("ended")
        assert processes_about(home) == []
    assert (await verified(home))["verified"]
    kinds = (await holdfast("ledger", "show", home / "gate", "--kind", "stop"))[1]
    assert "scope=*" in kinds


@pytest.mark.slow
async def test_an_end_while_it_starts_leaves_no_gate_behind(folder: Path) -> None:
    home = folder / "home"
    async with mill_run(folder, home) as run:
        # The agent's token is made before the gate starts: from now on there is something to leave behind.
        async with asyncio.timeout(20):
            while True:
                if (home / "logs").exists():
                    break
                await asyncio.sleep(ASK_AGAIN_S / 10)
        assert await run.end() == 0
        assert processes_about(home) == []
