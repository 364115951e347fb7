"""A peer's process: told and asked in lines on its standard input and output, stopped, thawed and killed from here."""

import asyncio
import contextlib
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process

from holdfast.evals.peers.kept import NoPeer

START_S_MAX = 180.0  # node reads hundreds of files first: seconds, and minutes on a machine that is full
ANSWER_S_MAX = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lines:
    """One process at a time. It says `ready` once it is."""

    def __init__(self) -> None:
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        return self._running().pid

    async def begin(self, *command: str) -> None:
        """Raises NoPeer where it does not come up."""
        try:
            self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
            async with asyncio.timeout(START_S_MAX):
                if await self._next() != "ready":
                    raise NoPeer(f"{command[0]} ended while it started: run it by hand to see why: {' '.join(command)}")
        except FileNotFoundError:
            raise NoPeer(f"{command[0]} is not installed") from None
        except TimeoutError:
            await self.kill()
            raise NoPeer(f"{command[0]} was not ready within {START_S_MAX:g} s") from None
        except NoPeer:
            await self.kill()
            raise

    def say(self, line: str) -> None:
        stdin = self._running().stdin
        if stdin is not None:
            stdin.write(line.encode() + b"\n")

    async def line(self) -> str:
        """The next line. Raises TimeoutError after ANSWER_S_MAX."""
        async with asyncio.timeout(ANSWER_S_MAX):
            return await self._next()

    async def kill(self) -> None:
        """At once, as when the power fails. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def _next(self) -> str:
        stdout = self._running().stdout
        return (await stdout.readline()).decode().strip() if stdout is not None else ""

    def _running(self) -> Process:
        if self._process is None:
            raise NoPeer("it was not started")
        return self._process
