"""`bench connect`: what a value costs through our connectors and through the usual clients, against one server that is not our code.

Side by side in one run, in turns, in one process (other languages' clients in their own): CPU of the client alone, user and system,
by the process's own clock. All Python clients run on uvloop. A part whose peer can't be had is told as
skipped, and then the bench has not passed.
"""

import os
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from holdfast.evals.bench.connect import modbus, mqtt, opcua, s7
from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.suites import Figures, Options

_PARTS: tuple[tuple[str, Callable[[int], Coroutine[Any, Any, dict[str, Any]]]], ...] = (
    ("opcua", opcua.measured),
    ("modbus", modbus.measured),
    ("mqtt", mqtt.measured),
    ("s7", s7.measured),
)
ROUNDS = 3


def run(options: Options) -> Figures:
    figures: dict[str, Any] = {"load_before": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
    passed: list[bool] = []
    for done, (name, measured) in enumerate(_PARTS):
        options.progress(done / len(_PARTS), name)
        try:
            part = uvloop.run(measured(options.n or ROUNDS))
        except NoPeer as error:
            part = {"skipped": str(error)}
        figures[name] = part
        passed.append(bool(part.get("pass", False)))
    return Figures(name="connect", seed=options.seed, figures=figures, pass_=all(passed))
