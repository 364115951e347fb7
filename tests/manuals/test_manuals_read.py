"""Files of every kind become passages with their place; what can't be read is refused with a word that says what to do."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from holdfast.agent.knowledge.manuals.passage import Unreadable, joined
from holdfast.agent.knowledge.manuals.read import PASSAGE_CHARS_MAX, read
from holdfast.evals.bench.manuals.generated import file_of, manual, page_of

pytest.importorskip("pypdfium2", reason="needs the extra manuals")
openpyxl = pytest.importorskip("openpyxl", reason="needs the extra manuals")


def one_page(ops: bytes, *, extra: bytes = b"") -> bytes:
    """A PDF of one page with these drawing operations in Helvetica."""
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(ops), ops),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, part in enumerate(parts, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, part)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer\n<< /Size 6 /Root 1 0 R %b>>\nstartxref\n%d\n%%%%EOF\n" % (extra, start))


def text_at(x: int, y: int, text: str, size: int = 10) -> bytes:
    return f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n".encode()


def refused(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(path)
    said = caught.value.told("en")
    assert path.name in said
    assert said != caught.value.code
    assert re.search(r"[\u4e00-\u9fff]", caught.value.told("zh"))
    return caught.value


def test_lines_become_paragraphs_and_columns_a_table(tmp_path: Path) -> None:
    ops = text_at(60, 780, "3.2 Relief valve", 16)
    ops += text_at(60, 740, "The relief valve opens at 12.5 bar. Check it every 500 h and write the pres-")
    ops += text_at(60, 726, "sure into the log.")
    ops += text_at(60, 690, "Replace the seal.")
    for row, cells in enumerate((("part", "low", "high"), ("seal", "1", "9"), ("spring", "", "7"))):
        for column, cell in enumerate(cells):
            ops += text_at(60 + 120 * column, 640 - 18 * row, cell)
    file = tmp_path / "valve.pdf"
    file.write_bytes(one_page(ops))
    found = read(file)
    assert [(p.page, p.paragraph, p.table, p.text) for p in found.passages] == [
        (1, 1, False, "3.2 Relief valve"),
        (1, 2, False, "The relief valve opens at 12.5 bar. Check it every 500 h and write the pressure into the log."),
        (1, 3, False, "Replace the seal."),
        (1, 4, True, "part | low | high\nseal | 1 | 9\nspring |  | 7"),
    ]
    assert {p.heading for p in found.passages} == {"3.2 Relief valve"}


def test_items_hang_together_headings_are_known_by_number_and_page_numbers_are_left_out(tmp_path: Path) -> None:
    full = "Check the pressure of each nozzle of the stand before the first coil of the shift is threaded and"
    ops = text_at(60, 780, "4.2 Rounds") + text_at(60, 750, "-") + text_at(90, 750, full) + text_at(90, 736, "write it down.")
    ops += text_at(60, 715, "1.") + text_at(90, 715, "Stop the pump.") + text_at(60, 700, "2.") + text_at(90, 700, "Lock it.")
    ops += text_at(290, 40, "17")
    file = tmp_path / "list.pdf"
    file.write_bytes(one_page(ops.replace(b"(-)", b"(\\225)")))
    found = read(file).passages
    assert [p.text for p in found] == ["4.2 Rounds", f"• {full} write it down.", "1. Stop the pump.", "2. Lock it."]
    assert {p.heading for p in found} == {"4.2 Rounds"}


def test_chinese_without_an_embedded_font_is_read_word_for_word(tmp_path: Path) -> None:
    made = manual(5, 2)
    file = tmp_path / "generated.pdf"
    file.write_bytes(made.pdf)
    found = read(file)
    assert found.pages == 2
    for fact in made.facts:
        assert any(p.page == fact.page and fact.answer in p.text for p in found.passages)
    assert sum(p.table for p in found.passages) == 2


def test_a_scanned_pdf_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    file.write_bytes(one_page(b"0.5 g 50 50 400 600 re f\n"))
    error = refused(file)
    assert error.code == "manuals.scanned"
    assert "OCR" in error.told("en")


def test_five_hundred_pages_are_read_and_too_many_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "long.pdf"
    file.write_bytes(file_of([page_of(f"page {n}", ["检查喷嘴压力。"], []) for n in range(500)]))
    shares: list[float] = []
    found = read(file, shares.append)
    assert (found.pages, found.blank) == (500, ())
    assert shares[-1] == 1.0
    monkeypatch.setattr("holdfast.agent.knowledge.manuals.pdf.PAGES_MAX", 499)
    assert refused(file).code == "manuals.pages"


def test_an_encrypted_pdf_is_refused(tmp_path: Path) -> None:
    locked = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O <" + b"41" * 32 + b"> /U <" + b"42" * 32 + b"> /P -4 >> /ID [<31> <31>] "
    file = tmp_path / "locked.pdf"
    file.write_bytes(one_page(text_at(60, 700, "secret"), extra=locked))
    assert refused(file).code == "manuals.encrypted"


@pytest.mark.parametrize("content", [b"%PDF-1.4\nhello", b"", b"no pdf at all"])
def test_a_broken_pdf_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.pdf"
    file.write_bytes(content)
    assert refused(file).code == "manuals.pdf_broken"


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "润滑表"
    for row in (
        ["轴承润滑周期", None, None],
        ["设备", "部位", "周期 (h)"],
        ["第四机架", "轴承座", 500],
        [None, "联轴器", 2000],
        ["开卷机", "轴承座", 800.5],
    ):
        sheet.append(row)
    sheet.merge_cells("A1:C1")
    sheet.merge_cells("A3:A4")
    book.create_sheet("leer")
    book.save(path)
    return path


def test_merged_cells_say_the_same_in_all_that_they_cover(tmp_path: Path) -> None:
    found = read(workbook(tmp_path / "plan.xlsx"))
    (passage,) = found.passages
    assert passage.table
    assert (passage.page, passage.paragraph, passage.heading) == (1, 3, "润滑表: 轴承润滑周期")
    assert passage.text.split("\n") == [
        "设备 | 部位 | 周期 (h)",
        "第四机架 | 轴承座 | 500",
        "第四机架 | 联轴器 | 2000",
        "开卷机 | 轴承座 | 800.5",
    ]
    assert found.blank == (2,)


def test_a_broken_zip_an_old_workbook_and_one_that_unpacks_to_a_disk_full_are_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "whole.xlsx").read_bytes()
    cut, old, bomb, other = (tmp_path / f"{name}.xlsx" for name in ("cut", "old", "bomb", "other"))
    cut.write_bytes(whole[: len(whole) // 2])
    assert refused(cut).code == "manuals.sheet_broken"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    assert refused(old).code == "manuals.encrypted"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", b"0" * 310_000_000)
    bomb.write_bytes(content.getvalue())
    assert refused(bomb).code == "manuals.unpacked"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("hello.txt", "no workbook")
    other.write_bytes(content.getvalue())
    assert refused(other).code == "manuals.sheet_broken"


def test_csv_in_gb18030_with_semicolons_is_a_table_under_its_first_row(tmp_path: Path) -> None:
    file = tmp_path / "备件.csv"
    file.write_bytes("编号;名称;数量\nB-1;密封圈;12\nB-2;滤芯;3\n".encode("gb18030"))
    (passage,) = read(file).passages
    assert passage.text == "编号 | 名称 | 数量\nB-1 | 密封圈 | 12\nB-2 | 滤芯 | 3"
    assert passage.paragraph == 2


def test_markdown_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    file = tmp_path / "m.md"
    file.write_text("# 泵 Pump\n\nCheck the\nseal.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert [(p.heading, p.text, p.table) for p in read(file).passages] == [
        ("泵 Pump", "泵 Pump", False), ("泵 Pump", "Check the seal.", False), ("泵 Pump", "- one", False), ("泵 Pump", "- two", False),
        ("泵 Pump", "a | b\n1 | 2", True),
    ]  # fmt: skip


def test_html_is_read_as_it_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "m.html"
    file.write_text(
        "<html><style>p{}</style><h2>阀门</h2><p>Opens at <b>12.5</b> bar.<p>第二段"
        "<table><tr><th>a<th>b</tr><tr><td>1</td><td>2</td></tr></table>tail"
    )
    assert [(p.heading, p.text, p.table) for p in read(file).passages] == [
        ("阀门", "阀门", False),
        ("阀门", "Opens at 12.5 bar.", False),
        ("阀门", "第二段", False),
        ("阀门", "a | b\n1 | 2", True),
        ("阀门", "tail", False),
    ]


def test_a_long_paragraph_is_cut_and_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "long.txt"
    text = "".join(f"第{n}句话说明检查内容。" for n in range(1500))
    file.write_text(text)
    passages = read(file).passages
    assert len(passages) > 1
    assert max(len(p.text) for p in passages) <= PASSAGE_CHARS_MAX
    assert "".join(p.text for p in passages) == text
    assert {p.paragraph for p in passages} == {1}


@pytest.mark.parametrize(("name", "content", "code"), [
    ("a.doc", b"\xd0\xcf\x11\xe0", "manuals.kind"), ("a.txt", b"\x00\x01\x02\xff", "manuals.no_text"), ("a.md", b"\n\n", "manuals.empty"),
    ("a.exe", b"MZ", "manuals.kind"), ("a.csv", b"", "manuals.empty"),
])  # fmt: skip
def test_what_is_no_manual_is_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).code == code


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "nothing.pdf").code == "manuals.no_file"
    assert refused(tmp_path).code == "manuals.folder"


def test_lines_are_joined_as_each_language_is_written() -> None:
    assert joined(["检查喷嘴", "压力。", "Check the", "noz-", "zle"]) == "检查喷嘴压力。 Check the nozzle"
