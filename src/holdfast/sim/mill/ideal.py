"""An ideal controller that knows the physics: the best any agent could do within the envelopes.

It sees the true state, without noise and delay, and picks the tension and emulsion with the fewest expected defects at
full speed, within the envelope's range and moving no faster than its rate allows. It knows nothing of the future and is no part of
the runtime: it says what share of the possible an agent reaches.
"""

from holdfast.sim.mill import defects as law
from holdfast.sim.mill.plant import STRIP_SP_C, Mill
from holdfast.sim.mill.stand import NOMINAL_EMULSION_L_PER_MIN
from holdfast.site.model import Envelope

EVERY_S = 30.0
CHOICES = 15  # a side of the grid of reachable setpoints


def expected_per_km(mill: Mill, tension_kn: float, emulsion_l_per_min: float) -> float:
    """Defects per km that these setpoints would settle to, now, at the line's reference speed."""
    physics = mill.physics
    supply = emulsion_l_per_min * (1.0 - mill.schedule.clogged(mill.time_s)) / NOMINAL_EMULSION_L_PER_MIN
    friction = physics.friction(supply, 1.0, mill.emulsion_c)
    critical = physics.critical_speed(friction, tension_kn, mill.wear)
    margin = max(1.0 - physics.speed_ref_m_per_min / critical, 1e-3)
    energy = physics.noise_energy * physics.margin / margin
    bearing = physics.bearing_mm_per_s * (1.0 + 4.0 * mill.wear**1.5)
    vibration = (physics.broadband_mm_per_s**2 + energy + 0.25 * bearing * bearing) ** 0.5
    thickness = physics.thickness_um * physics.roughness(tension_kn, emulsion_l_per_min, supply)
    thickness = (thickness * thickness + (0.35 * vibration) ** 2) ** 0.5
    # A thousandth of the remaining margin's inverse keeps it from waiting until marks appear.
    return law.defects_per_km(vibration, thickness, mill.furnace.strip_c - STRIP_SP_C) + 0.001 / margin


class Ideal:
    """Call `act` before each step; it writes SP_Ext and the heartbeat as an agent's gate would, but continuously."""

    def __init__(self, mill: Mill, tension: Envelope, emulsion: Envelope) -> None:
        self.mill = mill
        self.bounds = tuple(self._bounds(envelope, mill.grade) for envelope in (tension, emulsion))
        self._beat = 0
        self._next_s = 0.0

    @staticmethod
    def _bounds(envelope: Envelope, grade: int) -> tuple[float, float, float]:
        """(low, high, most in EVERY_S seconds)."""
        if envelope.range is None or envelope.rate is None:
            raise ValueError(f"{envelope.tag}: the ideal controller needs a range and a rate")
        names = {0: "DC01", 1: "SPCC"}
        rows = dict(envelope.range.rows)
        low, high = rows.get(names[grade], next(iter(rows.values())))
        return low, high, envelope.rate.max / envelope.rate.per_s * EVERY_S

    def act(self) -> None:
        mill = self.mill
        self._beat += 1
        for block in (mill.tension, mill.emulsion):
            block.ext_hb = self._beat
        if mill.time_s < self._next_s:
            return
        self._next_s = mill.time_s + EVERY_S
        reach: list[list[float]] = []
        for block, (low, high, most) in zip((mill.tension, mill.emulsion), self.bounds, strict=True):
            start, end = max(low, block.sp_active - most), min(high, block.sp_active + most)
            reach.append([start + (end - start) * step / (CHOICES - 1) for step in range(CHOICES)])
        best = min(((expected_per_km(mill, t, q), t, q) for t in reach[0] for q in reach[1]), key=lambda choice: choice[0])
        mill.tension.sp_ext, mill.emulsion.sp_ext = best[1], best[2]
