"""Who comes through the door: an agent by its own token, with the site as it is now, its clearance, and a bound on how often it asks.

The door has no token of its own. Whatever comes through it is asked of the gate with the token that was brought, so the gate decides for
that agent as it would at the link; what is revoked there is refused here within VERIFIED_S.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from holdfast.agent.tools.listed import tools
from holdfast.agent.tools.tool import Tool
from holdfast.clock import Clock
from holdfast.link import LinkStranger
from holdfast.link.http import HttpLink
from holdfast.terms import SECOND_NS, Label

VISITORS_MAX = 32  # kept at once; who was away longest makes room
VERIFIED_S = 10.0  # how long the gate's word on a token counts
PER_S, BURST = 10.0, 40.0  # calls of one visitor
TOKEN_CHARS_MAX = 512
UNSAID: Label = "site"  # the clearance of an agent for which the site file says none
STRANGE: Label = "public"  # of one that the site file does not name: it may have a token, and nothing is said of it


class Visitor:
    """One agent. `name` and `tools` are those of the site as the gate last told it."""

    def __init__(self, token: str, link: HttpLink, clock: Clock, home: Path | None) -> None:
        self.token, self._link, self._clock, self._home = token, link, clock, home
        self.name = ""
        self.clearance: Label = STRANGE
        self.tools: Mapping[str, Tool[Any]] = {}
        self._verified_ns: int | None = None
        self._allowance, self._at_ns = BURST, clock.monotonic_ns()
        self._one = asyncio.Lock()

    async def come(self) -> None:
        """Have the gate say who this is, where it has not lately. Raises LinkStranger for an unknown token, LinkError for no answer."""
        async with self._one:
            now_ns = self._clock.monotonic_ns()
            if self._verified_ns is not None and now_ns - self._verified_ns < VERIFIED_S * SECOND_NS:
                return
            self._verified_ns = None
            site = await self._link.site()
            self.name = self._link.agent
            spec = next((one for one in site.agents if one.name == self.name), None)
            self.clearance = STRANGE if spec is None else spec.clearance or UNSAID
            made = tools(self._link, site, self._home, clock=self._clock, author=self.name, clearance=self.clearance)
            self.tools = {tool.name: tool for tool in made}
            self._verified_ns = now_ns

    def may_call(self) -> bool:
        """Whether it has not asked too often."""
        now_ns = self._clock.monotonic_ns()
        self._allowance = min(self._allowance + PER_S * (now_ns - self._at_ns) / SECOND_NS, BURST)
        self._at_ns = now_ns
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    async def leave(self) -> None:
        await self._link.close()


class Visitors:
    """By token, of which only a digest is kept as a key. `link` makes the way to the gate for one."""

    def __init__(self, link: Callable[[str], HttpLink], clock: Clock, home: Path | None) -> None:
        self._link, self._clock, self._home = link, clock, home
        self._known: OrderedDict[bytes, Visitor] = OrderedDict()

    async def of(self, token: str) -> Visitor:
        """Raises LinkStranger for an unknown token, LinkError where the gate can't be asked."""
        if not (0 < len(token) <= TOKEN_CHARS_MAX and token.isascii() and token.isprintable()):
            raise LinkStranger("that is no token: `holdfast agents add` writes one line of letters, digits, - and _")
        key = hashlib.sha256(token.encode()).digest()
        found = self._known.get(key)
        if found is None:
            found = Visitor(token, self._link(token), self._clock, self._home)
            try:
                await found.come()
            except BaseException:
                await found.leave()  # a stranger takes nobody's place
                raise
            if (other := self._known.get(key)) is not None:  # it came twice at once
                await found.leave()
                found = other
            self._known[key] = found
            while len(self._known) > VISITORS_MAX:
                _, gone = self._known.popitem(last=False)
                await gone.leave()
        self._known.move_to_end(key)
        await found.come()
        return found

    async def close(self) -> None:
        while self._known:
            _, gone = self._known.popitem()
            await gone.leave()
