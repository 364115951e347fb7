"""The contracts that a plug-in is held to: one `check_…` function a kind, ours and a third party's alike.

Each raises AssertionError that says which clause of `ports.py` was broken. They need no test framework.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.ports import Caller, ConnectionLost, Connector, Detector, Engine, EngineFault, Reader, Turn
from holdfast.terms import BAD, Frame, Tag, TagTable

ARRIVES_S = 10.0  # within which a device has counted what was sent to it, however busy the machine is
LOOK_S = 0.01

# ---- connectors ------------------------------------------------------------------------------------------------------


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
    _clause(await writer.write(tag, value, timeout_s=timeout_s) == "rejected", "write: a connection that is not open sends nothing")
    try:
        await writer.connect()
        await writer.read([tag] if refused is None else [tag, refused])
        _check_wire(writer, tag, value, too_large)
        wire = writer.wire_value(tag, value)
        before = requests()
        said = await writer.write(tag, value, timeout_s=timeout_s)
        _clause(said == "acked", f"write: the device took it, so it is acked, not {said}")
        _clause(requests() == before + 1, f"write: exactly one request, not {requests() - before}")
        _clause(holds() == wire, f"wire_value: said {wire}, but the device holds {holds()}")
        for impossible in (math.nan, math.inf, *([too_large] if too_large is not None else [])):
            said = await writer.write(tag, impossible, timeout_s=timeout_s)
            _clause(said == "rejected", f"write: {impossible} can't be encoded, so it is rejected, not {said}")
        _clause(requests() == before + 1, "write: what can't be encoded must not reach the device")
        if refused is not None:
            said = await writer.write(refused, value, timeout_s=timeout_s)
            _clause(said == "rejected", f"write: the device said no, so it is rejected, not {said}")
            _clause(requests() <= before + 2, "write: a refused write must not be sent again")
        if mute is not None:
            await mute()
            before = requests()
            said = await writer.write(tag, value, timeout_s=mute_timeout_s)
            _clause(said == "unknown", f"write: no answer is unknown, not {said}")
            for _ in range(round(ARRIVES_S / LOOK_S) if mute_arrives else 0):  # a busy device takes its time
                if requests() > before:
                    break
                await asyncio.sleep(LOOK_S)
            await asyncio.sleep(mute_timeout_s)  # time in which a retry would show
            sent = requests() - before
            _clause(sent == int(mute_arrives), f"write: one unanswered write is one request, not {sent}")
    finally:
        await writer.close()
    _clause(await writer.write(tag, value, timeout_s=timeout_s) == "rejected", "write: a closed connection sends nothing")


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
    _clause(await caller.call(method, arguments, timeout_s=timeout_s) == "rejected", "call: a connection that is not open sends nothing")
    try:
        await caller.connect()  # type: ignore[attr-defined]
        for wanted, given, expected in ((method, arguments, "acked"), (method, half_way, "unknown"), (refused, arguments, "rejected")):
            before = await requests()
            said = await caller.call(wanted, given, timeout_s=timeout_s)
            _clause(said == expected, f"call: {wanted} with {given} is {expected}, not {said}")
            _clause(await requests() == before + 1, f"call: exactly one request, not {await requests() - before}")
            if wanted == method:
                _clause(list(await ran()) == list(given), f"call: it ran with {await ran()}, not {given}")
        before = await requests()
        for given in unfit:
            said = await caller.call(method, given, timeout_s=timeout_s)
            _clause(said == "rejected", f"call: {given} can't be given to it, so it is rejected, not {said}")
        _clause(await requests() == before, "call: what can't be given must not reach the server")
        await mute()
        said = await caller.call(method, arguments, timeout_s=mute_timeout_s)
        _clause(said == "unknown", f"call: no answer is unknown, not {said}")
        await asyncio.sleep(mute_timeout_s)  # time in which a retry would show
        _clause(await requests() == before + 1, f"call: one unanswered call is one request, not {await requests() - before}")
    finally:
        await caller.close()  # type: ignore[attr-defined]
    _clause(await caller.call(method, arguments, timeout_s=timeout_s) == "rejected", "call: a closed connection sends nothing")


async def _check_read(reader: Reader, table: TagTable, bad: Tag) -> None:
    for order in (table.tags, tuple(reversed(table.tags))):
        samples = await reader.read(order)
        _clause([s.tag for s in samples] == [t.name for t in order], "read: one sample a tag, in the order asked for")
        _clause(not [s.tag for s in samples if _is_bad(s.status)], "read: a tag that the server has is not Bad")
    mixed = await reader.read((bad, *table.tags))
    _clause(_is_bad(mixed[0].status), "read: a tag that the server has not is Bad, and nothing is raised")
    _clause(not [s.tag for s in mixed[1:] if _is_bad(s.status)], "read: a bad tag degrades itself alone")


async def _check_frames(reader: Reader, table: TagTable, rows: int) -> None:
    """The table's last column is the bad tag."""
    frames = reader.subscribe(table)
    last = -1
    for _ in range(rows):
        frame = await anext(frames)
        _check_shape(frame, table)
        _clause(frame.seq > last, f"subscribe: seq must rise, {frame.seq} follows {last}")
        last = frame.seq
        bad = [t.name for t, status in zip(table.tags, frame.status[0].tolist(), strict=True) if _is_bad(status)]
        _clause(bad == [table.tags[-1].name], f"subscribe: the bad tag alone is Bad, not {bad}")
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
                _clause(frame.seq > seq, "subscribe: seq must rise up to the last row")
                seq = frame.seq
    except TimeoutError:
        raise AssertionError(f"subscribe: {bound_s:g} s after the loss the iterator has not ended") from None
    _clause(all(_is_bad(s) for s in frame.status[0].tolist()), "subscribe: after a loss the last row is Bad in every tag")
    _clause(bool(np.isnan(frame.values).all()), "subscribe: a Bad row carries no values")
    with _raises_lost("read after the loss"):
        async with asyncio.timeout(bound_s):
            await reader.read(table.tags)


async def _check_end(reader: Reader, table: TagTable) -> None:
    async for frame in reader.subscribe(table):
        _check_shape(frame, table)


def _check_shape(frame: Frame, table: TagTable) -> None:
    width = len(table.tags)
    _clause(frame.table == table.id, f"subscribe: the frame is of table {frame.table!r}, not {table.id!r}")
    _clause(frame.received_ns.shape == (1,), "subscribe: frames of one row")
    for name, array, dtype in (
        ("values", frame.values, np.float64),
        ("status", frame.status, np.uint32),
        ("source_ns", frame.source_ns, np.int64),
    ):
        _clause(array.shape == (1, width), f"subscribe: {name} has shape {array.shape}, not {(1, width)}")
        _clause(array.dtype == dtype, f"subscribe: {name} is {array.dtype}, not {dtype.__name__}")
    good = [not _is_bad(s) for s in frame.status[0].tolist()]
    _clause(bool(np.isfinite(frame.values[0, good]).all()), "subscribe: a value that is not finite is Bad")


def _check_health(reader: Reader) -> None:
    for name, number in reader.health().items():
        _clause(math.isfinite(number), f"health: {name} is {number}")


def _check_wire(writer: Connector, tag: Tag, value: float, too_large: float | None) -> None:
    wire = writer.wire_value(tag, value)
    _clause(writer.wire_value(tag, wire) == wire, "wire_value: what arrives once arrives again unchanged")
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
        _clause(bool(str(error)), f"{what}: ConnectionLost must say what to check")
        return
    raise AssertionError(f"{what} must raise ConnectionLost")


async def _aclose(frames: AsyncIterator[Frame]) -> None:
    """End a subscription early, as the gate does: an asynchronous generator must clean up behind itself."""
    if isinstance(frames, AsyncGenerator):
        await frames.aclose()


# ---- detectors: check_detector (append below this line) --------------------------------------------------------------


def step_of_one_tag(rows: NDArray[np.float64]) -> None:
    """From row 100 on, tag 1 is eight deviations higher."""
    rows[100:, 1] += 80.0


def stand_of_one_tag(rows: NDArray[np.float64]) -> None:
    """From row 100 on, tag 1 does not move: for detectors of sensors that stopped."""
    rows[100:, 1] = rows[100, 1]


def check_detector(
    make: Callable[[], Detector],
    *,
    seed: int = 7,
    upset: Callable[[NDArray[np.float64]], None] = step_of_one_tag,
    judges_still_tags: bool = True,
) -> None:
    """Hold a detector to `ports.Detector`; `make` gives a new, unfitted one each time. Takes under two seconds.

    `upset` changes rows in place from 100 on, in tag 1, as the detector's own kind of fault does. `judges_still_tags` is
    False for one that says nothing of tags that never moved in the quiet stretch.
    """
    rng = np.random.default_rng(seed)
    tags = [f"unit/tag_{i}" for i in range(5)]
    quiet = rng.normal(size=(400, 5)) * [1.0, 10.0, 0.1, 1000.0, 0.0] + [0.0, 50.0, -3.0, 1e4, 7.0]
    quiet[:, 1] += 8 * quiet[:, 0]
    seen = quiet[:150].copy()
    upset(seen)
    seen[20, 2], seen[21, 0], seen[22] = np.nan, np.inf, np.nan
    fitted = make()
    fitted.fit(quiet, tags)
    whole = _scored(fitted, seen)
    _clause(bool(fitted.name), "name: text that the site file names it by")
    _clause(bool(whole[100:].mean() > whole[:20].mean()), "score: higher is worse, also for the fault of one tag")
    shares = np.asarray(fitted.shares())
    _clause(shares.shape == (5,), f"shares: one for each of 5 tags, not {shares.shape}")
    _clause(bool((shares >= 0).all()), "shares: never below 0")
    _clause(abs(float(shares.sum()) - 1) < 1e-9, "shares: they sum to 1")
    _clause(int(shares.argmax()) == 1, "shares: the tag that moved contributes most")
    _check_detector_splits(fitted, seen, whole, rng)
    _check_detector_keeping(make, fitted, seen, whole)
    _check_detector_units(make, quiet, seen, tags)
    if judges_still_tags:
        moved = seen[:60].copy()
        moved[50:, 4] = 14.0
        fitted.reset()
        after = _scored(fitted, moved)
        _clause(bool(after[50:].min() > after[:20].max()), "score: a tag that stood still in the quiet stretch and moves is seen")
    _check_detector_refusals(make, tags)


def _check_detector_units(make: Callable[[], Detector], quiet: NDArray[np.float64], seen: NDArray[np.float64], tags: Sequence[str]) -> None:
    """Another unit of a tag, of the same offset, is the same plant: kPa or Pa."""
    scores: list[NDArray[np.float64]] = []
    for unit in (1.0, 1000.0):
        fitted = make()
        fitted.fit(quiet * [unit, 1.0, 1.0, 1.0, 1.0], tags)
        with np.errstate(invalid="ignore"):
            scores.append(_scored(fitted, seen * [unit, 1.0, 1.0, 1.0, 1.0]))
    _clause(np.allclose(scores[0], scores[1], rtol=1e-5, atol=1e-5), "score: the same plant in another unit scores alike")


def _scored(detector: Detector, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    before = rows.copy()
    scores = detector.score(rows)
    _clause(scores.shape == (rows.shape[0],), f"score: one for each of {rows.shape[0]} rows, not {scores.shape}")
    _clause(bool(np.isfinite(scores).all()), "score: always finite, also for rows with gaps")
    _clause(np.array_equal(before, rows, equal_nan=True), "score: leaves its rows as they are")
    return scores


def _check_detector_splits(fitted: Detector, seen: NDArray[np.float64], whole: NDArray[np.float64], rng: np.random.Generator) -> None:
    for most in (1, 3, 40):
        fitted.reset()
        parts: list[NDArray[np.float64]] = []
        at = 0
        while at < seen.shape[0]:
            step = int(rng.integers(0 if most > 1 else 1, most + 1))
            parts.append(_scored(fitted, seen[at : at + step]))
            at += step
        _clause(np.concatenate(parts).tobytes() == whole.tobytes(), "score: the same bits however the rows are split, and after reset")


def _check_detector_keeping(make: Callable[[], Detector], fitted: Detector, seen: NDArray[np.float64], whole: NDArray[np.float64]) -> None:
    loaded = make()
    loaded.load(fitted.save())
    _clause(_scored(loaded, seen).tobytes() == whole.tobytes(), "load(save()): scores alike")
    for foreign in (b"", b"not a learned state", fitted.save()[:-40]):
        _refused(lambda state=foreign: make().load(state), "load: ValueError for a state that is not one of this detector's")


def _check_detector_refusals(make: Callable[[], Detector], tags: Sequence[str]) -> None:
    few = np.arange(10.0).reshape(2, 5)
    _refused(lambda: make().fit(few[:0], tags), "fit: ValueError for no rows")
    _refused(lambda: make().fit(few, tags[:3]), "fit: ValueError for another number of tags than columns")
    empty = np.random.default_rng(0).normal(size=(100, 5))
    empty[:, 2] = np.nan
    _refused(lambda: make().fit(empty, tags), "fit: ValueError for a tag with no value at all")


def _refused(act: Callable[[], object], clause: str) -> None:
    try:
        act()
    except ValueError as error:
        _clause(bool(str(error).strip()), f"{clause}, and it says what is wrong")
    else:
        raise AssertionError(clause)


def _clause(kept: bool, clause: str) -> None:
    if not kept:
        raise AssertionError(clause)


# ---- engines ---------------------------------------------------------------------------------------------------------


async def check_engine(
    make: Callable[[], Engine],
    *,
    schema: str,
    fits: Callable[[str], bool],
    mute: Callable[[], Awaitable[None]] | None = None,
    lose: Callable[[], Awaitable[None]] | None = None,
    bound_s: float = 15.0,
) -> None:
    """Hold an engine to `ports.Engine`. `make` gives engines of one model that is there; `fits` says whether a text keeps to `schema`.

    `mute` makes the model stop answering, `lose` takes it away (None: it runs in this process and can't be lost). Only where the engine
    itself decodes under the schema must the text fit: what a server makes of being asked is for the probe to find out.
    """
    engine = make()
    await engine.close()
    turns = (Turn(role="system", text="You are terse."), Turn(role="user", text="Say how the line is. 四号机架怎么样？"))
    try:
        await engine.ready(deadline_s=bound_s)
        free = await engine.generate(turns, schema=None, max_tokens=16, deadline_s=bound_s)
        _clause(free.decoding == "free", f"generate: nothing was asked for, so decoding is free, not {free.decoding}")
        told = (free.prompt_tokens, free.answer_tokens)
        _clause(all(n is None or n >= 0 for n in told), f"generate: tokens are counts or not told, not {told}")
        held = await engine.generate(turns, schema=schema, max_tokens=256, deadline_s=bound_s)
        _clause(held.decoding != "free", "generate: with a schema, decoding is constrained or asked")
        whole = held.decoding != "constrained" or (held.ended == "whole" and fits(held.text))
        _clause(whole, f"generate: decoded under the schema, so it must fit: {held.text[:120]!r} ({held.ended})")
        again = await engine.generate(turns, schema=schema, max_tokens=256, deadline_s=bound_s)
        same = again.text == held.text or held.determinism != "bitwise"
        _clause(same, "generate: bitwise means the same text for the same conversation")
        await _faults(engine, turns, 0.0, "a deadline that is over")
        await _check_cancelled(engine, turns, bound_s)
        if mute is not None:
            await mute()
            await _faults(engine, turns, 0.2, "a model that does not answer")
        if lose is not None:
            await lose()
            await _faults(engine, turns, bound_s, "a model that is gone")
    finally:
        await engine.close()
        await engine.close()


async def _faults(engine: Engine, turns: Sequence[Turn], deadline_s: float, of: str) -> None:
    try:
        async with asyncio.timeout(deadline_s + ARRIVES_S):
            await engine.generate(turns, schema=None, max_tokens=16, deadline_s=deadline_s)
    except EngineFault as fault:
        _clause(bool(fault.code), f"generate: {of} is told by a code")
        return
    except TimeoutError:
        raise AssertionError(f"generate: {of} must end by its deadline") from None
    raise AssertionError(f"generate: {of} must raise EngineFault")


async def _check_cancelled(engine: Engine, turns: Sequence[Turn], bound_s: float) -> None:
    """A cancelled request ends at once and harms no later one."""
    task = asyncio.ensure_future(engine.generate(turns, schema=None, max_tokens=16, deadline_s=bound_s))
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=ARRIVES_S)
    _clause(bool(done), "generate: cancelled, it must end")
    after = await engine.generate(turns, schema=None, max_tokens=16, deadline_s=bound_s)
    _clause(after.decoding == "free", "generate: after a cancelled request the next is answered")
