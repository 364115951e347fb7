"""What finds passages by their meaning: an embedder from above, and why there is none where there is none.

This room loads no model. Whoever opens the index hands an embedder in, and every search works without one.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.knowledge.manuals.index import Hit
from holdfast.language import say
from holdfast.terms import Word

RankedBy = Literal["words", "words+vectors"]


class NoMeaning(Exception):
    """Nothing can be found by meaning now, so words alone rank; `code` has words of words/manuals, which name `facts`."""

    def __init__(self, code: str, **facts: str) -> None:
        self.code = code
        self.facts: Mapping[str, str] = facts
        super().__init__(say(code, facts, "en"))

    def told(self, language: str) -> str:
        return say(self.code, self.facts, language)


class Embedder(Protocol):
    """A text as a direction: what means the same points the same way, in whatever language the model was taught.

    Vectors are float32 with finite numbers; how alike two are is their inner product. Every method raises NoMeaning.
    """

    @property
    def digest(self) -> str:
        """Of the model's bundle, SHA-256 in hex: vectors of one model say nothing beside another's."""
        ...

    @property
    def dims(self) -> int: ...

    @property
    def similar_min(self) -> float:
        """A passage that is less like the question than this is no answer to it."""
        ...

    def query(self, text: str) -> NDArray[np.float32]:
        """(dims,), of a question."""
        ...

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, dims), of what a question may ask for."""
        ...


class Ranked(Word):
    """`why` is the code of why words alone ranked, "" where there was no model to ask or where vectors ranked too; `share`: how many of
    the passages have a vector, 0 to 1."""

    hits: tuple[Hit, ...]
    ranked_by: RankedBy = "words"
    share: float = 0.0
    why: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    def told(self, language: str) -> str:
        """Why words alone ranked, in words; "" where there is nothing to say."""
        return say(self.why, dict(self.facts), language) if self.why else ""
