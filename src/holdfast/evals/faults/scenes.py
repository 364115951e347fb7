"""One fault, one connector, one server: what the rows showed, and how soon they were Good again."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from holdfast.clock import RealClock
from holdfast.evals.faults.proxy import Proxy, modbus_frame, opcua_frame, s7_frame
from holdfast.evals.faults.watch import Watch
from holdfast.evals.peers.modbus import Device
from holdfast.evals.peers.opcua import DECOY, URI, NodePlant
from holdfast.evals.peers.snap7 import Cpu
from holdfast.gate.connectors.keep import BACKOFF_S_MIN, keep
from holdfast.gate.connectors.modbus import Modbus
from holdfast.gate.connectors.opcua import OpcUa
from holdfast.gate.connectors.opcua.offered import offered
from holdfast.gate.connectors.s7 import S7
from holdfast.ports import Connector
from holdfast.terms import Tag, TagTable, Word

Kind = Literal["opcua", "modbus", "s7"]
Fault = Literal["freeze", "kill", "tear", "lose requests", "other namespace order", "certificate refused"]
KINDS: tuple[Kind, ...] = ("opcua", "modbus", "s7")
_ANY: tuple[Fault, ...] = ("freeze", "kill", "tear", "lose requests")
ALL: tuple[tuple[Kind, Fault], ...] = (
    *(("opcua", fault) for fault in (*_ANY, "other namespace order", "certificate refused")),
    *(("modbus", fault) for fault in _ANY),
    *(("s7", fault) for fault in _ANY),
)
BACK_S_MAX = 5.0  # from the server to the first Good row
LIMIT_S = 30.0  # give up waiting
FREEZE_S, DOWN_S, LOSE_S, LOSE_SHARE = 6.0, 2.0, 15.0, 0.1
ITEMS, PERIOD_S = 50, 0.1
# OPC UA: three seconds without data or keep-alive. Modbus and S7: one for an answer. And one for the machine's other work.
_SILENT_S_MAX: dict[Kind, float] = {"opcua": 4.0, "modbus": 2.0, "s7": 2.0}
Server = NodePlant | Device | Cpu


class Stage(Word):
    """What a scene plays on."""

    server: Server
    proxy: Proxy
    watch: Watch
    folder: Path


async def scene(kind: Kind, fault: Fault, seed: int, on: Server | None = None) -> dict[str, Any]:
    """`on`: a server that runs already, made as `server_of` makes it, for a fault that leaves it running. Raises NoPeer."""
    async with stage(kind, seed, secure=fault == "certificate refused", on=on) as played:
        watch = played.watch
        if fault == "certificate refused":
            back_s = await _refused(played)
        else:
            if await watch.next_good(LIMIT_S) is None:
                return judged(watch, None, fault) | {"why": watch.why}
            await asyncio.sleep(1.0)
            back_s = await _FAULTS[fault](played)
        await asyncio.sleep(1.0)  # what comes after the first Good row is judged too
        await watch.in_time(LIMIT_S)
        return judged(watch, back_s, fault) | ({"lost_requests": played.proxy.lost} if played.proxy.lost else {})


def judged(watch: Watch, back_s: float | None, fault: str) -> dict[str, Any]:
    clean = not (watch.wrong or watch.stale or watch.silent_gaps)
    told = fault == "certificate refused" or watch.bad_rows > 0  # a loss that leaves no Bad row was not told
    return {
        "back_s": None if back_s is None else round(back_s, 3),
        "rows": watch.rows,
        "bad_rows": watch.bad_rows,
        "gaps_told": watch.gaps,
        "silent_gaps": watch.silent_gaps,
        "wrong_values": watch.wrong,
        "stale_rows": watch.stale,
        "pass": clean and told and back_s is not None and back_s <= BACK_S_MAX,
    }


@contextlib.asynccontextmanager
async def stage(
    kind: Kind, seed: int, *, secure: bool = False, backoff_s_min: float = BACKOFF_S_MIN, on: Server | None = None
) -> AsyncGenerator[Stage]:
    """Server (unless it is there already), proxy, connector and its supervisor, up and ended together. Raises NoPeer."""
    with tempfile.TemporaryDirectory(prefix="holdfast-faults-") as scratch:
        folder = Path(scratch)
        served = contextlib.nullcontext(on) if on is not None else server_of(kind, folder, secure)
        async with served as server, Proxy(server.port, _FRAMED[kind], Random(seed)) as proxy:
            connector, tags, truth = await _connector(kind, server, proxy.port, folder, secure)
            table = TagTable(id="faults", connection="mill", period_s=PERIOD_S, tags=tags)
            watch = Watch(truth, PERIOD_S, _SILENT_S_MAX[kind], asyncio.get_running_loop().time)
            keeping = asyncio.create_task(
                keep(
                    connector,
                    [table],
                    clock=RealClock(),
                    random=Random(seed),
                    ingest=watch.ingest,
                    lost=watch.lost,
                    found=watch.found,
                    backoff_s_min=backoff_s_min,
                )
            )
            try:
                yield Stage(server=server, proxy=proxy, watch=watch, folder=folder)
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
                await connector.close()


def server_of(kind: Kind, folder: Path, secure: bool = False) -> Server:
    if kind == "modbus":
        return Device()
    if kind == "s7":
        return Cpu()
    return NodePlant(folder / "pki", items=ITEMS, every_ms=50, secure=secure, namespaces=(DECOY, URI))


async def _connector(kind: Kind, server: Server, port: int, folder: Path, secure: bool) -> tuple[Connector, tuple[Tag, ...], Any]:
    if kind == "modbus":
        tags = tuple(Tag(name=f"r{i}", connection="mill", address=f"{40001 + i}:uint16", unit="1") for i in range(ITEMS))
        return Modbus(name="mill", host="127.0.0.1", port=port, timeout_s=1.0), tags, _is_own_number
    if kind == "s7":
        tags = tuple(Tag(name=f"w{i}", connection="mill", address=f"DB10.DBW{2 * i}:UINT", unit="1") for i in range(ITEMS))
        return S7(name="mill", host="127.0.0.1", port=port, timeout_s=1.0), tags, _is_own_number
    tags = tuple(Tag(name=f"t{i}", connection="mill", address=f"T{i}", unit="1") for i in range(ITEMS))
    url = f"opc.tcp://127.0.0.1:{port}"
    if not secure:
        return OpcUa(name="mill", url=url, security="none", namespace=URI, timeout_s=2.0), tags, _is_own_count
    pinned = folder / "mill.der"
    pinned.write_bytes((await offered(f"opc.tcp://127.0.0.1:{server.port}", 20.0)).der)
    options: dict[str, Any] = {"server": pinned, "state_dir": folder / "state", "namespace": URI, "timeout_s": 5.0}
    return OpcUa(name="mill", url=url, **options), tags, _is_own_count


def _is_own_number(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """libmodbus's server: register n holds n. Snap7's: word n does."""
    return values == np.arange(len(values))


def _is_own_count(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """node-opcua's server: item i holds i * 1000 + n, n below 1000, and the decoy of the same name -1."""
    count = values - np.arange(len(values)) * 1000
    return (count >= 0) & (count < 1000) & (count == np.floor(count))


async def _frozen(stage: Stage) -> float | None:
    stage.watch.down_s = asyncio.get_running_loop().time()
    stage.server.freeze()
    await asyncio.sleep(FREEZE_S)
    stage.watch.down_s = None
    stage.server.thaw()
    return await stage.watch.next_good(LIMIT_S)


async def _killed(stage: Stage) -> float | None:
    stage.watch.down_s = asyncio.get_running_loop().time()
    await stage.server.kill()
    await asyncio.sleep(DOWN_S)
    await stage.server.start()
    stage.watch.down_s = None
    return await stage.watch.next_good(LIMIT_S)


async def _renumbered(stage: Stage) -> float | None:
    if isinstance(stage.server, NodePlant):
        stage.server.namespaces = (URI, "urn:between", DECOY)
    return await _killed(stage)


async def _torn(stage: Stage) -> float | None:
    await stage.proxy.tear()
    return await stage.watch.next_good(LIMIT_S)


async def _losing(stage: Stage) -> float | None:
    stage.proxy.lose_share = LOSE_SHARE
    await asyncio.sleep(LOSE_S)
    stage.proxy.lose_share = 0.0
    await asyncio.sleep(0)
    return await stage.watch.next_good(LIMIT_S)


async def _refused(stage: Stage) -> float | None:
    """The server trusts nobody at first; then a person lets it trust the gate."""
    own = stage.folder / "state" / "opcua-gate.der"
    async with asyncio.timeout(LIMIT_S):
        while not any("trusts this gate's certificate" in why for why in stage.watch.why):
            stage.watch.told.clear()
            await stage.watch.told.wait()
    if stage.watch.rows:
        stage.watch.wrong += 1  # rows from a server that refused
    if isinstance(stage.server, NodePlant):
        await stage.server.ask(f"trust {own}")
    return await stage.watch.next_good(LIMIT_S)


_FRAMED = {"opcua": opcua_frame, "modbus": modbus_frame, "s7": s7_frame}
_FAULTS: dict[Fault, Callable[[Stage], Awaitable[float | None]]] = {
    "freeze": _frozen,
    "kill": _killed,
    "tear": _torn,
    "lose requests": _losing,
    "other namespace order": _renumbered,
}
