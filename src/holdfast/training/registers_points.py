"""Points of made-up register maps: names, addresses, types and scales as one map writes them, before they are put in any layout."""

import random
from collections.abc import Sequence

from holdfast.terms import Word
from holdfast.training import registers_words as words


class Point(Word):
    """A row to be: its parts as they are written."""

    name: str
    address: str
    type: str
    scale: str
    unit: str
    access: str
    area: str
    lead: str  # the area, before all else
    length: str
    note: str
    code: str  # how to write this one alone


def of(r: random.Random, listed: Sequence[str]) -> str:
    return r.choice(listed)


# ---- names -------------------------------------------------------------------------------------------------------------


def _made_up(r: random.Random, zh: bool) -> str:
    if zh:
        return "".join(r.choice(words.listed("syllables_zh")) for _ in range(r.randint(2, 4)))
    return "".join(r.choice(words.listed("syllables_en")) for _ in range(r.randint(2, 3)))


def named(r: random.Random, zh: bool, bits: bool, style: int) -> tuple[str, str]:
    """A name in one of the styles, and a unit that goes with it."""
    subject = r.choice(words.listed("subjects_en"))
    if bits:
        name = r.choice(words.listed("states_zh") if zh else words.listed("states_en"))
        unit = ""
    else:
        quantity, units = r.choice(words.listed("quantities_zh") if zh else words.listed("quantities_en")).rsplit(":", 1)
        subject = _made_up(r, zh) if r.random() < 0.25 else r.choice(words.listed("subjects_zh") if zh else words.listed("subjects_en"))
        order = (subject, quantity) if zh or r.random() < 0.8 else (quantity, subject)
        name = ("" if zh else " ").join(order) if r.random() < 0.85 else quantity
        unit = r.choice(units.split(";"))
    if r.random() < 0.22:
        more = r.sample(words.listed("more_zh" if zh else "more_en"), r.randint(1, 3))
        where = r.random()
        gap = "" if zh else " "
        name = gap.join((*more, name)) if where < 0.3 else gap.join((name, *more)) if where < 0.8 else gap.join(more)
    if not zh and r.random() < 0.08:
        name = r.choice(
            (
                f"{name} of {subject}" if not bits else name,
                f"{name} for {_made_up(r, False)}",
                f"{name} & {_made_up(r, False)}",
                f"{name}/{_made_up(r, False)}",
            )
        )
    if r.random() < 0.1:
        name += ("" if zh else " ") + r.choice(
            ("1", "2", "A", "(total)", "[1]", "PV", "实际值", "setpoint", "#3", "No. 2", "Ch2", ", 0.1V")
        )
    if zh:
        return (name + " " + _camel(_made_up(r, False), r) if r.random() < 0.06 else name), unit
    return _styled(r, name, style), unit


def _styled(r: random.Random, name: str, style: int) -> str:
    plain = "".join(c if c.isalnum() else " " for c in name).split()
    match style:
        case 0:
            return name
        case 1:
            return name[:1].upper() + name[1:]
        case 2:
            return name.title() if r.random() < 0.8 else name.lower()
        case 3:
            return "_".join(plain).upper()
        case 4:
            return "_".join(plain).lower()
        case 5:
            return _camel(" ".join(plain), r)
        case 6:
            return "reg" + _camel(" ".join(plain), r)
        case _:
            return "".join(p[:4].capitalize() for p in plain)


def _camel(name: str, r: random.Random) -> str:
    return "".join(w[:1].upper() + w[1:] for w in name.split()) + (str(r.randrange(4)) if r.random() < 0.1 else "")


# ---- points ------------------------------------------------------------------------------------------------------------


class Ways(Word):
    """How one map writes things."""

    zh: bool
    style: int
    prefix: str
    area: str
    base: str  # zero, one, reference
    number: int  # which notation of addresses
    access: float
    units: bool
    scale: int
    led: bool  # rows begin with their area
    typed: float  # share of rows with a type


def ways_of(r: random.Random, zh: bool) -> Ways:
    area = r.choices(("holding", "input", "coil", "discrete"), (5, 4, 1.2, 0.5))[0]
    base = r.choices(("zero", "one", "reference"), (5, 2, 2.2))[0]
    prefix = _made_up(r, False)[:3] + r.choice(("Reg", "", "_")) if r.random() < 0.4 else ""
    access = r.choice((0.0, 0.9, 1.0, 0.3))
    style = r.randrange(8)
    number = r.randrange(7)
    return Ways(
        zh=zh,
        style=style,
        prefix=prefix,
        area=area,
        base=base,
        number=number,
        access=access,
        units=r.random() < 0.85,
        scale=r.randrange(8),
        led=r.random() < 0.04,
        typed=r.choice((0.97, 0.97, 0.97, 0.3, 0.0)),
    )


def _address(r: random.Random, ways: Ways, at: int, length: int) -> str:
    if ways.base == "reference":
        digit = {"coil": "0", "discrete": "1", "input": "3", "holding": "4"}[ways.area]
        wide = 5 if ways.number % 2 else 4
        text = f"{digit}{at % 9999 + 1:0{wide}d}"
        if ways.number == 6:
            text = f"{digit}x{at % 9999 + 1:04d}"
        return f"{text}-{int(text) + length - 1}" if length > 1 and ways.number in (2, 3) and text.isdigit() else text
    match ways.number:
        case 0:
            return f"0x{at:04X}"
        case 1:
            return f"{at:04X}H" if at >= 16 else f"{at:02X}H"
        case 2:
            return f"0x{at:x}"
        case 3:
            return f"{at:04X}h" if f"{at:04X}"[0].isdigit() else f"0x{at:04X}"
        case 4 if length > 1 and r.random() < 0.4:
            return f"{at}-{at + length - 1}"
        case _:
            return str(at)


def point(r: random.Random, ways: Ways, at: int) -> Point:
    bits = ways.area in ("coil", "discrete")
    kinds = ("uint16", "int16", "uint32", "int32", "float32", "uint64", "int64", "float64", "string", "bits")
    kind = "bool" if bits else r.choices(kinds, (9, 5, 5, 4, 4, 0.7, 0.5, 0.5, 0.4, 0.6))[0]
    count = {"32": 2, "64": 4}.get(kind[-2:], 1)
    name, unit = named(r, ways.zh, bits, ways.style)
    scaled = not bits and kind not in ("string", "bits") and r.random() < (0.15 if kind == "float32" else 0.6)
    factor = r.choice(("0.1", "0.1", "0.01", "0.001", "10", "100", "0.5", "1000"))
    area = of(r, words.by_kind("areas")[ways.area]) if r.random() < 0.12 else ""
    if r.random() < ways.access:
        access = of(
            r,
            words.listed("writable") if r.random() < 0.4 else words.listed("readable") if r.random() < 0.9 else words.listed("write_only"),
        )
    else:
        access = ""
    return Point(
        name=(ways.prefix if not ways.zh else "") + name,
        address=_address(r, ways, at, count),
        type=of(r, words.by_kind("types")[kind]) if r.random() < (0.5 if bits else ways.typed) else "",
        scale=_scale(r, ways, factor) if scaled else "",
        unit=unit if ways.units and (not ways.zh or r.random() < 0.9) else "",
        access=access,
        area=area,
        lead=of(r, words.by_kind("areas")[ways.area]) if ways.led else "",
        length=str(count) if r.random() < 0.12 else "",
        note=_note(r, at, scaled),
        code=of(r, words.by_kind("row_codes")[r.choice(("6", "16"))]) if r.random() < 0.05 else "",
    )


def _note(r: random.Random, at: int, scaled: bool) -> str:
    """Text without a label: named states, ranges, further addresses."""
    kind = r.random()
    if kind < 0.1 and not scaled:
        states = r.sample(words.listed("states_words"), r.randint(2, 4))
        sign, gap = r.choice((("=", " "), (": ", ", "), (" = ", "; "), ("-", "/"), (":", " ")))
        return gap.join(f"{i}{sign}{state}" for i, state in enumerate(states))
    if kind < 0.2 and not scaled:
        return of(r, words.listed("enums"))
    if kind < 0.24:
        return f"{at + 2}, {at + 4}"
    return r.choice(("", "", "", "", "", "-", "!", of(r, words.listed("notes"))))


def _scale(r: random.Random, ways: Ways, factor: str) -> str:
    """The whole of what is written of a scale, but for its unit."""
    inverse = {"0.1": "10", "0.01": "100", "0.001": "1000", "0.5": "2", "10": "0.1", "100": "0.01", "1000": "0.001"}[factor]
    chosen = words.listed("scales_zh" if ways.zh else "scales_en")
    way = r.choice(chosen) if r.random() < 0.5 else chosen[ways.scale]
    return way.format(factor=factor, inverse=inverse)
