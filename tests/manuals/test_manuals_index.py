"""The index answers in both languages with page, paragraph and a quotation that stands in the document word for word."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from holdfast.agent.knowledge.manuals.index import BadIndex, Index
from holdfast.agent.knowledge.manuals.passage import Manual, Passage
from holdfast.agent.knowledge.manuals.words import indexed, terms
from holdfast.cli import manuals

PASSAGES = (
    Passage(page=3, paragraph=1, heading="", text="4.1 乳化液系统"),
    Passage(page=3, paragraph=2, heading="4.1 乳化液系统", text="每班检查喷嘴压力。压力低于 2.5 bar 时清洗过滤器。喷嘴每年更换。"),
    Passage(
        page=7, paragraph=4, heading="5 Gearbox", text="Change the oil every 8000 h. Oil temperature must not exceed 80 °C. Use VG 320."
    ),
    Passage(page=9, paragraph=1, heading="Limits", text="part | low | high\nseal GB/T 3452.1 | 1 | 9\nspring | 2 | 7", table=True),
)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index(tmp_path / "manuals.db")
    made.add("mill.pdf", "00", 1, Manual(pages=9, passages=PASSAGES), 1)
    return made


def best(index: Index, question: str) -> tuple[str, str]:
    hit = index.search(question)[0]
    return hit.ref, hit.quote


def test_a_chinese_question_finds_the_sentence(index: Index) -> None:
    assert best(index, "喷嘴压力低于多少要清洗过滤器？") == ("mill.pdf#p3.2", "压力低于 2.5 bar 时清洗过滤器。喷嘴每年更换。")


def test_two_characters_and_one_are_enough(index: Index) -> None:
    assert best(index, "清洗")[0] == "mill.pdf#p3.2"
    assert best(index, "嘴")[0] == "mill.pdf#p3.2"


def test_an_english_question_finds_the_sentence_in_any_form_of_the_word(index: Index) -> None:
    ref, quote = best(index, "What is the highest oil temperature of gearboxes?")
    assert ref == "mill.pdf#p7.4"
    assert quote.startswith("Oil temperature must not exceed 80 °C.")


def test_full_width_and_capitals_make_no_difference(index: Index) -> None:
    assert best(index, "ＶＧ　３２０")[0] == "mill.pdf#p7.4"


def test_a_row_is_quoted_under_its_column_names(index: Index) -> None:
    assert best(index, "GB/T 3452.1 seal high") == ("mill.pdf#p9.1", "part | low | high\nseal GB/T 3452.1 | 1 | 9")


def test_a_quotation_stands_in_the_document(index: Index) -> None:
    for question in ("喷嘴", "oil", "spring", "乳化液"):
        for hit in index.search(question):
            assert all(piece in hit.text for piece in hit.quote.split("\n"))


def test_a_hit_is_cited_as_evidence_of_its_page(index: Index) -> None:
    cited = index.search("喷嘴每年更换")[0].evidence()
    assert (cited.kind, cited.ref) == ("document", "mill.pdf#p3.2")
    assert "喷嘴每年更换" in cited.quote


def test_nothing_is_found_where_nothing_fits(index: Index) -> None:
    assert index.search("xylophone") == ()
    assert index.search("的") == ()
    assert index.search('" OR * NEAR(') == ()


def test_a_document_is_replaced_whole_and_removed_whole(index: Index) -> None:
    index.add("mill.pdf", "01", 1, Manual(pages=1, passages=(Passage(page=1, paragraph=1, text="弹簧"),)), 2)
    assert [d.passages for d in index.documents()] == [1]
    assert index.search("喷嘴") == ()
    assert index.remove("mill.pdf")
    assert not index.remove("mill.pdf")
    assert index.search("弹簧") == ()


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "manuals.db"
    file.write_bytes(b"no database" * 100)
    with pytest.raises(BadIndex, match="delete it"):
        Index(file)


def test_chinese_is_kept_in_pairs_and_words_with_their_parts() -> None:
    assert indexed("轧机振动 GB/T3811") == "轧机 机振 振动 动 gb/t3811 gb t3811"
    assert terms("轧机的 the oil") == ('"轧机"', '"oil"')


def run(home: Path, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    manuals.register(app)
    answer = CliRunner().invoke(app, ["manuals", *arguments, "--home", str(home)])
    return answer.exit_code, answer.output


def test_the_commands_add_list_search_and_remove(tmp_path: Path) -> None:
    file = tmp_path / "阀门.md"
    file.write_text("# 溢流阀\n\n溢流阀在 12.5 bar 开启。\n", encoding="utf-8")
    code, told = run(tmp_path, "add", str(file), "--lang", "zh")
    assert (code, told.strip()) == (0, "阀门.md：1 页，2 段，其中 0 个表格。")
    assert "unchanged" in run(tmp_path, "add", str(file))[1]
    code, told = run(tmp_path, "search", "溢流阀在多少开启", "--json")
    assert code == 0
    assert json.loads(told)["hits"][0]["ref"] == "阀门.md#p1.2"
    assert "第 1 页，第 2 段" in run(tmp_path, "search", "溢流阀在多少开启", "--lang", "zh")[1]
    assert run(tmp_path, "search", "xylophone")[0] == 1
    assert json.loads(run(tmp_path, "list", "--json")[1])["documents"][0]["name"] == "阀门.md"
    assert run(tmp_path, "remove", "阀门.md")[0] == 0
    assert run(tmp_path, "remove", "阀门.md")[0] == 1
    code, told = run(tmp_path, "add", str(tmp_path / "nothing.pdf"))
    assert code == 2
    assert "nothing.pdf" in told
