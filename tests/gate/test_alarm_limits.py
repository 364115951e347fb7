"""A plant limit is active after its delay, returns past its deadband, and Bad data changes nothing (ISA-18.2-2016 §5.3, §10)."""

from holdfast.gate.alarms.limits import AlarmWatch
from holdfast.site.model import AlarmLimits
from holdfast.terms import SECOND_NS

HI = AlarmLimits(tag="v", hi=4.5, hihi=7.1, lo=1.0, deadband=0.3, delay_s=3.0, priority="high")


def told(watch: AlarmWatch, value: float | None, at_s: float) -> list[tuple[str, bool]]:
    return [(a.limit, a.active) for a in watch.step(lambda tag: value, round(at_s * SECOND_NS))]


def test_a_limit_is_active_only_after_its_whole_delay() -> None:
    watch = AlarmWatch((HI,))
    assert [told(watch, 4.6, s) for s in (0.0, 1.0, 2.9)] == [[], [], []]
    assert told(watch, 4.6, 3.0) == [("hi", True)]
    assert told(watch, 4.6, 4.0) == []
    assert watch.episodes == 1


def test_a_short_return_starts_the_delay_anew() -> None:
    watch = AlarmWatch((HI,))
    assert told(watch, 4.6, 0.0) == told(watch, 4.4, 2.0) == told(watch, 4.6, 2.5) == told(watch, 4.6, 5.4) == []
    assert told(watch, 4.6, 5.5) == [("hi", True)]


def test_at_the_limit_is_not_beyond_it() -> None:
    watch = AlarmWatch((HI,))
    assert [told(watch, 4.5, s) for s in (0.0, 10.0)] == [[], []]


def test_it_returns_only_past_the_deadband() -> None:
    watch = AlarmWatch((HI,))
    told(watch, 4.6, 0.0)
    told(watch, 4.6, 3.0)
    assert told(watch, 4.3, 4.0) == []
    assert told(watch, 4.1, 5.0) == [("hi", False)]


def test_a_low_limit_is_the_mirror_image() -> None:
    watch = AlarmWatch((HI,))
    told(watch, 0.9, 0.0)
    assert told(watch, 0.9, 3.0) == [("lo", True)]
    assert told(watch, 1.2, 4.0) == []
    assert told(watch, 1.4, 5.0) == [("lo", False)]


def test_both_limits_of_one_side_are_told_apart() -> None:
    watch = AlarmWatch((HI,))
    told(watch, 8.0, 0.0)
    assert sorted(told(watch, 8.0, 3.0)) == [("hi", True), ("hihi", True)]
    assert told(watch, 6.0, 4.0) == [("hihi", False)]


def test_bad_data_neither_raises_nor_ends_an_alarm() -> None:
    watch = AlarmWatch((HI,))
    assert [told(watch, None, s) for s in (0.0, 5.0)] == [[], []]
    told(watch, 4.6, 6.0)
    told(watch, 4.6, 9.0)
    assert told(watch, None, 20.0) == []
    assert watch.states["v", "hi"].active
