"""The attacked plant: points with values, loops that follow their setpoints, and faults that can be laid on both. No wire here."""

import math
from collections.abc import Callable
from random import Random

from holdfast.evals.adversary.bounds import ACTIVE, PLACES, PROCESS
from holdfast.evals.oracle import Arrival, Judgement, Oracle
from holdfast.terms import BAD_NO_COMMUNICATION, GOOD

NOISE = 0.05
FLOW, SMOKE = "oven/flow_sp", "oven/smoke"
SMOKY_S = 20.0
LOOPS = {"press/force.sp": "press/force", "press/speed.sp": "press/speed"}  # those with a mode of their own


class Plant:
    """What the device does with a write is decided here, after the oracle judged it."""

    def __init__(self, random: Random) -> None:
        self.values = {name: place.start for name, place in PLACES.items()}
        self.status: dict[str, int] = {}  # points that are not Good
        self.skew_s: dict[str, float] = {}  # points whose source stamps are off (OPC UA alone carries any)
        self.frozen: set[str] = set()
        self.deaf: set[str] = set()  # setpoints whose writes are taken and not acted on
        self.lies: dict[str, float] = {}  # points that read otherwise than they are
        self.refuse_next = 0  # writes that the device will refuse
        self.mute_next = 0  # answers to writes that will be lost; the write itself is done
        self.on_write: Callable[[Judgement], None] = lambda judged: None
        self.on_read: Callable[[tuple[str, ...]], None] | None = None  # called before these points are shown
        self.astray: dict[str, float] = {}  # setpoints whose process value stays off them by so much
        self.smoke = -1.0  # what smoke does for a while when the flow is changed
        self._smoky_s = 0.0
        self.eu_range: dict[str, tuple[float, float]] = {}  # setpoints whose EURange the server has narrowed
        self.read_only: set[str] = set()  # setpoints that the server says nobody may write now
        self.oracle: Oracle | None = None
        self._random = random

    # ---- oracle.Device -----------------------------------------------------------------------------------------------

    def value(self, point: str) -> float:
        return self.values[point]

    def good(self, point: str) -> bool:
        return self.status.get(point, GOOD) == GOOD and math.isfinite(self.values[point])

    # ---- what it shows and takes -------------------------------------------------------------------------------------

    def shown(self, point: str) -> float:
        return self.lies.get(point, self.values[point])

    def break_point(self, point: str, status: int = BAD_NO_COMMUNICATION) -> None:
        self.status[point] = status

    def step(self, seconds: float) -> None:
        """Process values wander about their setpoints; what is frozen does not."""
        for sp, pv in PROCESS.items():
            if pv not in self.frozen:
                factor = 2.0 if PLACES[pv].kind == "i16" else 1.0
                off = self.astray.get(sp, 0.0) + self._random.choice((-3, -2, -1, 1, 2, 3)) * NOISE * factor
                self.values[pv] = PLACES[pv].decode(PLACES[pv].encode(self.values[ACTIVE[sp]] + off))
        if "press/vib" not in self.frozen:
            self.values["press/vib"] = _f32(min(self.values["press/vib"], 6.5) * 0.5 + 1.0 + self._random.random() * 0.2)

        self._smoky_s = max(self._smoky_s - seconds, 0.0)
        self.values[SMOKE] = _f32(50.0 + (self.smoke if self._smoky_s else 0.0) + self._random.random() * NOISE)

    def follows(self, sp: str) -> bool:
        loop = LOOPS.get(sp)
        return sp not in self.deaf and (loop is None or self.values[f"{loop}.mode"] == 2.0)

    def arrive(self, arrival: Arrival) -> str:
        """A write reached the device: judged, then done or refused. What it answers: "ok", "no" or "lost"."""
        assert self.oracle is not None  # noqa: S101 - the world sets it before the first write
        judged = self.oracle.received(arrival)
        answer = "ok"
        if arrival.tag and self.refuse_next and "heartbeat" not in arrival.tag:
            self.refuse_next -= 1
            answer = "no"
        elif arrival.tag:
            self.values[arrival.tag] = arrival.value
            if arrival.tag in ACTIVE and self.follows(arrival.tag):
                self.values[ACTIVE[arrival.tag]] = arrival.value
                self._smoky_s = SMOKY_S if arrival.tag == FLOW else self._smoky_s
            if self.mute_next and "heartbeat" not in arrival.tag:
                self.mute_next -= 1
                answer = "lost"
        if answer != "ok":
            self.oracle.not_taken(judged)
        if "heartbeat" not in arrival.tag:
            self.on_write(judged)
        return answer

    # ---- other hands -------------------------------------------------------------------------------------------------

    def operator_moves(self, sp: str, value: float) -> None:
        """The operator sets the active setpoint at the panel; the external one tracks."""
        assert self.oracle is not None  # noqa: S101
        value = PLACES[sp].decode(PLACES[sp].encode(max(value, 0.0) if PLACES[sp].kind != "coil" else float(value > 0)))
        before = self.values[ACTIVE[sp]]
        self.values[ACTIVE[sp]] = self.values[sp] = value
        if value != before:
            self.oracle.moved(sp, before, value)

    def operator_sets(self, point: str, value: float) -> None:
        """A mode, permit, key, grade … ; a mode or permit of a loop is a hand on it."""
        assert self.oracle is not None  # noqa: S101
        changed = self.values[point] != value
        self.values[point] = value
        for sp, loop in LOOPS.items():
            if changed and point in (f"{loop}.mode", f"{loop}.permit"):
                self.oracle.hand(sp)

    def mend(self) -> None:
        """All faults gone."""
        self.status.clear()
        self.skew_s.clear()
        self.frozen.clear()
        self.deaf.clear()
        self.lies.clear()
        self.astray.clear()
        self.smoke = -1.0
        self.refuse_next = self.mute_next = 0
        self.on_write = lambda judged: None
        self.on_read = None
        self.eu_range.clear()
        self.read_only.clear()


def _f32(value: float) -> float:
    place = PLACES["press/vib"]
    return place.decode(place.encode(value))
