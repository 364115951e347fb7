"""How the plant lives up to the clauses that its limits are bound to: now, since when, how far, how often. Pure: no clock, no file."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from holdfast.gate.alarms.limits import Limit, limits_of
from holdfast.gate.alarms.shelf import Key
from holdfast.site.model import AlarmLimits
from holdfast.terms import SECOND_NS, Alarm, Word

Now = Literal["kept", "beyond", "unknown"]


class Change(NamedTuple):
    """A limit that was passed, or came back, as it is on record."""

    at_ns: int
    active: bool


class Past(NamedTuple):
    """Of one tag over the period. `seen`: the share of it in which there was a usable value."""

    least: float | None
    greatest: float | None
    seen: float


NO_PAST = Past(None, None, 0.0)


class Standing(Word):
    """One clause. Quantities are in the tag's unit.

    `unknown`: the tag has no Good value now and the limit was not passed when it last had one. `since_ns` is None where the period
    does not reach back so far. `margin`: how far the value is inside the limit; negative, how far beyond. `worst` is the
    period's value nearest to the limit or furthest beyond it.
    """

    tag: str
    limit: str
    threshold: float
    unit: str
    standard: str
    clause: str
    asks: tuple[tuple[str, str], ...]
    now: Now
    since_ns: int | None
    value: float | None
    margin: float | None
    times: int  # that it was passed in the period
    beyond_s: float  # of the period
    period_s: float
    seen: float  # 0..1: see Past
    worst: float | None
    worst_margin: float | None


def standings(
    limits: Sequence[AlarmLimits],
    *,
    units: Mapping[str, str],
    states: Mapping[Key, Alarm],
    values: Mapping[str, float | None],  # by tag, None unless Good
    changes: Mapping[Key, Sequence[Change]],  # by tag and limit, oldest first, within the period
    past: Mapping[str, Past],
    from_ns: int,
    to_ns: int,
) -> tuple[Standing, ...]:
    """Every clause of every limit, in the order of the site file."""
    found: list[Standing] = []
    sides = {(limit.tag, limit.side): limit for limit in limits_of(limits)}
    for of in limits:
        for clause in of.clauses:
            limit = sides[of.tag, clause.limit]
            alarm, value = states.get((of.tag, clause.limit)), values.get(of.tag)
            active = alarm is not None and alarm.active
            seen = _settled(changes.get((of.tag, clause.limit), ()), active=active)
            begun = [change.at_ns for change in seen if change.active]
            behind = past.get(of.tag, NO_PAST)
            worst = behind.greatest if limit.side in ("hi", "hihi") else behind.least
            found.append(
                Standing(
                    tag=of.tag,
                    limit=clause.limit,
                    threshold=limit.threshold,
                    unit=units.get(of.tag, "1"),
                    standard=clause.standard,
                    clause=clause.clause,
                    asks=clause.asks,
                    now="beyond" if active else "unknown" if value is None else "kept",
                    since_ns=seen[-1].at_ns if seen else alarm.since_ns if alarm is not None and active else None,
                    value=value,
                    margin=_margin(limit, value),
                    times=len(begun),
                    beyond_s=_beyond_s(seen, from_ns, to_ns, active=active),
                    period_s=(to_ns - from_ns) / SECOND_NS,
                    seen=behind.seen,
                    worst=worst,
                    worst_margin=_margin(limit, worst),
                )
            )
    return tuple(found)


def _settled(changes: Sequence[Change], *, active: bool) -> tuple[Change, ...]:
    """Each differs from the one before, and the last says what is now: records of the same state (acknowledged) are none of passing."""
    found: list[Change] = []
    for change in changes:
        if not found or found[-1].active != change.active:
            found.append(change)
    while found and found[-1].active != active:  # the newest records are not indexed yet
        found.pop()
    return tuple(found)


def _beyond_s(changes: Sequence[Change], from_ns: int, to_ns: int, *, active: bool) -> float:
    beyond, last_ns, total_ns = not changes[0].active if changes else active, from_ns, 0
    for change in changes:
        if beyond:
            total_ns += change.at_ns - last_ns
        beyond, last_ns = change.active, change.at_ns
    return (total_ns + (to_ns - last_ns if beyond else 0)) / SECOND_NS


def _margin(limit: Limit, value: float | None) -> float | None:
    if value is None:
        return None
    return limit.threshold - value if limit.side in ("hi", "hihi") else value - limit.threshold
