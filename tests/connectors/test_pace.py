"""The numbers of a table's rows over losses: a gap where a period has no row, and only there."""

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.connectors.pace import Pace


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_000_000_000)


def test_a_missed_period_is_a_gap(clock: VirtualClock) -> None:
    pace = Pace(clock, 1.0)
    assert pace.take() == 0
    clock.advance(1.0)
    assert pace.take() == 1
    clock.advance(3.0)
    assert pace.take() == 4


def test_the_row_of_a_tick_that_was_not_answered_keeps_the_ticks_number(clock: VirtualClock) -> None:
    pace = Pace(clock, 1.0)
    pace.take()
    clock.advance(1.0)
    assert pace.take() == 1
    clock.advance(0.5)
    assert pace.lose(asked=1) == 1
    clock.advance(0.5)
    assert pace.take() == 2, "no period was missed"


def test_a_tick_that_was_waited_for_until_a_later_one_takes_the_later_number(clock: VirtualClock) -> None:
    pace = Pace(clock, 1.0)
    assert pace.take() == 0
    clock.advance(3.2)
    assert pace.lose(asked=0) == 3


def test_a_loss_between_two_ticks_has_the_next_ones_number_at_once(clock: VirtualClock) -> None:
    pace = Pace(clock, 1.0)
    pace.take()
    clock.advance(0.1)
    assert pace.lose() == 1


def test_a_connection_that_comes_and_goes_uses_up_one_tick_of_a_slow_table_and_no_more(clock: VirtualClock) -> None:
    pace = Pace(clock, 60.0)
    pace.take()
    clock.advance(1.0)
    assert pace.lose() == 1
    for _ in range(100):
        clock.advance(0.5)
        assert pace.lose() is None, "the tags are Bad already"
    clock.advance(69.0)  # 120 s after the first
    assert pace.wait_s() == 0.0
    assert pace.take() == 2


def test_a_loss_that_lasts_is_told_again_in_each_period(clock: VirtualClock) -> None:
    pace = Pace(clock, 1.0)
    pace.take()
    assert pace.lose() == 1
    clock.advance(2.0)
    assert pace.lose() == 2


def test_a_subscription_that_is_lost_before_its_first_row_tells_that(clock: VirtualClock) -> None:
    assert Pace(clock, 1.0).lose() == 0
