"""Whose turn it is to send: a fixed number of requests at once, the others in the order in which they came.

asyncio's semaphore does the same, and costs several times as much where nobody waits, which is nearly always.
"""

import asyncio
from collections import deque

WAITING_MAX = 64  # requests of one connection that may wait; tables and writes are far fewer


class Crowded(Exception):
    """Too many wait already, or the turn did not come in time: nothing was sent."""


class Turns:
    """`take` or `await wait` gives a turn; each is given back by `give`, once."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()  # WAITING_MAX at most

    def take(self) -> bool:
        """Whether there was a turn to be had at once."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self, until_s: float) -> None:
        """The next turn, on the event loop's clock. Raises Crowded."""
        if self.take():
            return
        if len(self._waiting) >= WAITING_MAX:
            raise Crowded(f"{WAITING_MAX} requests wait already")
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            async with asyncio.timeout_at(until_s):
                await mine
        except BaseException as error:
            if mine.done() and not mine.cancelled():
                self.give()  # it came in the same moment
            elif mine in self._waiting:
                self._waiting.remove(mine)
            if isinstance(error, TimeoutError):
                raise Crowded("earlier requests were not answered in time") from None
            raise

    def give(self) -> None:
        """The turn goes to whoever waits longest; else it is free."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return
        self._free += 1
