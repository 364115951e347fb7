"""A generating model in ONNX, run in the agent by ONNX Runtime, decoded under the schema token by token.

The folder has `decoder.onnx` and the model's `tokenizer.json`. The graph is a decoder as Hugging Face Optimum exports one: input_ids (and
attention_mask, position_ids where it takes them) to logits, with past_key_values.* to present.* where it keeps what it computed. One
thread: the same bits for the same prompt.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.serving.engines.decoding import Decoder, Marks
from holdfast.ports import EngineFault, Generated, Turn

GRAPH = "decoder.onnx"
PAST = "past_key_values."
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(slots=True)
class OnnxDecoder:
    folder: Path
    """Has decoder.onnx and tokenizer.json; relative to the site file."""
    context_tokens: int = 8192
    """Of prompt and answer together."""
    begin: str = "<|im_start|>"
    """The mark that begins a turn."""
    end: str = "<|im_end|>"
    """The mark that ends one."""
    _decoder: Decoder | None = field(default=None, init=False, repr=False)

    async def generate(self, turns: Sequence[Turn], *, schema: str | None, max_tokens: int, deadline_s: float) -> Generated:
        return await self._loaded().generate(turns, schema=schema, max_tokens=max_tokens, deadline_s=deadline_s)

    async def ready(self, *, deadline_s: float) -> None:
        self._loaded()

    async def close(self) -> None:
        self._decoder = None

    def _loaded(self) -> Decoder:
        if self._decoder is None:
            session = _session(Path(self.folder) / GRAPH)
            vocab = session.get_outputs()[0].shape[-1]
            if not isinstance(vocab, int):
                raise EngineFault("engine.not_loaded", why=f"{GRAPH} does not say how many tokens it knows")
            marks = Marks(Path(self.folder), vocab=vocab, begin=self.begin, end=self.end)
            name = Path(self.folder).name
            self._decoder = Decoder(marks, lambda: _Cached(session), model=name, context_tokens=self.context_tokens, bitwise=True)
        return self._decoder


class _Cached:
    """One answer's sums: what was given is kept as the graph's own cache, or given again where it has none."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs = {one.name: one for one in session.get_inputs()}
        self._outputs = [one.name for one in session.get_outputs()]
        self._past = {name: _empty(one) for name, one in self._inputs.items() if name.startswith(PAST)}
        self._seen: list[int] = []

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        before = len(self._seen)
        self._seen += tokens
        given = list(tokens) if self._past else self._seen
        start = before if self._past else 0
        feed: dict[str, Any] = {"input_ids": np.array([given], np.int64)} | self._past
        if "attention_mask" in self._inputs:
            feed["attention_mask"] = np.ones((1, len(self._seen)), np.int64)
        if "position_ids" in self._inputs:
            feed["position_ids"] = np.arange(start, len(self._seen), dtype=np.int64)[None]
        found = dict(zip(self._outputs, self._session.run(None, feed), strict=True))
        self._past = {name: found[name.replace(PAST, "present.")] for name in self._past}
        return np.asarray(found["logits"][0, -1], np.float32)


def _empty(given: Any) -> NDArray[Any]:
    """A cache of nothing: (1, heads, 0, width), the two numbers as the graph has them."""
    shape = [one if isinstance(one, int) else (1 if place == 0 else 0) for place, one in enumerate(given.shape)]
    return np.zeros(shape, TYPES.get(given.type, np.float32))


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise EngineFault("engine.not_loaded", why=re.sub(r"\s+", " ", str(error))[:200]) from error
    names = {one.name for one in session.get_inputs()}
    unknown = sorted(name for name in names - {"input_ids", "attention_mask", "position_ids"} if not name.startswith(PAST))
    if "input_ids" not in names or unknown or "logits" not in {one.name for one in session.get_outputs()}:
        raise EngineFault("engine.not_loaded", why=f"{path.name} is no decoder: it takes {', '.join(sorted(names))[:120]}")
    return session
