"""A model in Hugging Face's form, run in the agent by Transformers and torch (neither is a dependency), decoded under the schema.

The folder has config.json, weights as safetensors and tokenizer.json. No code of a model's own is run, nothing is fetched. For models that
no server of the site runs; on a processor this is slow.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.serving.engines.decoding import Decoder, Marks
from holdfast.ports import EngineFault, Generated, Turn


@dataclass(slots=True)
class Transformers:
    folder: Path
    """Has config.json, safetensors and tokenizer.json; relative to the site file."""
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
            folder = Path(self.folder)
            try:
                torch: Any = importlib.import_module("torch")
                transformers: Any = importlib.import_module("transformers")
            except ModuleNotFoundError as error:
                raise EngineFault("engine.needs", engine="transformers", needs=str(error.name), extra="transformers") from error
            torch.set_num_threads(1)
            try:
                model = transformers.AutoModelForCausalLM.from_pretrained(
                    str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
                )
            except Exception as error:  # a broken folder fails in many ways
                raise EngineFault("engine.not_loaded", why=f"{type(error).__name__}: {error}"[:200]) from error
            model.eval()
            marks = Marks(folder, vocab=int(model.config.vocab_size), begin=self.begin, end=self.end)
            self._decoder = Decoder(
                marks, lambda: _Cached(torch, model), model=folder.name, context_tokens=self.context_tokens, bitwise=True
            )
        return self._decoder


class _Cached:
    """One answer's sums, with the model's own cache."""

    def __init__(self, torch: Any, model: Any) -> None:
        self._torch, self._model = torch, model
        self._past: Any = None

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            given = self._torch.tensor([list(tokens)], dtype=self._torch.long)
            found = self._model(input_ids=given, past_key_values=self._past, use_cache=True)
        self._past = found.past_key_values
        return np.asarray(found.logits[0, -1].float().numpy(), np.float32)
