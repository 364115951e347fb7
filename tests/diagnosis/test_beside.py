"""Other open incidents: the same cause elsewhere speaks for it, trouble upstream that began before speaks against it."""

import dataclasses
import math

import pytest
from test_rank import AT_NS, BOUNDS, MILL

from holdfast.agent.diagnosis.beside import NEAR_NS, Other, beside
from holdfast.agent.diagnosis.flows import Flows
from holdfast.agent.diagnosis.weigh import Weighed
from holdfast.site.model import Equipment
from holdfast.terms import SECOND_NS, Finding

HERE = next(bound for bound in BOUNDS if bound.equipment == "stand-4")
ONE = Weighed(id=HERE.id, bound=HERE, odds=0.0, supporting=(), opposing=(), carried=0.5)
FOUND = Finding(id="f", incident="i", detector="d@0", onset_ns=AT_NS, found_ns=AT_NS, confidence=0.6, score=2.0, shares=())
FLOWS = Flows(dataclasses.replace(MILL, equipment=(Equipment(name="stand-3", feeds=("stand-4",)), Equipment(name="stand-4"))))


def other(*, equipment: str = "stand-3", before_s: float = 120.0, mode: str = "another", probability: float = 0.8) -> Other:
    return Other(
        incident="incident-9", equipment=equipment, onset_ns=AT_NS - round(before_s * SECOND_NS), mode=mode, probability=probability
    )


def test_the_same_cause_elsewhere_makes_it_twice_as_likely_and_is_cited() -> None:
    found = beside(ONE, FOUND, (other(mode=HERE.mode.id), other(mode=HERE.mode.id, equipment="stand-2")), FLOWS, "en")
    assert math.exp(found.odds) == pytest.approx(2.0)
    assert [one.ref for one in found.supporting] == ["incident-9", "incident-9"]
    assert found.supporting[0].quote == "incident incident-9 at stand-3 has the same cause first; it began 2 min before this one"
    assert found.opposing == ()


def test_trouble_upstream_that_began_before_speaks_against_a_cause_of_here() -> None:
    found = beside(ONE, FOUND, (other(),), FLOWS, "zh")
    assert math.exp(found.odds) == pytest.approx(0.6)
    assert found.opposing[0].quote == "上游 stand-3 的事件 incident-9 早于本事件 2 分钟，本事件可能由它引起"


@pytest.mark.parametrize(
    "says_nothing",
    [
        other(before_s=-60.0),  # upstream, but it began later
        other(equipment="stand-5"),  # nothing flows from there to here
        other(equipment="stand-4"),  # of the same equipment
        other(before_s=NEAR_NS / SECOND_NS + 1),  # of another day
        other(equipment="stand-5", mode=HERE.mode.id, probability=0.4),  # the same cause, of which nobody is sure
    ],
)
def test_what_has_nothing_to_do_with_it_changes_nothing(says_nothing: Other) -> None:
    assert beside(ONE, FOUND, (says_nothing,), FLOWS, "en") == ONE
