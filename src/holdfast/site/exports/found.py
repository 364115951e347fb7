"""What was understood of an export: tags taken, lines left, and what the export itself does not say."""

import math

from holdfast.site.names import LENGTH_MAX, clean, fault, skeleton
from holdfast.site.units import parse
from holdfast.terms import Scale, TagType, Word

ROWS_MAX = 40_000  # as many as a tag list of the site may have


class Options(Word):
    """What a person says beside the file, because no export says it."""

    protocol: str = ""  # opcua, modbus or s7: how the tags will be read; "" where the export lets no doubt
    word_order: str = ""  # big or little: of Modbus values wider than a register
    source: str = ""  # of several devices or OPC servers in one export, the one that is wanted
    under: str = ""  # Kepware over OPC UA: Channel.Device, which the export leaves out
    db: int = 0  # a data block's number, which its source leaves out


class Taken(Word):
    """One tag as ours. `line` counts from 1, 0 where the format has no lines."""

    line: int
    name: str
    address: str
    type: TagType
    unit: str = "1"
    every_s: float | None = None
    eu_range: tuple[float, float] | None = None
    scale: Scale | None = None
    description: str = ""
    remark: str = ""  # what a person should look at


class Left(Word):
    """One line that became no tag."""

    line: int
    name: str
    why: str


class Export(Word):
    kind: str
    taken: tuple[Taken, ...]
    left: tuple[Left, ...]
    notes: tuple[str, ...]  # what holds for all lines and is to be checked


class NotUnderstood(ValueError):
    """The file as a whole can't be used; the message says why and what to do."""


class Sorting:
    """Takes and leaves lines; makes names fit, and gives no name twice."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.left: list[Left] = []
        self.notes: list[str] = []
        self._names: dict[str, int] = {}

    def take(self, tag: Taken) -> None:
        """`tag.name` as the export has it, parts joined by dots."""
        remarks = [tag.remark] if tag.remark else []
        name = _fit(tag.name)
        if name != tag.name:
            remarks.append(f'named "{tag.name}" there')
        if not tag.address.isprintable():
            return self.leave(tag.line, tag.name, "its address has invisible characters")
        if len(self.taken) >= ROWS_MAX:
            return self.leave(tag.line, tag.name, f"more than {ROWS_MAX} tags: export them device by device")
        why = fault(name, dots=True)
        if why:
            return self.leave(tag.line, tag.name, f"its name can't be one: {why}")
        key = skeleton(name)
        if key in self._names:
            first = f" in line {self._names[key]}" if self._names[key] else ""
            return self.leave(tag.line, tag.name, f"its name is there already, or looks like one that is{first}")
        self._names[key] = tag.line
        unit, description = _unit(tag)
        if unit != "1" and tag.type in ("bool", "state"):
            unit = "1"
        self.taken.append(
            Taken(
                line=tag.line,
                name=name,
                address=tag.address,
                type="float" if tag.scale is not None and tag.type == "integer" else tag.type,
                unit=unit,
                every_s=tag.every_s,
                eu_range=tag.eu_range,
                scale=tag.scale,
                description=description,
                remark="; ".join(remarks),
            )
        )
        return None

    def leave(self, line: int, name: str, why: str) -> None:
        self.left.append(Left(line=line, name=name, why=why))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def done(self, kind: str) -> Export:
        return Export(kind=kind, taken=tuple(self.taken), left=tuple(self.left), notes=tuple(self.notes))


def number(text: str) -> float | None:
    """A finite number, None for an empty cell. Raises ValueError for anything else."""
    if not text.strip():
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def scaled(raw: tuple[float | None, float | None], eng: tuple[float | None, float | None]) -> Scale | None:
    """A linear scale, None where there is none. Raises ValueError for one that a site file can't say: flat, or falling."""
    ends = (*raw, *eng)
    if all(end is None for end in ends):
        return None
    if None in ends:
        raise ValueError("its scaling lacks an end")
    low, high, eng_low, eng_high = (end for end in ends if end is not None)
    if low > high:
        low, high, eng_low, eng_high = high, low, eng_high, eng_low
    if low == high or eng_low >= eng_high:
        raise ValueError("its scaling is flat or falls: only a rising one can be said here; read it from the other tool over OPC UA")
    return Scale(raw=(low, high), eng=(eng_low, eng_high))


def _fit(name: str) -> str:
    parts = (part.strip() for part in clean(name).split("."))
    fitted = ("".join(c if fault(c) is None else "_" for c in part) for part in parts)
    return ".".join(part for part in fitted if part)[: LENGTH_MAX + 1]


def _unit(tag: Taken) -> tuple[str, str]:
    """(unit, description): a unit that we don't know goes into the description, never away."""
    description = " ".join(tag.description.split())
    try:
        return parse(tag.unit).code, description
    except ValueError:
        return "1", f"{description} (unit there: {tag.unit})".strip()
