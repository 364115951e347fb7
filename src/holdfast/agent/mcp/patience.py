"""How long the door waits and for how many: one that says nothing makes room, and no agent takes all the places of the others.

Below any token: a connection on which no whole head of a request came is closed after HEAD_S, and the oldest such at once where the places
run out. Behind it: an agent has OF_ONE_MAX requests open at a time, and the body of each is here within BODY_S.
"""

import asyncio
from collections import Counter
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

AT_ONCE_MAX = 64  # connections; what comes beyond is told to come again
HEAD_S = 5.0
BODY_S = 10.0
BODY_BYTES_MAX = 1 << 18
OF_ONE_MAX = 8  # requests of one agent at once


class Connection(H11Protocol):
    """uvicorn's own, which waits for a head for ever; `since` is when this one began to wait, on the loop's clock."""

    since: float = 0.0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        there = [one for one in self.connections if isinstance(one, Connection) and not one.transport.is_closing()]
        silent = [one for one in there if one is not self and one.silent]
        if len(there) >= AT_ONCE_MAX and silent:
            min(silent, key=_since).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    @property
    def silent(self) -> bool:
        """Whether it has no request: none came whole, or the last one is answered."""
        return not self.cycle or self.cycle.response_complete

    def _watch(self) -> None:
        if not self.silent:
            self._calm()
        elif self._late is None:
            self.since = self.loop.time()
            self._late = self.loop.call_later(HEAD_S, self._waited)

    def _waited(self) -> None:
        self._late = None
        if self.silent:
            self.transport.abort()

    def _calm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def _since(one: Connection) -> float:
    return one.since


class InTurn:
    """Requests of agents that the gate knows: few of one at once, each a POST whose body came whole and in time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Nothing is kept between two requests and nothing is told unasked: a stream that is only held open has no use here.
        if scope["method"] != "POST":
            await _no(405, "this door takes POST alone", scope, receive, send)
            return
        user = scope.get("user")
        name = user.access_token.client_id if isinstance(user, AuthenticatedUser) else ""
        if self._open[name] >= OF_ONE_MAX:
            await _no(429, f"{OF_ONE_MAX} requests of this agent are open already; wait for their answers", scope, receive, send)
            return
        self._open[name] += 1
        try:
            await self._in_time(scope, receive, send)
        finally:
            self._open[name] -= 1
            self._open += Counter()  # those of none are forgotten

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return
                    body += message.get("body", b"")
                    if len(body) > BODY_BYTES_MAX:
                        await _no(413, f"a message has at most {BODY_BYTES_MAX} bytes", scope, receive, send)
                        return
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            await _no(408, f"the message was not here whole within {BODY_S:g} s", scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def once() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, once, send)


async def _no(status: int, why: str, scope: Scope, receive: Receive, send: Send) -> None:
    head: dict[str, Any] = {"connection": "close", **({"allow": "POST"} if status == 405 else {})}
    await JSONResponse({"error": why}, status, headers=head)(scope, receive, send)
