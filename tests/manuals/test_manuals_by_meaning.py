"""With vectors a question finds a passage that shares no word with it; without them, or where they fail, words rank as ever, and say so."""

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import apsw
import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.agent.knowledge.manuals import vectors
from holdfast.agent.knowledge.manuals.embed import BATCH, embed
from holdfast.agent.knowledge.manuals.fused import REST_S, ByMeaning
from holdfast.agent.knowledge.manuals.index import Index
from holdfast.agent.knowledge.manuals.meaning import Embedder, NoMeaning
from holdfast.agent.knowledge.manuals.passage import Manual, Passage
from holdfast.agent.knowledge.manuals.vectors import MODELS_MAX, Vectors
from holdfast.agent.models.embeddings.described import described
from holdfast.agent.models.embeddings.encoder import Encoder
from holdfast.agent.models.embeddings.tokens import Tokens
from holdfast.clock import RealClock, VirtualClock
from holdfast.evals.bench.manuals import by_meaning
from holdfast.evals.bench.manuals.encoder import write_encoder

CONCEPTS = (("轴承座", "bearing housing"), ("温度", "temperature"), ("压力", "pressure"), ("过滤器", "strainer"), ("清洗", "rinse"))
DIGEST, OTHER = "ab" * 32, "cd" * 32
PASSAGES = (
    Passage(page=2, paragraph=1, heading="4 Housings", text="The temperature of the bearing housing must stay below 70 °C."),
    Passage(page=5, paragraph=3, heading="5 Oil", text="Rinse the strainer once a week."),
    Passage(page=9, paragraph=2, heading="", text="喷嘴压力低于 2.5 bar 时停机。"),
    Passage(page=9, paragraph=3, heading="Limits", text="part | high\nstrainer | 3\nspring | 7", table=True),
)


def encoder(folder: Path, digest: str = DIGEST) -> Encoder:
    weights, split, told = write_encoder(folder, CONCEPTS, 32, 1, similar_min=0.5)
    how = described(told.read_bytes())
    return Encoder(weights, Tokens(split.read_bytes(), how.max_tokens), how, digest)


class Counted:
    """An embedder that counts, fails from a certain call on, or gives other numbers."""

    similar_min = 0.5

    def __init__(self, dims: int = 4, digest: str = DIGEST) -> None:
        self.dims, self.digest = dims, digest
        self.calls = self.asked = 0
        self.fails_at: int | None = None
        self.why = NoMeaning("manuals.model_slow", after_s="1")

    def query(self, text: str) -> NDArray[np.float32]:
        self.asked += 1
        if self.fails_at is not None:
            raise self.why
        return np.eye(self.dims, dtype=np.float32)[0]

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        if self.fails_at is not None and self.calls >= self.fails_at:
            raise self.why
        return np.tile(np.eye(self.dims, dtype=np.float32)[0], (len(texts), 1))


def manual(*passages: Passage) -> Manual:
    return Manual(pages=9, passages=passages)


def numbered(count: int) -> Manual:
    return manual(*(Passage(page=1, paragraph=n, text=f"passage {n}") for n in range(1, count + 1)))


@pytest.fixture
def index(tmp_path: Path) -> Generator[Index]:
    with contextlib.closing(Index(tmp_path / "manuals.db")) as made:
        made.add("mill.pdf", "00", 1, manual(*PASSAGES), 1)
        yield made


def near(of: Embedder | NoMeaning) -> ByMeaning:
    def give() -> Embedder:
        if isinstance(of, NoMeaning):
            raise of
        return of

    return ByMeaning(give, RealClock())


# ---- what is found ---------------------------------------------------------------------------------------------------------


def test_a_chinese_question_finds_an_english_passage_without_a_word_in_common(tmp_path: Path, index: Index) -> None:
    question = "轴承座的温度"
    assert index.search(question) == ()
    embedder = encoder(tmp_path)
    embed(index, embedder, 1)
    found = near(embedder).search(index, question)
    assert (found.ranked_by, found.share, found.why) == ("words+vectors", 1.0, "")
    first = found.hits[0]
    assert (first.ref, first.found_by, first.covers) == ("mill.pdf#p2.1", "vectors", 0.0)
    assert first.quote == "The temperature of the bearing housing must stay below 70 °C."
    assert first.evidence().ref == "mill.pdf#p2.1"


def test_what_both_find_comes_first_and_what_is_unlike_is_not_found_by_vectors(tmp_path: Path, index: Index) -> None:
    embedder = encoder(tmp_path)
    embed(index, embedder, 1)
    found = near(embedder).search(index, "rinse the strainer")
    assert [(hit.ref, hit.found_by) for hit in found.hits] == [("mill.pdf#p5.3", "both"), ("mill.pdf#p9.3", "both")]
    assert found.hits[1].quote == "part | high\nstrainer | 3"
    assert near(embedder).search(index, "xylophone").hits == ()


def test_places_are_added_as_reciprocals(tmp_path: Path) -> None:
    """Words: a, b. Vectors: b, c. So b = 1/62 + 1/61, a = 1/61, c = 1/62."""
    with contextlib.closing(Index(tmp_path / "three.db")) as index:
        texts = ("valve valve valve", "valve and much else that is said of other things here", "nothing of it")
        index.add("m", "0", 1, manual(*(Passage(page=n, paragraph=1, text=text) for n, text in enumerate(texts, start=1))), 1)
        assert [hit.page for hit in index.search("valve")] == [1, 2]

        class Three(Counted):
            def query(self, text: str) -> NDArray[np.float32]:
                return np.array([0.0, 1.0, 0.8, 0.0], np.float32)

            def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
                return np.eye(4, dtype=np.float32)[: len(texts)]

        embed(index, Three(), 1)
        found = near(Three()).search(index, "valve").hits
        assert [(hit.page, hit.found_by) for hit in found] == [(2, "both"), (1, "words"), (3, "vectors")]
        assert [hit.score for hit in found] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])
        assert len(near(Three()).search(index, "valve", 2).hits) == 2


def test_in_blocks_the_same_is_found_as_in_one(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = encoder(tmp_path)
    embed(index, embedder, 1)
    whole = near(embedder).search(index, "压力 pressure strainer").hits
    monkeypatch.setattr("holdfast.agent.knowledge.manuals.fused.WHOLE_BYTES_MAX", 0)
    monkeypatch.setattr("holdfast.agent.knowledge.manuals.fused.BLOCK", 2)
    assert [hit.ref for hit in near(embedder).search(index, "压力 pressure strainer").hits] == [hit.ref for hit in whole]


def test_a_document_that_is_replaced_or_removed_is_not_found_by_its_old_vectors(tmp_path: Path, index: Index) -> None:
    embedder = encoder(tmp_path)
    embed(index, embedder, 1)
    search = near(embedder)
    assert search.search(index, "轴承座的温度").hits
    index.add("mill.pdf", "01", 1, manual(Passage(page=1, paragraph=1, text="A spring.")), 2)
    found = search.search(index, "轴承座的温度")
    assert (found.hits, found.ranked_by, found.why) == ((), "words", "manuals.no_vectors")
    index.add("two.pdf", "02", 1, manual(PASSAGES[0]), 3)
    embed(index, embedder, 4)
    assert [hit.ref for hit in search.search(index, "轴承座的温度").hits] == ["two.pdf#p2.1"]
    index.remove("two.pdf")
    assert search.search(index, "轴承座的温度").hits == ()


def test_where_some_passages_have_a_vector_the_share_is_told(tmp_path: Path, index: Index) -> None:
    embedder = encoder(tmp_path)
    embed(index, embedder, 1)
    index.add("two.pdf", "02", 1, manual(*PASSAGES), 3)
    found = near(embedder).search(index, "轴承座的温度")
    assert (found.ranked_by, found.share) == ("words+vectors", 0.5)


# ---- making vectors --------------------------------------------------------------------------------------------------------


def test_what_was_cut_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    with contextlib.closing(Index(tmp_path / "manuals.db")) as index:
        index.add("m", "0", 1, numbered(3 * BATCH), 1)
        embedder = Counted()
        embedder.fails_at = 3
        with pytest.raises(NoMeaning):
            embed(index, embedder, 1)
        embedder.calls, embedder.fails_at = 0, None
        shares: list[float] = []
        told = embed(index, embedder, 1, shares.append)
        assert (told.done, told.there, embedder.calls) == (BATCH, 2 * BATCH, 1)
        assert shares == [1.0]
        assert embed(index, embedder, 1).done == 0
        assert embed(index, embedder, 1, again=True).done == 3 * BATCH


def test_the_former_models_vectors_are_kept_and_those_of_older_ones_go(index: Index) -> None:
    for n in range(MODELS_MAX + 1):
        embed(index, Counted(digest=f"{n:02x}" * 32), n)
    assert Vectors(index.db).models() == ("01" * 32, "02" * 32)
    assert index.db.execute("SELECT count(*) FROM vector").fetchall() == [(MODELS_MAX * len(PASSAGES),)]


def test_vectors_are_halves_of_four_bytes_with_the_models_digest(tmp_path: Path, index: Index) -> None:
    embed(index, encoder(tmp_path), 1)
    rows = index.db.execute("SELECT e.model, e.dims, length(v.data) FROM vector AS v JOIN embedded AS e ON e.id = v.model").fetchall()
    assert rows == [(DIGEST, 32, 64)] * len(PASSAGES)


def test_what_is_no_number_in_half_the_room_is_not_kept(index: Index) -> None:
    class Huge(Counted):
        def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.full((len(texts), self.dims), 1e6, np.float32)

    with pytest.raises(NoMeaning, match="no number"):
        embed(index, Huge(), 1)
    assert index.db.execute("SELECT count(*) FROM vector").fetchall() == [(0,)]


def test_a_model_that_gives_other_dims_than_it_said_is_refused(index: Index) -> None:
    class Liar(Counted):
        def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.zeros((len(texts), self.dims + 1), np.float32)

    with pytest.raises(NoMeaning, match="5 numbers, where 4"):
        embed(index, Liar(), 1)


# ---- where words alone rank -------------------------------------------------------------------------------------------------


def spoilt(index: Index, how: str) -> None:
    embed(index, Counted(), 1)
    index.db.execute("PRAGMA ignore_check_constraints = 1")
    index.db.execute("UPDATE vector SET data = ? WHERE passage = 2", (b"\x00" * 7 if how == "short" else b"\xff\x7f" * 4,))


REASONS: Sequence[tuple[str, Callable[[Index], Embedder | NoMeaning]]] = (
    ("manuals.no_model", lambda _: NoMeaning("manuals.no_model")),
    ("manuals.no_vectors", lambda _: Counted()),
    ("manuals.other_model", lambda index: (embed(index, Counted(), 1), Counted(digest=OTHER))[1]),
    ("manuals.vectors_damaged", lambda index: (spoilt(index, "short"), Counted())[1]),
    ("manuals.vectors_damaged", lambda index: (spoilt(index, "nan"), Counted())[1]),
    ("manuals.vectors_damaged", lambda index: (embed(index, Counted(), 1), Counted(dims=5))[1]),
)


@pytest.mark.parametrize(("code", "make"), REASONS)
def test_without_vectors_that_can_be_used_words_rank_as_ever_and_why_is_told(
    index: Index, code: str, make: Callable[[Index], Embedder | NoMeaning]
) -> None:
    before = index.search("strainer")
    assert before
    found = near(make(index)).search(index, "strainer")
    assert (found.hits, found.ranked_by, found.why) == (before, "words", code)
    assert found.told("en") != found.told("zh") != code


def test_more_vectors_than_are_searched_leave_it_to_words(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    embed(index, Counted(), 1)
    monkeypatch.setattr(vectors, "ROWS_MAX", 3)
    found = near(Counted()).search(index, "strainer")
    assert (found.ranked_by, found.why) == ("words", "manuals.vectors_many")


def test_a_model_that_was_too_slow_rests_before_it_is_asked_again(index: Index) -> None:
    embedder, clock = Counted(), VirtualClock(0)
    embed(index, embedder, 1)
    search = ByMeaning(lambda: embedder, clock)
    embedder.fails_at = 0
    for _ in range(5):
        assert search.search(index, "strainer").why == "manuals.model_slow"
    assert (embedder.asked, search.serves()) == (1, False)
    clock.advance(REST_S)
    embedder.fails_at = None
    assert search.serves()
    assert search.search(index, "strainer").ranked_by == "words+vectors"


def test_an_index_that_can_only_be_read_is_searched_by_both(tmp_path: Path, index: Index) -> None:
    """An agent sees the index and may not write it."""
    embedder = encoder(tmp_path)
    embed(index, embedder, 1)
    index.close()
    os.chmod(tmp_path / "manuals.db", 0o444)
    with contextlib.closing(Index(tmp_path / "manuals.db")) as read:
        read.db.pragma("query_only", 1)
        assert near(embedder).search(read, "轴承座的温度").ranked_by == "words+vectors"


def test_an_index_that_knows_no_vectors_is_read_as_it_was(tmp_path: Path, index: Index) -> None:
    names = {str(name) for (name,) in index.db.execute("SELECT name FROM sqlite_schema").fetchall()}
    assert not names & {"embedded", "vector"}
    assert not index.embedded
    index.remove("mill.pdf")


def test_without_vectors_no_model_is_looked_for_and_nothing_of_one_is_loaded(tmp_path: Path, index: Index) -> None:
    index.close()
    code = (
        "import sys\nfrom holdfast.cli.main import main\n"
        f"sys.argv = ['holdfast', 'manuals', 'search', 'strainer', '--home', {str(tmp_path)!r}, '--json']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('onnxruntime', 'llguidance', 'aiohttp') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    lines = told.stdout.strip().splitlines()
    assert '"ranked_by": "words"' in lines[0] or '"ranked_by":"words"' in lines[0]
    assert lines[-1] == "[]"


def test_a_search_while_vectors_are_made_never_meets_half_of_a_batch(tmp_path: Path, index: Index) -> None:
    index.add("m", "0", 1, numbered(2 * BATCH), 1)
    seen: list[int] = []

    class Looking(Counted):
        def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            with contextlib.closing(apsw.Connection(str(tmp_path / "manuals.db"))) as other:
                ((n,),) = other.execute("SELECT count(*) FROM vector").fetchall()
                seen.append(int(str(n)))
            return super().passages(texts)

    embed(index, Looking(), 1)
    assert seen == [BATCH * n for n in range(len(seen))]
    assert list(itertools.accumulate([BATCH] * 2)) == seen[1:]


def test_the_benchmark_shows_what_words_can_not_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """An English passage for a Chinese question and the other way round."""
    monkeypatch.setattr(by_meaning, "PASSAGES", 400)
    found = by_meaning.measured(1, 50, lambda _: None)
    assert found["passages"] == 400
    assert found["words"]["other_language_found"] == 0.0
    assert found["words_and_vectors"]["other_language_found"] > 0.9
    assert found["passages_per_s"] > 0
    assert found["transformer"]["parameters"] > 10_000_000
    assert "no figure of any model" in found["encoder"]
