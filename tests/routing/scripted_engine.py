"""An engine that does what a test tells it: a model's double, without a server."""

import asyncio
from collections.abc import Sequence
from typing import Any

from holdfast.ports import EngineFault, Generated, Turn
from holdfast.site.model import Endpoint


def endpoint(name: str, clearance: Any = "restricted", **more: Any) -> Endpoint:
    told: dict[str, Any] = {"skills": ("ask", "explain"), "languages": ("en", "zh"), "at_once": 2, "timeout_s": 5.0}
    return Endpoint(name=name, engine="scripted", clearance=clearance, **(told | more))


class Scripted:
    """`does`: a text, an exception to raise, or None to hang. A list is used up one by one, its last for ever."""

    def __init__(self, *does: object) -> None:
        self.does = list(does) or ["fine"]
        self.got: list[tuple[Turn, ...]] = []
        self.schemas: list[str | None] = []
        self.closed = 0
        self.now = self.most = 0
        self.began = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def generate(self, turns: Sequence[Turn], *, schema: str | None, max_tokens: int, deadline_s: float) -> Generated:
        self.got.append(tuple(turns))
        self.schemas.append(schema)
        what = self.does.pop(0) if len(self.does) > 1 else self.does[0]
        self.now += 1
        self.most = max(self.most, self.now)
        self.began.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            if what is None:
                try:
                    async with asyncio.timeout(deadline_s):
                        await asyncio.Event().wait()
                except TimeoutError:
                    raise EngineFault("engine.timeout", after_s=f"{deadline_s:g}") from None
            if isinstance(what, BaseException):
                raise what
        finally:
            self.now -= 1
        ended = "cut" if str(what).startswith("CUT") else "whole"
        return Generated(text=str(what), model="m", ended=ended, prompt_tokens=1, answer_tokens=1, decoding="asked", determinism="greedy")

    async def ready(self, *, deadline_s: float) -> None:
        if isinstance(self.does[0], BaseException):
            raise self.does[0]

    async def close(self) -> None:
        self.closed += 1
