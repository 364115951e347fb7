"""Torn connections again and again under one connector: memory, descriptors and tasks must end where they began."""

import asyncio
import gc
import os
from pathlib import Path
from statistics import median
from typing import Any

from holdfast.evals.faults.scenes import LIMIT_S, Kind, Server, judged, stage

SETTLE = 10  # cycles before the first look, or a third of a short run
GROWTH_KIB_MAX = 1024.0  # of resident memory, from the cycles after the first look to the last ones; caches and fragments move by less
BACKOFF_S = 0.05  # between attempts: a tenth of the supervisor's usual, since it is the attempts that are counted here
PAGE_KIB = os.sysconf("SC_PAGESIZE") / 1024


async def cycled(kind: Kind, seed: int, cycles: int, on: Server | None = None) -> dict[str, Any]:
    """`on`: a server that runs already, as in `scenes.scene`. Raises NoPeer."""
    resident: list[float] = []
    backs: list[float | None] = []
    held: list[tuple[int, int]] = []
    async with stage(kind, seed, backoff_s_min=BACKOFF_S, on=on) as played:
        watch = played.watch
        if await watch.next_good(LIMIT_S) is None:
            return judged(watch, None, "tear") | {"why": watch.why}
        for _ in range(cycles):
            await played.proxy.tear()
            backs.append(await watch.next_good(LIMIT_S))
            if backs[-1] is None:
                break
            await _let_go(len(asyncio.all_tasks()) if not held else held[0][1])
            gc.collect()
            resident.append(_resident_kib())
            held.append((_descriptors(), len(asyncio.all_tasks())))
        await watch.in_time(LIMIT_S)
        worst = None if None in backs else max(back for back in backs if back is not None)
        found = judged(watch, worst, "tear")
    settled = min(SETTLE, cycles // 3)
    window = max((len(resident) - settled) // 4, 1)
    growth_kib = median(resident[-window:]) - median(resident[settled : settled + window])
    descriptors = [
        median(count[at] for count in held[-window:]) - median(count[at] for count in held[settled : settled + window]) for at in (0, 1)
    ]
    flat = growth_kib <= GROWTH_KIB_MAX and max(descriptors) <= 0
    more: dict[str, Any] = {"why": watch.why} if worst is None else {}
    more |= {"cycles": len(backs), "growth_kib": round(growth_kib, 1), "descriptors_more": descriptors[0], "tasks_more": descriptors[1]}
    return found | more | {"aim": {"growth_kib_max": GROWTH_KIB_MAX}, "pass": found["pass"] and flat}


async def _let_go(tasks: int) -> None:
    """The former connection is being closed beside the new one: wait until no more tasks are left than were, a second at most."""
    for _ in range(20):
        if len(asyncio.all_tasks()) <= tasks:
            return
        await asyncio.sleep(0.05)


def _resident_kib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
