"""`holdfast run` on the mill with a model server in its site file, and a question that the model answers through the outlet."""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest
from aiohttp import web
from model_server import ModelServer, answered, serving

from holdfast.run.wired import addresses, start_plant

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
TAG = "stand-4/tension.pv"


async def says_what_it_is_asked(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    said = sum(message["role"] == "assistant" for message in body["messages"])
    line = {"tool": "read_tags", "arguments": {"tags": [TAG]}}
    if said:
        line = {"answer": {"text": "The tension was read.", "declined": False, "citations": ["1.1"]}}
    return web.json_response(answered("vllm", json.dumps(line), held=True))


@pytest.mark.slow
async def test_a_question_goes_to_the_sites_model_and_comes_back_cited() -> None:
    with tempfile.TemporaryDirectory(prefix="hf") as path:  # short: a socket's path has 107 bytes
        folder, home = Path(path), Path(path) / "home"
        async with serving(ModelServer("vllm")) as server:
            server.then = says_what_it_is_asked
            plant, site = await start_plant("normal", 1, folder, "--epoch-ns", str(time.time_ns()), "--factor", "1")
            (site.parent / "llm.key").write_text("k-7")
            listed = f"{{engine: openai, url: '{server.url}', model: m, dialect: vllm, clearance: site, skills: [ask], languages: [en], "
            with site.open("a", encoding="utf-8") as file:
                file.write(f"\nmodels:\n  llm: {listed}key: file:llm.key, context: 100000}}\n")
            run = await asyncio.create_subprocess_exec(
                *HOLDFAST, "run", str(site), "--home", str(home), env={**os.environ, **addresses(plant)},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            try:
                async with asyncio.timeout(40):
                    while not list(home.glob("link/model-*.sock")) or not (home / "link" / "link.sock").exists():
                        assert run.returncode is None
                        await asyncio.sleep(0.1)
                process = await asyncio.create_subprocess_exec(
                    *HOLDFAST, "ask", "What does the tension of stand 4 read now?", "--home", str(home), "--json",
                    stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                )  # fmt: skip
                out, _ = await asyncio.wait_for(process.communicate(), 30)
            finally:
                run.terminate()
                said, _ = await asyncio.wait_for(run.communicate(), 20)
                await plant.end()
    answer = json.loads(out.decode().splitlines()[-1])
    assert (answer["text"].splitlines()[0], answer["made_by"]) == ("The tension was read.", "model:llm@Qwen3-8B"), (answer, said.decode())
    assert [one["ref"] for one in answer["citations"]] == [TAG]
    assert {head["Authorization"] for head in server.heads} == {"Bearer k-7"}
