"""What is a proposal at all, each limit at its edge: the last that passes, and the first beyond it."""

import math
from typing import Any

import pytest
from guarded_mill import COMPILED, FLOW, SP, TAGS, compiled, proposal, site, snapshot, tag

from holdfast.gate.guard.case import Case
from holdfast.gate.guard.wellformed import number, well_formed
from holdfast.terms import Adopt, Call, Evidence, Order, Write

EXACT_MAX = 2**53


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (0, ""),
        (0.0, ""),
        (-0.0, "negative_zero"),
        (-1.0, ""),
        (-5e-324, ""),
        (1.7976931348623157e308, ""),
        (math.inf, "finite"),
        (-math.inf, "finite"),
        (math.nan, "finite"),
        (EXACT_MAX, ""),
        (EXACT_MAX + 1, "type"),
        (-EXACT_MAX, ""),
        (-EXACT_MAX - 1, "type"),
        (float(2**60), ""),  # a real number may be larger: it is what it is
        (True, "type"),
        ("1", "type"),
        (None, "type"),
        (1 + 0j, "type"),
    ],
)
def test_a_number_is_finite_and_exact(value: Any, wrong: str) -> None:
    assert number(value) == wrong


def codes(**fields: Any) -> set[str]:
    return {r.code for r in well_formed(Case(proposal(**fields), "mill-agent", COMPILED, snapshot()))}


GOOD, BAD = {"well_formed"}, {"well_formed.action"}
PARTS = (("bearing", 1),)


def order(**changes: Any) -> Order:
    fields: dict[str, Any] = {"kind": "work_order", "target": "stand-4", "text": "look at it", "parts": PARTS, "slot_ns": (5, 9), **changes}
    return Order(**fields)


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        (order(), GOOD),
        (order(kind="hold_batch"), GOOD),
        (order(kind="notify", parts=(), slot_ns=None), GOOD),
        (order(kind="burn"), BAD),
        (order(target=""), BAD),
        (order(text="\ud800"), BAD),
        (order(text="x" * 4000), GOOD),
        (order(text="x" * 4001), BAD),
        (order(parts=None), BAD),
        (order(parts=[("bearing", 1)]), BAD),
        (order(parts=PARTS * 64), GOOD),
        (order(parts=PARTS * 65), BAD),
        (order(parts=(("", 1),)), BAD),
        (order(parts=(("bearing", 0),)), BAD),
        (order(parts=(("bearing", -1),)), BAD),
        (order(parts=(("bearing", EXACT_MAX),)), GOOD),
        (order(parts=(("bearing", EXACT_MAX + 1),)), BAD),
        (order(parts=(("bearing", True),)), BAD),
        (order(parts=(("bearing", 1.0),)), BAD),
        (order(slot_ns=(5, 5)), GOOD),
        (order(slot_ns=(9, 5)), BAD),
        (order(slot_ns=(5,)), BAD),
        (order(slot_ns=(5, 9, 10)), BAD),
        (order(slot_ns=(5.0, 9.0)), BAD),
        (order(slot_ns=(True, 9)), BAD),
        (Adopt(what="cause", name="chatter", digest="ab"), GOOD),
        (Adopt(what="", name="chatter", digest="ab"), BAD),  # type: ignore[arg-type]
        (Adopt(what="cause", name="", digest="ab"), BAD),
        (Adopt(what="cause", name="chatter", digest=""), BAD),
        (Call(method="m", arguments=(1.0,)), GOOD),
        (Call(method="", arguments=(1.0,)), BAD),
        (Call(method="m", arguments=[1.0]), BAD),  # type: ignore[arg-type]
        (Call(method="m", arguments=(1.0,) * 64), GOOD),
        (Call(method="m", arguments=(1.0,) * 65), BAD),
        (Call(method="m", arguments=(1.0, math.nan)), BAD),
        (Call(method="", arguments=()), BAD),
        ("write", BAD),
    ],
)
def test_an_action_is_one_of_four_and_within_its_limits(action: Any, wanted: set[str]) -> None:
    assert codes(action=action) == wanted


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        (Write(sets=()), {"well_formed.sets"}),
        (Write(sets=None), {"well_formed.sets"}),  # type: ignore[arg-type]
        (Write(sets=[(SP, 1.0)]), {"well_formed.sets"}),  # type: ignore[arg-type]
        (Write(sets=tuple((f"t{i}", 1.0) for i in range(16))), GOOD),
        (Write(sets=tuple((f"t{i}", 1.0) for i in range(17))), {"well_formed.sets"}),
        (Write(kind="call", sets=((SP, 1.0),)), BAD),  # type: ignore[arg-type]
        (Write(sets=((SP, 1.0),), unit=None), BAD),  # type: ignore[arg-type]
        (Write(sets=([SP, 1.0],)), BAD),  # type: ignore[arg-type]
        (Write(sets=((SP, 1.0, 2.0),)), BAD),  # type: ignore[arg-type]
        (Write(sets=((SP, 1.0), (SP,))), BAD),  # type: ignore[arg-type]
        (Write(sets=((SP, 1.0), (SP, 1.0))), {"well_formed.duplicate"}),
        (Write(sets=(("", 1.0),)), {"well_formed.text"}),
        (Write(sets=((SP, 1.0),), unit="kN"), GOOD),
        (Write(sets=((SP, 1.0),), unit="N"), {"well_formed.unit"}),
        (Write(sets=((SP, 1.0), (FLOW, 1.0)), unit="kN"), {"well_formed.unit"}),
    ],
)
def test_a_write_names_1_to_16_tags_once_each(action: Write, wanted: set[str]) -> None:
    assert codes(action=action) == wanted


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        ("integer", 7.0, True),
        ("integer", 7.5, False),
        ("integer", float(EXACT_MAX), True),
        ("integer", float(EXACT_MAX + 2), False),
        ("bool", 0.0, True),
        ("bool", 1.0, True),
        ("bool", 0.5, False),
        ("bool", 2.0, False),
        ("state", 2.0, True),
        ("state", 3.0, False),
    ],
)
def test_a_value_fits_the_tags_type(kind: Any, value: float, good: bool) -> None:
    more = tag("x/y", type=kind, states=((1, "a"), (2, "b")) if kind == "state" else ())
    of = compiled(site(tags=(*TAGS, more)))
    found = {r.code for r in well_formed(Case(proposal(("x/y", value)), "mill-agent", of, snapshot()))}
    assert found == (GOOD if good else {"well_formed.kind"})


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ({"id": "x" * 128}, True),
        ({"id": "x" * 129}, False),
        ({"id": " x"}, False),
        ({"id": "a\nb"}, False),
        ({"incident": ""}, False),
        ({"reason": "\ud7ff\ue000颤"}, True),
        ({"reason": "\ud800"}, False),
        ({"reason": chr(0xDFFF)}, False),
        ({"reason": "a\udabcb"}, False),
        ({"expect": None}, False),
        ({"evidence": (Evidence(kind="case", ref="r"),) * 64}, True),
        ({"evidence": (Evidence(kind="case", ref="r"),) * 65}, False),
        ({"evidence": [Evidence(kind="case", ref="r")]}, False),
        ({"evidence": (Evidence(kind="case", ref="r"), "x")}, False),
        ({"evidence": (Evidence(kind="", ref="r"),)}, False),  # type: ignore[arg-type]
        ({"evidence": (Evidence(kind="case", ref="\ud800"),)}, False),
        ({"evidence": (Evidence(kind="case", ref="r", quote="\ud800"),)}, False),
    ],
)
def test_texts_are_short_printable_and_can_be_recorded(fields: dict[str, Any], good: bool) -> None:
    assert codes(**fields) == (GOOD if good else {"well_formed.text"})


@pytest.mark.parametrize(
    ("valid_s", "good"), [(1.0, True), (0.999, False), (86_400.0, True), (86_400.1, False), (math.nan, False), (True, False)]
)
def test_a_proposal_is_valid_for_a_second_to_a_day(valid_s: Any, good: bool) -> None:
    assert codes(valid_s=valid_s) == (GOOD if good else {"well_formed.valid"})
