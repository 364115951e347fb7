"""The canary: an endpoint is believed to keep to a schema only where it was seen to."""

import json
from random import Random
from typing import Any

import pytest
from aiohttp import web
from model_server import CHAT, ModelServer, answered, says, schema_in, serving, smallest

from holdfast.agent.models.serving.engines.openai import OpenAi
from holdfast.agent.models.serving.probe import Probed, probe
from holdfast.clock import RealClock


async def probed(server: ModelServer) -> Probed:
    engine = OpenAi(url=server.url, model="m", dialect=server.dialect)  # type: ignore[arg-type]
    try:
        return await probe(engine, Random(7), RealClock(), deadline_s=5.0)
    finally:
        await engine.close()


@pytest.mark.parametrize("dialect", CHAT)
async def test_an_endpoint_that_enforces_is_found_to(dialect: str) -> None:
    async with serving(ModelServer(dialect)) as server:
        found = await probed(server)
    assert (found.schema, found.repeats) == ("enforced", True)
    assert 0.0 < found.took_s < 5.0


@pytest.mark.parametrize("text", ["HELLO", '{"word": "HELLO"}', "{}", '```json\n{"word": "x"}\n```'])
async def test_an_endpoint_that_ignores_the_schema_is_found_out(text: str) -> None:
    async with serving(ModelServer("vllm", enforces=False, text=text)) as server:
        assert (await probed(server)).schema == "unenforced"


async def test_the_word_that_only_the_schema_knows_stands_in_no_prompt_and_changes() -> None:
    async with serving(ModelServer("sglang")) as server:
        await probed(server)
    words = [schema_in("sglang", body)["properties"]["word"]["enum"][0] for body in server.bodies]
    assert words[0] == words[1] != words[2]
    assert all(word not in json.dumps(body["messages"]) for word, body in zip(words, server.bodies, strict=True))


async def test_one_right_answer_by_a_cache_is_not_believed() -> None:
    """It keeps to the first schema for ever, as a server would that caches by prompt."""
    async with serving(ModelServer("vllm")) as server:
        first: list[str] = []

        async def cached(request: web.Request) -> web.StreamResponse:
            first.append(json.dumps(smallest(schema_in("vllm", server.bodies[-1]))))
            return web.json_response(answered("vllm", first[0], held=True))

        server.then = cached
        assert (await probed(server)).schema == "unenforced"


@pytest.mark.parametrize("change", [{"number": -3}, {"number": 10**30}, {"text": "other"}, {"text": "x", "number": 0}])
async def test_an_endpoint_that_keeps_the_shape_and_drops_the_bounds_is_told_to_hold_partly(change: dict[str, Any]) -> None:
    async with serving(ModelServer("vllm")) as server:

        async def shaped(request: web.Request) -> web.StreamResponse:
            value = smallest(schema_in("vllm", server.bodies[-1])) | change
            return web.json_response(answered("vllm", json.dumps(value), held=True))

        server.then = shaped
        assert (await probed(server)).schema == "partly"


async def test_an_endpoint_that_varies_is_told_not_to_repeat() -> None:
    async with serving(ModelServer("vllm")) as server:
        texts = iter(("a", "b", "c"))

        async def varies(request: web.Request) -> web.StreamResponse:
            return web.json_response(answered("vllm", next(texts), held=False))

        server.then = varies
        assert (await probed(server)).repeats is False


@pytest.mark.parametrize(("then", "code"), [(says("no", 500), "engine.broken"), (says('{"error": "schema"}', 400), "engine.refused")])
async def test_an_endpoint_that_does_not_answer_is_unknown_and_says_why(then: Any, code: str) -> None:
    async with serving(ModelServer("vllm")) as server:
        server.then = then
        found = await probed(server)
    assert (found.schema, found.code, found.repeats) == ("unknown", code, None)
