"""How other tools write Modbus and S7 addresses, as ours write them. What has no certain meaning is a ValueError that says why.

Sources: Kepware's "Modbus TCP/IP Ethernet" and "Siemens TCP/IP Ethernet" driver manuals (address descriptions, standard item
syntax), Inductive Automation's "Modbus Addressing" and "Siemens Addressing", Siemens' list of data types for S7-1200 and S7-1500.
"""

import re

from holdfast.terms import TagType

# What the types of Kepware and Ignition are on the wire: (Modbus, S7 of that width).
KINDS: dict[str, tuple[str, str]] = {
    "boolean": ("bool", "BOOL"),
    "char": ("", "SINT"),
    "byte": ("", "BYTE"),
    "short": ("int16", "INT"),
    "word": ("uint16", "WORD"),
    "long": ("int32", "DINT"),
    "dword": ("uint32", "DWORD"),
    "llong": ("int64", "LINT"),
    "qword": ("uint64", "LWORD"),
    "float": ("float32", "REAL"),
    "double": ("float64", "LREAL"),
}
_WIDE = ("int32", "uint32", "int64", "uint64", "float32", "float64")
_FLOATS = ("float32", "float64", "REAL", "LREAL")
_MODBUS = re.compile(r"(?P<hex>[Hh]?)(?P<area>[0134])(?P<number>[0-9A-Fa-f]{4,5})(?:\.(?P<bit>\d{1,2}))?")
_IGNITION = re.compile(r"(?:(?P<unit>\d{1,3})\.)?(?P<area>HR|IR|DI|C)(?P<kind>[A-Z]*(?:_64)?)(?P<number>\d{1,5})(?:\.(?P<bit>\d{1,2}))?")
_IGNITION_KINDS = {
    "": "int16", "US": "uint16", "I": "int32", "UI": "uint32", "I_64": "int64", "UI_64": "uint64", "F": "float32", "D": "float64",
}  # fmt: skip
# Widths of the S7 types that Kepware and Ignition write into an address.
_S7_WIDTHS = {
    "X": "X", "B": "B", "BYTE": "B", "W": "W", "WORD": "W", "I": "W", "INT": "W", "D": "D", "DWORD": "D", "DI": "D", "DINT": "D",
    "R": "D", "REAL": "D",
}  # fmt: skip
_S7_TYPES = {"B": "BYTE", "BYTE": "BYTE", "W": "WORD", "WORD": "WORD", "I": "INT", "INT": "INT", "D": "DWORD", "DWORD": "DWORD",
             "DI": "DINT", "DINT": "DINT", "R": "REAL", "REAL": "REAL"}  # fmt: skip
_S7_BITS = {"BYTE": 8, "SINT": 8, "USINT": 8, "WORD": 16, "INT": 16, "UINT": 16, "DWORD": 32, "DINT": 32, "UDINT": 32, "REAL": 32,
            "LWORD": 64, "LINT": 64, "ULINT": 64, "LREAL": 64}  # fmt: skip
_S7 = re.compile(r"(?:DB(?P<db>\d{1,5}),(?P<dbt>[A-Z]+)|(?P<area>[IEQAMF])(?P<t>[A-Z]*))(?P<byte>\d{1,5})(?:\.(?P<bit>\d{1,2}))?")
_S7_OURS = re.compile(r"DB(\d{1,5})\.DB([XBWD])(\d{1,5})(?:\.(\d))?")
_TIA = re.compile(r"%(?:DB(?P<db>\d{1,5})\.DB(?P<dbw>[XBWD])|(?P<area>[MIQEA])(?P<w>[BWD]?))(?P<byte>\d{1,5})(?:\.(?P<bit>\d))?")
BYTES = 65_536
TIA_TYPES = {**{name.casefold(): name for name in _S7_BITS}, "bool": "BOOL", "time": "DINT"}  # TIME is whole milliseconds


def ours(kind: str) -> TagType:
    """The tag's type of a type on the wire."""
    return "bool" if kind.casefold() == "bool" else "float" if kind in _FLOATS else "integer"


def modbus_of_kepware(address: str, kind: str, word_order: str) -> tuple[str, TagType]:
    found = _MODBUS.fullmatch(address.strip())
    if found is None or (not found["hex"] and not found["number"].isdecimal()):
        raise ValueError(f'"{address}" is no Modbus address that we read: write it as 40021:int16')
    number = int(found["number"], 16 if found["hex"] else 10)
    wire = KINDS.get(kind.casefold(), ("", ""))[0]
    if found["area"] in "34" and found["bit"] is not None:
        wire = "bool" if wire == "bool" else ""
    return _modbus(found["area"], number, found["bit"], wire, kind, word_order)


def modbus_of_ignition(address: str, word_order: str) -> tuple[str, TagType, str]:
    """(address, type, unit id or "") of what stands behind the device's name: HR7, 2.HRF10, C3."""
    found = _IGNITION.fullmatch(address.strip())
    if found is None:
        raise ValueError(f'"{address}" is no Modbus address that we read: text and BCD are not')
    area = {"HR": "4", "IR": "3", "DI": "1", "C": "0"}[found["area"]]
    if area in "01":
        wire = "bool" if not found["kind"] else ""
    else:
        wire = "bool" if found["bit"] is not None and not found["kind"] else _IGNITION_KINDS.get(found["kind"], "")
    where, kind = _modbus(area, int(found["number"]), found["bit"], wire, found["kind"] or "its type", word_order)
    return where, kind, found["unit"] or ""


def _modbus(area: str, number: int, bit: str | None, wire: str, kind: str, word_order: str) -> tuple[str, TagType]:
    if not 1 <= number <= 65_536:
        raise ValueError(f"register {number} is none: they count from 1 to 65536")
    if not wire:
        raise ValueError(f"{kind} at such an address can't be read")
    reference = f"{area}{number:04d}" if number <= 9_999 else f"{area}{number:05d}"
    if area in "01":
        if wire != "bool" or bit is not None:
            raise ValueError("coils and inputs are single bits")
        return f"{reference}:bool", "bool"
    if (wire == "bool") != (bit is not None) or (bit is not None and int(bit) > 15):
        raise ValueError("a truth value in a register needs the number of its bit, 0 to 15")
    if bit is not None:
        return f"{reference}.{int(bit)}:bool", "bool"
    if wire not in _WIDE:
        return f"{reference}:{wire}", ours(wire)
    if word_order not in ("big", "little"):
        raise ValueError(
            "the export doesn't say which of its registers comes first: say --word-order big, or little for the low word first"
        )
    return f"{reference}:{wire}:{word_order}", ours(wire)


def s7_of_item(address: str, kind: str) -> tuple[str, TagType]:
    """Kepware's and Ignition's `DB10,REAL4`, `MW20`, `I0.3`, and STEP 7's `DB10.DBD4`. `kind` "": what the address says."""
    text = address.strip().upper()
    step7 = _S7_OURS.fullmatch(text)
    if step7 is not None:
        db, width, byte, bit = step7.groups()
        return _s7(f"DB{db}.DB", width, int(byte), bit, "BOOL" if width == "X" else KINDS.get(kind.casefold(), ("", ""))[1], address)
    found = _S7.fullmatch(text)
    letters = (found["dbt"] or found["t"] or "X") if found is not None else ""
    if found is None or letters not in _S7_WIDTHS:
        raise ValueError(f'"{address}" is no S7 address that we read: text, timers, counters, dates and peripheral words are not')
    width, wanted = _S7_WIDTHS[letters], KINDS.get(kind.casefold(), ("", ""))[1] if kind else ""
    if width == "X":
        wire = "BOOL" if wanted in ("", "BOOL") else ""
    elif found["bit"] is not None:
        raise ValueError("a bit inside a byte or word: write it with the byte that it is in, as DB10.DBX12.3")
    else:
        wire = _S7_TYPES[letters] if not kind else wanted
    before = f"DB{found['db']}.DB" if found["db"] else {"E": "I", "A": "Q", "F": "M"}.get(found["area"], found["area"])
    return _s7(before, width, int(found["byte"]), found["bit"], wire, address)


def s7_of_tia(address: str, kind: str) -> tuple[str, TagType]:
    """`%MD12`, `%I0.3`, `%DB10.DBW4`, with TIA's type. A 64-bit type has an address that looks like a bit's: `%M100.0`."""
    found = _TIA.fullmatch(address.strip().upper())
    if found is None:
        raise ValueError(f'"{address}" is no address that we read: timers, counters and peripheral addresses are not')
    wire = TIA_TYPES.get(kind.strip().strip('"').casefold(), "")
    if not wire:
        raise ValueError(f"{kind} can't be read: numbers, truth values and Time can")
    width, bit = found["dbw"] or found["w"] or "X", found["bit"]
    if _S7_BITS.get(wire) == 64 and bit == "0" and width == "X":
        width, bit = "D", None
    before = f"DB{found['db']}.DB" if found["db"] else {"E": "I", "A": "Q"}.get(found["area"], found["area"])
    return _s7(before, width, int(found["byte"]), bit, wire, address)


def _s7(before: str, width: str, byte: int, bit: str | None, wire: str, address: str) -> tuple[str, TagType]:
    fits = {8: "B", 16: "W", 32: "D", 64: "D"}.get(_S7_BITS.get(wire, 0), "X" if wire == "BOOL" else "")
    if not fits or fits != width:
        raise ValueError(f"its type {wire or 'is none that we read, or'} does not fit the width of {address}")
    if (width == "X") != (bit is not None) or (bit is not None and int(bit) > 7):
        raise ValueError(f"{address}: a bit needs its number, 0 to 7, and only a bit has one")
    if byte + max(_S7_BITS.get(wire, 8) // 8, 1) > BYTES:
        raise ValueError(f"{address} reaches past the last byte, {BYTES - 1}")
    if bit is not None:
        return (f"{before}X{byte}.{bit}" if before.startswith("DB") else f"{before}{byte}.{bit}"), "bool"
    return f"{before}{width}{byte}:{wire}", ours(wire)
