"""What goes live to all open pages, in one stream a page: values as they come, the state each second, records as they are made.

One reader of the gate serves every browser, and each message is encoded once. Nothing runs while nobody looks. A browser
that is too slow is cut off; it comes back by itself and begins with the newest.

The messages, by their event:

    tables    {table: {"names": [tag, …], "period_s": …}}         first of all, and again after the gate was away
    values    {"table", "t", "v": [by column], "bad": {column: 1 Uncertain, 2 Bad}}    the newest row
    state     {"t", "stopped", "fault", "agent_lost", "asked", "alarms", "records"}    each second
    overview  alarms that are not normal, the flood, the loops and the connections that are lost; when they change
    record    {"kind"}                                            a record was made
    away      {}                                                  the gate does not answer

Times are ms UTC.
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
STATUS_S_MIN = 0.3  # sooner where a record was made: an alarm is not a second old when it is seen
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
        self._news = asyncio.Event()

    async def watch(self) -> AsyncIterator[bytes]:
        """Server-sent events for one page, until it leaves. Raises Crowded."""
        if len(self._viewers) >= VIEWERS_MAX:
            raise Crowded
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_MAX)
        self._viewers.add(queue)
        if not self._tasks:
            self._tasks = [asyncio.create_task(part) for part in (self._states(), self._records(), self._tables())]
        try:
            if self._newest:
                yield b"".join(self._newest.values())
            while (message := await queue.get()) is not None:
                yield _with_all_that_wait(message, queue)
        finally:
            self._viewers.discard(queue)
            if not self._viewers:
                await self._rest()

    async def close(self) -> None:
        """Ends every page's stream."""
        await self._rest()
        for queue in tuple(self._viewers):
            _end(queue)

    async def _rest(self) -> None:
        tasks, self._tasks = self._tasks, []
        self._newest.clear()  # before anything is awaited: somebody may come meanwhile, and begins anew
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _send(self, event: str, data: Mapping[str, Any], *, keep: str = "", changed_only: bool = False) -> None:
        message = f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
        if changed_only and self._newest.get(keep) == message:
            return
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
            self._news.clear()
            try:
                status, alarms, loops = [await self._gate.get(path) for path in ("/v1/status", "/v1/alarms", "/v1/loops")]
                self._send("state", _state(status, alarms), keep="state")
                self._send("overview", overview_of(status, alarms, loops), keep="overview", changed_only=True)
            except GateError:
                self._send("away", {}, keep="state")
            await self._clock.sleep(STATUS_S_MIN)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._clock.real_s(STATUS_S - STATUS_S_MIN)):
                    await self._news.wait()

    async def _records(self) -> None:
        while True:
            with contextlib.suppress(GateError, ValueError):
                kind = ""
                async for line in self._gate.lines("/v1/events"):
                    if line.startswith(b"event: "):
                        kind = line[7:].decode(errors="replace").strip()
                    elif line == b"\n" and kind:
                        self._send("record", {"kind": kind})
                        self._news.set()
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
            told = {table["id"]: {"names": [tag["name"] for tag in table["tags"]], "period_s": table["period_s"]} for table in tables}
            self._send("tables", told, keep="tables")
            readers = [asyncio.create_task(self._values(str(table["id"]))) for table in tables]
            try:
                await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED) if readers else await self._clock.sleep(RETRY_S)
            finally:
                for reader in readers:
                    reader.cancel()
                await asyncio.gather(*readers, return_exceptions=True)
            await self._clock.sleep(RETRY_S)

    async def _values(self, table: str) -> None:
        """Until the gate is gone. Begins with the newest row, however many came before."""
        where: dict[str, str | int] = {"newest": 1}
        while True:
            try:
                body = await self._gate.content("/v1/frames", {"table": table, "wait_ms": FRAME_WAIT_MS, **where})
            except GateError:
                return
            if not body:
                continue
            frame = unpack(body)
            where = {"after": frame.seq + frame.rows - 1}
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


def overview_of(status: Mapping[str, Any], alarms: Mapping[str, Any], loops: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What is abnormal and how each loop stands, as the overview shows it; nothing in it changes by itself."""
    of_alarm = ("id", "tag", "limit", "priority", "state", "active", "threshold", "unit")
    of_loop = ("name", "autonomy", "ceiling", "lowered", "stopped", "maintenance", "low", "high", "bands")
    return {
        "configuration": status["configuration"],
        "flood": alarms["flood"],
        "alarms": [{name: alarm[name] for name in of_alarm} | {"since": alarm["since_ns"] // 1_000_000} for alarm in alarms["alarms"]],
        "loops": [{name: loop[name] for name in of_loop} | {"yield_until": loop["yield_until_ns"] // 1_000_000} for loop in loops],
        "lost": sorted(name for name, health in status["connections"].items() if health.get("connected") == 0),
    }


def _state(status: Mapping[str, Any], alarms: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stands on every page. `alarms`: those that ask for somebody, so none that somebody has shelved."""
    ringing = [alarm for alarm in alarms["alarms"] if alarm["state"] != "shelved"]
    return {
        "t": status["at_ns"] // 1_000_000,
        "stopped": status["stopped"],
        "fault": bool(status["fault"]),
        "agent_lost": bool(status["agent_lost"]),
        "asked": sum(job["state"] == "asked" for job in status["jobs"]),
        "alarms": len(ringing),
        "records": status["records"],
    }


def _with_all_that_wait(message: bytes, queue: asyncio.Queue[bytes | None]) -> bytes:
    """One write for all of them: what a browser costs is counted by writes. The end, if it waits there, goes on waiting."""
    messages = [message]
    while not queue.empty():
        after = queue.get_nowait()
        if after is None:
            queue.put_nowait(None)
            break
        messages.append(after)
    return b"".join(messages)


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    """Whatever waits there is not worth waiting for."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
