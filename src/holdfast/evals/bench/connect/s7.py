"""S7: the time of a write that is read back, beside python-snap7's bare write.

The CPU is the C++ Snap7 server. Ours is a connector's whole `write` and the `read` of the same tag after it, over the event loop; theirs is
`db_write` of the same bytes, called straight in this thread, and nothing read. CPU and clients share one core.
"""

import importlib.util
import struct
import time
from typing import Any

from holdfast.evals.bench.connect.one_core import one_core
from holdfast.evals.bench.quantiles import spread
from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.snap7 import Plc
from holdfast.gate.connectors.s7 import S7
from holdfast.terms import Tag

WRITES, TURNS = 50, 20  # a round
BARE_MAX = 2.5
TIMEOUT_S = 3.0
FORCE = Tag(name="force", connection="press", address="DB10.DBD4:REAL", unit="1", writable=True)


async def measured(rounds: int) -> dict[str, Any]:
    """Raises NoPeer."""
    if importlib.util.find_spec("snap7") is None:
        raise NoPeer("python-snap7 is not installed; it is measured beside: pip install python-snap7")
    from snap7.client import Client

    mine: list[int] = []
    bare: list[int] = []
    with one_core(), Plc() as plc:
        press = S7(name="press", host="127.0.0.1", port=plc.port)
        await press.connect()
        rival = Client()
        rival.connect("127.0.0.1", 0, 2, plc.port)
        for _ in range(rounds * TURNS):
            for n in range(WRITES):
                begun_ns = time.perf_counter_ns()
                rival.db_write(10, 8, bytearray(struct.pack(">f", n)))
                bare.append(time.perf_counter_ns() - begun_ns)
            for n in range(WRITES):
                begun_ns = time.perf_counter_ns()
                said = await press.write(FORCE, n, timeout_s=TIMEOUT_S)
                (sample,) = await press.read([FORCE])
                mine.append(time.perf_counter_ns() - begun_ns)
                if said != "acked" or sample.value != n:
                    raise NoPeer(f"Snap7's server answered a write of {n} so that it is {said} and reads {sample.value}")
        rival.disconnect()
        await press.close()
    return judged(mine, bare)


def judged(mine_ns: list[int], bare_ns: list[int]) -> dict[str, Any]:
    ours, theirs = spread(mine_ns, unit_ns=1e3), spread(bare_ns, unit_ns=1e3)
    ratio = (ours["p50"] or 0.0) / (theirs["p50"] or 1.0)
    return {
        "write_and_read_us": ours,
        "bare_write_us": theirs,
        "p50_to_bare": round(ratio, 3),
        "aim": {"p50_to_bare_max": BARE_MAX},
        "pass": ratio <= BARE_MAX,
    }
