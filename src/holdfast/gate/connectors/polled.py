"""A subscription to what has to be asked: polled at the table's period, Bad in every tag once the connection is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from holdfast.clock import Clock
from holdfast.gate.connectors.pace import Pace
from holdfast.gate.connectors.row import Row
from holdfast.ports import ConnectionLost
from holdfast.terms import BAD_NO_COMMUNICATION, Frame, TagTable

Polled = tuple[float, int, int]  # what one poll says of one tag: value in the tag's unit, NaN where Bad; status; source time, UTC ns


async def frames(
    table: TagTable,
    *,
    pace: Pace,
    clock: Clock,
    poll: Callable[[], Awaitable[Sequence[Polled]]],
    rests: Callable[[float], Awaitable[bool]],
) -> AsyncIterator[Frame]:
    """One row each period, until `poll` raises ConnectionLost or `rests`, which waits real seconds, says that the connection is lost."""
    await pace.start()
    row = Row(table, clock.now_ns())
    asked: int | None = None
    while not await rests(pace.wait_s()):
        asked = pace.take()
        try:
            found = await poll()
        except ConnectionLost:
            break
        for column, (value, status, source_ns) in enumerate(found):
            row.put(column, value, status, source_ns)
        yield row.frame(asked, clock.now_ns())
        asked = None
    now_ns = clock.now_ns()
    row.lose(BAD_NO_COMMUNICATION, now_ns)
    lost = pace.lose(asked)
    if lost is not None:
        yield row.frame(lost, now_ns)
