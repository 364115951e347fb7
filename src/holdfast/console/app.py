"""The console as one web application: its pages, what they share, and the headers that keep the browser at home."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litestar import Litestar, Response, get
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from litestar.response import Stream as Streamed
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.clock import Clock
from holdfast.console.gate import Gate, GateError
from holdfast.console.hosts import HERE as HERE_NAMES
from holdfast.console.hosts import Ours
from holdfast.console.house import House
from holdfast.console.pages import (
    alarms,
    approvals,
    ask,
    causes,
    commissioning,
    compliance,
    connections,
    detectors,
    incidents,
    ledger,
    models,
    overview,
    people,
    policy,
    reports,
    session,
)
from holdfast.console.stream import Crowded, Stream
from holdfast.console.visit import Req, SignInFirst, Visit, Visits

HERE = Path(__file__).parent
BODY_BYTES_MAX = 1 << 20
PAGES = (
    session,
    overview,
    approvals,
    alarms,
    incidents,
    causes,
    ask,
    detectors,
    models,
    compliance,
    ledger,
    policy,
    commissioning,
    connections,
    people,
    reports,
)
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def console_app(
    socket: Path,
    clock: Clock,
    key: bytes,
    *,
    language: str,
    secure: bool,
    pages: Sequence[Any] = PAGES,
    names: frozenset[str] = HERE_NAMES,
) -> Litestar:
    """`key`: 32 random bytes for the forms' proofs. `secure`: it is served over TLS. `pages`: modules with `routes(house)`.
    `names`: what a Host may say (hosts.py)."""
    gate = Gate(socket)
    stream = Stream(gate, clock)
    tasks: list[asyncio.Task[None]] = []  # kept: the loop itself only knows them weakly
    house = House(gate, Visits(gate, key, language=language, secure=secure), stream)

    @get("/live")
    async def live(request: Req) -> Streamed:
        await house.visit(request)
        try:
            return Streamed(stream.watch(), media_type="text/event-stream", headers={"cache-control": "no-store"})
        except Crowded:
            raise HTTPException(status_code=503, detail="console.crowded") from None

    @get("/health", include_in_schema=False)
    async def health() -> dict[str, bool]:
        return {"ok": True}

    async def begin() -> None:
        tasks.append(asyncio.create_task(asyncio.to_thread(house.warm)))

    async def end() -> None:
        await stream.close()
        await gate.close()

    def no_page(request: Req, error: Exception) -> Response[Any]:
        return _problem(house, request, error)

    routes: list[Any] = [live, health, create_static_files_router(path="/static", directories=[HERE / "static"])]
    for page in pages:
        routes += page.routes(house)
    app = Litestar(
        routes,
        openapi_config=None,
        exception_handlers={Exception: no_page, HTTPException: no_page},
        request_max_body_size=BODY_BYTES_MAX,
        on_startup=[begin],
        on_shutdown=[end],
        logging_config=None,
    )
    # Around all of it: a middleware of Litestar's own is not asked about an address that has no route.
    app.asgi_handler = _Sealed(Ours(app.asgi_handler, names))
    return app


def _problem(house: House, request: Req, error: Exception) -> Response[Any]:
    """A page that says what is wrong and what to do; nothing of our inside."""
    if isinstance(error, SignInFirst):
        if request.headers.get("hx-request"):
            return Response("", status_code=200, headers={"hx-redirect": f"/sign-in?to={error.to}"})
        return Redirect(f"/sign-in?to={error.to}", status_code=303)
    if request.headers.get("hx-request"):
        # A part of a page: what is there stays, under the word STALE, instead of a page within a page.
        return Response("", status_code=204)
    visit = Visit(language=house.visits.language(request), csrf=house.visits.csrf(""))
    match error:
        case GateError():
            code, what, said = error.status, _what(error), house.refusal(error, visit)
        case HTTPException():
            known = {403: "csrf", 404: "missing", 405: "missing", 413: "large", 503: "crowded"}
            code, what, said = error.status_code, known.get(error.status_code, "wrong"), ""
        case _:
            logging.getLogger(__name__).error("a page could not be served", exc_info=error)
            code, what, said = 500, "broken", ""
    return house.problem(visit, request, code=code, what=what, said=said)


def _what(error: GateError) -> str:
    return {404: "missing", 503: "away"}.get(error.status, "refused")


class _Sealed:
    """Adds HEADERS to every answer, static files and errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                mine = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                there = {name.lower() for name, _ in message["headers"]}
                if b"cache-control" not in there:
                    kept = b"no-cache" if str(scope.get("path", "")).startswith("/static/") else b"no-store"
                    mine.append((b"cache-control", kept))
                message["headers"] = [*message["headers"], *mine]
            await send(message)

        await self._app(scope, receive, sealed)
