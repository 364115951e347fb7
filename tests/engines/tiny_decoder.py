"""A decoder of random weights, written out byte by byte: next token's logits from the last token, and with a cache from all before."""

import json
from pathlib import Path

import numpy as np

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
    model = {
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
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def write_decoder(folder: Path, *, cache: bool, seed: int = 5) -> None:
    """`cache`: the sum over all tokens so far, kept in a cache of one number a token, turns the logits about."""
    random = np.random.default_rng(seed)
    next_to = random.normal(size=(VOCAB, VOCAB)).astype(np.float32)
    nodes = [_node("Gather", ["next_to", "input_ids"], ["plain" if cache else "logits"])]
    tensors = [_tensor("next_to", next_to)]
    ins = [_info("input_ids", 7, [1, "tokens"])]
    outs = [_info("logits", 1, [1, "tokens", VOCAB])]
    if cache:
        weights = random.normal(size=(VOCAB, 1)).astype(np.float32)
        tensors += [_tensor("weights", weights), _tensor("one", np.array([1], np.int64)), _tensor("zero", np.array([0], np.int64))]
        nodes += [
            _node("Gather", ["weights", "input_ids"], ["of_these"]),
            _node("Unsqueeze", ["of_these", "one"], ["new"]),
            _node("Concat", ["past_key_values.0.key", "new"], ["present.0.key"], axis=2),
            _node("ReduceSum", ["present.0.key"], ["sum"]),
            _node("Squeeze", ["sum", "zero"], ["factor"]),
            _node("Mul", ["plain", "factor"], ["logits"]),
        ]
        ins += [_info("past_key_values.0.key", 1, [1, 1, "before", 1]), _info("attention_mask", 7, [1, "all"])]
        outs.append(_info("present.0.key", 1, [1, 1, "all", 1]))
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"tiny") + b"".join(_field(5, one) for one in tensors)
    graph += b"".join(_field(11, one) for one in ins) + b"".join(_field(12, one) for one in outs)
    model = _varint_field(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _varint_field(2, 13))
    (folder / "decoder.onnx").write_bytes(model)


# ---- protocol buffers, field by field of onnx.proto


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _varint_field(place: int, value: int) -> bytes:
    return _varint(place << 3) + _varint(value)


def _field(place: int, body: bytes) -> bytes:
    return _varint(place << 3 | 2) + _varint(len(body)) + body


def _node(kind: str, inputs: list[str], outputs: list[str], axis: int | None = None) -> bytes:
    body = b"".join(_field(1, name.encode()) for name in inputs) + b"".join(_field(2, name.encode()) for name in outputs)
    body += _field(4, kind.encode())
    if axis is not None:
        body += _field(5, _field(1, b"axis") + _varint_field(3, axis) + _varint_field(20, 2))
    return body


def _tensor(name: str, values: np.ndarray) -> bytes:
    kind = 1 if values.dtype == np.float32 else 7
    dims = b"".join(_varint_field(1, size) for size in values.shape)
    return dims + _varint_field(2, kind) + _field(8, name.encode()) + _field(9, values.tobytes())


def _info(name: str, kind: int, shape: list[int | str]) -> bytes:
    dims = b"".join(_field(1, _varint_field(1, one) if isinstance(one, int) else _field(2, one.encode())) for one in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _varint_field(1, kind) + _field(2, dims)))
