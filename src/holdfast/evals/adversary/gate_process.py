"""The gate in a process of its own, as `holdfast run` starts it, on a clock that the attack suite sets through a socket.

Everything is the real process's: `process.run` with its doors, its pulse, its connections, the configuration in force and the egress
lock. Only the clock is another, and its door is here: nothing under `run` can import this file (import-linter), and no option
leads to it. Passwords are cheap and commits not durable, as everywhere in this suite.
"""

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from holdfast.gate import process
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.identity.seal import Cost

LOOK_S_MAX = 0.002  # real ones: who waits for a clock that stands looks again so often
SPEED = 50.0  # and sooner where it waits for less
ROUNDS = 2  # the round that runs may have begun before; the next one has seen all
SETTLE_S_MAX = 60.0  # real ones: a machine may be busy
LINE_BYTES_MAX = 1 << 16
MESSAGES_PER_S = 20.0
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.connect", "socket.sendto", "socket.sendmsg")


class SetClock:
    """Stands still until it is set."""

    def __init__(self, monotonic: int, offset_ns: int) -> None:
        self.monotonic, self.offset_ns = monotonic, offset_ns

    def now_ns(self) -> int:
        return self.monotonic + self.offset_ns

    def monotonic_ns(self) -> int:
        return self.monotonic

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self.real_s(seconds))

    def real_s(self, seconds: float) -> float:
        return min(seconds / SPEED, LOOK_S_MAX)


class Rounds:
    """How often the gate went round: told by a wrapper, so that nothing of the gate is changed."""

    def __init__(self, gate: Gatekeeper) -> None:
        self.gate = gate
        self.ended = 0
        self._advance: Callable[[], Awaitable[bool]] = gate.advance
        gate.advance = self._counted  # type: ignore[method-assign]

    async def _counted(self) -> bool:
        changed = await self._advance()
        self.ended += 1
        return changed

    async def settle(self, *, frames: bool) -> bool:
        """Until every table was read anew and the gate went round after that. False where that did not come about."""
        try:
            async with asyncio.timeout(SETTLE_S_MAX):
                if frames:
                    rings = self.gate.rings.values()
                    seen = [ring.next_seq + ROUNDS for ring in rings]
                    while any(ring.next_seq < wanted for ring, wanted in zip(rings, seen, strict=True)):  # noqa: ASYNC110 - it must not know
                        await asyncio.sleep(0.001)
                wanted = self.ended + ROUNDS
                while self.ended < wanted:
                    self.gate.on_proposal()  # wake the pulse
                    await asyncio.sleep(0)
        except TimeoutError:
            return False
        return True


async def clock_door(sock: socket.socket, clock: SetClock, rounds: Rounds, passed: list[str]) -> None:
    """A line `{"monotonic", "offset_ns", "frames", "heard"}` sets the clock; the answer comes when the gate has settled.

    `heard`: the agents spoke meanwhile; a leap of minutes is no silence.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked: dict[str, Any] = json.loads(line)
            clock.monotonic, clock.offset_ns = asked["monotonic"], asked["offset_ns"]
            if asked["heard"]:
                rounds.gate.watchdog.heard()
            settled = await rounds.settle(frames=asked["frames"])
            writer.write(json.dumps({"settled": settled, "passed": passed[-20:]}).encode() + b"\n")
            await writer.drain()

    server = await asyncio.start_unix_server(serve, sock=sock, limit=LINE_BYTES_MAX)
    async with server:
        await server.serve_forever()


def witness(passed: list[str]) -> None:
    """Note each look-up and each connection to the network that the egress lock let pass: a hook that is asked after the lock's own."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in LOOKUPS:
            asked = list(arguments)
            if getattr(asked[0], "family", None) != socket.AF_UNIX:
                passed.append(f"{event} {asked[0 if event.startswith('socket.get') else 1]!r}")

    sys.addaudithook(hook)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--site", "--home", "--clock"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--monotonic", "--offset-ns"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--boot", required=True)
    given = parser.parse_args()
    clock, folder = SetClock(given.monotonic, given.offset_ns), given.home / "gate"
    settled = process.in_force(given.site, folder, clock)
    connectors = process.connectors_of(settled.active.site, given.site.parent, clock, folder)
    cheap = Cost(passes=1, memory_kib=8, lanes=1)
    gate, agents = process.open_gate(
        settled.active.site, folder, clock, connectors, durable=False, cost=cheap, boot=given.boot, site_folder=given.site.parent
    )
    gate.on_disk = settled.on_disk
    gate.errands.lock(settled.active.site, given.site.parent)
    passed: list[str] = []
    witness(passed)
    rounds = Rounds(gate)

    async def both() -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(given.clock))
        sock.listen()
        door = asyncio.create_task(clock_door(sock, clock, rounds, passed))
        try:
            await process.run(gate, agents, given.home, clock_name="virtual", ready="{}", messages_per_s=MESSAGES_PER_S)
        finally:
            door.cancel()

    asyncio.run(both())


if __name__ == "__main__":
    main()
