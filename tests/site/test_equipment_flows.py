"""What a piece of equipment is and what it feeds, as the site file says it."""

from pathlib import Path

import pytest

from holdfast.site.load import load
from holdfast.site.model import SiteError

TEXT = """\
holdfast: 1
site: {name: s, language: en, timezone: UTC}
connections:
  plc: {type: modbus, host: 127.0.0.1}
equipment:
  pump-1:
    kind: [centrifugal pump, induction motor]
    feeds: [exchanger, exchanger]
    tags: {flow: {on: plc, address: "40001:uint16", unit: L/min}}
  exchanger:
    kind: heat exchanger
    tags: {temp: {on: plc, address: "40002:uint16", unit: Cel}}
default_approvals: [operator]
"""


def written(folder: Path, text: str) -> Path:
    (folder / "site.yaml").write_text(text, "utf-8")
    return folder / "site.yaml"


def test_kind_and_what_it_feeds_are_read_each_once(tmp_path: Path) -> None:
    pump, exchanger = load(written(tmp_path, TEXT)).site.equipment
    assert (pump.kinds, pump.feeds) == (("centrifugal pump", "induction motor"), ("exchanger",))
    assert (exchanger.kinds, exchanger.feeds) == (("heat exchanger",), ())


@pytest.mark.parametrize(
    ("feeds", "what"), [("[exchangr]", 'feeds "exchangr", which is no equipment of this site'), ("[pump-1]", "pump-1 feeds itself")]
)
def test_equipment_that_is_not_there_is_told_with_its_line(tmp_path: Path, feeds: str, what: str) -> None:
    with pytest.raises(SiteError) as told:
        load(written(tmp_path, TEXT.replace("[exchanger, exchanger]", feeds)))
    (problem,) = told.value.problems
    assert problem.line == 8
    assert what in problem.what
    assert problem.cure
