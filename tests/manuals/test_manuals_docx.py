"""A DOCX is read with its headings, paragraphs and tables; what is no document, or means harm, has a word that says what to do."""

import contextlib
import io
import zipfile
from pathlib import Path

import pytest

from holdfast.agent.knowledge.manuals import docx
from holdfast.agent.knowledge.manuals.passage import Unreadable
from holdfast.agent.knowledge.manuals.read import read

SCHEMAS = "http://schemas.openxmlformats.org"
SPACE = (
    f'xmlns:w="{SCHEMAS}/wordprocessingml/2006/main" xmlns:mc="{SCHEMAS}/markup-compatibility/2006" '
    f'xmlns:m="{SCHEMAS}/officeDocument/2006/math"'
)
STYLES = f"""<?xml version="1.0" encoding="UTF-8"?><w:styles {SPACE}>
<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="ours"><w:name w:val="Chapter of ours"/><w:basedOn w:val="1"/></w:style>
<w:style w:type="paragraph" w:styleId="11"><w:name w:val="toc 1"/></w:style>
<w:style w:type="character" w:styleId="c"><w:name w:val="heading 1 Char"/></w:style>
<w:style w:type="paragraph" w:styleId="body"><w:name w:val="Body Text"/></w:style></w:styles>"""


def p(text: str, style: str = "") -> str:
    how = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{how}<w:r><w:t>{text}</w:t></w:r></w:p>"


def cell(text: str, how: str = "") -> str:
    return f"<w:tc><w:tcPr>{how}</w:tcPr>{text if text.startswith('<') else p(text)}</w:tc>"


def row(*cells: str) -> str:
    return f"<w:tr>{''.join(cells)}</w:tr>"


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(rows)}</w:tbl>"


def written(file: Path, body: str, *, styles: str | None = STYLES, before: str = "", name: str = "word/document.xml") -> Path:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{before}<w:document {SPACE}><w:body>{body}</w:body></w:document>')
        if styles is not None:
            packed.writestr("word/styles.xml", styles)
    file.write_bytes(content.getvalue())
    return file


def told(file: Path) -> list[tuple[int, str, str, bool]]:
    return [(one.paragraph, one.heading, one.text, one.table) for one in read(file).passages]


def refused(file: Path) -> Unreadable:
    with pytest.raises(Unreadable) as why:
        read(file)
    for language in ("en", "zh"):
        assert file.name in why.value.told(language)
        assert "{" not in why.value.told(language)
    return why.value


def test_headings_paragraphs_and_tables_are_read_in_order(tmp_path: Path) -> None:
    body = p("4 液压站", "1") + p("Relief valve", "ours") + p("The relief valve opens at 12.5 bar.", "body")
    body += table(row(cell("part"), cell("high")), row(cell("seal"), cell("9"))) + p("溢流阀每年检查一次。")
    assert told(written(tmp_path / "m.docx", body)) == [
        (1, "4 液压站", "4 液压站", False),
        (2, "Relief valve", "Relief valve", False),
        (3, "Relief valve", "The relief valve opens at 12.5 bar.", False),
        (4, "Relief valve", "part | high\nseal | 9", True),
        (5, "Relief valve", "溢流阀每年检查一次。", False),
    ]
    assert {one.page for one in read(tmp_path / "m.docx").passages} == {1}


def test_a_document_without_styles_has_its_headings_by_their_usual_names_and_levels(tmp_path: Path) -> None:
    level = '<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>Two</w:t></w:r></w:p>'
    text = '<w:p><w:pPr><w:outlineLvl w:val="9"/></w:pPr><w:r><w:t>body</w:t></w:r></w:p>'
    found = told(written(tmp_path / "m.docx", p("One", "Heading1") + p("a") + level + text, styles=None))
    assert [(heading, text) for _, heading, text, _ in found] == [("One", "One"), ("One", "a"), ("Two", "Two"), ("Two", "body")]


def test_pieces_of_a_line_are_one_text_and_what_is_not_shown_is_not_read(tmp_path: Path) -> None:
    body = (
        "<w:p><w:r><w:t>Open the </w:t></w:r><w:r><w:t>valve</w:t><w:tab/><w:t>slowly</w:t><w:br/><w:t>now</w:t></w:r>"
        "<w:del><w:r><w:delText> never</w:delText></w:r></w:del><w:moveFrom><w:r><w:t> gone</w:t></w:r></w:moveFrom>"
        "<w:ins><w:r><w:t>, twice</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText></w:r><m:t>x</m:t></w:p>"
    )
    assert told(written(tmp_path / "m.docx", body)) == [(1, "", "Open the valve slowly now, twice", False)]


def test_a_text_box_is_read_once_and_a_table_of_contents_not_at_all(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{p('WARNING hot')}</w:txbxContent>"
    body = p("1 Pump ... 3", "11") + (
        f"<w:p><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
        "<w:t>The pump.</w:t></w:r></w:p>"
    )
    assert [text for _, _, text, _ in told(written(tmp_path / "m.docx", body))] == ["WARNING hot", "The pump."]


def test_a_merged_cell_says_the_same_in_all_that_it_covers(tmp_path: Path) -> None:
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    body = table(
        row(cell("machine"), cell("limits", '<w:gridSpan w:val="2"/>')),
        row(cell("stand 4", down), cell("low"), cell("2")),
        row(cell("<w:p/>", on), cell("high"), cell("9")),
    )
    ((_, _, text, is_table),) = told(written(tmp_path / "m.docx", body))
    assert is_table
    assert text == "machine | limits | limits\nstand 4 | low | 2\nstand 4 | high | 9"


def test_tables_in_cells_are_tables_of_their_own_after_the_one_that_they_stand_in(tmp_path: Path) -> None:
    deepest = table(row(cell("e"), cell("f")), row(cell("5"), cell("6")))
    inner = table(row(cell("c"), cell("d")), row(cell("3"), cell(deepest + p("4"))))
    other = table(row(cell("g"), cell("h")), row(cell("7"), cell("8")))
    body = table(row(cell("a"), cell("b")), row(cell(p("1") + inner), cell(p("2") + other)))
    assert [text for _, _, text, _ in told(written(tmp_path / "m.docx", body))] == [
        "a | b\n1 | 2", "c | d\n3 | 4", "e | f\n5 | 6", "g | h\n7 | 8",
    ]  # fmt: skip


def test_a_long_table_is_cut_under_its_first_row_and_keeps_its_place(tmp_path: Path) -> None:
    body = p("before") + table(row(cell("n"), cell("twice")), *(row(cell(str(n)), cell(str(2 * n))) for n in range(45)))
    found = told(written(tmp_path / "m.docx", body))
    assert [number for number, *_ in found] == [1, 2, 2, 2]
    assert all(text.startswith("n | twice\n") for _, _, text, is_table in found if is_table)


# ---- what is refused --------------------------------------------------------------------------------------------------------


def test_what_is_no_document_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.docx", p("text")).read_bytes()
    cut, sealed, other, plain = (tmp_path / f"{name}.docx" for name in ("cut", "sealed", "other", "plain"))
    cut.write_bytes(whole[: len(whole) // 2])
    assert refused(cut).code == "manuals.docx_broken"
    sealed.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    assert refused(sealed).code == "manuals.encrypted"
    assert "word/document.xml" in refused(written(other, p("text"), name="xl/workbook.xml")).told("en")
    plain.write_bytes(b"PK")
    assert refused(plain).code == "manuals.docx_broken"
    assert refused(written(tmp_path / "empty.docx", "<w:p/>")).code == "manuals.empty"
    assert refused(written(tmp_path / "xml.docx", "<w:p>")).code == "manuals.docx_broken"
    assert refused(written(tmp_path / "styles.docx", p("text"), styles="<")).code == "manuals.docx_broken"


def test_a_document_that_was_changed_inside_is_refused(tmp_path: Path) -> None:
    content = bytearray(written(tmp_path / "m.docx", p("text " * 500)).read_bytes())
    content[60] ^= 0xFF  # in the packed text
    (tmp_path / "m.docx").write_bytes(bytes(content))
    assert refused(tmp_path / "m.docx").code == "manuals.docx_broken"


def test_one_that_unpacks_to_a_disk_full_is_refused_before_it_is_read(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b" " * (docx.PART_BYTES_MAX + 1))
    (tmp_path / "bomb.docx").write_bytes(content.getvalue())
    assert len(content.getvalue()) < 200_000
    assert refused(tmp_path / "bomb.docx").code == "manuals.unpacked"


def test_entities_in_entities_are_refused_unread(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    assert "document type" in refused(written(tmp_path / "m.docx", p("&b;"), before=laughs)).told("en")


def test_cells_that_are_merged_over_and_over_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx, "CHARS_MAX", 100_000)
    wide = cell("x" * 500, '<w:gridSpan w:val="9999"/>')
    assert refused(written(tmp_path / "m.docx", table(row(wide), row(wide)))).code == "manuals.unpacked"


def test_elements_without_end_and_paragraphs_without_number_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "<w:sdt>" * 2_000 + "</w:sdt>" * 2_000
    assert refused(written(tmp_path / "deep.docx", deep)).code == "manuals.docx_broken"
    nested = "<w:tbl><w:tr><w:tc>" * 300 + p("core") + "</w:tc></w:tr></w:tbl>" * 300
    assert [text for _, _, text, _ in told(written(tmp_path / "nested.docx", nested))] == ["core"]
    monkeypatch.setattr(docx, "PARAGRAPHS_MAX", 3)
    assert refused(written(tmp_path / "many.docx", p("a") * 4)).code == "manuals.passages"


def test_any_bytes_within_a_document_end_in_a_word(tmp_path: Path) -> None:
    """Each byte of a small document spoilt in turn: read, or refused, and nothing else."""
    whole = written(tmp_path / "m.docx", p("4 Pump", "1") + table(row(cell("a"), cell("b")))).read_bytes()
    for at in range(0, len(whole), 3):
        spoilt = bytearray(whole)
        spoilt[at] ^= 0x55
        (tmp_path / "m.docx").write_bytes(bytes(spoilt))
        with contextlib.suppress(Unreadable):
            read(tmp_path / "m.docx")
