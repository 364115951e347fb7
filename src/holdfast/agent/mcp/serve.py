"""The door on standard input and output for one agent, or over HTTP for several, each of which brings its own token."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import Route

from holdfast.agent.mcp.door import Ctx, door
from holdfast.agent.mcp.patience import AT_ONCE_MAX, BODY_BYTES_MAX, Connection, InTurn
from holdfast.agent.mcp.visitors import Visitor, Visitors
from holdfast.link import LinkError, LinkStranger

PATH = "/mcp"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


async def over_stdio(visitors: Visitors, token: str, *, language: str) -> None:
    """Until standard input ends. Raises LinkStranger, LinkError: before anything is said to the other side."""

    async def who(_: Ctx) -> Visitor:
        return await visitors.of(token)

    try:
        await visitors.of(token)
        server = door(who, language=language)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        await visitors.close()


class _Verifier:
    """The gate's word on a token (mcp.server.auth.provider.TokenVerifier)."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            visitor = await self._visitors.of(token)
        except LinkStranger:
            return None
        except LinkError:
            return AccessToken(token=token, client_id="", scopes=[])  # nobody can tell now: each request says so
        return AccessToken(token=token, client_id=visitor.name, scopes=[])


def http_app(visitors: Visitors, *, hosts: tuple[str, ...], language: str) -> Starlette:
    """`hosts`: the names that the door answers to, HOST or HOST:*; requests for another come from a page that was tricked."""

    async def who(context: Ctx) -> Visitor:
        user = context.request.scope.get("user") if context.request is not None else None
        if not isinstance(user, AuthenticatedUser):
            raise LinkStranger("no token came with the request")
        return await visitors.of(user.access_token.token)

    manager = StreamableHTTPSessionManager(
        app=door(who, language=language),
        json_response=True,
        stateless=True,  # every request is whole: nothing is kept between two, so nothing is lost or taken over
        security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=list(hosts), allowed_origins=[]),
        max_request_body_size=BODY_BYTES_MAX,
    )

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncGenerator[None]:
        async with manager.run():
            yield
        await visitors.close()

    return Starlette(
        routes=[Route(PATH, endpoint=RequireAuthMiddleware(InTurn(StreamableHTTPASGIApp(manager)), required_scopes=[]))],
        middleware=[Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(_Verifier(visitors)))],
        lifespan=life,
    )


def config_of(app: Starlette, host: str, port: int) -> uvicorn.Config:
    """How the door is served: quietly, for so many and no longer than patience.py says."""
    return uvicorn.Config(
        app, host=host, port=port, http=Connection, ws="none", limit_concurrency=AT_ONCE_MAX, log_level="warning", access_log=False,
        server_header=False,
    )  # fmt: skip


async def over_http(
    visitors: Visitors,
    host: str,
    port: int,
    *,
    language: str,
    names: tuple[str, ...] = (),
    tls: tuple[Path, Path] | None = None,
    ready: Callable[[str], Awaitable[None]] | None = None,
) -> None:
    """Until it is told to end (SIGINT, SIGTERM). `ready` hears the address. `tls`: certificate and key. Raises OSError."""
    known = tuple(dict.fromkeys((host, *names, *(LOOPBACK if host in LOOPBACK else ()))))
    allowed = tuple(f"[{name}]" if ":" in name else name for name in known)
    app = http_app(visitors, hosts=(*allowed, *(f"{name}:*" for name in allowed)), language=language)
    config = config_of(app, host, port)
    if tls is not None:
        config.ssl_certfile, config.ssl_keyfile = str(tls[0]), str(tls[1])
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    sockets[0].listen()  # from here on callers wait instead of being refused
    bound = int(sockets[0].getsockname()[1])
    if ready is not None:
        shown = f"[{host}]" if ":" in host else host
        await ready(f"{'http' if tls is None else 'https'}://{shown}:{bound}{PATH}")
    await server.serve(sockets=sockets)
