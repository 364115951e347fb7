"""OPC UA subscriptions: CPU a value of our connector, of asyncua's client with a handler, and of node-opcua's client.

All values of node-opcua's server change ten times a second. Ours goes as far as frames; asyncua's handler adds the value to a sum,
as node-opcua's does.
"""

import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.client.client import Client

from holdfast.evals.peers.opcua import URI, NodePlant, subscribed
from holdfast.gate.connectors.opcua import OpcUa
from holdfast.terms import Frame, Tag, TagTable

ITEMS = 2_000
EVERY_MS = 100
SECONDS = 6.0  # a round
ASYNCUA_MAX, NODE_MAX = 0.1, 1.0  # ours at most this share of theirs
Cost = tuple[int, float]  # values, CPU seconds


async def measured(rounds: int) -> dict[str, Any]:
    """Raises NoPeer."""
    sums: dict[str, list[float]] = {"holdfast": [0.0, 0.0], "asyncua": [0.0, 0.0], "node_opcua": [0.0, 0.0]}
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with NodePlant(Path(folder) / "pki", items=ITEMS, every_ms=EVERY_MS) as plant:
            for _ in range(rounds):
                for name, cost in (
                    ("holdfast", await _ours(plant.url)),
                    ("asyncua", await _asyncua(plant.url)),
                    ("node_opcua", await _node(plant.url)),
                ):
                    sums[name][0] += cost[0]
                    sums[name][1] += cost[1]
    return judged(
        {name: {"values": int(values), "us_a_value": round(cpu_s / max(values, 1) * 1e6, 3)} for name, (values, cpu_s) in sums.items()}
    )


def judged(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    ours = found["holdfast"]["us_a_value"]
    to_asyncua, to_node = ours / found["asyncua"]["us_a_value"], ours / found["node_opcua"]["us_a_value"]
    enough = found["holdfast"]["values"] >= 0.8 * max(part["values"] for part in found.values())  # asyncua alone falls behind
    return {
        **found,
        "items": ITEMS,
        "every_ms": EVERY_MS,
        "to_asyncua": round(to_asyncua, 4),
        "to_node_opcua": round(to_node, 4),
        "aim": {"to_asyncua_max": ASYNCUA_MAX, "to_node_opcua_max": NODE_MAX},
        "pass": enough and to_asyncua <= ASYNCUA_MAX and to_node <= NODE_MAX,
    }


async def _ours(url: str) -> Cost:
    tags = tuple(Tag(name=f"t{i}", connection="mill", address=f"T{i}", unit="1") for i in range(ITEMS))
    table = TagTable(id="t", connection="mill", period_s=EVERY_MS / 1000, tags=tags)
    mill = OpcUa(name="mill", url=url, security="none", namespace=URI)
    await mill.connect()
    frames = mill.subscribe(table)
    values, last = 0, await anext(frames)
    await _skim(frames, 3.0)
    begun_s, cpu_s = time.monotonic(), time.process_time()
    while time.monotonic() - begun_s < SECONDS:
        frame: Frame = await anext(frames)
        values += int(np.count_nonzero(frame.source_ns != last.source_ns))
        last = frame
    cpu_s = time.process_time() - cpu_s
    await frames.aclose()  # pyright: ignore[reportAttributeAccessIssue]
    await mill.close()
    return values, cpu_s


async def _skim(frames: Any, seconds: float) -> None:
    """First values and first garbage are not counted."""
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < seconds:
        await anext(frames)


class _Handler:
    def __init__(self) -> None:
        self.values, self.sum = 0, 0.0

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.values += 1
        self.sum += value


async def _asyncua(url: str) -> Cost:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    handler: Any = _Handler()
    async with Client(url, timeout=30) as client:
        index = await client.get_namespace_index(URI)
        subscription: Any = await client.create_subscription(EVERY_MS, handler)
        for first in range(0, ITEMS, 1000):
            nodes = [client.get_node(ua.NodeId(f"T{i}", index)) for i in range(first, min(first + 1000, ITEMS))]  # pyright: ignore[reportArgumentType]
            await subscription.subscribe_data_change(nodes, queuesize=1, sampling_interval=EVERY_MS)
        await asyncio.sleep(3.0)
        before, cpu_s = handler.values, time.process_time()
        await asyncio.sleep(SECONDS)
        return handler.values - before, time.process_time() - cpu_s


async def _node(url: str) -> Cost:
    found = await subscribed(url, items=ITEMS, every_ms=EVERY_MS, seconds=SECONDS)
    return int(found["values"]), found["cpu_s"]
