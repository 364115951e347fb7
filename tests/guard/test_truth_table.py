"""The truth table of the design, written out by hand, for the function and for whole decisions."""

import dataclasses

import pytest
from guarded_mill import SP, compiled, failures, move, proposal, reading, rule, ruled, snapshot

from holdfast.gate.guard.decide import decide
from holdfast.gate.guard.verdict import Outcome, verdict
from holdfast.site.model import AgentSpec, Rule
from holdfast.terms import Autonomy, Verdict

TABLE: list[tuple[Autonomy, Outcome, Verdict, bool]] = [
    ("observe", "failed", "refuse", False),
    ("observe", "none", "refuse", False),
    ("observe", "ask", "refuse", False),
    ("observe", "permit", "refuse", False),
    ("shadow", "failed", "refuse", True),
    ("shadow", "none", "refuse", True),
    ("shadow", "ask", "ask", True),
    ("shadow", "permit", "permit", True),
    ("ask", "failed", "refuse", False),
    ("ask", "none", "refuse", False),
    ("ask", "ask", "ask", False),
    ("ask", "permit", "ask", False),
    ("act", "failed", "refuse", False),
    ("act", "none", "refuse", False),
    ("act", "ask", "ask", False),
    ("act", "permit", "permit", False),
]
PERMIT, ASK, FORBID = rule("permit"), rule("ask", approvals=("process-engineer",)), rule("forbid")
NOT_PERMIT, NOT_ASK, NOT_FORBID = rule("permit", "false"), rule("ask", "false"), rule("forbid", "false")
RULES: list[tuple[str, tuple[Rule, ...], Outcome]] = [
    ("nothing", (), "none"),
    ("a permit that doesn't hold", (NOT_PERMIT,), "none"),
    ("an ask that doesn't hold", (NOT_ASK,), "none"),
    ("a permit", (PERMIT,), "permit"),
    ("a permit, and a forbid that doesn't hold", (PERMIT, NOT_FORBID), "permit"),
    ("a permit, and an ask that doesn't hold", (PERMIT, NOT_ASK), "permit"),
    ("an ask", (ASK,), "ask"),
    ("an ask and a permit", (PERMIT, ASK), "ask"),
    ("a forbid", (FORBID,), "none"),
    ("a forbid and a permit", (PERMIT, FORBID), "none"),
    ("a forbid and an ask", (ASK, FORBID), "none"),
    ("a missing input", (PERMIT, rule("forbid", 'health("none") > 0.5')), "failed"),
]


@pytest.mark.parametrize(("level", "outcome", "expected", "would"), TABLE)
def test_the_function_is_the_table(level: Autonomy, outcome: Outcome, expected: Verdict, would: bool) -> None:
    assert verdict(level, outcome) == (expected, would)


@pytest.mark.parametrize("level", ["observe", "shadow", "ask", "act"])
@pytest.mark.parametrize(("rules", "outcome"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_a_decision_follows_the_table(level: Autonomy, rules: tuple[Rule, ...], outcome: Outcome) -> None:
    of = compiled(ruled(*rules, agents=(AgentSpec(name="mill-agent", autonomy=level),)))
    decision = decide(proposal(), "mill-agent", of, snapshot())
    wanted = next(row[2:] for row in TABLE if row[:2] == (level, outcome))
    assert (decision.verdict, decision.would) == wanted
    assert bool(decision.roles) == (decision.verdict == "ask")


@pytest.mark.parametrize("level", ["shadow", "ask", "act"])
def test_a_failed_check_refuses_whatever_the_policy_says(level: Autonomy) -> None:
    of = compiled(ruled(PERMIT, ASK, agents=(AgentSpec(name="mill-agent", autonomy=level),)))
    decision = decide(proposal((SP, 135.0)), "mill-agent", of, snapshot(sets=((SP, 135.0),)))
    assert (decision.verdict, decision.would) == ("refuse", level == "shadow")


def test_several_asks_are_asked_of_the_union_of_their_roles() -> None:
    rules = (
        rule("ask", "true", approvals=("operator", "shift-lead")),
        rule("ask", "1.0 < 2.0", approvals=("process-engineer", "operator")),
    )
    decision = decide(proposal(), "mill-agent", compiled(ruled(*rules)), snapshot())
    assert decision.roles == ("operator", "shift-lead", "process-engineer")


def test_an_ask_without_roles_asks_the_site_s_default() -> None:
    of = compiled(ruled(rule("ask"), default_approvals=("foreman",)))
    assert decide(proposal(), "mill-agent", of, snapshot()).roles == ("foreman",)


def test_a_permit_at_level_ask_asks_the_site_s_default() -> None:
    assert decide(proposal(), "other", compiled(ruled(PERMIT)), snapshot()).roles == ("operator",)


def test_an_ask_that_names_nobody_is_refused() -> None:
    decision = decide(proposal(), "mill-agent", compiled(ruled(rule("ask"), default_approvals=())), snapshot())
    assert (decision.verdict, failures(decision)) == ("refuse", {"policy.no_role"})


@pytest.mark.parametrize("level", ["observe", "shadow", "ask"])
def test_the_lowest_level_of_plant_equipment_envelope_agent_and_faults_counts(level: Autonomy) -> None:
    expected = {"observe": ("refuse", False), "shadow": ("permit", True), "ask": ("ask", False)}[level]
    base = ruled(PERMIT)
    lowered = [
        dataclasses.replace(base, autonomy=level),
        dataclasses.replace(base, equipment=tuple(dataclasses.replace(e, autonomy=level) for e in base.equipment)),
        dataclasses.replace(base, envelopes=tuple(dataclasses.replace(e, autonomy=level) for e in base.envelopes)),
        dataclasses.replace(base, agents=(AgentSpec(name="mill-agent", autonomy=level),)),
    ]
    for of in lowered:
        decision = decide(proposal(), "mill-agent", compiled(of), snapshot())
        assert (decision.verdict, decision.would) == expected
    for name in ("*", SP):
        decision = decide(proposal(), "mill-agent", compiled(base), snapshot(autonomy=(("*", "act"), (name, level))))
        assert (decision.verdict, decision.would) == expected


def test_shadow_counts_what_it_would_have_moved_and_what_was_moved() -> None:
    of = compiled(ruled(PERMIT, agents=(AgentSpec(name="mill-agent", autonomy="shadow"),)))
    shadow, real = move(103.0, 120, shadow=True), move(102.0, 240, by="other")
    assert decide(proposal(), "mill-agent", of, snapshot(moves=(shadow,))).verdict == "permit"
    both = decide(proposal(), "mill-agent", of, snapshot(moves=(shadow, real)))
    assert failures(both) == {"envelope.rate.over"}


def test_an_unknown_level_is_refused() -> None:
    decision = decide(proposal(), "mill-agent", compiled(ruled(PERMIT)), snapshot(autonomy=(("*", "full"),)))
    assert decision.verdict == "refuse"


def test_a_bad_reading_is_refused_in_shadow_too() -> None:
    of = compiled(ruled(PERMIT, agents=(AgentSpec(name="mill-agent", autonomy="shadow"),)))
    decision = decide(proposal(), "mill-agent", of, snapshot(reading(SP, 1.0), without=("stand-4/tension.pv",)))
    assert (decision.verdict, decision.would) == ("refuse", True)
