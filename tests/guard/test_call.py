"""A call is judged as the writes that its method is: the same bounds refuse it, and a method nobody declared is refused."""

import dataclasses

from guarded_mill import FLOW, SP, TAGS, compiled, failures, proposal, site, snapshot

from holdfast.gate.guard.decide import decide
from holdfast.site.model import Method, Site
from holdfast.terms import Call, Decision

SET = Method(name="stand-4/set", connection="mill", address="Set", writes=(SP, FLOW))
SITE = site(methods=(SET,))
SIS = dataclasses.replace(SITE, tags=tuple(dataclasses.replace(t, sis=t.name == SP) for t in TAGS))


def called(*arguments: float, method: str = "stand-4/set", of: Site = SITE) -> Decision:
    found = snapshot(sets=((SP, arguments[0]), (FLOW, arguments[-1])) if arguments else ())
    return decide(proposal(action=Call(method=method, arguments=arguments)), "mill-agent", compiled(of), found)


def test_a_call_within_all_bounds_fails_only_for_being_a_call() -> None:
    decision = called(101.0, 310.0)
    assert (decision.verdict, failures(decision)) == ("refuse", {"addressed.call"})
    assert {r.tag for r in decision.reasons if r.code == "envelope.step"} == {SP, FLOW}


def test_each_argument_is_bounded_as_a_write_of_its_tag() -> None:
    assert failures(called(102.5, 310.0)) == {"addressed.call", "envelope.step.over"}
    assert {"envelope.range.above", "envelope.step.over"} <= failures(called(101.0, 500.0))


def test_what_a_method_writes_may_not_be_of_the_safety_system() -> None:
    assert "addressed.sis" in failures(called(101.0, 310.0, of=SIS))


def test_a_method_that_nobody_declared_is_refused() -> None:
    assert "addressed.method" in failures(called(101.0, 310.0, method="stand-4/other"))


def test_another_number_of_arguments_is_refused() -> None:
    assert "addressed.arguments" in failures(called(101.0))
