"""`eval routing`: ten thousand seeded requests through endpoints that slow down, fail and hang, beside a fixed order of fallbacks.

`over_clearance` counts requests on the wire to an endpoint below their label. `late` are those that had no answer of any kind by their
deadline, of those that any rung could have met: the bottom rung needs no model and no time, so that is all. `missed` is stricter: with
hindsight a model would have answered in time, asked at once and with nobody before it, and none did. Both policies have the same world,
the same labels to mind, and the same bottom rung.
"""

from typing import Any

from holdfast.evals.routing.course import Course, FixedOrder, Routed
from holdfast.evals.routing.world import World
from holdfast.evals.suites import Figures, Options
from holdfast.terms import LABELS

REQUESTS = 10_000
LATE_MAX = 0.01
LEAST_S = 0.001  # of a deadline: what ends on it is in time


def run(options: Options) -> Figures:
    world = World(options.seed, options.n or REQUESTS)
    figures: dict[str, Any] = {"requests": len(world.requests), "endpoints": len(world.endpoints)}
    figures["a_model_could"] = sum(any(world.could(request, end) for end in world.endpoints) for request in world.requests)
    for name, policy, share in (("router", Routed(world), 0.0), ("fixed_order", FixedOrder(world), 0.5)):
        course = Course(world, policy)
        course.run(lambda done, began=share: options.progress(began + done / 2, "requests"))
        figures[name] = judged(world, course)
        if name == "router":
            for ended in course.ended:
                options.answer(str(ended.request), {"endpoint": ended.endpoint, "at_s": round(ended.at_s, 3)})
    return Figures(name="routing", seed=options.seed, figures=figures, pass_=good(figures))


def judged(world: World, course: Course) -> dict[str, Any]:
    """Figures of one policy, from what was on the wire and when each request ended."""
    clearances = {end.name: LABELS.index(end.clearance) for end in world.endpoints}
    over = sum(LABELS.index(world.requests[one.request].wanted.label) > clearances[one.endpoint] for one in course.sent)
    ended = {one.request: one for one in course.ended}
    late = missed = could = by_model = 0
    took: list[float] = []
    for request in world.requests:
        one = ended[request.number]
        in_time = one.at_s - request.at_s <= request.deadline_s + LEAST_S
        late += not in_time
        by_model += in_time and bool(one.endpoint)
        took.append(one.at_s - request.at_s)
        if any(world.could(request, end) for end in world.endpoints):
            could += 1
            missed += not (in_time and one.endpoint)
    took.sort()
    return {
        "over_clearance": over,
        "late": late,
        "late_share": late / len(world.requests),
        "missed": missed,
        "missed_share": missed / could if could else 0.0,
        "answered_by_a_model_in_time": by_model,
        "sent": len(course.sent),
        "unanswered": len(world.requests) - len(ended),
        "took_s": {"p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]},
        "by_endpoint": {end.name: sum(one.endpoint == end.name for one in course.ended) for end in world.endpoints},
    }


def good(figures: dict[str, Any]) -> bool:
    """Nothing above its clearance, nothing unanswered, at most 1 % late, and fewer missed than by the fixed order."""
    router, fixed = figures["router"], figures["fixed_order"]
    held = router["over_clearance"] == 0 and router["unanswered"] == 0
    return held and router["late_share"] <= LATE_MAX and router["missed"] < fixed["missed"]
