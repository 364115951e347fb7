"""Register addresses and bits; expected words are the big-endian IEEE 754 and two's complement forms, by hand."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gate.connectors.registers import Decoder, Kind, Order, Register, decode, encode, parse, spans, to_eng, to_raw, wire_value
from holdfast.terms import Scale


@pytest.mark.parametrize(
    ("address", "value", "words"),
    [
        ("40001:uint16", 65535, (0xFFFF,)),
        ("40001:int16", -2, (0xFFFE,)),
        ("40001:int16::", 0, None),
        ("40001:int32", -2, (0xFFFF, 0xFFFE)),
        ("40001:uint32:little", 0x12345678, (0x5678, 0x1234)),
        ("40001:float32", 1.5, (0x3FC0, 0x0000)),
        ("40001:float32:little", 1.5, (0x0000, 0x3FC0)),
        ("40001:float32:big:little", 1.5, (0xC03F, 0x0000)),
        ("40001:float32:little:little", 1.5, (0x0000, 0xC03F)),
        ("40001:float64", 1.0, (0x3FF0, 0, 0, 0)),
        ("40001:int64", -1, (0xFFFF,) * 4),
        ("40001:uint64:little", 1, (1, 0, 0, 0)),
        ("00001:bool", 1, (1,)),
        ("00001", 0, (0,)),
    ],
)
def test_a_value_has_one_form_on_the_wire(address: str, value: float, words: tuple[int, ...] | None) -> None:
    if words is None:
        with pytest.raises(ValueError, match="order is big or little"):
            parse(address)
        return
    register = parse(address)
    assert encode(register, value) == words
    assert decode(register, words) == value


def test_references_count_from_one_in_five_or_six_digits() -> None:
    assert (parse("40021:int16").area, parse("40021:int16").offset) == ("holding", 20)
    assert (parse("400021:int16").area, parse("400021:int16").offset) == ("holding", 20)
    assert (parse("30010:float32").area, parse("30010:float32").offset) == ("input", 9)
    assert (parse("10001").area, parse("10001").offset) == ("discrete", 0)
    assert parse("465536:uint16").offset == 65535


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("Stand4.PV", "no Modbus address"),
        ("40000:int16", "count from 1"),
        ("20001:int16", "no Modbus address"),
        ("40001", "type must be written"),
        ("40001:int24", "type must be written"),
        ("00001:int16", "coil is a bool"),
        ("40001:bool", "names its bit"),
        ("40001.3:int16", "names its bit"),
        ("40001.16:bool", "0 to 15"),
        ("465536:int32", "past the last register"),
        ("40001:int16:middle", "big or little"),
    ],
)
def test_a_wrong_address_says_what_would_be_right(address: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(address)


def test_a_bit_of_a_register_is_read_and_never_written() -> None:
    register = parse("40001.3:bool")
    assert decode(register, (0b1000,)) == 1.0
    assert decode(register, (0b0111,)) == 0.0
    with pytest.raises(ValueError, match="bit inside a register"):
        encode(register, 1.0)


@pytest.mark.parametrize(("address", "value"), [("40001:uint16", -1), ("40001:int16", 32768), ("40001:float32", 1e39), ("00001", 2)])
def test_what_does_not_fit_is_refused_and_never_clamped(address: str, value: float) -> None:
    with pytest.raises(ValueError, match=r"outside|neither"):
        encode(parse(address), value)
    for impossible in (math.nan, math.inf):
        with pytest.raises(ValueError, match="can't be written"):
            encode(parse(address), impossible)


def test_a_scaled_value_arrives_rounded_to_the_raw_step() -> None:
    scale = Scale(raw=(0, 27648), eng=(0, 150))
    assert to_eng(scale, 13824) == 75.0
    assert to_raw(scale, 75.0) == 13824
    assert wire_value(parse("40021:int16"), scale, 75.001) == 75.0  # 13824.18 rounds to 13824
    with pytest.raises(ValueError, match="int16"):
        wire_value(parse("40021:int16"), scale, 200.0)  # raw 36864


def test_reads_are_batched_over_small_gaps_and_cut_at_the_limit() -> None:
    registers = [parse(a) for a in ("40021:int16", "40001:uint16", "40002:float32", "30001:uint16", "40200:uint16", "00005")]
    found = [(s.area, s.offset, s.count, s.members) for s in spans(registers, gap_max=16)]
    # 40001, 40002-3, then 17 unused registers up to 40021: one more than may be read over
    assert found == [
        ("coil", 4, 1, (5,)),
        ("input", 0, 1, (3,)),
        ("holding", 0, 3, (1, 2)),
        ("holding", 20, 1, (0,)),
        ("holding", 199, 1, (4,)),
    ]
    assert [s.count for s in spans(registers[:3], gap_max=17)] == [21]
    assert [s.count for s in spans([parse(f"{40000 + n}:uint16") for n in range(1, 251)], words_max=120)] == [120, 120, 10]


@given(
    kind=st.sampled_from(["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]),
    orders=st.sampled_from(["", ":little", ":big:little", ":little:little"]),
    data=st.data(),
)
def test_every_bit_pattern_of_integers_comes_back(kind: str, orders: str, data: st.DataObject) -> None:
    register = parse(f"40001:{kind}{orders}")
    words = tuple(data.draw(st.lists(st.integers(0, 0xFFFF), min_size=register.words, max_size=register.words)))
    value = decode(register, words)
    if math.isfinite(value) and abs(value) < 2**53:
        assert decode(register, encode(register, value)) == value


KINDS = ("bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")


@given(
    data=st.data(),
    wanted=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(KINDS), st.sampled_from(["big", "little"]), st.sampled_from(["big", "little"])),
        min_size=1,
        max_size=20,
    ),
)
def test_a_span_decoded_at_once_gives_the_same_bits_as_one_by_one(
    data: st.DataObject, wanted: list[tuple[int, Kind, Order, Order]]
) -> None:
    found = [
        Register(area="holding", offset=at, kind=kind, word_order=word, byte_order=byte, bit=at % 16 if kind == "bool" else None)
        for at, kind, word, byte in wanted
    ]
    (span,) = spans(found, gap_max=100)
    words = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=span.count, max_size=span.count))
    values = np.zeros(len(found))
    Decoder(span, found).into(np.array(words, np.uint16), values)
    alone = [decode(r, words[r.offset - span.offset : r.offset - span.offset + r.words]) for r in found]
    assert [struct.pack("<d", v) for v in values if v == v] == [struct.pack("<d", v) for v in alone if v == v]
    assert [v != v for v in values] == [v != v for v in alone]
