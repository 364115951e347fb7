"""A Sparkplug edge node that is not our code: npm's sparkplug-payload over npm's mqtt, given orders in lines of JSON."""

import asyncio
import json
from pathlib import Path
from typing import Any

from holdfast.evals.peers.kept import kept, ran
from holdfast.evals.peers.lines import Lines

GROUP, EDGE, DEVICE = "plant 1", "edge", "oven"
_HERE = Path(__file__).parent


def modules() -> Path:
    """The folder with node_modules, installed when missing. Raises NoPeer."""

    def make(folder: Path) -> None:
        ran(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, "sparkplug-payload needs node, npm and its registry")

    return kept("sparkplug-node", [_HERE / "package.json", _HERE / "package-lock.json"], make)


class Node(Lines):
    """One edge node with one device; see node.js for its metrics and orders."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.births = 0
        self.commands: list[dict[str, Any]] = []  # that it got

    async def start(self) -> None:
        """Raises NoPeer."""
        folder = await asyncio.to_thread(modules)
        await self.begin("node", str(_HERE / "node.js"), str(self._port), GROUP, EDGE, DEVICE, str(folder))

    async def do(self, order: str, **more: object) -> None:
        """Returns once it is done."""
        self.say(json.dumps({"do": order, **more}))
        while (await self.next_event()).get("do") != order:
            pass

    async def born(self, times: int) -> None:
        """Returns once it was born so many times."""
        while self.births < times:
            await self.next_event()

    async def next_event(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(await self.line())
        if said["event"] == "born":
            self.births = said["births"]
        elif said["event"] == "command":
            self.commands.append(said)
        return said
