"""The policy's edges: what is adopted is always asked for, and the largest number that is still believed."""

import math

import pytest
from guarded_mill import NOW_NS, SITE, SP, SP_NOW, VIB, bounded, compiled, failures, proposal, rule, ruled, snapshot

from holdfast.gate.guard.decide import decide
from holdfast.site.model import Site
from holdfast.terms import Adopt, Decision

LARGEST = 1e15


def adopted(*rules: object) -> Decision:
    wanted = proposal(action=Adopt(what="cause", name="chatter", digest="ab" * 32))
    return decide(wanted, "mill-agent", compiled(ruled(*rules)), snapshot())  # type: ignore[arg-type]


def test_a_permit_to_adopt_asks_a_person_all_the_same() -> None:
    decision = adopted(rule("permit", actions=("adopt",)))
    assert (decision.verdict, decision.roles, failures(decision)) == ("ask", ("operator",), set())


def test_an_ask_to_adopt_asks_whom_it_names() -> None:
    assert adopted(rule("ask", actions=("adopt",), approvals=("process-engineer",))).roles == ("process-engineer",)


def test_without_a_rule_nothing_is_adopted() -> None:
    assert (adopted().verdict, failures(adopted())) == ("refuse", {"policy.none"})


@pytest.mark.parametrize(("stock", "fails"), [(LARGEST, set()), (math.nextafter(LARGEST, math.inf), {"policy.missing"})])
def test_a_fact_counts_up_to_the_largest_number(stock: float, fails: set[str]) -> None:
    of = ruled(rule("permit", 'inventory("coils") > 1.0'))
    assert failures(decide(proposal(), "mill-agent", compiled(of), snapshot(facts=(("inventory:coils", stock, NOW_NS),)))) == fails


@pytest.mark.parametrize(("wanted", "fails"), [(LARGEST, set()), (math.nextafter(LARGEST, math.inf), {"policy.missing"})])
def test_a_wanted_setpoint_counts_up_to_the_largest_number(wanted: float, fails: set[str]) -> None:
    free = bounded(range=None, step=None, rate=None)
    of: Site = ruled(rule("permit", f'tag("{SP}") > 1.0'), envelopes=free.envelopes)
    found = decide(proposal((SP, wanted)), "mill-agent", compiled(of), snapshot(sets=((SP, wanted),)))
    assert failures(found) == fails


def test_what_else_is_missing_is_told_too_where_the_setpoint_is_not_known() -> None:
    of = ruled(rule("permit", f'tag("{VIB}") < 5.0'))
    found = decide(proposal(), "mill-agent", compiled(of), snapshot(without=(SP_NOW, VIB), sets=()))
    missing = [dict(r.facts)["input"] for r in found.reasons if r.code == "policy.missing"]
    assert missing == [SP_NOW, f'tag("{VIB}")']


@pytest.mark.parametrize(("reason", "fails"), [("颤振正在增长", set()), ("颤振\ud800", {"well_formed.text"})])
def test_a_reason_may_be_in_any_language_that_can_be_recorded(reason: str, fails: set[str]) -> None:
    found = failures(decide(proposal(reason=reason), "mill-agent", compiled(SITE), snapshot()))
    assert found - {"recorded"} == fails
