"""What is done for an answer, told while it is made; the work ends with whoever listens."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from holdfast.agent.ask.answer import Step


async def steps_of(work: asyncio.Future[Any], steps: asyncio.Queue[Step]) -> AsyncGenerator[Step]:
    """Each step as it comes, until the work is done; to be closed (`contextlib.aclosing`), which cancels work that is not."""
    try:
        while not work.done():
            waiting = asyncio.ensure_future(steps.get())
            await asyncio.wait((work, waiting), return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                yield waiting.result()
            else:
                waiting.cancel()
        while not steps.empty():
            yield steps.get_nowait()
    finally:
        if not work.done():
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
