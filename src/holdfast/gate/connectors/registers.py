"""Modbus registers as text and as bits: `40021:int16` in, words and numbers out, without a socket.

    reference[.bit][:type[:word order[:byte order]]]

`reference` is the Modicon form, five or six digits, counted from 1: 0xxxx coils, 1xxxx discrete inputs, 3xxxx input
registers, 4xxxx holding registers. Orders are `big` (the protocol's own, and the default) or `little`; word order
`little` has the low word first, byte order `little` swaps the bytes inside each word. A bit of a register,
`40021.3:bool`, counts from the least significant and can be read only.

Source: MODBUS Application Protocol V1.1b3 §4.3 (data model), §4.4 (addressing).
"""

import math
import re
import struct
from collections.abc import Iterable, Sequence
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Scale, Word

Area = Literal["coil", "discrete", "input", "holding"]
Kind = Literal["bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
Order = Literal["big", "little"]

_AREAS: dict[str, Area] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_FORMATS: dict[str, str] = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I",
    "int64": ">q", "uint64": ">Q", "float32": ">f", "float64": ">d",
}  # fmt: skip
_NUMPY: dict[str, str] = {
    "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "int64": "i8", "uint64": "u8", "float32": "f4", "float64": "f8",
}  # fmt: skip
_REFERENCE = re.compile(r"([0134])(\d{4,5})(?:\.(\d{1,2}))?")


def form(kind: Kind) -> str:
    """struct's letter of a number."""
    return _FORMATS[kind][1:]


class Register(Word):
    """Where a value lies and how its bits are meant. `offset` counts from 0, as on the wire; `words` 1 for a bit."""

    area: Area
    offset: int
    kind: Kind
    word_order: Order = "big"
    byte_order: Order = "big"
    bit: int | None = None

    @property
    def words(self) -> int:
        return 1 if self.kind == "bool" else struct.calcsize(_FORMATS[self.kind]) // 2


class Span(Word):
    """One read request: `count` registers or bits from `offset`; `members` index the registers that lie in it."""

    area: Area
    offset: int
    count: int
    members: tuple[int, ...]


def parse(address: str, *, word_order: Order = "big", byte_order: Order = "big") -> Register:
    """The register that an address names. Raises ValueError that says what would be right."""
    parts = address.strip().split(":")
    found = _REFERENCE.fullmatch(parts[0])
    if found is None or len(parts) > 4:
        raise ValueError(f"{address!r} is no Modbus address: write e.g. 40021:int16, 30010:float32:little or 00001:bool")
    area = _AREAS[found[1]]
    number = int(found[2])
    if not 1 <= number <= 65536:
        raise ValueError(f"{address!r}: registers count from 1 to 65536, so the first holding register is 40001")
    bits = area in ("coil", "discrete")
    kind = parts[1] if len(parts) > 1 else "bool" if bits else ""
    if kind != "bool" and kind not in _FORMATS:
        raise ValueError(f"{address!r}: the type must be written: bool, {', '.join(_FORMATS)}")
    if bits and (kind != "bool" or found[3] is not None):
        raise ValueError(f"{address!r}: a {area} is a bool and has no bits; registers are 3xxxx and 4xxxx")
    if not bits and (kind == "bool") != (found[3] is not None):
        raise ValueError(f"{address!r}: a bool in a register names its bit, e.g. {parts[0].split('.')[0]}.3:bool, and only a bool does")
    bit = int(found[3]) if found[3] is not None else None
    if bit is not None and bit > 15:
        raise ValueError(f"{address!r}: bits of a register count from 0 to 15")
    orders = parts[2:]
    if any(order not in ("big", "little") for order in orders):
        raise ValueError(f"{address!r}: an order is big or little")
    register = Register(
        area=area,
        offset=number - 1,
        kind=cast(Kind, kind),
        word_order=cast(Order, orders[0]) if orders else word_order,
        byte_order=cast(Order, orders[1]) if len(orders) > 1 else byte_order,
        bit=bit,
    )
    if register.offset + register.words > 65536:
        raise ValueError(f"{address!r}: reaches past the last register, 65536")
    return register


def decode(register: Register, words: Sequence[int]) -> float:
    """The raw number in `words` (`register.words` of them, 0..65535; for coils one 0 or 1). It may be NaN or infinite."""
    if register.kind == "bool":
        return float(words[0] >> register.bit & 1 if register.bit is not None else words[0] & 1)
    return float(struct.unpack(_FORMATS[register.kind], _arrange(register, words))[0])


class Decoder:
    """All registers of one span at once: the same bits as `decode` gives one by one, an array operation a type."""

    def __init__(self, span: Span, registers: Sequence[Register]) -> None:
        groups: dict[tuple[Kind, Order, Order], list[int]] = {}
        for member in span.members:
            register = registers[member]
            groups.setdefault((register.kind, register.word_order, register.byte_order), []).append(member)
        self._groups = [_group(*key, members, registers, span) for key, members in groups.items()]

    def into(self, words: NDArray[np.uint16], values: NDArray[np.float64]) -> None:
        """`words` (count,) as read (for coils 0 or 1 each); fills `values` at the members' places."""
        for members, at, bits, swapped, form in self._groups:
            if bits is not None:
                values[members] = words[at[:, 0]] >> bits & 1
            else:
                values[members] = words[at].astype("<u2" if swapped else ">u2").view(form)[:, 0]


_Group = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint16] | None, bool, str]


def _group(kind: Kind, word_order: Order, byte_order: Order, members: Sequence[int], registers: Sequence[Register], span: Span) -> _Group:
    """(members, the places of their words (members, words), their bits or None, bytes swapped, numpy's form)."""
    starts = np.array([registers[m].offset - span.offset for m in members], np.intp)
    width = registers[members[0]].words
    within = np.arange(width, dtype=np.intp)
    at = starts[:, None] + (within if word_order == "big" else within[::-1])
    if kind == "bool":
        return np.array(members, np.intp), at, np.array([registers[m].bit or 0 for m in members], np.uint16), False, ""
    return np.array(members, np.intp), at, None, byte_order == "little", f">{_NUMPY[kind]}"


def encode(register: Register, raw: float) -> tuple[int, ...]:
    """The words (or one 0 or 1) of a raw number, rounded to what the type holds. Raises ValueError outside its range."""
    if not math.isfinite(raw):
        raise ValueError(f"{raw} can't be written")
    if register.bit is not None:
        raise ValueError("a bit inside a register can't be written: it would take reading the register first, and its neighbours may move")
    if register.kind == "bool":
        if raw not in (0.0, 1.0):
            raise ValueError(f"{raw:g} is neither 0 nor 1")
        return (int(raw),)
    number = raw if register.kind.startswith("float") else round(raw)
    try:
        packed = struct.pack(_FORMATS[register.kind], number)
    except (struct.error, OverflowError):
        raise ValueError(f"{raw:g} lies outside {register.kind}") from None
    words = _arrange(register, struct.unpack(f">{len(packed) // 2}H", packed))
    return struct.unpack(f">{len(words) // 2}H", words)


def to_eng(scale: Scale | None, raw: float) -> float:
    """Engineering units of a raw number."""
    if scale is None:
        return raw
    (raw_low, raw_high), (eng_low, eng_high) = scale.raw, scale.eng
    return eng_low + (raw - raw_low) * (eng_high - eng_low) / (raw_high - raw_low)


def to_raw(scale: Scale | None, eng: float) -> float:
    """The raw number, not yet rounded, of a value in engineering units. Never clamped."""
    if scale is None:
        return eng
    (raw_low, raw_high), (eng_low, eng_high) = scale.raw, scale.eng
    return raw_low + (eng - eng_low) * (raw_high - raw_low) / (eng_high - eng_low)


def wire_value(register: Register, scale: Scale | None, value: float) -> float:
    """What would arrive of `value` (engineering units), in engineering units. Raises ValueError if it can't be encoded."""
    return to_eng(scale, decode(register, encode(register, to_raw(scale, value))))


def spans(registers: Sequence[Register], *, gap_max: int = 16, words_max: int = 120, bits_max: int = 1000) -> tuple[Span, ...]:
    """The fewest requests that read all `registers`, reading over gaps of up to `gap_max` that nobody asked for."""
    found: list[Span] = []
    for area in ("coil", "discrete", "input", "holding"):
        limit = bits_max if area in ("coil", "discrete") else words_max
        members = sorted((i for i, r in enumerate(registers) if r.area == area), key=lambda i: registers[i].offset)
        found += _cut(area, [(i, registers[i]) for i in members], gap_max, limit)
    return tuple(found)


def halves(span: Span, registers: Sequence[Register]) -> tuple[Span, ...]:
    """The two spans with which a refused one is tried again; none where it has one member only."""
    if len(span.members) < 2:
        return ()
    middle = len(span.members) // 2
    return tuple(_span(span.area, [(i, registers[i]) for i in part]) for part in (span.members[:middle], span.members[middle:]))


def _cut(area: Area, members: Iterable[tuple[int, Register]], gap_max: int, limit: int) -> list[Span]:
    groups: list[list[tuple[int, Register]]] = []
    start = end = 0
    for i, register in members:
        last = register.offset + register.words
        if groups and register.offset - end <= gap_max and max(last, end) - start <= limit:
            groups[-1].append((i, register))
            end = max(end, last)
        else:
            groups.append([(i, register)])
            start, end = register.offset, last
    return [_span(area, group) for group in groups]


def _span(area: Area, group: Sequence[tuple[int, Register]]) -> Span:
    start = min(r.offset for _, r in group)
    end = max(r.offset + r.words for _, r in group)
    return Span(area=area, offset=start, count=end - start, members=tuple(i for i, _ in group))


def _arrange(register: Register, words: Sequence[int]) -> bytes:
    """Words to bytes with the orders undone; it is its own inverse, so that encoding uses it too."""
    ordered = words if register.word_order == "big" else tuple(reversed(words))
    return struct.pack(f"{'>' if register.byte_order == 'big' else '<'}{len(ordered)}H", *ordered)
