"""An encoder made by hand, whose directions are known by construction: names of one thing, in two languages, are one direction.

No weights of anybody's: it shows what vectors find that words can't, and what the machinery around a model costs. How well a model
does, and how long it takes, it does not show.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FLOAT, INT64 = 1, 7  # TensorProto.DataType of onnx.proto
OPSET, IR_VERSION = 13, 8
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
    dims = rows.shape[1]
    nodes = [_node("Gather", ["rows", "input_ids"], ["looked"])]
    tensors = [_tensor("rows", rows)]
    last = "looked"
    if slow:
        tensors += [_tensor("square", np.zeros((1024, 1024), np.float32)), _tensor("nothing", np.zeros((), np.float32))]
        # What depends on no input would be worked out when the model is opened.
        nodes += [
            _node("ReduceSum", ["looked"], ["sum"]),
            _node("Mul", ["sum", "nothing"], ["zero"]),
            _node("Add", ["square", "zero"], ["m0"]),
        ]
        nodes += [_node("MatMul", [f"m{i}", "square"], [f"m{i + 1}"]) for i in range(slow)]
        nodes += [_node("ReduceSum", [f"m{slow}"], ["end"]), _node("Add", ["looked", "end"], ["slowly"])]
        last = "slowly"
    nodes.append(_node("Identity", [last], ["last_hidden_state"]))
    made = b"".join(_field(1, node) for node in nodes) + _field(2, b"encoder") + b"".join(_field(5, one) for one in tensors)
    made += _field(11, _info("input_ids", INT64, ["texts", "tokens"]))
    made += _field(12, _info("last_hidden_state", FLOAT, ["texts", "tokens", dims]))
    return _number(1, IR_VERSION) + _field(7, made) + _field(8, _field(1, b"") + _number(2, OPSET))


# ---- protocol buffers, field by field of onnx.proto ----------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _number(place: int, value: int) -> bytes:
    return _varint(place << 3) + _varint(value)


def _field(place: int, body: bytes) -> bytes:
    return _varint(place << 3 | 2) + _varint(len(body)) + body


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    body = b"".join(_field(1, name.encode()) for name in inputs) + b"".join(_field(2, name.encode()) for name in outputs)
    more = _field(5, _field(1, b"keepdims") + _number(3, 0) + _number(20, 2)) if kind == "ReduceSum" else b""
    return body + _field(4, kind.encode()) + more


def _tensor(name: str, values: NDArray[np.float32]) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, FLOAT) + _field(8, name.encode()) + _field(9, values.tobytes())


def _info(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(_field(1, _number(1, one) if isinstance(one, int) else _field(2, one.encode())) for one in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, dims)))
