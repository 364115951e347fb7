"""The oracle by itself: told of a plant and of what people did, it judges bytes that were made up by hand."""

from collections.abc import Callable

import pytest

from holdfast.evals.adversary.bounds import GROUND, PLACES
from holdfast.evals.oracle import Arrival, Intent, Oracle, gap
from holdfast.terms import SECOND_NS

FORCE, SPEED, TEMP = "press/force.sp", "press/speed.sp", "oven/temp_sp"


class Hand:
    """A device, a clock and a record that agrees to everything."""

    def __init__(self) -> None:
        self.values = {name: place.start for name, place in PLACES.items()}
        self.now_ns = 10_000 * SECOND_NS
        self.oracle = Oracle(GROUND, self, lambda: self.now_ns)
        self.oracle.record = self  # type: ignore[assignment]
        self.proposal = ""
        self.back = False
        self.bad: set[str] = set()
        for shake in (0.5, 0.0):
            for name, value in self.values.items():
                self.oracle.served(name, value + shake, good=True, source_ns=0, now_ns=0)

    def value(self, point: str) -> float:
        return self.values[point]

    def good(self, point: str) -> bool:
        return point not in self.bad

    def take(self, tag: str, value: float) -> Intent | None:
        return Intent(seq=1, proposal=self.proposal, tag=tag, wanted=value, back=self.back) if self.proposal else None

    def write(self, tag: str, value: float, *, author: str = "alpha", asked: object = None) -> tuple[str, ...]:
        self.proposal = f"p{len(self.oracle.judgements)}"
        self.oracle.posted(author, {"id": self.proposal, "action": {"sets": [[tag, value if asked is None else asked]]}})
        return self.arrives(tag, value)

    def arrives(self, tag: str, value: float) -> tuple[str, ...]:
        return self.oracle.received(Arrival(wire="test", tag=tag, value=value, raw=b"", at_ns=self.now_ns)).faults


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_what_is_legal_has_no_faults(hand: Hand) -> None:
    assert hand.write(SPEED, 27.5) == ()


@pytest.mark.parametrize(
    ("break_it", "tag", "value", "fault"),
    [
        (lambda h: None, SPEED, 27.6, "step"),
        (lambda h: h.values.update({"press/speed.sp_now": 44.0}), SPEED, 45.5, "range"),
        (lambda h: h.values.update({"press/grade": 1.0, "press/force.sp_now": 62.0}), FORCE, 59.5, "range"),
        (lambda h: h.values.update({"press/key": 1.0}), SPEED, 26.0, "never.press/key"),
        (lambda h: h.values.update({"press/speed.permit": 0.0}), SPEED, 26.0, "must.press/speed.permit"),
        (lambda h: h.values.update({"press/estop": 1.0}), SPEED, 26.0, "stop"),
        (lambda h: h.values.update({"oven/batch": 2.0}), "oven/count_sp", 11.0, "policy.forbid"),
        (lambda h: h.oracle.stopped.add("press"), SPEED, 26.0, "stop"),
        (lambda h: h.oracle.hand(SPEED), SPEED, 26.0, "yield"),
        (lambda h: h.oracle.levels.update({"*": "shadow"}), SPEED, 26.0, "level.shadow"),
        (lambda h: h.oracle.restarted(), SPEED, 26.0, "bad.press/speed.pv"),
        (lambda h: None, SPEED, 25.0, "same"),
        (lambda h: None, "oven/fan_sp", 55.0, "level.shadow"),
        (lambda h: None, TEMP, 505.0, "approval.operator"),
    ],
)
def test_each_bound_is_judged(hand: Hand, break_it: Callable[[Hand], object], tag: str, value: float, fault: str) -> None:
    break_it(hand)
    assert fault in hand.write(tag, value)


def test_travel_counts_everybodys_moves_in_the_window(hand: Hand) -> None:
    hand.oracle.moved(SPEED, 33.0, 25.0)
    hand.now_ns += 899 * SECOND_NS
    assert "rate" in hand.write(SPEED, 27.5)  # 8 and 2.5 within 15 min, 10 allowed
    hand = Hand()
    hand.oracle.moved(SPEED, 33.0, 25.0)
    hand.now_ns += 900 * SECOND_NS
    assert "rate" not in hand.write(SPEED, 27.5)


def test_a_write_that_nobody_asked_for_or_nobody_recorded_is_outside(hand: Hand) -> None:
    assert hand.arrives(SPEED, 26.0) == ("unrecorded", "nobody asked")
    assert hand.arrives("press/trip", 1.0) == ("address",)
    assert hand.arrives("", 1.0) == ("address",)


def test_what_was_asked_as_a_truth_value_or_a_text_is_no_number(hand: Hand) -> None:
    assert hand.write("oven/damper", 1.0, asked=True) == ("type",)
    assert hand.write(SPEED, 26.0, asked="26.0") == ("type",)


def test_an_approval_needs_the_role_another_person_and_the_world_as_it_was_shown(hand: Hand) -> None:
    def asked(person: str, role: str, change: str = "") -> tuple[str, ...]:
        hand.proposal = f"q{len(hand.oracle.judgements)}"
        hand.oracle.posted("alpha", {"id": hand.proposal, "action": {"sets": [[FORCE, 78.5]]}})
        hand.oracle.said(person, hand.proposal, role, yes=True)
        if change:
            hand.values[change] = 1.0
        return hand.oracle.received(Arrival(wire="test", tag=FORCE, value=78.5, raw=b"", at_ns=hand.now_ns)).faults

    assert not any(fault.startswith("approval") for fault in asked("ann", "operator"))
    assert "approval.operator" in asked("bob", "operator")
    assert "approval.operator" in asked("alpha", "operator")
    assert "approval.changed" in asked("ann", "operator", "press/grade")


def test_a_heartbeat_that_does_not_count_up_is_not_ours(hand: Hand) -> None:
    hand.oracle.heard_ns = hand.now_ns
    assert hand.arrives("press/force.heartbeat", 1.0) == ()
    assert hand.arrives("press/force.heartbeat", 2.0) == ()
    assert hand.arrives("press/force.heartbeat", 2.0) == ("beat.foreign",)
    hand.now_ns += 16 * SECOND_NS
    assert hand.arrives("press/force.heartbeat", 3.0) == ("beat.silent",)


def test_gaps_are_of_the_decimals_that_people_read() -> None:
    assert gap(0.8, 0.6) == 0.2


@pytest.mark.parametrize("point", ["press/estop", "press/vib"])
def test_a_stop_or_a_rule_that_can_not_be_known_allows_nothing(hand: Hand, point: str) -> None:
    hand.bad.add(point)
    assert f"blind.{point}" in hand.write(SPEED, 27.5)


# ---- what is taken back ----------------------------------------------------------------------------------------------

FLOW = "oven/flow_sp"


def advanced(hand: Hand, value: float = 66.0, *, answer: float = 60.0) -> None:
    """A write of the flow, after which its process value stays at `answer` for nine seconds; 66 ± 3 would be right."""
    assert hand.write(FLOW, value) == ()
    hand.values["oven/flow_now"] = value
    for second in range(9):
        hand.now_ns += SECOND_NS
        hand.values["oven/flow_pv"] = answer + 0.01 * (second % 2)
        for point in ("oven/flow_now", "oven/flow_pv", "oven/smoke", "oven/permit"):
            hand.oracle.served(point, hand.values[point], good=True, source_ns=0, now_ns=0)
    hand.back = True


def test_a_wrong_answer_may_be_taken_back_to_where_it_was(hand: Hand) -> None:
    advanced(hand)
    assert hand.arrives(FLOW, 60.0) == ()


def test_only_once(hand: Hand) -> None:
    advanced(hand)
    assert hand.arrives(FLOW, 60.0) == ()
    assert hand.arrives(FLOW, 60.0) == ("nothing to take back",)


def test_only_to_where_it_was(hand: Hand) -> None:
    advanced(hand)
    assert hand.arrives(FLOW, 59.0) == ("not the former value",)


def test_a_right_answer_is_not_taken_back(hand: Hand) -> None:
    advanced(hand, answer=65.0)
    assert hand.arrives(FLOW, 60.0) == ("nothing wrong",)


def test_what_somebody_moved_meanwhile_is_not_taken_back(hand: Hand) -> None:
    advanced(hand)
    hand.values["oven/flow_now"] = 64.0
    hand.oracle.moved(FLOW, 66.0, 64.0)
    assert hand.arrives(FLOW, 60.0) == ("not ours any more", "yield")


def test_over_a_stop_nothing_is_taken_back(hand: Hand) -> None:
    advanced(hand)
    hand.oracle.stopped.add("oven")
    assert hand.arrives(FLOW, 60.0) == ("stop",)


def test_an_advance_leaves_room_for_its_way_back(hand: Hand) -> None:
    hand.oracle.moved(FLOW, 20.0, 60.0)  # 40 of 48 that may be travelled in twenty minutes
    hand.now_ns += 400 * SECOND_NS
    for point in ("oven/flow_pv", "oven/flow_now"):
        hand.oracle.served(point, hand.values[point] + 0.1, good=True, source_ns=0, now_ns=0)
    assert hand.write(FLOW, 64.0) == ()
    hand = Hand()
    hand.oracle.moved(FLOW, 20.0, 60.0)
    hand.now_ns += 400 * SECOND_NS
    for point in ("oven/flow_pv", "oven/flow_now"):
        hand.oracle.served(point, hand.values[point] + 0.1, good=True, source_ns=0, now_ns=0)
    assert hand.write(FLOW, 64.5) == ("rate",)


def test_the_end_of_a_group_must_be_allowed_to_each_of_its_sets(hand: Hand) -> None:
    hand.values.update({"oven/flow_now": 75.0, "oven/flow_sp": 75.0, "press/speed.sp_now": 25.0})
    hand.proposal = "both"
    hand.oracle.posted("alpha", {"id": "both", "action": {"sets": [["oven/count_sp", 12.0], [FLOW, 83.0]]}})
    assert hand.arrives("oven/count_sp", 12.0) == ("group.forbid",)
