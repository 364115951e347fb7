"""A time limit that asyncua's waiting can't slip through.

asyncua waits by a `wait_for` of its own, which raises a kind of CancelledError with the answer inside where answer and cancellation meet.
`asyncio.timeout` turns only CancelledError itself into TimeoutError (it compares by identity), so the other kind would pass for a
cancellation of the task, and end what nobody wanted to end.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator


@contextlib.asynccontextmanager
async def at_most(seconds: float) -> AsyncGenerator[None]:
    """Raises TimeoutError once the time is over, also where the answer came in that moment: it is lost. Real time."""
    limit = asyncio.timeout(seconds)
    try:
        async with plain_cancelling(), limit:
            yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not limit.expired() or (task is not None and task.cancelling()):
            raise
        raise TimeoutError from None


@contextlib.asynccontextmanager
async def plain_cancelling() -> AsyncGenerator[None]:
    """What is cancelled in it leaves it as CancelledError itself, so that a time limit further out knows it."""
    try:
        yield
    except asyncio.CancelledError as error:
        if type(error) is asyncio.CancelledError:
            raise
        raise asyncio.CancelledError from None
