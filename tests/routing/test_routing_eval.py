"""The routing suite: the same world for both policies, and it notices a router that minds no label or no deadline."""

import pytest

from holdfast.agent.models.serving import router as routers
from holdfast.evals import routing
from holdfast.evals.routing.course import Course, FixedOrder, Routed
from holdfast.evals.routing.world import World
from holdfast.evals.suites import Options

N = 1500


def test_nothing_goes_over_a_clearance_and_deadlines_are_met_beside_a_fixed_order() -> None:
    found = routing.run(Options(seed=2, n=N))
    router, fixed = found.figures["router"], found.figures["fixed_order"]
    assert found.pass_
    assert (router["over_clearance"], router["unanswered"], fixed["unanswered"]) == (0, 0, 0)
    assert router["late_share"] <= routing.LATE_MAX
    assert router["missed"] < fixed["missed"] / 5


def test_the_same_seed_gives_the_same_figures_and_another_gives_others() -> None:
    one, again, other = (routing.run(Options(seed=seed, n=300)).figures for seed in (1, 1, 2))
    assert one == again != other


def test_a_router_that_minds_no_label_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routers, "may_see", lambda clearance, label: True)
    found = routing.run(Options(n=N))
    assert found.figures["router"]["over_clearance"] > 50
    assert not found.pass_


def test_a_router_that_keeps_no_time_for_a_rescue_misses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = routing.run(Options(n=N)).figures["router"]["missed"]
    monkeypatch.setattr(routers, "RESCUE", 0.0)
    assert routing.run(Options(n=N)).figures["router"]["missed"] > kept


def test_no_endpoint_works_on_more_than_it_takes_and_each_is_asked_once_a_request() -> None:
    world = World(3, N)
    for policy in (Routed(world), FixedOrder(world)):
        course = Course(world, policy)
        course.run()
        pairs = [(one.request, one.endpoint) for one in course.sent]
        assert len(pairs) == len(set(pairs))
        assert sorted(one.request for one in course.ended) == list(range(N))
