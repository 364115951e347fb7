"""The scripted operator: slows the line when the plant's own vibration alarm sounds, then ramps back.

He acts alike with and without an agent. Written before any agent, then left alone; a later change is listed in
docs/design/demo-plant.md.

Sources. That operators answer chatter by slowing down, and that the speed they give up is what chatter costs: Yun,
Wilson, Ehmann (1998) §1; Tlusty, Chandra, Critchley, Paton, "Chatter in cold rolling", CIRP Annals 31 (1982) 195-199.
Alarm limits: ISO 20816-3 zones B/C (4.5 mm/s: not for long operation) and C/D (7.1 mm/s: damage), with the on-delay
and deadband that ANSI/ISA-18.2-2016 §10 asks an engineer to choose. Depth, time and pace of the slow-down are ours.
"""

from enum import Enum

from holdfast.site.model import AlarmLimits
from holdfast.terms import Alarm

# What the site file says of stand-4/vibration; a test holds the two together.
VIBRATION_ALARM = AlarmLimits(
    tag="stand-4/vibration",
    hi=4.5,
    hihi=7.1,
    deadband=0.3,
    delay_s=3.0,
    priority="high",
    source="ISO 20816-1 zone limits, rigid large machine",
)
REACTION_S = 15.0  # from the alarm to the hand on the lever; above hihi the drive slows by itself
SLOW_FACTOR = 0.85
SLOW_FOR_S = 300.0  # counted from the moment the alarm clears
RAMP_BACK_PER_S = 0.0005  # of the reference speed: 15 % in five minutes


class Phase(Enum):
    NORMAL = "normal"
    REACTING = "reacting"
    SLOW = "slow"
    RAMPING = "ramping"


class PlantAlarm:
    """One high limit with on-delay and deadband, as a PLC computes it. Bad or missing values change nothing."""

    def __init__(self, limits: AlarmLimits) -> None:
        if limits.hi is None or limits.hihi is None:
            raise ValueError(f"{limits.tag}: the operator watches hi and hihi; give both in the site file")
        self.limits = limits
        self.hi = limits.hi
        self.hihi = limits.hihi
        self.active = False
        self.severe = False
        self.first_s: float | None = None
        self.episodes = 0
        self._over_s = 0.0
        self._severe_s = 0.0

    def scan(self, value: float, now_s: float, dt_s: float) -> None:
        """One scan at plant time now_s; `value` in the tag's unit."""
        if value > self.hi:
            self._over_s += dt_s
            if not self.active and self._over_s > self.limits.delay_s:
                self.active = True
                self.episodes += 1
                if self.first_s is None:
                    self.first_s = now_s
        else:
            self._over_s = 0.0
            if self.active and value < self.hi - self.limits.deadband:
                self.active = False
        if value > self.hihi:
            self._severe_s += dt_s
            self.severe = self.severe or self._severe_s > self.limits.delay_s
        else:
            self._severe_s = 0.0
            if value < self.hihi - self.limits.deadband:
                self.severe = False

    def state(self, value: float, since_ns: int) -> Alarm:
        return Alarm(
            tag=self.limits.tag,
            limit="hihi" if self.severe else "hi",
            priority=self.limits.priority,
            active=self.active,
            acknowledged=False,
            since_ns=since_ns,
            value=value,
            threshold=self.hihi if self.severe else self.hi,
        )


class ScriptedOperator:
    """Watches the alarm and sets the line's speed as a factor of its reference."""

    def __init__(self, limits: AlarmLimits = VIBRATION_ALARM) -> None:
        self.alarm = PlantAlarm(limits)
        self.phase = Phase.NORMAL
        self.factor = 1.0
        self._left_s = 0.0

    def watch(self, vibration_mm_per_s: float, now_s: float, dt_s: float) -> float:
        """One look at the panel; returns the factor of the reference speed that he wants."""
        alarm = self.alarm
        alarm.scan(vibration_mm_per_s, now_s, dt_s)
        phase = self.phase
        if phase is Phase.NORMAL and not alarm.active:
            return self.factor
        if phase is Phase.NORMAL or (phase is Phase.RAMPING and alarm.active):
            self.phase, self._left_s = Phase.REACTING, REACTION_S
        elif phase is Phase.REACTING:
            self._left_s -= dt_s
            if self._left_s <= 0.0 or alarm.severe:
                self.phase, self._left_s, self.factor = Phase.SLOW, SLOW_FOR_S, SLOW_FACTOR
        elif phase is Phase.SLOW:
            self._left_s = SLOW_FOR_S if alarm.active else self._left_s - dt_s
            if self._left_s <= 0.0:
                self.phase = Phase.RAMPING
        elif phase is Phase.RAMPING:
            self.factor = min(1.0, self.factor + RAMP_BACK_PER_S * dt_s)
            if self.factor >= 1.0:
                self.phase = Phase.NORMAL
        return self.factor
