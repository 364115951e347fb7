"""The plant's own alarm limits: the legacy rule engine, kept by the gate so that it outlives every agent.

States after ISA-18.2-2016 §5.3: a limit becomes active when the value has been beyond it for `delay_s` (on-delay,
§10), and returns to normal when the value is back by more than the deadband. Bad data changes nothing: an active
alarm stays active and a delay that runs keeps running from where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from holdfast.site.model import AlarmLimits
from holdfast.terms import SECOND_NS, Alarm, Priority, Word

Side = Literal["hihi", "hi", "lo", "lolo"]


class Limit(Word):
    tag: str
    side: Side
    threshold: float
    deadband: float
    delay_ns: int
    priority: Priority

    def beyond(self, value: float) -> bool:
        return value > self.threshold if self.side in ("hihi", "hi") else value < self.threshold

    def returned(self, value: float) -> bool:
        if self.side in ("hihi", "hi"):
            return value < self.threshold - self.deadband
        return value > self.threshold + self.deadband


def limits_of(alarms: Sequence[AlarmLimits]) -> tuple[Limit, ...]:
    sides: tuple[Side, ...] = ("hihi", "hi", "lo", "lolo")
    return tuple(
        Limit(tag=a.tag, side=side, threshold=threshold, deadband=a.deadband, delay_ns=round(a.delay_s * SECOND_NS), priority=a.priority)
        for a in alarms
        for side, threshold in zip(sides, (a.hihi, a.hi, a.lo, a.lolo), strict=True)
        if threshold is not None
    )


class AlarmWatch:
    """Steps all limits once a frame. `states` holds every alarm that is active or waits to be acknowledged."""

    def __init__(self, alarms: Sequence[AlarmLimits]) -> None:
        self._limits = limits_of(alarms)
        self._since: dict[Limit, int] = {}  # when the value went beyond and has not come back
        self.states: dict[tuple[str, Side], Alarm] = {}
        self.episodes = 0

    def step(self, good_value: Callable[[str], float | None], now_ns: int) -> Iterator[Alarm]:
        """Yields every alarm whose state changed. `good_value(tag)` is None unless the tag is Good."""
        for limit in self._limits:
            value = good_value(limit.tag)
            if value is None:
                continue
            key = (limit.tag, limit.side)
            state = self.states.get(key)
            active = state is not None and state.active
            if active:
                if limit.returned(value):
                    self._since.pop(limit, None)
                    yield self._set(limit, value, now_ns, active=False, acknowledged=state.acknowledged if state else False)
            elif limit.beyond(value):
                since = self._since.setdefault(limit, now_ns)
                if now_ns - since >= limit.delay_ns:
                    self.episodes += 1
                    yield self._set(limit, value, now_ns, active=True, acknowledged=False)
            else:
                self._since.pop(limit, None)

    def adopt(self, alarms: Sequence[AlarmLimits]) -> tuple[Alarm, ...]:
        """Other limits from now on; returns the alarms whose limit is gone. One that is active returns by its new threshold."""
        self._limits = limits_of(alarms)
        self._since = {limit: since for limit, since in self._since.items() if limit in set(self._limits)}
        known = {(limit.tag, limit.side) for limit in self._limits}
        gone = [key for key in self.states if key not in known]
        return tuple(self.states.pop(key) for key in gone)

    @property
    def limits(self) -> tuple[Limit, ...]:
        return self._limits

    def put(self, alarm: Alarm) -> None:
        """What a person's act, or an earlier run, made of an alarm: kept while it is active or waits to be acknowledged."""
        if alarm.active or not alarm.acknowledged:
            self.states[alarm.tag, alarm.limit] = alarm
        else:
            self.states.pop((alarm.tag, alarm.limit), None)

    def _set(self, limit: Limit, value: float, now_ns: int, *, active: bool, acknowledged: bool) -> Alarm:
        alarm = Alarm(
            tag=limit.tag,
            limit=limit.side,
            priority=limit.priority,
            active=active,
            acknowledged=acknowledged,
            since_ns=now_ns,
            value=value,
            threshold=limit.threshold,
        )
        self.put(alarm)
        return alarm
