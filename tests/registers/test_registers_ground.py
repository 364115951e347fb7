"""The grounding gate takes back an answer of which a piece stands nowhere."""

import dataclasses
from decimal import Decimal

import pytest

from holdfast.agent.models.registers import ask, lines, rows
from holdfast.agent.models.registers.ground import ungrounded
from holdfast.agent.models.registers.read import by_rules
from holdfast.agent.models.registers.words import Request, Slot

TEXT = lines.flat("Swift drive, holding registers, FC03, write FC16, 1-based, low word first\nTorque limit | 41 | INT32 | Nm | 0.1 | R/W")
ASKED = "Set the torque limit to 12.5 Nm"
ROWS = rows.read(TEXT)
ASK = ask.read(ASKED)


def _right() -> Request:
    answer = by_rules(TEXT, ASKED)
    assert isinstance(answer, Request)
    return answer


def test_a_right_answer_passes() -> None:
    assert _right().registers == (125, 0)
    assert ungrounded(_right(), ROWS, ASK, TEXT, ASKED) == ""


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        ({"address": 42}, "address"),
        ({"scale": Decimal("0.01")}, "scale"),
        ({"count": 1}, "type"),
        ({"registers": (126, 0)}, "value"),
        ({"registers": (0, 125)}, "value"),
    ],
)
def test_a_piece_that_stands_nowhere_is_named(change: dict[str, object], piece: str) -> None:
    assert ungrounded(dataclasses.replace(_right(), **change), ROWS, ASK, TEXT, ASKED) == piece


def test_a_slot_of_another_line_is_found_out() -> None:
    row = dataclasses.replace(ROWS[0], unit=Slot(text="FC03", start=TEXT.index("FC03"), end=TEXT.index("FC03") + 4))
    assert ungrounded(_right(), (row,), ASK, TEXT, ASKED) == "place"


def test_a_value_that_the_request_does_not_have_is_found_out() -> None:
    other = dataclasses.replace(ASK, value=Slot(text="12.5", start=0, end=4))
    assert ungrounded(_right(), ROWS, other, TEXT, ASKED) == "value"
