"""One row, one fact changed in a plant where all is well: the decision and exactly which checks fail.

Every bound is taken at its limit, which passes, and one number beyond, which fails.
"""

# One row is one line.
# ruff: noqa: E501
import dataclasses
import math
from typing import Any

import pytest
from guarded_mill import (
    EMULSION,
    FLOW,
    FLOW_NOW,
    GRADE,
    HEARTBEAT,
    KEY,
    MODE,
    NOW_NS,
    PERMIT,
    PV,
    SITE,
    SP,
    SP_NOW,
    STATE,
    TAGS,
    TENSION,
    VIB,
    bounded,
    compiled,
    failures,
    move,
    proposal,
    reading,
    rule,
    ruled,
    site,
    snapshot,
)

from holdfast.gate.guard.decide import decide
from holdfast.site.model import AgentSpec, Connection, Equals, Equipment, Range, Rate, Site
from holdfast.terms import SECOND_NS, Adopt, Call, Evidence, Move, Order, Proposal, ServerLimit, Snapshot, Wire, Write

NAN, INF = math.nan, math.inf


def above(value: float) -> float:
    return math.nextafter(value, INF)


def below(value: float) -> float:
    return math.nextafter(value, -INF)


def near(value: float, **more: Any) -> tuple[Site, Proposal, Snapshot]:
    """Asks for `value` from a present setpoint one step inside, so that only the range is at stake."""
    start = value - 1.0 if value > 100 else value + 1.0
    return SITE, proposal((SP, value)), snapshot(reading(SP_NOW, start), sets=((SP, value),), **more)


def with_moves(*moves: Move, to: float = 101.0, of: Site = SITE, **more: Any) -> tuple[Site, Proposal, Snapshot]:
    return of, proposal((SP, to)), snapshot(sets=((SP, to),), moves=moves, **more)


def seen(*changed: Any, of: Site = SITE, **more: Any) -> tuple[Site, Proposal, Snapshot]:
    return of, proposal(), snapshot(*changed, **more)


def asked(*sets: tuple[str, Any], of: Site = SITE, wires: tuple[Wire, ...] | None = None, **more: Any) -> tuple[Site, Proposal, Snapshot]:
    found = snapshot(sets=sets)
    return of, proposal(*sets, **more), found if wires is None else dataclasses.replace(found, wires=wires)


def retagged(name: str, **changes: Any) -> Site:
    return site(tags=tuple(dataclasses.replace(t, **changes) if t.name == name else t for t in TAGS))


def stamped(delta_ns: int, **more: Any) -> Move:
    fields: dict[str, Any] = {"tag": SP, "before": 100.0, "after": 100.5, "at_ns": NOW_NS + delta_ns, "by": "mill-agent", "ours": True}
    return Move(**{**fields, **more})


MINUTES_10, HOUR, DWELL, YIELD = 600 * SECOND_NS, 3600 * SECOND_NS, 60 * SECOND_NS, 1800 * SECOND_NS
ONLY_RATE = bounded(dwell_s=None, writes=None)
ONLY_WRITES = bounded(dwell_s=None, rate=None)
LEVELS = site(agents=(AgentSpec(name="mill-agent", autonomy="observe"),))
SPCC = reading(GRADE, 1.0)
TENTH = bounded(step=0.2, range=None, rate=None)
ROWS: list[tuple[str, tuple[Site, Proposal, Snapshot], set[str]]] = [
    ("all is well", seen(), set()),
    # well-formed
    ("a value that is NaN", asked((SP, NAN)), {"well_formed.finite", "wire.missing", "policy.missing", "recorded"}),
    ("a value that is infinite", asked((SP, INF)), {"well_formed.finite", "wire.missing", "policy.missing", "recorded"}),
    ("a value that is minus zero", asked((SP, -0.0)), {"well_formed.negative_zero", "wire.missing"}),
    ("a truth value for a number", asked((SP, True)), {"well_formed.type", "envelope.range.below.state"}),
    ("text for a number", asked((SP, "101")), {"well_formed.type", "wire"}),
    ("an integer that a double holds", asked((SP, 101)), set()),
    ("an integer that no double holds", asked((SP, 2**53 + 1)), {"well_formed.type", "envelope.range.above.state"}),
    ("the tag's own unit", (SITE, proposal(unit="kN"), snapshot()), set()),
    ("another unit", (SITE, proposal(unit="N"), snapshot()), {"well_formed.unit"}),
    ("the unit in other letters", (SITE, proposal(unit="KN"), snapshot()), {"well_formed.unit"}),
    ("an empty id", (SITE, proposal(id=""), snapshot()), {"well_formed.text"}),
    ("an id of 128 characters", (SITE, proposal(id="x" * 128), snapshot()), set()),
    ("an id of 129 characters", (SITE, proposal(id="x" * 129), snapshot()), {"well_formed.text"}),
    ("an id with a line break", (SITE, proposal(id="a\nb"), snapshot()), {"well_formed.text"}),
    ("an id that isn't text", (SITE, proposal(id=7), snapshot()), {"well_formed.text"}),
    ("a reason of 4000 characters", (SITE, proposal(reason="x" * 4000), snapshot()), set()),
    ("a reason of 4001 characters", (SITE, proposal(reason="x" * 4001), snapshot()), {"well_formed.text"}),
    ("a lone surrogate", (SITE, proposal(reason="\ud800"), snapshot()), {"well_formed.text", "recorded"}),
    ("64 pieces of evidence", (SITE, proposal(evidence=(Evidence(kind="alarm", ref="a"),) * 64), snapshot()), set()),
    ("65 pieces of evidence", (SITE, proposal(evidence=(Evidence(kind="alarm", ref="a"),) * 65), snapshot()), {"well_formed.text"}),
    ("valid for one second", (SITE, proposal(valid_s=1.0), snapshot()), set()),
    ("valid for less than one second", (SITE, proposal(valid_s=below(1.0)), snapshot()), {"well_formed.valid"}),
    ("valid for a day", (SITE, proposal(valid_s=86_400.0), snapshot()), set()),
    ("valid for more than a day", (SITE, proposal(valid_s=above(86_400.0)), snapshot()), {"well_formed.valid"}),
    ("one tag twice", asked((SP, 101.0), (SP, 101.5)), {"well_formed.duplicate", "wire.missing"}),
    ("no tag at all", (SITE, proposal(action=Write(sets=())), snapshot()), {"well_formed.sets", "addressed.unknown", "wire.missing", "policy.none"}),
    ("a fraction for an integer tag", asked((SP, 100.5), of=retagged(SP, type="integer")), {"well_formed.kind"}),
    ("a whole number for an integer tag", asked((SP, 101.0), of=retagged(SP, type="integer")), set()),
    # addressed
    ("an unknown tag", asked(("stand-4/nothing", 1.0)), {"addressed.unknown", "wire.missing", "policy.none"}),
    ("a lookalike with a Cyrillic letter", asked(("stand-4/tensiоn.sp", 101.0)), {"addressed.unknown", "wire.missing", "policy.none"}),
    ("a space behind the name", asked((SP + " ", 101.0)), {"well_formed.text", "addressed.unknown", "wire.missing", "policy.none"}),
    ("capital letters", asked((SP.upper(), 101.0)), {"addressed.unknown", "wire.missing", "policy.none"}),
    ("a read-only tag", asked((PV, 101.0)), {"addressed.read_only", "wire.missing", "policy.none"}),
    ("a safety tag", asked(("stand-4/trip", 101.0)), {"addressed.sis", "wire.missing", "policy.none"}),
    ("a safety tag with an envelope", asked((SP, 101.0), of=retagged(SP, sis=True)), {"addressed.sis"}),
    ("the heartbeat", asked((HEARTBEAT, 1.0)), {"addressed.heartbeat", "wire.missing", "policy.none"}),
    ("a writable tag without an envelope", asked(("stand-4/spare", 1.0)), {"addressed.no_envelope", "wire.missing", "policy.none"}),
    ("an envelope on a read-only tag", asked((SP, 101.0), of=retagged(SP, writable=False)), {"addressed.read_only"}),
    ("a connection that doesn't write", seen(of=site(connections=(Connection(name="mill", type="opcua"),))), {"addressed.connection"}),
    ("a method", (SITE, proposal(action=Call(method="m")), snapshot()), {"addressed.method", "policy.none"}),
    # wire
    ("no wire value", asked((SP, 101.0), wires=()), {"wire.missing", "policy.missing"}),
    ("a wire value for something else", asked((SP, 101.0), wires=(Wire(tag=SP, asked=100.5, value=101.0),)), {"wire.missing", "policy.missing"}),
    ("two wire values", asked((SP, 101.0), wires=(Wire(tag=SP, asked=101.0, value=101.0),) * 2), {"wire.missing", "policy.missing"}),
    ("a wire value that is NaN", asked((SP, 101.0), wires=(Wire(tag=SP, asked=101.0, value=NAN),)), {"wire.missing", "policy.missing"}),
    ("a wire rounded to 32 bits", asked((SP, 100.1), wires=(Wire(tag=SP, asked=100.1, value=100.0999984741211),)), set()),
    ("a wire beyond 32-bit rounding", asked((SP, 100.1), wires=(Wire(tag=SP, asked=100.1, value=100.0999),)), {"wire.differs"}),
    # 101 · 2^-24 is what rounding to 24 binary places can take from 101 at most
    ("a wire off by exactly the rounding", asked((SP, 101.0), wires=(Wire(tag=SP, asked=101.0, value=101.0 + 101.0 * 2.0**-24),)), set()),
    ("a wire off by more", asked((SP, 101.0), wires=(Wire(tag=SP, asked=101.0, value=above(101.0 + 101.0 * 2.0**-24)),)), {"wire.differs"}),
    # stop
    ("stop of the plant", seen(stopped=("*",)), {"stop.pressed"}),
    ("stop of this equipment", seen(stopped=("stand-4",)), {"stop.pressed"}),
    ("stop of other equipment", seen(stopped=("line",)), set()),
    ("the wired stop is off", seen(of=site(stop_tag=Equals(tag=STATE, value=7.0))), set()),
    ("the wired stop is on", seen(of=site(stop_tag=Equals(tag=STATE, value=1.0))), {"stop.wired"}),
    ("the wired stop is unknown", seen(of=site(stop_tag=Equals(tag="stand-4/spare", value=1.0))), {"stop.unknown"}),
    # autonomy
    ("the agent only observes", seen(of=LEVELS), {"autonomy.observe"}),
    ("faults left observe for all", seen(autonomy=(("*", "observe"),)), {"autonomy.observe"}),
    ("faults left observe for the tag", seen(autonomy=((SP, "observe"),)), {"autonomy.observe"}),
    ("faults left observe for another tag", seen(autonomy=((FLOW, "observe"),)), set()),
    ("the plant only observes", seen(of=site(autonomy="observe")), {"autonomy.observe"}),
    ("the envelope only observes", seen(of=bounded(autonomy="observe")), {"autonomy.observe"}),
    ("the equipment only observes", seen(of=site(equipment=(Equipment(name="stand-4", autonomy="observe"),))), {"autonomy.observe"}),
    # enable, maintenance, mode
    ("the operator's permit is off", seen(reading(PERMIT, 0.0)), {"enable.off"}),
    ("the permit reads 2", seen(reading(PERMIT, 2.0)), {"enable.off"}),
    ("the permit is just below 1", seen(reading(PERMIT, below(1.0))), {"enable.off"}),
    ("the permit is missing", seen(without=(PERMIT,)), {"enable.unknown", "fresh.missing"}),
    ("the permit is Bad", seen(reading(PERMIT, 1.0, status=0x80000000)), {"enable.unknown", "fresh.status"}),
    ("the permit is three periods old", seen(reading(PERMIT, 1.0, age_s=3.0)), set()),
    ("the permit is older", seen(reading(PERMIT, 1.0, age_s=above(3.0))), {"enable.unknown", "fresh.age"}),
    ("the key switch is turned", seen(reading(KEY, 1.0)), {"maintenance.on"}),
    ("the key switch is unknown", seen(without=(KEY,)), {"maintenance.unknown", "fresh.missing"}),
    ("mode manual", seen(reading(MODE, 0.0)), {"requires.off"}),
    ("mode auto", seen(reading(MODE, 1.0)), {"requires.off"}),
    ("mode unlisted", seen(reading(MODE, 9.0)), {"requires.off"}),
    ("mode unknown", seen(without=(MODE,)), {"requires.unknown", "fresh.missing"}),
    ("the line is stopped", seen(reading(STATE, 0.0)), {"requires.off"}),
    # fresh
    ("a tag it rests on at the age limit", seen(reading(PV, 100.1, age_s=2.0)), set()),
    ("a tag it rests on beyond it", seen(reading(PV, 100.1, age_s=above(2.0))), {"fresh.age"}),
    ("a negative age", seen(reading(PV, 100.1, age_s=-0.1)), {"fresh.age"}),
    ("an age that is NaN", seen(reading(PV, 100.1, age_s=NAN)), {"fresh.age"}),
    ("still for as long as it may be", seen(reading(PV, 100.1, still_s=300.0)), set()),
    ("a tag that moved just now", seen(reading(PV, 100.1, still_s=0.0, age_s=0.0)), set()),
    ("a pending turn of the key switch", seen(pending=(stamped(0, tag=KEY, after=1.0),)), {"maintenance.on"}),
    ("a frozen sensor", seen(reading(PV, 100.1, still_s=above(300.0))), {"fresh.stuck"}),
    ("a frozen sensor with new timestamps", seen(reading(VIB, 2.0, still_s=301.0, age_s=0.0)), {"fresh.stuck"}),
    ("stillness that is NaN", seen(reading(PV, 100.1, still_s=NAN)), {"fresh.stuck"}),
    ("a steady mode is no frozen sensor", seen(reading(MODE, 2.0, still_s=1e6)), set()),
    ("status Uncertain", seen(reading(PV, 100.1, status=0x40000000)), {"fresh.status"}),
    ("Good, local override", seen(reading(PV, 100.1, status=0x00960000)), {"fresh.status"}),
    ("Good with limit bits", seen(reading(PV, 100.1, status=0x00000100)), {"fresh.status"}),
    ("an override that the tag accepts", seen(reading(PV, 100.1, status=0x00960000), of=retagged(PV, accept=(0x00960000,))), set()),
    ("a value that is NaN though Good", seen(reading(PV, NAN)), {"fresh.number"}),
    ("the largest value that is believed", seen(reading(PV, 1e15)), set()),
    ("a larger one", seen(reading(PV, above(1e15))), {"fresh.number"}),
    ("a clock at the limit", seen(reading(PV, 100.1, skew_s=10.0)), set()),
    ("a clock beyond it", seen(reading(PV, 100.1, skew_s=above(10.0))), {"fresh.skew"}),
    ("a clock behind", seen(reading(PV, 100.1, skew_s=below(-10.0))), {"fresh.skew"}),
    ("no reading", seen(without=(PV,)), {"fresh.missing"}),
    # range
    ("the top of the range", near(115.0), set()),
    ("above the top", near(above(115.0)), {"envelope.range.above.state"}),
    ("the bottom of the range", near(90.0), set()),
    ("below the bottom", near(below(90.0)), {"envelope.range.below.state"}),
    ("another grade's top", (SITE, proposal((SP, 120.0)), snapshot(SPCC, reading(SP_NOW, 119.0), sets=((SP, 120.0),))), set()),
    ("a grade without a row", seen(reading(GRADE, 2.0)), {"envelope.range.unlisted"}),
    ("a grade without a name", seen(reading(GRADE, 3.0)), {"envelope.range.unlisted"}),
    ("half a grade", seen(reading(GRADE, 0.5)), {"envelope.range.unlisted"}),
    ("no grade", seen(without=(GRADE,)), {"envelope.range.unknown", "fresh.missing"}),
    ("an EURange that reaches just far enough", asked((SP, 101.0), of=retagged(SP, eu_range=(0.0, 101.0))), set()),
    ("an EURange that tightens", asked((SP, 101.0), of=retagged(SP, eu_range=(0.0, below(101.0)))), {"envelope.range.above.state"}),
    ("an EURange that tightens from below", asked((SP, 101.0), of=retagged(SP, eu_range=(above(101.0), 500.0))), {"envelope.range.below.state"}),
    ("an EURange does not widen", (retagged(SP, eu_range=(0.0, 500.0)), *near(above(115.0))[1:]), {"envelope.range.above.state"}),
    ("no range, but an EURange", asked((SP, 101.0), of=site(tags=retagged(SP, eu_range=(0.0, 100.5)).tags, envelopes=(dataclasses.replace(TENSION, range=None), EMULSION))), {"envelope.range.above"}),
    ("no range at all", asked((SP, 101.0), of=bounded(range=None)), set()),
    # step
    ("the largest step", asked((SP, 102.0)), set()),
    ("a larger step", asked((SP, above(102.0))), {"envelope.step.over"}),
    ("the largest step down", asked((SP, 98.0)), set()),
    ("a larger step down", asked((SP, below(98.0))), {"envelope.step.over"}),
    ("0.6 to 0.8 is a step of 0.2", (TENTH, proposal((SP, 0.8)), snapshot(reading(SP_NOW, 0.6), sets=((SP, 0.8),))), set()),
    ("0.6 to the next number is more", (TENTH, proposal((SP, above(0.8))), snapshot(reading(SP_NOW, 0.6), sets=((SP, above(0.8)),))), {"envelope.step.over"}),
    ("no step bound", asked((SP, 105.0), of=bounded(step=None)), set()),
    ("the step counts from the active setpoint", seen(reading(SP, 90.0)), set()),
    ("no active setpoint", seen(without=(SP_NOW,)), {"policy.missing", "fresh.missing", "envelope.step.unknown", "envelope.rate.unknown", "unchanged.unknown"}),
    # rate: 5 kN in 10 min
    ("travel at its limit", with_moves(move(104.0, 120), of=ONLY_RATE), set()),
    ("travel beyond it", with_moves(move(above(104.0), 120), of=ONLY_RATE), {"envelope.rate.over"}),
    ("up and down both count", with_moves(move(102.0, 200), move(100.0, 120, before=102.5), of=ONLY_RATE), {"envelope.rate.over"}),
    ("a move exactly one window ago is out", with_moves(stamped(-MINUTES_10, after=105.0), of=ONLY_RATE), set()),
    ("a move just inside counts", with_moves(stamped(-MINUTES_10 + 1, after=105.0), of=ONLY_RATE), {"envelope.rate.over"}),
    ("a move stamped ahead of now counts", with_moves(stamped(+HOUR, after=105.0), of=ONLY_RATE), {"envelope.rate.over"}),
    ("another agent's travel counts", with_moves(move(104.5, 120, by="other"), of=ONLY_RATE), {"envelope.rate.over"}),
    ("travel of another tag doesn't", with_moves(move(400.0, 120, tag=FLOW), of=ONLY_RATE), set()),
    ("travel in shadow doesn't", with_moves(move(105.0, 120, shadow=True), of=ONLY_RATE), set()),
    ("ten tenths are one", with_moves(*[move(100.1, 100 + i) for i in range(9)], to=100.1, of=bounded(dwell_s=None, writes=None, rate=Rate(max=1.0, per_s=600.0))), set()),
    ("what is pending counts", with_moves(of=ONLY_RATE, pending=(stamped(0, after=104.5),)), {"envelope.rate.over", "busy.busy"}),
    # budget: three writes an hour, this one included
    ("the third write", with_moves(move(100.1, 300), move(100.1, 400), of=ONLY_WRITES), set()),
    ("the fourth", with_moves(move(100.1, 300), move(100.1, 400), move(100.1, 500), of=ONLY_WRITES), {"envelope.writes.over"}),
    ("a write exactly an hour ago is out", with_moves(stamped(-HOUR), move(100.1, 300), move(100.1, 400), of=ONLY_WRITES), set()),
    ("a write just inside counts", with_moves(stamped(-HOUR + 1), move(100.1, 300), move(100.1, 400), of=ONLY_WRITES), {"envelope.writes.over"}),
    ("writes of all agents count", with_moves(*[move(100.1, 300, by="other")] * 3, of=ONLY_WRITES), {"envelope.writes.over"}),
    ("shadow writes don't", with_moves(*[move(100.1, 300, shadow=True)] * 3, of=ONLY_WRITES), set()),
    # dwell: a minute
    ("exactly a minute after the last move", with_moves(stamped(-DWELL)), set()),
    ("a nanosecond less", with_moves(stamped(-DWELL + 1)), {"envelope.dwell.early"}),
    ("a last move ahead of now", with_moves(stamped(+1)), {"envelope.dwell.early"}),
    ("no dwell", with_moves(stamped(0), of=bounded(dwell_s=None)), set()),
    # yield: half an hour
    ("exactly half an hour after the operator", with_moves(stamped(-YIELD, ours=False, by="operator")), set()),
    ("a nanosecond less after the operator", with_moves(stamped(-YIELD + 1, ours=False, by="operator")), {"yield.operator"}),
    ("the operator moves the active setpoint", with_moves(stamped(-YIELD + 1, ours=False, by="operator", tag=SP_NOW)), {"yield.operator"}),
    ("a yield that ends now", seen(yields=((SP, NOW_NS),)), set()),
    ("a yield that ends later", seen(yields=((SP, NOW_NS + 1),)), {"yield.operator"}),
    ("a yield of another tag", seen(yields=((FLOW, NOW_NS + 1),)), set()),
    # concurrency and nothing to do
    ("another action on the tag", seen(busy=((SP, "asked"),)), {"busy.busy"}),
    ("another action on another tag", seen(busy=((FLOW, "asked"),)), set()),
    ("nothing would change", asked((SP, 100.0)), {"unchanged.same"}),
    ("the next number is a change", asked((SP, above(100.0))), set()),
    # policy
    ("no rule", seen(of=ruled()), {"policy.none"}),
    ("a rule of another agent", seen(of=ruled(rule("permit", agents=("other",)))), {"policy.none"}),
    ("a rule about another tag", seen(of=ruled(rule("permit", tags=(FLOW,)))), {"policy.none"}),
    ("a permit that doesn't hold", seen(of=ruled(rule("permit", "proposed > 101.0"))), {"policy.none"}),
    ("a permit that holds", seen(of=ruled(rule("permit", "proposed >= 101.0"))), set()),
    ("a forbid that holds", seen(of=ruled(rule("permit"), rule("forbid", "present == 100.0"))), {"policy.forbid"}),
    ("a forbid that doesn't", seen(of=ruled(rule("permit"), rule("forbid", "present > 100.0"))), set()),
    # other actions
    ("an order that no rule names", (SITE, proposal(action=Order(kind="notify", target="line", text="look")), snapshot()), {"policy.none"}),
    ("an order for no equipment", (SITE, proposal(action=Order(kind="notify", target="lime", text="look")), snapshot()), {"addressed.target", "policy.none"}),
    ("an order that a rule permits", (ruled(rule("permit", tags=("line",), actions=("notify",))), proposal(action=Order(kind="notify", target="line", text="look")), snapshot()), set()),
    ("a stop holds orders too", (ruled(rule("permit", actions=("notify",))), proposal(action=Order(kind="notify", target="line", text="look")), snapshot(stopped=("line",))), {"stop.pressed"}),
    ("an order on `proposed`", (ruled(rule("permit", "proposed < 1.0", actions=("notify",))), proposal(action=Order(kind="notify", target="line", text="look")), snapshot()), {"policy.missing"}),
    ("an adoption that no rule names", (SITE, proposal(action=Adopt(what="model", name="m", digest="d")), snapshot()), {"policy.none"}),
    ("more autonomy", (ruled(rule("permit", actions=("adopt",))), proposal(action=Adopt(what="autonomy", name="m", digest="d")), snapshot()), {"addressed.autonomy"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_decision_fails_exactly_the_checks_that_it_should(given: tuple[Site, Proposal, Snapshot], expected: set[str]) -> None:
    of, wanted, known = given
    decision = decide(wanted, "mill-agent", compiled(of), known)
    found = failures(decision)
    broken = {r.code for r in decision.reasons if any(name == "error" for name, _ in r.facts)}
    assert found >= expected
    # A malformed value breaks checks behind the one that names it; a well-formed one breaks none and fails no other.
    if not any(code.startswith(("well_formed", "wire", "addressed")) for code in expected):
        assert found == expected
        assert not broken
    assert decision.verdict == ("refuse" if expected else "permit")
    assert decision.would is False


def test_the_table_has_at_least_120_rows_with_names_of_their_own() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 120


def test_an_unknown_author_is_refused() -> None:
    assert "autonomy.author" in failures(decide(proposal(), "nobody", compiled(SITE), snapshot()))


def test_a_second_reading_of_one_tag_makes_it_unknown() -> None:
    known = snapshot()
    twice = dataclasses.replace(known, readings=(*known.readings, reading(PERMIT, 1.0)))
    assert "enable.unknown" in failures(decide(proposal(), "mill-agent", compiled(SITE), twice))


def test_every_check_is_recorded_also_when_an_earlier_one_failed() -> None:
    decision = decide(proposal((SP, 135.0)), "mill-agent", compiled(SITE), snapshot(reading(PERMIT, 0.0), sets=((SP, 135.0),)))
    codes = [r.code for r in decision.reasons]
    heads = ["well_formed", "addressed", "wire", "stop", "autonomy", "enable.off", "maintenance", "requires", "requires"]
    heads += ["policy.permit", "fresh", "envelope.range.above.state", "envelope.step.over", "envelope.rate.over"]
    heads += ["envelope.writes", "envelope.dwell.first", "yield", "busy", "unchanged"]
    assert codes == heads


def test_wrong_ranges_of_equal_grades_select_nothing() -> None:
    twice = bounded(range=Range(by=GRADE, rows=(("DC01", (90.0, 115.0)), ("DC01", (0.0, 500.0)))))
    assert failures(decide(proposal(), "mill-agent", compiled(twice), snapshot())) == {"envelope.range.unlisted"}


def test_the_emulsion_s_readback_is_watched_too() -> None:
    decision = decide(proposal((FLOW, 310.0)), "mill-agent", compiled(SITE), snapshot(sets=((FLOW, 310.0),), without=(FLOW_NOW,)))
    assert "fresh.missing" in failures(decision)


@pytest.mark.parametrize(
    ("limit", "codes"),
    [
        (ServerLimit(tag=SP, range=(90.0, 101.0)), set()),
        (ServerLimit(tag=SP, range=(90.0, below(101.0))), {"envelope.range.server"}),
        (ServerLimit(tag=SP, range=(above(101.0), 120.0)), {"envelope.range.server"}),
        (ServerLimit(tag=SP, range=(120.0, 90.0)), {"envelope.range.server"}),
        (ServerLimit(tag=SP, range=(0.0, 500.0)), set()),
        (ServerLimit(tag=SP, writable=False), {"addressed.server"}),
        (ServerLimit(tag=FLOW, range=(0.0, 1.0), writable=False), set()),
    ],
)
def test_what_the_server_says_only_tightens(limit: ServerLimit, codes: set[str]) -> None:
    decision = decide(proposal(), "mill-agent", compiled(SITE), snapshot(limits=(limit,)))
    assert failures(decision) == codes


def test_a_wide_server_does_not_widen_the_envelope() -> None:
    found = snapshot(reading(SP_NOW, 114.5), sets=((SP, 116.0),), limits=(ServerLimit(tag=SP, range=(0.0, 500.0)),))
    assert failures(decide(proposal((SP, 116.0)), "mill-agent", compiled(SITE), found)) == {"envelope.range.above.state"}
