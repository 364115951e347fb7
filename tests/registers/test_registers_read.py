"""The reader of register maps: exact requests where a map says all, refusals that name what is missing, no write in doubt."""

from decimal import Decimal

import pytest

from holdfast.agent.models.registers import lines, rows
from holdfast.agent.models.registers.compile import pdu
from holdfast.agent.models.registers.read import Reading, agreed, by_rules, by_tagger, read
from holdfast.agent.models.registers.words import Abstention, Ask, Refusal, Request

METER = """Kite K1 meter, input registers, function 04, 0-based, high word first
Voltage L1 | 10 | UINT16 | V | 0.1
Total energy | 20 | UINT32 | kWh | 0.01
Run hours | 30 | FLOAT32 | h |"""
DRIVE = """Swift drive, holding registers, read FC03, write FC06, protocol addresses from 0
Speed setpoint | 5 | UINT16 | rpm | R/W
Actual speed | 6 | UINT16 | rpm | RO
Allowed: Speed setpoint 0..3000 rpm"""


def _request(text: str, question: str) -> Request:
    answer = by_rules(text, question)
    assert isinstance(answer, Request), answer
    return answer


def test_a_read_is_exact_to_the_bytes() -> None:
    request = _request(METER, "Read the total energy.")
    assert (request.function_code, request.address, request.count, request.data_type) == (4, 20, 2, "uint32")
    assert (request.word_order, request.scale, request.unit) == ("big", Decimal("0.01"), "kWh")
    assert pdu(request) == bytes.fromhex("04 0014 0002")


def test_chinese_asks_an_english_map() -> None:
    assert _request(METER, "读取L1相电压").address == 10


def test_a_write_is_exact_to_the_bytes() -> None:
    request = _request(DRIVE, "把转速设定设为1500rpm")
    assert pdu(request) == bytes.fromhex("06 0005 05dc")


def test_a_value_in_another_unit_is_converted() -> None:
    text = "Swift pump, holding registers, FC03, write with FC06, 0-based\nPower limit | 7 | UINT16 | kW | 0.1 | R/W"
    assert _request(text, "Set the power limit to 2500 W").registers == (25,)


def test_a_value_in_a_unit_of_another_kind_is_refused() -> None:
    answer = by_rules(DRIVE, "Set the speed setpoint to 50 °C")
    assert answer == Refusal(reason="contradictory", missing=("unit",))


@pytest.mark.parametrize(
    ("heading", "address", "sent"),
    [
        ("holding registers FC03, 0-based", "100", 100),
        ("holding registers FC03, register numbers count from 1", "100", 99),
        ("holding registers FC03, 5-digit Modicon references", "40100", 99),
        ("holding registers FC03, PDU addresses in hex", "0x0100", 256),
        ("holding registers FC03, hex addresses as sent", "0100H", 256),
        ("功能码03H，6位PLC地址（400001起）", "400100", 99),
        ("功能码03H，编号基于1，报文地址=编号-1", "100", 99),
        ("功能码03H，十六进制地址，不需减1", "0x0100", 256),
    ],
)
def test_where_addresses_count_from_is_read(heading: str, address: str, sent: int) -> None:
    assert _request(f"Wren W1, {heading}\nFlow | {address} | UINT16 | m3/h", "Read the flow").address == sent


@pytest.mark.parametrize(
    ("said", "order"),
    [
        ("low word first", "little"),
        ("CDAB", "little"),
        ("32位数据低字在前", "little"),
        ("word swap", "little"),
        ("MSW first", "big"),
        ("高字在前", "big"),
    ],
)
def test_word_order_is_read(said: str, order: str) -> None:
    assert _request(f"Wren W1, FC03, 0-based, {said}\nFlow | 8 | FLOAT32 | m3/h", "Read the flow").word_order == order


@pytest.mark.parametrize(
    ("written", "scale"),
    [
        ("x0.1 V", "0.1"), ("gain 10 V", "0.1"), ("raw/100 V", "0.01"), ("0.1 V/LSB", "0.1"), ("/10 V", "0.1"), ("scale 10 V", "10"),
        ("倍率0.01 V", "0.01"), ("放大10倍 V", "0.1"), ("实际值=读数÷1000 V", "0.001"), ("分辨率0.1V", "0.1"), ("1 = 0.5 V", "0.5"),
        ("V", "1"),
    ],
)  # fmt: skip
def test_scales_are_read_as_they_are_written(written: str, scale: str) -> None:
    assert _request(f"Wren W1, FC03, 0-based\nSupply voltage | 8 | UINT16 | {written}", "Read the supply voltage").scale == Decimal(scale)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Wren W1, 0-based\nFlow | 8 | UINT16 | m3/h", "register_space"),
        ("Wren W1, FC03\nFlow | 8 | UINT16 | m3/h", "address_base"),
        ("Wren W1, FC03, 0-based\nFlow | 8 | UINT32 | m3/h", "word_order"),
        ("Wren W1, FC03, 0-based\nFlow | 8 | m3/h", "data_type"),
    ],
)
def test_what_a_map_leaves_open_is_named(text: str, missing: str) -> None:
    answer = by_rules(text, "Read the flow")
    assert isinstance(answer, Refusal)
    assert answer.reason == "incomplete"
    assert missing in answer.missing


def test_two_rows_of_one_name_contradict_each_other() -> None:
    answer = by_rules("Wren W1, FC03, 0-based\nFlow | 8 | UINT16 | l/h\nFlow | 9 | UINT16 | l/h", "Read the flow")
    assert answer == Refusal(reason="contradictory", missing=("address",))


def test_a_quantity_that_the_map_has_not_is_refused() -> None:
    assert by_rules(METER, "Read the oil temperature") == Refusal(reason="not_in_map", missing=("register_for_quantity",))


def test_another_phase_is_not_the_one_asked_for() -> None:
    assert isinstance(by_rules(METER, "Read the voltage of phase L2"), Refusal)


def test_what_is_only_read_is_not_written() -> None:
    assert by_rules(DRIVE, "Set the actual speed to 900 rpm") == Refusal(reason="not_writable", missing=("writable_register",))


def test_a_value_beyond_the_stated_range_is_refused() -> None:
    assert by_rules(DRIVE, "Set the speed setpoint to 3001 rpm") == Refusal(reason="out_of_range", missing=("value_within_range",))


def test_a_value_that_the_scale_cannot_hold_is_never_rounded() -> None:
    text = "Swift pump, holding registers, FC03, write with FC06, 0-based\nCurrent limit | 7 | UINT16 | A | 0.1 | R/W"
    assert by_rules(text, "Set the current limit to 2.55 A") == Refusal(reason="out_of_range", missing=("value_on_scale",))


def test_a_state_that_the_row_does_not_list_is_refused() -> None:
    text = "Swift pump, holding registers, FC03, write with FC06, 0-based\n7 | operating mode | UINT16 | RW | 0: off, 1: cooling"
    assert isinstance(by_rules(text, "Set the operating mode to heating"), Refusal)
    assert _request(text, "Set the operating mode to cooling").registers == (1,)


def test_three_phases_are_one_request() -> None:
    text = "Wren W1, FC04, 0-based, MSW first\n0 | Voltage L1 | FLOAT32 | V\n2 | Voltage L2 | FLOAT32 | V\n4 | Voltage L3 | FLOAT32 | V"
    request = _request(text, "Read all three phase voltages")
    assert (request.address, request.count) == (0, 6)


def test_a_write_that_rules_and_tagger_read_differently_is_not_made() -> None:
    ask = Ask(writes=True, name="speed setpoint")
    rules = Reading(answer=_request(DRIVE, "Set the speed setpoint to 1500 rpm"), ask=ask)
    other = Reading(answer=_request(DRIVE, "Set the speed setpoint to 1501 rpm"), ask=ask)
    none = Reading(answer=Refusal(reason="not_in_map", missing=()), ask=ask)
    assert agreed(rules, rules) == rules.answer
    assert agreed(rules, other) == Abstention(why="disagree")
    assert agreed(rules, none) == Abstention(why="disagree")


def test_a_read_that_the_tagger_takes_for_a_write_is_not_made() -> None:
    rules = Reading(answer=_request(DRIVE, "Read the actual speed"), ask=Ask(writes=False, name="actual speed"))
    marked = Reading(answer=Abstention(why="ambiguous"), ask=Ask(writes=True, name="actual speed"))
    assert agreed(rules, marked) == Abstention(why="disagree")


def test_the_shipped_tagger_reads_a_plain_map_by_itself() -> None:
    answer = by_tagger(METER, "Read the total energy.")
    assert isinstance(answer, Request)
    assert (answer.address, answer.count, answer.scale) == (20, 2, Decimal("0.01"))


def test_the_same_question_has_the_same_answer() -> None:
    assert len({read(DRIVE, "Set the speed setpoint to 1500 rpm") for _ in range(5)}) == 1


def test_a_map_that_is_too_long_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="cut out the rows"):
        read("x\n" * 20_000, "Read x")


def test_every_slot_stands_where_it_says() -> None:
    text = lines.flat(METER)
    for row in rows.read(text):
        for slot in (row.name, row.address, row.kind, row.unit, row.scale):
            assert slot is None or text[slot.start : slot.end] == slot.text


def test_wide_forms_are_read_as_their_usual_ones() -> None:
    text = "金沙机组，读输入寄存器（０４），地址从０开始\n机油压力｜１２｜U16｜0.1｜kPa"
    assert _request(text, "读取机油压力").address == 12


def test_a_cell_left_out_of_a_table_is_seen_by_where_the_others_stand() -> None:
    text = """Wren W1, input registers FC04, 0-based
Addr  Name               Type    Scale  Unit
10    Supply pressure    UINT16  100    Pa
12    Valve position     UINT16         %"""
    assert _request(text, "Read the supply pressure").scale == 100
    assert _request(text, "Read the valve position").scale == 1


def test_a_number_that_may_be_a_scale_is_not_passed_over() -> None:
    text = "Wren W1, input registers FC04, 0-based\nAddr | Name | Type | Scale | Unit\n10 | Supply pressure | UINT16 | 100"
    assert isinstance(by_rules(text, "Read the supply pressure"), Refusal)


def test_further_addresses_in_a_remark_cut_no_row_in_two() -> None:
    text = "// Wren W1, FC03\nregPressure = 20 // 22, 24, UINT16, x0.1 bar\nregFlow = 40 // UINT16"
    assert _request(text, "Read the flow").address == 40
    assert by_rules(text, "Read the pressure") != Refusal(reason="not_in_map", missing=("register_for_quantity",))


def test_an_examples_bytes_are_no_row_and_tell_how_to_write() -> None:
    row = "0x2000 run command, UINT16: 1 run forward, 2 run reverse, 5 stop"
    text = f"Swift drive, FC03, addresses as sent\n{row}\nExample: 01 06 20 00 00 01 43 CA"
    assert _request(text, "Run forward").registers == (1,)
    assert _request(text, "Stop the drive").function_code == 6


WORD = """Robin controller, holding registers (03), PDU addresses, write 06
status word 0x0010, uint16: bit 0 ready, bit 1 running, bit 3 fault
tank temperature 0x0012, uint16, offset -40 °C"""


def test_one_bit_of_a_word_is_read_with_its_word() -> None:
    for question in ("Is the fault bit set?", "Read bit 3 of the status word", "读取状态字第3位"):
        request = _request(WORD, question)
        assert (request.address, request.count, request.data_type, request.bit) == (16, 1, "bits", 3)


def test_one_bit_of_a_word_is_never_written() -> None:
    assert by_rules(WORD, "Set bit 3 of the status word to 1") == Abstention(why="bit")


def test_an_offset_that_an_answer_cannot_carry_is_abstained_from() -> None:
    assert by_rules(WORD, "Read the tank temperature") == Abstention(why="offset")


def test_a_heading_that_names_two_kinds_of_registers_leaves_it_open() -> None:
    answer = by_rules("Wren W1, holding registers, function 04, 0-based\nFlow | 8 | UINT16 | m3/h", "Read the flow")
    assert answer == Refusal(reason="incomplete", missing=("register_space",))


def test_hexadecimal_is_as_sent_only_where_the_map_says_which_registers() -> None:
    assert _request("Wren W1, FC03\nFlow | 0x0008 | UINT16 | m3/h", "Read the flow").address == 8
    answer = by_rules("Wren W1\nFlow | 0x0008 | UINT16 | m3/h | RW", "Read the flow")
    assert answer == Refusal(reason="incomplete", missing=("register_space", "address_base"))
