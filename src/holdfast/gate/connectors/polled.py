"""A subscription to what has to be asked: polled at the table's period, Bad in every tag once the connection is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.clock import Clock
from holdfast.gate.connectors.pace import Pace
from holdfast.gate.connectors.row import Row
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NO_COMMUNICATION, Frame, TagTable

Polled = tuple[float, int, int]  # what one poll says of one tag: value in the tag's unit, NaN where Bad; status; source time, UTC ns
Columns = tuple[NDArray[np.float64], NDArray[np.uint32]]  # what one poll says of all tags: values as above, and status, each (tags,)
Rests = Callable[[float], Awaitable[bool]]


def frames(
    table: TagTable, *, pace: Pace, clock: Clock, poll: Callable[[], Awaitable[Sequence[Polled]]], rests: Rests
) -> AsyncIterator[Frame]:
    """One row each period, until `poll` raises ConnectionLost or `rests`, which waits real seconds, says that the connection is lost."""

    async def fill(row: Row) -> None:
        for column, (value, status, source_ns) in enumerate(await poll()):
            row.put(column, value, status, source_ns)

    return _rows(table, pace, clock, fill, rests)


def frames_of_columns(
    table: TagTable, *, pace: Pace, clock: Clock, poll: Callable[[], Awaitable[Columns]], rests: Rests
) -> AsyncIterator[Frame]:
    """The same where a poll gives all tags at once, and no times: the source time is when the answer came. Its arrays are taken over."""
    columns = np.arange(len(table.tags))

    async def fill(row: Row) -> None:
        values, status = await poll()
        row.put_many(columns, values, status, np.full(len(columns), clock.now_ns()))

    return _rows(table, pace, clock, fill, rests)


async def _rows(table: TagTable, pace: Pace, clock: Clock, fill: Callable[[Row], Awaitable[None]], rests: Rests) -> AsyncIterator[Frame]:
    await pace.start()
    row = Row(table, clock.now_ns())
    asked: int | None = None
    while not await rests(pace.wait_s()):
        asked = pace.take()
        try:
            await fill(row)
        except ConnectionLost:
            break
        yield row.frame(asked, clock.now_ns())
        asked = None
    now_ns = clock.now_ns()
    row.lose(BAD_NO_COMMUNICATION, now_ns)
    lost = pace.lose(asked)
    if lost is not None:
        yield row.frame(lost, now_ns)
