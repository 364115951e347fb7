"""Exports of other tools named in the site file itself: their tags are the site's, and what is left of them is told."""

import shutil
from pathlib import Path

import pytest

from holdfast.site.load import Loaded, load
from holdfast.site.model import SiteError
from holdfast.terms import Scale

EXPORTS = Path(__file__).parent / "exports"
SITE = """
holdfast: 1
site: {{name: m, language: en, timezone: UTC}}
connections:
  cooling: {{type: modbus, host: 10.1.4.20}}
  press: {{type: s7, host: 10.1.4.40}}
  lab: {{type: sql, file: file:lab.db, query: "SELECT 1 AS a"}}
equipment:
  line:
    tags:
      - own.csv
      - {named}
agents: {{a: {{autonomy: observe, diagnoser: rank}}}}
policy: policy.yaml
"""
LINE = 12  # of what `named` says


def loaded(folder: Path, export: str, named: str) -> Loaded:
    shutil.copy(EXPORTS / export, folder)
    (folder / "own.csv").write_text("name,on,address,unit\nspeed,cooling,40001:uint16,1\n", encoding="utf-8")
    (folder / "policy.yaml").write_text("revision: 1\nrules: []\n", encoding="utf-8")
    (folder / "site.yaml").write_text(SITE.format(named=named), encoding="utf-8")
    return load(folder / "site.yaml")


def refused(folder: Path, export: str, named: str) -> str:
    with pytest.raises(SiteError) as told:
        loaded(folder, export, named)
    (problem,) = (p for p in told.value.problems if p.severity == "error")
    assert problem.line == LINE
    return f"{problem.what} | {problem.cure}"


def test_an_export_gives_its_tags_beside_a_list_of_ours(tmp_path: Path) -> None:
    site = loaded(tmp_path, "kepware_modbus.csv", "{export: kepware_modbus.csv, on: cooling, word_order: little}").site
    tags = {tag.name: tag for tag in site.tags}
    assert tags["line/speed"].address == "40001:uint16"
    speed, flow = tags["line/Stand4.Speed"], tags["line/Cooling.Flow"]
    assert (speed.connection, speed.address, speed.period_s) == ("cooling", "40021:int16", 0.5)
    assert speed.scale == Scale(raw=(0.0, 27648.0), eng=(0.0, 1500.0))
    assert flow.address == "40100:float32:little"
    assert not any(tag.writable for tag in site.tags), "an envelope makes a tag writable, never an export"


def test_what_was_left_is_told_where_the_export_is_named(tmp_path: Path) -> None:
    found = loaded(tmp_path, "kepware_modbus.csv", "{export: kepware_modbus.csv, on: cooling}")
    (warning,) = (p for p in found.warnings if "lines were left" in p.what)
    assert (Path(warning.file).name, warning.line) == ("site.yaml", LINE)
    assert "Stand4.Trim" in warning.what, "with the name of the first"
    assert "line/Cooling.Flow" not in {tag.name for tag in found.site.tags}, "nobody said which word comes first"


def test_a_tia_export_is_read_over_s7_and_its_file_is_part_of_the_configuration(tmp_path: Path) -> None:
    found = loaded(tmp_path, "tia_tags.xml", "{export: tia_tags.xml, on: press}")
    assert {tag.connection for tag in found.site.tags} == {"cooling", "press"}
    assert "tia_tags.xml" in {Path(file.path).name for file in found.files}


def test_a_change_in_the_export_is_another_configuration(tmp_path: Path) -> None:
    named = "{export: kepware_modbus.csv, on: cooling, word_order: little}"
    before = loaded(tmp_path, "kepware_modbus.csv", named).digest
    path = tmp_path / "kepware_modbus.csv"
    text = path.read_text(encoding="utf-8-sig")
    assert "27648" in text
    path.write_text(text.replace("27648", "27647", 1), encoding="utf-8")
    assert load(tmp_path / "site.yaml").digest != before


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("{export: kepware_modbus.csv}", "it lacks `on`"),
        ("{export: kepware_modbus.csv, on: coolin}", 'did you mean "cooling"?'),
        ("{export: kepware_modbus.csv, on: lab}", "lab is of type sql: no export has addresses for that"),
        ("{export: own.csv, on: cooling}", "it is a tag list of ours already"),
        ("{export: absent.csv, on: cooling}", "can't be read"),
        ("{export: kepware_modbus.csv, on: cooling, word_order: middle}", "write one of big, little"),
        ("{on: cooling}", "export"),
        ("{export: kepware_modbus.csv, on: press}", "has no tag that can be used"),
    ],
)
def test_what_can_not_be_is_told_with_the_cure(tmp_path: Path, named: str, said: str) -> None:
    assert said in refused(tmp_path, "kepware_modbus.csv", named)
