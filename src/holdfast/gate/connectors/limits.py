"""What a server itself says of the tags that we write, asked at each connect and now and then: EURange, and whether we may write.

The guard lets it only tighten the envelope. A server that can't be browsed says nothing.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence

from holdfast.clock import Clock
from holdfast.ports import ConnectionLost, Reader
from holdfast.terms import ServerLimit, Tag

BROWSE_TIMEOUT_S = 10.0
BROWSED_MAX = 5_000
LIMITS_EVERY_S = 300.0  # how late a limit that changed at run time may be noticed; a browse is no small thing to ask of a PLC


async def told_by(reader: Reader, tags: Sequence[Tag]) -> tuple[ServerLimit, ...]:
    """Of those of `tags` that are written and that the server shows. Raises ConnectionLost."""
    wanted = {tag.address: tag.name for tag in tags if tag.writable}
    if not wanted:
        return ()
    found: dict[str, ServerLimit] = {}
    seen = 0
    try:
        async with asyncio.timeout(BROWSE_TIMEOUT_S):
            async for there in reader.browse():
                seen += 1
                name = wanted.get(there.address)
                if name is not None:
                    found[name] = ServerLimit(tag=name, range=_finite(there.eu_range), writable=there.writable)
                if len(found) == len(wanted) or seen >= BROWSED_MAX:
                    break
    except (NotImplementedError, TimeoutError):
        pass  # what was found until then still tightens
    return tuple(found.values())


async def ask_again(ask: Callable[[], Awaitable[object]], clock: Clock) -> None:
    """Ask every LIMITS_EVERY_S, until cancelled. What was told before stays where a server doesn't answer."""
    while True:
        await asyncio.sleep(clock.real_s(LIMITS_EVERY_S))
        with contextlib.suppress(ConnectionLost, OSError, TimeoutError):
            await ask()


def _finite(span: tuple[float, float] | None) -> tuple[float, float] | None:
    # OPC UA servers give [0, 0] where nobody filled EURange in (Part 8 §5.6.3 leaves it to the vendor).
    if span is None or not all(math.isfinite(end) for end in span) or span[0] >= span[1]:
        return None
    return span
