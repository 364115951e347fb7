"""A write is made only where it is one known value for one known register: everything else is refused or abstained from."""

import pytest

from holdfast.agent.models.registers.read import by_rules, read
from holdfast.agent.models.registers.words import Request

MAP = """Heron H4 inverter, holding registers, read 03, write 06, protocol addresses from 0, low word first
Charge power limit | 10 | UINT16 | W | 1 | R/W
Discharge power limit | 11 | UINT16 | W | 1 | R/W
Zone 1 target temperature | 20 | INT16 | °C | 0.1 | R/W
Current limit L1 | 30 | UINT16 | A | 0.1 | R/W
Current limit L2 | 31 | UINT16 | A | 0.1 | R/W
Supply temperature | 40 | INT16 | °C | 0.1 | RO
Firmware | 50 | UINT32 | - | 1 | R/W"""


@pytest.mark.parametrize(
    "question",
    [
        "Set the power limit to 500 W",  # which of two
        "Set the target temperature of zone 2 to 21 °C",  # not that zone
        "Set the current limit of L3 to 10 A",
        "Set the current limits of L1 and L2 to 10 A",
        "Increase the zone 1 target temperature by 2 °C",
        "把1区目标温度提高2℃",
        "Set the charge power limit to between 100 and 200 W",
        "Do not set the charge power limit to 500 W",
        "不要把充电功率限值设为500W",
        "Set the charge power limit to 500 W if the battery is full",
        "如果电池已满，把充电功率限值设为500W",
        "Set the charge power limit to 500 W and the discharge power limit to 400 W",
        "Set the charge power limit to 70000 W",
        "Set the charge power limit to -5 W",
        "Set the charge power limit to 50 %",
        "Set the zone 1 target temperature to 21.55 °C",
        "Set the supply temperature to 30 °C",
        "Set the oil pressure to 3 bar",
        "Set the firmware to 3",  # function 06 can't write two registers
        "Set the charge power limit",
        "Double the charge power limit",
        "Set the charge power limit to high",
    ],
)
def test_no_write_is_made_of(question: str) -> None:
    for answer in (by_rules(MAP, question), read(MAP, question)):
        assert not isinstance(answer, Request), answer


@pytest.mark.parametrize(
    ("question", "address", "registers"),
    [
        ("Set the discharge power limit to 400 W", 11, (400,)),
        ("将放电功率限值设为0.4kW", 11, (400,)),
        ("Set the zone 1 target temperature to -1.5 °C", 20, (65_521,)),
        ("Limit the current of L2 to 10 A", 31, (100,)),
    ],
)
def test_what_is_plain_is_written(question: str, address: int, registers: tuple[int, ...]) -> None:
    answer = by_rules(MAP, question)
    assert isinstance(answer, Request), answer
    assert (answer.address, answer.registers) == (address, registers)


@pytest.mark.parametrize(
    "heading",
    [
        "Heron H4, holding registers, write 06",  # where addresses count from is open
        "Heron H4, addresses 0-based, write 06, function 04",  # input registers
        "Heron H4, holding registers, 0-based, write with FC16, 5-digit references",
    ],
)
def test_a_heading_that_leaves_it_open_or_contradicts_writes_nothing(heading: str) -> None:
    answer = by_rules(f"{heading}\nCharge power limit | 10 | UINT16 | W | 1", "Set the charge power limit to 500 W")
    assert not isinstance(answer, Request), answer
