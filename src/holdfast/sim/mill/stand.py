"""Physics of the stand: friction, roll force, thickness and third-octave chatter, one exact step at a time.

Every relation names its source; docs/design/demo-plant.md lists them with what is simplified.
"""

import math

import numpy as np

NOMINAL_TENSION_KN = 100.0
NOMINAL_EMULSION_L_PER_MIN = 300.0
ROLL_RADIUS_M = 0.25
WIDTH_M = 1.0
ENTRY_M = 0.60e-3
EXIT_M = 0.40e-3
DRAFT_M = ENTRY_M - EXIT_M
REDUCTION = DRAFT_M / ENTRY_M
STEEL_KG_PER_M3 = 7850.0
# Hitchcock 1935: R' = R (1 + C F / (w Δh)), C = 16 (1 − ν²) / (π E) for steel rolls.
HITCHCOCK_M2_PER_N = 16.0 * (1.0 - 0.3**2) / (math.pi * 2.1e11)
ENTRY_TENSION_KN = 80.0
FRICTION_MIN = 0.020
FRICTION_SPAN = 0.060
EMULSION_TEMP_C = 50.0
COOLANT_TEMP_C = 28.0
CARRY_OVER_FROM_L_PER_MIN = 380.0
SKID_FROM = 1.25  # supply over nominal above which the film is too thick to grip
TENSION_ROUGH_FROM_KN = 109.0
BREAK_KN = 128.0
LEVER = 0.40  # of the arc, Roberts 1978 ch. 8
MILL_MODULUS_N_PER_M = 4.0e9


class Physics:
    """The stand's coefficients: nominal values times a factor within ±20 %, drawn from the seed alone."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 0x4D31])

        def vary(nominal: float, part: float = 0.2) -> float:
            return float(nominal * rng.uniform(1.0 - part, 1.0 + part))

        self.speed_ref_m_per_min = round(vary(900.0, 0.1), -1)
        self.flow_stress_pa = vary(690.0e6, 0.1)
        self.film = vary(1.30)
        self.margin = vary(0.15)  # 1 − v/v_cr with everything nominal
        self.lubrication_power = vary(1.0)
        self.tension_power = vary(0.8)
        self.wear_weight = vary(0.12)
        self.damping_per_s = vary(16.0)  # ω ζ of the third-octave mode at standstill: 140 Hz, ζ 1.8 %
        self.saturation = vary(0.0008)  # growth lost per (mm/s)²
        self.noise_energy = vary(0.9)  # (mm/s)², energy of the mode at the nominal margin
        self.broadband_mm_per_s = vary(1.15)
        self.ampere_per_nm = vary(0.080)
        self.thickness_um = vary(1.2)
        self.header_bar = vary(1.8, 0.1)
        self.heating_k = vary(22.0)
        self.bearing_mm_per_s = vary(0.6)
        self.bearing_heat_k = vary(16.0)
        self.tension_tau_s = vary(3.0)
        self.emulsion_tau_s = vary(4.0)
        self.agc_tau_s = vary(6.0)
        self.furnace_kappa = vary(3.6, 0.1)
        self.furnace_gain = vary(0.85)
        self.friction_0 = self.friction(1.0, 1.0, EMULSION_TEMP_C)
        self.critical_0 = self.speed_ref_m_per_min / (1.0 - self.margin)
        self.force_0_n = self.settled_force(self.friction_0, NOMINAL_TENSION_KN)

    def friction(self, supply: float, speed_ratio: float, emulsion_c: float) -> float:
        """Falls with the film that speed and viscosity drag in (Wilson, Walowit 1972), as far as there is oil to drag."""
        film = self.film * supply * speed_ratio**0.2 * math.exp(-0.006 * (emulsion_c - EMULSION_TEMP_C))
        return FRICTION_MIN + FRICTION_SPAN * math.exp(-film)

    def force(self, friction: float, tension_kn: float, radius_m: float) -> float:
        """Roll force in N: Bland and Ford 1948 in Hill's approximation, on a roll flattened to radius_m."""
        stress = 0.5 * (ENTRY_TENSION_KN / ENTRY_M + tension_kn / EXIT_M) * 1.0e3 / WIDTH_M
        multiplier = 1.08 + 1.79 * REDUCTION * math.sqrt(1.0 - REDUCTION) * friction * math.sqrt(radius_m / ENTRY_M) - 1.02 * REDUCTION
        return WIDTH_M * (self.flow_stress_pa - stress) * math.sqrt(radius_m * DRAFT_M) * multiplier

    def flattened(self, force_n: float) -> float:
        return ROLL_RADIUS_M * (1.0 + HITCHCOCK_M2_PER_N * force_n / (WIDTH_M * DRAFT_M))

    def settled_force(self, friction: float, tension_kn: float) -> float:
        radius = ROLL_RADIUS_M
        force = 0.0
        for _ in range(12):  # contracts by about 0.3 a turn
            force = self.force(friction, tension_kn, radius)
            radius = self.flattened(force)
        return force

    def critical_speed(self, friction: float, tension_kn: float, wear: float) -> float:
        """Speed in m/min above which the mode's damping is negative (Tlusty 1982; Yun, Wilson, Ehmann 1998 §4)."""
        return (
            self.critical_0
            * (self.friction_0 / friction) ** self.lubrication_power
            * (tension_kn / NOMINAL_TENSION_KN) ** self.tension_power
            * (1.0 - self.wear_weight * wear)
        )

    def roughness(self, tension_kn: float, emulsion_l_per_min: float, supply: float) -> float:
        """Factor on thickness noise: too much tension, emulsion carried over to the gauge, or a film too thick to grip."""
        tension = max(tension_kn - TENSION_ROUGH_FROM_KN, 0.0) / 4.0
        carried = max(emulsion_l_per_min - CARRY_OVER_FROM_L_PER_MIN, 0.0) / 40.0
        skid = max(supply - SKID_FROM, 0.0) / 0.10
        return 1.0 + tension * tension + carried * carried + skid * skid


class Chatter:
    """Energy of the third-octave mode, exact for a step of constant damping.

    Averaged van der Pol oscillator with noise: dE/dt = N − 2σE − 2βE² (Nayfeh, Mook 1979 §3.3; Wiesenfeld 1985 for the
    noisy precursor E → N/2σ). The Riccati equation is solved in closed form, so any step is stable: RMS grows as
    1/√σ near the threshold, exponentially beyond it, to the limit cycle −σ/β.
    """

    __slots__ = ("energy",)

    def __init__(self, energy: float) -> None:
        self.energy = energy

    def step(self, damping_per_s: float, noise: float, saturation: float, dt_s: float) -> float:
        root = math.sqrt(damping_per_s * damping_per_s + 2.0 * saturation * noise)
        upper = (root - damping_per_s) / (2.0 * saturation) if damping_per_s < 0.0 else noise / (root + damping_per_s)
        lower = -(root + damping_per_s) / (2.0 * saturation) if damping_per_s >= 0.0 else -noise / (root - damping_per_s)
        ratio = (self.energy - upper) / (self.energy - lower) * math.exp(-2.0 * root * dt_s)
        self.energy = (upper - lower * ratio) / (1.0 - ratio)
        return self.energy
