"""Where the reader must doubt: a wrong answer is worse than none."""

import time
from decimal import Decimal

import pytest

from holdfast.agent.models.registers.read import by_rules
from holdfast.agent.models.registers.words import Refusal, Request


def _address(text: str, question: str) -> tuple[int, int, Decimal]:
    answer = by_rules(text, question)
    assert isinstance(answer, Request), answer
    return answer.function_code, answer.address, answer.scale


def _refused(text: str, question: str) -> tuple[str, ...]:
    answer = by_rules(text, question)
    assert isinstance(answer, Refusal), answer
    return answer.missing


@pytest.mark.parametrize(
    "heading",
    [
        "Holding registers, addresses counted from 0, nothing is subtracted",
        "Holding registers, zero-based; do not subtract 1",
        "Holding registers from 0, neither added nor subtracted",
        "保持寄存器，地址从0开始，不做加减1",
        "保持寄存器，从0起编号，不再减1",
    ],
)
def test_a_heading_that_forbids_to_subtract_is_not_one_that_subtracts(heading: str) -> None:
    assert _address(f"{heading}\n 40 | Kiln pressure | int16 | 0.1 bar\n", "Read the kiln pressure") == (3, 40, Decimal("0.1"))


@pytest.mark.parametrize(
    "heading",
    [
        "Input registers. Check whether position 1 is sent as address 0 or as address 1",
        "Input registers, zero-based, minus one",
        "输入寄存器，从0开始，减1",
        "Input registers. Please verify if number 1 means telegram address 0 or telegram address 1",
        "Input registers; the first digit is the function code, the rest is the address",
    ],
)
def test_a_heading_that_leaves_the_counting_open_is_refused(heading: str) -> None:
    assert "address_base" in _refused(f"{heading}\n 40 | Kiln pressure | int16 | 0.1 bar\n", "Read the kiln pressure")


def test_a_comment_with_a_number_behind_its_slashes_is_no_divisor() -> None:
    text = "// read_holding_registers(unit, n)\nconst KILN_POWER: u16 = 0x44;  // 2 regs, i32 hi/lo, W\n"
    assert _address(text, "Read the kiln power") == (3, 0x44, Decimal(1))


def test_decimals_in_a_call_are_a_scale() -> None:
    lines = (
        "kiln_temp = dev.read_register(0x30, number_of_decimals=2, functioncode=3, signed=True)  # °C",
        "kiln_fan = dev.read_register(0x31, number_of_decimals=1, functioncode=3, signed=False)  # %",
    )
    text = "\n".join(lines)
    assert _address(text, "Read the kiln temp") == (3, 0x30, Decimal("0.01"))


@pytest.mark.parametrize("width", ["read_quad(", "read_lint("])
def test_a_sign_alone_is_no_type_where_a_call_is_of_more_than_one_register(width: str) -> None:
    first = "# kiln.py\nkiln_temp = dev.read_register(0x20, functioncode=3, signed=True)"
    text = f"{first}\nkiln_total = dev.{width}0x30, functioncode=3, signed=True)  # kg, high word first\n"
    assert "data_type" in _refused(text, "Read the kiln total")


TWO_COLUMNS = "Kiln, function 03, protocol address in both columns\nDec   Hex    Name            Type  Resolution\n"


@pytest.mark.parametrize("pair", ["4096  1010", "200   00C9A", "256   0200"])
def test_two_addresses_of_a_row_that_are_not_the_same_contradict_each_other(pair: str) -> None:
    assert _refused(TWO_COLUMNS + f"{pair}   Kiln pressure   S16   0.1 bar\n", "Read the kiln pressure") == ("address",)


@pytest.mark.parametrize(("pair", "sent"), [("4096  1000", 4096), ("200   00C8", 200), ("512   0x0200", 512)])
def test_two_addresses_of_a_row_that_are_the_same_are_read(pair: str, sent: int) -> None:
    assert _address(TWO_COLUMNS + f"{pair}   Kiln pressure   S16   0.1 bar\n", "Read the kiln pressure") == (3, sent, Decimal("0.1"))


def test_a_reference_beside_the_address_tells_where_counting_starts() -> None:
    text = "读功能码03\n地址(十六进制)  PLC地址  内容  类型\n0007H  40008  窑压力  int16\n0009H  40010  窑温度  int16\n"
    assert _address(text, "读取窑温度") == (3, 9, Decimal(1))


@pytest.mark.parametrize(
    ("answer", "scale"),
    [("01 46   kiln pressure 3.26 bar", "0.01"), ("FF 38   kiln pressure -20.0 mbar", "0.1"), ("00 2A   kiln pressure 42 bar", "1")],
)
def test_a_value_beside_the_bytes_of_an_answer_tells_the_scale(answer: str, scale: str) -> None:
    text = f"log, all registers signed 16 bit:\n>> 01 03 00 10 00 01    << 01 03 02 {answer}\n"
    assert _address(text, "Read the kiln pressure") == (3, 0x10, Decimal(scale))


@pytest.mark.parametrize(
    "answer", ["01 46   kiln pressure 3.2 bar", "00 00   kiln pressure 0.0 bar", "01 46 00 00   kiln pressure 3.26 bar"]
)
def test_a_value_that_the_bytes_do_not_give_is_no_scale(answer: str) -> None:
    text = f"log, all registers signed 16 bit:\n>> 01 03 00 10 00 01    << 01 03 02 {answer}\n"
    assert "scale" in _refused(text, "Read the kiln pressure")


@pytest.mark.parametrize("sign", [" ", "\t", "-", "0", "a", "(", ",", ".", "|", "的"])
def test_a_line_of_one_character_costs_no_more_than_its_length(sign: str) -> None:
    text = "kiln pressure 5 uint16 ".ljust(19_990, sign)
    by_rules("a 1 int16", "read a")  # reads the wordings
    began = time.process_time()
    by_rules(text, "Read the kiln pressure")
    assert time.process_time() - began < 0.1


def test_the_name_of_an_element_is_no_part_of_its_first_key() -> None:
    text = (
        '<plant addressing="zero-based">\n  <signal id="kiln_pressure" fc="4" reg="12" type="int16" mul="0.1" unit="bar"/>\n'
        '  <signal id="kiln_speed" fc="3" reg="12" type="uint16" unit="rpm"/>\n</plant>\n'
    )
    assert _address(text, "Read the kiln pressure") == (4, 12, Decimal("0.1"))
    assert _address(text, "Read the kiln speed") == (3, 12, Decimal(1))


def test_keys_that_blanks_part_end_where_the_next_begins() -> None:
    text = (
        "[kiln]\nfunction = 4\nbase = 0\n[pressure]  reg=12  type=int16  scale=0.1  unit=bar\n"
        "[speed]  reg=13  type=uint16  scale=0.01  unit=rpm\n"
    )
    assert _address(text, "Read the pressure") == (4, 12, Decimal("0.1"))
    assert _address(text, "Read the speed") == (4, 13, Decimal("0.01"))
