"""Clauses of standards on alarm limits, as the site file has them, and what is wrong with them."""

from pathlib import Path

import pytest

from holdfast.language import chosen
from holdfast.site.load import load
from holdfast.site.model import Clause, SiteError

SITE = """holdfast: 1
site: {{name: s, language: {language}, timezone: UTC}}
connections:
  plc: {{type: modbus, host: 127.0.0.1}}
equipment:
  pump:
    tags:
      vibration: {{on: plc, address: "40001:uint16", unit: mm/s}}
    alarms:
      vibration:
        hi: 4.5
        clauses:
          - {clause}
"""


def read(folder: Path, clause: str, language: str = "en") -> tuple[Clause, ...]:
    (folder / "site.yaml").write_text(SITE.format(clause=clause, language=language), encoding="utf-8")
    loaded = load(folder / "site.yaml")
    assert loaded.site is not None
    return loaded.site.alarms[0].clauses


def test_a_clause_names_limit_standard_place_and_what_it_asks_in_both_languages(tmp_path: Path) -> None:
    (found,) = read(tmp_path, '{limit: hi, standard: "ISO 20816-3:2022", clause: zone B/C, asks: {en: plan a stop, zh: 安排停机}}')
    assert found == Clause(limit="hi", standard="ISO 20816-3:2022", clause="zone B/C", asks=(("en", "plan a stop"), ("zh", "安排停机")))
    assert (chosen(found.asks, "zh"), chosen(found.asks, "en")) == ("安排停机", "plan a stop")


def test_a_plain_text_is_in_the_sites_language_and_told_to_whoever_asks(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "{limit: hi, standard: GB/T 3811-2008, asks: 安排停机}", language="zh")
    assert found.asks == (("zh", "安排停机"),)
    assert chosen(found.asks, "en") == "安排停机"


@pytest.mark.parametrize(
    ("clause", "line", "what", "cure"),
    [
        ("{limit: hihi, standard: X 1}", 13, "a limit that is not there: hihi", "say which limit it is about (hi)"),
        ("{limit: top, standard: X 1}", 13, "top", "hihi"),
        ("{limit: hi}", 13, "standard", ""),
        ("{limit: hi, standard: X 1, paragraph: 3}", 13, "paragraph", "clause"),
    ],
)
def test_a_wrong_clause_is_told_with_its_line_and_the_cure(tmp_path: Path, clause: str, line: int, what: str, cure: str) -> None:
    with pytest.raises(SiteError) as refused:
        read(tmp_path, clause)
    problem = next(p for p in refused.value.problems if p.severity == "error")
    assert problem.line == line
    assert what in problem.what
    assert cure in problem.cure, problem.cure
