"""Engines with a real model behind them: Qwen3's architecture with random weights, served by llama.cpp and run by Transformers.

Random weights say nothing sensible; protocol, schema, limits and routing are what is tested. `make test-models` has what this needs.
"""

import asyncio
import contextlib
import json
import socket
import sys
import urllib.request
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random
from typing import Annotated

import pytest
from pydantic import Field

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed; `make test-models` brings it")
pytest.importorskip("torch", reason="torch is not installed; `make test-models` brings it")
pytest.importorskip("transformers", reason="transformers is not installed; `make test-models` brings it")

from qwen3_weights import write_gguf, write_transformers

from holdfast.agent.ask.answer import Answer
from holdfast.agent.ask.on_model import Limits, OnModel
from holdfast.agent.models.serving.engines.openai import OpenAi
from holdfast.agent.models.serving.engines.transformers import Transformers
from holdfast.agent.models.serving.labels import Part, Said
from holdfast.agent.models.serving.probe import probe
from holdfast.agent.models.serving.router import Ask, Router
from holdfast.agent.models.serving.schema import Schema, load_schema
from holdfast.agent.models.serving.structured import Answers
from holdfast.agent.tools.tool import Citation, Returned, Tool
from holdfast.clock import RealClock
from holdfast.ports import Engine, EngineFault, Turn
from holdfast.site.model import Endpoint
from holdfast.terms import Word
from holdfast.testing import check_engine

pytestmark = [pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

CAUSE = load_schema(
    {
        "type": "object",
        "properties": {
            "cause": {"type": "string", "enum": ["wear", "crack", "none of these"]},
            "cites": {"type": "array", "items": {"type": "string", "pattern": "^f-[0-9]{2}$"}, "maxItems": 2},
        },
        "required": ["cause", "cites"],
        "additionalProperties": False,
    }
)
BOUNDED = load_schema(
    {
        "type": "object",
        "properties": {"sure": {"type": "integer", "minimum": 10, "maximum": 19}},
        "required": ["sure"],
        "additionalProperties": False,
    }
)
TURNS = (Turn(role="system", text="You are terse."), Turn(role="user", text="四号机架怎么样？"))


def fits(text: str, schema: Schema = CAUSE) -> bool:
    Answers(schema).read(text)
    return True


def end_of(name: str) -> Endpoint:
    return Endpoint(name=name, engine="x", clearance="site", skills=("ask",), languages=("en",), timeout_s=60.0, context_tokens=2048)


def asking(schema: Schema) -> Ask:
    said = (Said(role="user", parts=(Part(text="How is stand 4?", label="site"),)),)
    return Ask(skill="ask", language="en", said=said, schema=schema, schema_label="public", max_tokens=200, deadline_s=60.0)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("qwen3")
    write_gguf(made / "tiny.gguf")
    write_transformers(made / "tiny")
    return made


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncGenerator[str]:
    """llama.cpp's server, until it answers, bounded by the test's own time limit."""
    port = free_port()
    argv = ("-m", "llama_cpp.server", "--model", str(folder / "tiny.gguf"), "--host", "127.0.0.1", "--port", str(port), "--n_ctx", "2048")
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, *argv, "--n_threads", "1", stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}/v1"
        engine = OpenAi(url=url, model="tiny", dialect="llamacpp")
        while True:
            assert process.returncode is None, (folder / "server.log").read_text()[-2000:]
            try:
                await engine.ready(deadline_s=1.0)
                break
            except EngineFault:
                await asyncio.sleep(0.2)  # a server tells nobody when it listens
        await engine.close()
        yield url
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(params=["llama.cpp", "transformers"])
async def engine(request: pytest.FixtureRequest, folder: Path) -> AsyncGenerator[Engine]:
    if request.param == "transformers":
        made: Engine = Transformers(folder=folder / "tiny", context_tokens=2048)
        yield made
        await made.close()
        return
    async with served(folder) as url:
        made = OpenAi(url=url, model="tiny", dialect="llamacpp", context_tokens=2048)
        yield made
        await made.close()


async def test_the_contract_of_engines_holds_with_a_real_model(engine: Engine) -> None:
    await check_engine(lambda: engine, schema=CAUSE.text, fits=fits, bound_s=60.0)


async def test_the_canary_finds_what_of_a_schema_is_enforced_and_that_answers_repeat(engine: Engine) -> None:
    """llama-cpp-python's converter of schemas keeps shapes, enums and patterns, and drops minimum and maximum."""
    found = await probe(engine, Random(5), RealClock(), deadline_s=60.0)
    assert (found.schema, found.repeats) == ("partly" if isinstance(engine, OpenAi) else "enforced", True)


async def test_a_bound_that_a_server_drops_is_held_by_the_second_look_and_the_next_rung_answers(folder: Path) -> None:
    async with served(folder) as url:
        engines: dict[str, Engine] = {
            "server": OpenAi(url=url, model="tiny", dialect="llamacpp"),
            "here": Transformers(folder=folder / "tiny"),
        }
        router = Router([end_of("server"), end_of("here")], engines, RealClock())
        got = await router.ask(asking(BOUNDED))
        await router.close()
    assert (got.endpoint, [one.code for one in got.passed]) == ("here", ["answer.does_not_fit"])
    assert fits(got.text, BOUNDED)


async def test_random_weights_under_a_schema_write_what_fits(engine: Engine) -> None:
    got = await engine.generate(TURNS, schema=CAUSE.text, max_tokens=200, deadline_s=60.0)
    assert got.ended == "whole"
    assert fits(got.text)
    assert got.answer_tokens
    assert got.answer_tokens > 5
    assert got.prompt_tokens
    assert got.prompt_tokens > 40


async def test_free_they_write_to_their_limit(engine: Engine) -> None:
    got = await engine.generate(TURNS, schema=None, max_tokens=12, deadline_s=60.0)
    assert got.ended == "cut"
    assert got.answer_tokens == 12


async def test_both_compute_the_same_answer(folder: Path) -> None:
    """One set of weights, two programs: the first words of a free answer agree token by token."""
    ours = await Transformers(folder=folder / "tiny").generate(TURNS, schema=CAUSE.text, max_tokens=200, deadline_s=60.0)
    async with served(folder) as url:
        engine = OpenAi(url=url, model="tiny", dialect="llamacpp")
        theirs = await engine.generate(TURNS, schema=CAUSE.text, max_tokens=200, deadline_s=60.0)
        await engine.close()
    assert json.loads(ours.text) == json.loads(theirs.text)
    assert ours.prompt_tokens == theirs.prompt_tokens


async def test_a_request_is_routed_to_a_real_server_and_falls_to_the_next_when_it_is_gone(folder: Path) -> None:
    ask = asking(CAUSE)
    async with served(folder) as url:
        engines: dict[str, Engine] = {
            "server": OpenAi(url=url, model="tiny", dialect="llamacpp"),
            "here": Transformers(folder=folder / "tiny"),
        }
        router = Router([end_of("server"), end_of("here")], engines, RealClock())
        first = await router.ask(ask)
    second = await router.ask(ask)
    await router.close()
    assert (first.endpoint, second.endpoint) == ("server", "here")
    assert fits(first.text)
    assert fits(second.text)
    assert [one.code for one in second.passed] == ["engine.unreachable"]


class Asked(Word):
    tag: Annotated[str, Field(max_length=12)]


async def test_the_loop_on_random_weights_ends_within_its_limits_and_the_rules_answer_stands(folder: Path) -> None:
    async def read(asked: Asked) -> Returned:
        return Returned(label="site", body=asked, citations=(Citation(kind="tag", ref=asked.tag),))

    rules = Answer(text="by rules", language="en", code="why")
    router = Router([end_of("here")], {"here": Transformers(folder=folder / "tiny")}, RealClock())
    loop = OnModel(router, (Tool("read_tags", Asked, read),), RealClock(), Limits(steps=3, time_s=60.0, step_tokens=300))
    told = await loop.answer("Why does stand 4 vibrate?", language="en", label="site", otherwise=rules)
    await router.close()
    assert told.code in ("llm.answered", "llm.none", "llm.limit", "llm.repeats", "llm.citations", "llm.numbers", "llm.late")
    assert told.answer == rules or told.code == "llm.answered"
    assert told.steps <= 3


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(urllib.request, "urlopen", None)
