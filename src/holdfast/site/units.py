"""Units are UCUM codes (ucum.org, case sensitive): what a text means in base units, and whether two texts mean the same.

A small own table: the atoms that plants use, the metric prefixes, and the usual spellings that people type instead
(`°C`, `m³/h`, `rpm`). An unknown unit is an error, so that a misspelling never becomes a unit of its own.
"""

import functools
import math
import re

from holdfast.terms import Word

PREFIXES = {
    "da": 1e1,
    "h": 1e2,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "d": 1e-1,
    "c": 1e-2,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
}
# Dimensions: exponents of metre, gram, second, ampere, kelvin, mole, candela, radian; a ninth for what is its own.
Dimension = tuple[tuple[str, int], ...]
_M, _G, _S, _A, _K = {"m": 1}, {"g": 1}, {"s": 1}, {"A": 1}, {"K": 1}
_FORCE = {"m": 1, "g": 1, "s": -2}
_PRESSURE = {"m": -1, "g": 1, "s": -2}
_ENERGY = {"m": 2, "g": 1, "s": -2}
_POWER = {"m": 2, "g": 1, "s": -3}
_VOLT = {"m": 2, "g": 1, "s": -3, "A": -1}
_LB, _INCH, _GN = 453.59237, 0.0254, 9.80665

# atom: (factor to the base, dimension, takes prefixes)
ATOMS: dict[str, tuple[float, dict[str, int], bool]] = {
    "m": (1, _M, True),
    "g": (1, _G, True),
    "s": (1, _S, True),
    "A": (1, _A, True),
    "K": (1, _K, True),
    "mol": (1, {"mol": 1}, True),
    "cd": (1, {"cd": 1}, True),
    "rad": (1, {"rad": 1}, True),
    "Cel": (1, _K, False),
    "[degF]": (5 / 9, _K, False),
    "min": (60, _S, False),
    "h": (3600, _S, False),
    "d": (86400, _S, False),
    "wk": (604800, _S, False),
    "Hz": (1, {"s": -1}, True),
    "N": (1e3, _FORCE, True),
    "Pa": (1e3, _PRESSURE, True),
    "bar": (1e8, _PRESSURE, True),
    "J": (1e3, _ENERGY, True),
    "W": (1e3, _POWER, True),
    "V": (1e3, _VOLT, True),
    "C": (1, {"A": 1, "s": 1}, True),
    "Ohm": (1e3, {"m": 2, "g": 1, "s": -3, "A": -2}, True),
    "S": (1e-3, {"m": -2, "g": -1, "s": 3, "A": 2}, True),
    "F": (1e-3, {"m": -2, "g": -1, "s": 4, "A": 2}, True),
    "H": (1e3, {"m": 2, "g": 1, "s": -2, "A": -2}, True),
    "Wb": (1e3, {"m": 2, "g": 1, "s": -2, "A": -1}, True),
    "T": (1e3, {"g": 1, "s": -2, "A": -1}, True),
    "lm": (1, {"cd": 1}, True),
    "lx": (1, {"cd": 1, "m": -2}, True),
    "eV": (1.602176634e-16, _ENERGY, True),
    "L": (1e-3, {"m": 3}, True),
    "l": (1e-3, {"m": 3}, True),
    "t": (1e6, _G, True),
    "ar": (100, {"m": 2}, True),
    "deg": (math.pi / 180, {"rad": 1}, False),
    "gon": (math.pi / 200, {"rad": 1}, False),
    "%": (1e-2, {}, False),
    "[ppth]": (1e-3, {}, False),
    "[ppm]": (1e-6, {}, False),
    "[ppb]": (1e-9, {}, False),
    "10*": (10, {}, False),
    "[pH]": (1, {"pH": 1}, False),
    "dB": (1, {"dB": 1}, False),
    "[g]": (_GN, {"m": 1, "s": -2}, True),
    "atm": (101325e3, _PRESSURE, False),
    "m[H2O]": (9.80665e6, _PRESSURE, True),
    "m[Hg]": (133.322e6, _PRESSURE, True),
    "gf": (_GN, _FORCE, True),
    "cal": (4184, _ENERGY, True),
    "[Btu]": (1055.05585262e3, _ENERGY, False),
    "[in_i]": (_INCH, _M, False),
    "[ft_i]": (12 * _INCH, _M, False),
    "[yd_i]": (36 * _INCH, _M, False),
    "[mi_i]": (63360 * _INCH, _M, False),
    "[lb_av]": (_LB, _G, False),
    "[lbf_av]": (_LB * _GN, _FORCE, False),
    "[oz_av]": (_LB / 16, _G, False),
    "[psi]": (_LB * _GN / _INCH**2, _PRESSURE, False),
    "[gal_us]": (231 * _INCH**3, {"m": 3}, False),
    "[HP]": (745699.87158227, _POWER, False),
    "P": (100, {"m": -1, "g": 1, "s": -1}, True),
    "St": (1e-4, {"m": 2, "s": -1}, True),
}

# What people type: tried on the whole text first, then on each of its parts.
SPELLINGS = {
    "": "1",
    "-": "1",
    "℃": "Cel",
    "°C": "Cel",
    "degC": "Cel",
    "℉": "[degF]",
    "°F": "[degF]",
    "degF": "[degF]",
    "°": "deg",
    "Ω": "Ohm",
    "ohm": "Ohm",
    "rpm": "{rev}/min",
    "RPM": "{rev}/min",
    "r/min": "{rev}/min",
    "转/分": "{rev}/min",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    "‰": "[ppth]",
    "％": "%",
    "hr": "h",
    "sec": "s",
    "day": "d",
    "psi": "[psi]",
    "inch": "[in_i]",
    "in": "[in_i]",
    "ft": "[ft_i]",
    "lb": "[lb_av]",
    "lbf": "[lbf_av]",
    "gpm": "[gal_us]/min",
    "kgf": "kgf",
    "mmHg": "mm[Hg]",
    "mmH2O": "mm[H2O]",
    "pH": "[pH]",
    "VA": "V.A",
    "kVA": "kV.A",
    "MVA": "MV.A",
    "var": "V.A{reactive}",
    "kvar": "kV.A{reactive}",
    "kWh": "kW.h",
    "MWh": "MW.h",
    "Wh": "W.h",
    "Ah": "A.h",
    "Nm": "N.m",
    "kNm": "kN.m",
    "Nm3/h": "m3{normal}/h",
    "Nm3": "m3{normal}",
    "vol%": "%{vol}",
    "mol%": "%{mol}",
    "wt%": "%{mass}",
    "%RH": "%{RH}",
    "micron": "um",
    "kph": "km/h",
    "hp": "[HP]",
    "HP": "[HP]",
}

_PART = re.compile(r"(?P<symbol>10\*|[A-Za-z%]*\[[A-Za-z0-9_]+\]|[A-Za-z%]+)(?P<power>[+-]?[0-9]{1,2})?(?P<note>\{[^{}]*\})?")
_FACTOR = re.compile(r"(?P<factor>[0-9]{1,9})(?P<note>\{[^{}]*\})?")
_NOTE = re.compile(r"\{[^{}]*\}")
_CLEAN = str.maketrans({"µ": "u", "μ": "u", "·": ".", "⋅": ".", "*": ".", "²": "2", "³": "3", "⁻": "-", "¹": "1", "　": " "})


class Unit(Word):
    """A unit's meaning: value_in_base = factor * value + offset, in metres, grams, seconds, amperes, kelvin, moles …"""

    code: str
    factor: float
    offset: float = 0.0
    dimension: Dimension = ()


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Unit:
    """The unit that a text means. Raises ValueError saying which part is unknown."""
    code = _spelled(text.strip())
    offset = {"Cel": 273.15, "[degF]": 459.67 * 5 / 9}.get(code, 0.0)
    factor, dimension = 1.0, dict[str, int]()
    sign, rest = 1, code
    if rest.startswith("/"):
        sign, rest = -1, rest[1:]
    for part in re.split(r"([./])(?![^{]*\})", rest):
        if part in (".", "/"):
            sign = 1 if part == "." else -1
            continue
        part_factor, part_dimension = _part(part, text)
        factor *= part_factor**sign
        for name, power in part_dimension.items():
            dimension[name] = dimension.get(name, 0) + sign * power
    return Unit(code=code, factor=factor, offset=offset, dimension=tuple(sorted((n, p) for n, p in dimension.items() if p)))


def same(a: str, b: str) -> bool:
    """Whether a number means the same in both. Raises ValueError as parse does."""
    x, y = parse(a), parse(b)
    return x.dimension == y.dimension and math.isclose(x.factor, y.factor, rel_tol=1e-9) and math.isclose(x.offset, y.offset, abs_tol=1e-9)


def _spelled(text: str) -> str:
    if text in SPELLINGS:
        return SPELLINGS[text]
    text = text.replace("10^", "10*").replace("10*", "\0").replace("^", "").translate(_CLEAN).replace("\0", "10*").replace(" ", "")
    if text in SPELLINGS:
        return SPELLINGS[text]
    parts = re.split(r"([./])(?![^{]*\})", text)
    return "".join(SPELLINGS.get(part, part) if part else part for part in parts)


def _part(part: str, whole: str) -> tuple[float, dict[str, int]]:
    if _NOTE.fullmatch(part):
        return 1.0, {}
    number = _FACTOR.fullmatch(part)
    if number:
        if int(number["factor"]) == 0:
            raise ValueError(f'"{whole}" is no unit: it has a factor of 0')
        return float(number["factor"]), {}
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f'"{whole}" is no unit: "{part}" can\'t be read')
    power = int(match["power"] or 1)
    factor, dimension = _atom(match["symbol"], whole)
    return factor**power, {name: exponent * power for name, exponent in dimension.items()}


def _atom(symbol: str, whole: str) -> tuple[float, dict[str, int]]:
    if symbol in ATOMS:
        return ATOMS[symbol][0], ATOMS[symbol][1]
    for prefix, factor in PREFIXES.items():
        atom = ATOMS.get(symbol[len(prefix) :]) if symbol.startswith(prefix) else None
        if atom is not None and atom[2]:
            return factor * atom[0], atom[1]
    raise ValueError(f'"{whole}" is no unit: "{symbol}" is unknown')


def known() -> tuple[str, ...]:
    """Codes and spellings, for "did you mean"."""
    usual = (
        "mm/s",
        "m/min",
        "m/s",
        "m3/h",
        "L/min",
        "kg/h",
        "t/h",
        "kPa",
        "MPa",
        "kN",
        "MN",
        "kW",
        "MW",
        "mA",
        "kV",
        "um",
        "mm",
        "/km",
        "/min",
        "1",
    )
    return tuple(dict.fromkeys((*usual, *ATOMS, *(s for s in SPELLINGS if s))))
