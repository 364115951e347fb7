"""`holdfast knowledge check`: bad modes and modes that fit nothing get a clear word each."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import holdfast.sim.mill
from holdfast.cli.knowledge import register

MILL = Path(holdfast.sim.mill.__file__).parent / "site.yaml"
MODES = """\
holdfast_modes: 1
modes:
  - id: nozzle_wear
    name: {en: worn nozzle, zh: 喷嘴磨损}
    equipment: spray header
    cause: {en: the bore grows, zh: 孔径变大}
    signature:
      - {role: lubrication_flow, shows: up, weight: 2}
      - {role: lubrication_pressure, shows: down}
    actions:
      - notify: {en: change it, zh: 更换}
    checks:
      - {en: measure the bore, zh: 测量孔径}
    sources: [maker's manual]
"""
SITE = """\
holdfast: 1
site: {name: s, language: en, timezone: UTC}
connections:
  plc: {type: modbus, host: 127.0.0.1}
equipment:
  header:
    tags: {flow: {on: plc, address: "40001:uint16", unit: L/min, role: brine_flow}}
modes: modes.yaml
default_approvals: [operator]
"""


def door() -> typer.Typer:
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    return app


def ask(*args: str) -> tuple[int, dict[str, Any]]:
    ran = CliRunner().invoke(door(), ["knowledge", "check", *args, "--json"])
    return ran.exit_code, json.loads(ran.stdout.splitlines()[-1])


def written(folder: Path, text: str) -> str:
    (folder / "modes.yaml").write_text(text, "utf-8")
    return str(folder / "modes.yaml")


def test_the_shipped_library_holds_together() -> None:
    code, told = ask()
    assert (code, told["ok"], told["problems"]) == (0, True, [])
    assert {"rolling bearing", "centrifugal pump", "control valve", "transmitter"} <= set(told["kinds"])


def test_good_modes_are_told_where_they_fit(tmp_path: Path) -> None:
    code, told = ask(written(tmp_path, MODES), "--site", str(MILL))
    assert (code, told["problems"]) == (0, [])
    assert told["fits"] == [{"mode": "nozzle_wear", "equipment": ["stand-4"], "missing": []}]


def test_an_unknown_role_is_told_with_file_line_and_cure(tmp_path: Path) -> None:
    code, told = ask(written(tmp_path, MODES.replace("role: lubrication_flow", "role: lubrication_flwo")))
    (problem,) = told["problems"]
    assert (code, problem["line"]) == (1, 8)
    assert "unknown role 'lubrication_flwo'" in problem["what"]
    assert problem["cure"]


def test_a_mode_that_fits_no_tag_is_told_and_is_no_error_unless_strict(tmp_path: Path) -> None:
    file = written(tmp_path, MODES.replace("lubrication_flow", "belt_speed").replace("lubrication_pressure", "belt_load"))
    code, told = ask(file, "--site", str(MILL))
    (problem,) = told["problems"]
    assert code == 0
    assert "fits no tag of the site" in problem["what"]
    assert "belt_speed, belt_load" in problem["cure"]
    assert ask(file, "--site", str(MILL), "--strict")[0] == 1


def test_a_mode_of_a_kind_that_the_site_does_not_have_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, MODES.replace("    equipment: spray header", "    equipment: spray header\n    kind: spray header"))
    (problem,) = ask(file, "--site", str(MILL))[1]["problems"]
    assert "no equipment is of the kind 'spray header'" in problem["what"]


@pytest.mark.parametrize(("text", "code"), [(b"\xff\xfe", 2), (b"holdfast_modes: 1\nmodes: [", 1)])
def test_what_can_not_be_read_is_told(tmp_path: Path, text: bytes, code: int) -> None:
    (tmp_path / "modes.yaml").write_bytes(text)
    assert ask(str(tmp_path / "modes.yaml"))[0] == code
    assert ask(str(tmp_path / "none.yaml"))[0] == 2


def test_checking_a_site_takes_the_roles_of_its_own_tags_for_known(tmp_path: Path) -> None:
    from holdfast.cli import site

    (tmp_path / "modes.yaml").write_text(MODES.replace("lubrication_flow", "brine_flow"), "utf-8")
    (tmp_path / "site.yaml").write_text(SITE, "utf-8")
    app = typer.Typer()
    site.register(app)
    ran = CliRunner().invoke(app, ["check", str(tmp_path / "site.yaml"), "--json"])
    told = json.loads(ran.stdout.splitlines()[-1])
    assert [p["what"] for p in told["problems"] if "role" in p["what"]] == []
    code, told = ask("--site", str(tmp_path / "site.yaml"))
    assert (code, told["modes"]) == (0, ["nozzle_wear"])
    assert {"mode": "nozzle_wear", "equipment": ["header"], "missing": ["lubrication_pressure"]} in told["fits"]
