"""Text is split for an encoder as Hugging Face's own `tokenizers` splits it, in every form of tokenizer.json that is read."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

tokenizers = pytest.importorskip("tokenizers", reason="make test-models installs it")

from holdfast.agent.models.embeddings.tokens import Tokens  # noqa: E402

TEXTS = (
    "Oil pumps, 油泵",
    "the oil  pump 轴承座",
    "油泵 pumps\nthe oil",
    "é ü 泵\u3000oil １２ ﬁ",
    " oil",
    "oil ",
    "轴承座" * 50,
    "GB/T 3452.1 — 2.5 bar; 70 °C",
    "x",
)
MARKS = ("<s>", "<pad>", "</s>", "<unk>")
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
BYTELEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def added(names: tuple[str, ...]) -> list[Mapping[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": place, "content": name, **plain} for place, name in enumerate(names)]


def template(before: str, after: str, ids: Mapping[str, int]) -> Mapping[str, Any]:
    def mark(name: str) -> list[Any]:
        return [{"SpecialToken": {"id": name, "type_id": 0}}] if name else []

    return {
        "type": "TemplateProcessing",
        "single": [*mark(before), {"Sequence": {"id": "A", "type_id": 0}}, *mark(after)],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in (before, after) if name},
    }


def wordpiece() -> dict[str, Any]:
    """As BERT's: English in pieces, Chinese by sign."""
    names = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    words = ("oil", "pump", "##s", "油", "泵", ",", "the", "x", "轴", "承", "座", "70", "2", ".", "5", "bar", "e", "u")
    ids = {name: place for place, name in enumerate((*names, *words))}
    return {
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": template("[CLS]", "[SEP]", ids),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "added_tokens": added(names),
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }


def unigram(*, squeezed: bool) -> dict[str, Any]:
    """As XLM-R's: SentencePiece with a mark for a word's beginning."""
    pieces = (
        "▁",
        "▁oil",
        "oil",
        "▁pump",
        "s",
        "油",
        "泵",
        "▁轴承",
        "轴承",
        "座",
        "a",
        "o",
        "i",
        "l",
        "p",
        "u",
        "m",
        ",",
        "▁the",
        "fi",
        "12",
    )
    vocab = [*([mark, 0.0] for mark in MARKS), *([piece, -1.0 - 0.37 * place] for place, piece in enumerate(pieces))]
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    return {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, *([] if squeezed else [spaces])]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]} if squeezed else METASPACE,
        "post_processor": template("<s>", "</s>", {"<s>": 0, "</s>": 2}),
        "decoder": METASPACE,
        "added_tokens": added(MARKS),
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False},
    }


def byte_level(*, prefix: bool) -> dict[str, Any]:
    """As GPT-2's and Qwen's: byte pairs, with an end of text after it."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    vocab = {chr(byte if byte in printable else next(others)): byte for byte in range(256)} | {
        "oi": 256,
        "oil": 257,
        "Ġoil": 258,
        "<end>": 259,
    }
    split = {"type": "Split", "pattern": {"Regex": "\\s+|\\w+|[^\\s\\w]+"}, "behavior": "Isolated", "invert": False}
    before = (
        BYTELEVEL | {"add_prefix_space": True}
        if prefix
        else {"type": "Sequence", "pretokenizers": [split, BYTELEVEL | {"use_regex": False}]}
    )
    return {
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": before,
        "post_processor": {"type": "Sequence", "processors": [BYTELEVEL, template("", "<end>", {"<end>": 259})]},
        "decoder": BYTELEVEL,
        "added_tokens": [{**added(("<end>",))[0], "id": 259}],
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab,
            "merges": [["o", "i"], ["oi", "l"], ["Ġ", "oil"]],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [wordpiece(), unigram(squeezed=False), unigram(squeezed=True), byte_level(prefix=True), byte_level(prefix=False)],
    ids=["WordPiece", "Unigram", "Unigram, spaces squeezed", "byte level, space before", "byte level"],
)
def test_it_is_split_alike(told: dict[str, Any]) -> None:
    content = json.dumps({"version": "1.0", "truncation": None, "padding": None, **told})
    theirs: Any = tokenizers.Tokenizer.from_str(content)
    ours = Tokens(content.encode(), 4_096)
    assert {text: ours.of(text) for text in TEXTS} == {text: theirs.encode(text).ids for text in TEXTS}
