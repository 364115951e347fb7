"""Snap7's own server in C++ as an S7 device: its sources come from the npm package node-snap7, compiled once and kept.

python-snap7's server is not used: it would be the same library at both ends, and it loses the second item of a write of several.
"""

import asyncio
import base64
import hashlib
import os
import signal
import socket
import struct
import subprocess
import tarfile
from pathlib import Path

from holdfast.evals.peers.kept import NoPeer, kept, ran
from holdfast.evals.peers.lines import Lines, free_port

PACKAGE = "node-snap7@1.0.9"
INTEGRITY = "sha512-U+9W8+XOs/4xKqYcn22yHESQzcSuKEhuN6pHLhyl1U5HuLm/kWxkXPzR2QwqFAs87aPfxdBrTI4xKDvwcMoyOw=="
SOURCES = ("core/s7_server.cpp", "core/s7_isotcp.cpp", "core/s7_peer.cpp", "core/s7_text.cpp")
SERVER = Path(__file__).with_name("snap7.cpp")
_CURE = "the peer needs npm, its registry, and g++: apt install npm g++"


def program() -> Path:
    """The server's program, compiled when missing. Raises NoPeer."""
    return kept("snap7", [SERVER], _made) / "server"


def _made(folder: Path) -> None:
    ran(["npm", "pack", "--silent", PACKAGE], folder, _CURE)
    (package,) = folder.glob("*.tgz")
    found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise NoPeer(f"{PACKAGE} is not the package that was pinned: {found}")
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")
    snap7 = folder / "package/deps/snap7/src"
    sources = [*(snap7 / name for name in SOURCES), *(snap7 / "sys").glob("*.cpp")]
    include = [f"-I{snap7 / part}" for part in ("core", "sys", "lib")]
    ran(["g++", "-O1", "-w", *include, SERVER.name, *map(str, sources), "-lpthread", "-o", "server"], folder, _CURE)


class Plc:
    """DB1 of 64 bytes, DB10 of 4096, flags of 128, inputs and outputs of 16, all zero at the start."""

    def __init__(self, *, pdu_bytes: int = 0, clients_max: int = 8) -> None:
        self._arguments = (str(pdu_bytes), str(clients_max))
        self._process: subprocess.Popen[str] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def __enter__(self) -> "Plc":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Raises NoPeer."""
        command = [str(program()), str(self.port), *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._said() != "ready":
            self.kill()
            raise NoPeer(f"Snap7's server did not start: run it by hand to see why: {' '.join(command)}")

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def freeze(self) -> None:
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)  # all its threads stand still before anything is sent to it

    def thaw(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def put(self, area: str, db: int, start: int, data: bytes) -> None:
        if self._told(f"put {area} {db} {start} {data.hex()}") != "done":
            raise ValueError(f"{area}{db} has no byte {start + len(data) - 1}")

    def put_real(self, db: int, start: int, value: float) -> None:
        self.put("DB", db, start, struct.pack(">f", value))

    def get(self, area: str, db: int, start: int, count: int) -> bytes:
        return bytes.fromhex(self._told(f"get {area} {db} {start} {count}"))

    def writes(self) -> int:
        """Items of write requests that it got, refused ones too."""
        return int(self._told("writes"))

    def reads(self) -> int:
        """Items of read requests that it answered."""
        return int(self._told("reads"))

    def clients(self) -> int:
        return int(self._told("clients"))

    def _told(self, line: str) -> str:
        stdin = self._running().stdin
        if stdin is not None:
            stdin.write(line + "\n")
            stdin.flush()
        return self._said()

    def _said(self) -> str:
        stdout = self._running().stdout
        return stdout.readline().strip() if stdout is not None else ""

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise NoPeer("it was not started")
        return self._process


class Cpu(Lines):
    """`async with Cpu() as cpu`: word n of DB10 holds n, from before the first connection on. Its port stays over `kill` and `start`."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    async def __aenter__(self) -> "Cpu":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Raises NoPeer."""
        await self.begin(str(await asyncio.to_thread(program)), str(self.port), "0", "8", "numbered")
