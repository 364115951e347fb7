"""The canary: whether an endpoint keeps to a schema, found out by asking it for what the schema forbids.

The schema allows one word alone, made up for this probe and mentioned in no prompt; the prompt asks for something else. An endpoint that
answers with that word was held to the schema by its decoder; no model can guess it. Twice, with two words: what differs between two runs
of the first is told as well. Beside the word stand a number within bounds and a text of a pattern, as little to be guessed: some servers
keep to the shape of a schema and drop its bounds.
"""

from random import Random
from typing import Any, Literal, cast

from holdfast.agent.models.serving.schema import load_schema
from holdfast.agent.models.serving.structured import Answers, Unfit, strict_json
from holdfast.clock import Clock
from holdfast.ports import Engine, EngineFault, Generated, Turn
from holdfast.terms import SECOND_NS, Word

TOKENS_MAX = 120
LETTERS = "bcdfghjkmnpqrstvwxz"
WORD_LETTERS = 10
PROMPT = (Turn(role="user", text="Reply with the single word HELLO in capitals. No JSON, no quotes, no braces, nothing else."),)


class Probed(Word):
    """What a probe found. `schema`: enforced; partly (the shape and the word, not bounds or patterns); unenforced (it answered otherwise);
    unknown (it did not answer: `code` says why)."""

    schema: Literal["enforced", "partly", "unenforced", "unknown"]
    repeats: bool | None = None  # the same answer to the same question twice; None: not found out
    model: str = ""
    took_s: float = 0.0  # the first answer
    code: str = ""
    facts: tuple[tuple[str, str], ...] = ()


async def probe(engine: Engine, random: Random, clock: Clock, *, deadline_s: float) -> Probed:
    """Three short requests, one after the other, each within `deadline_s`. Raises nothing of the engine's."""
    first, second = (_Canary(random) for _ in range(2))
    try:
        await engine.ready(deadline_s=deadline_s)
        began_ns = clock.monotonic_ns()
        one = await engine.generate(PROMPT, schema=first.schema.text, max_tokens=TOKENS_MAX, deadline_s=deadline_s)
        took_s = (clock.monotonic_ns() - began_ns) / SECOND_NS
        again = await engine.generate(PROMPT, schema=first.schema.text, max_tokens=TOKENS_MAX, deadline_s=deadline_s)
        other = await engine.generate(PROMPT, schema=second.schema.text, max_tokens=TOKENS_MAX, deadline_s=deadline_s)
    except EngineFault as fault:
        return Probed(schema="unknown", code=fault.code, facts=tuple(fault.facts.items()))
    held = [first.held(one), first.held(again), second.held(other)]
    schema = "enforced" if all(one == "all" for one in held) else "partly" if "none" not in held else "unenforced"
    return Probed(schema=schema, repeats=one.text == again.text, model=one.model, took_s=took_s)


class _Canary:
    def __init__(self, random: Random) -> None:
        self._word, pattern = ("".join(random.choices(LETTERS, k=WORD_LETTERS)) for _ in range(2))
        least = random.randrange(1000, 9000)
        properties = {
            "word": {"type": "string", "enum": [self._word]},
            "number": {"type": "integer", "minimum": least, "maximum": least + 5},
            "text": {"type": "string", "pattern": f"^{pattern}$"},
        }
        self.schema = load_schema(
            {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}, name="canary"
        )

    def held(self, answer: Generated) -> Literal["all", "shape", "none"]:
        try:
            Answers(self.schema).read(answer.text)
        except Unfit:
            return "shape" if answer.ended == "whole" and self._shaped(answer.text) else "none"
        return "all"

    def _shaped(self, text: str) -> bool:
        try:
            found = strict_json(text)
        except Unfit:
            # A whole number without bounds may be of any length, which no reader takes.
            return f'"{self._word}"' in text
        return isinstance(found, dict) and cast("dict[str, Any]", found).get("word") == self._word
