"""Write requests of Modbus as bytes; expected ones by hand from V1.1b3 §6.5, §6.6 and §6.12."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gate.connectors.modbus_write import ECHO, Writing
from holdfast.gate.connectors.registers import encode, parse

KINDS = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")


@pytest.mark.parametrize(
    ("address", "raw", "request_", "echo"),
    [
        ("00174:bool", 1.0, "05 00 ad ff 00", "00 ad ff 00"),
        ("00174", 0.0, "05 00 ad 00 00", "00 ad 00 00"),
        ("40002:uint16", 3.0, "06 00 01 00 03", "00 01 00 03"),
        ("40002:int16", -2.4, "06 00 01 ff fe", "00 01 ff fe"),
        ("40002:int16:big:little", 1.0, "06 00 01 01 00", "00 01 01 00"),
        ("40002:float32", 1.5, "10 00 01 00 02 04 3f c0 00 00", "00 01 00 02"),
        ("40002:float32:little", 1.5, "10 00 01 00 02 04 00 00 3f c0", "00 01 00 02"),
        ("40257:int64", -1.0, "10 01 00 00 04 08 ff ff ff ff ff ff ff ff", "01 00 00 04"),
    ],
)
def test_a_value_is_one_request(address: str, raw: float, request_: str, echo: str) -> None:
    made = Writing(parse(address)).request(raw)
    assert (made.hex(" "), made[ECHO].hex(" ")) == (request_, echo)


@given(
    kind=st.sampled_from(KINDS),
    orders=st.tuples(st.sampled_from(("big", "little")), st.sampled_from(("big", "little"))),
    raw=st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**65), 2**65).map(float) | st.integers(-40_000, 70_000).map(float),
)
def test_the_short_way_sends_and_refuses_what_the_words_say(kind: str, orders: tuple[str, str], raw: float) -> None:
    register = parse(f"40010:{kind}:{orders[0]}:{orders[1]}")
    try:
        words = encode(register, raw)
    except ValueError:
        with pytest.raises(ValueError, match=r"can't be written|lies outside"):
            Writing(register).request(raw)
        return
    made = Writing(register).request(raw)
    head = 3 if len(words) == 1 else 6
    assert made[head:] == struct.pack(f">{len(words)}H", *words)
