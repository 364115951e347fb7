"""A server on loopback that speaks a dialect as its documentation has it, and can be told to misbehave."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from holdfast.agent.models.serving.engines.dialects import FUNCTION

EXCHANGES = Path(__file__).parent / "exchanges"
HEALTH = {"vllm": "/health", "sglang": "/health", "llamacpp": "/v1/models", "ollama": "/api/version", "triton": "/health/ready"}
CHAT = dict.fromkeys(HEALTH, "/v1/chat/completions") | {"ollama": "/api/chat"}


def exchange(dialect: str) -> dict[str, Any]:
    """What is sent and what comes back, in the form that the server's documentation gives."""
    return json.loads((EXCHANGES / f"{dialect}.json").read_text(encoding="utf-8"))


def schema_in(dialect: str, body: Mapping[str, Any]) -> Any:
    """The schema where this server looks for it; None where it would see none."""
    if dialect == "vllm":
        return body.get("structured_outputs", {}).get("json")
    if dialect == "sglang":
        return body.get("response_format", {}).get("json_schema", {}).get("schema")
    if dialect == "llamacpp":
        form = body.get("response_format", {})
        return form.get("schema") if form.get("type") == "json_object" else None
    if dialect == "ollama":
        return body.get("format")
    named = body.get("tool_choice", {}).get("function", {}).get("name")
    return next((tool["function"]["parameters"] for tool in body.get("tools", ()) if tool["function"]["name"] == named), None)


def answered(dialect: str, text: str, *, held: bool, finish: str = "stop") -> dict[str, Any]:
    """An answer of this server with another text."""
    whole = exchange(dialect)["response"]
    if dialect == "ollama":
        whole["message"]["content"] = text
        whole["done_reason"] = finish
        return whole
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if dialect == "triton" and held:
        call = {"id": "call_0", "type": "function", "function": {"name": FUNCTION, "arguments": text}}
        message = {"role": "assistant", "content": "", "tool_calls": [call]}
    whole["choices"][0] |= {"message": message, "finish_reason": finish}
    return whole


def smallest(schema: Any) -> Any:
    """Some value that fits a schema of the safe subset, for a server that decodes under it."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return smallest(schema["anyOf"][0])
    if schema["type"] == "object":
        return {name: smallest(of) for name, of in schema["properties"].items() if name in schema["required"]}
    if schema["type"] == "array":
        return [smallest(schema["items"])] * schema.get("minItems", 0)
    plain: dict[str, Any] = {
        "string": schema["pattern"].strip("^$") if "pattern" in schema else "x" * schema.get("minLength", 1),
        "integer": schema.get("minimum", 0),
        "number": schema.get("minimum", 0),
        "boolean": True,
    }
    return plain.get(schema["type"])


class ModelServer:
    """`enforces`: whether it keeps to a schema. `text` is what it says where it does not, or is not asked to. `then` misbehaves."""

    def __init__(self, dialect: str, *, enforces: bool = True, text: str = "All is well.") -> None:
        self.dialect, self.enforces, self.text = dialect, enforces, text
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[Mapping[str, str]] = []
        self.then: Callable[[web.Request], Any] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}" + ("" if self.dialect == "ollama" else "/v1")

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.heads.append(dict(request.headers))
        self.bodies.append(await request.json())
        if self.then is not None:
            return await self.then(request)
        schema = schema_in(self.dialect, self.bodies[-1])
        held = schema is not None and self.enforces
        text = json.dumps(smallest(schema)) if held else self.text
        return web.json_response(answered(self.dialect, text, held=held))

    async def health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"version": "0.12.0"} if self.dialect == "ollama" else {"status": "ok"})


@contextlib.asynccontextmanager
async def serving(server: ModelServer) -> AsyncGenerator[ModelServer]:
    app = web.Application()
    app.router.add_post(CHAT[server.dialect], server.chat)
    app.router.add_get(HEALTH[server.dialect], server.health)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


async def hangs(request: web.Request) -> web.StreamResponse:
    """Never answers; ends when the client goes."""
    await asyncio.Event().wait()
    raise AssertionError


async def closes(request: web.Request) -> web.StreamResponse:
    """Takes the request and closes the connection without a word."""
    assert request.transport is not None
    request.transport.close()
    await asyncio.sleep(0)
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    """Promises a whole answer, sends its beginning, and closes."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
    await response.prepare(request)
    await response.write(b'{"choices": [{"message": {"content": "{\\"ans')
    assert request.transport is not None
    request.transport.close()
    return response


async def trickles(request: web.Request) -> web.StreamResponse:
    """A byte now and then, for ever: each arrives in time, the answer never does."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)
    return response


async def floods(request: web.Request) -> web.StreamResponse:
    """Sends without end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * 65_536)
    return response


def says(content: str | bytes, status: int = 200, **headers: str) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = content.encode() if isinstance(content, str) else content
        return web.Response(body=body, status=status, headers={"Content-Type": "application/json", **headers})

    return answer
