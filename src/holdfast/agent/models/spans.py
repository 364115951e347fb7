"""A character tagger at work: text in, marked spans out, and a class for the whole text where the model has classes.

A model is one ONNX file that carries its own names (metadata `labels` and `classes`, JSON lists; label 0 is "nothing"):

    ids (1, T) int64  →  tags (1, T, labels) float32, classes (1, classes) float32

It runs on one thread, so the same text gives the same bits. What it says is a suggestion: whoever uses it checks each span.
"""

import importlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Word

VOCABULARY = 4096
DIRECT = 256  # code points below have an id of their own; those above share the rest
_WORD = re.compile(r"0x[0-9A-Fa-f]+|[A-Za-z]+(?:_[A-Za-z0-9]+)+|[A-Za-z]+|[0-9]+(?:\.[0-9]+)?")
TEXT_MAX = 20_000  # characters of one text; a longer one is refused
MODEL_BYTES_MAX = 16 << 20


class ModelUnusable(Exception):
    """The model's file is missing or no tagger. The text says what to do."""


class Span(Word):
    """Characters `start` to `end` (exclusive) of the text are a `label`; `sure` is the least probability in it, 0 to 1."""

    start: int
    end: int
    label: str
    sure: float


class Marked(Word):
    spans: tuple[Span, ...]
    kind: str = ""  # the class of the whole text; "" where the model has none
    kind_sure: float = 0.0


def ids(text: str) -> NDArray[np.int64]:
    """(1, T): a number a character, 1 to VOCABULARY - 1; 0 is for padding."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
    folded = np.where(codes < DIRECT, codes, DIRECT + codes % (VOCABULARY - DIRECT))
    return np.maximum(folded, 1)[None, :]


class Tagger:
    """An opened model."""

    def __init__(self, model: bytes) -> None:
        if len(model) > MODEL_BYTES_MAX:
            raise ModelUnusable(f"the model has {len(model)} bytes, more than {MODEL_BYTES_MAX}: it is no tagger of ours")
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            named: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
            self.labels: tuple[str, ...] = tuple(json.loads(named["labels"]))
            self.classes: tuple[str, ...] = tuple(json.loads(named["classes"]))
        except Exception as error:
            raise ModelUnusable(f"the model can't be opened ({str(error)[:200]}); train it again or take the shipped one") from error

    def mark(self, text: str) -> Marked:
        """The spans of a text, in order; neighbours of one label are one span. Raises ValueError for a text over TEXT_MAX."""
        if len(text) > TEXT_MAX:
            raise ValueError(f"{len(text)} characters; give at most {TEXT_MAX}")
        if not text:
            return Marked(spans=())
        tags, classes = self._session.run(["tags", "classes"], {"ids": ids(text)})
        kind, kind_sure = "", 0.0
        if self.classes:
            shares = _softmax(classes[0])
            best = int(shares.argmax())
            kind, kind_sure = self.classes[best], float(shares[best])
        return Marked(spans=self._spans(_softmax(tags[0]), text), kind=kind, kind_sure=kind_sure)

    def shares(self, text: str) -> NDArray[np.float32]:
        """(T, labels): each character's probabilities, those of a word or number their mean. Raises ValueError over TEXT_MAX."""
        if len(text) > TEXT_MAX:
            raise ValueError(f"{len(text)} characters; give at most {TEXT_MAX}")
        if not text:
            return np.zeros((0, len(self.labels)), np.float32)
        return _by_word(_softmax(self._session.run(["tags"], {"ids": ids(text)})[0][0]), text)

    def _spans(self, shares: NDArray[np.float32], text: str) -> tuple[Span, ...]:
        """`shares` (T, labels): each character's probabilities. A word or number has one label: its characters' mean."""
        shares = _by_word(shares, text)
        best = shares.argmax(axis=1)
        edges = np.flatnonzero(np.diff(best)) + 1
        found: list[Span] = []
        for start, end in zip((0, *edges.tolist()), (*edges.tolist(), len(best)), strict=True):
            label = int(best[start])
            if label:
                sure = float(shares[start:end, label].min())
                found.append(Span(start=start, end=end, label=self.labels[label], sure=sure))
        return tuple(found)


@lru_cache(maxsize=4)
def shipped(path: Path) -> Tagger:
    """The tagger in a file, opened once a process. Raises ModelUnusable."""
    try:
        return Tagger(path.read_bytes())
    except OSError as error:
        raise ModelUnusable(f"{path}: {error.strerror}; install the package again or train the model") from error


def _by_word(shares: NDArray[np.float32], text: str) -> NDArray[np.float32]:
    found = shares.copy()
    for word in _WORD.finditer(text):
        if word.end() - word.start() > 1:
            found[word.start() : word.end()] = shares[word.start() : word.end()].mean(axis=0)
    return found


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
