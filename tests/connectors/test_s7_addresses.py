"""S7 addresses, types, and which request reads which bytes; without a controller."""

import math

import pytest

from holdfast.gate.connectors.s7 import addresses, plan
from holdfast.gate.connectors.s7.addresses import Address, Area


def at(area: Area, byte: int, kind: str, db: int = 0, bit: int | None = None) -> Address:
    return Address(area=area, db=db, byte=byte, kind=kind, bit=bit)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("DB10.DBD4:REAL", at("DB", 4, "REAL", 10)),
        ("db10.dbd4:real", at("DB", 4, "REAL", 10)),
        ("%DB1.DBW2:INT", at("DB", 2, "INT", 1)),
        ("DB1.DBX0.3", at("DB", 0, "BOOL", 1, 3)),
        ("DB1.DBX0.3:BOOL", at("DB", 0, "BOOL", 1, 3)),
        ("DB65535.DBB7", at("DB", 7, "BYTE", 65535)),
        ("DB1.DBB7:SINT", at("DB", 7, "SINT", 1)),
        ("DB2.DBD8:LREAL", at("DB", 8, "LREAL", 2)),
        ("MW10:WORD", at("M", 10, "WORD")),
        ("M0.1", at("M", 0, "BOOL", bit=1)),
        ("IB0", at("I", 0, "BYTE")),
        ("QX1.2", at("Q", 1, "BOOL", bit=2)),
        ("EW4:INT", at("I", 4, "INT")),
        ("E0.7", at("I", 0, "BOOL", bit=7)),
        ("AD8:DINT", at("Q", 8, "DINT")),
        ("A0.7", at("Q", 0, "BOOL", bit=7)),
    ],
)
def test_an_address_is_read_as_siemens_tools_write_it(text: str, meant: Address) -> None:
    assert addresses.parse(text) == meant


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("DB10.DBD4", "the type must be written; write DB10.DBD4: and one of DWORD, UDINT, DINT, REAL, LWORD"),
        ("DB10.DBW4:REAL", "REAL does not fit the width W; write DB10.DBW4: and one of WORD, UINT, INT"),
        ("MW10", "the type must be written"),
        ("DB10.DBD4:FLOAT", "FLOAT is no type"),
        ("DB10.DBD4:", "an empty text is no type"),
        ("DB1.DBX0", "a bit is written with its number"),
        ("DB1.DBW0.3:INT", "only a bit has one"),
        ("DB1.DBX0.8", "bits count from 0 to 7"),
        ("DB1.DBX0.1:INT", "a bit is a BOOL"),
        ("DB0.DBB0", "data blocks count from DB1"),
        ("DB70000.DBB0", "data blocks count from DB1 to DB65535"),
        ("DB1.DBD65533:REAL", "reaches past the last byte, 65535"),
        ("T5", "no S7 address: write e.g. DB10.DBD4:REAL"),
        ("DB10,REAL4", "no S7 address"),
        ("40021:int16", "no S7 address"),
        ("", "no S7 address"),
    ],
)
def test_what_is_no_address_is_refused_with_what_would_be_right(text: str, cure: str) -> None:
    with pytest.raises(ValueError, match=cure):
        addresses.parse(text)


@pytest.mark.parametrize(
    ("text", "number", "data"),
    [
        ("DB1.DBB0", 200.0, "c8"),
        ("DB1.DBB0:SINT", -2.0, "fe"),
        ("DB1.DBW0:WORD", 65535.0, "ffff"),
        ("DB1.DBW0:INT", -2.0, "fffe"),
        ("DB1.DBD0:DINT", -65536.0, "ffff0000"),
        ("DB1.DBD0:UDINT", 4294967295.0, "ffffffff"),
        ("DB1.DBD0:REAL", -0.75, "bf400000"),  # sign 1, exponent 126, mantissa 0.5
        ("DB1.DBD0:LREAL", 1.5, "3ff8000000000000"),
        ("DB1.DBD0:LINT", -1.0, "ffffffffffffffff"),
    ],
)
def test_numbers_are_big_endian(text: str, number: float, data: str) -> None:
    address = addresses.parse(text)
    assert addresses.encode(address, number) == bytes.fromhex(data)
    assert addresses.decode(address, bytes.fromhex(data)) == number


def test_a_bit_is_taken_from_its_byte_and_written_alone() -> None:
    address = addresses.parse("M5.6")
    assert addresses.decode(address, b"\x40") == 1.0
    assert addresses.decode(address, b"\xbf") == 0.0
    assert addresses.encode(address, 1.0) == b"\x01"
    assert addresses.written(address, 1.0) == 1.0


@pytest.mark.parametrize(
    ("text", "number"),
    [("DB1.DBB0", 256), ("DB1.DBB0", -1), ("DB1.DBW0:INT", 32768), ("DB1.DBD0:REAL", 3.5e38), ("M0.0", 2), ("M0.0", 0.5)],
)
def test_what_does_not_fit_is_refused_and_never_clamped(text: str, number: float) -> None:
    with pytest.raises(ValueError, match=r"lies outside|neither 0 nor 1"):
        addresses.encode(addresses.parse(text), float(number))
    with pytest.raises(ValueError, match="can't be written"):
        addresses.encode(addresses.parse(text), math.nan)


def test_what_arrives_of_a_number_is_what_the_type_holds() -> None:
    assert addresses.written(addresses.parse("DB1.DBW0:INT"), 2.6) == 3.0
    assert addresses.written(addresses.parse("DB1.DBD0:REAL"), 0.1) == 0.100000001490116119384765625  # the nearest float32


def stretches(texts: list[str], **more: int) -> list[tuple[str, int, int, int, tuple[int, ...]]]:
    limits = {"gap_max": 16, "pdu_bytes": 240} | more
    return [(s.area, s.db, s.start, s.count, s.members) for s in plan.spans([addresses.parse(t) for t in texts], **limits)]


def test_neighbours_are_read_as_one_stretch_over_small_gaps() -> None:
    texts = ["DB1.DBD20:REAL", "DB1.DBX0.3", "DB2.DBB0", "DB1.DBX0.4", "DB1.DBW40:INT", "MB0", "IB0"]
    assert stretches(texts) == [
        ("DB", 1, 0, 1, (1, 3)),
        ("DB", 1, 20, 22, (0, 4)),
        ("DB", 2, 0, 1, (2,)),
        ("M", 0, 0, 1, (5,)),
        ("I", 0, 0, 1, (6,)),
    ]


def test_values_that_overlap_are_one_stretch() -> None:
    assert stretches(["DB1.DBD0:REAL", "DB1.DBB1", "DB1.DBW2:INT"], gap_max=0) == [("DB", 1, 0, 4, (0, 1, 2))]


def test_no_stretch_is_longer_than_an_answer_holds() -> None:
    # PDU 240: 18 bytes of heads leave 222, which is 55 values of four bytes.
    found = stretches([f"DB1.DBD{4 * i}:REAL" for i in range(100)])
    assert [(start, count) for _, _, start, count, _ in found] == [(0, 220), (220, 180)]


def test_a_request_takes_as_many_stretches_as_it_and_its_answer_hold() -> None:
    far = plan.spans([addresses.parse(f"DB1.DBD{100 * i}:REAL") for i in range(50)], gap_max=0, pdu_bytes=240)
    # 12 bytes of head and 12 a stretch: 19 in 240. 20 is the most that a CPU takes.
    assert plan.first(far, pdu_bytes=240) == 19
    assert plan.first(far, pdu_bytes=960) == 20
    # Answers of 4 + 100 bytes: 14 + 2 * 104 = 222 fit 240, three do not.
    wide = [plan.Span(area="DB", db=1, start=0, count=100, members=(0,))] * 3
    assert plan.first(wide, pdu_bytes=240) == 2
    # Odd ones are made even, but for the last: 14 + 4 + 111 + 1 + 4 + 106 = 240.
    assert plan.first([_odd(111), _odd(106)], pdu_bytes=240) == 2
    assert plan.first([_odd(111), _odd(107)], pdu_bytes=240) == 1
    assert plan.first([_odd(222)], pdu_bytes=240) == 1


def _odd(count: int) -> plan.Span:
    return plan.Span(area="DB", db=1, start=0, count=count, members=(0,))
