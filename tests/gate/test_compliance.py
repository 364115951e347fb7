"""Whether clauses are kept: now, since when, how far, how often; worked out by hand from what is on record."""

import pytest

from holdfast.gate.alarms.compliance import Change, Past, Standing, standings
from holdfast.gate.alarms.limits import Side
from holdfast.site.model import AlarmLimits, Clause
from holdfast.terms import SECOND_NS, Alarm

S = SECOND_NS
ZONES = AlarmLimits(
    tag="pump/vibration",
    hi=4.5,
    hihi=7.1,
    clauses=(
        Clause(limit="hi", standard="ISO 20816-3:2022", clause="zone B/C", asks=(("en", "no long operation above it"),)),
        Clause(limit="hihi", standard="ISO 20816-3:2022", clause="zone C/D"),
    ),
)
FLOOR = AlarmLimits(tag="tank/level", lo=20.0, clauses=(Clause(limit="lo", standard="GB 50160-2008", clause="6.2"),))


def alarm(limit: Side, *, active: bool, since_s: int = 0) -> Alarm:
    return Alarm(
        tag="pump/vibration",
        limit=limit,
        priority="high",
        active=active,
        acknowledged=False,
        since_ns=since_s * S,
        value=1.0,
        threshold=4.5,
    )


def stands(
    limits: AlarmLimits, *, value: float | None = None, active: bool = False, changes: tuple[Change, ...] = (), past: Past
) -> Standing:
    """The first clause, over the hundred seconds from 1000 s on."""
    key = (limits.tag, limits.clauses[0].limit)
    found = standings(
        (limits,),
        units={limits.tag: "mm/s"},
        states={key: alarm(key[1], active=True, since_s=900)} if active else {},
        values={limits.tag: value},
        changes={key: changes},
        past={limits.tag: past},
        from_ns=1000 * S,
        to_ns=1100 * S,
    )
    return found[0]


def test_a_limit_that_was_never_passed_is_kept_with_its_margin_and_its_worst_value() -> None:
    found = stands(ZONES, value=3.0, past=Past(2.0, 4.25, 0.5))
    assert (found.now, found.since_ns, found.times, found.beyond_s, found.period_s) == ("kept", None, 0, 0.0, 100.0)
    assert (found.margin, found.worst, found.worst_margin, found.seen) == (1.5, 4.25, 0.25, 0.5)
    assert (found.standard, found.clause, found.asks) == ("ISO 20816-3:2022", "zone B/C", (("en", "no long operation above it"),))


def test_twice_passed_in_the_period_counts_both_stretches() -> None:
    changes = (Change(1010 * S, True), Change(1020 * S, False), Change(1050 * S, True), Change(1055 * S, False))
    found = stands(ZONES, value=4.0, changes=changes, past=Past(1.0, 5.0, 1.0))
    assert (found.now, found.since_ns, found.times, found.beyond_s) == ("kept", 1055 * S, 2, 15.0)
    assert (found.worst, found.worst_margin) == (5.0, -0.5)


def test_what_was_passed_before_the_period_counts_from_its_beginning() -> None:
    found = stands(ZONES, value=4.0, changes=(Change(1030 * S, False),), past=Past(1.0, 5.0, 1.0))
    assert (found.times, found.beyond_s) == (0, 30.0)


def test_what_is_beyond_now_counts_to_the_end_and_says_since_when_though_it_began_before() -> None:
    found = stands(ZONES, value=6.0, active=True, past=Past(5.5, 6.5, 1.0))
    assert (found.now, found.since_ns, found.times, found.beyond_s, found.margin) == ("beyond", 900 * S, 0, 100.0, -1.5)


def test_an_acknowledged_alarm_is_not_passed_a_second_time() -> None:
    changes = (Change(1010 * S, True), Change(1015 * S, True), Change(1020 * S, False))
    assert stands(ZONES, value=4.0, changes=changes, past=Past(1.0, 5.0, 1.0)).times == 1


def test_a_record_that_lags_behind_is_not_believed_over_what_stands_now() -> None:
    found = stands(ZONES, value=6.0, active=True, changes=(Change(1010 * S, True), Change(1020 * S, False)), past=Past(1.0, 6.0, 1.0))
    assert (found.now, found.times, found.beyond_s) == ("beyond", 1, 90.0)


def test_without_a_good_value_nobody_knows_unless_it_was_beyond_when_it_was_last_seen() -> None:
    assert stands(ZONES, past=Past(None, None, 0.0)).now == "unknown"
    beyond = stands(ZONES, active=True, past=Past(None, None, 0.0))
    assert (beyond.now, beyond.margin, beyond.worst, beyond.worst_margin) == ("beyond", None, None, None)


@pytest.mark.parametrize(("value", "margin"), [(25.0, 5.0), (18.0, -2.0)])
def test_at_a_low_limit_the_margin_is_what_is_above_it_and_the_worst_is_the_least(value: float, margin: float) -> None:
    found = stands(FLOOR, value=value, past=Past(19.0, 90.0, 1.0))
    assert (found.margin, found.worst, found.worst_margin) == (margin, 19.0, -1.0)


def test_each_clause_of_a_tag_is_told_by_its_own_limit() -> None:
    found = standings((ZONES, FLOOR), units={}, states={}, values={}, changes={}, past={}, from_ns=0, to_ns=S)
    assert [(s.tag, s.limit, s.threshold) for s in found] == [
        ("pump/vibration", "hi", 4.5),
        ("pump/vibration", "hihi", 7.1),
        ("tank/level", "lo", 20.0),
    ]
