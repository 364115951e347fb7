"""`bench start`: how long the gate takes from its start until its doors are open, over the demo plant's site, in a folder of its own each.

The real process, started as `holdfast run` starts it: interpreter, imports, site file and policy, log, people, connectors, both doors. Its
plant is away, since waiting for devices is no part of it. A bare interpreter that imports numpy is timed beside it.
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
from holdfast.run.supervise import Home, start_gate

STARTS = 10
START_MS_MAX = 1_000.0
NOWHERE = {"HOLDFAST_MILL_URL": "opc.tcp://127.0.0.1:9", "HOLDFAST_COOLING_PORT": "9"}  # discard: nobody listens


def run(options: Options) -> Figures:
    figures = asyncio.run(_measured(options.n or STARTS, options))
    return Figures(name="start", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    return figures["start_ms"]["p50"] <= START_MS_MAX


async def _measured(starts: int, options: Options) -> dict[str, Any]:
    taken: list[int] = []
    bare: list[int] = []
    load = os.getloadavg()[0]
    for done in range(starts):
        options.progress(done / starts, "starts")
        with tempfile.TemporaryDirectory(prefix="hf") as folder:  # a socket's path is short
            began_ns = time.perf_counter_ns()
            gate = await start_gate(Home(path=Path(folder)), site_file(), env={**os.environ, **NOWHERE})
            taken.append(time.perf_counter_ns() - began_ns)
            await gate.end()
        began_ns = time.perf_counter_ns()
        beside = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", "import numpy")
        await beside.wait()
        bare.append(time.perf_counter_ns() - began_ns)
    return {
        "starts": starts,
        "start_ms": spread(taken),
        "bare_interpreter_with_numpy_ms": spread(bare),
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "aim": {"start_p50_ms_max": START_MS_MAX},
    }
