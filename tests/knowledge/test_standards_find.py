"""References to standards are found in messy text, and gigabytes, film speeds and part numbers are left alone."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.agent.knowledge.standards.find import find
from holdfast.agent.knowledge.standards.folded import fold

LINES = Path(__file__).parent / "standard_lines.jsonl"
FOREIGN = LINES.with_name("standard_lines_foreign.jsonl")


def forms(text: str) -> list[str]:
    return [reference.canonical for reference in find(text)]


def test_every_line_of_the_corpus_marks_what_it_says() -> None:
    lines = [json.loads(line) for line in LINES.read_text(encoding="utf-8").splitlines()]
    assert len(lines) >= 300
    assert sum(not line["refs"] for line in lines) >= 100
    for line in lines:
        assert all(line["text"][ref["start"] : ref["end"]] == ref["surface"] for ref in line["refs"]), line["id"]


def test_hardly_anything_is_missed_or_made_up_in_lines_by_another_hand() -> None:
    """What is missed: short numbers in a German list (`DIN 912, 933 und 6912`), and a press of the type JB23-63 is taken for a standard."""
    wrong = []
    for line in FOREIGN.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if {(r.start, r.end, r.canonical) for r in find(item["text"])} != {(r["start"], r["end"], r["canonical"]) for r in item["refs"]}:
            wrong.append(item["id"])
    assert wrong == ["sr-for-105", "sr-for-116"]


def test_folding_keeps_every_character_in_its_place() -> None:
    text = " ＧＢ／Ｔ　３８１１－２００８、《GB 1〔2〕》\u00a0—"
    assert fold(text) == " GB/T 3811-2008、《GB 1(2)》 -"
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ＧＢ／Ｔ　３８１１－２００８", ["GB/T 3811—2008"]),
        ("GBT19582.1-2008", ["GB/T 19582.1—2008"]),
        ("nach ISO 3834 und 15614 oder 9606, gültig", ["ISO 3834", "ISO 15614", "ISO 9606"]),
        ("ISO 15607 bis 15614", ["ISO 15607", "ISO 15614"]),
        ("Zeugnis EN10204/3.2, EN 10204-2.2", ["EN 10204", "EN 10204"]),
        ("GB_T28181-2016", ["GB/T 28181—2016"]),
        ("GB╱T 2260", ["GB/T 2260"]),
        ("GB / T 19001 - 2000", ["GB/T 19001—2000"]),
        ("GB/T 3811一2008", ["GB/T 3811—2008"]),
        ("GB/T\n2900.1-2008", ["GB/T 2900.1—2008"]),
        ("GB 50217（2018年版）", ["GB 50217—2018"]),
        ("GBZ/T 189.8-2007", ["GBZ/T 189.8—2007"]),
        ("GB/Z 6829-2008", ["GB/Z 6829—2008"]),
        ("TSGR0004", ["TSG R0004"]),
        ("DL 5190.5", ["DL 5190.5"]),
        ("Q/GDW-376.1", ["Q/GDW 376.1"]),
        ("SY/T 0447", ["SY/T 0447"]),
        ("ISO9001：2000", ["ISO 9001:2000"]),
        ("ISO 1940-1-2003", ["ISO 1940-1:2003"]),
        ("ISO 6892-84", ["ISO 6892:84"]),
        ("ISO 8859-15", ["ISO 8859-15"]),
        ("DIN-EN 10025-2", ["DIN EN 10025-2"]),
        ("IEC 61850-9-2LE", ["IEC 61850-9-2"]),
        ("ISO 14443A", ["ISO 14443"]),
        ("IEC 60 751", ["IEC 60751"]),
        ("EN 301 549 V3.2.1", ["EN 301 549"]),
        ("DLT/645", ["DL/T 645"]),
        ("ASTM D 1730-03", ["ASTM D1730-03"]),
        ("ASTM A36/A36M", ["ASTM A36/A36M"]),
        ("ASTM 1417-21", ["ASTM 1417-21"]),
    ],
)
def test_one_standard_has_one_form_however_it_is_typed(text: str, expected: list[str]) -> None:
    assert forms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GB 50168/50169", ["GB 50168", "GB 50169"]),
        ("GB/T 3811、6067.1", ["GB/T 3811", "GB/T 6067.1"]),
        ("GB 50150～50170", ["GB 50150", "GB 50170"]),
        ("GB 30966-30971", ["GB 30966", "GB 30971"]),
        ("ISO 9000-9004", ["ISO 9000", "ISO 9004"]),
        ("TSG Q7001～Q7015", ["TSG Q7001", "TSG Q7015"]),
        ("EN55011/55022 A级", ["EN 55011", "EN 55022"]),
        ("GB/T 5023.1～7", ["GB/T 5023.1", "GB/T 5023.7"]),
        ("GB/T 17626.2/.4", ["GB/T 17626.2", "GB/T 17626.4"]),
        ("IEC 61850-1 to -10", ["IEC 61850-1", "IEC 61850-10"]),
        ("IEC 61000-4-2/-4-4", ["IEC 61000-4-2", "IEC 61000-4-4"]),
        ("EN 81-20/50", ["EN 81-20", "EN 81-50"]),
        ("ISO 9001, 14001 and 45001.", ["ISO 9001", "ISO 14001", "ISO 45001"]),
        ("ASTM A320, A193", ["ASTM A320", "ASTM A193"]),
    ],
)
def test_numbers_of_a_list_share_their_prefix(text: str, expected: list[str]) -> None:
    assert forms(text) == expected


@pytest.mark.parametrize(
    "text",
    ["ISO 9001, 250 employees", "ISO 9001 and 2000 people", "GB/T 276、3 套", "GB 50217-2018、2019年", "ISO 4406:1999 18/16/13"],
)
def test_a_quantity_behind_a_reference_is_no_second_one(text: str) -> None:
    assert len(forms(text)) == 1


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("GB 50217-2018第3.7.2条", "3.7.2"),
        ("ISO 13849-1:2015, 4.5.2", "4.5.2"),
        ("GB50217附录B", "B"),
        ("ISO 20816-3:2022, Table A.1", "A.1"),
        ("IEC 61511-1 clause 11.9", "11.9"),
        ("GB/T 3811-2008的规定", ""),
    ],
)
def test_clause_and_annex_are_kept_apart_from_the_number(text: str, clause: str) -> None:
    (reference,) = find(text)
    assert reference.clause == clause


def test_an_amendment_is_told_and_does_not_change_the_form() -> None:
    (first,) = find("GB/T 3098.1-2010/XG1-2020")
    assert (first.canonical, first.amendment) == ("GB/T 3098.1—2010", "XG1-2020")
    (second,) = find("EN 60529:1991+A1:2000")
    assert (second.canonical, second.amendment) == ("EN 60529:1991", "A1:2000")


def test_the_parts_of_a_reference_are_told() -> None:
    (reference,) = find("按IEC 60870-5-104:2006执行")
    assert (reference.start, reference.end) == (1, 21)
    assert (reference.family, reference.number, reference.part, reference.year) == ("IEC", "60870", "5-104", "2006")


@pytest.mark.parametrize(
    "text",
    [
        "16GB/T",
        "5 GB 2019 archive",
        "4 GB 1600 MHz",
        "SAS，200 GB+",
        "ISO 800，快门 1/200",
        "ISO 100-6400",
        "Gear oil ISO 320",
        "润滑油 ISO 460",
        "内存容量 GB 512",
        "磁盘 8 GB 7200 转",
        "sent to SY 3120 today",
        "Download the ISO 2004 image",
        "DIN 5芯插头",
        "DIN 1.4301",
        "EN 50-60 Hz",
        "lang=en 50160",
        "NB-IoT",
        "HJ 2023-03-05",
        "HJ 15:30",
        "SY3120-5LZD",
        "NY 10001, USA",
        "DL380 Gen10",
        "YB3-132M-4",
        "PGB50217-2018",
        "dgiot_gb26875",
        "ASTM方法",
        "dl/t0000-skip-test",
        "gb23121980",
        "TSG 4000",
        "EN 2019-08",
        "HG 1013.25",
        "ASTM 304 stainless",
        "NY 10001",
        "IEEE 802.3, API 610, UL 508A",
    ],
)
def test_what_only_looks_like_a_reference_is_left_alone(text: str) -> None:
    assert forms(text) == []


def test_a_word_beside_vouches_for_a_bare_number() -> None:
    assert forms("阀 SH3408 到货") == []
    assert forms("SH3408标准") == ["SH 3408"]
    assert forms("按照 SH3408") == ["SH 3408"]
    assert forms("SH3408、GB12459") == ["SH 3408", "GB 12459"]


PIECES = (
    "GB",
    "/T",
    "GBZ",
    "ISO",
    "/IEC",
    "EN ",
    "DIN",
    "ASTM ",
    "TSG ",
    "Q/GDW",
    "HJ",
    "A36",
    "Q70",
    "1",
    "50",
    "3811",
    "2008",
    "-",
    "—",
    "~",
    "、",
    "/",
    ".",
    ":",
    " ",
    "一",
    "(",
    ")",
    "and",
    "第",
    "条",
    "附录B",
    "mm",
    "GB/T 1",
    "\n",
    "Ｔ",
    "３",
)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_whatever_the_text_spans_are_in_order_and_say_what_stands_there(text: str) -> None:
    end = 0
    for reference in find(text):
        assert end <= reference.start < reference.end
        end = reference.end
        assert text[reference.start : reference.end] == reference.surface
        assert reference.number in reference.canonical.replace(" ", "") or reference.family == "EN"
        assert reference.canonical.startswith(reference.family)


@pytest.mark.parametrize(
    "text",
    [
        "GB/T 3811—2008",
        "GB 7702.7—87",
        "TSG T7001—2009",
        "Q/GDW 1161—2014",
        "ISO/IEC 27001:2022",
        "DIN EN ISO 13849-1",
        "ASTM A36/A36M",
        "ASTM D1686-61",
        "GBZ/T 189.8—2007",
        "IEC TR 61850-90-1:2010",
    ],
)
def test_the_canonical_form_is_read_as_itself(text: str) -> None:
    assert forms(text) == [text]


def test_a_hostile_text_is_searched_in_bounded_time() -> None:
    for text in ("GB/T 1" + "、1" * 50_000, "ISO " * 50_000, "DIN EN ISO/IEC/" * 20_000, "GB" + " " * 100_000 + "1", "1." * 100_000):
        find(text)
