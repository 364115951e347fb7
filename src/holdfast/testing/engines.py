"""The contract of `ports.Engine`: answers in time, faults by their code, cancelled at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from holdfast.ports import Engine, EngineFault, Turn
from holdfast.testing.clause import clause

ARRIVES_S = 10.0  # within which a server has noticed what became of a request, however busy the machine is


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
        clause(free.decoding == "free", f"generate: nothing was asked for, so decoding is free, not {free.decoding}")
        told = (free.prompt_tokens, free.answer_tokens)
        clause(all(n is None or n >= 0 for n in told), f"generate: tokens are counts or not told, not {told}")
        held = await engine.generate(turns, schema=schema, max_tokens=256, deadline_s=bound_s)
        clause(held.decoding != "free", "generate: with a schema, decoding is constrained or asked")
        whole = held.decoding != "constrained" or (held.ended == "whole" and fits(held.text))
        clause(whole, f"generate: decoded under the schema, so it must fit: {held.text[:120]!r} ({held.ended})")
        again = await engine.generate(turns, schema=schema, max_tokens=256, deadline_s=bound_s)
        same = again.text == held.text or held.determinism != "bitwise"
        clause(same, "generate: bitwise means the same text for the same conversation")
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
        clause(bool(fault.code), f"generate: {of} is told by a code")
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
    clause(bool(done), "generate: cancelled, it must end")
    after = await engine.generate(turns, schema=None, max_tokens=16, deadline_s=bound_s)
    clause(after.decoding == "free", "generate: after a cancelled request the next is answered")
