"""`bench start`: how long the gate takes from its start until its doors are open, over the demo plant's site, in a folder of its own each.

The real process, started as `holdfast run` starts it: interpreter, imports, site file and policy, log, people, connectors, both doors; the
plant's real servers are there. It waits for no device. A bare interpreter that imports numpy is timed beside it.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options
from holdfast.run.mill import site_file
from holdfast.run.supervise import Home, python, start, start_gate

STARTS = 10
START_MS_MAX = 1_000.0


def run(options: Options) -> Figures:
    figures = asyncio.run(_measured(options.n or STARTS, options))
    return Figures(name="start", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    return figures["start_ms"]["p50"] <= START_MS_MAX


async def _measured(starts: int, options: Options) -> dict[str, Any]:
    taken: list[int] = []
    bare: list[int] = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hf") as folder:  # a socket's path is short
        site = Path(folder) / "site"
        site.mkdir()
        for name in ("site.yaml", "policy.yaml"):
            (site / name).write_text(site_file().with_name(name).read_text())
        argv, log = python("holdfast.sim.serve", "--home", site), Path(folder) / "plant.log"
        plant = await start("the plant", argv, env=os.environ, log=log, stdin=asyncio.subprocess.PIPE)  # it ends with its input
        served = {"HOLDFAST_MILL_URL": str(plant.first["mill_url"]), "HOLDFAST_COOLING_PORT": str(plant.first["cooling_port"])}
        try:
            for done in range(starts):
                options.progress(done / starts, "starts")
                taken.append(await _start(Home(path=Path(folder) / f"home-{done}"), site / "site.yaml", {**os.environ, **served}))
                bare.append(await _bare())
        finally:
            await plant.end()
    return {
        "starts": starts,
        "start_ms": spread(taken),
        "bare_interpreter_with_numpy_ms": spread(bare),
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "aim": {"start_p50_ms_max": START_MS_MAX},
    }


async def _start(home: Home, site: Path, env: dict[str, str]) -> int:
    """Nanoseconds until it printed that its doors are open."""
    began_ns = time.perf_counter_ns()
    gate = await start_gate(home, site, env=env)
    taken_ns = time.perf_counter_ns() - began_ns
    await gate.end()
    return taken_ns


async def _bare() -> int:
    began_ns = time.perf_counter_ns()
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", "import numpy")
    await process.wait()
    return time.perf_counter_ns() - began_ns
