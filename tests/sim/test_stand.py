"""The stand's relations: what is known by hand or in closed form, on nominal and on varied coefficients."""

import math

import pytest

from holdfast.sim.mill.stand import DRAFT_M, ROLL_RADIUS_M, Chatter, Physics


@pytest.fixture(params=[1, 2, 3, 4, 5])
def physics(request: pytest.FixtureRequest) -> Physics:
    return Physics(request.param)


def test_the_threshold_speed_falls_with_wear_and_lost_lubrication_and_rises_with_tension(physics: Physics) -> None:
    friction = physics.friction(1.0, 1.0, 50.0)
    starved = physics.friction(0.6, 1.0, 50.0)
    usual = physics.critical_speed(friction, 100.0, 0.05)
    assert starved > friction
    assert physics.critical_speed(starved, 100.0, 0.05) < usual
    assert physics.critical_speed(friction, 100.0, 0.8) < usual
    assert physics.critical_speed(friction, 110.0, 0.05) > usual


def test_more_emulsion_helps_less_and_less(physics: Physics) -> None:
    less, usual, more = (physics.friction(supply, 1.0, 50.0) for supply in (0.8, 1.0, 1.2))
    assert less - usual > usual - more > 0.0


def test_roll_force_is_bland_and_fords_in_hills_form() -> None:
    physics = Physics(1)
    physics.flow_stress_pa = 700.0e6
    # Entry 80 kN over 0.6 mm² a mm: 133.33 MPa, exit 100 kN over 0.4: 250 MPa, mean 191.67 MPa. Arc √(0.25 · 0.2e-3) = 7.0711 mm.
    # Multiplier: 1.08 + 1.79/3 · √(2/3) · 0.04 · √(0.25/0.6e-3) − 0.34 = 1.08 + 0.39778 − 0.34 = 1.13778.
    assert physics.force(0.04, 100.0, 0.25) == pytest.approx(508.333e6 * 7.07107e-3 * 1.13778, rel=1e-4)


def test_the_flattened_roll_is_hitchcocks() -> None:
    physics = Physics(1)
    # C = 16 · 0.91 / (π · 2.1e11) = 2.20694e-11 m²/N; 4 MN over 1 m · 0.2 mm: 2e10 N/m², so R' = 0.25 · 1.441388.
    assert physics.flattened(4.0e6) == pytest.approx(0.360347, rel=1e-5)
    settled = physics.settled_force(physics.friction_0, 100.0)
    again = physics.force(physics.friction_0, 100.0, physics.flattened(settled))
    assert again == pytest.approx(settled, rel=1e-4)
    assert physics.flattened(settled) > ROLL_RADIUS_M
    assert pytest.approx(0.2e-3) == DRAFT_M


def test_noise_below_the_threshold_settles_at_n_over_two_sigma() -> None:
    mode = Chatter(0.0)
    for _ in range(200):
        mode.step(0.5, 2.0, 1e-9, 1.0)
    assert mode.energy == pytest.approx(2.0)


def test_vibration_grows_as_one_over_the_root_of_damping_near_the_threshold() -> None:
    levels: list[float] = []
    for damping in (0.4, 0.1):
        mode = Chatter(1.0)
        for _ in range(500):
            mode.step(damping, 1.0, 1e-9, 1.0)
        levels.append(math.sqrt(mode.energy))
    assert levels[1] / levels[0] == pytest.approx(2.0, rel=1e-3)


def test_beyond_the_threshold_it_grows_exponentially_to_the_limit_cycle() -> None:
    mode = Chatter(0.01)
    grown = mode.step(-0.1, 1e-9, 1e-6, 1.0) / 0.01
    assert grown == pytest.approx(math.exp(0.2), rel=1e-3)
    for _ in range(200):
        mode.step(-0.1, 1e-9, 0.001, 1.0)
    assert mode.energy == pytest.approx(100.0)  # −σ/β


@pytest.mark.parametrize("damping", [-0.3, -1e-9, 0.0, 1e-9, 0.3, 10.0])
def test_one_long_step_is_the_same_as_many_short_ones(damping: float) -> None:
    long, short = Chatter(3.0), Chatter(3.0)
    long.step(damping, 0.8, 0.001, 1.0)
    for _ in range(20_000):  # explicit Euler: an independent way to the same number
        energy = short.energy
        short.energy = energy + (0.8 - 2.0 * damping * energy - 0.002 * energy * energy) * 5e-5
    assert long.energy == pytest.approx(short.energy, rel=2e-3)


def test_coefficients_stay_within_a_fifth_of_nominal_and_follow_the_seed() -> None:
    films = [Physics(seed).film for seed in range(40)]
    assert all(1.30 * 0.8 <= film <= 1.30 * 1.2 for film in films)
    assert len(set(films)) == 40
    assert Physics(7).film == films[7]
