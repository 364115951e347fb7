"""Looks of maps: the same facts are read out of tables, keys, programs, frames, sentences and runs of points."""

from decimal import Decimal

import pytest

from holdfast.agent.models.registers.read import by_rules
from holdfast.agent.models.registers.words import Abstention, Answer, Refusal, Request


def _read(text: str, question: str) -> tuple[int, int, int, str, str | None, Decimal]:
    answer = by_rules(text, question)
    assert isinstance(answer, Request), answer
    assert not answer.writes
    return answer.function_code, answer.address, answer.count, answer.data_type, answer.word_order, answer.scale


def _refused(answer: Answer) -> tuple[str, ...]:
    assert isinstance(answer, Refusal), answer
    return answer.missing


TENTH, HUNDREDTH, ONE = Decimal("0.1"), Decimal("0.01"), Decimal(1)
YAML = """# puffin.yaml, registers are sent as they are
points:
  - title: "Sump level"
    register_type: input
    addr: 0x21
    dtype: int16
    multiplier: 0.1
    uom: cm
  - title: "Sump inflow"
    register_type: input
    addr: 0x22
    dtype: uint32
    swap: word
    uom: l/h
"""
JSON = """{"fc": 3, "items": [
 {"label": "Roll gap", "address": 700, "dataType": "int32", "wordOrder": "big", "factor": 0.1, "unit": "mm"},
 {"label": "Roll speed", "address": 702, "dataType": "uint16", "unit": "rpm"}]}
"""
TOML = """# heron.toml; area holding, PDU offsets
[points.feed_rate]
address = 88
type = "u16"
scale = 0.01
[points.feed_total]
address = 89
type = "u32"
order = "lo-hi"
"""
XML = """<map function="4" base="0"><item name="Duct pressure" address="6" type="INT16" scale="0.1" unit="Pa"/>
<item name="Duct flow" address="7" type="UINT16" unit="m3/h"/></map>
"""


@pytest.mark.parametrize(
    ("text", "question", "wanted"),
    [
        (YAML, "Read the sump level", (4, 0x21, 1, "int16", None, TENTH)),
        (YAML, "读取 Sump inflow", (4, 0x22, 2, "uint32", "little", ONE)),
        (JSON, "Read the roll gap", (3, 700, 2, "int32", "big", TENTH)),
        (TOML, "Read feed_total", (3, 89, 2, "uint32", "little", ONE)),
        (XML, "Read the duct pressure", (4, 6, 1, "int16", None, TENTH)),
    ],
)
def test_keys_and_values_are_records_however_they_are_laid_out(text: str, question: str, wanted: tuple[object, ...]) -> None:
    assert _read(text, question) == wanted


def test_a_record_is_named_by_the_key_that_it_is_the_value_of() -> None:
    text = """// gannet.js, readInputRegisters(start, n)
const map = { hopperLevel: { start: 61, type: 'uint16', scale: 0.1 }, hopperTemp: { start: 62, type: 'int16', scale: 0.1 } };"""
    assert _read(text, "Read hopperTemp") == (4, 62, 1, "int16", None, TENTH)


def test_records_may_be_listed_by_their_address() -> None:
    text = '{"410": {"name": "kiln_temp", "type": "int16", "scale": 0.1},\n'
    text += ' "411": {"name": "kiln_draft", "type": "int16"}}\n// holding, 0-based'
    assert _read(text, "Read kiln_draft") == (3, 411, 1, "int16", None, ONE)


def test_a_frame_is_the_row() -> None:
    text = "Dunlin probe, frames without CRC\n"
    text += "02 04 01 2C 00 01 -> oil temperature, signed word, unit 0.1 °C\n02 04 01 2D 00 01 -> oil level, unsigned, 1 %"
    assert _read(text, "Read the oil temperature") == (4, 0x12C, 1, "int16", None, TENTH)


def test_a_frame_may_be_named_before_it() -> None:
    text = "查询油温：发送 02 04 01 2C 00 01，应答为有符号16位，单位0.1℃\n"
    text += "查询油位：发送 02 04 01 2D 00 01，应答为无符号16位，单位1%"
    assert _read(text, "读取油温") == (4, 0x12C, 1, "int16", None, TENTH)


def test_an_examples_frame_writes_its_value_only_where_it_is_what_is_asked_for() -> None:
    text = "Dunlin valve, commands seen\n02 06 00 40 00 03 -> flush\n02 06 00 40 00 00 -> rest"
    answer = by_rules(text, "Flush the valve")
    assert not isinstance(answer, Request) or (answer.address, answer.registers) == (0x40, (3,))


def test_sentences_name_each_place() -> None:
    text = (
        "The Siskin dryer uses function 4 and zero-based addresses. "
        "Register 12 holds the inlet humidity in tenths of a percent (unsigned word), "
        "and register 13 holds the inlet temperature in hundredths of a degree Celsius (two's complement word)."
    )
    assert _read(text, "Read the inlet temperature") == (4, 13, 1, "int16", None, HUNDREDTH)


def test_sentences_in_chinese_name_each_place() -> None:
    text = "露点仪：功能码04，协议地址；寄存器0x0005为露点温度，有符号16位，单位0.1℃；寄存器0x0006为管道压力，无符号16位，单位0.01MPa。"
    assert _read(text, "读取管道压力") == (4, 6, 1, "uint16", None, HUNDREDTH)


def test_a_run_of_points_is_a_row_for_each() -> None:
    text = "Rail IO-8\nDiscrete inputs (FC 02): addresses 16 to 23 are IN1 to IN8, 0-based\nCoils (FC 01/05): 32-39 = OUT1-OUT8"
    assert _read(text, "Read IN4") == (2, 19, 1, "bool", None, ONE)
    answer = by_rules(text, "Switch OUT8 on")
    assert isinstance(answer, Request)
    assert (answer.function_code, answer.address, answer.bits) == (5, 39, (1,))


def test_a_run_that_counts_differently_far_is_none() -> None:
    text = "Rail IO-8\nCoils (FC 01/05): 32-39 = OUT1-OUT6, 0-based"
    assert not isinstance(by_rules(text, "Switch OUT3 on"), Request)


def test_a_legend_below_heads_the_columns() -> None:
    text = "Pump hours,4,710,U16,1,h\nPump current,4,711,S16,0.1,A\n# name, function, PDU address, type, factor, unit"
    assert _read(text, "Read the pump current") == (4, 711, 1, "int16", None, TENTH)


def test_a_blocks_base_is_added_to_offsets() -> None:
    text = "Crane block, base address 0x2400, FC03, zero-based; address = base + offset\n"
    text += "offset | name | type\n8 | Hook load | UINT16\n9 | Trolley speed | INT16"
    assert _read(text, "Read the trolley speed") == (3, 0x2409, 1, "int16", None, ONE)


def test_an_address_that_may_be_whole_or_an_offset_is_refused() -> None:
    text = "Crane block, base address 0x2400, FC03, zero-based; address = base + offset\nHook load | 0x2408 | UINT16"
    assert _refused(by_rules(text, "Read the hook load")) == ("address_base",)


def test_letters_before_a_number_say_the_area() -> None:
    text = "OPC items of the kiln, one-based addressing, high word first\n"
    text += "[kiln]HRF311  Shell temperature, °C\n[kiln]IR20  Feed rate (UINT16), t/h"
    assert _read(text, "Read the shell temperature") == (3, 310, 2, "float32", "big", ONE)
    assert _read(text, "Read the feed rate") == (4, 19, 1, "uint16", None, ONE)


@pytest.mark.parametrize(
    ("said", "scale"),
    [
        ("LSB = 0.01 bar", HUNDREDTH),
        ("in tenths of a bar", TENTH),
        ("two decimals, bar", HUNDREDTH),
        ("保留2位小数，bar", HUNDREDTH),
        ("1/10 bar", TENTH),
        ("×10⁻² bar", HUNDREDTH),
        ("raw/100 = bar", HUNDREDTH),
        ("divided by ten, bar", TENTH),
        ("bar*100", HUNDREDTH),
        ("0..4000 = 0..40.00 bar", HUNDREDTH),
    ],
)
def test_a_scale_is_written_in_many_ways(said: str, scale: Decimal) -> None:
    text = f"Wren W3, input registers FC04, 0-based\nHeader pressure | 14 | UINT16 | {said}\nRun time | 15 | UINT16 | h"
    assert _read(text, "Read the header pressure")[5] == scale


def test_a_column_of_decimals_is_a_power_of_ten() -> None:
    text = "Wren W4, FC03, 0-based\nAddress;Name;Type;Decimals;Unit\n3;Header pressure;U16;2;bar\n4;Header level;U16;1;%"
    assert _read(text, "Read the header pressure")[5] == HUNDREDTH


def test_a_formula_says_how_a_column_is_meant() -> None:
    text = "Wren W5, FC03, 0-based. value = register / scale\n"
    text += "Address;Name;Type;Scale;Unit\n3;Header pressure;U16;100;bar\n4;Header level;U16;10;%"
    assert _read(text, "Read the header pressure")[5] == HUNDREDTH


def test_a_scale_that_is_told_and_not_understood_is_refused() -> None:
    text = "Wren W6, FC03, 0-based\nAddress | Name | Type | Eng. range | Raw range\n3 | Header pressure | UINT16 | 0-16 bar | 0-16000"
    assert _refused(by_rules(text, "Read the header pressure")) == ("scale",)


@pytest.mark.parametrize(
    ("said", "order"),
    [
        ("CDAB", "little"),
        ("lo word, hi word", "little"),
        ("Hi-Lo", "big"),
        ("first word low: disabled", "big"),
        ("wordSwap: false", "big"),
        ("wordSwap: true", "little"),
        ("高字在前", "big"),
        ("先低后高", "little"),
    ],
)
def test_word_order_is_said_in_many_ways(said: str, order: str) -> None:
    text = f"Wren W7, FC03, 0-based\nEnergy | 40 | UINT32 | {said} | kWh\nHours | 42 | UINT16 | - | h"
    assert _read(text, "Read the energy")[4] == order


def test_an_order_that_all_have_and_one_has_not_contradicts_itself() -> None:
    text = "Wren W8, FC03, 0-based\nEnergy | 40 | UINT32 high word first | kWh\nAll 32-bit values are low word first, without exception."
    assert _refused(by_rules(text, "Read the energy")) == ("word_order",)


@pytest.mark.parametrize(
    "doubt",
    ["word order differs between firmware versions", "the order of the two words is configurable, see parameter 9", "字序可设，见参数P9"],
)
def test_an_order_that_is_left_open_is_missing(doubt: str) -> None:
    text = f"Wren W9, FC03, 0-based, {doubt}\nEnergy | 40 | UINT32 | kWh\nHours | 42 | UINT16 | h"
    assert _refused(by_rules(text, "Read the energy")) == ("word_order",)


@pytest.mark.parametrize(
    "doubt",
    ["nobody knows whether number 1 is address 0 or 1", "numbers start at 0 or 1; not documented which", "是否需要减1未说明"],
)
def test_a_count_that_is_left_open_is_missing(doubt: str) -> None:
    text = f"Wren W10, FC03. {doubt}\nEnergy | 40 | UINT16 | kWh\nHours | 42 | UINT16 | h"
    assert _refused(by_rules(text, "Read the energy")) == ("address_base",)


def test_a_number_beyond_all_addresses_is_a_reference() -> None:
    text = "Tags of the mill, zero-based driver option on\nTag,Address,Type,Unit\nGap,400310,Word,um\nForce,400311,Word,kN"
    assert _read(text, "Read the force")[:2] == (3, 310)


def test_an_address_0_counts_from_zero() -> None:
    text = "Coils (FC01)\n0 lamp\n1 horn\n2 siren"
    assert _read(text, "Read the siren coil")[:2] == (1, 2)


def test_the_type_of_a_constant_is_not_the_registers() -> None:
    text = "// read_holding_registers\npub const FORCE: u16 = 0x0030; // i32, N, high word first\npub const GAP: u16 = 0x0032; // u16, um"
    assert _read(text, "Read the force") == (3, 0x30, 2, "int32", "big", ONE)


def test_unsigned_can_be_said_as_not_signed() -> None:
    text = "dev.read_holding(0x0011, 'force', signed=False, scale=0.1)\ndev.read_holding(0x0012, 'torque', signed=True, scale=0.1)"
    assert _read(text, "Read the force") == (3, 0x11, 1, "uint16", None, TENTH)


def test_an_offset_is_told_with_a_read_and_keeps_a_write_back() -> None:
    text = "Wren W11, FC03, write FC06, 0-based\n- name: oven_temp\n  address: 9\n  type: uint16\n  scale: 0.1\n  offset: -50\n  access: rw"
    answer = by_rules(text, "Read oven_temp")
    assert isinstance(answer, Request)
    assert (answer.scale, answer.offset) == (TENTH, Decimal(-50))
    assert isinstance(by_rules(text, "Set oven_temp to 40"), Abstention)


def test_a_reset_is_written_only_as_the_map_has_it() -> None:
    text = "Coils (FC05), 0-based\n{} 7\nLamp 8"
    answer = by_rules(text.format("Reset latched trip (write 1)"), "Reset the latched trip")
    assert isinstance(answer, Request)
    assert (answer.address, answer.bits) == (7, (1,))
    assert not isinstance(by_rules(text.format("Reset latched trip"), "Reset the latched trip"), Request)


def test_an_enumeration_is_a_row_for_each() -> None:
    text = "/* coils, FC01 read, FC05 write, as sent */\nenum { COIL_FAN = 4, COIL_HEATER = 5, COIL_DAMPER = 6 };"
    answer = by_rules(text, "Switch the heater on")
    assert isinstance(answer, Request)
    assert (answer.address, answer.bits) == (5, (1,))


def test_bounds_given_by_keys_are_kept() -> None:
    text = (
        "# FC06, 0-based\n- {name: damper_sp, register_type: holding, address: 3, type: uint16, scale: 0.1, min: 10, max: 90, access: rw}"
    )
    assert isinstance(by_rules(text, "Set damper_sp to 50"), Request)
    assert _refused(by_rules(text, "Set damper_sp to 95")) == ("value_within_range",)


def test_where_only_one_row_is_marked_read_only_the_others_may_be_written() -> None:
    text = "/* holding, FC16, 0-based */\n#define LIMIT_KW 0x0050 /* int16, kW */\n#define ACTUAL_KW 0x0051 /* int16, kW, read only */"
    answer = by_rules(text, "Set LIMIT_KW to 7 kW")
    assert isinstance(answer, Request)
    assert answer.registers == (7,)
    assert _refused(by_rules(text, "Set ACTUAL_KW to 7 kW")) == ("writable_register",)
