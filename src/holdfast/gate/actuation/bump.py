"""A bump test made by a person: he moves his own setpoint by a small step, and the process value must follow.

Gain is the process value's change over the setpoint's. The time constant is from the setpoint's first movement to 63.2 % of
the process value's change, so it holds the PLC's own ramp too. Source: Åström and Hägglund, Advanced PID Control (2006), §2.7.
"""

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Word

BEFORE_S = 30.0  # of rest before the step, for the means
HOLD_S = 10.0  # of rest after it
FOLLOWS_MIN = 0.5  # of the setpoint's change
STEP_OFF_MAX = 0.5  # of the stated step
FIRST_ORDER = 1.0 - float(np.exp(-1.0))


class Track(Word, eq=False):
    """One tag's Good values: times (n,) in s, values (n,) in its unit."""

    at_s: NDArray[np.float64]
    values: NDArray[np.float64]

    def mean(self, from_s: float, to_s: float) -> float | None:
        of = self.values[(self.at_s > from_s) & (self.at_s <= to_s)]
        return float(of.mean()) if of.size else None


class Bump(Word):
    """What was seen; numbers are None until they are known. `settled` also says that the test is over."""

    moved_s: float | None = None  # on the tracks' time
    step: float | None = None
    before: float | None = None
    after: float | None = None
    gain: float | None = None
    time_constant_s: float | None = None
    settled: bool = False

    @property
    def follows(self) -> bool:
        return self.gain is not None and self.gain >= FOLLOWS_MIN


def judge(sp: Track, pv: Track, *, began_s: float, now_s: float, quiet: float, within: float) -> Bump:
    """`quiet`: a change of the setpoint up to this is none; `within`: how near the process value must come to it."""
    sp0 = sp.mean(began_s - BEFORE_S, began_s)
    if sp0 is None:
        return Bump()
    moved = (sp.at_s > began_s) & (np.abs(sp.values - sp0) > quiet)
    if not moved.any():
        return Bump()
    moved_s = float(sp.at_s[moved][0])
    rest = sp.values[sp.at_s > now_s - HOLD_S]
    pv0, pv1 = pv.mean(moved_s - BEFORE_S, moved_s - 1e-9), pv.mean(now_s - HOLD_S, now_s)
    if pv0 is None or pv1 is None or not rest.size:
        return Bump(moved_s=moved_s)
    sp1 = float(rest[-1])
    step, change = sp1 - sp0, pv1 - pv0
    if step == 0.0:
        return Bump(moved_s=moved_s, step=0.0, before=pv0, after=pv1)
    early, late = pv.mean(now_s - HOLD_S, now_s - HOLD_S / 2), pv.mean(now_s - HOLD_S / 2, now_s)
    still = early is not None and late is not None and abs(late - early) <= max(0.2 * abs(step), quiet)
    steady = float(rest.max() - rest.min()) <= quiet and now_s - moved_s >= HOLD_S
    past = (pv.at_s >= moved_s) & ((pv.values - pv0) * np.sign(change) >= FIRST_ORDER * abs(change))
    return Bump(
        moved_s=moved_s,
        step=step,
        before=pv0,
        after=pv1,
        gain=change / step,
        time_constant_s=float(pv.at_s[past][0] - moved_s) if past.any() else None,
        settled=steady and still and abs(pv1 - sp1) <= within,
    )
