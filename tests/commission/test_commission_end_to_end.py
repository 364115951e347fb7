"""`holdfast commission` against a real gate on the simulated mill's own servers, where the operator makes the bump test."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.clock import RealClock
from holdfast.gate.history.store import History
from holdfast.gate.identity.people import People
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State
from holdfast.run.desk import Desk
from holdfast.run.mill import past
from holdfast.run.supervise import Home, start_gate
from holdfast.run.wired import addresses, start_plant, tell
from holdfast.site.load import load

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
LOOP, PASSWORD, FACTOR = "stand-4/tension", "brass kettle orchard", 20.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hf") as path:  # short: a socket's path has 107 bytes
        yield Path(path)


def people_and_past(home: Home, site: Path, until_ns: int) -> None:
    home.gate.mkdir(parents=True, mode=0o700)
    state = State(home.gate)
    People(state, Log(state, RealClock()), RealClock(), os.urandom).add("ann", ["operator"], PASSWORD)
    state.close()
    history = History(home.gate / "history.db", durable=False)
    for frame in past(load(site).site, 1, until_ns, rows=900):
        history.append(frame)
    history.close()


async def holdfast(home: Home, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *HOLDFAST, *arguments, "--home", str(home.path), "--as", "ann",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, errors = await asyncio.wait_for(process.communicate(f"{PASSWORD}\n".encode()), 40)
    assert b"Traceback" not in errors, errors.decode()
    assert process.returncode is not None
    return process.returncode, said.decode(), errors.decode()


async def commission(home: Home, *arguments: str) -> tuple[int, str, str]:
    return await holdfast(home, "commission", LOOP, *arguments)


async def bump_when_asked(desk: Desk, plant: object) -> None:
    """The operator at his panel: moves his setpoint once the gate waits for it."""
    async with asyncio.timeout(20):
        while True:  # told by no event
            if (await desk.commissioning(LOOP))["waiting"]:
                break
            await asyncio.sleep(0.05)
    assert "error" not in await tell(plant, "operator tension 101.5")  # type: ignore[arg-type]


async def test_a_loop_of_the_mill_is_wired_bumped_by_its_operator_rehearsed_and_printed_in_both_languages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch_ns = time.time_ns()
    clock = ("--epoch-ns", str(epoch_ns), "--factor", str(FACTOR))
    plant, site = await start_plant("normal", 1, folder, *clock)
    home, desk = Home(path=folder / "home"), Desk(folder / "home")
    for name, value in addresses(plant).items():
        monkeypatch.setenv(name, value)
    people_and_past(home, site, epoch_ns)
    gate = await start_gate(home, site, env={**os.environ, **addresses(plant)}, clock=clock)
    try:
        await tell(plant, "operator tension 100.5")
        async with asyncio.timeout(20):
            while True:  # told by no event
                if min((await desk.status())["rows"].values()) >= 60:
                    break
                await asyncio.sleep(0.1)
        (code, said, errors), _ = await asyncio.gather(
            commission(home, "--step", "1.0", "--within-s", "400", "--json"), bump_when_asked(desk, plant)
        )
        assert code == 0, said + errors
        found = json.loads(said)
        assert (found["rung"], found["next"], found["signed"][0]["person"]) == ("wiring", "simulate", "ann")
        figures = {name: float(value) for name, value in found["signed"][0]["found"]["figures"]}
        assert figures["step"] == pytest.approx(1.0, abs=0.05)
        assert figures["gain"] == pytest.approx(1.0, abs=0.5)
        assert "wiring.unit" in {c["code"] for c in found["signed"][0]["found"]["checks"]}  # the OPC UA server says its units
        code, said, errors = await commission(home, "--hours", "1", "--lang", "zh", "--out", str(folder / "protocol.html"))
        assert code == 0, said + errors
        printed = (folder / "protocol.html").read_text()
        assert all(word in printed for word in ("S4-TIC-401", "因果矩阵", "接线检查", "由 ann（operator）于", "large tension"))
        code, said, _ = await commission(home, "--step", "1.0", "--lang", "en")
        assert (code, "signed up to shadow" in said, "Cause and effect" in said) == (0, True, True)
        code, said, _ = await holdfast(home, "resolve", "nothing", "verified", "--reason", "looked")
        assert (code, "nothing to resolve" in said) == (1, True)
    finally:
        await desk.close()
        await gate.end()
        await plant.end()
