"""A method is declared by the tags that it writes, each with bounds of its own."""

from pathlib import Path

import pytest
from test_places import SITE

from holdfast.site.load import load
from holdfast.site.model import Method, SiteError


def site_with(tmp_path: Path, calls: str) -> Path:
    (tmp_path / "site.yaml").write_text(SITE.replace("OTHER", "40009:float32") + f"    calls: {calls}\n")
    return tmp_path / "site.yaml"


def test_a_method_with_a_written_tag_is_read(tmp_path: Path) -> None:
    found = load(site_with(tmp_path, "{set: {address: Set, writes: [sp]}}")).site
    assert found.methods == (Method(name="stand/set", connection="plc", address="Set", writes=("stand/sp",)),)


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ("{set: {address: Set, writes: [other]}}", "has no envelope"),
        ("{set: {address: Set, writes: [sp, sp]}}", "writes one tag twice"),
        ("{set: {address: Set, writes: [nobody]}}", 'unknown tag "nobody"'),
        ("{set: {on: cnc, address: Set, writes: [sp]}}", "unknown connection"),
        ("{set: {address: Set}}", "lacks `writes`"),
    ],
)
def test_a_method_that_writes_what_has_no_bounds_is_an_error(tmp_path: Path, calls: str, said: str) -> None:
    with pytest.raises(SiteError, match=said) as error:
        load(site_with(tmp_path, calls))
    assert {p.line for p in error.value.problems if p.severity == "error"} == {14}
