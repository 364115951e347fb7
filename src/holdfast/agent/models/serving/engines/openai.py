"""A model on a server of the site, over HTTP: vLLM, SGLang, llama.cpp, Ollama, Triton, each in its own dialect.

One request an answer: nothing is tried again here. No redirect is followed, no proxy of the environment is used: the address that the
site file names is the only one that gets the prompt. With `socket`, all goes through a Unix socket, behind which stands that address.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from holdfast.agent.models.serving.engines.dialects import DIALECTS, Asked, Dialect, Name
from holdfast.ports import EngineFault, Generated, Turn

ANSWER_BYTES_MAX = 4 << 20
TOLD_CHARS_MAX = 200  # of what a server says of its error
BUSY = frozenset({408, 425, 429, 502, 503, 504})


@dataclass(slots=True)
class OpenAi:
    """Fields are the site file's keys of an endpoint."""

    url: str
    """http://10.1.4.30:8000/v1"""
    model: str
    """As the server calls it."""
    dialect: Name
    """Which server it is."""
    key: str = ""
    """Sent as a bearer token; the key itself, not its reference."""
    context_tokens: int = 8192
    """Of prompt and answer together."""
    socket: str = ""
    """A Unix socket that leads there, "" to connect by the network."""
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ValueError(f"no dialect {self.dialect!r}; write one of {', '.join(DIALECTS)}")

    async def generate(self, turns: Sequence[Turn], *, schema: str | None, max_tokens: int, deadline_s: float) -> Generated:
        spoken = self._spoken
        asked = Asked(model=self.model, turns=tuple(turns), schema=schema, max_tokens=max_tokens, context_tokens=self.context_tokens)
        place = self._root(spoken.chat) if spoken.chat_rooted else f"{self.url.rstrip('/')}/{spoken.chat}"
        body = json.dumps(spoken.body(asked), ensure_ascii=False).encode()
        status, content = await self._exchange("POST", place, body, deadline_s)
        if status != 200:
            raise _refused(status, content)
        reply = spoken.reply(_object(content))
        if not reply.text and not reply.cut:
            raise EngineFault("engine.empty")
        return Generated(
            text=reply.text,
            model=reply.model,
            ended="cut" if reply.cut else "whole",
            prompt_tokens=reply.prompt_tokens,
            answer_tokens=reply.answer_tokens,
            decoding="free" if schema is None else "asked",
            determinism="greedy",
        )

    async def ready(self, *, deadline_s: float) -> None:
        status, content = await self._exchange("GET", self._root(self._spoken.health), None, deadline_s)
        if status != 200:
            raise _refused(status, content)

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @property
    def _spoken(self) -> Dialect:
        return DIALECTS[self.dialect]

    def _root(self, path: str) -> str:
        """The path from the server's own root: `…/v1` of the URL belongs to the API alone."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/').removesuffix('/v1')}/{path}", "", ""))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.UnixConnector(self.socket) if self.socket else aiohttp.TCPConnector(limit=0, ttl_dns_cache=30)
            headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
            self._session = aiohttp.ClientSession(connector=connector, headers=headers, trust_env=False, auto_decompress=False)
        return self._session

    async def _exchange(self, method: str, url: str, body: bytes | None, deadline_s: float) -> tuple[int, bytes]:
        """Status and content. Raises EngineFault for everything that is no whole answer in time."""
        if deadline_s <= 0:
            raise EngineFault("engine.timeout", after_s="0")
        head = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with asyncio.timeout(deadline_s):
                got = self._open().request(method, url, data=body, headers=head, allow_redirects=False, timeout=aiohttp.ClientTimeout())
                async with got as response:
                    if response.content_length is not None and response.content_length > ANSWER_BYTES_MAX:
                        raise EngineFault("engine.long", most=str(ANSWER_BYTES_MAX))
                    content = bytearray()
                    async for piece in response.content.iter_any():
                        content += piece
                        if len(content) > ANSWER_BYTES_MAX:
                            raise EngineFault("engine.long", most=str(ANSWER_BYTES_MAX))
                    return response.status, bytes(content)
        except TimeoutError as error:
            raise EngineFault("engine.timeout", after_s=f"{deadline_s:g}", busy=True) from error
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.SocketTimeoutError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise EngineFault("engine.unreachable", why=str(error)[:TOLD_CHARS_MAX], busy=True) from error
            raise EngineFault("engine.half") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EngineFault("engine.protocol", why=f"{type(error).__name__}: {error}"[:TOLD_CHARS_MAX]) from error


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EngineFault("engine.protocol", why=f"it is no JSON ({content[:40]!r})") from error
    if not isinstance(value, dict):
        raise EngineFault("engine.protocol", why="it is no JSON object")
    found = cast("dict[str, Any]", value)
    if "error" in found:
        raise EngineFault("engine.refused", status="200", why=_said(content))
    return found


def _refused(status: int, content: bytes) -> EngineFault:
    code = "engine.redirected" if 300 <= status < 400 else "engine.broken" if status >= 500 else "engine.refused"
    return EngineFault(code, status=str(status), why=_said(content), busy=status in BUSY)


def _said(content: bytes) -> str:
    """What a server says of its error, wherever it puts it; as text for people, never read by us."""
    try:
        value: Any = json.loads(content)
        for name in ("error", "message", "detail"):
            if isinstance(value, dict) and name in value:
                value = cast("dict[str, Any]", value)[name]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = content[: TOLD_CHARS_MAX * 4].decode("utf-8", "replace")
    return " ".join(text.split())[:TOLD_CHARS_MAX]
