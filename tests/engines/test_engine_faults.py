"""What a server can do wrong: each has one code, in words of both languages, within its deadline."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from model_server import ModelServer, closes, floods, half, hangs, says, serving, trickles

from holdfast.agent.models.serving.engines.openai import OpenAi
from holdfast.language import LANGUAGES, say
from holdfast.ports import EngineFault, Turn

TURNS = (Turn(role="user", text="?"),)
DEEP = "[" * 100_000


async def fault_of(server: ModelServer, deadline_s: float = 5.0) -> EngineFault:
    engine = OpenAi(url=server.url, model="m", dialect=server.dialect)  # type: ignore[arg-type]
    try:
        with pytest.raises(EngineFault) as fault:
            await engine.generate(TURNS, schema=None, max_tokens=8, deadline_s=deadline_s)
    finally:
        await engine.close()
    return fault.value


@pytest.mark.parametrize(
    ("then", "code", "busy"),
    [
        (closes, "engine.half", False),
        (half, "engine.half", False),
        (floods, "engine.long", False),
        (says("not JSON"), "engine.protocol", False),
        (says("[]"), "engine.protocol", False),
        (says("{}"), "engine.protocol", False),
        (says(DEEP), "engine.protocol", False),
        (says(b"\xff\xfe{"), "engine.protocol", False),
        (says('{"choices": []}'), "engine.protocol", False),
        (says('{"choices": [null]}'), "engine.protocol", False),
        (says('{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'), "engine.protocol", False),
        (says('{"choices": [{"message": {"content": "a"}, "finish_reason": null}]}'), "engine.half", False),
        (says('{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}'), "engine.empty", False),
        (says('{"error": {"message": "out of memory"}}'), "engine.refused", False),
        (says('{"error": {"message": "no such model"}}', 404), "engine.refused", False),
        (says('{"error": "grammar can not be compiled"}', 400), "engine.refused", False),
        (says('{"detail": "slow down"}', 429), "engine.refused", True),
        (says("oops", 500), "engine.broken", False),
        (says('{"error": {"message": "Loading model"}}', 503), "engine.broken", True),
        (says("", 302, Location="http://127.0.0.1:9/"), "engine.redirected", False),
    ],
)
async def test_a_bad_answer_has_one_code_and_words_in_both_languages(then: Callable[..., Any], code: str, busy: bool) -> None:
    async with serving(ModelServer("vllm")) as server:
        server.then = then
        fault = await fault_of(server)
    assert (fault.code, fault.busy) == (code, busy)
    for language in LANGUAGES:
        told = say(fault.code, fault.facts, language)
        assert code not in told, told
        assert "{" not in told.replace(str(fault.facts.get("why")), ""), told


@pytest.mark.parametrize("then", [hangs, trickles])
async def test_who_hangs_or_trickles_is_left_at_the_deadline(then: Callable[..., Any]) -> None:
    async with serving(ModelServer("vllm")) as server:
        server.then = then
        began = time.monotonic()
        fault = await fault_of(server, deadline_s=0.3)
        took_s = time.monotonic() - began
    assert fault.code == "engine.timeout"
    assert 0.25 <= took_s < 3.0


async def test_nobody_there_is_told_as_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ModelServer("vllm")
    server.port = port
    fault = await fault_of(server)
    assert (fault.code, fault.busy) == ("engine.unreachable", True)


async def test_what_a_server_says_of_its_error_is_shown_short_and_on_one_line() -> None:
    async with serving(ModelServer("vllm")) as server:
        server.then = says('{"error": {"message": "a\\nb' + "x" * 5000 + '"}}', 400)
        fault = await fault_of(server)
    assert fault.facts["why"].startswith("a bx")
    assert len(fault.facts["why"]) == 200


async def test_triton_calling_what_nobody_offered_is_no_answer() -> None:
    call = '{"id": "c", "type": "function", "function": {"name": "write", "arguments": "{}"}}'
    async with serving(ModelServer("triton")) as server:
        server.then = says('{"choices": [{"message": {"content": "", "tool_calls": [' + call + ']}, "finish_reason": "stop"}]}')
        fault = await fault_of(server)
    assert fault.code == "engine.protocol"
    assert "write" in fault.facts["why"]
