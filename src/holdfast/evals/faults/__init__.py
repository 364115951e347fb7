"""`eval faults`: connectors over servers that freeze, die, tear an answer in two, refuse, forget requests, and number namespaces anew.

Each scene: the connector under the gate's own supervisor (`connectors.keep`) reads a server that is not our code, in a process of its
own, through a proxy; then the fault. Every row is judged as it comes: no value that the server can't have held, no Good row later than
the connector's own limit on silence, no time without rows that `seq` doesn't tell, and Good rows again within five seconds of the server.
Last, one connector goes through as many torn connections as were asked for, and memory, descriptors and tasks must stay flat.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from holdfast.evals.faults import cycles, scenes
from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.suites import Figures, Options

CYCLES = 200


def run(options: Options) -> Figures:
    figures: dict[str, Any] = {}
    passed: list[bool] = []
    todo: list[tuple[str, Callable[[], Coroutine[Any, Any, dict[str, Any]]]]] = [
        *((f"{kind}: {fault}", lambda kind=kind, fault=fault: scenes.scene(kind, fault, options.seed)) for kind, fault in scenes.ALL),
        *((f"{kind}: memory", lambda kind=kind: cycles.cycled(kind, options.seed, options.n or CYCLES)) for kind in scenes.KINDS),
    ]
    for done, (name, part) in enumerate(todo):
        options.progress(done / len(todo), name)
        try:
            found = uvloop.run(part())
        except NoPeer as error:
            found = {"skipped": str(error), "pass": False}
        figures[name] = found
        options.answer(name, found)
        passed.append(bool(found["pass"]))
    return Figures(name="faults", seed=options.seed, figures=figures, pass_=all(passed))
