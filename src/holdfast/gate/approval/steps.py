"""What an agent does for an answer while it does it: kept in memory alone, bounded, for whoever waits for that answer."""

import asyncio
import contextlib
from collections import OrderedDict

OF_ONE_MAX = 20
QUESTIONS_MAX = 64  # the oldest are forgotten
TEXT_CHARS_MAX = 200


class Steps:
    """For the gate's one thread; both doors share one."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, list[str]] = OrderedDict()
        self._news = asyncio.Event()

    def add(self, question: str, text: str) -> None:
        """More than OF_ONE_MAX of one question are passed over."""
        steps = self._of.setdefault(question, [])
        if len(steps) < OF_ONE_MAX:
            steps.append(text[:TEXT_CHARS_MAX])
        while len(self._of) > QUESTIONS_MAX:
            self._of.popitem(last=False)
        self.tell()

    def of(self, question: str) -> tuple[str, ...]:
        return tuple(self._of.get(question, ()))

    def tell(self) -> None:
        """Wake who waits: there is a step or an answer."""
        self._news.set()
        self._news = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until there is something new, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
