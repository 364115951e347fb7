"""What mending takes, as the site file has it."""

from pathlib import Path

import pytest

from holdfast.site.load import load
from holdfast.site.model import SiteError, WorkPlan

SITE = """holdfast: 1
site: {{name: s, language: en, timezone: UTC}}
connections:
  plc: {{type: modbus, host: 127.0.0.1}}
equipment:
  pump:
    tags: {{vibration: {{on: plc, address: "40001:uint16", unit: mm/s}}}}
work:
  {work}
"""


def read(folder: Path, work: str) -> tuple[WorkPlan, ...]:
    (folder / "site.yaml").write_text(SITE.format(work=work), encoding="utf-8")
    loaded = load(folder / "site.yaml")
    assert loaded.site is not None
    return loaded.site.work


def test_parts_time_skills_and_whether_product_is_held(tmp_path: Path) -> None:
    text = 'bearing_wear: {equipment: [pump], parts: {"22230-E1": 2}, takes: 4h, skills: [mechanical fitter], holds: true}'
    assert read(tmp_path, text) == (
        WorkPlan(
            mode="bearing_wear", equipment=("pump",), parts=(("22230-E1", 2),), takes_s=14_400.0, skills=("mechanical fitter",), holds=True
        ),
    )
    assert read(tmp_path, "seal_leak: {}") == (WorkPlan(mode="seal_leak"),)


@pytest.mark.parametrize(
    ("work", "what", "cure"),
    [
        ("m: {equipment: [pmup]}", 'unknown equipment "pmup"', "pump"),
        ("m: {parts: {seal: 0.5}}", "seal", "whole"),
        ("m: {takes: long}", "takes", "1h"),
        ("m: {parst: {seal: 1}}", "parst", "parts"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_cure(tmp_path: Path, work: str, what: str, cure: str) -> None:
    with pytest.raises(SiteError) as refused:
        read(tmp_path, work)
    problem = next(p for p in refused.value.problems if p.severity == "error")
    assert problem.line == 9
    assert what in problem.what
    assert cure in problem.cure, problem.cure
