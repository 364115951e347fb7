"""What happens to the plant and when: one schedule a scenario, in plant time, drawn from the seed.

Times are in seconds since the start of the run. Lubrication is lost as nozzles of the emulsion header clog: the open
area falls, so at the same flow the header's pressure rises and less of the flow reaches the bite.
"""

from dataclasses import replace

import numpy as np

from holdfast.sim.mill.stand import EMULSION_TEMP_C, NOMINAL_TENSION_KN, Physics
from holdfast.terms import Word

NAMES = ("normal", "chatter", "bearing", "frozen-sensor", "lost-link", "operator")
QUIET = "quiet"
BEYOND = 1.12  # v/v_cr that the lost lubrication leads to, if nobody acts
CLOG_MAX = 0.55


class OperatorMove(Word):
    """The operator takes a loop: into `mode`, with his own setpoint moved by `by` (in the loop's unit)."""

    at_s: float
    loop: str
    mode: int
    by: float = 0.0


class Schedule(Word):
    """Intervals are (from, to) in plant seconds, the end not included."""

    scenario: str
    duration_s: float
    clog_from_s: float | None = None
    clog_over_s: float = 1.0
    clog: float = 0.0  # share of the nozzles' area lost in the end
    wear_from_s: float | None = None
    wear_per_s: float = 0.0
    vibration_frozen_from_s: float | None = None
    link_down: tuple[tuple[str, float, float], ...] = ()  # (server, from, to)
    moves: tuple[OperatorMove, ...] = ()

    def clogged(self, now_s: float) -> float:
        """Share of the nozzles' area lost at a time; grows evenly."""
        if self.clog_from_s is None or now_s <= self.clog_from_s:
            return 0.0
        return self.clog * min((now_s - self.clog_from_s) / self.clog_over_s, 1.0)


def noise_stream(seed: int, scenario: str) -> np.random.Generator:
    """Quiet stretches and runs of one seed share the physics, never the noise."""
    order = (QUIET, *NAMES)
    return np.random.default_rng([seed, 0x4E01, order.index(scenario)])


def clog_beyond(physics: Physics) -> float:
    """The clogging at which full speed is BEYOND the threshold, with every setpoint where it was."""
    low, high = 0.0, CLOG_MAX
    for _ in range(30):
        middle = 0.5 * (low + high)
        friction = physics.friction(1.0 - middle, 1.0, EMULSION_TEMP_C)
        if physics.speed_ref_m_per_min / physics.critical_speed(friction, NOMINAL_TENSION_KN, 0.05) < BEYOND:
            low = middle
        else:
            high = middle
    return high


def schedule(seed: int, scenario: str, physics: Physics) -> Schedule:
    """Raises ValueError for a scenario that is none."""
    if scenario in ("normal", QUIET):
        return Schedule(scenario=scenario, duration_s=28800.0)
    if scenario not in NAMES:
        raise ValueError(f"no scenario {scenario!r}; there are {', '.join(NAMES)}")
    rng = np.random.default_rng([seed, 0x5C01])
    start = float(rng.integers(600, 841))
    over = float(rng.integers(1800, 2401))
    if scenario == "bearing":
        return Schedule(scenario=scenario, duration_s=9000.0, wear_from_s=start, wear_per_s=0.85 / (over * 1.6))
    lost = Schedule(scenario=scenario, duration_s=9000.0, clog_from_s=start, clog_over_s=over, clog=clog_beyond(physics))
    if scenario == "frozen-sensor":
        return replace(lost, vibration_frozen_from_s=start - 360.0)
    if scenario == "lost-link":
        return replace(lost, link_down=(("cooling", start + 60.0, start + 480.0), ("mill", start + 900.0, start + 1080.0)))
    if scenario == "operator":
        moves = (
            OperatorMove(at_s=start + 240.0, loop="Stand4.Tension", mode=1, by=1.5),
            OperatorMove(at_s=start + 600.0, loop="Stand4.Tension", mode=2),
        )
        return replace(lost, moves=moves)
    return lost
