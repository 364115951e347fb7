"""S7 addresses as text and as bytes: `DB10.DBD4:REAL` in, bytes and numbers out, without a socket.

    DB<n>.DB<width><byte>[.bit][:type]        DB10.DBD4:REAL   DB1.DBW2:INT   DB1.DBX0.3   DB7.DBB9
    <area><width><byte>[.bit][:type]          MW10:WORD   M0.1   IB0   QX1.2   and, as German tools write them, EW4:INT, A0.7

Widths are X (a bit; may be left out of flags, inputs and outputs), B (8 bits), W (16) and D (32, and the types of 64). The type may be
left out for a bit and a byte alone: 32 bits read as the wrong type would be a wrong value that looks right.

Source: SIMATIC "Ladder Logic for S7-300 and S7-400" (A5E00706949) on absolute addresses; all numbers are big-endian.
"""

import math
import re
import struct
from typing import Literal

from holdfast.terms import Word

Area = Literal["DB", "M", "I", "Q"]
AREAS: tuple[Area, ...] = ("DB", "M", "I", "Q")
_AREAS: dict[str, Area] = {"M": "M", "I": "I", "E": "I", "Q": "Q", "A": "Q"}
_WIDTHS = {"B": 1, "W": 2, "D": 4}
_FORMATS = {
    "BYTE": ">B", "USINT": ">B", "SINT": ">b",
    "WORD": ">H", "UINT": ">H", "INT": ">h",
    "DWORD": ">I", "UDINT": ">I", "DINT": ">i", "REAL": ">f",
    "LWORD": ">Q", "ULINT": ">Q", "LINT": ">q", "LREAL": ">d",
}  # fmt: skip
_FLOATS = frozenset(("REAL", "LREAL"))
_ADDRESS = re.compile(r"%?(?:DB(?P<db>\d{1,5})\.DB(?P<dbw>[XBWD])|(?P<area>[MIQEA])(?P<w>[XBWD]?))(?P<byte>\d{1,5})(?:\.(?P<bit>\d))?")
BYTES = 65_536  # an area's bytes at most: byte addresses are 16 bits wide


class Address(Word):
    """Where a value lies and how its bytes are meant. `bit` counts from the least significant, None but for BOOL."""

    area: Area
    db: int  # 0 but for DB
    byte: int
    kind: str
    bit: int | None = None

    @property
    def bytes(self) -> int:
        return 1 if self.bit is not None else struct.calcsize(_FORMATS[self.kind])


def parse(address: str) -> Address:
    """The address that a text names. Raises ValueError that says what would be right."""
    where, colon, kind = address.strip().upper().partition(":")
    found = _ADDRESS.fullmatch(where)
    if found is None:
        raise ValueError(f"{address!r} is no S7 address: write e.g. DB10.DBD4:REAL, DB1.DBX0.3, MW10:INT, IB0 or Q1.2")
    width = found["dbw"] or found["w"] or "X"
    if colon and kind != "BOOL" and kind not in _FORMATS:
        raise ValueError(f"{address!r}: {kind or 'an empty text'} is no type; types are BOOL, {', '.join(_FORMATS)}")
    byte, db = int(found["byte"]), int(found["db"] or 0)
    if found["db"] is not None and not 1 <= db <= 65_535:
        raise ValueError(f"{address!r}: data blocks count from DB1 to DB65535")
    area: Area = "DB" if found["db"] is not None else _AREAS[found["area"]]
    bit = int(found["bit"]) if found["bit"] is not None else None
    if (width == "X") != (bit is not None):
        raise ValueError(f"{address!r}: a bit is written with its number and without B, W or D: DB1.DBX0.3, M0.1; and only a bit has one")
    if bit is not None:
        if bit > 7 or kind not in ("", "BOOL"):
            raise ValueError(f"{address!r}: bits count from 0 to 7, and a bit is a BOOL")
        return _within(address, Address(area=area, db=db, byte=byte, kind="BOOL", bit=bit))
    return _within(address, Address(area=area, db=db, byte=byte, kind=_typed(address, where, width, kind)))


def _typed(address: str, where: str, width: str, kind: str) -> str:
    if not kind and width == "B":
        return "BYTE"
    fits = [name for name, code in _FORMATS.items() if struct.calcsize(code) in ((4, 8) if width == "D" else (_WIDTHS[width],))]
    if kind not in fits:
        cause = f"{kind} does not fit the width {width}" if kind else "the type must be written"
        raise ValueError(f"{address!r}: {cause}; write {where}: and one of {', '.join(fits)}")
    return kind


def _within(text: str, address: Address) -> Address:
    if address.byte + address.bytes > BYTES:
        raise ValueError(f"{text!r}: reaches past the last byte, {BYTES - 1}")
    return address


def form(kind: str) -> str:
    """struct's and numpy's form of a number; not for BOOL."""
    return _FORMATS[kind]


def decode(address: Address, data: bytes) -> float:
    """The raw number in `data` (`address.bytes` bytes). It may be NaN or infinite."""
    if address.bit is not None:
        return float(data[0] >> address.bit & 1)
    return float(struct.unpack(_FORMATS[address.kind], data)[0])


def encode(address: Address, raw: float) -> bytes:
    """The bytes of a raw number, rounded to what the type holds; of a bit one byte, 0 or 1. Raises ValueError outside its range."""
    if not math.isfinite(raw):
        raise ValueError(f"{raw} can't be written")
    if address.bit is not None:
        if raw not in (0.0, 1.0):
            raise ValueError(f"{raw:g} is neither 0 nor 1")
        return bytes((int(raw),))
    try:
        return struct.pack(_FORMATS[address.kind], raw if address.kind in _FLOATS else round(raw))
    except (struct.error, OverflowError):
        raise ValueError(f"{raw:g} lies outside {address.kind}") from None


def written(address: Address, raw: float) -> float:
    """The raw number that is there after `raw` was written. Raises ValueError if it can't be encoded."""
    data = encode(address, raw)
    return float(data[0]) if address.bit is not None else decode(address, data)
