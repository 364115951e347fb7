"""`embedding.json`, the file of a bundle that says how its encoder is read: pooling, prefixes, how much text it takes.

It lies in the bundle and is signed with it, since a vector that was made otherwise is another vector.
"""

import dataclasses
import json
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from holdfast.agent.knowledge.manuals.meaning import NoMeaning
from holdfast.terms import Word

NAME = "embedding.json"
BYTES_MAX = 64 << 10
TOKENS_MAX = 8_192
PREFIX_CHARS_MAX = 1_000


class Described(Word):
    """`pooling`: the mean of all tokens, the first (`cls`) or the last one; `none` where the graph pools itself, so that its output is
    (texts, dims). Prefixes are put before a text as they stand, a space at their end with them."""

    pooling: Literal["mean", "cls", "last", "none"]
    normalise: bool = True  # to length 1: an inner product is then a cosine
    query_prefix: str = ""
    passage_prefix: str = ""
    max_tokens: int = 512  # of one text, with the marks around it; what is beyond is not embedded
    dims: int = 0  # that the maker says it has; 0: as the graph has them
    output: str = ""  # of the graph; "": its first
    similar_min: float = 0.3  # a passage that is less like a question than this is no answer; each model has a scale of its own


FORM = TypeAdapter(Described)


def described(content: bytes) -> Described:
    """Raises NoMeaning for what is no such file, a misspelt key included."""
    try:
        if len(content) > BYTES_MAX:
            raise ValueError(f"more than {BYTES_MAX} bytes")
        given = json.loads(content)
        unknown = sorted(set(given) - {field.name for field in dataclasses.fields(Described)}) if isinstance(given, dict) else ["?"]
        if unknown:
            raise ValueError(f"it has no key {unknown[0][:40]!r}")
        found = FORM.validate_json(content, strict=True)
        if not 4 <= found.max_tokens <= TOKENS_MAX:
            raise ValueError(f"max_tokens is 4 to {TOKENS_MAX}")
        if max(len(found.query_prefix), len(found.passage_prefix)) > PREFIX_CHARS_MAX:
            raise ValueError(f"a prefix has at most {PREFIX_CHARS_MAX} characters")
        if not -1e6 <= found.similar_min <= 1e6:
            raise ValueError("similar_min is a number")
    except (ValueError, TypeError, RecursionError) as error:
        why = (
            f"{'.'.join(map(str, error.errors()[0]['loc']))}: {error.errors()[0]['msg']}"
            if isinstance(error, ValidationError)
            else str(error)
        )
        raise NoMeaning("manuals.model_broken", file=NAME, why=why[:200]) from error
    return found
