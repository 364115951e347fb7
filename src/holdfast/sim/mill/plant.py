"""The whole plant in one place: PLC blocks, stand, bearing, furnace, operator and sensors, stepped by plant seconds.

`Mill` shows only what its two servers show. It is deterministic: seed, scenario and the writes received, with their
times, give every number.
"""

import math
from collections import deque

from holdfast.sim.loop_block import AUTO, EXTERNAL, LoopBlock
from holdfast.sim.mill import defects as law
from holdfast.sim.mill.furnace import Furnace
from holdfast.sim.mill.operator import ScriptedOperator
from holdfast.sim.mill.points import FIRST_REGISTER, INDEX, LOOP_PARTS, LOOPS, POINTS, Point
from holdfast.sim.mill.scenarios import QUIET, noise_stream, schedule
from holdfast.sim.mill.stand import (
    BREAK_KN,
    COOLANT_TEMP_C,
    DRAFT_M,
    EMULSION_TEMP_C,
    ENTRY_TENSION_KN,
    EXIT_M,
    LEVER,
    MILL_MODULUS_N_PER_M,
    NOMINAL_EMULSION_L_PER_MIN,
    NOMINAL_TENSION_KN,
    ROLL_RADIUS_M,
    STEEL_KG_PER_M3,
    WIDTH_M,
    Chatter,
    Physics,
)
from holdfast.terms import BAD_NO_COMMUNICATION, BAD_NODE_ID_UNKNOWN, GOOD, Word

RECEIVED_MAX = 10_000  # setpoint writes kept for the judge; a plant run receives a few dozen
NOISE_ROWS = 512
NOISE_COLUMNS = 20
LINE_RATE_M_PER_MIN_S = 10.0  # the drive's ramp
STRIP_SP_C = 720.0
HEARTBEAT_TIMEOUT_S = 5.0


class Received(Word):
    """One setpoint write as the device got it, with the plant's row just before."""

    at_s: float
    server: str
    address: str
    value: float
    row: tuple[float, ...]  # in the order of POINTS


class Moved(Word):
    """A setpoint moved by the operator: `before` and `after` in the loop's unit."""

    at_s: float
    address: str  # of the loop's SP_Ext, so that it counts with the writes
    before: float
    after: float


class Mill:
    """One plant. `row` holds the values of POINTS as they would be read now, `registers` the raw ones of the cooling server."""

    def __init__(self, seed: int, scenario: str) -> None:
        self.seed, self.scenario = seed, scenario
        self.physics = physics = Physics(seed)
        self.schedule = schedule(seed, scenario, physics)
        self.time_s = 0.0
        self.tension = LoopBlock(sp_op=NOMINAL_TENSION_KN, sp_min=70.0, sp_max=120.0, sp_rate_per_s=1.0, mode=EXTERNAL)
        self.emulsion = LoopBlock(sp_op=NOMINAL_EMULSION_L_PER_MIN, sp_min=150.0, sp_max=450.0, sp_rate_per_s=10.0, mode=EXTERNAL)
        self.strip_temp = LoopBlock(sp_op=STRIP_SP_C, sp_min=650.0, sp_max=780.0, sp_rate_per_s=0.5, mode=AUTO)
        self.blocks = dict(zip((loop.at for loop in LOOPS), (self.tension, self.emulsion, self.strip_temp), strict=True))
        self.tension.ext_permit = self.emulsion.ext_permit = True
        self.operator = ScriptedOperator()
        self.key_switch = False
        self.grade = 0
        self.running = True
        self.defects = self.metres = self.tonnes = 0.0  # of strip within the thickness tolerance
        self.metres_off_gauge = 0.0
        self.received: deque[Received] = deque(maxlen=RECEIVED_MAX)
        self.moved: deque[Moved] = deque(maxlen=RECEIVED_MAX)
        self.heartbeats = 0
        self._moves = list(self.schedule.moves)
        self._rng = noise_stream(seed, scenario)
        self._noise: list[list[float]] = []
        self._noise_at = NOISE_ROWS
        self._settle()

    @classmethod
    def quiet(cls, seed: int) -> "Mill":
        """The same plant without disturbance and with other noise: the past a detector may learn from."""
        return cls(seed, QUIET)

    def _settle(self) -> None:
        """Start at the working point, with noise that has forgotten its start."""
        physics = self.physics
        self.speed_m_per_min = physics.speed_ref_m_per_min
        self.tension_kn, self.emulsion_l_per_min = NOMINAL_TENSION_KN, NOMINAL_EMULSION_L_PER_MIN
        self.wear = 0.05
        self.emulsion_c, self.coolant_c, self.coolant_l_per_min = EMULSION_TEMP_C, COOLANT_TEMP_C, 600.0
        self.force_n = self._agc_n = physics.force_0_n
        self._radius_m = physics.flattened(self.force_n)
        self.bearing_c = 45.0 + physics.bearing_heat_k * (1.0 + 1.5 * self.wear)
        self.chatter = Chatter(physics.noise_energy)
        self.furnace = Furnace(physics, STRIP_SP_C)
        self.vibration_mm_per_s = self.thickness_um = self._rough = self._tension_noise = 0.0
        self._defect_rate = 0.0
        self._seen_vibration: float | None = None
        self._decay: dict[float, float] = {}
        self._decay_dt_s = 0.0
        self.registers = [0] * (len(POINTS) - FIRST_REGISTER)
        self.row: list[float] = [0.0] * len(POINTS)
        for block in self.blocks.values():
            block.scan(1.0)
        for _ in range(120):  # longer than any noise here remembers, but for the fuel's
            self._advance(1.0)
        self.time_s = self.defects = self.metres = self.tonnes = self.metres_off_gauge = 0.0
        self.operator = ScriptedOperator()

    # ---- what servers call ------------------------------------------------------------------------------------------

    def points(self) -> tuple[Point, ...]:
        return POINTS

    def link_up(self, server: str) -> bool:
        """Whether a server answers now."""
        return all(not (name == server and start <= self.time_s < end) for name, start, end in self.schedule.link_down)

    def read(self, server: str, address: str) -> tuple[float, int]:
        """(value, OPC UA status); not-a-number with a Bad status where the server is down or has no such point."""
        index = INDEX.get((server, address))
        if index is None:
            return math.nan, BAD_NODE_ID_UNKNOWN
        if not self.link_up(server):
            return math.nan, BAD_NO_COMMUNICATION
        return self.row[index], GOOD

    def write(self, server: str, address: str, value: float) -> bool:
        """What the device received: False if it said no (unknown, read-only or link down). Setpoints are logged."""
        index = INDEX.get((server, address))
        if index is None or not POINTS[index].writable or not self.link_up(server):
            return False
        at, _, part = address.rpartition(".")
        block = self.blocks[at]
        if part == "Ext_HB":
            if not math.isfinite(value):
                return False
            self.heartbeats += 1
            block.ext_hb = int(value)
            self.row[index] = float(block.ext_hb)
            return True
        self.received.append(Received(at_s=self.time_s, server=server, address=address, value=value, row=tuple(self.row)))
        block.sp_ext = value
        self.row[index] = value
        return True

    # ---- what the operator does at his own panel --------------------------------------------------------------------

    def operator_sets(self, loop: str, setpoint: float) -> None:
        """The operator's own setpoint of a loop ("Stand4.Tension"); in mode external he first takes it to auto."""
        block = self.blocks[loop]
        if block.mode == EXTERNAL:
            block.mode = AUTO
        self.moved.append(Moved(at_s=self.time_s, address=f"{loop}.SP_Ext", before=block.sp_op, after=setpoint))
        block.sp_op = setpoint

    def operator_mode(self, loop: str, mode: int) -> None:
        self.blocks[loop].mode = mode

    def operator_permit(self, loop: str, on: bool) -> None:
        self.blocks[loop].ext_permit = on

    # ---- time -------------------------------------------------------------------------------------------------------

    def step(self, dt_s: float = 1.0) -> None:
        """Advance the plant by dt_s, at most 5 s: the PLC's blocks scan once, then physics, then sensors."""
        if not 0.0 < dt_s <= 5.0:
            raise ValueError(f"a step is above 0 and at most 5 s, not {dt_s}")
        self.time_s += dt_s
        while self._moves and self._moves[0].at_s <= self.time_s:
            move = self._moves.pop(0)
            if move.by:
                self.operator_sets(move.loop, self.blocks[move.loop].sp_active + move.by)
            self.operator_mode(move.loop, move.mode)
        self._advance(dt_s)

    def _kept(self, tau_s: float) -> float:
        """What a first-order lag keeps of its state over this step."""
        kept = self._decay.get(tau_s)
        if kept is None:  # eight time constants, once for each change of the step's length
            kept = self._decay[tau_s] = math.exp(-self._decay_dt_s / tau_s)
        return kept

    def _advance(self, dt_s: float) -> None:
        if dt_s != self._decay_dt_s:
            self._decay.clear()
            self._decay_dt_s = dt_s
        if self._noise_at >= NOISE_ROWS:
            self._noise = self._rng.standard_normal((NOISE_ROWS, NOISE_COLUMNS)).tolist()
            self._noise_at = 0
        noise = self._noise[self._noise_at]
        self._noise_at += 1
        self._drive(dt_s)
        friction, supply, open_area = self._bite(noise, dt_s)
        self._vibrate(friction, noise, dt_s)
        self._gauge(supply, noise, dt_s)
        speed_ratio = self.speed_m_per_min / self.physics.speed_ref_m_per_min
        self.furnace.step(self.strip_temp.scan(dt_s), speed_ratio, noise[0], dt_s)
        self._sense(friction, open_area, speed_ratio, noise)
        self._count(dt_s)

    def _drive(self, dt_s: float) -> None:
        physics = self.physics
        seen = self.row[INDEX_VIBRATION]
        factor = self.operator.watch(seen, self.time_s, dt_s) if self.running else 0.0
        wanted = physics.speed_ref_m_per_min * factor
        most = LINE_RATE_M_PER_MIN_S * dt_s
        self.speed_m_per_min += min(max(wanted - self.speed_m_per_min, -most), most)
        kept = self._kept(physics.tension_tau_s)
        self.tension_kn += (self.tension.scan(dt_s) - self.tension_kn) * (1.0 - kept)
        kept = self._kept(physics.emulsion_tau_s)
        self.emulsion_l_per_min += (self.emulsion.scan(dt_s) - self.emulsion_l_per_min) * (1.0 - kept)
        if self.tension_kn > BREAK_KN:
            self.running = False

    def _bite(self, noise: list[float], dt_s: float) -> tuple[float, float, float]:
        """Friction, supply of emulsion as a share of nominal, and the header's open area; moves force and temperatures."""
        physics, plan = self.physics, self.schedule
        ratio = max(self.speed_m_per_min / physics.speed_ref_m_per_min, 0.02)
        open_area = 1.0 - plan.clogged(self.time_s)
        supply = self.emulsion_l_per_min * open_area / NOMINAL_EMULSION_L_PER_MIN
        friction = physics.friction(supply, ratio, self.emulsion_c)
        self._tension_noise = 0.6 * self._tension_noise + 0.16 * noise[1]
        self.force_n = physics.force(friction, self.tension_kn + self._tension_noise, self._radius_m)
        self._radius_m = physics.flattened(self.force_n)  # quasi-static: one turn of Hitchcock's fixed point a step
        load = self.force_n / physics.force_0_n
        heat = load * friction / physics.friction_0 * ratio * 600.0 / max(self.coolant_l_per_min, 100.0)
        warm = self.coolant_c + physics.heating_k * (heat - 1.0) + EMULSION_TEMP_C - COOLANT_TEMP_C
        self.emulsion_c += (warm - self.emulsion_c) * (1.0 - self._kept(600.0))
        self.coolant_c += (COOLANT_TEMP_C - self.coolant_c) * (1.0 - self._kept(200.0)) + 0.02 * noise[2]
        self.coolant_l_per_min += (600.0 - self.coolant_l_per_min) * (1.0 - self._kept(15.0)) + 0.8 * noise[3]
        # Life falls with load cubed and revolutions (ISO 281): wear a second grows alike; beside the scenario's it is slight.
        pace = 2.0e-8 + (plan.wear_per_s if plan.wear_from_s is not None and self.time_s > plan.wear_from_s else 0.0)
        self.wear = min(self.wear + pace * load**3 * ratio * dt_s, 1.0)
        hot = 45.0 + physics.bearing_heat_k * ratio**0.667 * load * (1.0 + 1.5 * self.wear)  # Palmgren: torque with n^(2/3) and load
        self.bearing_c += (hot - self.bearing_c) * (1.0 - self._kept(300.0))
        return friction, supply, open_area

    def _vibrate(self, friction: float, noise: list[float], dt_s: float) -> None:
        physics = self.physics
        ratio = self.speed_m_per_min / physics.speed_ref_m_per_min
        critical = physics.critical_speed(friction, self.tension_kn, self.wear)
        damping = physics.damping_per_s * (1.0 - self.speed_m_per_min / critical)
        shaken = 2.0 * physics.damping_per_s * physics.margin * physics.noise_energy * ratio * ratio
        energy = self.chatter.step(damping, shaken * max(1.0 + 0.35 * noise[4], 0.1) + 1e-6, physics.saturation, dt_s)
        bearing = physics.bearing_mm_per_s * (1.0 + 4.0 * self.wear**1.5) * ratio
        broadband = physics.broadband_mm_per_s * ratio
        self._bearing_mm_per_s = bearing
        self.vibration_mm_per_s = math.sqrt(broadband * broadband + energy + 0.25 * bearing * bearing)

    def _gauge(self, supply: float, noise: list[float], dt_s: float) -> None:
        """Exit thickness off its target: what the gauge control hasn't caught of the mill's stretch, and noise."""
        physics = self.physics
        self._agc_n += (self.force_n - self._agc_n) * (1.0 - self._kept(physics.agc_tau_s))
        stretch_um = (self.force_n - self._agc_n) / MILL_MODULUS_N_PER_M * 1.0e6
        rough = physics.roughness(self.tension_kn, self.emulsion_l_per_min, supply)
        self._rough = 0.7 * self._rough + 0.714 * noise[5]
        printed = 0.35 * self.vibration_mm_per_s * noise[6]
        self.thickness_um = stretch_um + physics.thickness_um * rough * self._rough + printed

    def _sense(self, friction: float, open_area: float, speed_ratio: float, noise: list[float]) -> None:
        """The row as sensors give it: noise, resolution, registers."""
        physics, furnace, row = self.physics, self.furnace, self.row
        at = 0
        pv = (
            round(self.tension_kn + self._tension_noise + 0.05 * noise[7], 2),
            round(self.emulsion_l_per_min + 1.2 * noise[8], 1),
            round(furnace.strip_c + 0.4 * noise[9], 1),
        )
        for block, value in zip((self.tension, self.emulsion, self.strip_temp), pv, strict=True):
            row[at : at + LOOP_PARTS] = (
                block.sp_ext,
                block.sp_active,
                value,
                float(block.mode),
                1.0 if block.ext_permit else 0.0,
                float(block.ext_hb),
                block.sp_op,
            )
            at += LOOP_PARTS
        frozen = self.schedule.vibration_frozen_from_s
        if frozen is None or self.time_s < frozen:
            self._seen_vibration = min(round(self.vibration_mm_per_s * (1.0 + 0.03 * noise[10]), 3), 50.0)
        arm_m = LEVER * math.sqrt(self._radius_m * DRAFT_M)
        torque_nm = 2.0 * self.force_n * arm_m - (self.tension_kn - ENTRY_TENSION_KN) * 1.0e3 * ROLL_RADIUS_M
        current = physics.ampere_per_nm * torque_nm * (1.0 if speed_ratio > 0.01 else 0.0) + 150.0 * speed_ratio
        row[at:FIRST_REGISTER] = (
            round(self.speed_m_per_min * (1.0 + 0.0004 * noise[11]), 1),
            physics.speed_ref_m_per_min,
            1.0 if self.running else 0.0,
            float(self.grade),
            1.0 if self.key_switch else 0.0,
            min(max(round(self.thickness_um + 0.2 * noise[12], 2), -50.0), 50.0),  # the gauge's end of scale
            round(self._defect_rate, 2),
            self._seen_vibration or 0.0,
            round(self.force_n * 1.0e-6 + 0.006 * noise[13], 3),
            round(current + 6.0 * noise[14], 1),
            round(self.bearing_c + 0.15 * noise[15], 1),
            round(self._bearing_mm_per_s * (1.0 + 0.05 * noise[16]), 3),
            round(furnace.zone_c + 0.5 * noise[17], 1),
            round(furnace.fuel_m3_per_h * (1.0 + 0.003 * noise[18]), 1),
        )
        nozzle = self.emulsion_l_per_min / (NOMINAL_EMULSION_L_PER_MIN * open_area)
        wet = (
            physics.header_bar * nozzle * nozzle * (1.0 + 0.008 * noise[19]),  # orifice: Δp with (Q/A)²
            self.emulsion_c + 0.10 * noise[7],
            self.coolant_l_per_min + 1.5 * noise[12],
            self.coolant_c + 0.05 * noise[14],
        )
        for offset, value in enumerate(wet):
            # to_register and from_register written out for scales that begin at 0, as all here do: a third of a step's cost.
            raw_high, high = SCALES[offset]
            raw = round(value * raw_high / high) if value > 0.0 else 0
            self.registers[offset] = raw = raw if raw < raw_high else int(raw_high)
            row[FIRST_REGISTER + offset] = raw * high / raw_high

    def _count(self, dt_s: float) -> None:
        """Counts product by the defect law: the expected number, so that luck favours nobody."""
        per_km = law.defects_per_km(self.vibration_mm_per_s, self.thickness_um, self.furnace.strip_c - STRIP_SP_C)
        self._defect_rate += (per_km - self._defect_rate) * (1.0 - self._kept(10.0))
        metres = self.speed_m_per_min / 60.0 * dt_s
        if abs(self.thickness_um) > law.THICKNESS_TOLERANCE_UM:
            self.metres_off_gauge += metres
            return
        self.metres += metres
        self.defects += per_km * metres * 1.0e-3
        self.tonnes += metres * WIDTH_M * EXIT_M * STEEL_KG_PER_M3 * 1.0e-3

    @property
    def defect_rate_per_km(self) -> float:
        """Surface defects per kilometre of strip within the thickness tolerance; 0 before any was rolled."""
        return self.defects / self.metres * 1000.0 if self.metres else 0.0


SCALES = [(point.scale.raw[1], point.scale.eng[1]) for point in POINTS if point.scale is not None]
INDEX_VIBRATION = INDEX["mill", "Stand4.VibRMS"]
