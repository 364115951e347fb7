"""What goes live to all open pages, in one stream a page: values as they come, the state each second, records as they are made.

One reader of the gate serves every browser, and each message is encoded once. Nothing runs while nobody looks. A browser
that is too slow is cut off; it comes back by itself and begins with the newest.
"""

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

from holdfast.clock import Clock
from holdfast.console.gate import Gate, GateError
from holdfast.terms import Frame, unpack

VIEWERS_MAX = 64
WAITING_MAX = 200  # messages that one browser may be behind
STATUS_S = 1.0
FRAME_WAIT_MS = 1_000  # how long the gate may keep a question for newer rows
RETRY_S = 1.0
SIGNIFICANT = 6  # digits that are sent; the pages show fewer


class Crowded(Exception):
    """VIEWERS_MAX look already."""


class Stream:
    def __init__(self, gate: Gate, clock: Clock) -> None:
        self._gate = gate
        self._clock = clock
        self._viewers: set[asyncio.Queue[bytes | None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._newest: dict[str, bytes] = {}  # what a page that opens now is shown first, by kind and table

    async def watch(self) -> AsyncIterator[bytes]:
        """Server-sent events for one page, until it leaves. Raises Crowded."""
        if len(self._viewers) >= VIEWERS_MAX:
            raise Crowded
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_MAX)
        self._viewers.add(queue)
        if not self._tasks:
            self._tasks = [asyncio.create_task(part) for part in (self._states(), self._records(), self._tables())]
        try:
            for message in tuple(self._newest.values()):
                yield message
            while (message := await queue.get()) is not None:
                yield message
        finally:
            self._viewers.discard(queue)
            if not self._viewers:
                await self.close()

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._newest.clear()
        for queue in tuple(self._viewers):
            _end(queue)

    def _send(self, event: str, data: Mapping[str, Any], *, keep: str = "") -> None:
        message = f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
        if keep:
            self._newest[keep] = message
        for queue in tuple(self._viewers):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                self._viewers.discard(queue)
                _end(queue)

    async def _states(self) -> None:
        while True:
            try:
                self._send("state", _state(await self._gate.get("/v1/status")), keep="state")
            except GateError:
                self._send("away", {}, keep="state")
            await self._clock.sleep(STATUS_S)

    async def _records(self) -> None:
        while True:
            with contextlib.suppress(GateError, ValueError):
                kind = ""
                async for line in self._gate.lines("/v1/events"):
                    if line.startswith(b"event: "):
                        kind = line[7:].decode(errors="replace").strip()
                    elif line == b"\n" and kind:
                        self._send("record", {"kind": kind})
                        kind = ""
            await self._clock.sleep(RETRY_S)

    async def _tables(self) -> None:
        """One reader a table; begun again when the tables change."""
        while True:
            try:
                tables = await self._gate.get("/v1/tables")
            except GateError:
                await self._clock.sleep(RETRY_S)
                continue
            self._send("tables", {table["id"]: [tag["name"] for tag in table["tags"]] for table in tables}, keep="tables")
            readers = [asyncio.create_task(self._values(str(table["id"]))) for table in tables]
            try:
                await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED) if readers else await self._clock.sleep(RETRY_S)
            finally:
                for reader in readers:
                    reader.cancel()
                await asyncio.gather(*readers, return_exceptions=True)
            await self._clock.sleep(RETRY_S)

    async def _values(self, table: str) -> None:
        """Until the gate is gone."""
        after = -1
        while True:
            query = {"table": table, "after": after, "wait_ms": FRAME_WAIT_MS}
            try:
                body = await self._gate.content("/v1/frames", query)
            except GateError:
                return
            if not body:
                continue
            frame = unpack(body)
            after = frame.seq + frame.rows - 1
            self._send("values", values_of(frame), keep=f"values {table}")


def values_of(frame: Frame) -> Mapping[str, Any]:
    """The newest row as the pages read it: t in ms UTC, v by column, bad where a value must not be trusted (2 Bad, 1 Uncertain)."""
    status, row = frame.status[-1], frame.values[-1]
    bad = {str(i): int(status[i] >> 30) for i in status.nonzero()[0]}
    return {
        "table": frame.table,
        "t": int(frame.received_ns[-1] // 1_000_000),
        "v": [float(f"{value:.{SIGNIFICANT}g}") if math.isfinite(value) else None for value in row.tolist()],
        "bad": bad,
    }


def _state(status: Mapping[str, Any]) -> Mapping[str, Any]:
    alarms = [alarm for alarm in status["alarms"] if alarm["active"] or not alarm["acknowledged"]]
    return {
        "t": status["at_ns"] // 1_000_000,
        "stopped": status["stopped"],
        "fault": bool(status["fault"]),
        "agent_lost": bool(status["agent_lost"]),
        "asked": sum(job["state"] == "asked" for job in status["jobs"]),
        "alarms": len(alarms),
        "records": status["records"],
    }


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    """Whatever waits there is not worth waiting for."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
