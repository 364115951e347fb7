"""A decoder of random weights, written out byte by byte: next token's logits from the last token, and with a cache from all before."""

import json
from pathlib import Path

import numpy as np

from holdfast.evals.bench.manuals.onnx_bytes import FLOAT, INT64, info, model, node, tensor

MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VOCAB = 256 + len(MARKS)


def byte_names() -> list[str]:
    """GPT-2's names of the 256 bytes (bytes_to_unicode): printable ones are themselves, others moved beyond 255."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def write_tokenizer(folder: Path) -> None:
    """Bytes and three marks, in the form of Hugging Face's tokenizers."""
    bytelevel = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    marks = [
        {"id": 256 + n, "content": mark, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for n, mark in enumerate(MARKS)
    ]
    vocabulary = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {name: byte for byte, name in enumerate(byte_names())},
        "merges": [],
    }
    told = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": marks,
        "normalizer": None,
        "pre_tokenizer": bytelevel,
        "post_processor": None,
        "decoder": bytelevel,
        "model": vocabulary,
    }
    (folder / "tokenizer.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def write_decoder(folder: Path, *, cache: bool, seed: int = 5) -> None:
    """`cache`: the sum over all tokens so far, kept in a cache of one number a token, turns the logits about."""
    random = np.random.default_rng(seed)
    next_to = random.normal(size=(VOCAB, VOCAB)).astype(np.float32)
    nodes = [node("Gather", ["next_to", "input_ids"], "plain" if cache else "logits")]
    tensors = [tensor("next_to", next_to)]
    ins = [info("input_ids", INT64, [1, "tokens"])]
    outs = [info("logits", FLOAT, [1, "tokens", VOCAB])]
    if cache:
        weights = random.normal(size=(VOCAB, 1)).astype(np.float32)
        tensors += [tensor("weights", weights), tensor("one", np.array([1], np.int64)), tensor("zero", np.array([0], np.int64))]
        nodes += [
            node("Gather", ["weights", "input_ids"], "of_these"),
            node("Unsqueeze", ["of_these", "one"], "new"),
            node("Concat", ["past_key_values.0.key", "new"], "present.0.key", axis=2),
            node("ReduceSum", ["present.0.key"], "sum"),
            node("Squeeze", ["sum", "zero"], "factor"),
            node("Mul", ["plain", "factor"], "logits"),
        ]
        ins += [info("past_key_values.0.key", FLOAT, [1, 1, "before", 1]), info("attention_mask", INT64, [1, "all"])]
        outs.append(info("present.0.key", FLOAT, [1, 1, "all", 1]))
    (folder / "decoder.onnx").write_bytes(model(nodes, tensors, ins, outs))
