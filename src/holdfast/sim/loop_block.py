"""The Python twin of plc/HF_Loop.st: same inputs, same outputs, held to the same table of cases.

`LoopBlock` keeps the Structured Text's rules and order of statements; where the two differ, the text is right.
"""

MANUAL, AUTO, EXTERNAL = 0, 1, 2
NUMBER_MAX = 1.0e30


class LoopBlock:
    """One instance of the block. Setpoints are in the loop's unit, times in seconds."""

    __slots__ = (
        "_hb_age_s",
        "_hb_last",
        "_started",
        "ext_hb",
        "ext_permit",
        "ext_selected",
        "hb_fresh",
        "hb_timeout_s",
        "loss_ramp",
        "mode",
        "param_ok",
        "sp_active",
        "sp_ext",
        "sp_fallback",
        "sp_max",
        "sp_min",
        "sp_op",
        "sp_rate_per_s",
    )

    def __init__(
        self,
        *,
        sp_op: float,
        sp_min: float,
        sp_max: float,
        sp_rate_per_s: float,
        mode: int = AUTO,
        hb_timeout_s: float = 5.0,
        loss_ramp: bool = False,
        sp_fallback: float = 0.0,
    ) -> None:
        self.mode = mode
        self.ext_permit = False
        self.ext_hb = 0
        self.sp_min, self.sp_max, self.sp_rate_per_s = sp_min, sp_max, sp_rate_per_s
        self.hb_timeout_s = hb_timeout_s
        self.loss_ramp, self.sp_fallback = loss_ramp, sp_fallback
        self.sp_op = sp_op
        self.sp_ext = sp_op
        self.sp_active = 0.0
        self.ext_selected = self.hb_fresh = self.param_ok = False
        self._started = False
        self._hb_last = 0
        self._hb_age_s = 0.0

    def scan(self, cycle_s: float) -> float:
        """One scan; returns the active setpoint."""
        low, high = self.sp_min, self.sp_max
        ok = self.param_ok = low <= high and self.sp_rate_per_s > 0.0 and cycle_s > 0.0
        self._heartbeat(cycle_s)
        active = self.sp_active
        external = self.mode == EXTERNAL
        selected = self.ext_selected = external and self.ext_permit and self.hb_fresh and ok and -NUMBER_MAX < self.sp_ext < NUMBER_MAX
        target = active
        if external:
            if selected:
                target = self.sp_ext
            elif self.loss_ramp:
                target = self.sp_fallback
        elif -NUMBER_MAX < self.sp_op < NUMBER_MAX:
            target = self.sp_op
        if ok:
            target = low if target < low else high if target > high else target
            most = self.sp_rate_per_s * cycle_s
            move = target - active
            self.sp_active = active = active + (most if move > most else -most if move < -most else move)
        if external:
            self.sp_op = active
        if not selected:
            self.sp_ext = active
        return active

    def _heartbeat(self, cycle_s: float) -> None:
        if not self._started:
            self._started = True
            self._hb_last = self.ext_hb
            self._hb_age_s = self.hb_timeout_s + cycle_s
            self.sp_active = min(max(self.sp_op, self.sp_min), self.sp_max)
        elif self.ext_hb != self._hb_last:
            self._hb_last = self.ext_hb
            self._hb_age_s = 0.0
        else:
            self._hb_age_s = min(self._hb_age_s + cycle_s, self.hb_timeout_s + cycle_s)
        self.hb_fresh = self._hb_age_s <= self.hb_timeout_s
