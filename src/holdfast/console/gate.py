"""The console's one way to the gate: the people's API over its Unix socket, with the visitor's own session token."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from holdfast.terms import canonical

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 64 << 20
LINE_BYTES_MAX = 4 << 20
CONNECTIONS_MAX = 32


class GateError(Exception):
    """The gate said no (`status` is its own) or can't be reached (503).

    `code` has words of its own in words/, and `facts` what they name; the text is the gate's, in English.
    """

    def __init__(self, status: int, message: str, code: str = "", facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.facts = dict(facts or {})


class Gate:
    """`socket`: the people's socket in the gate's folder."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, path: str, query: Mapping[str, str | int] | None = None, *, token: str = "") -> Any:
        return _json(await self._ask("GET", path, query, token=token))

    async def post(self, path: str, body: Mapping[str, Any], *, token: str = "", timeout_s: float = TIMEOUT_S) -> Any:
        """Sent once and never again, whatever happens."""
        return _json(await self._ask("POST", path, body=canonical(body), token=token, timeout_s=timeout_s))

    async def delete(self, path: str, *, token: str) -> None:
        await self._ask("DELETE", path, token=token)

    async def content(
        self, path: str, query: Mapping[str, str | int] | None = None, *, token: str = "", timeout_s: float = TIMEOUT_S
    ) -> bytes:
        return await self._ask("GET", path, query, token=token, timeout_s=timeout_s)

    async def page(self, path: str, query: Mapping[str, str | int], *, token: str = "") -> tuple[Any, int | None]:
        """A page of a list, and where to go on; None at its end."""
        onward: dict[str, str] = {}
        found = _json(await self._ask("GET", path, query, token=token, told=onward))
        return found, int(onward["x-next"]) if "x-next" in onward else None

    async def lines(self, path: str, query: Mapping[str, str | int] | None = None, *, token: str = "") -> AsyncIterator[bytes]:
        """The lines of an event stream, until the gate ends it. Raises GateError."""
        headers, limit = {"authorization": f"Bearer {token}"} if token else {}, aiohttp.ClientTimeout(total=None)
        try:
            async with self._http().get(f"http://gate{path}", params=query, headers=headers, timeout=limit) as answer:
                if answer.status >= 400:
                    raise _refused(answer.status, await answer.read())
                async for line in answer.content:
                    yield line
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise self._away(error) from error

    def _http(self) -> aiohttp.ClientSession:
        """Made at the first use: it belongs to the event loop that it is made in."""
        if self._session is None:
            connector = aiohttp.UnixConnector(str(self._socket), limit=CONNECTIONS_MAX)
            self._session = aiohttp.ClientSession(connector=connector, read_bufsize=LINE_BYTES_MAX)
        return self._session

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        body: bytes | None = None,
        token: str = "",
        timeout_s: float = TIMEOUT_S,
        told: dict[str, str] | None = None,
    ) -> bytes:
        """`told` takes the answer's headers."""
        if {".", ".."} & set(path.split("/")):  # the client would fold them, and ask another route than the one that is named
            raise GateError(404, "no such path")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        limit = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._http().request(
                method, f"http://gate{path}", params=query, data=body, headers=headers, timeout=limit
            ) as answer:
                content = await answer.content.read(ANSWER_BYTES_MAX)
                while not answer.content.at_eof() and len(content) < ANSWER_BYTES_MAX:
                    content += await answer.content.read(ANSWER_BYTES_MAX - len(content))
                status = answer.status
                if told is not None:
                    told.update({name.lower(): value for name, value in answer.headers.items()})
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._away(error) from error
        if status >= 400:
            raise _refused(status, content)
        return content

    def _away(self, error: Exception) -> GateError:
        return GateError(503, f"no answer from the gate ({type(error).__name__})", "console.away")


def _json(content: bytes) -> Any:
    """Raises GateError for what no gate says: another program listens at the socket."""
    try:
        return json.loads(content) if content else None
    except ValueError as error:
        raise GateError(503, "what answers at the gate's socket is no gate", "console.away") from error


def _refused(status: int, content: bytes) -> GateError:
    try:
        said = json.loads(content)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return GateError(status, f"the gate answered {status}")
    told = str(said.get("error") or said.get("message") or f"the gate answered {status}")
    named = said.get("facts")
    given = {**said, **(named if isinstance(named, dict) else {})}
    facts = {str(name): str(value) for name, value in given.items() if isinstance(value, str | int | float)}
    return GateError(status, told, str(said.get("code", "")), facts)
