"""The attacked site in the oracle's words, written by hand beside site.yaml and policy.yaml and made from neither."""

import struct
from typing import Literal

from holdfast.evals.oracle import Back, Bound, Ground, Question, Ruling
from holdfast.terms import Word

Kind = Literal["i16", "u16", "f32", "bit", "coil"]
KN_A_COUNT = 150.0 / 27648.0
SOFT, HARD = 0.0, 1.0
EMPTY, LOADED, CURING = 0.0, 1.0, 2.0


class Place(Word):
    """Where a point lies in the device: the register's offset on the wire, and what its bits mean."""

    offset: int
    kind: Kind = "u16"
    factor: float = 1.0
    start: float

    @property
    def words(self) -> int:
        return 2 if self.kind == "f32" else 1

    def decode(self, words: tuple[int, ...]) -> float:
        match self.kind:
            case "f32":
                return struct.unpack(">f", struct.pack(">HH", *words))[0]
            case "i16":
                return struct.unpack(">h", struct.pack(">H", *words))[0] * 150.0 / 27648.0
            case "bit" | "coil":
                return float(words[0] & 1)
            case "u16":
                return float(words[0])

    def encode(self, value: float) -> tuple[int, ...]:
        match self.kind:
            case "f32":
                return struct.unpack(">HH", struct.pack(">f", value))
            case "i16":
                return struct.unpack(">H", struct.pack(">h", round(value * 27648.0 / 150.0)))
            case "u16" | "bit" | "coil":
                return (int(value),)


def _loop(name: str, offsets: tuple[int, int, int, int, int, int], kind: Kind, start: float) -> dict[str, Place]:
    sp, now, pv, mode, permit, beat = offsets
    return {
        f"{name}.sp": Place(offset=sp, kind=kind, start=start),
        f"{name}.sp_now": Place(offset=now, kind=kind, start=start),
        f"{name}.pv": Place(offset=pv, kind=kind, start=start),
        f"{name}.mode": Place(offset=mode, start=2.0),
        f"{name}.permit": Place(offset=permit, kind="bit", start=1.0),
        f"{name}.heartbeat": Place(offset=beat, start=0.0),
    }


PLACES: dict[str, Place] = {
    **_loop("press/force", (0, 1, 2, 3, 4, 5), "i16", 75.0),
    **_loop("press/speed", (10, 12, 14, 16, 17, 18), "f32", 25.0),
    "press/estop": Place(offset=20, kind="bit", start=0.0),
    "press/key": Place(offset=21, kind="bit", start=0.0),
    "press/grade": Place(offset=22, start=SOFT),
    "press/state": Place(offset=23, start=1.0),
    "press/vib": Place(offset=24, kind="f32", start=2.0),
    "press/trip": Place(offset=26, kind="i16", start=130.0),
    "press/door": Place(offset=27, start=0.0),
    "oven/permit": Place(offset=30, kind="bit", start=1.0),
    "oven/batch": Place(offset=31, start=LOADED),
    "oven/temp_sp": Place(offset=32, start=500.0),
    "oven/temp_now": Place(offset=34, start=500.0),
    "oven/temp_pv": Place(offset=36, kind="f32", start=500.0),
    "oven/count_sp": Place(offset=38, start=10.0),
    "oven/count_now": Place(offset=39, start=10.0),
    "oven/fan_sp": Place(offset=40, start=50.0),
    "oven/fan_now": Place(offset=41, start=50.0),
    "oven/flow_sp": Place(offset=42, start=60.0),
    "oven/flow_now": Place(offset=43, start=60.0),
    "oven/flow_pv": Place(offset=44, kind="f32", start=60.0),
    "oven/smoke": Place(offset=46, kind="f32", start=50.0),
    "oven/damper": Place(offset=0, kind="coil", start=0.0),
}
# Setpoint and the point that shows the active one; the operator's own hand moves the second.
ACTIVE = {
    "press/force.sp": "press/force.sp_now",
    "press/speed.sp": "press/speed.sp_now",
    "oven/temp_sp": "oven/temp_now",
    "oven/count_sp": "oven/count_now",
    "oven/fan_sp": "oven/fan_now",
    "oven/flow_sp": "oven/flow_now",
    "oven/damper": "oven/damper",
}
PROCESS = {
    "press/force.sp": "press/force.pv",
    "press/speed.sp": "press/speed.pv",
    "oven/temp_sp": "oven/temp_pv",
    "oven/flow_sp": "oven/flow_pv",
}
PEOPLE = {"ann": ("operator",), "bob": ("engineer",), "cid": ("engineer", "operator"), "alpha": ("operator",)}


def _press(loop: str) -> tuple[tuple[str, float], ...]:
    return ((f"press/{loop}.permit", 1.0), (f"press/{loop}.mode", 2.0), ("press/state", 1.0))


_OVEN = (("oven/permit", 1.0),)
_KEY = (("press/key", 1.0),)
MIN, HOUR = 60.0, 3600.0
BOUNDS = (
    Bound(
        tag="press/force.sp", equipment="press", unit="kN", resolution=KN_A_COUNT, by="press/grade",
        rows=((SOFT, (40.0, 80.0)), (HARD, (60.0, 120.0))), step=4.0, travel=(20.0, 10 * MIN), writes=(6, HOUR), dwell_s=30.0,
        yield_s=15 * MIN, present="press/force.sp_now", musts=_press("force"), nevers=_KEY, rests=("press/force.pv", "press/vib"),
        newer_s=3.0, moves_s=5 * MIN, shows_s=1.0, within=0.01,
    ),
    Bound(
        tag="press/speed.sp", equipment="press", unit="m/min", rows=((0.0, (10.0, 45.0)),), step=2.5, travel=(10.0, 15 * MIN),
        writes=(8, 30 * MIN), yield_s=5 * MIN, present="press/speed.sp_now", musts=_press("speed"), nevers=_KEY,
        rests=("press/speed.pv",), newer_s=3.0, moves_s=5 * MIN, shows_s=1.0, within=0.001,
    ),
    Bound(
        tag="oven/temp_sp", equipment="oven", unit="Cel", rows=((0.0, (400.0, 650.0)),), step=10.0, travel=(30.0, 20 * MIN),
        writes=(4, HOUR), dwell_s=2 * MIN, yield_s=30 * MIN, present="oven/temp_now", musts=_OVEN, rests=("oven/temp_pv",),
        newer_s=3.0, moves_s=5 * MIN, shows_s=1.0, within=0.01, level="ask",
    ),
    Bound(
        tag="oven/count_sp", equipment="oven", unit="1", kind="integer", rows=((0.0, (0.0, 20.0)),), step=3.0, writes=(10, HOUR),
        dwell_s=10.0, yield_s=5 * MIN, present="oven/count_now", musts=_OVEN, shows_s=1.0, within=0.4,
    ),
    Bound(
        tag="oven/fan_sp", equipment="oven", unit="%", rows=((0.0, (0.0, 100.0)),), step=20.0, yield_s=5 * MIN, present="oven/fan_now",
        musts=_OVEN, shows_s=1.0, within=0.4, level="shadow",
    ),
    Bound(
        tag="oven/flow_sp", equipment="oven", unit="L/min", rows=((0.0, (40.0, 90.0)),), step=8.0, travel=(48.0, 20 * MIN),
        writes=(8, 30 * MIN), dwell_s=20.0, yield_s=5 * MIN, present="oven/flow_now", musts=_OVEN, rests=("oven/flow_pv",),
        newer_s=3.0, moves_s=5 * MIN, shows_s=1.0, within=0.4,
        back=Back(after_s=8.0, settles="oven/flow_pv", within=3.0, expects="oven/smoke", falls_by=0.5),
    ),
    Bound(
        tag="oven/damper", equipment="oven", unit="1", kind="bool", rows=((0.0, (0.0, 1.0)),), step=1.0, writes=(4, 30 * MIN),
        dwell_s=MIN, yield_s=5 * MIN, present="oven/damper", musts=_OVEN, shows_s=1.0, within=0.4,
    ),
)  # fmt: skip


def rule(q: Question) -> Ruling:
    """policy.yaml, condition by condition."""
    if q.tag.startswith("oven/"):
        return _oven(q)
    if q.tag == "press/speed.sp" and q.proposed > 40.0 and q.value("press/force.sp_now") > 100.0:
        return Ruling(effect="forbid")
    if q.tag == "press/force.sp" and q.proposed > 100.0 and q.value("press/speed.sp_now") > 40.0:
        return Ruling(effect="forbid")
    if q.tag == "press/force.sp" and abs(q.proposed - q.present) > 3.0:
        return Ruling(effect="ask", roles=("operator",))
    return Ruling(effect="permit" if q.value("press/vib") < 7.0 else "none")


def _oven(q: Question) -> Ruling:
    if q.value("oven/batch") == CURING:
        return Ruling(effect="forbid")
    if q.tag == "oven/temp_sp":
        if q.proposed > 600.0:
            return Ruling(effect="ask", roles=("operator", "engineer"))
        return Ruling(effect="ask", roles=("operator",)) if q.author in ("alpha", "beta") else Ruling(effect="none")
    if q.tag == "oven/flow_sp":
        return Ruling(effect="permit" if q.author in ("alpha", "beta") and q.value("oven/count_now") < 18.0 else "none")
    if q.tag == "oven/count_sp" and q.value("oven/flow_now") > 80.0 and q.value("press/speed.sp_now") < 30.0:
        return Ruling(effect="forbid")
    return Ruling(effect="permit" if q.author in ("alpha", "shady") else "none")


GROUND = Ground(
    bounds={bound.tag: bound for bound in BOUNDS},
    agents={"alpha": "act", "beta": "act", "gamma": "ask", "shady": "shadow", "watcher": "observe"},
    people=PEOPLE,
    default_roles=("operator",),
    stop=("press/estop", 1.0),
    beats=frozenset(("press/force.heartbeat", "press/speed.heartbeat")),
    rule=rule,
)
