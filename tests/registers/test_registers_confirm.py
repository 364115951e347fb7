"""The tagger confirms a write piece by piece, and what it sees otherwise stops it."""

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.registers import ask, lines, rows
from holdfast.agent.models.registers.confirm import unconfirmed
from holdfast.agent.models.spans import Marked, Span, Tagger

TEXT = lines.flat("Swift drive, holding registers, FC03, write FC06, 0-based\nTorque limit | 41 | INT16 | Nm | 0.1 | R/W")
ASKED = "Set the torque limit to 12.5 Nm"
LABELS = ("-", "name", "address", "type", "scale", "unit", "access", "value", "base_zero", "base_one")
MARKS = {"Torque limit": "name", "41": "address", "INT16": "type", "Nm": "unit", "0.1": "scale", "R/W": "access", "0-based": "base_zero"}
REQUEST = {"torque limit": "name", "12.5": "value", "Nm": "unit"}


class Scripted(Tagger):
    """A tagger that sees what it is told to: a double of the network, not of what is done with it."""

    def __init__(self, marks: Mapping[str, str], request: Mapping[str, str] = REQUEST, kind: str = "write") -> None:
        self.labels, self.classes = LABELS, ("map", "read", "write")
        self._marks, self._request, self._kind = marks, request, kind

    def shares(self, text: str) -> NDArray[np.float32]:
        found = np.zeros((len(text), len(LABELS)), np.float32)
        found[:, 0] = 0.9
        for span in self.mark(text).spans:
            found[span.start : span.end, 0] = 0.0
            found[span.start : span.end, LABELS.index(span.label)] = 1.0
        return found

    def mark(self, text: str) -> Marked:
        marks = self._request if text.startswith("? ") else self._marks
        spans = sorted((text.index(word), word, label) for word, label in marks.items())
        return Marked(spans=tuple(Span(start=at, end=at + len(word), label=label, sure=1.0) for at, word, label in spans), kind=self._kind)


def _against(tagger: Scripted) -> str:
    from holdfast.agent.models.registers.tagged import read_map

    seen = rows.read(TEXT)
    return unconfirmed(tagger, TEXT, ASKED, ask.read(ASKED), seen[0], seen, read_map(tagger, TEXT))


def test_what_both_see_alike_is_confirmed() -> None:
    assert _against(Scripted(MARKS)) == ""


def test_each_piece_seen_otherwise_is_named() -> None:
    assert _against(Scripted(MARKS | {"41": "scale"})) == "address"
    assert _against(Scripted(MARKS | {"0.1": "unit"})) == "scale"
    assert _against(Scripted(MARKS | {"INT16": "unit"})) == "type"
    assert _against(Scripted(MARKS | {"Torque limit": "unit"})) == "name"


def test_a_heading_read_otherwise_stops_it_and_a_silent_one_does_not() -> None:
    assert _against(Scripted(MARKS | {"0-based": "base_one"})) == "base"
    assert _against(Scripted({word: label for word, label in MARKS.items() if word != "0-based"})) == ""


def test_a_request_that_the_tagger_takes_for_a_read_is_not_written() -> None:
    assert _against(Scripted(MARKS, kind="read")) == "kind"


def test_another_value_in_the_request_stops_it() -> None:
    assert _against(Scripted(MARKS, {"torque limit": "name", "12.5": "unit"})) == "value"


def test_the_double_has_the_labels_of_the_real_one() -> None:
    from holdfast.agent.models.registers.tagged import model

    assert set(LABELS) - {"-"} <= set(model().labels)
    assert json.dumps(model().classes) == json.dumps(("map", "read", "write"))
