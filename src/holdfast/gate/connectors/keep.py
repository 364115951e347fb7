"""Keeps one connection up: connect, follow its tables and its server's alarms, and start over with jittered back-off when lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from holdfast.clock import Clock
from holdfast.ports import AlarmReader, ConnectionLost, Connector
from holdfast.terms import Frame, ServerAlarms, TagTable

BACKOFF_S_MIN = 0.5
BACKOFF_S_MAX = 2.5  # with its jitter at most 3.75 s: data are to be back within 5 s of the server


async def keep(
    connector: Connector,
    tables: Sequence[TagTable],
    *,
    clock: Clock,
    random: Random,
    ingest: Callable[[Frame], object],
    lost: Callable[[str], object],
    found: Callable[[], object],
    ask: Callable[[], Awaitable[object]] | None = None,
    alarms: Callable[[ServerAlarms], object] | None = None,
    backoff_s_min: float = BACKOFF_S_MIN,
) -> None:
    """Runs until cancelled. `ask` is awaited at each connect, before `found`; `lost` is told why, once for each loss. `alarms` takes
    the server's own in, where the connector can read them.

    Waiting is on the wall clock: a server is real.
    """
    if not tables and (alarms is None or not isinstance(connector, AlarmReader)):
        await asyncio.get_running_loop().create_future()  # nothing is read over it: it is not even opened
    backoff_s = backoff_s_min
    said = ""
    while True:
        try:
            await connector.connect()
            if ask is not None:
                await ask()
            found()
            said = ""
            backoff_s = backoff_s_min
            why = await _until_lost(connector, tables, ingest, alarms)
        except (ConnectionLost, OSError, TimeoutError) as error:
            why = str(error) or type(error).__name__
        if why != said:
            lost(why)
            said = why
        await connector.close()
        await asyncio.sleep(backoff_s * (0.5 + random.random()))
        backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)


async def _until_lost(
    connector: Connector,
    tables: Sequence[TagTable],
    ingest: Callable[[Frame], object],
    alarms: Callable[[ServerAlarms], object] | None,
) -> str:
    """All that is read over the connection at once; the first that ends takes the others with it. Alarms may end alone: a server may
    have none."""

    async def one(table: TagTable) -> None:
        async for frame in connector.subscribe(table):
            ingest(frame)

    async def theirs(reader: AlarmReader, take: Callable[[ServerAlarms], object]) -> None:
        async for told in reader.alarms():
            take(told)

    tasks = [asyncio.create_task(one(table)) for table in tables]
    beside = [asyncio.create_task(theirs(connector, alarms))] if alarms is not None and isinstance(connector, AlarmReader) else []
    done: set[asyncio.Task[None]] = set()
    try:
        if beside:
            done, _ = await asyncio.wait([*tasks, *beside], return_when=asyncio.FIRST_COMPLETED)
        if tasks and (not beside or (done == {*beside} and beside[0].exception() is None)):
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*tasks, *beside):
            task.cancel()
        await asyncio.gather(*tasks, *beside, return_exceptions=True)
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, ConnectionLost | OSError | TimeoutError):
            raise error
        if error is not None:
            return str(error) or type(error).__name__
    return str(getattr(connector, "lost_why", "")) or "the server fell silent"
