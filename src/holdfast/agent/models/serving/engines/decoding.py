"""Decoding in this process, whatever computes the logits: turns framed by marks that no text can forge, greedy, under a schema or free."""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.serving.constrained import Constraint, ConstraintError, tokenizer_of
from holdfast.agent.models.serving.schema import Schema
from holdfast.clock import RealClock
from holdfast.ports import EngineFault, Generated, Turn
from holdfast.terms import SECOND_NS

TOKENIZER = "tokenizer.json"


class Sums(Protocol):
    """A model's state in one answer."""

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(vocabulary,): of the token that follows all that was given so far, these last."""
        ...


class Marks:
    """How a conversation is framed for a model that was trained on ChatML (Qwen and many others)."""

    def __init__(self, folder: Path, *, vocab: int, begin: str, end: str) -> None:
        path = folder / TOKENIZER
        try:
            self.tokenizer: Any = tokenizer_of(str(path), vocab=vocab)
        except ImportError as error:
            raise EngineFault("engine.needs", engine="", needs="llguidance", extra="agent") from error
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineFault("engine.not_loaded", why=f"{path}: {error}"[:200]) from error
        self._marks = _marks_of(path)
        self._begin, self._end = self._mark(begin), self._mark(end)
        self.ends = frozenset({self._end, int(self.tokenizer.eos_token)})

    def framed(self, turns: Sequence[Turn]) -> list[int]:
        """The prompt's tokens. Texts are read as text: a mark that stands in one is letters, no mark."""
        found: list[int] = []
        for turn in turns:
            found += [self._begin, *self._text(f"{turn.role}\n{turn.text}"), self._end, *self._text("\n")]
        return [*found, self._begin, *self._text("assistant\n")]

    def text(self, tokens: Sequence[int]) -> str:
        return bytes(self.tokenizer.decode_bytes(list(tokens))).decode("utf-8", "replace")

    def _text(self, text: str) -> list[int]:
        """Tokens of a text, none of them a mark. The tokenizer finds marks in any text that it is given whole, so a mark is cut in two."""
        found: list[int] = []
        at = 0
        for match in self._marks.finditer(text):
            found += self.tokenizer.tokenize_bytes(text[at : match.start() + 1].encode())
            at = match.start() + 1
        found += self.tokenizer.tokenize_bytes(text[at:].encode())
        if any(self.tokenizer.is_special_token(token) for token in found):
            raise EngineFault("engine.refused", status="-", why="a text of the prompt holds a mark of the model's")
        return found

    def _mark(self, mark: str) -> int:
        found = list(self.tokenizer.tokenize_bytes(mark.encode(), parse_special=True))
        if len(found) != 1 or not self.tokenizer.is_special_token(found[0]):
            raise EngineFault("engine.not_loaded", why=f"its tokenizer has no mark {mark}")
        return int(found[0])


def _marks_of(path: Path) -> re.Pattern[str]:
    """Every mark that the tokenizer knows, where it begins, overlapping ones too. A tokenizer that can't be read this way is refused."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        marks = [str(one["content"]) for one in told["added_tokens"] if one["content"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineFault("engine.not_loaded", why=f"{path.name}: {type(error).__name__}: {error}"[:200]) from error
    return re.compile("|".join(f"(?={re.escape(mark)})" for mark in marks) or "(?!)")


class Decoder:
    """One model of this process: one answer at a time, in a thread, ended by its deadline or when it is cancelled."""

    def __init__(self, marks: Marks, begin: Callable[[], Sums], *, model: str, context_tokens: int, bitwise: bool) -> None:
        self._marks, self._begin, self._model = marks, begin, model
        self._context_tokens, self._bitwise = context_tokens, bitwise
        self._turn = asyncio.Lock()
        self._clock = RealClock()

    async def generate(self, turns: Sequence[Turn], *, schema: str | None, max_tokens: int, deadline_s: float) -> Generated:
        until_ns = self._clock.monotonic_ns() + round(deadline_s * SECOND_NS)
        gone = threading.Event()
        try:
            async with asyncio.timeout(deadline_s), self._turn:
                work = asyncio.get_running_loop().run_in_executor(None, self._decode, turns, schema, max_tokens, until_ns, gone)
                try:
                    return await asyncio.shield(work)
                except asyncio.CancelledError:
                    gone.set()
                    await asyncio.wait({work})  # it holds the model until its next token
                    raise
        except TimeoutError as error:
            raise EngineFault("engine.timeout", after_s=f"{deadline_s:g}", busy=True) from error
        except ConstraintError as error:
            raise EngineFault("engine.refused", status="-", why=str(error)) from error

    def _decode(self, turns: Sequence[Turn], schema: str | None, max_tokens: int, until_ns: int, gone: threading.Event) -> Generated:
        prompt = self._marks.framed(turns)
        if len(prompt) + max_tokens > self._context_tokens:
            raise EngineFault("engine.refused", status="-", why=f"{len(prompt)} + {max_tokens} tokens are more than {self._context_tokens}")
        constraint = None if schema is None else Constraint(Schema(name="answer", text=schema), self._marks.tokenizer)
        sums = self._begin()
        written: list[int] = []
        given: Sequence[int] = prompt
        ended: Literal["whole", "cut"] = "cut"
        while len(written) < max_tokens:
            if gone.is_set() or self._clock.monotonic_ns() > until_ns:
                raise EngineFault("engine.timeout", after_s="0", busy=True)
            if constraint is not None and constraint.ended:
                ended = "whole"
                break
            token = _greatest(sums.logits(given), constraint)
            if token in self._marks.ends:
                ended = "whole"
                break
            if constraint is not None:
                constraint.take(token)
            written.append(token)
            given = [token]
        if ended == "cut" and constraint is not None and constraint.ended:
            ended = "whole"
        return Generated(
            text=self._marks.text(written),
            model=self._model,
            ended=ended,
            prompt_tokens=len(prompt),
            answer_tokens=len(written),
            decoding="free" if schema is None else "constrained",
            determinism="bitwise" if self._bitwise else "greedy",
        )


def _greatest(logits: NDArray[np.float32], constraint: Constraint | None) -> int:
    """The likeliest token of those that are allowed, the first of equals. Raises EngineFault where the sums are no numbers."""
    scores = np.asarray(logits, np.float32)
    if not np.isfinite(scores).all():
        raise EngineFault("engine.not_loaded", why="its sums are no numbers")
    if constraint is None:
        return int(scores.argmax())
    allowed = constraint.allowed()
    width = min(allowed.size, scores.size)
    return int(np.where(allowed[:width], scores[:width], -np.inf).argmax())
