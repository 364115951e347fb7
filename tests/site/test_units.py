"""Units: what a spelling means, which two mean the same, and what is refused. Factors by hand from the SI brochure."""

import pytest

from holdfast.site.units import parse, same


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("°C", "Cel"),
        ("℃", "Cel"),
        ("%", "%"),
        ("m/min", "m/min"),
        ("mm/s", "mm/s"),
        ("kN", "kN"),
        ("L/min", "L/min"),
        ("m3/h", "m3/h"),
        ("m³/h", "m3/h"),
        ("m^3/h", "m3/h"),
        ("/km", "/km"),
        ("µm", "um"),
        ("N·m", "N.m"),
        ("kWh", "kW.h"),
        ("rpm", "{rev}/min"),
        ("Nm3/h", "m3{normal}/h"),
        ("mol%", "%{mol}"),
        ("", "1"),
    ],
)
def test_a_usual_spelling_becomes_its_code(text: str, code: str) -> None:
    assert parse(text).code == code
    assert parse(code).code == code, "a code is its own spelling"


@pytest.mark.parametrize(
    ("text", "factor", "dimension"),
    [
        ("m/min", 1 / 60, (("m", 1), ("s", -1))),
        ("L/min", 1e-3 / 60, (("m", 3), ("s", -1))),
        ("bar", 1e8, (("g", 1), ("m", -1), ("s", -2))),  # 1e5 Pa = 1e5 kg/(m s2) = 1e8 g/(m s2)
        ("kgf/cm2", 98066.5e3, (("g", 1), ("m", -1), ("s", -2))),
        ("kW.h", 3.6e9, (("g", 1), ("m", 2), ("s", -2))),
        ("[psi]", 6894.757293168e3, (("g", 1), ("m", -1), ("s", -2))),
        ("10*3.m3/h", 1000 / 3600, (("m", 3), ("s", -1))),
        ("m/s2", 1.0, (("m", 1), ("s", -2))),
        ("m.s-1", 1.0, (("m", 1), ("s", -1))),
        ("m/s/s", 1.0, (("m", 1), ("s", -2))),
        ("1", 1.0, ()),
    ],
)
def test_a_unit_means_a_factor_and_a_dimension(text: str, factor: float, dimension: tuple[tuple[str, int], ...]) -> None:
    unit = parse(text)
    assert unit.factor == pytest.approx(factor, rel=1e-9)
    assert unit.dimension == dimension


@pytest.mark.parametrize(("a", "b"), [("l/min", "L/min"), ("m.s-1", "m/s"), ("kPa", "10*3.Pa"), ("°C", "Cel"), ("MPa", "N/mm2")])
def test_two_spellings_of_one_unit_are_the_same(a: str, b: str) -> None:
    assert same(a, b)


@pytest.mark.parametrize(("a", "b"), [("kN", "N"), ("Cel", "K"), ("mm/s", "mm"), ("%", "1"), ("bar", "MPa"), ("Cel", "[degF]")])
def test_two_units_are_not_the_same(a: str, b: str) -> None:
    assert not same(a, b)


@pytest.mark.parametrize("text", ["kNN", "m//s", "m/", "/", "kmin", "m{", "0", "0.m", "meter", "MM/S", "°K", "[x]", "牛顿", "m\n/s"])
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no unit"):
        parse(text)
