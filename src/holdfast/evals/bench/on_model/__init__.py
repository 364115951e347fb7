"""`bench on-model`: the processor's time for one step of the loop on a model, beside a bare client in the same run.

A server in a process of its own says the same lines to both: three tool calls, then an answer. The bare client posts the talk, reads
the JSON and calls the same function; ours is all of it: pydantic-ai, labels, router, schema, checks. Time is of this process alone, over
whole questions, divided by their steps; the two take turns.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any, cast

import aiohttp
from pydantic import Field

from holdfast.agent.models.serving.opened import open_engine
from holdfast.agent.models.serving.router import Router
from holdfast.agent.tools.tool import Citation, Returned, Tool, told
from holdfast.clock import RealClock
from holdfast.evals.bench.on_model.server import CALLS
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options, SuiteError
from holdfast.run.supervise import python
from holdfast.site.model import Endpoint
from holdfast.terms import Word

QUESTIONS, WARM_UP = 100, 5
STEPS = CALLS + 1
OVERHEAD_MS_MAX = 10.0
QUESTION = "Why does stand 1 vibrate?"


class Asked(Word):
    tag: Annotated[str, Field(max_length=60)]


class Found(Word):
    value: float
    unit: str


async def read_tags(asked: Asked) -> Returned:
    cite = Citation(kind="tag", ref=asked.tag, quote="3.25 mm/s")
    return Returned(label="site", body=Found(value=3.25, unit="mm/s"), citations=(cite,))


TOOL = Tool("read_tags", Asked, read_tags)


def run(options: Options) -> Figures:
    try:
        bare, ours, wrong = asyncio.run(_run(options))
    except ImportError as error:
        raise SuiteError(f"{error.name} is not installed; install Holdfast with the extra `agent`") from error
    per_step = {name: spread([ns // STEPS for ns in taken]) for name, taken in (("bare_ms", bare), ("ours_ms", ours))}
    middle = {name: sorted(taken)[len(taken) // 2] / STEPS / 1e6 for name, taken in (("bare", bare), ("ours", ours))}
    overhead = middle["ours"] - middle["bare"]
    figures: dict[str, Any] = {
        "questions": len(ours),
        "steps_each": STEPS,
        "wrong_answers": wrong,
        "cpu_per_step": per_step,
        "overhead_ms_p50": round(overhead, 3),
        "times_bare": round(middle["ours"] / middle["bare"], 1),
        "aim": {"overhead_ms_max": OVERHEAD_MS_MAX},
    }
    return Figures(name="on-model", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    return figures["wrong_answers"] == 0 and figures["overhead_ms_p50"] <= OVERHEAD_MS_MAX


async def _run(options: Options) -> tuple[list[int], list[int], int]:
    from holdfast.agent.ask.answer import Answer
    from holdfast.agent.ask.on_model import OnModel

    otherwise = Answer(text="by rules", language="en", code="why")
    questions = options.n or QUESTIONS
    bare: list[int] = []
    ours: list[int] = []
    wrong = 0
    async with _served() as url, aiohttp.ClientSession() as session:
        end = Endpoint(
            name="scripted", engine="openai", url=url, model="m", dialect="vllm", clearance="site", skills=("ask",), languages=("en",)
        )
        clock = RealClock()
        router = Router([end], {end.name: open_engine(end, Path())}, clock)
        loop = OnModel(router, (TOOL,), clock)
        for number in range(questions + WARM_UP):
            options.progress(number / (questions + WARM_UP), "questions")
            began_ns = time.process_time_ns()
            answer = await _bare(session, url, loop.schema.plain())
            between_ns = time.process_time_ns()
            got = await loop.answer(QUESTION, language="en", label="site", otherwise=otherwise)
            ended_ns = time.process_time_ns()
            wrong += got.code != "llm.answered" or got.answer.text != answer
            if number >= WARM_UP:
                bare.append(between_ns - began_ns)
                ours.append(ended_ns - between_ns)
        await router.close()
    return bare, ours, wrong


async def _bare(session: aiohttp.ClientSession, url: str, schema: dict[str, Any]) -> str:
    """The least that gives the same: post, read, call, append."""
    messages: list[dict[str, str]] = [{"role": "system", "content": "You help."}, {"role": "user", "content": QUESTION}]
    for _ in range(STEPS):
        body = {"model": "m", "messages": messages, "temperature": 0, "structured_outputs": {"json": schema}}
        async with session.post(f"{url}/chat/completions", json=body) as response:
            text = str((await response.json())["choices"][0]["message"]["content"])
        said = cast("dict[str, Any]", json.loads(text))
        if "answer" in said:
            return str(said["answer"]["text"])
        returned = await read_tags(Asked(**said["arguments"]))
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": told(returned)}]
    raise SuiteError("the scripted model gave no answer; look at evals/bench/on_model/server.py")


@contextlib.asynccontextmanager
async def _served() -> AsyncGenerator[str]:
    process = await asyncio.create_subprocess_exec(
        *python("holdfast.evals.bench.on_model.server"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr
    )
    assert process.stdout is not None and process.stdin is not None  # noqa: S101, PT018
    try:
        port = json.loads(await asyncio.wait_for(process.stdout.readline(), 20.0))["port"]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.stdin.close()
        await process.wait()
