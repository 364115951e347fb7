"""A small model of Qwen3's architecture with random weights, as safetensors for Transformers and as GGUF for llama.cpp."""

import json
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, INNER, CONTEXT = 2, 64, 4, 2, 16, 128, 2048
ROPE_BASE, EPSILON = 1_000_000.0, 1e-6
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGED = ("Ġ", "Ġ")  # one merge: a tokenizer of this kind without any is refused by llama.cpp
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_names() -> list[str]:
    """GPT-2's names of the 256 bytes (bytes_to_unicode)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def vocabulary() -> list[str]:
    return [*byte_names(), "".join(MERGED), *MARKS]


def weights(seed: int = 11) -> dict[str, np.ndarray[Any, Any]]:
    """By the names of Hugging Face's Qwen3ForCausalLM; float32, embeddings tied."""
    random = np.random.default_rng(seed)

    def dense(*shape: int) -> np.ndarray[Any, Any]:
        return (random.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)

    found = {"model.embed_tokens.weight": dense(len(vocabulary()), WIDTH) * 4, "model.norm.weight": np.ones(WIDTH, np.float32)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        found |= {
            f"{at}.input_layernorm.weight": np.ones(WIDTH, np.float32),
            f"{at}.post_attention_layernorm.weight": np.ones(WIDTH, np.float32),
            f"{at}.self_attn.q_proj.weight": dense(HEADS * HEAD, WIDTH),
            f"{at}.self_attn.k_proj.weight": dense(KV_HEADS * HEAD, WIDTH),
            f"{at}.self_attn.v_proj.weight": dense(KV_HEADS * HEAD, WIDTH),
            f"{at}.self_attn.o_proj.weight": dense(WIDTH, HEADS * HEAD),
            f"{at}.self_attn.q_norm.weight": np.ones(HEAD, np.float32),
            f"{at}.self_attn.k_norm.weight": np.ones(HEAD, np.float32),
            f"{at}.mlp.gate_proj.weight": dense(INNER, WIDTH),
            f"{at}.mlp.up_proj.weight": dense(INNER, WIDTH),
            f"{at}.mlp.down_proj.weight": dense(WIDTH, INNER),
        }
    return found


def write_transformers(folder: Path) -> None:
    from safetensors.numpy import save_file  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights(), str(folder / "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": len(vocabulary()),
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "rms_norm_eps": EPSILON,
        "rope_theta": ROPE_BASE,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "hidden_act": "silu",
        "torch_dtype": "float32",
        "eos_token_id": vocabulary().index(MARKS[2]),
    }
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder)


def write_tokenizer(folder: Path) -> None:
    bytelevel = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    names = vocabulary()
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {name: number for number, name in enumerate(names) if name not in MARKS},
        "merges": [" ".join(MERGED)],
    }
    told = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": names.index(mark), "content": mark, **flags} for mark in MARKS],
        "normalizer": None,
        "pre_tokenizer": bytelevel,
        "post_processor": None,
        "decoder": bytelevel,
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(path: Path) -> None:
    import gguf  # pyright: ignore[reportMissingImports]

    out: Any = gguf.GGUFWriter(str(path), "qwen3")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(KV_HEADS)
    out.add_key_length(HEAD)
    out.add_value_length(HEAD)
    out.add_layer_norm_rms_eps(EPSILON)
    out.add_rope_freq_base(ROPE_BASE)
    out.add_file_type(0)
    names = vocabulary()
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("qwen2")
    out.add_token_list(names)
    out.add_token_types([3 if name in MARKS else 1 for name in names])  # control, normal
    out.add_token_merges([" ".join(MERGED)])
    out.add_eos_token_id(names.index(MARKS[2]))
    out.add_bos_token_id(names.index(MARKS[0]))
    out.add_add_bos_token(False)
    out.add_chat_template(TEMPLATE)
    for name, value in weights().items():
        out.add_tensor(_gguf_name(name), value)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def _gguf_name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{GGUF_NAMES[rest.removesuffix('.weight')]}.weight"
