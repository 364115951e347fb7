"""An encoder of the registry gives directions that are known by construction; one that is broken is told in a word, and in time."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import CONCEPTS, DIMS, bundle, encoder_card, files  # pyright: ignore[reportMissingImports]
from packed import key_file  # pyright: ignore[reportMissingImports]
from test_in_use import Scene  # pyright: ignore[reportMissingImports]

from holdfast.agent.knowledge.manuals.meaning import NoMeaning
from holdfast.agent.models.bundles.bundle import Bundle
from holdfast.agent.models.embeddings import in_force
from holdfast.agent.models.embeddings.described import Described, described
from holdfast.agent.models.embeddings.encoder import Encoder, batches, opened
from holdfast.agent.models.embeddings.in_force import InForce
from holdfast.agent.models.embeddings.tokens import Tokens
from holdfast.evals.bench.manuals.encoder import graph
from holdfast.evals.bench.manuals.transformer import write_transformer
from holdfast.language import say
from holdfast.site.modelroles import ModelRunning

PATIENCE_S = 20.0


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return key_file(tmp_path)


def encoder(tmp_path: Path, key: Path, **described: Any) -> Encoder:
    return opened(bundle(tmp_path / "made", key, **described))


def refused(of: Callable[[], object]) -> NoMeaning:
    with pytest.raises(NoMeaning) as told:
        of()
    for language in ("en", "zh"):
        assert not told.value.told(language).startswith("manuals.")
        assert "{" not in told.value.told(language)
    return told.value


# ---- what it gives ---------------------------------------------------------------------------------------------------------


def test_names_of_one_thing_in_two_languages_are_one_direction(tmp_path: Path, key: Path) -> None:
    one = encoder(tmp_path, key)
    asked = one.query("轴承座的温度")
    rows = one.passages(["The temperature of the Bearing Housing.", "pressure", "xyz"])
    assert (asked.shape, rows.shape, one.dims) == ((DIMS,), (3, DIMS), DIMS)
    assert (rows @ asked)[0] == pytest.approx(1.0, abs=1e-6)
    assert (rows @ asked)[1] < 0.9
    assert not rows[2].any()  # nothing of it is known: like nothing


def test_prefixes_are_put_before_what_they_are_for(tmp_path: Path, key: Path) -> None:
    one = encoder(tmp_path, key, query_prefix="pressure ", passage_prefix="rinse ")
    plain = opened(bundle(tmp_path / "plain", key))
    assert one.query("temperature") == pytest.approx(plain.query("pressure temperature"), abs=1e-6)
    assert one.passages(["temperature"])[0] == pytest.approx(plain.passages(["rinse temperature"])[0], abs=1e-6)


def test_a_text_beside_longer_ones_has_the_vector_that_it_has_alone(tmp_path: Path, key: Path) -> None:
    """What shorter texts are filled up with must not count."""
    for pooling in ("mean", "last", "cls"):
        one = encoder(tmp_path / pooling, key, pooling=pooling) if (tmp_path / pooling).mkdir() is None else None
        assert one is not None
        together = one.passages(["temperature", "pressure " * 30, "rinse temperature"])
        assert together[0] == pytest.approx(one.passages(["temperature"])[0], abs=1e-6)
        assert together[2] == pytest.approx(one.passages(["rinse temperature"])[0], abs=1e-6)


def by_hand(tmp_path: Path, pooling: str, *, unknown: tuple[float, float] = (0.0, 0.0), **more: Any) -> Encoder:
    """Rows of two numbers: unknown, a (3, 4), b (0, 2), and one for 0."""
    weights = tmp_path / "hand.onnx"
    weights.write_bytes(graph(np.array([unknown, [3, 4], [0, 2], [1, 1]], np.float32)))
    told = {
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0], ["b", -1.0], ["0", -1.0]], "byte_fallback": False}
    }
    tokens = Tokens(json.dumps({"version": "1.0", "added_tokens": [], **told}).encode(), 16)
    return Encoder(weights, tokens, Described(pooling=pooling, **more), "ab" * 32)  # type: ignore[arg-type]


def test_pooling_is_the_mean_the_first_or_the_last_and_length_is_one(tmp_path: Path) -> None:
    assert by_hand(tmp_path, "mean", normalise=False).query("ab").tolist() == [1.5, 3.0]
    assert by_hand(tmp_path, "cls", normalise=False).query("ab").tolist() == [3.0, 4.0]
    assert by_hand(tmp_path, "last", normalise=False).query("ab").tolist() == [0.0, 2.0]
    assert by_hand(tmp_path, "cls").query("ab") == pytest.approx([0.6, 0.8])


def test_what_texts_are_filled_up_with_is_left_out_whatever_it_is(tmp_path: Path) -> None:
    one = by_hand(tmp_path, "mean", normalise=False, unknown=(np.nan, np.inf))
    assert one.passages(["ab", "abab", "a"]).tolist() == [[1.5, 3.0], [1.5, 3.0], [3.0, 4.0]]


def test_a_transformer_that_looks_at_all_tokens_gives_a_text_the_vector_that_it_has_alone(tmp_path: Path) -> None:
    """Weights by chance, of a real one's shape: what is filled up must not be looked at."""
    _, split, _ = files(tmp_path / "made")
    write_transformer(tmp_path / "t.onnx", 64, 1)
    one = Encoder(tmp_path / "t.onnx", Tokens(split.read_bytes(), 64), Described(pooling="mean"), "ab" * 32)
    alone, other = one.query("轴承座温度"), one.query("温度轴承座压力")
    assert one.passages(["轴承座温度", "压力" * 40])[0] == pytest.approx(alone, abs=1e-5)
    assert alone @ alone == pytest.approx(1.0, abs=1e-5)
    assert alone @ other < 0.99


def test_what_is_beyond_max_tokens_is_cut(tmp_path: Path, key: Path) -> None:
    one = encoder(tmp_path, key, max_tokens=4, pooling="last")
    # pressure, the space, pressure, the space; not the temperature at the end
    assert not one.query("pressure pressure temperature").any()


def test_texts_run_together_within_bounds_and_each_once() -> None:
    found = batches([5, 8_192, 3, 4_096, 4_097, *[1] * 40])
    assert sorted(place for batch in found for place in batch) == list(range(45))
    assert max(map(len, found)) == 32
    assert [len(batch) for batch in found][-3:] == [1, 1, 1]


# ---- tokenizers -------------------------------------------------------------------------------------------------------------

WORDPIECE = {
    "version": "1.0",
    "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": {
        "strategy": {"Fixed": 20},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    },
    "added_tokens": [],
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
            "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
        },
    },
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "oil": 4, "pump": 5, "##s": 6, "油": 7, "泵": 8, ",": 9},
    },
}


def test_a_bert_tokenizer_splits_chinese_by_sign_and_words_into_pieces() -> None:
    """Its own cutting and filling up are left out: both are done here."""
    tokens = Tokens(json.dumps(WORDPIECE).encode(), 512)
    assert tokens.of("Oil pumps, 油泵 xyz") == [2, 4, 5, 6, 9, 7, 8, 1, 3]
    assert Tokens(json.dumps(WORDPIECE).encode(), 5).of("Oil pumps, 油泵") == [2, 4, 5, 6, 3]


@pytest.mark.parametrize("squeezed", [False, True])
def test_a_sentencepiece_tokenizer_marks_the_beginning_of_words(squeezed: bool) -> None:
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    told = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]} if squeezed else metaspace,
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", 8],
            "cls": ["<s>", 7],
            "trim_offsets": True,
            "add_prefix_space": True,
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [["<unk>", 0.0], ["▁", -9.0], ["▁oil", -1.0], ["oil", -1.0], ["▁轴承", -1.0], ["座", -1.0], ["▁pump", -1.0]],
            "byte_fallback": False,
        },
    }
    tokens = Tokens(json.dumps(told).encode(), 512)
    assert tokens.of("oil pump") == [7, 2, 6, 8]
    assert tokens.of("轴承座") == [7, 4, 5, 8]
    assert tokens.of("oil  \n pump ") == [7, 2, 6, 8] if squeezed else tokens.of("oil pump")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}, "WordLevel"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}, "not byte-level"),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}]}}, "Prepend"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Metaspace"}, {"type": "Punctuation"}]}}, "pre-tokenizer"),
        ({"post_processor": {"type": "Other"}}, "post-processor"),
        (
            {"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {}}},
            "post-processor",
        ),
        ({"model": {"type": "WordPiece", "vocab": {"a": -1}}}, ""),
        ({"model": 5}, ""),
    ],
)
def test_a_tokenizer_that_would_be_split_otherwise_than_it_says_is_refused(change: dict[str, Any], why: str) -> None:
    told = refused(lambda: Tokens(json.dumps(WORDPIECE | change).encode(), 512))
    assert (told.code, told.facts["file"]) == ("manuals.model_broken", "tokenizer.json")
    assert why in told.facts["why"]


# ---- what is broken ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tokenizer.json", "embedding.json"])
def test_a_bundle_without_what_its_weights_are_read_with_says_which_file(tmp_path: Path, key: Path, name: str) -> None:
    told = refused(lambda: opened(bundle(tmp_path / "made", key, without=name)))
    assert (told.code, told.facts["file"]) == ("manuals.model_broken", name)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"pooling": "max"}', b'{"pooling": "mean", "prefix": ""}', b'{"pooling": "mean", "max_tokens": 3}', b"\xff",
     b'{"pooling": "mean", "similar_min": NaN}',
     b'{"pooling": "mean", "normalise": "yes"}', b'{"pooling": "mean", "query_prefix": "' + b"x" * 2000 + b'"}',
    ],
)  # fmt: skip
def test_a_description_that_is_none_or_misspelt_is_refused(content: bytes) -> None:
    assert refused(lambda: described(content)).facts["file"] == "embedding.json"


def test_a_model_of_other_dims_than_its_maker_says_is_refused(tmp_path: Path, key: Path) -> None:
    told = refused(lambda: opened(bundle(tmp_path / "made", key, dims=DIMS + 1)))
    assert (told.code, told.facts["has"], told.facts["wanted"]) == ("manuals.model_dims", str(DIMS), str(DIMS + 1))


def test_weights_that_are_no_encoder_are_refused(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"\x08nothing that anybody trained")
    assert refused(lambda: opened(bundle(folder, key))).facts["file"] == "model"
    assert refused(lambda: opened(bundle(tmp_path / "o", key, output="pooled"))).facts["file"] == "model"
    assert refused(lambda: opened(bundle(tmp_path / "p", key, pooling="none"))).facts["file"] == "model"


def test_a_model_that_may_not_see_manuals_is_not_given_them(tmp_path: Path, key: Path) -> None:
    assert refused(lambda: opened(bundle(tmp_path / "made", key, of=encoder_card(clearance="partner")))).code == "manuals.model_clearance"
    assert opened(bundle(tmp_path / "other", key, of=encoder_card(clearance="site"))).dims == DIMS


def test_a_card_without_the_skill_is_no_encoder(tmp_path: Path, key: Path) -> None:
    assert "embeddings" in refused(lambda: opened(bundle(tmp_path / "made", key, of=encoder_card(skills=("registers",))))).facts["why"]


def test_what_is_no_number_is_told_and_not_kept(tmp_path: Path) -> None:
    weights, split, _ = files(tmp_path / "made")
    rows = np.ones((1 + sum(map(len, CONCEPTS)), 4), np.float32)
    rows[1] = np.nan  # 轴承座
    weights.write_bytes(graph(rows))
    one = Encoder(weights, Tokens(split.read_bytes(), 64), Described(pooling="mean"), "ab" * 32)
    assert one.query("温度").tolist() == [0.5] * 4
    assert refused(lambda: one.query("轴承座")).code == "manuals.model_numbers"
    assert refused(lambda: one.passages(["温度", "轴承座"])).code == "manuals.model_numbers"


def test_a_model_that_is_slower_than_its_deadline_is_stopped(tmp_path: Path) -> None:
    """It has some ten seconds of products to work out."""
    weights, split, _ = files(tmp_path / "made")
    weights.write_bytes(graph(np.ones((1 + sum(map(len, CONCEPTS)), 4), np.float32), slow=400))
    told = refused(lambda: Encoder(weights, Tokens(split.read_bytes(), 64), Described(pooling="mean"), "ab" * 32, batch_s=0.2))
    assert told.code == "manuals.model_slow"
    assert "0.2" in told.told("en")


def test_without_what_splits_text_the_extra_is_named(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bundle(tmp_path / "made", key)
    monkeypatch.setitem(sys.modules, "llguidance", None)
    told = refused(lambda: opened(made))
    assert (told.code, "holdfast[agent]" in told.told("zh")) == ("manuals.model_extra", True)


# ---- in force --------------------------------------------------------------------------------------------------------------


class Standing:
    """What people put in force, and what was told of it."""

    def __init__(self) -> None:
        self.bundle: Bundle | None = None
        self.unfit: list[str] = []
        self.in_force = InForce(lambda: self.bundle, self.unfit.append)

    def code(self) -> str:
        """Of why there is none; "" where there is one."""
        try:
            self.in_force()
        except NoMeaning as why:
            return why.code
        return ""


def test_the_encoder_in_force_is_opened_beside_and_followed(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def held(of: Bundle) -> Encoder:
        assert go.wait(PATIENCE_S)
        return opened(of)

    monkeypatch.setattr(in_force, "opened", held)
    there = Standing()
    assert there.code() == "manuals.no_model"
    for seed in (1, 2):
        go.clear()
        there.bundle = bundle(tmp_path / str(seed), key, seed=seed)
        assert [there.code() for _ in range(3)] == ["manuals.model_loading"] * 3
        go.set()
        there.in_force.opened(PATIENCE_S)
        assert there.in_force().digest == there.bundle.digest
    there.bundle = None
    assert there.code() == "manuals.no_model"
    assert there.unfit == []


def test_one_that_can_not_be_opened_is_told_once_and_not_tried_again(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Standing()
    there.bundle = bundle(tmp_path / "1", key, without="tokenizer.json")
    there.code()
    there.in_force.opened(PATIENCE_S)
    before = threading.active_count()
    assert [there.code() for _ in range(5)] == ["manuals.model_broken"] * 5
    assert threading.active_count() == before
    assert there.unfit == [there.bundle.digest]
    assert say("model.unfit", {}, "zh") != say("model.unfit", {}, "en") != "model.unfit"


async def test_an_agent_tells_of_a_model_that_is_whole_and_of_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch)
    scene.promoted(scene.first.digest)
    assert (await scene.look()).digest == scene.first.digest
    scene.in_use.unfit(scene.first.digest, "model.unfit")
    assert await scene.look() == ModelRunning(role="registers", trouble="model.unfit")
    scene.promoted(scene.second.digest)
    assert (await scene.look()).digest == scene.second.digest
