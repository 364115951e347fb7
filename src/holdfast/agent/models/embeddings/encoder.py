"""An encoder in ONNX at work: texts in, one vector each out, by a deadline or not at all.

The graph is one as exporters write it: input_ids, and attention_mask, token_type_ids, position_ids where it takes them, (texts, tokens)
int64 each, to (texts, tokens, dims) or, where it pools itself, (texts, dims). It is one file: weights beside it are not found.
Not tried with a large embedding model.
"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.knowledge.manuals.meaning import NoMeaning
from holdfast.agent.knowledge.manuals.vectors import DIMS_MAX
from holdfast.agent.models.bundles.bundle import Bundle
from holdfast.agent.models.embeddings import described as form
from holdfast.agent.models.embeddings import tokens as splitting
from holdfast.agent.models.embeddings.described import Described
from holdfast.agent.models.embeddings.tokens import Tokens
from holdfast.site.modelcard import BundleError
from holdfast.site.modellayout import small
from holdfast.terms import LABELS, Label

SKILL = "embeddings"
QUERY_S_MAX = 1.0  # somebody waits for the answer
BATCH_S_MAX = 120.0
TEXTS_MAX, TOKENS_MAX = 32, 8_192  # of one run of the graph; tokens count with what texts are filled up with
INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})
PROBE = "0"
PAPER: Label = "site"  # of manuals and of what people ask


class Encoder:
    """One opened encoder; see `knowledge.manuals.meaning.Embedder`. For one thread at a time. `threads`: of the processor."""

    def __init__(
        self, weights: Path, tokens: Tokens, described: Described, digest: str, *, threads: int = 1,
        query_s: float = QUERY_S_MAX, batch_s: float = BATCH_S_MAX,
    ) -> None:  # fmt: skip
        """Raises NoMeaning for what is no encoder, found out by embedding a text."""
        self._tokens, self._described, self._query_s, self._batch_s = tokens, described, query_s, batch_s
        self.digest = digest
        self._session, self._inputs, self._output = _session(weights, described, threads)
        self.dims = described.dims  # what a run is held against; 0: anything
        self.dims = self._run([self._tokens.of(PROBE)], batch_s).shape[1]

    @property
    def similar_min(self) -> float:
        return self._described.similar_min

    def query(self, text: str) -> NDArray[np.float32]:
        return self._run([self._tokens.of(self._described.query_prefix + text)], self._query_s)[0]

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        split = [self._tokens.of(self._described.passage_prefix + text) for text in texts]
        found = np.zeros((len(texts), self.dims), np.float32)
        for batch in batches([len(one) for one in split]):
            if there := [i for i in batch if split[i]]:  # a text without one token that is known is like nothing
                found[there] = self._run([split[i] for i in there], self._batch_s)
        return found

    def _run(self, split: Sequence[Sequence[int]], limit_s: float) -> NDArray[np.float32]:
        longest = max(1, *map(len, split))
        ids, mask = np.zeros((len(split), longest), np.int64), np.zeros((len(split), longest), np.int64)
        for row, one in enumerate(split):
            ids[row, : len(one)], mask[row, : len(one)] = one, 1
        if not mask.any(axis=1).all():
            raise NoMeaning("manuals.model_no_tokens")
        every = {
            "input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids),
            "position_ids": np.broadcast_to(np.arange(longest, dtype=np.int64), ids.shape).copy(),
        }  # fmt: skip
        found = self._by(limit_s, {name: every[name] for name in self._inputs})
        pooled = _pooled(found, mask, self._described)
        if pooled.shape[1] != self.dims and self.dims:
            raise NoMeaning("manuals.model_dims", has=str(pooled.shape[1]), wanted=str(self.dims))
        if not np.isfinite(pooled).all():
            raise NoMeaning("manuals.model_numbers")
        return pooled

    def _by(self, limit_s: float, feed: dict[str, NDArray[np.int64]]) -> NDArray[Any]:
        """The graph's output. A run can't be given a limit: it is told from beside to stop, and does between two steps of the graph."""
        import onnxruntime

        asked = onnxruntime.RunOptions()
        asked.log_severity_level = 4
        late = threading.Event()

        def stop() -> None:
            late.set()
            asked.terminate = True

        watch = threading.Timer(limit_s, stop)
        watch.daemon = True
        watch.start()
        try:
            (found,) = self._session.run([self._output], feed, asked)
        except Exception as error:  # its exceptions have no common class of their own
            if late.is_set():
                raise NoMeaning("manuals.model_slow", after_s=f"{limit_s:g}") from error
            raise NoMeaning("manuals.model_broken", file="model", why=_short(error)) from error
        finally:
            watch.cancel()
        return np.asarray(found)


def opened(bundle: Bundle, *, threads: int = 1, query_s: float = QUERY_S_MAX) -> Encoder:
    """The encoder of a bundle whose bytes were checked. Raises NoMeaning."""
    if SKILL not in bundle.card.skills:
        raise NoMeaning("manuals.model_broken", file=bundle.name, why=f"its card has not the skill {SKILL}")
    if bundle.card.format != "onnx":
        raise NoMeaning("manuals.model_broken", file=bundle.name, why=f"an encoder is ONNX, not {bundle.card.format}")
    if LABELS.index(bundle.card.clearance) < LABELS.index(PAPER):
        raise NoMeaning("manuals.model_clearance", has=bundle.card.clearance, needs=PAPER)
    told = form.described(_beside(bundle, form.NAME, form.BYTES_MAX))
    tokens = Tokens(_beside(bundle, splitting.NAME, splitting.BYTES_MAX), told.max_tokens)
    return Encoder(bundle.weights, tokens, told, bundle.digest, threads=threads, query_s=query_s)


def _beside(bundle: Bundle, name: str, bytes_max: int) -> bytes:
    try:
        return small(bundle.file(name), bytes_max)
    except BundleError as error:
        raise NoMeaning("manuals.model_broken", file=name, why=str(error)[:200]) from error


def batches(tokens: Sequence[int]) -> list[list[int]]:
    """Places of texts that run together: the short with the short, so that little is filled up."""
    found: list[list[int]] = []
    for place in sorted(range(len(tokens)), key=lambda i: (tokens[i], i)):
        last = found[-1] if found else None
        if last is None or len(last) == TEXTS_MAX or (len(last) + 1) * tokens[place] > TOKENS_MAX:
            found.append([place])
        else:
            last.append(place)
    return found


def _session(weights: Path, described: Described, threads: int) -> tuple[Any, tuple[str, ...], str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        session: Any = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise NoMeaning("manuals.model_broken", file="model", why=_short(error)) from error
    inputs = tuple(str(one.name) for one in session.get_inputs())
    outputs = [str(one.name) for one in session.get_outputs()]
    if "input_ids" not in inputs or not set(inputs) <= INPUTS:
        raise NoMeaning("manuals.model_broken", file="model", why=f"no encoder: it takes {', '.join(inputs)[:120]}")
    if described.output and described.output not in outputs:
        raise NoMeaning("manuals.model_broken", file="model", why=f"no output {described.output[:40]!r}: {', '.join(outputs)[:120]}")
    return session, inputs, described.output or outputs[0]


def _pooled(found: NDArray[Any], mask: NDArray[np.int64], described: Described) -> NDArray[np.float32]:
    """(texts, dims) of what the graph gave."""
    of = 2 if described.pooling == "none" else 3
    if (
        found.ndim != of
        or found.shape[0] != len(mask)
        or (of == 3 and found.shape[1] != mask.shape[1])
        or not 0 < found.shape[-1] <= DIMS_MAX
    ):
        shape = " x ".join(map(str, found.shape))
        raise NoMeaning("manuals.model_broken", file="model", why=f"its output is {shape}, which {described.pooling} can't pool")
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = found.astype(np.float32)
        match described.pooling:
            case "none":
                pooled = numbers
            case "cls":
                pooled = numbers[:, 0]
            case "last":
                pooled = numbers[np.arange(len(mask)), mask.sum(axis=1) - 1]
            case "mean":
                # What texts are filled up with may be any number, so it is left out and not multiplied by 0.
                there = np.where(mask[:, :, None] > 0, numbers, np.float32(0.0))
                pooled = there.sum(axis=1) / mask.sum(axis=1, keepdims=True).astype(np.float32)
        if described.normalise:
            length = np.sqrt((pooled.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
            pooled = (pooled / np.where(length > 0, length, 1.0)).astype(np.float32)
    return pooled


def _short(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]
