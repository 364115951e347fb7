"""The lockstep mill with its gate at both doors, and commands beside it."""

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
from mill_world import AGENT, PASSWORD, MillWorld

from holdfast.gate.api.agents import agents_app
from holdfast.gate.api.people import people_app
from holdfast.gate.process import Doors
from holdfast.link import LinkError
from holdfast.link.http import HttpLink
from holdfast.site.model import Site

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
PATIENCE_S = 30.0


class Served(MillWorld):
    """`home` is what a command is given."""

    async def open(self) -> None:
        self.home = self.folder.parent
        self.token = self.agents.add(AGENT)
        doors = {self.home / "link.sock": agents_app(self.gate, self.agents), self.folder / "people.sock": people_app(self.gate)}
        self._doors = Doors(doors)
        self._serving = asyncio.create_task(self._doors.serve())
        self.link = HttpLink(f"unix:{self.home / 'link.sock'}", self.token)
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(self.folder / "people.sock"))) as http:
            assert (await http.get("http://gate/health")).status_code == 200

    async def run(self, seconds: int) -> None:
        """As an agent's process does, which comes again where the gate's side of an idle connection was closed under it."""
        for _ in range(seconds):
            with contextlib.suppress(LinkError):
                await super().run(1)

    async def shut(self) -> None:
        await self.link.close()
        self._doors.close()
        await self._serving
        self.close()

    async def command(self, *arguments: str, password: str = PASSWORD, group: str = "detectors") -> tuple[int, Any]:
        """The exit code, and the last line as JSON; the plant and its agent go on meanwhile."""
        process = await asyncio.create_subprocess_exec(
            *HOLDFAST, group, *arguments, "--home", str(self.home), "--json",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        ended = asyncio.create_task(process.communicate(password.encode() + b"\n"))
        async with asyncio.timeout(PATIENCE_S):
            while not ended.done():
                await self.run(1)
                await asyncio.wait([ended], timeout=0.01)
        said, _ = await ended
        assert process.returncode is not None
        return process.returncode, json.loads(said.decode().splitlines()[-1])


@contextlib.asynccontextmanager
async def serving(site: Site | None = None) -> AsyncGenerator[Served]:
    """An agent on the link, on duty."""
    folder = Path(tempfile.mkdtemp(prefix="hf"))  # a socket's path is short
    world = Served(folder / "gate", site)
    await world.open()
    try:
        await world.agent_again(link=world.link)
        await world.run(3)
        yield world
    finally:
        await world.shut()
        shutil.rmtree(folder)
