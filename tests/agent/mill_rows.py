"""The demo mill's site with a short quiet stretch, and what it reads when all is well."""

import dataclasses
from pathlib import Path

import holdfast.sim.mill
from holdfast.site.load import load
from holdfast.site.model import Site

QUIET_ROWS = 600

VALUES = {
    "line/speed": 800.0,
    "line/speed_ref": 800.0,
    "line/state": 1.0,
    "line/grade": 0.0,
    "stand-4/vibration": 2.0,
    "stand-4/force": 8.0,
    "stand-4/current": 900.0,
    "stand-4/bearing_temp": 55.0,
    "stand-4/bearing_vib": 1.0,
    "stand-4/lube_pressure": 4.0,
    "stand-4/lube_temp": 50.0,
    "stand-4/coolant_flow": 600.0,
    "stand-4/coolant_temp": 35.0,
    "stand-4/tension.sp": 100.0,
    "stand-4/tension.sp_now": 100.0,
    "stand-4/tension.pv": 100.0,
    "stand-4/tension.mode": 2.0,
    "stand-4/tension.permit": 1.0,
    "stand-4/emulsion.sp": 300.0,
    "stand-4/emulsion.sp_now": 300.0,
    "stand-4/emulsion.pv": 300.0,
    "stand-4/emulsion.mode": 2.0,
    "stand-4/emulsion.permit": 1.0,
}
SETTINGS = ("sp", "sp_now", "mode", "permit", "state", "grade", "speed_ref")
MEASURED = [name for name in VALUES if name.split("/")[1].split(".")[-1] not in SETTINGS]
NOISE = {name: 0.01 * VALUES[name] for name in MEASURED} | {"line/thickness_dev": 1.0}


def site() -> Site:
    path = Path(holdfast.sim.mill.__file__).parent / "site.yaml"
    loaded = load(path).site
    spec = dataclasses.replace(loaded.perception[0], quiet_rows=QUIET_ROWS, limit=3.0)
    return dataclasses.replace(loaded, perception=(spec,))
