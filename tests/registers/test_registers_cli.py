"""`holdfast registers` as a person calls it: sends nothing, writes only where told, says file, line, cause and cure."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from holdfast.cli import registers as commands
from holdfast.gate.connectors.registers import parse
from holdfast.site.load import load

app = typer.Typer()
commands.register(app)
MAP = """Kite K1 meter, function 04, 0-based, low word first
Voltage L1 | 10 | UINT16 | V | 0.1
Total energy | 20 | UINT32 | kWh | 0.01
Serial text | 40 | ASCII 6 regs
Flow | 50 | m3/h
"""


def _call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["registers", *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kite.txt"
    path.write_text(MAP, encoding="utf-8")
    return path


def test_a_request_is_told_with_its_bytes(file: Path) -> None:
    result = _call("read", str(file), "read the total energy", "--json")
    answer = json.loads(result.stdout.splitlines()[-1])
    assert result.exit_code == 0
    assert (answer["function_code"], answer["address"], answer["word_order"], answer["pdu"]) == (4, 20, "little", "0400140002")


def test_a_refusal_is_no_and_says_what_is_missing_in_both_languages(file: Path) -> None:
    english, chinese = (_call("read", str(file), "read the flow", "--lang", lang) for lang in ("en", "zh"))
    assert (english.exit_code, chinese.exit_code) == (1, 1)
    assert "the type" in english.stdout
    assert "数据类型" in chinese.stdout


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    result = _call("read", str(tmp_path / "none.txt"), "read x")
    assert result.exit_code == 2
    assert "give a text file" in result.output


def test_import_shows_first_and_writes_nothing(file: Path) -> None:
    result = _call("import", str(file), "--connection", "kite", "--json")
    answer = json.loads(result.stdout.splitlines()[-1])
    assert result.exit_code == 0
    assert [tag["address"] for tag in answer["tags"]] == ["300011:uint16", "300021:uint32:little"]
    assert [left["line"] for left in answer["left"]] == [4, 5]
    assert answer["written"] is None
    assert list(file.parent.iterdir()) == [file]


def test_what_import_writes_loads_in_the_site_loader(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "kite.csv"
    assert _call("import", str(file), "--connection", "kite", "--out", str(out)).exit_code == 0
    site = tmp_path / "site.yaml"
    site.write_text(
        "holdfast: 1\nsite: {name: s, language: en, timezone: UTC}\n"
        "connections:\n  kite: {type: modbus, host: 127.0.0.1}\nequipment:\n  meter: {tags: kite.csv}\n",
        encoding="utf-8",
    )
    tags = load(site).site.tags
    energy = next(tag for tag in tags if "energy" in tag.name.lower())
    assert parse(energy.address).word_order == "little"
    assert energy.scale is not None
    assert energy.scale.eng[1] / energy.scale.raw[1] == pytest.approx(0.01)
    assert not energy.writable


def test_import_never_writes_over_a_file(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "kite.csv"
    out.write_text("mine", encoding="utf-8")
    assert _call("import", str(file), "--connection", "kite", "--out", str(out)).exit_code == 2
    assert out.read_text(encoding="utf-8") == "mine"
