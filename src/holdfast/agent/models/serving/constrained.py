"""Decoding under a schema, for engines of our own: before each token, which tokens can still lead to an answer that fits.

llguidance (extra `agent`) compiles the schema and gives the mask; it says so where it can't, and what it can't is refused here. Texts
are compact: no spaces outside of strings, properties in the schema's order.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.serving.schema import Schema


class ConstraintError(RuntimeError):
    """The schema can't be decoded under, or decoding went outside of it: the answer is void."""


def tokenizer_of(path: str = "byte", *, vocab: int | None = None) -> Any:
    """llguidance's tokenizer: "byte" (256 bytes and some marks), or a Hugging Face `tokenizer.json`, for a model of `vocab` logits."""
    from llguidance import LLTokenizer

    return LLTokenizer(path, n_vocab=vocab)


class Constraint:
    """The state of one answer. Not for use from several threads."""

    def __init__(self, schema: Schema, tokenizer: Any) -> None:
        from llguidance import LLMatcher

        grammar = LLMatcher.grammar_from_json_schema(schema.text, overrides={"whitespace_flexible": False})
        failed, messages = LLMatcher.validate_grammar_with_warnings(grammar, tokenizer)
        if failed or messages:  # a warning says that something is read otherwise than it is written
            raise ConstraintError(f"{schema.name} can't be decoded under: {'; '.join(messages)[:200]}")
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0)
        self._vocab = int(tokenizer.vocab_size)

    def allowed(self) -> NDArray[np.bool_]:
        """(vocabulary,): which tokens may come next. Raises ConstraintError."""
        mask = self._matcher.compute_bitmask()
        self._sound()
        return np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")[: self._vocab].astype(np.bool_)

    def take(self, token: int) -> None:
        """The token that was chosen. Raises ConstraintError for one that was not allowed."""
        if not self._matcher.consume_token(token):
            raise ConstraintError(f"token {token} does not fit the schema")
        self._sound()

    @property
    def ended(self) -> bool:
        """Nothing but the end may come."""
        return bool(self._matcher.is_stopped())

    @property
    def whole(self) -> bool:
        """The answer could end here."""
        return bool(self._matcher.is_accepting())

    def _sound(self) -> None:
        if self._matcher.is_error():
            raise ConstraintError(str(self._matcher.get_error())[:200])
