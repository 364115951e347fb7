"""Who is asked, why, and what becomes of it when they fail."""

import asyncio
from random import Random
from typing import Any

import pytest
from scripted_engine import Scripted, endpoint

from holdfast.agent.models.serving.labels import LabelError, Part, Said
from holdfast.agent.models.serving.lanes import FAILURES_MAX, QUEUE_PER_SLOT, REST_S, Lane
from holdfast.agent.models.serving.router import Answered, Ask, Router, Wanted, tokens_of
from holdfast.agent.models.serving.schema import load_schema
from holdfast.clock import RealClock, VirtualClock
from holdfast.language import LANGUAGES, say
from holdfast.ports import EngineFault
from holdfast.site.model import Endpoint
from holdfast.terms import SECOND_NS, Label

YES = load_schema({"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"], "additionalProperties": False})
NOW_NS = 1_700_000_000 * SECOND_NS


def asking(label: Label | None = "site", **more: Any) -> Ask:
    told: dict[str, Any] = {"skill": "ask", "language": "en", "deadline_s": 2.0, "max_tokens": 16}
    return Ask(said=(Said(role="user", parts=(Part(text="How is the line?", label=label),)),), **(told | more))


def wanted(**more: Any) -> Wanted:
    told: dict[str, Any] = {"skill": "ask", "language": "en", "label": "site", "prompt_tokens": 100, "max_tokens": 100}
    return Wanted(**(told | more))


def routing(*lanes: tuple[Endpoint, Scripted]) -> Router:
    return Router([end for end, _ in lanes], {end.name: engine for end, engine in lanes}, RealClock())


def codes(answered: Answered) -> dict[str, str]:
    return {one.endpoint: one.code for one in answered.passed}


async def test_the_first_rung_that_fits_answers() -> None:
    first, second = Scripted("one"), Scripted("two")
    got = await routing((endpoint("a"), first), (endpoint("b"), second)).ask(asking())
    assert (got.endpoint, got.text, got.code, got.label, got.passed) == ("a", "one", "route.fits", "site", ())
    assert second.got == []


@pytest.mark.parametrize(
    ("end", "ask", "code"),
    [
        ({"clearance": "partner"}, {}, "route.clearance"),
        ({"skills": ("explain",)}, {}, "route.skill"),
        ({"languages": ("zh",)}, {}, "route.language"),
        ({"context_tokens": 20}, {}, "route.context"),
    ],
)
async def test_a_rung_that_does_not_fit_is_passed_with_the_reason(end: dict[str, Any], ask: dict[str, Any], code: str) -> None:
    first, second = Scripted("one"), Scripted("two")
    got = await routing((endpoint("a", **end), first), (endpoint("b"), second)).ask(asking(**ask))
    assert (got.endpoint, codes(got)) == ("b", {"a": code})
    assert first.got == []


async def test_without_a_rung_the_answer_that_needs_no_model_stands() -> None:
    got = await routing((endpoint("a", "public"), Scripted())).ask(asking("site"))
    assert (got.endpoint, got.text, got.code, codes(got)) == ("", "", "route.none", {"a": "route.clearance"})
    assert (await routing().ask(asking())).code == "route.no_models"


@pytest.mark.parametrize("label", ["partner", "site", "restricted", None])
async def test_nothing_above_its_clearance_reaches_an_endpoint_whatever_else_fails(label: Label | None) -> None:
    outside, inside = Scripted("leak"), Scripted(EngineFault("engine.broken", status="500", why=""))
    router = routing((endpoint("out", "public"), outside), (endpoint("in"), inside))
    for _ in range(6):
        assert (await router.ask(asking(label))).endpoint == ""
    assert outside.got == []


async def test_a_choice_that_went_wrong_is_still_stopped_before_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even were the choosing broken, the label is looked at again."""
    engine = Scripted("leak")
    router = routing((endpoint("out", "public"), engine))
    monkeypatch.setattr("holdfast.agent.models.serving.router._unfit", lambda *_: None)
    with pytest.raises(LabelError):
        await router.ask(asking("restricted"))
    assert engine.got == []


@pytest.mark.parametrize(
    ("does", "code"),
    [
        (EngineFault("engine.broken", status="500", why="x"), "engine.broken"),
        (EngineFault("engine.half"), "engine.half"),
        (ValueError("a plug-in's own slip"), "engine.failed"),
        ("no JSON", "answer.not_json"),
        ('{"yes": "maybe"}', "answer.does_not_fit"),
        ('{"yes": true, "yes": false}', "answer.twice"),
        ('CUT{"yes": tr', "engine.cut"),
    ],
)
async def test_whatever_goes_wrong_the_next_rung_is_asked_once_and_it_is_told(does: object, code: str) -> None:
    first, second = Scripted(does), Scripted('{"yes": true}')
    got = await routing((endpoint("a"), first), (endpoint("b"), second)).ask(asking(schema=YES, schema_label="public"))
    assert (got.endpoint, got.text, codes(got)) == ("b", '{"yes": true}', {"a": code})
    assert (len(first.got), len(second.got)) == (1, 1)
    for passed in got.passed:
        for language in LANGUAGES:
            assert passed.code not in say(passed.code, dict(passed.facts), language)


async def test_who_hangs_is_left_in_time_for_the_quick_rung_below() -> None:
    slow, quick = Scripted(None), Scripted("quick")
    router = routing((endpoint("a"), slow), (endpoint("b"), quick))
    for _ in range(8):
        router.lanes["a"].measure(0.2, 20, RealClock().monotonic_ns())
        router.lanes["b"].measure(0.1, 20, RealClock().monotonic_ns())
    got = await router.ask(asking(deadline_s=1.2))
    assert (got.endpoint, codes(got)) == ("b", {"a": "engine.timeout"})
    assert got.took_s < 1.2


async def test_all_that_hang_end_at_the_deadline() -> None:
    router = routing((endpoint("a"), Scripted(None)), (endpoint("b"), Scripted(None)))
    async with asyncio.timeout(5):
        got = await router.ask(asking(deadline_s=0.4))
    assert got.endpoint == ""
    assert 0.2 < got.took_s < 1.0


async def test_no_more_at_once_than_an_endpoint_takes_and_no_more_waiting_than_its_queue() -> None:
    engine = Scripted("fine")
    engine.gate = asyncio.Event()
    router = routing((endpoint("a", at_once=2), engine))
    tasks = [asyncio.create_task(router.ask(asking(deadline_s=30.0))) for _ in range(2 + 2 * QUEUE_PER_SLOT + 3)]
    await engine.began.wait()
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # those that there is no room for end at once
    lane = router.lanes["a"]
    refused = [task for task in tasks if task.done()]
    assert (lane.running, lane.waiting, len(refused)) == (2, 2 * QUEUE_PER_SLOT, 3)
    assert {codes(task.result())["a"] for task in refused} == {"route.full"}
    engine.gate.set()
    ended = await asyncio.gather(*tasks)
    assert engine.most == 2
    assert sum(one.endpoint == "a" for one in ended) == 2 + 2 * QUEUE_PER_SLOT
    assert (lane.running, lane.waiting) == (0, 0)


async def test_a_cancelled_request_gives_its_room_back() -> None:
    engine = Scripted("fine")
    engine.gate = asyncio.Event()
    router = routing((endpoint("a", at_once=1), engine))
    running, waiting = (asyncio.create_task(router.ask(asking(deadline_s=30.0))) for _ in range(2))
    await engine.began.wait()
    for task in (waiting, running):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    lane = router.lanes["a"]
    assert (lane.running, lane.waiting) == (0, 0)
    engine.gate.set()
    assert (await router.ask(asking())).endpoint == "a"


async def test_one_that_fails_again_and_again_is_left_alone_then_tried_by_one_request() -> None:
    clock = VirtualClock(NOW_NS)
    lane = Lane(endpoint("a"))
    router = Router([lane.endpoint, endpoint("b")], {}, clock)
    lane = router.lanes["a"]

    def picks() -> str:
        return router.pick(wanted(), left_s=60.0, now_ns=clock.monotonic_ns()).endpoint

    def ends(result: Any) -> None:
        lane.claim_trial()
        lane.enter()
        lane.begin()
        lane.end(result, took_s=0.1, size=100, now_ns=clock.monotonic_ns())

    for _ in range(FAILURES_MAX):
        assert picks() == "a"
        ends("failed")
    assert picks() == "b"
    clock.advance(REST_S + 0.1)
    assert picks() == "a"
    lane.claim_trial()
    assert picks() == "b"  # while one tries it, nobody else does
    lane.enter()
    lane.begin()
    lane.end("failed", took_s=0.1, size=100, now_ns=clock.monotonic_ns())
    clock.advance(REST_S + 0.1)
    assert picks() == "b"  # its second rest is twice as long
    clock.advance(REST_S)
    assert picks() == "a"
    ends("good")
    assert (picks(), lane.rests_s(clock.monotonic_ns())) == ("a", 0.0)


async def test_a_refusal_that_is_about_the_request_says_nothing_of_the_endpoint() -> None:
    for fault, rests in (
        (EngineFault("engine.refused", status="400", why="schema"), False),
        (EngineFault("engine.refused", status="401", why="key"), True),
        (EngineFault("engine.refused", status="429", why="slow down", busy=True), True),
    ):
        router = routing((endpoint("a"), Scripted(fault)))
        for _ in range(FAILURES_MAX + 1):
            await router.ask(asking())
        assert (router.lanes["a"].rests_s(RealClock().monotonic_ns()) > 0) == rests, fault


def test_one_that_is_expected_too_late_is_passed_and_told_with_the_numbers() -> None:
    router = Router([endpoint("slow"), endpoint("quick")], {}, VirtualClock(NOW_NS))
    for took_s, name in ((10.0, "slow"), (0.5, "quick")):
        for _ in range(10):
            router.lanes[name].measure(took_s, wanted().size, NOW_NS)
    pick = router.pick(wanted(), left_s=3.05, now_ns=NOW_NS)
    assert (pick.endpoint, pick.code) == ("quick", "route.fits")
    assert dict(pick.passed[0].facts) == {"expected_s": "10", "left_s": "3"}
    assert router.pick(wanted(), left_s=30.0, now_ns=NOW_NS).endpoint == "slow"
    assert router.pick(wanted(), left_s=0.3, now_ns=NOW_NS).endpoint == ""


def test_what_was_measured_long_ago_is_forgotten() -> None:
    router = Router([endpoint("a")], {}, VirtualClock(NOW_NS))
    for _ in range(10):
        router.lanes["a"].measure(50.0, wanted().size, NOW_NS)
    assert router.pick(wanted(), left_s=5.0, now_ns=NOW_NS).endpoint == ""
    assert router.pick(wanted(), left_s=5.0, now_ns=NOW_NS + 901 * SECOND_NS).endpoint == "a"


def test_time_grows_with_the_size_of_a_request_as_it_was_measured() -> None:
    lane = Lane(endpoint("a"))
    for size in (10, 50, 100, 200, 400):
        lane.measure(0.5 + 0.01 * size, size, NOW_NS)
    assert lane.expected(300, NOW_NS).p50_s == pytest.approx(3.5)
    assert lane.expected(20, NOW_NS).p95_s == pytest.approx(0.7)


async def test_one_that_was_seen_to_ignore_schemas_is_asked_after_one_that_keeps_to_them() -> None:
    loose, strict = Scripted("anything"), Scripted('{"word": "HELLO"}')
    router = routing((endpoint("loose"), loose), (endpoint("strict"), strict))
    await router.probe(Random(1))
    assert [lane.probed.schema for lane in router.lanes.values() if lane.probed] == ["unenforced", "unenforced"]
    told = router.lanes["strict"].probed
    assert told is not None
    router.lanes["strict"].probed = None  # as if it had not been seen to fail
    strict.does[:] = ['{"yes": true}']
    assert (await router.ask(asking(schema=YES, schema_label="public"))).endpoint == "strict"
    assert (await router.ask(asking())).endpoint == "loose"


async def test_an_endpoint_that_does_not_answer_the_canary_is_unknown_and_the_others_are_probed() -> None:
    router = routing((endpoint("a"), Scripted(EngineFault("engine.unreachable", why="x"))), (endpoint("b"), Scripted("hm")))
    await router.probe(Random(1))
    assert [lane.probed and lane.probed.schema for lane in router.lanes.values()] == ["unknown", "unenforced"]


def test_tokens_are_counted_high_rather_than_low() -> None:
    assert tokens_of("四号机架在振动") == 7
    assert tokens_of("vibration of stand 4") == 10
    assert tokens_of("") == 0


async def test_closing_the_router_closes_every_engine() -> None:
    engines = [Scripted(), Scripted()]
    await routing((endpoint("a"), engines[0]), (endpoint("b"), engines[1])).close()
    assert [engine.closed for engine in engines] == [1, 1]


def test_one_that_nobody_measured_of_late_is_asked_only_with_time_kept_for_one_that_was() -> None:
    router = Router([endpoint("unknown"), endpoint("known")], {}, VirtualClock(NOW_NS))
    for _ in range(10):
        router.lanes["known"].measure(2.0, wanted().size, NOW_NS)
    pick = router.pick(wanted(), left_s=4.05, now_ns=NOW_NS)
    assert (pick.endpoint, pick.budget_s) == ("unknown", pytest.approx(1.5))  # 4 s, less 1.25 times 2 s for the other
    assert router.pick(wanted(), left_s=2.45, now_ns=NOW_NS).endpoint == "known"


def test_where_nobody_fits_surely_the_one_that_was_quick_of_late_is_tried_not_the_one_that_was_quick_before() -> None:
    turned, steady = endpoint("turned"), endpoint("steady")
    router = Router([turned, steady], {}, VirtualClock(NOW_NS))
    size = wanted().size
    for number in range(24):  # both about 1 s at first; then one takes four times as long, as a server does that pages
        at_ns = NOW_NS + number * SECOND_NS
        router.lanes["turned"].measure(1.0 if number < 12 else 4.0, size, at_ns)
        router.lanes["steady"].measure(2.0 if number % 8 else 4.5, size, at_ns)
    now_ns = NOW_NS + 25 * SECOND_NS
    chances = {name: lane.chance(size, 3.0, now_ns) for name, lane in router.lanes.items()}
    assert chances["turned"] < 0.4 < 0.8 < chances["steady"]
    pick = router.pick(wanted(), left_s=3.0, now_ns=now_ns)
    assert (pick.endpoint, pick.code) == ("steady", "route.hopes")


def test_who_could_be_in_time_with_luck_alone_is_tried_and_who_could_not_is_left_alone() -> None:
    router = Router([endpoint("slow")], {}, VirtualClock(NOW_NS))
    for number in range(24):
        router.lanes["slow"].measure(2.0, wanted().size, NOW_NS + number * SECOND_NS)
    now_ns = NOW_NS + 25 * SECOND_NS
    assert router.pick(wanted(), left_s=1.9, now_ns=now_ns).code == "route.hopes"
    assert router.pick(wanted(), left_s=1.5, now_ns=now_ns).endpoint == ""
