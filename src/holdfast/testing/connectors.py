"""The contracts of `ports.Reader`, `Connector` and `Caller`: frames, losses, and that one write is one request."""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Sequence

import numpy as np

from holdfast.ports import Caller, ConnectionLost, Connector, Reader
from holdfast.terms import BAD, Frame, Tag, TagTable
from holdfast.testing.clause import clause

ARRIVES_S = 10.0  # within which a device has counted what was sent to it, however busy the machine is
LOOK_S = 0.01


async def check_reader(
    make: Callable[[], Reader],
    *,
    table: TagTable,
    bad: Tag,
    lose: Callable[[], Awaitable[None]] | None = None,
    rows: int = 3,
    bound_s: float = 15.0,
) -> None:
    """Hold a connector to `ports.Reader`.

    `make` gives unconnected connectors of one running server that has every tag of `table`, Good, and not `bad`.
    `lose` takes the server away (None: the source can't be lost, as a file). All waits end after `bound_s`, real time.
    """
    reader = make()
    await reader.close()
    await reader.close()
    try:
        async with asyncio.timeout(bound_s):
            await reader.connect()
            await _check_read(reader, table, bad)
            await _check_frames(reader, _with(table, bad), rows)
            _check_health(reader)
        if lose is not None:
            await _check_loss(reader, table, lose, bound_s)
        else:
            async with asyncio.timeout(bound_s):
                await _check_end(reader, table)
    finally:
        await reader.close()
        await reader.close()
    with _raises_lost("read on a closed connection"):
        await reader.read(table.tags)
    if lose is not None:
        gone = make()
        try:
            with _raises_lost("connect to a server that is gone"):
                async with asyncio.timeout(bound_s):
                    await gone.connect()
        finally:
            await gone.close()


async def check_writer(
    make: Callable[[], Connector],
    *,
    tag: Tag,
    value: float,
    requests: Callable[[], int],
    holds: Callable[[], float],
    too_large: float | None = None,
    refused: Tag | None = None,
    mute: Callable[[], Awaitable[None]] | None = None,
    timeout_s: float = 5.0,
    mute_timeout_s: float = 0.3,
    mute_arrives: bool = True,
) -> None:
    """Hold a connector to `ports.Writer`.

    `requests` counts the write requests that the device got since ever, `holds` is what it holds for `tag`, in the
    tag's unit. `too_large` does not fit the tag's encoding; `refused` is a tag that the device refuses to have written;
    `mute` makes the device stop answering (`mute_arrives`: it still counts what it gets).
    """
    writer = make()
    clause(await writer.write(tag, value, timeout_s=timeout_s) == "rejected", "write: a connection that is not open sends nothing")
    try:
        await writer.connect()
        await writer.read([tag] if refused is None else [tag, refused])
        _check_wire(writer, tag, value, too_large)
        wire = writer.wire_value(tag, value)
        before = requests()
        said = await writer.write(tag, value, timeout_s=timeout_s)
        clause(said == "acked", f"write: the device took it, so it is acked, not {said}")
        clause(requests() == before + 1, f"write: exactly one request, not {requests() - before}")
        clause(holds() == wire, f"wire_value: said {wire}, but the device holds {holds()}")
        for impossible in (math.nan, math.inf, *([too_large] if too_large is not None else [])):
            said = await writer.write(tag, impossible, timeout_s=timeout_s)
            clause(said == "rejected", f"write: {impossible} can't be encoded, so it is rejected, not {said}")
        clause(requests() == before + 1, "write: what can't be encoded must not reach the device")
        if refused is not None:
            said = await writer.write(refused, value, timeout_s=timeout_s)
            clause(said == "rejected", f"write: the device said no, so it is rejected, not {said}")
            clause(requests() <= before + 2, "write: a refused write must not be sent again")
        if mute is not None:
            await mute()
            before = requests()
            said = await writer.write(tag, value, timeout_s=mute_timeout_s)
            clause(said == "unknown", f"write: no answer is unknown, not {said}")
            for _ in range(round(ARRIVES_S / LOOK_S) if mute_arrives else 0):  # a busy device takes its time
                if requests() > before:
                    break
                await asyncio.sleep(LOOK_S)
            await asyncio.sleep(mute_timeout_s)  # time in which a retry would show
            sent = requests() - before
            clause(sent == int(mute_arrives), f"write: one unanswered write is one request, not {sent}")
    finally:
        await writer.close()
    clause(await writer.write(tag, value, timeout_s=timeout_s) == "rejected", "write: a closed connection sends nothing")


async def check_caller(
    make: Callable[[], Caller],
    *,
    method: str,
    arguments: Sequence[float],
    requests: Callable[[], Awaitable[int]],
    ran: Callable[[], Awaitable[Sequence[float]]],
    refused: str,
    half_way: Sequence[float],
    unfit: Sequence[Sequence[float]],
    mute: Callable[[], Awaitable[None]],
    timeout_s: float = 5.0,
    mute_timeout_s: float = 0.3,
) -> None:
    """Hold a connector to `ports.Caller`; what `make` gives can be connected and closed too.

    `requests` counts the call requests that the server got since ever, `ran` is what its `method` ran with last. `refused` is a method
    that the server does not run; with `half_way` it runs and answers Bad; each of `unfit` it can't take. `mute` makes the server stop
    answering, though it still gets what is sent.
    """
    caller = make()
    clause(await caller.call(method, arguments, timeout_s=timeout_s) == "rejected", "call: a connection that is not open sends nothing")
    try:
        await caller.connect()  # type: ignore[attr-defined]
        for wanted, given, expected in ((method, arguments, "acked"), (method, half_way, "unknown"), (refused, arguments, "rejected")):
            before = await requests()
            said = await caller.call(wanted, given, timeout_s=timeout_s)
            clause(said == expected, f"call: {wanted} with {given} is {expected}, not {said}")
            clause(await requests() == before + 1, f"call: exactly one request, not {await requests() - before}")
            if wanted == method:
                clause(list(await ran()) == list(given), f"call: it ran with {await ran()}, not {given}")
        before = await requests()
        for given in unfit:
            said = await caller.call(method, given, timeout_s=timeout_s)
            clause(said == "rejected", f"call: {given} can't be given to it, so it is rejected, not {said}")
        clause(await requests() == before, "call: what can't be given must not reach the server")
        await mute()
        said = await caller.call(method, arguments, timeout_s=mute_timeout_s)
        clause(said == "unknown", f"call: no answer is unknown, not {said}")
        await asyncio.sleep(mute_timeout_s)  # time in which a retry would show
        clause(await requests() == before + 1, f"call: one unanswered call is one request, not {await requests() - before}")
    finally:
        await caller.close()  # type: ignore[attr-defined]
    clause(await caller.call(method, arguments, timeout_s=timeout_s) == "rejected", "call: a closed connection sends nothing")


async def _check_read(reader: Reader, table: TagTable, bad: Tag) -> None:
    for order in (table.tags, tuple(reversed(table.tags))):
        samples = await reader.read(order)
        clause([s.tag for s in samples] == [t.name for t in order], "read: one sample a tag, in the order asked for")
        clause(not [s.tag for s in samples if _is_bad(s.status)], "read: a tag that the server has is not Bad")
    mixed = await reader.read((bad, *table.tags))
    clause(_is_bad(mixed[0].status), "read: a tag that the server has not is Bad, and nothing is raised")
    clause(not [s.tag for s in mixed[1:] if _is_bad(s.status)], "read: a bad tag degrades itself alone")


async def _check_frames(reader: Reader, table: TagTable, rows: int) -> None:
    """The table's last column is the bad tag."""
    frames = reader.subscribe(table)
    last = -1
    for _ in range(rows):
        frame = await anext(frames)
        _check_shape(frame, table)
        clause(frame.seq > last, f"subscribe: seq must rise, {frame.seq} follows {last}")
        last = frame.seq
        bad = [t.name for t, status in zip(table.tags, frame.status[0].tolist(), strict=True) if _is_bad(status)]
        clause(bad == [table.tags[-1].name], f"subscribe: the bad tag alone is Bad, not {bad}")
    await _aclose(frames)


async def _check_loss(reader: Reader, table: TagTable, lose: Callable[[], Awaitable[None]], bound_s: float) -> None:
    frames = reader.subscribe(table)
    frame = await anext(frames)
    seq = frame.seq
    await lose()
    try:
        async with asyncio.timeout(bound_s):
            async for frame in frames:
                _check_shape(frame, table)
                clause(frame.seq > seq, "subscribe: seq must rise up to the last row")
                seq = frame.seq
    except TimeoutError:
        raise AssertionError(f"subscribe: {bound_s:g} s after the loss the iterator has not ended") from None
    clause(all(_is_bad(s) for s in frame.status[0].tolist()), "subscribe: after a loss the last row is Bad in every tag")
    clause(bool(np.isnan(frame.values).all()), "subscribe: a Bad row carries no values")
    with _raises_lost("read after the loss"):
        async with asyncio.timeout(bound_s):
            await reader.read(table.tags)


async def _check_end(reader: Reader, table: TagTable) -> None:
    async for frame in reader.subscribe(table):
        _check_shape(frame, table)


def _check_shape(frame: Frame, table: TagTable) -> None:
    width = len(table.tags)
    clause(frame.table == table.id, f"subscribe: the frame is of table {frame.table!r}, not {table.id!r}")
    clause(frame.received_ns.shape == (1,), "subscribe: frames of one row")
    for name, array, dtype in (
        ("values", frame.values, np.float64),
        ("status", frame.status, np.uint32),
        ("source_ns", frame.source_ns, np.int64),
    ):
        clause(array.shape == (1, width), f"subscribe: {name} has shape {array.shape}, not {(1, width)}")
        clause(array.dtype == dtype, f"subscribe: {name} is {array.dtype}, not {dtype.__name__}")
    good = [not _is_bad(s) for s in frame.status[0].tolist()]
    clause(bool(np.isfinite(frame.values[0, good]).all()), "subscribe: a value that is not finite is Bad")


def _check_health(reader: Reader) -> None:
    for name, number in reader.health().items():
        clause(math.isfinite(number), f"health: {name} is {number}")


def _check_wire(writer: Connector, tag: Tag, value: float, too_large: float | None) -> None:
    wire = writer.wire_value(tag, value)
    clause(writer.wire_value(tag, wire) == wire, "wire_value: what arrives once arrives again unchanged")
    for impossible in (math.nan, math.inf, -math.inf, *([too_large] if too_large is not None else [])):
        try:
            writer.wire_value(tag, impossible)
        except ValueError:
            continue
        raise AssertionError(f"wire_value: {impossible} can't be encoded, so it raises ValueError; it is never clamped")


def _with(table: TagTable, bad: Tag) -> TagTable:
    return TagTable(id=table.id, connection=table.connection, period_s=table.period_s, tags=(*table.tags, bad))


def _is_bad(status: int) -> bool:
    return status & 0xC000_0000 >= BAD


@contextlib.contextmanager
def _raises_lost(what: str) -> Generator[None]:
    try:
        yield
    except ConnectionLost as error:
        clause(bool(str(error)), f"{what}: ConnectionLost must say what to check")
        return
    raise AssertionError(f"{what} must raise ConnectionLost")


async def _aclose(frames: AsyncIterator[Frame]) -> None:
    """End a subscription early, as the gate does: an asynchronous generator must clean up behind itself."""
    if isinstance(frames, AsyncGenerator):
        await frames.aclose()
