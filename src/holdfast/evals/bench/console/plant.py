"""The console bench's plant: a real Modbus TCP device with 200 registers, each of which has moved at every look.

Prints `{"port": …}` when it listens; SIGTERM ends it.
"""

import asyncio
import json
import math
import signal
import sys
import time
from collections.abc import Sequence

from holdfast.evals.bench.console.written import REGISTERS
from holdfast.sim.modbus_server import ModbusServer

RAW_MIDDLE, RAW_SWING = 5_000, 3_000  # of 0 to 10,000


def registers() -> Sequence[int]:
    """A wave each, every one a little behind the one before."""
    now_s = time.monotonic()
    return [round(RAW_MIDDLE + RAW_SWING * math.sin(now_s / 3 + i / 10)) for i in range(REGISTERS)]


async def serve() -> None:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    server = ModbusServer(1, registers, lambda address, words: False)
    await server.start()
    sys.stdout.write(json.dumps({"port": server.port}) + "\n")
    sys.stdout.flush()
    await end.wait()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve())
