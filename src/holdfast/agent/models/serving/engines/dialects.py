"""What each server calls the same thing: where it takes a conversation, how it is asked to keep to a schema, where the answer stands.

- vllm: `structured_outputs: {json: …}` beside OpenAI's fields (docs.vllm.ai, Structured Outputs; `guided_json` went with 0.12).
- sglang: OpenAI's `response_format` of type json_schema (docs.sglang.io, Structured Outputs).
- llamacpp: `response_format` of type json_object with `schema`. Its README also shows json_schema with `schema`, which the server reads
  one level deeper and drops in silence; json_object with `schema` is read alike by llama-server and by llama-cpp-python's server.
- ollama: its own /api/chat with `format`, `options` and `num_predict` (docs/api.md); not OpenAI's fields.
- triton: the OpenAI front end takes text and json_object only (schemas/openai.py of its front end); the arguments of a named function are
  what it decodes under a schema (its user guide, Tool Calling), so the schema goes there.

That a server takes such a request does not say that it keeps to it: `probe.py` finds out.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from holdfast.ports import EngineFault, Turn
from holdfast.terms import Word

SEED = 0
FUNCTION = "answer"
MARK = re.compile(r"<(?=[^\s\d=<-])|<(?=<SYS)|\[(?=/?INST\]|gMASK\])")


class Reply(Word):
    """What stands in a server's answer."""

    text: str
    model: str
    cut: bool
    prompt_tokens: int | None
    answer_tokens: int | None


class Asked(Word):
    """What a request is made of."""

    model: str
    turns: tuple[Turn, ...]
    schema: str | None
    max_tokens: int
    context_tokens: int


class Dialect(Word, eq=False):
    """`chat` and `health` are paths; where `rooted` says so, from the server's root, not from the URL's path."""

    chat: str
    health: str
    chat_rooted: bool = False
    body: Callable[[Asked], Mapping[str, Any]]
    reply: Callable[[Mapping[str, Any]], Reply]


def _openai(asked: Asked) -> dict[str, Any]:
    """Fields that all four take (platform.openai.com, Chat Completions): greedy, with a seed, in one piece."""
    return {
        "model": asked.model,
        "messages": _messages(asked.turns),
        "max_tokens": asked.max_tokens,
        "temperature": 0,
        "seed": SEED,
        "stream": False,
    }


def _messages(turns: Sequence[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": unmarked(turn.text)} for turn in turns]


def unmarked(text: str) -> str:
    """A text in which no model finds one of its marks: servers look for `<|im_start|>`, `<think>`, `<｜User｜>` or `[INST]` in the whole
    prompt, so a text of the plant that holds one could pose as a turn of its own. A space breaks it; `a <= b` and `3 < 4` stay."""
    return MARK.sub(r"\g<0> ", text)


def _unthinking(asked: Asked) -> dict[str, Any]:
    """Models that can think aloud first are asked not to: their thoughts would stand before the JSON."""
    return _openai(asked) | {"chat_template_kwargs": {"enable_thinking": False}}


def _vllm(asked: Asked) -> dict[str, Any]:
    return _unthinking(asked) | ({} if asked.schema is None else {"structured_outputs": {"json": json.loads(asked.schema)}})


def _sglang(asked: Asked) -> dict[str, Any]:
    if asked.schema is None:
        return _unthinking(asked)
    form = {"name": FUNCTION, "schema": json.loads(asked.schema), "strict": True}
    return _unthinking(asked) | {"response_format": {"type": "json_schema", "json_schema": form}}


def _llamacpp(asked: Asked) -> dict[str, Any]:
    if asked.schema is None:
        return _unthinking(asked)
    return _unthinking(asked) | {"response_format": {"type": "json_object", "schema": json.loads(asked.schema)}}


def _triton(asked: Asked) -> dict[str, Any]:
    if asked.schema is None:
        return _openai(asked)
    function = {"name": FUNCTION, "description": "The answer.", "parameters": json.loads(asked.schema)}
    return _openai(asked) | {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": FUNCTION}},
    }


def _ollama(asked: Asked) -> dict[str, Any]:
    options = {"temperature": 0, "seed": SEED, "num_predict": asked.max_tokens, "num_ctx": asked.context_tokens}
    body = {"model": asked.model, "messages": _messages(asked.turns), "stream": False, "think": False, "options": options}
    return body if asked.schema is None else body | {"format": json.loads(asked.schema)}


def _of_openai(answer: Mapping[str, Any]) -> Reply:
    choice = _first(answer.get("choices"))
    message = _mapping(choice.get("message"))
    return _reply(answer, message.get("content"), choice.get("finish_reason"))


def _of_triton(answer: Mapping[str, Any]) -> Reply:
    choice = _first(answer.get("choices"))
    message = _mapping(choice.get("message"))
    calls = message.get("tool_calls")
    if not calls:
        return _of_openai(answer)
    function = _mapping(_first(calls).get("function"))
    if function.get("name") != FUNCTION:
        raise _strange(f"it called {str(function.get('name'))[:40]}, which nobody offered")
    return _reply(answer, function.get("arguments"), choice.get("finish_reason"))


def _of_ollama(answer: Mapping[str, Any]) -> Reply:
    if answer.get("done") is not True:
        raise EngineFault("engine.half")
    text = _mapping(answer.get("message")).get("content")
    if not isinstance(text, str):
        raise _strange("its message has no content")
    return Reply(
        text=text,
        model=str(answer.get("model", ""))[:120],
        cut=answer.get("done_reason") == "length",
        prompt_tokens=_count(answer.get("prompt_eval_count")),
        answer_tokens=_count(answer.get("eval_count")),
    )


def _reply(answer: Mapping[str, Any], text: Any, finish: Any) -> Reply:
    if not isinstance(text, str):
        raise _strange("its message has no content")
    if finish is None:
        raise EngineFault("engine.half")
    usage = _mapping(answer.get("usage") or {})
    return Reply(
        text=text,
        model=str(answer.get("model", ""))[:120],
        cut=finish == "length",
        prompt_tokens=_count(usage.get("prompt_tokens")),
        answer_tokens=_count(usage.get("completion_tokens")),
    )


def _first(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, list) or not value:
        raise _strange("it has no choices")
    return _mapping(cast("list[Any]", value)[0])


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _strange("something in it is no object")
    return cast("dict[str, Any]", value)


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _strange(why: str) -> EngineFault:
    return EngineFault("engine.protocol", why=why)


Name = Literal["vllm", "sglang", "llamacpp", "ollama", "triton"]
DIALECTS: Mapping[str, Dialect] = {
    "vllm": Dialect(chat="chat/completions", health="health", body=_vllm, reply=_of_openai),
    "sglang": Dialect(chat="chat/completions", health="health", body=_sglang, reply=_of_openai),
    "llamacpp": Dialect(chat="chat/completions", health="v1/models", body=_llamacpp, reply=_of_openai),
    "ollama": Dialect(chat="api/chat", health="api/version", chat_rooted=True, body=_ollama, reply=_of_ollama),
    "triton": Dialect(chat="chat/completions", health="health/ready", body=_triton, reply=_of_triton),
}
