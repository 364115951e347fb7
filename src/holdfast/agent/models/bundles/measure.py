"""How fast a model runs on this box: in a process of its own, on one thread, from the second run on; and the memory that it takes.

Only ONNX models are run here: a GGUF model runs in a model server, whose latency the router measures by its requests. Inputs are ones,
of the shapes that the model states; a dimension that it leaves open is 1 where it comes first (the batch), else `length`.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.agent.models.bundles.bundle import Bundle
from holdfast.agent.models.bundles.hardware import cpu
from holdfast.site.modelcard import BundleError
from holdfast.terms import Word

RUNS_MAX = 10_000
SECONDS_MAX = 20.0  # of runs; a slow model gets fewer
TIMEOUT_S = 120.0
LENGTH_MAX = 4096
VALUES_MAX = 1 << 26  # of one input
TYPES: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class Measured(Word):
    """Milliseconds a run, on one thread. `rss_mib` is what the process grew by when the model was loaded and run."""

    digest: str
    runs: int
    length: int
    p50_ms: float
    p95_ms: float
    load_ms: float
    rss_mib: float
    processor: str
    at_ns: int  # UTC


def measured(bundle: Bundle, *, runs: int, length: int, at_ns: int) -> Measured:
    """Raises BundleError."""
    if bundle.card.format != "onnx":
        raise BundleError("model.no_engine", f"{bundle.name} {bundle.version} is {bundle.card.format}: it runs in a model server, not here")
    if not (0 < runs <= RUNS_MAX and 0 < length <= LENGTH_MAX):
        raise BundleError("model.runs", f"from 1 to {RUNS_MAX} runs, of a length from 1 to {LENGTH_MAX}")
    argv = [sys.executable, "-I", "-m", "holdfast.agent.models.bundles.measure", str(bundle.weights), str(runs), str(length)]
    try:
        told = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env={"PATH": os.defpath})
        found = json.loads(told.stdout) if told.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        found = None
        told = None
    if found is None:
        why = told.stderr.strip().splitlines()[-1][:300] if told is not None and told.stderr.strip() else f"no answer in {TIMEOUT_S:g} s"
        raise BundleError("model.broken", f"{bundle.name} {bundle.version} does not run here: {why}")
    (device,) = cpu.probe().devices or (None,)
    return Measured(
        digest=bundle.digest, length=length, processor=device.name if device else "", at_ns=at_ns, **{k: found[k] for k in FIELDS}
    )


FIELDS = ("runs", "p50_ms", "p95_ms", "load_ms", "rss_mib")


def run(weights: Path, runs: int, length: int, seconds: Callable[[], float]) -> dict[str, float]:
    """In this process: load, run once, then up to `runs` times within SECONDS_MAX."""
    runtime: Any = importlib.import_module("onnxruntime")
    before, began = _rss_bytes(), seconds()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    given = {one.name: _ones(one, length) for one in session.get_inputs()}
    session.run(None, given)
    load_ms = 1000 * (seconds() - began)
    took: list[float] = []
    until = seconds() + SECONDS_MAX
    while len(took) < runs and seconds() < until:
        start = seconds()
        session.run(None, given)
        took.append(1000 * (seconds() - start))
    p50_ms, p95_ms = (float(value) for value in np.quantile(took, (0.5, 0.95)))
    grown = (_rss_bytes() - before) / (1 << 20)
    return {
        "runs": len(took),
        "p50_ms": round(p50_ms, 4),
        "p95_ms": round(p95_ms, 4),
        "load_ms": round(load_ms, 2),
        "rss_mib": round(grown, 1),
    }


def _ones(one: Any, length: int) -> Any:
    if one.type not in TYPES:
        raise ValueError(f"the input {one.name} is of {one.type}, which can't be made up")
    shape = tuple(d if isinstance(d, int) and d > 0 else (1 if place == 0 else length) for place, d in enumerate(one.shape))
    if np.prod(shape, dtype=np.int64) > VALUES_MAX:
        raise ValueError(f"the input {one.name} has more than {VALUES_MAX} values")
    return np.ones(shape, dtype=TYPES[one.type])


def _rss_bytes() -> int:
    """Resident memory now (proc(5), statm: pages)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(prog="holdfast.agent.models.bundles.measure")
    parser.add_argument("weights", type=Path)
    parser.add_argument("runs", type=int)
    parser.add_argument("length", type=int)
    given = parser.parse_args()
    try:
        print(json.dumps(run(given.weights, given.runs, given.length, time.perf_counter)))  # noqa: T201
    except Exception as error:  # noqa: BLE001 - whatever onnxruntime raises: its errors have no common root
        print(str(error).splitlines()[0] if str(error) else type(error).__name__, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
