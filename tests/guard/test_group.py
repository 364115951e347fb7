"""Several tags at once: each step and the joint end state, with what is pending as if it had happened."""

import dataclasses

import pytest
from guarded_mill import (
    EMULSION,
    FLOW,
    FLOW_NOW,
    GRADE,
    NOW_NS,
    PERMIT,
    SP,
    SP_NOW,
    TENSION,
    compiled,
    failures,
    proposal,
    reading,
    rule,
    ruled,
    site,
    snapshot,
)

from holdfast.gate.guard.decide import decide
from holdfast.site.model import Equals
from holdfast.terms import Decision, Move

BOTH = ((SP, 101.0), (FLOW, 310.0))
LOW_FLOW = f'tag("{FLOW}") <= 305.0'
STILL = f'tag("{SP}") == 100.0'


def judged(when: str, *, effect: str = "permit", sets: tuple[tuple[str, float], ...] = BOTH, **more: object) -> Decision:
    rules = (rule("permit"), rule(effect, when)) if effect != "permit" else (rule("permit", when),)
    return decide(proposal(*sets), "mill-agent", compiled(ruled(*rules)), snapshot(sets=sets, **more))  # type: ignore[arg-type]


def pending(tag: str, after: float, **more: object) -> Move:
    fields = {"tag": tag, "before": 300.0, "after": after, "at_ns": NOW_NS, "by": "other", "ours": True, **more}
    return Move(**fields)  # type: ignore[arg-type]


def test_a_group_of_legal_sets_is_permitted() -> None:
    assert judged("true").verdict == "permit"


def test_one_bad_set_refuses_the_group() -> None:
    sets = ((SP, 101.0), (FLOW, 331.0))
    assert failures(judged("true", sets=sets)) == {"envelope.step.over"}


def test_a_condition_sees_the_joint_end_state() -> None:
    assert failures(judged(LOW_FLOW)) == {"policy.none"}


def test_a_condition_sees_the_active_setpoint_that_follows() -> None:
    assert failures(judged(f'tag("{FLOW_NOW}") <= 305.0')) == {"policy.none"}


def test_a_forbid_that_holds_at_the_end_refuses() -> None:
    assert failures(judged(f'tag("{FLOW}") > 305.0', effect="forbid")) == {"policy.forbid"}


def test_a_forbid_that_holds_between_two_steps_refuses() -> None:
    """After the first step tension is up and flow isn't yet."""
    between = f'tag("{SP}") > 100.0 && tag("{FLOW}") < 305.0'
    assert failures(judged(between, effect="forbid")) == {"policy.forbid"}
    assert judged(between, effect="forbid", sets=((FLOW, 310.0), (SP, 101.0))).verdict == "permit"


def test_an_ask_that_holds_between_two_steps_asks() -> None:
    between = f'tag("{SP}") > 100.0 && tag("{FLOW}") < 305.0'
    assert judged(between, effect="ask").verdict == "ask"


def test_an_ask_that_holds_part_of_the_way_does_not_permit_the_rest() -> None:
    of = compiled(ruled(rule("ask", f'tag("{FLOW}") < 305.0')))
    assert failures(decide(proposal(*BOTH), "mill-agent", of, snapshot(sets=BOTH))) == {"policy.none"}


def test_every_tag_of_a_group_needs_a_rule() -> None:
    of = compiled(ruled(rule("permit", tags=(SP,))))
    assert failures(decide(proposal(*BOTH), "mill-agent", of, snapshot(sets=BOTH))) == {"policy.none"}


def test_what_is_pending_is_judged_as_if_it_had_happened() -> None:
    one = ((SP, 101.0),)
    assert judged(LOW_FLOW, sets=one).verdict == "permit"
    assert failures(judged(LOW_FLOW, sets=one, pending=(pending(FLOW, 310.0),))) == {"policy.none"}


def test_what_is_pending_can_not_be_relied_on() -> None:
    """It may still be refused: a permit must hold with and without it."""
    one = ((SP, 101.0),)
    assert failures(judged(f'tag("{FLOW}") > 305.0', sets=one, pending=(pending(FLOW, 310.0),))) == {"policy.none"}


def test_a_pending_state_without_a_name_has_no_range() -> None:
    assert failures(judged("true", sets=((SP, 101.0),), pending=(pending(GRADE, 9.0),))) == {"envelope.range.unlisted"}


def test_a_pending_state_s_range_counts_beside_the_present_one() -> None:
    """At 116 the other grade's range would do, but the present one's ends at 115."""
    sets = ((SP, 116.0),)
    of = compiled(ruled(rule("permit")))
    known = snapshot(reading(GRADE, 1.0), reading(SP_NOW, 115.0), sets=sets)
    assert decide(proposal(*sets), "mill-agent", of, known).verdict == "permit"
    later = dataclasses.replace(known, pending=(pending(GRADE, 0.0),))
    assert failures(decide(proposal(*sets), "mill-agent", of, later)) == {"envelope.range.above.state"}


def test_what_is_pending_in_shadow_does_not_count() -> None:
    assert judged(LOW_FLOW, sets=((SP, 101.0),), pending=(pending(FLOW, 310.0, shadow=True),)).verdict == "permit"


def test_the_autonomy_of_a_group_is_the_lowest_of_its_tags() -> None:
    of = site(envelopes=(TENSION, dataclasses.replace(EMULSION, autonomy="ask")))
    assert decide(proposal(*BOTH), "mill-agent", compiled(of), snapshot(sets=BOTH)).verdict == "ask"


def test_a_set_that_ends_another_s_requirement_refuses_the_group() -> None:
    of = site(envelopes=(dataclasses.replace(TENSION, requires=(Equals(tag=FLOW, value=300.0),)), EMULSION))
    assert failures(decide(proposal(*BOTH), "mill-agent", compiled(of), snapshot(sets=BOTH))) == {"requires.off"}


def test_seventeen_sets_are_too_many() -> None:
    sets = tuple((f"t{n}", 1.0) for n in range(17))
    assert "well_formed.sets" in failures(decide(proposal(*sets), "mill-agent", compiled(site()), snapshot(sets=sets)))


@pytest.mark.parametrize("busy", [((FLOW, "frozen"),), (("*", "frozen"),)])
def test_a_busy_tag_in_a_group_refuses_it(busy: tuple[tuple[str, str], ...]) -> None:
    assert failures(judged("true", busy=busy)) == {"busy.busy"}


def test_a_permit_missing_for_the_second_refuses_both() -> None:
    of = site(envelopes=(TENSION, dataclasses.replace(EMULSION, enable=Equals(tag=SP_NOW, value=1.0))))
    found = decide(proposal(*BOTH), "mill-agent", compiled(of), snapshot(reading(PERMIT, 1.0), sets=BOTH))
    assert failures(found) == {"enable.off"}
