"""Two addresses that are one place are one tag: by another spelling, as an element or bit, or by shared registers."""

from pathlib import Path

import pytest

from holdfast.site.load import load
from holdfast.site.model import SiteError
from holdfast.site.places import collisions, place, shared
from holdfast.terms import Tag

MILL = "urn:mill"


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ("Stand4.SP", "Stand4.SP", "same"),
        ("Stand4.SP", " Stand4.SP ", "same"),
        ("Stand4.SP", "s=Stand4.SP", "same"),
        ("Stand4.SP", "nsu=urn:mill;s=Stand4.SP", "same"),
        ("Stand4.SP", "nsu=urn:other;s=Stand4.SP", ""),
        ("Stand4.SP", "ns=3;s=Stand4.SP", "same"),  # which namespace 3 is, only the server knows
        ("ns=2;s=Stand4.SP", "ns=5;s=Stand4.SP", "same"),
        ("ns=2;i=85", "ns=2;i=0085", "same"),
        ("ns=2;i=85", "ns=2;s=85", ""),
        ("Stand4.SP", "Ｓtand4.SP", "same"),  # full-width S
        ("Stand4.SP", "Stand4.SP[2]", "part"),
        ("Stand4.SP[1]", "Stand4.SP[2]", ""),
        ("Stand4.SP[1]", "Stand4.SP[1].3", "part"),
        ("Stand4.Flags", "Stand4.Flags.7", "part"),
        ("Stand4.Flags", "Stand4.Flags.%X7", "part"),
        ("Stand4.SP", "Stand4.PV", ""),
        ("40001:float32", "40002:uint16", "registers"),
        ("40001:float32", "40003:uint16", ""),
        ("40001:float64:little", "40004:int16", "registers"),
        ("40001:uint16", "400001:uint16", "same"),
        ("40001:uint16", "40001:int16", "same"),
        ("40001:uint16", "30001:uint16", ""),
        ("40001:uint16", "40001.3:bool", "part"),
        ("40001.2:bool", "40001.3:bool", ""),
        ("00001", "00001:bool", "same"),
    ],
)
def test_one_place_or_two(a: str, b: str, why: str) -> None:
    assert shared(place(a, MILL), place(b, MILL)) == why
    assert shared(place(b, MILL), place(a, MILL)) == why


def test_each_pair_is_told_once_with_the_later_tag_first() -> None:
    def tag(name: str, address: str) -> Tag:
        return Tag(name=name, connection="plc", address=address, unit="1")

    tags = (tag("x/a", "40001:float32"), tag("x/b", "40009:int16"), tag("x/c", "40002:int16"), tag("x/d", "A"), tag("x/e", "A[0]"))
    assert [(a.name, b.name, why) for a, b, why in collisions(tags, {})] == [("x/c", "x/a", "registers"), ("x/e", "x/d", "part")]


SITE = """\
holdfast: 1
site: {name: small}
connections: {plc: {type: modbus, host: 127.0.0.1, writes: true, security: none}}
equipment:
  stand:
    tags:
      sp:     {address: "40001:float32", unit: kN, access: write}
      sp_now: {address: "40003:float32", unit: kN}
      permit: {address: "40007:uint16", type: bool}
      other:  {address: "OTHER", unit: kN}
    envelopes:
      sp: {autonomy: act, enable: {tag: permit, is: 1}, range: [90, 115], step: 2.0, rate: none, writes: none, dwell: none,
           rests_on: none, readback: {tag: sp_now, within: 0.05, after: 1s}}
"""


@pytest.mark.parametrize(
    ("address", "said"),
    [("40002:uint16", "share registers"), ("40001.5:bool", "an element or bit of it"), ("40001:uint32", "one address")],
)
def test_a_written_register_has_no_second_name(tmp_path: Path, address: str, said: str) -> None:
    kind = ", type: bool" if address.endswith("bool") else ", unit: kN"
    text = SITE.replace('"OTHER", unit: kN', f'"{address}"{kind}')
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(SiteError) as error:
        load(tmp_path / "site.yaml")
    assert [(p.line, said in p.what) for p in error.value.problems if p.severity == "error"] == [(10, True)]
    (tmp_path / "site.yaml").write_text(SITE.replace("OTHER", "40009:float32"))
    load(tmp_path / "site.yaml")
