"""A model's server that knows its lines: so many tool calls, then an answer that cites the first. In the form of vLLM's, on loopback."""

import asyncio
import json
import sys
from typing import Any

from aiohttp import web

CALLS = 3


def line(step: int) -> dict[str, Any]:
    """What the model says at a step, counted by what it has said already."""
    if step < CALLS:
        return {"tool": "read_tags", "arguments": {"tag": f"stand-{step + 1}/vibration"}}
    return {"answer": {"text": "Stand 1 vibrates at 3.25 mm/s.", "declined": False, "citations": ["1.1"]}}


async def chat(request: web.Request) -> web.Response:
    body = await request.json()
    said = json.dumps(line(sum(message["role"] == "assistant" for message in body["messages"])))
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 400, "completion_tokens": 30, "total_tokens": 430}
    return web.json_response({"id": "c", "object": "chat.completion", "model": "scripted", "choices": [choice], "usage": usage})


async def _main() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)  # noqa: T201
    # Whoever started this holds the other end of stdin: when it goes, so does this.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_main())
