"""The demo plant as a process of its own: real OPC UA and Modbus servers on free ports of 127.0.0.1.

    python -m holdfast.sim.serve --scenario chatter --seed 1 --home DIR --epoch-ns N --factor 60 [--lockstep]

Writes mill-server.der and mill.login into DIR, prints one JSON line with mill_url and cooling_port when it is ready,
then takes lines on standard input and answers each with one JSON line:

    step 1.0                 (with --lockstep) step the plant; answers once the servers show it
    report                   defects, metres, tonnes, writes_sent, writes_outside, received, alarm_s
    operator tension 101.5   the operator takes the loop and sets his own setpoint
    mode tension external    manual, auto or external
    permit tension 0         the operator's switch

The end of standard input or SIGTERM ends it.
"""

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from holdfast.clock import ScaledClock
from holdfast.sim.mill import EPOCH_NS
from holdfast.sim.mill.judge import judge
from holdfast.sim.mill.plant import Mill
from holdfast.sim.mill.points import FIRST_REGISTER, MODES, POINTS, REGISTERS
from holdfast.sim.modbus_server import ModbusServer
from holdfast.sim.opcua_server import MillServer
from holdfast.site.load import load
from holdfast.site.model import Site

SITE = Path(__file__).parent / "mill" / "site.yaml"
UNIT_ID = 1
LATE_STEPS_MAX = 120  # caught up in one go after a stall; more is skipped time, and said
LOOP_AT = {"tension": "Stand4.Tension", "emulsion": "Stand4.Emulsion", "strip_temp": "Furnace.StripTemp"}
Answer = dict[str, "str | float | list[list[float | str]] | None"]  # one line of JSON, made where it is printed


class Plant:
    """The mill with both servers."""

    def __init__(self, mill: Mill, site: Site | None, epoch_ns: int, user: str, password: str) -> None:
        self.mill = mill
        self.site = site
        self.opcua = MillServer(mill, epoch_ns, user, password)
        self.modbus = ModbusServer(UNIT_ID, self._registers, lambda address, words: False)

    async def start(self) -> None:
        await self.opcua.start()
        await self.modbus.start()

    async def stop(self) -> None:
        await self.modbus.stop()
        await self.opcua.stop()

    async def step(self, dt_s: float) -> None:
        """One step, then the servers show it, or are gone while their link is down."""
        self.mill.step(dt_s)
        up = self.mill.link_up("cooling")
        if up != self.modbus.up:
            await (self.modbus.start() if up else self.modbus.stop())
        up = self.mill.link_up("mill")
        await self.opcua.set_up(up)
        if up:
            await self.opcua.publish()

    def report(self) -> Answer:
        mill = self.mill
        verdict = judge(self.site, tuple(mill.received), mill.moved) if self.site is not None else None
        return {
            "time_s": mill.time_s,
            "defects": mill.defects,
            "metres": mill.metres,
            "metres_off_gauge": mill.metres_off_gauge,
            "tonnes": mill.tonnes,
            "defect_rate": mill.defect_rate_per_km,
            "alarm_s": mill.operator.alarm.first_s,
            "alarm_episodes": mill.operator.alarm.episodes,
            "heartbeats": mill.heartbeats,
            "writes_sent": verdict.writes_sent if verdict else len(mill.received),
            "writes_outside": verdict.writes_outside if verdict else None,
            "received": [[write.at_s, write.address, write.value] for write in mill.received],
        }

    def _registers(self) -> list[int]:
        words = [0] * REGISTERS
        for point, raw in zip(POINTS[FIRST_REGISTER:], self.mill.registers, strict=True):
            words[point.register] = raw & 0xFFFF
        return words


class Panel:
    """Standard input's lines. An unknown line is answered with its error, never ignored."""

    def __init__(self, plant: Plant, lockstep: bool) -> None:
        self.plant, self.lockstep = plant, lockstep
        self.verbs: dict[str, Callable[[str, str], None]] = {"operator": self._sets, "mode": self._mode, "permit": self._permit}

    async def answer(self, line: str) -> Answer:
        words = line.split()
        mill = self.plant.mill
        try:
            if words[0] == "step" and self.lockstep:
                await self.plant.step(float(words[1]))
            elif words[0] == "report":
                return self.plant.report()
            else:
                self.verbs[words[0]](LOOP_AT[words[1]], words[2])
        except (IndexError, KeyError, ValueError) as error:
            return {"error": f"{line.strip()!r} is no line this plant takes ({error}); see python -m holdfast.sim.serve --help"}
        return {"time_s": mill.time_s}

    def _sets(self, loop: str, value: str) -> None:
        self.plant.mill.operator_sets(loop, float(value))

    def _mode(self, loop: str, name: str) -> None:
        self.plant.mill.operator_mode(loop, {word: number for number, word in MODES}[name])

    def _permit(self, loop: str, on: str) -> None:
        self.plant.mill.operator_permit(loop, bool(int(on)))


async def run_clock(plant: Plant, clock: ScaledClock) -> None:
    """Step a plant second each second of the clock. After a long stall the missed time is skipped, and said."""
    start_ns = clock.epoch_ns
    done = 0
    while True:
        due = int((clock.now_ns() - start_ns) / 1e9)
        if due - done > LATE_STEPS_MAX:
            print(f"plant: stalled, {due - done - LATE_STEPS_MAX} s skipped", file=sys.stderr)  # noqa: T201
            skipped_ns = (due - done - LATE_STEPS_MAX) * 1_000_000_000
            start_ns += skipped_ns
            plant.opcua.epoch_ns += skipped_ns  # its stamps stay those of the clock
            continue
        if due <= done:
            await clock.sleep(max(done + 1 - (clock.now_ns() - start_ns) / 1e9, 0.001))
            continue
        await plant.step(1.0)
        done += 1


async def serve(options: argparse.Namespace) -> None:
    home: Path = options.home
    if options.epoch_ns is None:
        options.epoch_ns = EPOCH_NS if options.lockstep else time.time_ns()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    user, password = "gate", secrets.token_urlsafe(18)
    plant = Plant(Mill(options.seed, options.scenario), None, options.epoch_ns, user, password)
    await plant.start()
    keep(home / "mill-server.der", plant.opcua.certificate)
    keep(home / "mill.login", f"{user}:{password}".encode())
    # The loader resolves the addresses' env: references, so they are set before the site file is read.
    os.environ["HOLDFAST_MILL_URL"], os.environ["HOLDFAST_COOLING_PORT"] = plant.opcua.url, str(plant.modbus.port)
    plant.site = load(options.site).site
    lines = asyncio.StreamReader(limit=4096)
    loop = asyncio.get_running_loop()
    if has_panel(sys.stdin.fileno()):
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say({"mill_url": plant.opcua.url, "cooling_port": plant.modbus.port})
    panel = Panel(plant, options.lockstep)
    clock = None if options.lockstep else asyncio.create_task(run_clock(plant, ScaledClock(options.epoch_ns, options.factor)))
    listening = asyncio.create_task(listen(panel, lines))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, listening.cancel)
    try:
        await asyncio.wait([task for task in (listening, clock) if task is not None], return_when=asyncio.FIRST_COMPLETED)
        if clock is not None and clock.done():
            clock.result()  # a broken plant ends the process with its cause
    finally:
        for task in (listening, clock):
            if task is not None:
                task.cancel()
        await plant.stop()


def has_panel(descriptor: int) -> bool:
    """Whether lines can come: from a pipe, a socket or a terminal. Without (</dev/null) the plant runs until SIGTERM."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


async def listen(panel: Panel, lines: asyncio.StreamReader) -> None:
    while line := await lines.readline():
        if line.strip():
            say(await panel.answer(line.decode()))


def say(answer: Answer) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201


def keep(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def main() -> None:
    parser = argparse.ArgumentParser(prog="holdfast.sim.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="normal")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--epoch-ns", type=int, help="plant time zero; now, or with --lockstep a fixed Monday")
    parser.add_argument("--factor", type=float, default=1.0)
    parser.add_argument("--lockstep", action="store_true")
    parser.add_argument("--site", type=Path, default=SITE)
    logging.getLogger("asyncua").setLevel(logging.ERROR)  # its warnings are about clients' habits, not about the plant
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
