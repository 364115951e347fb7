"""Annealing: a temperature cascade, strip over zone over fuel.

The strip leaves at Ts = Tz − (Tz − Tin) exp(−κ v0/v): plug flow past a wall, with the radiant exchange linearised about
the working point (Incropera, "Fundamentals of Heat and Mass Transfer", §8.3 and §13.3). The outer PI sets the zone's
setpoint, the inner PI the fuel. A looper stands between mill and furnace, so the furnace's speed follows with a lag.
"""

import math

from holdfast.sim.mill.stand import Physics

INLET_C = 30.0
AMBIENT_C = 30.0
ZONE_TAU_S = 180.0
LOOPER_TAU_S = 60.0
STRIP_TAU_S = 10.0
ZONE_MAX_C = 1000.0
FUEL_MAX_M3_PER_H = 2000.0
LOAD_K = 150.0  # what the strip takes out of the zone at reference speed
OUTER_GAIN, OUTER_TI_S = 0.4, 150.0
INNER_GAIN, INNER_TI_S = 3.0, 120.0  # m3/h per K


class Furnace:
    def __init__(self, physics: Physics, strip_sp_c: float) -> None:
        self.kappa = physics.furnace_kappa
        self.gain = physics.furnace_gain  # K per m3/h
        left = math.exp(-self.kappa)
        self.speed_ratio = 1.0
        self.strip_c = strip_sp_c
        self.zone_c = (strip_sp_c - INLET_C * left) / (1.0 - left)
        self.fuel_m3_per_h = (self.zone_c - AMBIENT_C + LOAD_K) / self.gain
        self._outer = self.zone_c
        self._inner = self.fuel_m3_per_h
        self.heat_value = 0.0  # slow change of the fuel, part

    def step(self, strip_sp_c: float, speed_ratio: float, noise: float, dt_s: float) -> None:
        """One explicit step: every time constant here is ten steps or longer."""
        self.heat_value += (0.0015 * noise - self.heat_value) * dt_s / 90.0 + 0.0006 * noise
        self.speed_ratio += (speed_ratio - self.speed_ratio) * dt_s / LOOPER_TAU_S
        ratio = max(self.speed_ratio, 0.05)
        error = strip_sp_c - self.strip_c
        self._outer = min(max(self._outer + OUTER_GAIN * error * dt_s / OUTER_TI_S, 0.0), ZONE_MAX_C)
        zone_sp = min(self._outer + OUTER_GAIN * error, ZONE_MAX_C)
        zone_error = zone_sp - self.zone_c
        self._inner = min(max(self._inner + INNER_GAIN * zone_error * dt_s / INNER_TI_S, 0.0), FUEL_MAX_M3_PER_H)
        self.fuel_m3_per_h = min(max(self._inner + INNER_GAIN * zone_error, 0.0), FUEL_MAX_M3_PER_H)
        burnt = self.fuel_m3_per_h * (1.0 + self.heat_value)
        self.zone_c += (AMBIENT_C + self.gain * burnt - LOAD_K * ratio - self.zone_c) * dt_s / ZONE_TAU_S
        out = self.zone_c - (self.zone_c - INLET_C) * math.exp(-self.kappa / ratio)
        self.strip_c += (out - self.strip_c) * dt_s / STRIP_TAU_S
