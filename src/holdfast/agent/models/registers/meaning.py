"""What a name means: its words as ideas that Chinese and English share, and how well a wanted name fits a row's.

`quantities.toml` lists the ideas. Words that it does not have count as they are, numbers and single Chinese characters too.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

from holdfast.agent.models.registers.patterns import listed
from holdfast.terms import Word

CACHED_MAX = 2_048  # names whose meaning is kept
WEIGHTS = {"kind": 3.0, "apart": 2.5, "narrow": 1.5, "word": 1.8, "number": 2.0, "sign": 0.7}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z]{3})(?=[0-9])|(?<=[0-9])(?=[A-Z][a-z])")
_UNIT_WORD = re.compile(r"(?<![A-Za-z])[kMGm](?:Wh|W|varh|var|VAh|VA|V|A|Hz|Pa|N|J)(?![A-Za-z])")  # no camels
_ATOM = re.compile(r"[a-z]+[0-9]*|[0-9]+(?:\.[0-9]+)?|[\u4e00-\u9fff]")
_STOP = frozenset(listed("idle"))
_UNIT_KIND: dict[str, str] = {
    **dict.fromkeys(("V", "mV", "kV", "Volt"), "voltage"),
    **dict.fromkeys(("Ampere",), "current"),
    **dict.fromkeys(("Watt",), "power"),
    **dict.fromkeys(("KiloWattHour", "Kilowatthour"), "energy"),
    **dict.fromkeys(("Hertz",), "frequency"),
    **dict.fromkeys(("DegreeCelsius",), "temperature"),
    **dict.fromkeys(("A", "mA", "kA"), "current"),
    **dict.fromkeys(("W", "kW", "MW", "KW", "var", "kvar", "Var", "kVar", "VA", "kVA", "KVA"), "power"),
    **dict.fromkeys(("kWh", "Wh", "MWh", "wh", "kwh", "KWh", "KWH", "kvarh", "varh"), "energy"),
    **dict.fromkeys(("Hz", "kHz", "HZ"), "frequency"),
    **dict.fromkeys(("°C", "℃", "degC", "°F", "K"), "temperature"),
    **dict.fromkeys(("bar", "kPa", "MPa", "Pa", "hPa", "mbar"), "pressure"),
    **dict.fromkeys(("m3/h", "m³/h", "L/min", "l/min", "l/h", "L/h"), "flow"),
    **dict.fromkeys(("rpm", "r/min", "m/min", "m/s"), "speed"),
    **dict.fromkeys(("h", "min", "s", "hours", "Seconds"), "time"),
    **dict.fromkeys(("m3", "m³"), "volume"),
    **dict.fromkeys(("Nm", "N·m", "kNm"), "torque"),
    **dict.fromkeys(("ppm", "ppb", "%vol", "mg/L", "mg/l", "mg/m3", "mg/m³"), "concentration"),
    **dict.fromkeys(("kg", "t", "g"), "weight"),
    **dict.fromkeys(("µS/cm", "uS/cm", "mS/cm"), "conductivity"),
    **dict.fromkeys(("kg/m3", "kg/m³"), "density"),
    **dict.fromkeys(("NTU",), "turbidity"),
    **dict.fromkeys(("W/m²", "W/m2"), "irradiance"),
    **dict.fromkeys(("lux", "lx"), "lighting"),
    **dict.fromkeys(("%RH", "%rh"), "humidity"),
    **dict.fromkeys(("t/h", "kg/h", "m3/s", "m³/s", "L/s", "l/s"), "flow"),
}  # fmt: skip
_FLAVOUR_OF_UNIT = {
    "var": "reactive",
    "kvar": "reactive",
    "Var": "reactive",
    "VA": "apparent",
    "kVA": "apparent",
    "KVA": "apparent",
    "varh": "reactive",
    "kvarh": "reactive",
}


_SOFT = frozenset(
    ("status", "enable", "number", "count", "control", "name", "mode", "load", "level")
)  # a row can be meant without these words


_DEVICES = frozenset(("charger", "inverter", "meter", "unit", "box"))  # what the whole map is of: said or not
_SUBJECTS = frozenset(
    ("battery", "grid", "photovoltaic", "motor", "generator", "compressor", "pump", "fan", "water", "oil", "gas", "backup")
)  # one is not the other


class Idea(Word):
    """`group` is "kind", "narrow", the name of an `apart` group, or "word", "number", "sign" for what no list has."""

    group: str
    text: str

    @property
    def weight(self) -> float:
        if self.text == "actual":
            return 0.8
        if self.text in _DEVICES:
            return 0.7
        if self.group == "kind" and self.text in _SOFT:
            return 1.2
        return WEIGHTS.get(self.group, WEIGHTS["apart"])


class Meaning(Word):
    ideas: frozenset[Idea]
    also: frozenset[Idea] = frozenset()  # what the unit says: may be asked for, need not
    beside: frozenset[Idea] = frozenset()  # what a remark says
    plain: str = ""  # letters and digits alone


@lru_cache(maxsize=1)
def _lexicon() -> tuple[Mapping[str, Idea], int]:
    """Idea by written form, and the most atoms of one form."""
    raw: dict[str, Any] = tomllib.loads(files(__package__ or "").joinpath("quantities.toml").read_text(encoding="utf-8"))
    found: dict[str, Idea] = {}
    for group in ("kind", "narrow"):
        for text, forms in cast("dict[str, list[str]]", raw[group]).items():
            for form in forms:
                found.setdefault(" ".join(atoms_of(form)), Idea(group=group, text=text))
    for group, sides in cast("dict[str, list[list[str]]]", raw["apart"]).items():
        for forms in sides:
            for form in forms:
                found.setdefault(" ".join(atoms_of(form)), Idea(group=group, text=forms[0]))
    return found, max(form.count(" ") + 1 for form in found)


def atoms_of(text: str) -> tuple[str, ...]:
    whole = _UNIT_WORD.sub(lambda unit: unit[0].lower(), text.replace("_", " "))
    spaced = _CAMEL.sub(" ", whole)
    return tuple(_ATOM.findall(spaced.lower()))


def plain(text: str) -> str:
    """Letters, digits and Chinese characters alone, in small letters."""
    return "".join(re.findall(r"[a-z0-9\u4e00-\u9fff]", text.lower()))


@lru_cache(maxsize=CACHED_MAX)
def meaning(text: str, *, unit: str = "", remark: str = "", without: tuple[str, ...] = ()) -> Meaning:
    """The ideas of a name; `without` are atoms at its beginning that all names of a map share."""
    atoms = list(atoms_of(text))
    if without and tuple(atoms[: len(without)]) == without and len(atoms) > len(without):
        atoms = atoms[len(without) :]
    atoms = [_phase_letter(atoms, i, text) for i in range(len(atoms))]
    listed, longest = _lexicon()
    ideas: set[Idea] = set()
    i = 0
    while i < len(atoms):
        for size in range(min(longest, len(atoms) - i), 0, -1):
            idea = listed.get(" ".join(atoms[i : i + size])) or (listed.get(_stem(atoms[i])) if size == 1 else None)
            if idea is not None:
                ideas.add(idea)
                i += size
                break
        else:
            ideas |= _glued(atoms[i], listed) or _plain_idea(atoms[i])
            i += 1
    also: set[Idea] = set()
    if unit in _UNIT_KIND:
        also.add(Idea(group="kind", text=_UNIT_KIND[unit]))
    if unit in _FLAVOUR_OF_UNIT:
        also.add(Idea(group="flavour", text=_FLAVOUR_OF_UNIT[unit]))
    beside = meaning(remark).ideas if remark else frozenset[Idea]()
    return Meaning(ideas=_adjective(frozenset(ideas), text), also=frozenset(also), beside=beside, plain=plain(text))


def _glued(atom: str, listed: Mapping[str, Idea]) -> set[Idea]:
    """Two known words written as one: `maxcurrent`."""
    if not atom.isalpha() or not atom.isascii() or len(atom) < 6:
        return set()
    for cut in range(len(atom) - 3, 2, -1):
        first, second = listed.get(atom[:cut]), listed.get(atom[cut:])
        if first is not None and second is not None:
            return {first, second}
    return set()


def _phase_letter(atoms: list[str], i: int, text: str) -> str:
    """A letter alone at the end, or behind a quantity, is a phase: `Current A`."""
    letter = atoms[i]
    if (
        letter in ("a", "b", "c")
        and i > 0
        and i == len(atoms) - 1
        and re.search(rf"{letter}\W*$", text, re.IGNORECASE)
        and atoms[i - 1] not in ("phase", "of", "is")
    ):
        return {"a": "l1", "b": "l2", "c": "l3"}[letter] if re.search(rf"{letter.upper()}\W*$", text) else letter
    return letter


def _stem(atom: str) -> str:
    for tail in ("ies", "es", "s"):
        if atom.endswith(tail) and len(atom) - len(tail) >= 3:
            return atom[: -len(tail)] + ("y" if tail == "ies" else "")
    return atom


def _plain_idea(atom: str) -> set[Idea]:
    if atom in _STOP or _stem(atom) in _STOP:
        return set()
    if atom[0].isdigit():
        return {Idea(group="number", text=atom.lstrip("0") or "0")}
    if "\u4e00" <= atom[0] <= "\u9fff":
        return {Idea(group="sign", text=atom)}
    found = re.fullmatch(r"([a-z]+)([0-9]+)", atom)
    if found is not None and len(found[1]) >= 2:
        listed, _ = _lexicon()
        word = listed.get(found[1]) or listed.get(_stem(found[1])) or Idea(group="word", text=found[1])
        return {word, Idea(group="number", text=found[2].lstrip("0") or "0")}
    return {Idea(group="word", text=_stem(atom))}


def _adjective(ideas: frozenset[Idea], text: str) -> frozenset[Idea]:
    """`the current power` speaks of power now: before another quantity, `current` is no quantity."""
    now = Idea(group="kind", text="current")
    others = [idea for idea in ideas if idea.group == "kind" and idea.text not in ("current", "limit", "count", "number", "status")]
    if (
        now in ideas
        and others
        and re.search(r"(?i)\bcurrent\b(?!\s*(?:limit|set|max|min|$|[,.?]))\s+\w", text)
        and not re.search(r"(?i)(?:max|min|rated|phase|charging|motor)\w*\s+current", text)
    ):
        return ideas - {now}
    return ideas


def shared_beginning(names: Iterable[str]) -> tuple[str, ...]:
    """Atoms that all of several identifiers begin with, as a maker's prefix; only where each has more."""
    names = list(names)
    cut = [atoms_of(name) for name in names if name and " " not in name.strip() and name.isascii()]
    listed = list(names)
    if len(cut) < 2 or len(cut) != len(listed):
        return ()
    size = 0
    lexicon, _ = _lexicon()
    while all(len(atoms) > size + 1 for atoms in cut) and len({atoms[size] for atoms in cut}) == 1 and cut[0][size] not in lexicon:
        size += 1
    return cut[0][:size]


class Fit(Word):
    """How a wanted name fits a row's: `score` orders rows; `lacking` is the share (0 to 1) of what is wanted that the row has not."""

    score: float
    lacking: float
    extra: float
    opposed: bool  # they say different things of one kind: phase A and phase B
    kind: bool  # a quantity that both name, or none is wanted


def fit(wanted: Meaning, row: Meaning, *, writes: bool = False) -> Fit:
    have = row.ideas | row.also
    wishes = {idea.text for idea in row.ideas if idea.group == "wish"}
    known = have | row.beside
    matched = {idea for idea in wanted.ideas if idea in known or _near(idea, known) or (idea.text == "actual" and "setpoint" not in wishes)}
    lacking = sum(idea.weight for idea in wanted.ideas - matched)
    total = sum(idea.weight for idea in wanted.ideas) or 1.0
    if writes and "max" in {idea.text for idea in row.ideas if idea.group == "height"}:
        matched |= {idea for idea in wanted.ideas if idea.text == "limit"}  # who limits a current sets its maximum
        lacking = sum(idea.weight for idea in wanted.ideas - matched)
    free = {"setpoint"} if writes else set[str]()  # what is written is a setpoint, said or not
    extra = sum(idea.weight for idea in row.ideas - wanted.ideas if not _near(idea, wanted.ideas) and idea.text not in free)
    if not writes and "setpoint" in wishes and not any(idea.group == "wish" for idea in wanted.ideas):
        extra += 2.0  # who asks for the speed does not mean what it is set to
    opposed = _apart(wanted.ideas, have) or (writes and _apart(wanted.ideas, _heard(row)))
    quoted = bool(row.plain) and len(row.plain) >= 3 and row.plain in wanted.plain
    score = (
        sum(idea.weight for idea in matched)
        - 0.9 * lacking
        - 0.35 * extra
        + (2.0 if quoted else 0.0)
        + (1.5 if row.plain and row.plain == wanted.plain else 0.0)
    )
    return Fit(
        score=score,
        lacking=lacking / total,
        extra=extra,
        opposed=opposed,
        kind=_kind_shared(wanted, known),
    )


def _heard(row: Meaning) -> frozenset[Idea]:
    """What a remark says of what its row's name leaves open; numbers and subjects that it speaks of are none of the row's."""
    said = {idea.group for idea in row.ideas}
    return frozenset(i for i in row.beside if i.group in ("wish", "phase", "flavour", "way") and i.group not in said)


def _kind_shared(wanted: Meaning, have: frozenset[Idea]) -> bool:
    kinds = {idea for idea in wanted.ideas if idea.group == "kind" and idea.text not in _SOFT}
    if not kinds:
        return True
    return bool(kinds & have)


def _apart(wanted: frozenset[Idea], have: frozenset[Idea]) -> bool:
    groups = {idea.group for idea in wanted} - {"kind", "narrow", "word", "number", "sign"}
    for group in groups:
        ours, theirs = {i.text for i in wanted if i.group == group}, {i.text for i in have if i.group == group}
        if ours and theirs and not ours & theirs:
            return True
    ours, theirs = {i.text for i in wanted if i.text in _SUBJECTS}, {i.text for i in have if i.text in _SUBJECTS}
    if ours and theirs and not ours & theirs:
        return True
    ours, theirs = {i.text for i in wanted if i.group == "number"}, {i.text for i in have if i.group == "number"}
    return bool(ours and theirs and not ours & theirs)


def _near(idea: Idea, have: frozenset[Idea]) -> bool:
    """A word that begins as one of the others does, from four letters on: `charg` and `charging`."""
    if idea.group != "word" or len(idea.text) < 4:
        return False
    return any(
        other.group == "word" and len(other.text) >= 4 and (other.text.startswith(idea.text[:5]) or idea.text.startswith(other.text))
        for other in have
    )
