"""mosquitto, Debian's MQTT broker, on a free loopback port."""

import asyncio
import contextlib
import os
import shutil
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.lines import free_port

START_S_MAX, LOOK_S = 30.0, 0.02


class Broker:
    """`async with Broker(folder) as broker`: anybody may do anything. Raises NoPeer."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        self._process: Process | None = None

    async def __aenter__(self) -> "Broker":
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise NoPeer("mosquitto is not installed: apt install mosquitto")
        as_us = ("user root",) if os.getuid() == 0 else ()  # else mosquitto becomes a user who may not read our folder
        lines = (f"listener {self.port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0", *as_us, "")
        self._file.write_text("\n".join(lines), encoding="utf-8")
        self._process = await asyncio.create_subprocess_exec(program, "-c", str(self._file), stdout=DEVNULL, stderr=DEVNULL)
        for _ in range(round(START_S_MAX / LOOK_S)):
            if await self._listens():
                return self
            await asyncio.sleep(LOOK_S)
        await self.__aexit__()
        raise NoPeer("mosquitto did not start")

    async def __aexit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True
