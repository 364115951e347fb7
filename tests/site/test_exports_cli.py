"""`holdfast tags import` as a person calls it: shown first, written only where told, and never over a file that is there."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from holdfast.cli import tags as commands
from holdfast.site.load import load

HERE = Path(__file__).parent / "exports"
runner = CliRunner()
app = typer.Typer()
commands.register(app)


def test_without_out_it_shows_and_writes_nothing(tmp_path: Path) -> None:
    result = runner.invoke(app, ["tags", "import", str(HERE / "kepware_modbus.csv"), "--connection", "cooling"])
    assert result.exit_code == 0, result.output
    assert "40021:int16" in result.output
    assert "line 8: Cooling.Flow: left, the export doesn't say which of its registers comes first" in result.output
    assert "nothing was written" in result.output
    assert not list(tmp_path.iterdir())


def test_what_it_writes_is_taken_by_a_site_file(tmp_path: Path) -> None:
    out = tmp_path / "line.csv"
    site = tmp_path / "site.yaml"
    site.write_text("holdfast: 1\nsite: {name: p}\nconnections: {press: {type: s7, host: h}}\nequipment: {line: {}}\n", encoding="utf-8")
    words = ["tags", "import", str(HERE / "kepware_s7.csv"), "--connection", "press", "--site", str(site), "--out", str(out), "--json"]
    result = runner.invoke(app, words)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert (len(answer["tags"]), len(answer["left"]), answer["written"]) == (8, 4, str(out))
    site.write_text(site.read_text(encoding="utf-8").replace("line: {}", "line: {tags: line.csv}"), encoding="utf-8")
    assert [t.address for t in load(site).site.tags][:2] == ["DB10.DBD4:REAL", "DB10.DBD8:DINT"]
    again = runner.invoke(app, words)
    assert again.exit_code == 2
    assert "is there already" in again.output


def test_a_protocol_that_the_connection_does_not_speak_is_wrong_use(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("holdfast: 1\nsite: {name: p}\nconnections: {press: {type: s7, host: h}}\nequipment: {line: {}}\n", encoding="utf-8")
    file = str(HERE / "kepware_s7.csv")
    for words, told in (
        (["--connection", "press", "--site", str(site), "--protocol", "modbus"], "not modbus"),
        (["--connection", "mill", "--site", str(site)], 'no connection "mill"'),
        (["--connection", "press", "--protocol", "profibus"], "opcua, modbus, s7"),
        (["--connection", "press", "--word-order", "middle"], "big or little"),
    ):
        result = runner.invoke(app, ["tags", "import", file, *words])
        assert (result.exit_code, told in result.output) == (2, True), result.output


def test_an_export_of_which_nothing_can_be_read_is_answered_with_1(tmp_path: Path) -> None:
    file = tmp_path / "text.csv"
    file.write_text("Name,Path,Data Type,Logical Address,Comment\nBatch,,String,%DB5.DBB0,\n", encoding="utf-8")
    result = runner.invoke(app, ["tags", "import", str(file), "--connection", "press", "--out", str(tmp_path / "new.csv")])
    assert (result.exit_code, (tmp_path / "new.csv").exists()) == (1, False)


def test_a_file_that_is_not_there_or_no_export_is_wrong_use(tmp_path: Path) -> None:
    assert runner.invoke(app, ["tags", "import", str(tmp_path / "none"), "--connection", "c"]).exit_code == 2
    (tmp_path / "other.txt").write_text("hello", encoding="utf-8")
    result = runner.invoke(app, ["tags", "import", str(tmp_path / "other.txt"), "--connection", "c", "--json"])
    assert result.exit_code == 2
    assert "none that we know" in result.output
