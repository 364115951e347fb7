"""`holdfast ask` against a gate at its two doors: steps, answer, citations, exit codes, and a talk that goes on."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from holdfast.evals.ask.day import Day, mill_day
from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.gate.identity.agents import Agents
from holdfast.gate.process import Doors
from holdfast.run.headless import AGENT
from holdfast.run.papers import lay_out

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")


@contextlib.asynccontextmanager
async def served() -> AsyncGenerator[Day]:
    folder = Path(tempfile.mkdtemp(prefix="hf"))  # a socket's path is short
    try:
        async with mill_day(folder, seconds=720, autonomy="act") as day:
            lay_out(folder, 0)
            agents = Agents(day.gate.log.state, day.gate.log, os.urandom)
            own = folder / "agents" / AGENT
            own.mkdir(parents=True)
            (own / "token").write_text(agents.add(AGENT))
            (folder / "link").mkdir()
            doors = Doors(
                {folder / "link" / "link.sock": agents_app(day.gate, agents), folder / "gate" / "people.sock": people_app(day.gate)}
            )
            serving = asyncio.create_task(doors.serve())
            yield day
            doors.close()
            await serving
    finally:
        shutil.rmtree(folder)


async def asked(home: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST, "ask", *arguments, "--home", str(home), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_command_answers_from_the_running_site_and_remembers_the_talk() -> None:
    async with served() as day:
        code, said = await asked(day.home, "为什么4号机架在振动？")
        assert code == 0, said
        lines = said.splitlines()
        assert lines[0].startswith("  … ")
        assert any("轧辊咬入区润滑不足" in line for line in lines)
        assert any(line.strip().startswith("[1]") for line in lines)

        code, said = await asked(day.home, "What is the vibration of stand 4?", "--json")
        answer: Any = json.loads(said.splitlines()[-1])
        assert (code, answer["declined"], answer["citations"][0]["ref"]) == (0, False, "stand-4/vibration")
        assert [step["tool"] for step in answer["steps"]] == ["read_tags"]

        code, said = await asked(day.home, "and its alarm limits?")
        assert code == 0
        assert "4.5" in said

        code, said = await asked(day.home, "What will the weather be tomorrow?", "--json")
        assert code == 1
        assert json.loads(said.splitlines()[-1])["declined"] is True


@pytest.mark.parametrize("made", [False, True])
async def test_without_a_running_site_the_command_says_what_to_do(tmp_path: Path, made: bool) -> None:
    if made:
        (tmp_path / "agents" / "a").mkdir(parents=True)
        (tmp_path / "agents" / "a" / "token").write_text("x")
    code, said = await asked(tmp_path, "振动多少？")
    assert code == 2
    assert ("holdfast run" if made else "--home") in said
