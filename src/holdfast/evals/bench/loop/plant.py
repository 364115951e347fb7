"""The bench's plant: a real Modbus TCP device in a process of its own, with one loop that follows at once.

Prints `{"port": …}` when it listens and, when it is ended, `{"writes": …, "last": …}`: what it received, by its own count.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence

from holdfast.sim.modbus_server import ModbusServer

REGISTERS = 25
SP, SP_NOW, PV, PERMIT, STATE = range(5)
START_RAW = 5_000  # 50 bar


class Device:
    def __init__(self) -> None:
        self._registers = [20] * REGISTERS
        self._registers[SP] = self._registers[SP_NOW] = START_RAW
        self._registers[PERMIT] = self._registers[STATE] = 1
        self.writes = 0
        self.last = START_RAW

    def read(self) -> Sequence[int]:
        self._registers[PV] = 4_000 + time.monotonic_ns() // 1_000_000 % 2_000  # never stuck
        return self._registers

    def write(self, address: int, words: Sequence[int]) -> bool:
        """Only the external setpoint can be written; the loop selects it at once."""
        if address != SP or len(words) != 1:
            return False
        self.writes += 1
        self.last = self._registers[SP] = self._registers[SP_NOW] = words[0]
        return True


async def serve() -> None:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    device = Device()
    server = ModbusServer(1, device.read, device.write)
    await server.start()
    _say({"port": server.port})
    await end.wait()
    await server.stop()
    _say({"writes": device.writes, "last": device.last})


def _say(what: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
