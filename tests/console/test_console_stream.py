"""One reader of the gate serves every page: the newest first, each message once, nothing while nobody looks."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from console_scene import Scene

from holdfast.clock import RealClock
from holdfast.console import stream as live
from holdfast.console.gate import Gate
from holdfast.console.stream import Crowded, Stream, values_of
from holdfast.terms import BAD, UNCERTAIN, Frame

WAIT_S = 10.0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("stream"))
    try:
        yield made.start()
    finally:
        made.end()


def with_stream(scene: Scene, what: Callable[[Stream], Coroutine[Any, Any, None]]) -> None:
    """In a thread with a loop of its own: a browser's driver may have one running in this thread."""

    async def run() -> None:
        gate = Gate(scene.home.people)
        stream = Stream(gate, RealClock())
        try:
            async with asyncio.timeout(WAIT_S):
                await what(stream)
        finally:
            await stream.close()
            await gate.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(run())).result()


async def messages(pages: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, Any]]:
    async for chunk in pages:
        for message in chunk.decode().split("\n\n"):
            if message:
                event, data = message.split("\n", 1)
                yield event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def until(pages: AsyncIterator[bytes], *wanted: str) -> dict[str, Any]:
    """The first of each event."""
    found: dict[str, Any] = {}
    async for event, data in messages(pages):
        found.setdefault(event, data)
        if set(wanted) <= set(found):
            return found
    raise AssertionError(f"it ended with {list(found)}")


def test_a_page_that_opens_is_told_tables_values_state_and_loops(scene: Scene) -> None:
    async def look(stream: Stream) -> None:
        page = stream.watch()
        found = await until(page, "tables", "values", "state", "overview")
        table = found["tables"][found["values"]["table"]]
        assert len(table["names"]) == len(found["values"]["v"])
        assert table["period_s"] == 1.0
        assert {loop["name"] for loop in found["overview"]["loops"]} == {"stand-4/tension", "stand-4/emulsion", "furnace/strip_temp"}
        second = stream.watch()
        chunk = await anext(second)
        assert chunk.index(b"event: tables") < chunk.index(b"event: values"), "values mean nothing before their columns"
        await page.aclose()  # type: ignore[attr-defined]
        await second.aclose()  # type: ignore[attr-defined]

    with_stream(scene, look)


def test_what_does_not_change_is_not_told_again(scene: Scene) -> None:
    async def look(stream: Stream) -> None:
        states = overviews = 0
        async for event, _ in messages(stream.watch()):
            states += event == "state"
            overviews += event == "overview"
            if states == 3:
                break
        assert overviews <= 2  # the first, and one where the plant's link came up meanwhile

    with_stream(scene, look)


def test_nothing_runs_while_nobody_looks_and_who_comes_as_the_last_leaves_is_served(scene: Scene) -> None:
    async def look(stream: Stream) -> None:
        first = stream.watch()
        await until(first, "values")
        leaving = asyncio.create_task(first.aclose())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        second = stream.watch()
        await until(second, "values", "state")
        await leaving
        await second.aclose()  # type: ignore[attr-defined]
        assert len(asyncio.all_tasks()) == 1

    with_stream(scene, look)


def test_a_page_too_many_is_refused_and_a_page_too_slow_is_ended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "VIEWERS_MAX", 1)
    monkeypatch.setattr(live, "WAITING_MAX", 2)

    async def look(stream: Stream) -> None:
        slow = stream.watch()
        await anext(slow)
        with pytest.raises(Crowded):
            await anext(stream.watch())
        ended = asyncio.Event()

        async def read_on() -> None:
            async for _ in slow:
                pass
            ended.set()

        while stream._viewers:  # noqa: ASYNC110 - it reads nothing until more than two messages wait
            await asyncio.sleep(0.05)
        task = asyncio.create_task(read_on())
        await ended.wait()
        await task

    with_stream(scene, look)


def test_a_lost_gate_is_told_and_what_comes_after_it_too(scene: Scene) -> None:
    async def look(stream: Stream) -> None:
        page = stream.watch()
        await until(page, "values", "state")
        await asyncio.to_thread(scene.end, "gate")
        await until(page, "away")
        await asyncio.to_thread(scene.start_gate)
        await until(page, "state", "tables", "values")

    with_stream(scene, look)


def test_a_row_is_told_with_what_must_not_be_trusted() -> None:
    now = np.array([1_700_000_000_123_000_000], np.int64)
    frame = Frame(
        table="t",
        seq=4,
        received_ns=now,
        source_ns=np.stack([now] * 4, axis=1),
        values=np.array([[1.23456789, np.nan, 3.0, 4.0]]),
        status=np.array([[0, BAD, UNCERTAIN, 0]], np.uint32),
    )
    assert values_of(frame) == {"table": "t", "t": 1_700_000_000_123, "v": [1.23457, None, 3.0, 4.0], "bad": {"1": 2, "2": 1}}
