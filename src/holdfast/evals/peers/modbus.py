"""libmodbus, in C, as a Modbus TCP device and client: compiled here with gcc from Debian's libmodbus-dev."""

import asyncio
from pathlib import Path

from holdfast.evals.peers.kept import kept, ran
from holdfast.evals.peers.lines import Lines, free_port

_HERE = Path(__file__).parent / "libmodbus"
_CURE = "the peer needs gcc and libmodbus: apt install gcc libmodbus-dev"
LOCKED = 9000  # registers from this offset on can't be written


def programs() -> Path:
    """The folder with `server` and `writes`, compiled when missing. Raises NoPeer."""

    def make(folder: Path) -> None:
        for name in ("server", "writes"):
            ran(["gcc", "-O2", "-Wall", "-I/usr/include/modbus", "-o", name, f"{name}.c", "-lmodbus"], folder, _CURE)

    return kept("libmodbus", [_HERE / "server.c", _HERE / "writes.c"], make)


class Device(Lines):
    """`async with Device() as device`: holding and input register n holds n. Its port stays over `kill` and `start`."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    async def __aenter__(self) -> "Device":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Raises NoPeer."""
        folder = await asyncio.to_thread(programs)
        await self.begin(str(folder / "server"), str(self.port))

    async def writes(self) -> int:
        """Write requests since the start."""
        self.say("writes")
        return int(await self.line())

    async def holds(self, offset: int) -> int:
        self.say(f"holds {offset}")
        return int(await self.line())


class Writes(Lines):
    """libmodbus's client: bare writes, timed in C."""

    async def start(self, port: int) -> None:
        """Raises NoPeer."""
        folder = await asyncio.to_thread(programs)
        await self.begin(str(folder / "writes"), str(port))

    async def times(self, count: int) -> list[int]:
        """Nanoseconds of each of `count` writes, made one after the other."""
        self.say(str(count))
        return [int(await self.line()) for _ in range(count)]
