"""Qwen-Agent as a foreign agent: it comes through the MCP door with its own token, and the gate decides on what it asks for.

Its model is scripted: what is tried here is the door, not what a model would answer. HOLDFAST_QWEN names a Python that has Qwen-Agent
(`make test-foreign` makes one); without it this is skipped.
"""

import asyncio
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mill_door import DoorWorld

PYTHON = os.environ.get("HOLDFAST_QWEN", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="HOLDFAST_QWEN names no Python with Qwen-Agent; `make test-foreign` makes one"),
]
ANSWER_S = 50.0
CALLS = (
    ("plant-read_tags", {"tags": ["stand-4/vibration"]}),
    ("plant-propose", {"kind": "write", "sets": [{"tag": "stand-4/tension.sp", "value": 500.0}], "reason": "less tension damps it"}),
)


class Scripted:
    """An OpenAI-compatible server that asks for one tool after the other, and then repeats what the tools gave."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        self.asked.append(wanted)
        step = sum("function_call" in str(one) or "<tool_response>" in str(one.get("content")) for one in wanted["messages"])
        done = len(self.asked) - 1
        text = (
            f"<tool_call>\n{json.dumps({'name': CALLS[done][0], 'arguments': CALLS[done][1]})}\n</tool_call>"
            if done < len(CALLS)
            else f"The gate has decided ({step})."
        )
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        for delta, finish in (({"role": "assistant", "content": text}, None), ({}, "stop")):
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
            choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
            await stream.write(f"data: {json.dumps({**chunk, 'choices': choices})}\n\n".encode())
        await stream.write(b"data: [DONE]\n\n")
        return stream


async def test_qwen_agent_reads_a_tag_and_its_wild_proposal_is_refused_under_its_own_name() -> None:
    folder = Path(tempfile.mkdtemp(prefix="hf"))
    made, model = DoorWorld(folder), Scripted()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", model.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with asyncio.TaskGroup() as group, made.open(group) as door:
            await made.run(5)
            process = await asyncio.create_subprocess_exec(
                PYTHON, str(Path(__file__).parent / "qwen" / "visit.py"), door, made.tokens["copilot"], f"http://127.0.0.1:{port}/v1",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=folder,
            )  # fmt: skip
            async with asyncio.timeout(ANSWER_S):
                out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-2000:]
        told = json.loads(out.decode().splitlines()[-1])
        assert told["tools"] == [name for name, _ in CALLS]
        (record,) = made.records("decision")
        assert (record["decision"]["author"], record["decision"]["verdict"]) == ("copilot", "refuse")
        seen = json.dumps(model.asked[-1], ensure_ascii=False)
        assert re.search(r"stand-4/vibration", seen)
        assert "refuse" in seen, "its model was told of the refusal"
    finally:
        await runner.cleanup()
        made.close()
        shutil.rmtree(folder)
