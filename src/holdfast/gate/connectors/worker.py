"""Blocking calls of one connection, in one thread of its own: in order, each within a time limit, never two threads at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
WAITING_MAX = 64  # calls of one connection that may wait for their turn; tables and writes are far fewer


class NotBegun(Exception):
    """The call was withdrawn before it began: nothing of it has happened."""


class Worker:
    """A thread, made with the first call and given back by `end`."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._open: set[Future[Any]] = set()  # at most WAITING_MAX, and the one that runs

    async def run(self, call: Callable[[], T], *, timeout_s: float) -> T:
        """What `call` returns or raises.

        Raises NotBegun where its turn did not come within `timeout_s`, real seconds, and TimeoutError where it began and
        is not done: it then goes on, and whoever asked has to break what it waits for. Cancelled before its turn, it is withdrawn.
        """
        if len(self._open) > WAITING_MAX:
            raise NotBegun(f"{WAITING_MAX} calls wait already")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="connector")
        future = self._pool.submit(call)
        self._open.add(future)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(lambda done: self._settled(future, done))
        try:
            done, _ = await asyncio.wait([waiting], timeout=max(timeout_s, 0.0))
        except asyncio.CancelledError:
            future.cancel()
            raise
        if done or future.done():
            return future.result()
        if future.cancel():
            raise NotBegun(f"earlier calls were not done within {timeout_s:g} s")
        raise TimeoutError(f"not done within {timeout_s:g} s")

    def end(self) -> None:
        """Give the thread back. One that hangs is kept, so that the next call waits behind it and no other thread is made."""
        self._open = {future for future in self._open if not future.done()}
        if self._pool is not None and not self._open:
            self._pool.shutdown(wait=False)
            self._pool = None

    def _settled(self, future: "Future[Any]", done: "asyncio.Future[Any]") -> None:
        self._open.discard(future)
        if not done.cancelled():
            done.exception()  # nobody may wait for it any more
