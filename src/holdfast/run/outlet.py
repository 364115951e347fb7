"""The one way from an agent's cell to a model server: a Unix socket an endpoint, behind each the one address that the site file names.

A cell has no network. This process, apart from gate and agents, takes a request at a socket, adds the server's key, and sends it on to that
endpoint's address and to no other: after reading the site file it is locked as the gate is (`gate/egress.py`). Only the two paths of the
endpoint's dialect pass. The agent never holds a key, and the address is not its to choose.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from holdfast.agent.models.serving.engines.dialects import DIALECTS
from holdfast.gate.egress import PORTS, Address, EgressLock, EgressOpen, prove
from holdfast.site import secrets
from holdfast.site.endpoints import OVER_HTTP, socket_name
from holdfast.site.load import load
from holdfast.site.model import Endpoint, Site, SiteError

BODY_BYTES_MAX = 8 << 20
ANSWER_BYTES_MAX = 4 << 20
LEEWAY_S = 1.0  # beyond an endpoint's own time limit
AT_ONCE_MAX = 5  # times what the endpoint works on together
SOCKET_MODE = 0o660


def reached(site: Site) -> tuple[Endpoint, ...]:
    """The endpoints that are reached over the network."""
    return tuple(one for one in site.models if one.engine == OVER_HTTP)


def addresses_of(site: Site) -> tuple[Address, ...]:
    """Where this process may connect to."""
    found: list[Address] = []
    for one in reached(site):
        parts = urlsplit(one.url)
        found.append(Address(host=str(parts.hostname), port=parts.port or PORTS[parts.scheme], of=f"model endpoint {one.name}"))
    return tuple(dict.fromkeys(found))


class Outlet:
    """One endpoint's way out."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        self._endpoint, self._key = endpoint, key
        spoken = DIALECTS[endpoint.dialect]
        parts = urlsplit(endpoint.url)
        root = parts.path.rstrip("/").removesuffix("/v1")
        base = root if spoken.chat_rooted else parts.path.rstrip("/")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._paths = {("POST", f"{base}/{spoken.chat}"), ("GET", f"{root}/{spoken.health}")}
        self._under_way = 0

    async def send_on(self, request: web.Request) -> web.StreamResponse:
        if (request.method, request.path) not in self._paths or request.query_string:
            return _told(404, "this socket leads to the paths of its endpoint's dialect alone")
        if self._under_way >= AT_ONCE_MAX * self._endpoint.at_once:
            return _told(503, "too many requests under way")
        self._under_way += 1
        try:
            async with asyncio.timeout(self._endpoint.timeout_s + LEEWAY_S), self._session() as session:
                return await self._through(request, session)
        except TimeoutError:
            return _told(504, f"no answer within {self._endpoint.timeout_s:g} s")
        except (aiohttp.ClientConnectorError, PermissionError) as error:
            return _told(502, f"nobody answers at {self._origin}: {error}")
        except aiohttp.ClientError as error:
            return _told(502, f"the connection broke: {type(error).__name__}")
        finally:
            self._under_way -= 1

    async def _through(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        body = await request.read() if request.method == "POST" else None
        head = {"Content-Type": "application/json"} if body is not None else {}
        async with session.request(request.method, self._origin + request.path, data=body, headers=head, allow_redirects=False) as got:
            content = bytearray()
            async for piece in got.content.iter_any():
                content += piece
                if len(content) > ANSWER_BYTES_MAX:
                    return _told(502, f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
            return web.Response(status=got.status, body=bytes(content), content_type="application/json")

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncGenerator[aiohttp.ClientSession]:
        """One a request: nothing that one agent sends stays for the next."""
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        async with aiohttp.ClientSession(
            headers=headers, trust_env=False, auto_decompress=False, timeout=aiohttp.ClientTimeout()
        ) as session:
            yield session


def _told(status: int, why: str) -> web.Response:
    return web.json_response({"error": {"message": why}}, status=status)


async def serve(site: Site, keys: Mapping[str, str], folder: Path, stop: asyncio.Event) -> None:
    """Until `stop`: a socket in `folder` for each endpoint, for its owner and its group."""
    runners: list[web.AppRunner] = []
    try:
        for endpoint in reached(site):
            app = web.Application(client_max_size=BODY_BYTES_MAX)
            app.router.add_route("*", "/{path:.*}", Outlet(endpoint, keys[endpoint.name]).send_on)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            runners.append(runner)
            path = folder / socket_name(endpoint.name)
            path.unlink(missing_ok=True)
            before = os.umask(0o777 & ~SOCKET_MODE)
            try:
                await web.UnixSite(runner, str(path)).start()
            finally:
                os.umask(before)
        print(json.dumps({"endpoints": [one.name for one in reached(site)]}), flush=True)  # noqa: T201
        await stop.wait()
    finally:
        for runner in runners:
            await runner.cleanup()


async def _run(site: Site, keys: Mapping[str, str], folder: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(site, keys, folder, stop)


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m holdfast.run.outlet --site FILE --sockets FOLDER`. 2: it can't start."""
    parser = argparse.ArgumentParser(prog="holdfast.run.outlet", description="The way from agents to the site's model servers.")
    parser.add_argument("--site", type=Path, required=True)
    parser.add_argument("--sockets", type=Path, required=True, help="folder of the link's socket")
    given: Any = parser.parse_args(argv)
    try:
        site = load(given.site).site
        keys = {one.name: secrets.text(one.key, given.site.parent) if one.key else "" for one in reached(site)}
        prove(EgressLock(addresses_of(site)))
        asyncio.run(_run(site, keys, given.sockets))
    except (SiteError, secrets.SecretError, EgressOpen, OSError) as error:
        print(str(error), file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
