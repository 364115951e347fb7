"""Modbus TCP: CPU of a read of 125 registers beside pymodbus's, and a write's time beside libmodbus's client in C.

The device is libmodbus's server. A read is compared as pymodbus gives it, a list of 125 numbers; `holdfast_samples` is
the connector's `read`, whose samples carry tag, status and time. A write is a connector's whole `write`: encoding, request, echo compared;
`event_loop` is the same bytes sent and their answer awaited by the barest protocol on the same event loop, below which no client on it can
go. Device and clients share one core.
"""

import asyncio
import gc
import importlib.util
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from holdfast.evals.bench.connect.one_core import one_core
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.modbus import Device, Writes
from holdfast.gate.connectors.mbap import Mbap
from holdfast.gate.connectors.modbus import Modbus
from holdfast.terms import Tag

READS, WRITES, TURNS = 1_000, 50, 20  # a round
REGISTERS = 125
PYMODBUS_MAX, LIBMODBUS_MAX = 0.2, 1.3
TIMEOUT_S = 3.0


async def measured(rounds: int) -> dict[str, Any]:
    """Raises NoPeer."""
    if importlib.util.find_spec("pymodbus") is None:
        raise NoPeer("pymodbus is not installed; it is measured beside: pip install pymodbus")

    with one_core():
        return await _measured(rounds)


async def _measured(rounds: int) -> dict[str, Any]:
    from pymodbus.client import AsyncModbusTcpClient

    async with Device() as device:
        mill = Modbus(name="mill", host="127.0.0.1", port=device.port, words_max=REGISTERS)
        await mill.connect()
        link = _link(mill)
        rival = AsyncModbusTcpClient("127.0.0.1", port=device.port)
        await rival.connect()
        tags = [Tag(name=f"t{i}", connection="mill", address=f"{40001 + i}:uint16", unit="1") for i in range(REGISTERS)]
        pdu = struct.pack(">BHH", 3, 0, REGISTERS)

        async def ours() -> list[int]:
            return list(struct.unpack_from(f">{REGISTERS}H", await link.request(pdu, timeout_s=TIMEOUT_S), 1))

        async def theirs() -> list[int]:
            return list((await rival.read_holding_registers(0, count=REGISTERS)).registers)

        async def samples() -> list[float]:
            return [float(sample.value) for sample in await mill.read(tags)]  # pyright: ignore[reportArgumentType]

        sums = {"holdfast": 0.0, "pymodbus": 0.0, "holdfast_samples": 0.0}
        for _ in range(rounds):
            for name, ask in (("holdfast", ours), ("pymodbus", theirs), ("holdfast_samples", samples)):
                sums[name] += await _cpu_s(ask)
        rival.close()
        times = await _writes(mill, tags[100], device.port, rounds)
        await mill.close()
    return judged({name: round(cpu_s / (rounds * READS) * 1e6, 2) for name, cpu_s in sums.items()}, times)


def judged(read_us: dict[str, float], times_ns: dict[str, list[int]]) -> dict[str, Any]:
    ours, bare, loop = (spread(times_ns[who], unit_ns=1e3) for who in ("holdfast", "libmodbus", "event_loop"))
    to_pymodbus = read_us["holdfast"] / read_us["pymodbus"]
    to_libmodbus = (ours["p50"] or 0.0) / (bare["p50"] or 1.0)
    return {
        "read_us": read_us,
        "registers": REGISTERS,
        "to_pymodbus": round(to_pymodbus, 4),
        "write_us": {"holdfast": ours, "libmodbus": bare, "event_loop": loop},
        "write_p50_to_libmodbus": round(to_libmodbus, 3),
        "event_loop_p50_to_libmodbus": round((loop["p50"] or 0.0) / (bare["p50"] or 1.0), 3),
        "aim": {"to_pymodbus_max": PYMODBUS_MAX, "write_p50_to_libmodbus_max": LIBMODBUS_MAX},
        "pass": to_pymodbus <= PYMODBUS_MAX and to_libmodbus <= LIBMODBUS_MAX,
    }


def _link(mill: Modbus) -> Mbap:
    link = mill._link  # pyright: ignore[reportPrivateUsage]
    if link is None:
        raise NoPeer("the connection to libmodbus's server broke")
    return link


async def _cpu_s(ask: Callable[[], Awaitable[list[Any]]]) -> float:
    expected = list(range(REGISTERS))
    if await ask() != expected:
        raise NoPeer("the answer is not what libmodbus's server holds")
    gc.collect()
    begun_s = time.process_time()
    for _ in range(READS):
        await ask()
    return time.process_time() - begun_s


class _Barest(asyncio.Protocol):
    """Sends, and gives the next bytes that come to whoever waits."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._answer.set_result(data)

    def ask(self, message: bytes) -> "asyncio.Future[bytes]":
        if self._transport is None:
            raise NoPeer("libmodbus's server did not take a second connection")
        self._answer = self._loop.create_future()
        self._transport.write(message)
        return self._answer

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _writes(mill: Modbus, tag: Tag, port: int, rounds: int) -> dict[str, list[int]]:
    """In turns, nanoseconds each."""
    times: dict[str, list[int]] = {"holdfast": [], "libmodbus": [], "event_loop": []}
    rival = Writes()
    await rival.start(port)
    _, barest = await asyncio.get_running_loop().create_connection(_Barest, "127.0.0.1", port)
    offset = int(tag.address.partition(":")[0]) - 40001
    for _ in range(rounds * TURNS):
        times["libmodbus"] += await rival.times(WRITES)
        for n in range(WRITES):
            begun_ns = time.perf_counter_ns()
            said = await mill.write(tag, n, timeout_s=TIMEOUT_S)
            times["holdfast"].append(time.perf_counter_ns() - begun_ns)
            if said != "acked":
                raise NoPeer(f"libmodbus's server answered a write so that it is {said}")
        for n in range(WRITES):
            begun_ns = time.perf_counter_ns()
            await barest.ask(struct.pack(">HHHBBHH", n, 0, 6, 1, 6, offset, n))
            times["event_loop"].append(time.perf_counter_ns() - begun_ns)
    barest.end()
    await rival.kill()
    return times
