"""An encoder of the usual shape with weights by chance: it means nothing, and takes as long as one that does.

Attention with heads, two layers of sums, normalisation after each (Vaswani et al., 2017), as in BERT's family; Relu for Gelu.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.evals.bench.manuals.onnx_bytes import FLOAT, INT64, info, model, node, tensor

LAYERS, WIDTH, HEADS, WIDER = 6, 384, 12, 1_536  # of the small ones that are shipped for sentences, as MiniLM-L6 (Wang et al., 2020)
MASKED = np.float32(-1e9)


def write_transformer(file: Path, vocabulary: int, seed: int) -> int:
    """Takes input_ids and attention_mask; returns how many weights it has."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.float32]] = {"words": rng.normal(size=(vocabulary, WIDTH)).astype(np.float32)}
    shapes = {
        "heads": np.array([0, 0, HEADS, WIDTH // HEADS], np.int64), "flat": np.array([0, 0, WIDTH], np.int64),
        "axes": np.array([1, 2], np.int64),
    }  # fmt: skip
    weights |= {"one": np.array(1, np.float32), "masked": np.array(MASKED), "scale": np.array((WIDTH // HEADS) ** -0.5, np.float32)}
    nodes = [
        node("Gather", ["words", "input_ids"], "x0"),
        node("Cast", ["attention_mask"], "there", to=FLOAT),
        node("Sub", ["one", "there"], "absent"),
        node("Mul", ["absent", "masked"], "away"),
        node("Unsqueeze", ["away", "axes"], "bias"),
    ]
    for i in range(LAYERS):
        for name, shape in (("q", (WIDTH, WIDTH)), ("k", (WIDTH, WIDTH)), ("v", (WIDTH, WIDTH)), ("o", (WIDTH, WIDTH)),
                            ("wide", (WIDTH, WIDER)), ("back", (WIDER, WIDTH))):  # fmt: skip
            weights[f"{name}{i}"] = (rng.normal(size=shape) * shape[0] ** -0.5).astype(np.float32)
        weights[f"gain{i}"], weights[f"shift{i}"] = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        nodes += _layer(i)
    nodes.append(node("Identity", [f"x{LAYERS}"], "last_hidden_state"))
    tensors = [tensor(name, values) for name, values in (*weights.items(), *shapes.items())]
    inputs = [info(name, INT64, ["texts", "tokens"]) for name in ("input_ids", "attention_mask")]
    file.write_bytes(model(nodes, tensors, inputs, [info("last_hidden_state", FLOAT, ["texts", "tokens", WIDTH])]))
    return sum(values.size for values in weights.values())


def _layer(i: int) -> list[bytes]:
    nodes: list[bytes] = []
    for name, order in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
        nodes += [
            node("MatMul", [f"x{i}", f"{name}{i}"], f"{name}_flat{i}"),
            node("Reshape", [f"{name}_flat{i}", "heads"], f"{name}_heads{i}"),
            node("Transpose", [f"{name}_heads{i}"], f"{name}_by_head{i}", perm=order),
        ]
    return [
        *nodes,
        node("MatMul", [f"q_by_head{i}", f"k_by_head{i}"], f"raw{i}"),
        node("Mul", [f"raw{i}", "scale"], f"scaled{i}"),
        node("Add", [f"scaled{i}", "bias"], f"seen{i}"),
        node("Softmax", [f"seen{i}"], f"shares{i}"),
        node("MatMul", [f"shares{i}", f"v_by_head{i}"], f"mixed{i}"),
        node("Transpose", [f"mixed{i}"], f"mixed_back{i}", perm=(0, 2, 1, 3)),
        node("Reshape", [f"mixed_back{i}", "flat"], f"mixed_flat{i}"),
        node("MatMul", [f"mixed_flat{i}", f"o{i}"], f"said{i}"),
        node("Add", [f"x{i}", f"said{i}"], f"sum{i}"),
        node("LayerNormalization", [f"sum{i}", f"gain{i}", f"shift{i}"], f"even{i}"),
        node("MatMul", [f"even{i}", f"wide{i}"], f"wider{i}"),
        node("Relu", [f"wider{i}"], f"kept{i}"),
        node("MatMul", [f"kept{i}", f"back{i}"], f"back_again{i}"),
        node("Add", [f"even{i}", f"back_again{i}"], f"more{i}"),
        node("LayerNormalization", [f"more{i}", f"gain{i}", f"shift{i}"], f"x{i + 1}"),
    ]
