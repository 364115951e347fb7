"""A model's answer held to a schema: read strictly, checked again after decoding, and never mended.

    schema = load_schema({...})                    # schema.py: refused at load where engines would differ
    value = Answers(schema).read(text)             # raises Unfit

That a server says it decodes under the schema is a convenience: what it sent is read with every ambiguity refused (a key that stands
twice, NaN, half a surrogate, a fence around it) and validated with jsonschema. Schema-valid is not correct: whoever asked still
checks what the answer says.
"""

import functools
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from holdfast.agent.models.serving.patterns import MATCHED_MAX, body_of
from holdfast.agent.models.serving.schema import Schema
from holdfast.language import say

TEXT_CHARS_MAX = 65_536  # of one answer
DIGITS_MAX = 20  # of one whole number
DEPTH_MAX = 32  # of brackets: the schema allows far fewer, and a reader must not run out of stack on the way to saying so


class Unfit(ValueError):
    """An answer that is none; `code` is of words/engines."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(say(code, facts, "en"))
        self.code = code
        self.facts = facts


class Answers:
    """The reader of answers to one schema. Made once for each; the validator is compiled here."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._validator = _validators()(schema.plain())

    def read(self, text: str) -> Any:
        """What the text says, as JSON-ready Python. Raises Unfit."""
        value = strict_json(text)
        error = next(iter(self._validator.iter_errors(value)), None)
        if error is not None:
            at = "/".join(str(part) for part in error.absolute_path)
            raise Unfit("answer.does_not_fit", at=f"/{at}"[:120], keyword=str(error.validator))
        return value


def strict_json(text: str) -> Any:
    """RFC 8259 and nothing beside it. Raises Unfit."""
    if len(text) > TEXT_CHARS_MAX:
        raise Unfit("answer.long", most=str(TEXT_CHARS_MAX))
    if _depth(text) > DEPTH_MAX:
        raise Unfit("answer.deep", most=str(DEPTH_MAX))
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
        text.encode("utf-8")
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # "\\ud800" is JSON, but no text
    except UnicodeEncodeError as error:
        raise Unfit("answer.half_character") from error
    except json.JSONDecodeError as error:
        raise Unfit("answer.not_json", at=str(error.pos), why=error.msg) from error
    return value


def _depth(text: str) -> int:
    """How deep brackets are nested, at least: those inside texts count too, which only refuses more."""
    most = now = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        now += 1 if bracket in "[{" else -1
        most = max(most, now)
    return most


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise Unfit("answer.twice", name=next(name for name in names if names.count(name) > 1)[:60])
    return found


def _no_number(text: str) -> Any:
    raise Unfit("answer.not_finite", given=text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Unfit("answer.not_finite", given=text[:40])
    return value


def _whole(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise Unfit("answer.not_finite", given=text[:40])
    return int(text)


@functools.cache
def _validators() -> Callable[[Any], Any]:
    """jsonschema's, with patterns as `patterns.py` reads them: Python's `$` also matches before a last line end. Imported when needed."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def pattern(_validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and (len(instance) > MATCHED_MAX or not re.fullmatch(_body(wanted), instance)):
            yield ValidationError("does not match its pattern")

    return cast("Callable[[Any], Any]", extend(Draft202012Validator, {"pattern": pattern}))


@functools.lru_cache(maxsize=256)
def _body(pattern: str) -> str:
    return body_of(pattern)
