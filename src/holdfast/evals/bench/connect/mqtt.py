"""MQTT: CPU a message of our connector, of aiomqtt's client and of paho's own.

mosquitto stands between; a process of its own publishes a number on each of many topics. Ours goes as far as frames with status and
time; aiomqtt's `messages` and paho's callback add the number to a sum. How many messages came is counted by what came, each client its own.
"""

import asyncio
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.mosquitto import Broker
from holdfast.terms import Tag, TagTable

TOPICS, EVERY_MS = 500, 100
SECONDS = 5.0  # a round
WARM_S = 1.5
AIOMQTT_MAX = 0.5
Cost = tuple[int, float]  # messages, CPU seconds


async def measured(rounds: int) -> dict[str, Any]:
    """Raises NoPeer."""
    for needed in ("aiomqtt", "paho"):
        if importlib.util.find_spec(needed) is None:
            raise NoPeer(f"{needed} is not installed; it is measured beside: pip install {needed}")
    sums: dict[str, list[float]] = {"holdfast": [0.0, 0.0], "aiomqtt": [0.0, 0.0], "paho": [0.0, 0.0]}
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        async with Broker(Path(folder)) as broker:
            talker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "holdfast.evals.bench.connect.talker", str(broker.port), str(TOPICS), str(EVERY_MS)
            )
            try:
                for _ in range(rounds):
                    for name, ask in (("holdfast", _ours), ("aiomqtt", _aiomqtt), ("paho", _paho)):
                        messages, cpu_s = await ask(broker.port)
                        sums[name][0] += messages
                        sums[name][1] += cpu_s
            finally:
                talker.kill()
                await talker.wait()
    return judged({name: {"messages": int(n), "us_a_message": round(cpu_s / max(n, 1) * 1e6, 2)} for name, (n, cpu_s) in sums.items()})


def judged(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    to_aiomqtt = found["holdfast"]["us_a_message"] / found["aiomqtt"]["us_a_message"]
    to_paho = found["holdfast"]["us_a_message"] / found["paho"]["us_a_message"]
    enough = found["holdfast"]["messages"] >= 0.8 * max(part["messages"] for part in found.values())
    return {
        **found,
        "topics": TOPICS,
        "every_ms": EVERY_MS,
        "to_aiomqtt": round(to_aiomqtt, 3),
        "to_paho": round(to_paho, 3),
        "aim": {"to_aiomqtt_max": AIOMQTT_MAX},
        "pass": enough and to_aiomqtt <= AIOMQTT_MAX,
    }


async def _ours(port: int) -> Cost:
    from holdfast.gate.connectors.mqtt import Mqtt

    tags = tuple(Tag(name=f"t{i}", connection="hall", address=f"plant/t{i}", unit="1") for i in range(TOPICS))
    table = TagTable(id="t", connection="hall", period_s=EVERY_MS / 1000, tags=tags)
    hall = Mqtt(name="hall", host="127.0.0.1", port=port, security="none")
    await hall.connect()
    frames = hall.subscribe(table)
    last = await anext(frames)
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < WARM_S:
        last = await anext(frames)
    values, sum_ = 0, 0.0
    begun_s, before, cpu_s = time.monotonic(), hall.health()["messages"], time.process_time()
    while time.monotonic() - begun_s < SECONDS:
        frame = await anext(frames)
        values += int(np.count_nonzero(frame.source_ns != last.source_ns))
        sum_ += float(frame.values.sum())
        last = frame
    cpu_s = time.process_time() - cpu_s
    messages = hall.health()["messages"] - before
    await frames.aclose()  # type: ignore[attr-defined]
    await hall.close()
    if not values or not sum_ > 0:
        raise NoPeer("no message came through our connector")
    return int(messages), cpu_s


async def _aiomqtt(port: int) -> Cost:
    import aiomqtt

    count, sum_ = 0, 0.0

    async def listen(client: Any) -> None:
        nonlocal count, sum_
        async for message in client.messages:
            count += 1
            sum_ += float(message.payload)

    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("plant/#")
        listening = asyncio.create_task(listen(client))
        await asyncio.sleep(WARM_S)
        before, cpu_s = count, time.process_time()
        await asyncio.sleep(SECONDS)
        found = count - before, time.process_time() - cpu_s
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return found


async def _paho(port: int) -> Cost:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    count, sum_ = 0, 0.0

    def heard(client: Any, given: Any, message: Any) -> None:
        nonlocal count, sum_
        count += 1
        sum_ += float(message.payload)

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = heard
    client.connect("127.0.0.1", port)
    client.subscribe("plant/#")
    client.loop_start()
    await asyncio.sleep(WARM_S)
    before, cpu_s = count, time.process_time()
    await asyncio.sleep(SECONDS)
    found = count - before, time.process_time() - cpu_s
    client.disconnect()
    client.loop_stop()
    return found
