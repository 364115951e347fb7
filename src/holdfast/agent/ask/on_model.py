"""The loop on a language model: tools offered a step at a time, each step held to a schema, an answer only with citations that exist.

    on_model = OnModel(router, tools(link, site, home, clock=clock), clock)
    told = await on_model.answer("为什么4号机架在振动？", language="zh", label="site", otherwise=deterministic)
    told.answer        # the model's where it kept every rule, else `otherwise`; told.code says which and why

Not tried with a large model: what is tested here is protocol, schema, limits and routing, not answers. Needs the extra `agent`; import this
file only where the site lists models. Each step is one request to the router, which joins the labels of all that the prompt then holds.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from pydantic_ai import Agent
from pydantic_ai import Tool as Offered
from pydantic_ai.exceptions import AgentRunError, ModelRetry, UsageLimitExceeded
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage, UsageLimits

from holdfast.agent.ask.answer import Answer, Language
from holdfast.agent.ask.grounded import Given, citations_of, numbers_not_in
from holdfast.agent.models.serving.labels import Part, Said, join
from holdfast.agent.models.serving.router import Answered, Ask, Passed, Router
from holdfast.agent.models.serving.schema import Schema, load_schema
from holdfast.agent.models.serving.structured import strict_json
from holdfast.agent.tools.tool import Tool, ToolError, told
from holdfast.clock import Clock
from holdfast.language import say
from holdfast.terms import LABELS, SECOND_NS, Label, Word, canonical

SKILL = "ask"
TEXT_CHARS_MAX = 1200
CITED_MAX = 12
QUESTION_CHARS_MAX = 2000
ANSWER = "answer"


class Limits(Word):
    """Of one question. What goes beyond ends the loop, and the deterministic answer stands."""

    steps: int = 8
    tool_calls: int = 10
    proposals: int = 1
    tokens: int = 60_000  # of all prompts and answers together, as servers count them, else as we do
    step_tokens: int = 700
    repeats: int = 2  # the same tool with the same arguments; once more is a loop
    result_chars: int = 12_000  # of what one call returned; a model with a short context needs less
    time_s: float = 30.0


class Told(Word):
    """`answer` is what is shown. `code`: `model.answered`, else why the deterministic answer stands (words/on_model)."""

    answer: Answer
    code: str
    facts: tuple[tuple[str, str], ...] = ()
    steps: int = 0
    tool_calls: int = 0
    endpoints: tuple[str, ...] = ()  # in order, one a step
    passed: tuple[Passed, ...] = ()  # of the last step


class Stopped(Exception):
    """The loop is over without an answer of the model's."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class OnModel:
    """Made once; each question is a run of its own."""

    def __init__(
        self, router: Router, tools: Sequence[Tool[Any]], clock: Clock, limits: Limits | None = None, *, sees: Label = LABELS[-1]
    ) -> None:
        """`sees`: the clearance that the tools were made with: what they say of an error may name anything up to it."""
        self.sees: Label = sees
        self.router, self.clock = router, clock
        self.tools = {tool.name: tool for tool in tools}
        self.limits = limits or Limits()
        self.schema = step_schema(tools)

    async def answer(
        self,
        question: str,
        *,
        language: Language,
        label: Label,
        otherwise: Answer,
        said: Callable[[str, str], None] = lambda _tool, _about: None,
    ) -> Told:
        """`label` is the question's own. `said(tool, arguments)` is called as each tool is. Raises LabelError alone."""
        run = _Run(self, question[:QUESTION_CHARS_MAX], language, label, said)
        try:
            async with asyncio.timeout(self.clock.real_s(self.limits.time_s)):
                answer = await run.through()
        except Stopped as stop:
            return run.told(otherwise, stop.code, stop.facts)
        except UsageLimitExceeded:
            return run.told(otherwise, "llm.limit", {})
        except TimeoutError:
            return run.told(otherwise, "llm.late", {"after_s": f"{self.limits.time_s:g}"})
        except AgentRunError as error:  # the answer was refused twice, or the loop's library gave up
            return run.told(otherwise, run.refused or "llm.gave_up", {"why": str(error)[:200]})
        return run.told(answer, "llm.answered", {})


class _Run:
    """One question: what was offered, called, returned and under which labels."""

    def __init__(self, of: OnModel, question: str, language: Language, label: Label, said: Callable[[str, str], None]) -> None:
        self._of, self._question, self._said = of, question, said
        self._language: Language = language
        self._label: Label = label
        self._began_ns = of.clock.monotonic_ns()
        self._given = Given(question)
        self._labels: dict[str, Label] = {}  # of what each tool call returned
        self._written: list[Label] = []  # of what the model wrote, step by step: what its prompt was
        self._calls: dict[bytes, int] = {}
        self._proposals = 0
        self._last: Answered | None = None
        self._endpoints: list[str] = []
        self.refused = ""

    async def through(self) -> Answer:
        limits = self._of.limits
        offered = [self._offered(tool) for tool in self._of.tools.values()]
        agent = Agent(_Routed(self._step), output_type=str, tools=offered, retries=1, system_prompt=self._instructions())
        agent.output_validator(self._checked)
        usage = UsageLimits(request_limit=limits.steps, tool_calls_limit=limits.tool_calls, total_tokens_limit=limits.tokens)
        ran = await agent.run(self._question, usage_limits=usage)
        return self._answer(ran.output)

    def told(self, answer: Answer, code: str, facts: Mapping[str, str]) -> Told:
        return Told(
            answer=answer,
            code=code,
            facts=tuple(facts.items()),
            steps=len(self._endpoints),
            tool_calls=sum(self._calls.values()),
            endpoints=tuple(self._endpoints),
            passed=() if self._last is None else self._last.passed,
        )

    # ---- a step: what the prompt holds, asked of the router, read as one call or one answer

    async def _step(self, messages: list[ModelMessage]) -> ModelResponse:
        limits = self._of.limits
        spent_s = (self._of.clock.monotonic_ns() - self._began_ns) / SECOND_NS
        ask = Ask(
            skill=SKILL,
            language=self._language,
            said=self._conversation(messages),
            schema=self._of.schema,
            schema_label="public",  # names and shapes of tools: ours, the same everywhere
            max_tokens=limits.step_tokens,
            deadline_s=limits.time_s - spent_s,
        )
        self._last = await self._of.router.ask(ask)
        if not self._last.endpoint:
            raise Stopped("llm.none", route=self._last.code.removeprefix("route."))
        self._endpoints.append(self._last.endpoint)
        self._written.append(self._last.label)
        generated = self._last.generated
        usage = RequestUsage(
            input_tokens=(generated and generated.prompt_tokens) or sum(len(part.text) for one in ask.said for part in one.parts) // 2,
            output_tokens=(generated and generated.answer_tokens) or len(self._last.text) // 2,
        )
        return ModelResponse(parts=[_part(self._last.text)], usage=usage, model_name=self._last.endpoint)

    def _conversation(self, messages: list[ModelMessage]) -> tuple[Said, ...]:
        """All that the model is sent, each piece with its label. Every message of the loop's library is turned into pieces of ours."""
        said: list[Said] = []
        written = iter(self._written)
        for message in messages:
            if isinstance(message, ModelResponse):
                said.append(Said(role="assistant", parts=(Part(text=_texts(message), label=next(written, None), source="model"),)))
                continue
            for part in message.parts:
                content: object = getattr(part, "content", None)
                text = content if isinstance(content, str) else ""
                role: Literal["system", "user"] = "user"
                if isinstance(part, SystemPromptPart):
                    role = "system"
                    piece = Part(text=text, label="public", source="ours")
                elif isinstance(part, ToolReturnPart):
                    head = say("llm.returned", {"tool": part.tool_name}, self._language)
                    piece = Part(text=f"{head}\n{text}", label=self._labels.get(part.tool_call_id), source=part.tool_name)
                elif text:  # the question, or what the loop says of the model's own last answer
                    piece = Part(text=text, label=join([self._label, *self._written]), source="question")
                else:
                    raise Stopped("llm.gave_up", why=type(part).__name__)
                said.append(Said(role=role, parts=(piece,)))
        return tuple(said)

    def _instructions(self) -> str:
        lines = [say("llm.system", {}, self._language)]
        lines += [f"- {tool.name}: {tool.description(self._language)}" for tool in self._of.tools.values()]
        return "\n".join(lines)

    # ---- tools

    def _offered(self, tool: Tool[Any]) -> Offered[Any]:
        async def call(ctx: Any, **arguments: Any) -> str:
            return await self._call(tool, arguments, str(ctx.tool_call_id))

        return Offered[Any].from_schema(call, tool.name, tool.description(self._language), dict(tool.schema()), takes_ctx=True)

    async def _call(self, tool: Tool[Any], arguments: Mapping[str, Any], call_id: str) -> str:
        """What the tool gave as text for the model. Every call is counted, also one that failed."""
        limits = self._of.limits
        key = canonical({"tool": tool.name, "arguments": arguments})
        self._calls[key] = self._calls.get(key, 0) + 1
        self._labels[call_id] = "public"  # of what stands below, until there is data in it
        if self._calls[key] > limits.repeats:
            raise Stopped("llm.repeats", tool=tool.name)
        if self._calls[key] > 1:
            return say("llm.again", {}, self._language)
        if tool.acts:
            self._proposals += 1
            if self._proposals > limits.proposals:
                return say("llm.proposed", {"most": str(limits.proposals)}, self._language)
        self._said(tool.name, key.decode()[:200])
        try:
            returned = await tool.use(arguments)
        except ToolError as error:
            self._labels[call_id] = join([self._of.sees, self._label, *self._written])  # it may name what is near, or repeat the question
            return error.told(self._language)
        self._labels[call_id] = returned.label
        return self._given.take(told(returned), returned, limits.result_chars)

    # ---- the answer

    async def _checked(self, text: str) -> str:
        """Citations exist and every number comes from somewhere, or the model is told once what is wrong."""
        said = cast("dict[str, Any]", strict_json(text))
        unknown = [one for one in said["citations"] if one not in self._given.citations]
        if unknown or not said["citations"]:
            self.refused = "llm.citations"
            raise ModelRetry(say("llm.cite", {"unknown": ", ".join(unknown)[:80], "known": self._given.names()}, self._language))
        loose = numbers_not_in(str(said["text"]), self._given)
        if loose:
            self.refused = "llm.numbers"
            raise ModelRetry(say("llm.number", {"numbers": ", ".join(loose)[:80]}, self._language))
        return text

    def _answer(self, text: str) -> Answer:
        said = cast("dict[str, Any]", strict_json(text))
        last = self._last
        name = "" if last is None else f"{last.endpoint}@{last.model}" if last.model else last.endpoint
        return Answer(
            text=str(said["text"]),
            language=self._language,
            code="model",
            label=join([self._label, *self._written, *self._labels.values()]),
            declined=bool(said["declined"]),
            citations=citations_of(said["citations"], self._given),
            made_by=f"model:{name}",
        )


class _Routed(Model):
    """The loop's library asks this; this asks the router. It is given no key and no address."""

    def __init__(self, step: Callable[[list[ModelMessage]], Any]) -> None:
        super().__init__()
        self._step = step

    async def request(
        self, messages: list[ModelMessage], model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> ModelResponse:
        return await self._step(messages)

    @property
    def model_name(self) -> str:
        return "routed"

    @property
    def system(self) -> str:
        return "holdfast"


def step_schema(tools: Sequence[Tool[Any]]) -> Schema:
    """What one step may be: one call of one tool, or the answer. Raises SchemaError for a tool whose arguments can't be held to."""
    answer = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX},
            "declined": {"type": "boolean"},
            "citations": {"type": "array", "items": {"type": "string", "pattern": "^[0-9]{1,2}[.][0-9]{1,2}$"}, "maxItems": CITED_MAX},
        },
        "required": ["text", "declined", "citations"],
        "additionalProperties": False,
    }
    calls = [_closed({"tool": {"const": tool.name}, "arguments": dict(tool.schema())}) for tool in tools]
    return load_schema({"anyOf": [*calls, _closed({ANSWER: answer})]}, name="step")


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _part(text: str) -> ToolCallPart | TextPart:
    said = cast("dict[str, Any]", strict_json(text))
    if ANSWER in said:
        return TextPart(content=canonical(said[ANSWER]).decode())
    return ToolCallPart(tool_name=said["tool"], args=said["arguments"])


def _texts(message: ModelResponse) -> str:
    """What the model wrote, as it wrote it: the schema's own form."""
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            return canonical({"tool": part.tool_name, "arguments": part.args_as_dict()}).decode()
        if isinstance(part, TextPart):
            return f'{{"{ANSWER}":{part.content}}}'
    return ""
