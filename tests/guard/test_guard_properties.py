"""Whatever comes in: never a traceback, never a permit outside range, step and travel; what is outside is judged here anew."""

import dataclasses
import math
from decimal import Decimal
from typing import Any

from guarded_mill import COMPILED, GRADE, NOW_NS, SP, SP_NOW, WELL, proposal, reading, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.gate.guard.cel import Language
from holdfast.gate.guard.conditions import Flaw, take_apart
from holdfast.gate.guard.decide import decide
from holdfast.terms import SECOND_NS, Adopt, Call, Evidence, Move, Order, Proposal, Wire, Write, canonical

numbers = st.one_of(st.floats(), st.floats(85, 125), st.sampled_from([90.0, 115.0, 100.0, 102.0, 98.0, math.nextafter(102.0, 200)]))
anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3) | st.sampled_from([SP, "kN"]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=8,
)
actions = st.one_of(
    anything,
    st.builds(Write, sets=anything, unit=anything),
    st.builds(Write, sets=st.lists(st.tuples(st.sampled_from([SP, "x"]) | anything, anything), max_size=3).map(tuple)),
    st.builds(Call, method=anything, arguments=anything),
    st.builds(Order, kind=anything, target=anything, text=anything, parts=anything, slot_ns=anything),
    st.builds(Adopt, what=anything, name=anything, digest=anything),
)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Proposal, id=anything, incident=anything, action=actions, reason=anything, evidence=anything, expect=anything, valid_s=anything
    ),
    anything,
)
def test_what_is_malformed_is_refused_and_can_be_recorded(wanted: Proposal, author: Any) -> None:
    decision = decide(wanted, author, COMPILED, snapshot())
    assert decision.verdict == "refuse"
    assert canonical(decision)


moves = st.builds(
    Move,
    tag=st.just(SP),
    before=st.floats(99, 101),
    after=st.floats(99, 101),
    at_ns=st.integers(NOW_NS - 700 * SECOND_NS, NOW_NS),
    by=st.just("mill-agent"),
    ours=st.just(True),
)


@settings(max_examples=100, deadline=None)
@given(numbers, numbers, st.floats(80, 120), st.sampled_from([0.0, 1.0, 2.0, 0.5]), st.lists(moves, max_size=4).map(tuple))
def test_a_permit_is_within_range_step_and_travel(
    asked: float, carried: float, present: float, grade: float, seen: tuple[Move, ...]
) -> None:
    known = snapshot(reading(SP_NOW, present), reading(GRADE, grade), moves=seen, sets=())
    for value in (asked, carried):
        wire = Wire(tag=SP, asked=asked, value=value)
        decision = decide(proposal((SP, asked)), "mill-agent", COMPILED, dataclasses.replace(known, wires=(wire,)))
        if decision.verdict != "permit":
            continue
        low, high = {0.0: (90.0, 115.0), 1.0: (80.0, 120.0)}[grade]
        assert low <= value <= high
        step = abs(Decimal(repr(value)) - Decimal(repr(present)))
        assert 0 < step <= 2
        inside = [m for m in seen if m.at_ns > NOW_NS - 600 * SECOND_NS]
        assert float(step) + sum(abs(m.after - m.before) for m in inside) <= 5.0 + 1e-9
        assert all(m.at_ns <= NOW_NS - 60 * SECOND_NS for m in seen)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(WELL)), st.floats(), st.integers(0, 2**32 - 1), st.floats(), st.floats(), st.floats())
def test_a_reading_of_any_kind_gives_a_decision(name: str, value: float, status: int, age_s: float, still_s: float, skew_s: float) -> None:
    known = snapshot(reading(name, value, status=status, age_s=age_s, still_s=still_s, skew_s=skew_s))
    decision = decide(proposal(), "mill-agent", COMPILED, known)
    assert canonical(decision)
    # The written tag's own former value is not what a decision rests on; the active setpoint is.
    if decision.verdict == "permit" and name not in (SP, "stand-4/emulsion.sp", "stand-4/emulsion.sp_now"):
        assert status == 0
        assert math.isfinite(value)
        assert 0 <= age_s <= 3
        assert abs(skew_s) <= 10


fragments = st.sampled_from(
    ["proposed", "present", "1.0", "1", '"a"', "'", "(", ")", "[", "]", "&&", "||", "!", "<", "==", "in", "?", ":", "/", "-", "abs", ","]
)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(fragments, max_size=12).map(" ".join)))
def test_any_text_is_a_condition_or_a_flaw(text: str) -> None:
    try:
        program = Language({}).compile(take_apart(text, lambda _: "v0"))
    except (Flaw, KeyError):
        return
    assert program.holds(Language({}).values({"proposed": 1.0, "present": 2.0})) in (True, False)


def test_evidence_is_looked_at() -> None:
    wanted = proposal(evidence=(Evidence(kind="alarm", ref="a", quote="x" * 4001),))
    assert decide(wanted, "mill-agent", COMPILED, snapshot()).verdict == "refuse"


def test_an_id_that_has_no_text_is_refused() -> None:
    assert decide(proposal(id=10**5000), "mill-agent", COMPILED, snapshot()).verdict == "refuse"
