"""A site's table of standards is read strictly, and what a manual cites is judged by it on a day."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from holdfast.agent.knowledge.standards.check import mentions
from holdfast.agent.knowledge.standards.documents import Unreadable, document, shown
from holdfast.agent.knowledge.standards.find import find
from holdfast.agent.knowledge.standards.graph import Graph
from holdfast.agent.knowledge.standards.store import StoreError, load
from holdfast.agent.knowledge.standards.table import Table, parse_table
from holdfast.cli import standards as cli

HEAD = "canonical,title_zh,title_en,state,published,effective,withdrawn,replaced_by,adopts,cites\n"
TABLE = (
    HEAD
    + """\
GB/T 3811-2008,起重机设计规范,Design rules for cranes,current,2008-04-30,2009-06-01,,,,GB 50054-1995
GB 50217-1994,电力工程电缆设计规范,,withdrawn,,1995-07-01,2008-04-01,GB 50217-2007,,
GB 50217-2007,电力工程电缆设计规范,,withdrawn,2007-10-23,2008-04-01,2018-09-01,GB 50217-2018,,
GB 50217-2018,电力工程电缆设计标准,Cables for electric work,current,2018-02-08,2018-09-01,,,,
GB 50054-1995,低压配电设计规范,,withdrawn,,,,GB 50054-2011,,
GB 50054-2011,低压配电设计规范,,current,,2012-06-01,,,,
GB/T 16855.1-2018,机械安全,Safety of machinery,current,,2019-07-01,,,ISO 13849-1:2015,
ISO 13849-1:2015,,Safety-related parts,withdrawn,,,2023-04-27,ISO 13849-1:2023,,
ISO 13849-1:2023,,Safety-related parts,current,2023-04-27,,,,,
JB/T 4730-2005,承压设备无损检测,,withdrawn,,,2015-09-01,NB/T 47013-2015,,
GB 3836.1-2021,爆炸性环境,,upcoming,2021-10-11,2022-05-01,,,,
GB 3836.1-2010,爆炸性环境,,current,,2011-08-01,2022-05-01,GB 3836.1-2021,,
"""
)


def table(text: str = TABLE) -> Table:
    return parse_table(text.encode(), "t.csv")


def fate(text: str, on: str = "2024-01-01") -> tuple[str, list[str], str]:
    (reference,) = find(text)
    verdict = Graph(table().standards, on).judge(reference)
    return verdict.fate, [s.canonical for s in verdict.successors], verdict.since


def problem(rows: str, head: str = HEAD) -> tuple[int, str]:
    """The only problem of a table: its line and what is wrong."""
    (found,) = parse_table((head + rows).encode(), "t.csv").errors()
    assert found.cure
    return found.line, found.what


def test_a_table_is_read_with_its_links_in_canonical_form() -> None:
    read = table()
    assert not read.errors()
    assert len(read.standards) == 12
    assert read.standards[0].canonical == "GB/T 3811—2008"
    assert read.standards[2].replaced_by == ("GB 50217—2018",)


def test_a_table_in_gb18030_with_semicolons_or_tabs_is_the_same() -> None:
    text = "canonical;state;title_zh\nGB/T 3811-2008;current;起重机设计规范\n"
    for given in (text, text.replace(";", "\t")):
        (standard,) = parse_table(given.encode("gb18030"), "t.csv").standards
        assert standard.title_zh == "起重机设计规范"


@pytest.mark.parametrize(
    ("row", "line", "word"),
    [
        ("起重机规范,,,current,,,,,,\n", 2, "no standard that is known"),
        ("GB 1-2000 和 GB 2-2000,,,current,,,,,,\n", 2, "no standard that is known"),
        ("GB/T 1-2000,,,valid,,,,,,\n", 2, "state 'valid'"),
        ("GB/T 1-2000,,,current,2020-13-01,,,,,\n", 2, "is no date"),
        ("GB/T 1-2000,,,current,2020-02-01,2019-02-01,,,,\n", 2, "before published"),
        ("GB/T 1-2000,,,withdrawn,,2020-02-01,2019-02-01,,,\n", 2, "before effective"),
        ("GB/T 1-2000,,,withdrawn,,,,GBT1-2000,,\n", 2, "replaces itself"),
        ("GB/T 1-2000,,,current,,,,,,\n\nGBT1-2000,,,current,,,,,,\n", 4, "already in line 2"),
        ("GB/T 1-2000,current\n", 2, "2 cells"),
        ("GB/T 1-2000,,,withdrawn,,,,GB/T 2-2000,,\nGB/T 2-2000,,,withdrawn,,,,GB/T 1-2000,,\n", 2, "circle"),
        ('GB/T 1-2000,"open,,current,,,,,,\n', 2, "not CSV"),
        ("", 1, "no rows"),
    ],
)
def test_a_bad_row_is_named_with_its_line(row: str, line: int, word: str) -> None:
    at, what = problem(row)
    assert at == line
    assert word in what


def test_a_table_without_its_columns_or_no_table_at_all_is_refused() -> None:
    assert problem("", "name,state\n") == (1, "no column canonical")
    assert problem("", "canonical,state,colour\n") == (1, "no such column: colour")
    assert problem("", "canonical,state,state\n") == (1, "a column twice")
    (found,) = parse_table(b"PK\x03\x04\0\0", "t.xlsx").problems
    assert "no text" in found.what


def test_a_replacement_without_a_row_is_a_warning_and_is_still_named() -> None:
    (warning,) = table().problems
    assert warning.severity == "warning"
    (reference,) = find("JB/T 4730-2005")
    assert Graph(table().standards, "2024-01-01").judge(reference).named == ("NB/T 47013—2015",)


def test_a_withdrawn_edition_is_followed_to_what_is_in_force() -> None:
    assert fate("GB50217-94") == ("withdrawn", ["GB 50217—2018"], "2008-04-01")
    assert fate("GB 50217-2007") == ("withdrawn", ["GB 50217—2018"], "2018-09-01")


def test_replacements_of_replacements_are_followed_over_numbers() -> None:
    rows = "".join(f"GB {n}-2000,withdrawn,GB {n + 1}-2000\n" for n in range(111, 115)) + "GB 115-2000,current,\n"
    graph = Graph(parse_table(f"canonical,state,replaced_by\n{rows}".encode(), "t.csv").standards, "2024-01-01")
    (reference,) = find("GB 111-2000")
    assert [s.canonical for s in graph.judge(reference).successors] == ["GB 115—2000"]


def test_two_digit_years_are_of_the_century_that_they_can_be_of() -> None:
    assert fate("GB/T 3811-08")[0] == "in_force"
    assert fate("GB 50217-94")[0] == "withdrawn"


def test_without_a_day_of_withdrawal_the_successors_first_day_counts() -> None:
    assert fate("GB 50054-1995") == ("withdrawn", ["GB 50054—2011"], "2012-06-01")


def test_the_day_decides_and_not_the_word_in_the_table() -> None:
    assert fate("GB 50217-2007", "2017-01-01")[0] == "in_force"
    assert fate("GB 3836.1-2010", "2022-04-30")[0] == "in_force"
    assert fate("GB 3836.1-2021", "2022-04-30") == ("upcoming", ["GB 3836.1—2010"], "2022-05-01")
    assert fate("GB 3836.1-2021", "2022-05-01")[0] == "in_force"
    assert fate("GB 3836.1-2010", "2022-05-01") == ("withdrawn", ["GB 3836.1—2021"], "2022-05-01")


def test_a_reference_without_a_year_means_the_edition_in_force() -> None:
    assert fate("GB 50217")[0] == "in_force"
    assert fate("JB/T 4730")[0] == "withdrawn"


def test_an_edition_older_than_the_table_is_told_as_older() -> None:
    assert fate("ISO 13849-1:2006") == ("superseded", ["ISO 13849-1:2023"], "")
    assert fate("GB/T 3811-2030")[0] == "unknown"


def test_a_missing_T_is_told_and_an_unknown_standard_is_not_guessed() -> None:
    assert fate("GB 3811-2008") == ("misnamed", ["GB/T 3811—2008"], "")
    assert fate("GB/T 50054-1995")[0] == "withdrawn"
    assert fate("GB 12345-2008")[0] == "unknown"


def test_who_adopts_and_who_cites_is_known_both_ways() -> None:
    graph = Graph(table().standards, "2024-01-01")
    assert graph.adopted_by("ISO 13849-1:2015") == ("GB/T 16855.1—2018",)
    assert graph.cited_by("GB 50054—95") == ("GB/T 3811—2008",)
    assert [(s.canonical, cited) for s, cited in graph.stale_citations()] == [("GB/T 3811—2008", "GB 50054—1995")]


def test_a_reference_broken_over_lines_is_told_where_it_begins() -> None:
    found = list(mentions("第一行\n按 GB\n50217-2007 执行", "m.md", Graph(table().standards, "2024-01-01")))
    assert [(m.line, m.column) for m in found] == [(2, 3)]


def test_every_fate_is_said_in_both_languages() -> None:
    graph = Graph(table().standards, "2022-01-01")
    text = "GB 50217-2007 JB/T 4730-2005 GB 3836.1-2021 ISO 13849-1:2023 GB 3811-2008 ISO 13849-1:2006 GB 12345 GB/T 3811-1983 GB 50054"
    found = list(mentions(text, "m.md", graph))
    assert {m.verdict.fate for m in found} == {"withdrawn", "upcoming", "misnamed", "superseded", "unknown", "in_force"}
    for mention in found:
        english, chinese = mention.told("en"), mention.told("zh")
        assert english != chinese
        for told in (english, chinese):
            assert mention.reference.canonical in told
            assert "standards." not in told
            assert "?" not in told


def test_a_page_keeps_its_lines_and_hides_its_script() -> None:
    page = "<html><style>GB 1-2000</style>\n<p>见 GB&nbsp;50217-<b>2007</b>\n<table><tr><td>GB/T</td><td>3811</td></tr></table>"
    assert [(m.line, m.reference.canonical) for m in mentions(shown(page), "p", Graph((), ""))] == [(2, "GB 50217—2007")]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [("m.pdf", b"%PDF-1.4", "PDF"), ("m.txt", b"%PDF-1.4", "PDF"), ("m.docx", b"PK", "HTML or text"), ("m.bin", b"\0\1", "no text")],
)
def test_a_file_that_cant_be_read_says_what_to_do(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable, match=word):
        document(tmp_path / name)


def door() -> typer.Typer:
    app = typer.Typer()
    cli.register(app)
    return app


def ran(*args: str, given: str | None = None) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(door(), ["standards", *args, "--json"], input=given)
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


def test_import_then_check_tells_line_and_replacement(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "m.md").write_text("# 规程\n按GB 50217-2007第3.7.2条。\n另见 GB 50054。\n", encoding="utf-8")
    code, imported = ran("import", str(tmp_path / "t.csv"), "--home", str(tmp_path))
    assert (code, imported["imported"]) == (0, 12)
    code, checked = ran("check", str(tmp_path / "m.md"), "--home", str(tmp_path), "--on", "2024-01-01", "--lang", "zh")
    assert code == 1
    assert checked["references"] == 2
    stale = checked["out_of_date"]
    assert isinstance(stale, list)
    (one,) = stale
    assert (one["line"], one["column"], one["clause"], one["since"]) == (2, 2, "3.7.2", "2018-09-01")
    assert one["successors"] == ["GB 50217—2018"]
    assert "电力工程电缆设计标准" in one["text"]
    assert ran("check", str(tmp_path / "m.md"), "--home", str(tmp_path), "--on", "2010-01-01")[0] == 0


def test_a_table_with_errors_leaves_the_last_one_in_place(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "bad.csv").write_text(HEAD + "nothing,,,current,,,,,,\n", encoding="utf-8")
    assert ran("import", str(tmp_path / "t.csv"), "--home", str(tmp_path))[0] == 0
    before = (tmp_path / "standards.json").read_bytes()
    code, told = ran("import", str(tmp_path / "bad.csv"), "--home", str(tmp_path))
    assert (code, told["imported"]) == (1, 0)
    assert (tmp_path / "standards.json").read_bytes() == before
    assert ran("import", str(tmp_path / "t.csv"), "--home", str(tmp_path), "--strict")[0] == 1


def test_find_reads_standard_input_and_tells_all_parts() -> None:
    code, found = ran("find", "-", given="见\nEN 60529:1991/A2:2013")
    assert code == 0
    references = found["references"]
    assert isinstance(references, list)
    assert references[0]["line"] == 2
    assert (references[0]["canonical"], references[0]["amendment"]) == ("EN 60529:1991", "A2:2013")


def test_show_tells_what_the_table_knows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    assert ran("import", str(tmp_path / "t.csv"), "--out", str(tmp_path / "x.json"))[0] == 0
    code, told = ran("show", "ISO13849-1-2015", "--table", str(tmp_path / "x.json"), "--on", "2024-01-01")
    assert code == 0
    assert (told["fate"], told["successors"], told["adopted_by"]) == ("withdrawn", ["ISO 13849-1:2023"], ["GB/T 16855.1—2018"])
    assert ran("show", "GB 12345", "--table", str(tmp_path / "x.json"))[0] == 1


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("check", "m.md", "--home", "nowhere"), "standards import"),
        (("find", "nothing-such.md"), "No such file"),
        (("find", "-", "--lang", "fr"), "en or zh"),
        (("show", "起重机"), "no one standard"),
        (("import", "nothing-such.csv", "--out", "x.json"), "No such file"),
        (("import", "t.csv", "--home", "nowhere"), "no such folder"),
    ],
)
def test_wrong_use_is_one_clear_word(args: tuple[str, ...], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, told = ran(*args)
    assert code == 2
    assert word in str(told["error"])


@pytest.mark.parametrize("content", ["{", "[]", '{"form": 2}', '{"form": 1, "sha256": "", "imported": "", "standards": [{"state": "x"}]}'])
def test_a_table_file_that_is_none_says_to_import(tmp_path: Path, content: str) -> None:
    (tmp_path / "standards.json").write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match="standards import"):
        load(tmp_path / "standards.json")
