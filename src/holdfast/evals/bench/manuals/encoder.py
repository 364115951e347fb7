"""An encoder made by hand, whose directions are known by construction: names of one thing, in two languages, are one direction.

No weights of anybody's: it shows what vectors find that words can't, and what the machinery around a model costs. How well a model
does, and how long it takes, it does not show.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.evals.bench.manuals.onnx_bytes import FLOAT, INT64, info, model, node, tensor

UNKNOWN = "<unk>"


def write_encoder(folder: Path, concepts: Sequence[Sequence[str]], width: int, seed: int, **described: object) -> tuple[Path, Path, Path]:
    """`model.onnx`, `tokenizer.json` and `embedding.json` in a folder. `concepts`: names of one thing each, in small letters."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(len(concepts), width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    names = [(name, place) for place, concept in enumerate(concepts) for name in concept]
    rows = np.concatenate([np.zeros((1, width)), directions[[place for _, place in names]]]).astype(np.float32)
    weights, split, told = folder / "model.onnx", folder / "tokenizer.json", folder / "embedding.json"
    weights.write_bytes(graph(rows))
    split.write_text(json.dumps(tokenizer([name for name, _ in names]), ensure_ascii=False), encoding="utf-8")
    told.write_text(json.dumps({"pooling": "mean", "dims": width, **described}), encoding="utf-8")
    return weights, split, told


def tokenizer(names: Sequence[str]) -> Mapping[str, object]:
    """Of Hugging Face's form, kind Unigram: the longest names that stand in a text, whatever is between them unknown."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [[UNKNOWN, 0.0], *([name, -1.0] for name in names)], "byte_fallback": False},
    }


def graph(rows: NDArray[np.float32], *, slow: int = 0) -> bytes:
    """An ONNX model: token ids to rows of a table. `slow`: so many products of large matrices on the way, which change nothing."""
    nodes = [node("Gather", ["rows", "input_ids"], "looked")]
    tensors = [tensor("rows", rows)]
    last = "looked"
    if slow:
        tensors += [tensor("square", np.zeros((1024, 1024), np.float32)), tensor("nothing", np.zeros((), np.float32))]
        # What depends on no input would be worked out when the model is opened.
        nodes += [
            node("ReduceSum", ["looked"], "sum", keepdims=0),
            node("Mul", ["sum", "nothing"], "zero"),
            node("Add", ["square", "zero"], "m0"),
        ]
        nodes += [node("MatMul", [f"m{i}", "square"], f"m{i + 1}") for i in range(slow)]
        nodes += [node("ReduceSum", [f"m{slow}"], "end", keepdims=0), node("Add", ["looked", "end"], "slowly")]
        last = "slowly"
    nodes.append(node("Identity", [last], "last_hidden_state"))
    ins, outs = info("input_ids", INT64, ["texts", "tokens"]), info("last_hidden_state", FLOAT, ["texts", "tokens", rows.shape[1]])
    return model(nodes, tensors, [ins], [outs])
