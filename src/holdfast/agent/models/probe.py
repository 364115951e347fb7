"""The canary: whether an endpoint keeps to a schema, found out by asking it for what the schema forbids.

The schema allows one text alone, a word made up for this probe that no prompt mentions; the prompt asks for something else. An
endpoint that answers with that word was held to the schema by its decoder; no model can guess it. Twice, with two words: what differs
between two runs of the first is told as well.
"""

from random import Random
from typing import Literal

from holdfast.agent.models.schema import Schema, load_schema
from holdfast.agent.models.structured import Answers, Unfit
from holdfast.clock import Clock
from holdfast.ports import Engine, EngineFault, Generated, Turn
from holdfast.terms import SECOND_NS, Word

TOKENS_MAX = 64
LETTERS = "bcdfghjkmnpqrstvwxz"
WORD_LETTERS = 10
PROMPT = (Turn(role="user", text="Reply with the single word HELLO in capitals. No JSON, no quotes, no braces, nothing else."),)


class Probed(Word):
    """What a probe found. `schema`: enforced, unenforced (it answered otherwise), or unknown (it did not answer: `code` says why)."""

    schema: Literal["enforced", "unenforced", "unknown"]
    repeats: bool | None = None  # the same answer to the same question twice; None: not found out
    model: str = ""
    took_s: float = 0.0  # the first answer
    code: str = ""
    facts: tuple[tuple[str, str], ...] = ()


async def probe(engine: Engine, random: Random, clock: Clock, *, deadline_s: float) -> Probed:
    """Three short requests, one after the other, each within `deadline_s`. Raises nothing of the engine's."""
    first, second = (_canary("".join(random.choices(LETTERS, k=WORD_LETTERS))) for _ in range(2))
    try:
        await engine.ready(deadline_s=deadline_s)
        began_ns = clock.monotonic_ns()
        one = await engine.generate(PROMPT, schema=first.text, max_tokens=TOKENS_MAX, deadline_s=deadline_s)
        took_s = (clock.monotonic_ns() - began_ns) / SECOND_NS
        again = await engine.generate(PROMPT, schema=first.text, max_tokens=TOKENS_MAX, deadline_s=deadline_s)
        other = await engine.generate(PROMPT, schema=second.text, max_tokens=TOKENS_MAX, deadline_s=deadline_s)
    except EngineFault as fault:
        return Probed(schema="unknown", code=fault.code, facts=tuple(fault.facts.items()))
    held = _kept(first, one) and _kept(first, again) and _kept(second, other)
    return Probed(schema="enforced" if held else "unenforced", repeats=one.text == again.text, model=one.model, took_s=took_s)


def _canary(word: str) -> Schema:
    return load_schema(
        {
            "type": "object",
            "properties": {"word": {"type": "string", "enum": [word]}},
            "required": ["word"],
            "additionalProperties": False,
        },
        name="canary",
    )


def _kept(schema: Schema, answer: Generated) -> bool:
    try:
        Answers(schema).read(answer.text)
    except Unfit:
        return False
    return True
