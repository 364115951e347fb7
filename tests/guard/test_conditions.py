"""Conditions: what is not a typed, finite, two-valued statement is refused when it is loaded; each trap of CEL is a test."""

# One row is one line.
# ruff: noqa: E501
import math

import pytest
from guarded_mill import GRADE, KEY, MODE, PV, SP, STATE, VIB, compiled, failures, proposal, reading, reason, rule, ruled, snapshot

from holdfast.gate.guard.cel import Language, Unclear, Variable
from holdfast.gate.guard.conditions import Flaw, Input, take_apart
from holdfast.gate.guard.decide import decide
from holdfast.gate.guard.policy import problems
from holdfast.site.model import SiteError
from holdfast.terms import SECOND_NS

NOW_NS = 1_700_000_000 * SECOND_NS

REFUSED = [
    ("proposed < 1", "write 1.0"),
    ("proposed < 1u", "write 1.0"),
    ("proposed < 0x10", "real numbers"),
    ("proposed < 1.0u", "write 1.0"),
    ("proposed", "not true or false"),
    ("abs(proposed)", "not true or false"),
    ('tag("line/nothing") > 1.0', "unknown tag"),
    ('tag("stand-4/vibratoin") > 1.0', "stand-4/vibration"),
    ('tag("line/" + "state") == "running"', "written out"),
    ("tag(proposed) > 1.0", "written out"),
    ("tag > 1.0", "written out"),
    ('tag("line/grade") == "DC0l"', "no state"),
    ('"DC02" != tag("line/grade")', "no state"),
    ('tag("line/grade") in ["DC01", "DX52"]', "no state"),
    ('tag("line/grade") == 1.0', "no matching overload"),
    ('tag("line/key_switch") == 1.0', "no matching overload"),
    ("dyn(proposed) == 1.0", "unknown function 'dyn'"),
    ("proposed.abs() > 1.0", "not part of conditions"),
    ("size([1.0]) > 1.0", "unknown function 'size'"),
    ("proposed in [1.0, true]", "one type only"),
    ("proposed in []", "one type only"),
    ("[1.0] == [1.0]", "a list anywhere but after"),
    ("{1.0: 2.0} == {1.0: 2.0}", "not part of conditions"),
    ("proposed / present > 1.0", "divi"),
    ("proposed / 0.0 > 1.0", "divi"),
    ("proposed / (1.0 - 1.0) > 1.0", "divi"),
    ("proposed < 1e16", "beyond"),
    ("proposed < 1e400", "beyond"),
    (" * ".join(["proposed"] * 10) + " > 1.0", "products"),
    ("v0 > 1.0", "unknown name 'v0'"),
    ("рroposed > 1.0", "not part of conditions"),
    ("proposed > 1.0 &&", "Syntax error"),
    ("(proposed > 1.0", "Syntax error"),
    ("proposed > 1.0; true", "not part of conditions"),
    ("", "empty"),
    ("// true", "empty"),
    ('tag("line/state) == "running"', "not"),
    ('r"a" == "a"', "plain"),
    ('b"a" == "a"', "plain"),
    ('"""a""" == "a"', "plain"),
    ("''' ' == 'a'", "plain"),
    ('"\\n" == "a"', "escape"),
    ("(" * 40 + "true" + ")" * 40, "nested"),
    ("true" + " " * 2000, "characters"),
    ("true ? proposed : 1.0", "not true or false"),
    ('min(proposed, "1") > 1.0', "no matching overload"),
    ("min(proposed) > 1.0", "'min'"),
    ("null == null", "unknown name 'null'"),
    ("type(proposed) == double", "unknown function 'type'"),
]
HOLD = [
    ("true", True),
    ("false", False),
    ("proposed > 100.5", True),
    ("abs(proposed - present) <= 1.0", True),
    ("abs(present - proposed) < 1.0", False),
    ("min(proposed, present) == 100.0 && max(proposed, present) == 101.0", True),
    (f'tag("{STATE}") == "running"', True),
    (f'tag("{STATE}") != "running"', False),
    (f"tag('{GRADE}') in [\"DC01\", 'SPCC']", True),
    (f'!tag("{KEY}")', True),
    (f'tag("{VIB}") < 7.1 // a comment with "quotes" and tag("x")', True),
    ('"tag(\\"line/nothing\\")" == "x"', False),
    ("proposed * 2.0 / 4.0 - 50.0 > 0.0", True),
    ("-proposed < 0.0", True),
    ("true ? proposed > 1.0 : false", True),
    (f'tag("{SP}") == 101.0', True),  # as proposed, not as it is
]


@pytest.mark.parametrize(("when", "expected"), REFUSED)
def test_what_is_no_condition_is_refused_when_it_is_loaded(when: str, expected: str) -> None:
    of = ruled(rule("permit", when, id="r", line=12))
    found = list(problems(of, "policy.yaml"))
    assert len(found) == 1
    assert found[0].line == 12
    assert found[0].file == "policy.yaml"
    assert found[0].cure
    assert expected in f"{found[0].what} {found[0].cure}"
    with pytest.raises(SiteError):
        compiled(of)


@pytest.mark.parametrize(("when", "holds"), HOLD)
def test_a_condition_holds_or_not(when: str, holds: bool) -> None:
    decision = decide(proposal(), "mill-agent", compiled(ruled(rule("permit", when))), snapshot())
    assert decision.verdict == ("permit" if holds else "refuse")
    assert failures(decision) == (set() if holds else {"policy.none"})


def test_an_error_is_no_truth() -> None:
    language = Language({})
    program = language.compile(take_apart("proposed > 1.0", lambda _: "v0"))
    with pytest.raises(Unclear):
        program.holds(language.values({}))
    with pytest.raises(Unclear):
        program.holds(language.values({"proposed": "high"}))


def test_only_true_itself_is_true() -> None:
    """cel-expr-python gives an error back as a value whose text is truthy."""
    wanted = Input(kind="tag", name="a")
    language = Language({wanted: Variable(name="v0", input=wanted, type="string")})
    program = language.compile(take_apart('tag("a") == "x"', lambda _: "v0"))
    with pytest.raises(Unclear):
        program.holds(language.values({}))


def test_a_missing_input_refuses_though_an_or_would_absorb_it() -> None:
    of = compiled(ruled(rule("permit", 'tag("stand-4/spare") == 1.0 || true')))
    assert failures(decide(proposal(), "mill-agent", of, snapshot())) == {"policy.missing"}


def test_a_missing_input_of_a_forbid_refuses() -> None:
    of = compiled(ruled(rule("permit"), rule("forbid", 'tag("stand-4/spare") == 1.0')))
    decision = decide(proposal(), "mill-agent", of, snapshot())
    assert failures(decision) == {"policy.missing"}
    assert dict(reason(decision, "policy.missing").facts)["input"] == 'tag("stand-4/spare")'


def test_a_missing_input_of_a_rule_that_does_not_apply_does_not_matter() -> None:
    of = compiled(ruled(rule("permit"), rule("forbid", 'tag("stand-4/spare") == 1.0', agents=("other",))))
    assert decide(proposal(), "mill-agent", of, snapshot()).verdict == "permit"


def test_not_a_number_does_not_pass_a_negated_range() -> None:
    of = compiled(ruled(rule("permit", f'!(tag("{PV}") < 90.0 || tag("{PV}") > 115.0)')))
    assert "policy.missing" in failures(decide(proposal(), "mill-agent", of, snapshot(reading(PV, math.nan))))


def test_a_bool_tag_that_reads_neither_0_nor_1_is_missing() -> None:
    of = compiled(ruled(rule("permit", f'!tag("{KEY}")')))
    assert "policy.missing" in failures(decide(proposal(), "mill-agent", of, snapshot(reading(KEY, 0.5))))


def test_an_unlisted_state_is_missing_not_different() -> None:
    of = compiled(ruled(rule("permit", f'tag("{MODE}") != "manual"')))
    decision = decide(proposal(), "mill-agent", of, snapshot(reading(MODE, 7.0)))
    assert dict(reason(decision, "policy.missing").facts)["why"] == "unlisted"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"age_s": math.nextafter(3.0, 4.0)}, "age"),
        ({"status": 0x80000000}, "status"),
        ({"status": 0x40000000}, "status"),
        ({"skew_s": 11.0}, "skew"),
        ({"value": math.inf}, "number"),
    ],
)
def test_an_input_must_be_good_and_fresh(changed: dict[str, float], why: str) -> None:
    of = compiled(ruled(rule("permit", 'tag("stand-4/spare") < 1e9')))
    fields = {"value": 1.0, **changed}
    decision = decide(proposal(), "mill-agent", of, snapshot(reading("stand-4/spare", **fields)))
    assert dict(reason(decision, "policy.missing").facts)["why"] == why
    good = snapshot(reading("stand-4/spare", 1.0, age_s=3.0))
    assert decide(proposal(), "mill-agent", of, good).verdict == "permit"


CONTEXT = 'health("stand-4/bearing") < 0.7 && schedule("current.kind") == "production" && inventory("oil") >= 10.0'


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((("health:stand-4/bearing", 0.5, NOW_NS), ("schedule:current.kind", "production", NOW_NS), ("inventory:oil", 10, NOW_NS)), set()),
        ((("health:stand-4/bearing", 0.7, NOW_NS), ("schedule:current.kind", "production", NOW_NS), ("inventory:oil", 10, NOW_NS)), {"policy.none"}),
        ((("health:stand-4/bearing", True, NOW_NS), ("schedule:current.kind", "production", NOW_NS), ("inventory:oil", 10, NOW_NS)), {"policy.missing"}),
        ((("health:stand-4/bearing", 0.5, NOW_NS), ("schedule:current.kind", 1.0, NOW_NS), ("inventory:oil", 10, NOW_NS)), {"policy.missing"}),
        ((("schedule:current.kind", "production", NOW_NS), ("inventory:oil", 10, NOW_NS)), {"policy.missing"}),
        ((("health:stand-4/bearing", 0.5, NOW_NS),) * 2, {"policy.missing"}),
    ],
)  # fmt: skip
def test_context_is_typed_and_demanded(facts: tuple[tuple[str, str | float | bool, int], ...], expected: set[str]) -> None:
    of = compiled(ruled(rule("permit", CONTEXT)))
    assert failures(decide(proposal(), "mill-agent", of, snapshot(facts=facts))) == expected


@pytest.mark.parametrize(
    ("age_s", "expected"), [(300, set()), (300.000000001, {"policy.missing"}), (-10, set()), (-10.000000001, {"policy.missing"})]
)
def test_context_is_bounded_in_age(age_s: float, expected: set[str]) -> None:
    of = compiled(ruled(rule("permit", 'health("b") < 0.7')))
    facts = (("health:b", 0.1, NOW_NS - round(age_s * SECOND_NS)),)
    assert failures(decide(proposal(), "mill-agent", of, snapshot(facts=facts))) == expected


def test_a_string_may_hold_what_looks_like_an_input() -> None:
    condition = take_apart("\"tag('a')\" == 'health(\"b\")'", lambda _: "v0")
    assert condition.inputs == ()


def test_every_problem_of_a_policy_is_told_at_once() -> None:
    of = ruled(rule("permit", "proposed < 1", line=3), rule("allow", "dyn(1.0)", line=4), rule("ask", agents=("ghost",), line=5))
    assert [p.line for p in problems(of)] == [4, 5, 3, 4]


def test_a_rule_that_can_never_apply_is_a_warning() -> None:
    found = list(problems(ruled(rule("permit", tags=("stand-5/*",)))))
    assert [p.severity for p in found] == ["warning"]


def test_a_flaw_says_what_would_be_right() -> None:
    with pytest.raises(Flaw) as caught:
        take_apart("proposed < 115", lambda _: "v0")
    assert caught.value.cure == "write 115.0"
