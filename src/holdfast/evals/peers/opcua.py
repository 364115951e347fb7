"""node-opcua as an OPC UA server and client: https://github.com/node-opcua/node-opcua, through npm."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.evals.peers.kept import NoPeer, kept, ran
from holdfast.evals.peers.lines import START_S_MAX, Lines, free_port

URI = "urn:holdfast:mill"
DECOY = "urn:decoy"
_HERE = Path(__file__).parent / "node_opcua"


def modules() -> Path:
    """The folder with node_modules, installed when missing. Raises NoPeer."""

    def make(folder: Path) -> None:
        ran(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, "node-opcua needs node, npm and its registry")

    return kept("node-opcua", [_HERE / "package.json", _HERE / "package-lock.json"], make)


class NodePlant(Lines):
    """`async with NodePlant(folder) as plant`: a server process. Its port stays over `kill` and `start`."""

    def __init__(
        self,
        pki: Path,
        *,
        items: int = 0,
        every_ms: int = 0,
        fast: int = 0,
        fast_ms: int = 100,
        namespaces: Sequence[str] = (DECOY, URI),
        secure: bool = False,
        port: int = 0,
    ) -> None:
        super().__init__()
        self.port = port or free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        self.namespaces = tuple(namespaces)
        self._pki = pki
        self._given = {
            "port": self.port,
            "pki": str(pki),
            "items": items,
            "every_ms": every_ms,
            "fast": fast,
            "fast_ms": fast_ms,
            "secure": secure,
        }

    @property
    def certificate(self) -> Path:
        """The server's own, DER or PEM, made at its first start."""
        return self._pki / "own" / "certs" / "certificate.pem"

    async def __aenter__(self) -> "NodePlant":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Raises NoPeer where node or node-opcua can't be had, or the server does not come up."""
        folder = await asyncio.to_thread(modules)
        given = self._given | {"namespaces": list(self.namespaces), "modules": str(folder)}
        await self.begin("node", str(_HERE / "server.js"), json.dumps(given))

    async def ask(self, question: str) -> Any:
        """One line to the server's own side channel, one answer: see server.js."""
        self.say(question)
        return json.loads(await self.line())

    async def count(self, request: str) -> int:
        """Requests of a kind (`WriteRequest`) that have come in since the start."""
        return int((await self.ask("counts")).get(request, 0))


async def subscribed(url: str, *, items: int, every_ms: int, seconds: float) -> dict[str, float]:
    """node-opcua's client as subscriber in a process of its own: {"values", "cpu_s", "sum"} of `seconds`. Raises NoPeer."""
    given = {"url": url, "items": items, "every_ms": every_ms, "seconds": seconds, "modules": str(await asyncio.to_thread(modules))}
    process = await asyncio.create_subprocess_exec(
        "node", str(_HERE / "client.js"), json.dumps(given), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds + START_S_MAX):
            out, error = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise NoPeer("node-opcua's client did not end") from None
    lines = [line for line in out.decode().splitlines() if line.startswith("{")]
    if not lines:
        raise NoPeer(f"node-opcua's client failed: {(error.decode().strip().splitlines() or ['it said nothing'])[-1]}")
    return json.loads(lines[-1])
