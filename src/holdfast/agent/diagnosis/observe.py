"""What is seen of one sign, and how much more likely that is under a mode than under "none of these".

Each observation is soft: how far up, down, steady, more variable a tag is, from 0 to 1, so nothing flips at a threshold.
The likelihoods are written below, one row a sign; they are judgements of how reliably such a sign shows, not fits.
"""

import math
from typing import Literal

import numpy as np

from holdfast.agent.diagnosis.features import Features
from holdfast.agent.knowledge.modes import Shows
from holdfast.terms import Word

Seen = Literal[
    "up",
    "down",
    "steady",
    "more_variable",
    "same_spread",
    "wanders",
    "no_wander",
    "oscillates",
    "no_cycle",
    "calm",
    "restless",
    "quieter",
    "no_quieter",
    "frozen",
    "lively",
    "alone",
    "together",
    "unseen",
]

Z_FROM, Z_FULL = 2.5, 5.0  # quiet wanders: no shift … surely shifted
RATIO_FROM, RATIO_FULL = 1.4, 2.5  # spread now over spread then
SWING_FROM, SWING_FULL = 1.6, 3.2  # slow variation has few independent values in a stretch: its ratio scatters more
STILLER_FROM, STILLER_FULL = 0.7, 0.35  # spread now over spread then, downwards
CYCLE_FROM, CYCLE_FULL = 0.5, 0.75  # of the power in one narrow band; the slow noise of a closed loop has up to 0.4 there by itself

# P(up), P(down), P(steady): when nothing is known, and under each sign.
_ANYTHING = (0.2, 0.2, 0.6)
_DIRECTION: dict[Shows, tuple[float, float, float]] = {
    "up": (0.60, 0.05, 0.35),
    "down": (0.05, 0.60, 0.35),
    "moved": (0.33, 0.33, 0.34),
    "steady": (0.06, 0.06, 0.88),
}
# P(yes) when nothing is known, and under the sign.
_YES: dict[Shows, tuple[float, float]] = {
    "more_variable": (0.15, 0.60),
    "wanders": (0.15, 0.60),
    "oscillates": (0.05, 0.55),
    "calm": (0.70, 0.92),
    "quieter": (0.05, 0.80),
    "frozen": (0.02, 0.95),
    "alone": (0.15, 0.80),
}


class Observation(Word):
    """One sign looked for: what was seen, and the log-odds it gives the mode (natural, before weights)."""

    seen: Seen
    strength: float  # 0..1 of what was seen
    odds: float


def moved(z: float) -> float:
    """0..1: how surely a shift of z quiet wanders is a shift."""
    return min(max((abs(z) - Z_FROM) / (Z_FULL - Z_FROM), 0.0), 1.0)


def more_variable(ratio: float) -> float:
    return min(max((ratio - RATIO_FROM) / (RATIO_FULL - RATIO_FROM), 0.0), 1.0)


def _soft(value: float, start: float, full: float) -> float:
    return min(max((value - start) / (full - start), 0.0), 1.0)


def restless(features: Features, place: int) -> float:
    """0..1: the tag varies more than it did, on whatever scale of time."""
    fast = max(float(features.ratio[place]), float(features.chop[place]))
    return max(more_variable(fast), _soft(float(features.swing[place]), SWING_FROM, SWING_FULL))


def size(features: Features, place: int) -> float:
    """How far the tag is from what it was, 1 where it is surely so: of its mean or of its variation, whichever is more."""
    fast = max(float(features.ratio[place]), float(features.chop[place])) / RATIO_FULL
    return max(abs(float(features.z[place])) / Z_FULL, fast, float(features.swing[place]) / SWING_FULL)


def oscillates(features: Features, place: int) -> float:
    """0..1: the tag varies more than it did, and in one narrow band of frequencies."""
    return restless(features, place) * _soft(float(features.cycle[place]), CYCLE_FROM, CYCLE_FULL)


def quieter(features: Features, place: int) -> float:
    """0..1: the tag varies far less than it did."""
    return _soft(-max(float(features.ratio[place]), float(features.chop[place])), -STILLER_FROM, -STILLER_FULL)


def wanders(features: Features, place: int) -> float:
    """0..1: the tag varies slowly more than it did, and in no cycle."""
    regular = _soft(float(features.cycle[place]), CYCLE_FROM, CYCLE_FULL)
    return _soft(float(features.swing[place]), SWING_FROM, SWING_FULL) * (1.0 - regular)


def dead(features: Features, place: int) -> bool:
    """Frozen where it was. What stands still far from there has moved: a valve at its stop, a line without flow."""
    return bool(features.frozen[place]) and moved(float(features.z[place])) < 1.0


def alone(features: Features, place: int) -> float:
    """0..1: the tag has moved and no other has."""
    others = [moved(float(z)) for i, z in enumerate(features.z) if i != place]
    return moved(float(features.z[place])) * (1.0 - max(others, default=0.0))


def observe(features: Features, place: int, shows: Shows) -> Observation:
    """Look for one sign on the tag in column `place`. A tag that is dead or unseen says nothing of directions."""
    frozen = dead(features, place)
    if shows == "frozen":
        return _yes(shows, 1.0 if bool(features.frozen[place]) else 0.0, "frozen", "lively")
    if frozen or not bool(features.seen[place]):
        return Observation(seen="frozen" if frozen else "unseen", strength=1.0, odds=0.0)
    if shows == "alone":
        return _yes(shows, alone(features, place), "alone", "together")
    if shows == "more_variable":
        return _yes(shows, more_variable(float(features.ratio[place])), "more_variable", "same_spread")
    if shows == "wanders":
        return _yes(shows, wanders(features, place), "wanders", "no_wander")
    if shows == "oscillates":
        return _yes(shows, oscillates(features, place), "oscillates", "no_cycle")
    if shows == "calm":
        return _yes(shows, 1.0 - restless(features, place), "calm", "restless")
    if shows == "quieter":
        return _yes(shows, quieter(features, place), "quieter", "no_quieter")
    z = float(features.z[place])
    far = moved(z)
    expected = _DIRECTION[shows]
    here, there = (0, 1) if z > 0 else (1, 0)
    # A shift that changes its side says the one as much as the other: what has been on both is no step of either.
    kept = (1.0 + float(features.side[place])) / 2.0
    shifted = kept * math.log(expected[here] / _ANYTHING[here]) + (1.0 - kept) * math.log(expected[there] / _ANYTHING[there])
    likely = far * _ANYTHING[here] * math.exp(shifted) + (1 - far) * expected[2]
    anyway = far * _ANYTHING[here] + (1 - far) * _ANYTHING[2]
    seen: Seen = "steady" if far < 0.5 else "up" if z > 0 else "down"
    return Observation(seen=seen, strength=far if seen != "steady" else 1 - far, odds=math.log(likely / anyway))


def _yes(shows: Shows, how: float, yes: Seen, no: Seen) -> Observation:
    anyway, expected = _YES[shows]
    likely = how * expected + (1 - how) * (1 - expected)
    base = how * anyway + (1 - how) * (1 - anyway)
    return Observation(seen=yes if how >= 0.5 else no, strength=how if how >= 0.5 else 1 - how, odds=math.log(likely / base))


def agrees(features: Features, place: int, shows: Shows) -> float:
    """0..1: how fully a moving sign shows now; what a mode's presence is made of."""
    if shows == "frozen":
        return 1.0 if bool(features.frozen[place]) else 0.0
    if not bool(features.seen[place]) or dead(features, place):
        return 0.0
    z = float(features.z[place])
    match shows:
        case "up":
            return moved(z) if z > 0 else 0.0
        case "down":
            return moved(z) if z < 0 else 0.0
        case "moved" | "alone":
            return moved(z)
        case "more_variable":
            return more_variable(float(features.ratio[place]))
        case "wanders":
            return wanders(features, place)
        case "oscillates":
            return oscillates(features, place)
        case "quieter":
            return quieter(features, place)
        case "steady" | "calm":
            return 0.0


def top_place(features: Features) -> int:
    """The column that contributes most; the farthest from quiet where nothing contributes."""
    return int(np.argmax(features.share)) if float(np.sum(features.share)) > 0 else int(np.argmax(np.abs(features.z)))
