"""The processor: which instruction sets speed models up, how much memory may be used, how fast it is read.

Sources: /proc/cpuinfo and /proc/meminfo (proc(5)), and the control group's memory.max and memory.current (cgroup-v2). Memory that a
container may not use is not there.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from holdfast.agent.models.bundles.hardware.device import Device, Probed

WANTED = (
    "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16",  # x86
    "asimd", "asimddp", "i8mm", "bf16", "sve",  # Arm
)  # fmt: skip
BUFFER_BYTES = 128 << 20  # beyond the caches of most processors
THREADS_MAX = 16
TRIES = 3
TEXT_BYTES_MAX = 1 << 20


def probe(proc: Path = Path("/proc"), group: Path = Path("/sys/fs/cgroup"), *, measure: bool = False) -> Probed:
    """With `measure` the bandwidth too, which takes a few tenths of a second."""
    told, memory = _text(proc / "cpuinfo"), _memory(_text(proc / "meminfo"))
    if "MemTotal" not in memory:
        return Probed(kind="cpu", absent=f"{proc / 'meminfo'} says nothing of memory")
    total, free = memory["MemTotal"], memory.get("MemAvailable", memory["MemTotal"])
    most, used = _number(_text(group / "memory.max")), _number(_text(group / "memory.current"))
    if most is not None:
        total, free = min(total, most), min(free, max(most - (used or 0), 0))
    device = Device(
        kind="cpu",
        name=_field(told, "model name") or _field(told, "CPU implementer") or os.uname().machine,
        memory_mib=total >> 20,
        free_mib=free >> 20,
        bandwidth_gb_s=round(bandwidth_gb_s(time.perf_counter), 1) if measure else 0.0,
        features=_features(told),
        cores=len(os.sched_getaffinity(0)),
    )
    return Probed(kind="cpu", devices=(device,))


def bandwidth_gb_s(seconds: Callable[[], float]) -> float:
    """How fast all cores together read memory once: the best of a few tries."""
    threads = min(len(os.sched_getaffinity(0)), THREADS_MAX)
    parts = np.array_split(np.ones(BUFFER_BYTES // 8), threads)
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(TRIES):
            began = seconds()
            list(pool.map(np.max, parts))
            best = max(best, BUFFER_BYTES / max(seconds() - began, 1e-9) / 1e9)
    return best


def _features(told: str) -> tuple[str, ...]:
    there = set(f"{_field(told, 'flags')} {_field(told, 'Features')}".split())
    return tuple(name for name in WANTED if name in there)


def _field(told: str, name: str) -> str:
    for line in told.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _memory(told: str) -> dict[str, int]:
    """Bytes by name; the file says kB and means KiB."""
    found: dict[str, int] = {}
    for line in told.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def _number(told: str) -> int | None:
    return int(told) if told.strip().isdigit() else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(TEXT_BYTES_MAX).decode(errors="replace")
    except OSError:
        return ""
