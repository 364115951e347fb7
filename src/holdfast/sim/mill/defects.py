"""The defect law: how many surface defects a kilometre of strip carries, from vibration, thickness and temperature.

Written before any agent, then left alone; a later change is listed in docs/design/demo-plant.md.

Sources. Chatter marks grow with the vibration that prints them: Yun, Wilson, Ehmann, "Review of chatter studies in cold
rolling", Int. J. Mach. Tools Manufact. 38 (1998) 1499-1530, §1; Roberts, "Cold Rolling of Steel" (1978), ch. 10. The
vibration at which they begin and at which they are plain are tied to the zone limits of ISO 20816-3 (large machines on
rigid foundations: A/B 2.3 mm/s, B/C 4.5 mm/s), so that the law can't be fitted to an agent. The squares and the
counts per kilometre are ours: the literature gives the order of events, not a law.
"""

FLOOR_PER_KM = 0.4  # scale, slivers and rolled-in dirt, which no setpoint moves
MARKS_FROM_MM_PER_S = 2.3  # ISO 20816-3 zone A/B
MARKS_PLAIN_MM_PER_S = 4.5  # ISO 20816-3 zone B/C
MARKS_PLAIN_PER_KM = 5.0
MARKS_MAX_PER_KM = 60.0  # marks closer together than this are counted as one by strip inspection
THICKNESS_TOLERANCE_UM = 8.0  # ±2 % of 0.40 mm, an order's tolerance; strip outside is no product
THICKNESS_PER_KM = 1.0  # at the tolerance: buckles and edge waves
TEMPERATURE_BAND_K = 12.0
TEMPERATURE_PER_KM = 1.0  # at the edge of the band: stickers below, heat buckles above


def defects_per_km(vibration_mm_per_s: float, thickness_dev_um: float, strip_temp_dev_k: float) -> float:
    """Expected surface defects per kilometre of strip; each cause adds, none takes away."""
    over = vibration_mm_per_s - MARKS_FROM_MM_PER_S
    marks = 0.0
    if over > 0.0:
        share = over / (MARKS_PLAIN_MM_PER_S - MARKS_FROM_MM_PER_S)
        marks = min(MARKS_PLAIN_PER_KM * share * share, MARKS_MAX_PER_KM)
    thickness = thickness_dev_um / THICKNESS_TOLERANCE_UM
    temperature = strip_temp_dev_k / TEMPERATURE_BAND_K
    return (
        FLOOR_PER_KM + marks + THICKNESS_PER_KM * min(thickness * thickness, 4.0) + TEMPERATURE_PER_KM * min(temperature * temperature, 4.0)
    )
