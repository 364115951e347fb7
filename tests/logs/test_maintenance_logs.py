"""Maintenance records in both languages become entries, a file of them past cases; what a file does not say stays empty."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from holdfast.agent.knowledge.logs.cases import alike
from holdfast.agent.knowledge.logs.parse import parsed
from holdfast.agent.knowledge.logs.read import read
from holdfast.agent.knowledge.logs.store import NAME, Source, StoreError, keep, load
from holdfast.agent.knowledge.manuals.passage import Unreadable
from holdfast.cli import logs
from holdfast.evals.logs import run as scored
from holdfast.evals.suites import Options

CSV = """日期,设备名称,故障现象,内容,更换备件,班组
2026-01-03,第四机架,振动大,经查轴承内圈剥落，更换轴承,"轴承NU2320, 1套",甲
2026-01-05,循环水泵,,出口压力低，叶轮磨损，更换叶轮。,,乙
,,,,,
2026-01-09,开卷机,卷筒不胀,无,,丙
"""


def test_the_records_that_were_written_before_the_reader_are_read() -> None:
    found = scored(Options())
    assert found.pass_
    assert found.figures["fields"]["standards"]["f1"] == 1.0


@pytest.mark.parametrize(("file", "least"), [("log_cases_later.jsonl", 0.85), ("log_cases_third.jsonl", 0.75)])
def test_records_in_other_styles_are_read_well_enough(file: str, least: float) -> None:
    """The later ones were written after the reader, which was mended by them; the third ones after that, and nothing was mended by them."""
    assert scored(Options(data=Path(__file__).with_name(file))).figures["f1"] > least


def test_labels_in_any_order_and_shape_are_fields() -> None:
    entry = parsed("【处理】更换油封【设备】主减速机【原因】老化，按GB/T 9877-2008选型")
    assert (entry.equipment, entry.symptom, entry.cause, entry.action) == ("主减速机", "", "老化，按GB/T 9877-2008选型", "更换油封")
    assert entry.parts == ("油封",)
    assert entry.standards == ("GB/T 9877—2008",)


def test_what_is_not_known_stays_empty() -> None:
    entry = parsed("Equipment: pump 3; Symptom: noise; Cause: unknown; Action: -")
    assert (entry.symptom, entry.cause, entry.action, entry.tells) == ("noise", "", "", False)
    assert parsed("交接班：设备运行正常，无故障。").symptom == ""
    assert parsed("").equipment == ""


def test_a_table_is_read_by_its_heads_and_its_text_fills_what_is_left_open(tmp_path: Path) -> None:
    file = tmp_path / "检修.csv"
    file.write_bytes(CSV.encode("gb18030"))
    found = read(file)
    first, second, third = found.entries
    assert dict(found.columns) == {
        "日期": "at",
        "设备名称": "equipment",
        "故障现象": "symptom",
        "内容": "text",
        "更换备件": "parts",
        "班组": "",
    }
    assert (first.at, first.line, first.equipment, first.symptom) == ("2026-01-03", 2, "第四机架", "振动大")
    assert (first.cause, first.action, first.parts) == ("轴承内圈剥落", "更换轴承", ("轴承NU2320, 1套",))
    assert (second.equipment, second.symptom, second.cause, second.parts) == ("循环水泵", "出口压力低", "叶轮磨损", ("叶轮",))
    assert (third.symptom, third.action) == ("卷筒不胀", "")


def test_text_is_read_a_line_or_a_paragraph_at_a_time(tmp_path: Path) -> None:
    lines, blocks = tmp_path / "lines.txt", tmp_path / "blocks.txt"
    lines.write_text("Fan 2 vibrating due to loose bolts, bolts tightened.\n\nThickness gauge drifting. Recalibrated.\n")
    blocks.write_text("Equipment: Fan 2\nSymptom: vibration\n\nEquipment: Gauge\nSymptom: drift\n")
    assert [(e.line, e.equipment) for e in read(lines).entries] == [(1, "Fan 2"), (3, "Thickness gauge")]
    assert [(e.line, e.equipment, e.symptom) for e in read(blocks).entries] == [(1, "Fan 2", "vibration"), (4, "Gauge", "drift")]


@pytest.mark.parametrize(("name", "content", "code"), [
    ("a.csv", b"x,y\n1,2\n", "logs.columns"), ("a.csv", b"", "manuals.empty"), ("a.txt", b"\xff\x00\x81", "manuals.no_text"),
])  # fmt: skip
def test_what_can_not_be_read_says_what_to_do(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        read(tmp_path / name)
    assert caught.value.code == code
    assert caught.value.told("zh") != caught.value.told("en") != code


def test_an_import_twice_is_an_import_once(tmp_path: Path) -> None:
    source = Source(name="a.csv", sha256="00", entries=(parsed("Fan 2 vibrating due to loose bolts, bolts tightened."),))
    for _ in range(2):
        keep(tmp_path / NAME, source)
    assert load(tmp_path / NAME) == (source,)
    (tmp_path / NAME).write_text("{}")
    with pytest.raises(StoreError, match="delete it"):
        load(tmp_path / NAME)


def test_the_case_with_the_rare_words_is_the_most_alike() -> None:
    said = ("Pump 1 low flow because of a clogged impeller. Cleaned impeller.",
            "Pump 2 low flow due to cavitation, valve opened and checked.",
            "Pump 3 noise as the bearing was dry. Greased.")  # fmt: skip
    source = Source(name="log.txt", sha256="", entries=tuple(parsed(text, line=n) for n, text in enumerate(said, start=1)))
    first, *_ = alike((source,), "pump", "flow falls, cavitation heard")
    assert first.evidence().ref == "log.txt:2"
    assert 0 < first.alike < 1
    assert "cavitation" in first.evidence().quote
    assert alike((source,), "", "电机") == ()


def test_the_commands_import_list_and_find(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        app = typer.Typer()
        logs.register(app)
        answer = CliRunner().invoke(app, ["logs", *arguments, "--home", str(tmp_path)])
        return answer.exit_code, answer.output

    file = tmp_path / "检修.csv"
    file.write_text(CSV, encoding="utf-8")
    code, told = run("import", str(file), "--json")
    assert code == 0
    assert json.loads(told)["counts"] == {"equipment": 3, "symptom": 3, "cause": 2, "action": 2, "tells": 2}
    assert "第四机架" in run("list")[1]
    assert json.loads(run("alike", "压力低", "--json")[1])["cases"][0]["entry"]["equipment"] == "循环水泵"
    assert run("alike", "xylophone")[0] == 1
    assert run("import", str(tmp_path / "nothing.csv"))[0] == 2
