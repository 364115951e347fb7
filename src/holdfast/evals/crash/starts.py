"""A gate started on a folder and nothing else: no device answers, nobody asks. For looking at what a start makes of it."""

import contextlib
from collections.abc import Generator
from functools import cache
from pathlib import Path

from holdfast.clock import RealClock
from holdfast.evals.crash.life import CHEAP
from holdfast.gate.connectors.modbus import Modbus
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.gate.process import open_gate
from holdfast.site.load import load
from holdfast.site.model import Site

PORT = 9  # nothing connects


@cache
def site() -> Site:
    return load(Path(__file__).with_name("site.yaml")).site


@contextlib.contextmanager
def started(folder: Path) -> Generator[Gatekeeper]:
    """Raises as `open_gate`."""
    clock = RealClock()
    plant = Modbus(name="plant", host="127.0.0.1", port=PORT, clock=clock, timeout_s=0.5, direct=True)
    gate, _ = open_gate(site(), folder, clock, {"plant": plant}, durable=False, cost=CHEAP)
    try:
        gate.start(clock="crash")
        yield gate
    finally:
        gate.close()
