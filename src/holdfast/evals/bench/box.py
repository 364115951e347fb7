"""`bench box`: what one box spends on 10,000 tags a second and 500 tags ten times a second, from an OPC UA server into history.

The real gate process, started as `holdfast run` starts it, connected to node-opcua's server in a process of its own; every tag changes
every period. CPU is the gate's own, all its threads, user and system, from /proc. Afterwards history is read back: rows, gaps, how many
values are Good and hold what the server gave that very tag; and it is sealed into chunks here, since the gate does that after ten minutes.
"""

import asyncio
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from holdfast.evals.peers.kept import NoPeer
from holdfast.evals.peers.opcua import URI, NodePlant
from holdfast.evals.suites import Figures, Options
from holdfast.gate.history.store import History
from holdfast.run.supervise import Home, StartError, start_gate
from holdfast.site.load import load
from holdfast.site.tables import tables
from holdfast.terms import Frame, TagTable

SLOW, FAST, FAST_MS = 10_000, 500, 100
SECONDS = 90  # measured
CORES_MAX = 0.5
SHARE_MIN = 0.3  # of the full flow
READY_S_MAX = 120
SITE = """
holdfast: 1
site: {{name: box, language: en, timezone: UTC}}
connections:
  mill: {{type: opcua, url: "{url}", security: none, namespace: "{uri}", timeout_s: 30}}
equipment:
  slow: {{tags: slow.csv}}
  fast: {{tags: fast.csv}}
agents: {{box-agent: {{autonomy: observe, diagnoser: rank}}}}
policy: policy.yaml
"""


def run(options: Options) -> Figures:
    try:
        figures = asyncio.run(measured(options.n or SECONDS, options))
    except (NoPeer, StartError, TimeoutError) as error:
        figures = {"skipped": str(error) or "the gate did not get all values in time", "pass": False}
    return Figures(name="box", seed=options.seed, figures=figures, pass_=bool(figures["pass"]))


async def measured(seconds: int, options: Options) -> dict[str, Any]:
    """Raises NoPeer, StartError, TimeoutError."""
    with tempfile.TemporaryDirectory(prefix="hf") as folder:
        home = Home(path=Path(folder))
        async with NodePlant(home.path / "pki", items=SLOW, every_ms=1000, fast=FAST, fast_ms=FAST_MS) as plant:
            site = _written(home.path, plant.url)
            gate = await start_gate(home, site, env=os.environ)
            try:
                options.progress(0.1, "waiting for all values")
                begin = await _flowing(home)
                load_before, cpu_s, server_s = os.getloadavg()[0], _cpu_s(gate.process.pid), _cpu_s(plant.pid)
                for done in range(seconds):
                    options.progress(0.1 + 0.8 * done / seconds, "measuring")
                    await asyncio.sleep(1.0)
                cpu_s, server_s = _cpu_s(gate.process.pid) - cpu_s, _cpu_s(plant.pid) - server_s
                end = await _rows(home)
                memory = _memory_bytes(gate.process.pid)
            finally:
                await gate.end()
        kept, sealing = _kept(home, site, begin, end)
    cores = cpu_s / seconds
    fresh = sum(part["fresh"] for part in kept.values())
    whole = all(part["wrong"] == 0 and part["bad"] == 0 and part["rows"] == part["expected_rows"] for part in kept.values())
    # A starved server gives less than it should. What it cost is then counted up to the full flow, fixed costs too; from too little
    # of it that would be no measurement.
    share = min(fresh / (seconds * (SLOW + FAST * 1000 / FAST_MS)), 1.0)
    full = cores / share + sealing if share else math.inf
    return {
        "cores": round(cores, 3),
        "share_of_full_flow": round(share, 3),
        "sealing_cores": round(sealing, 3),
        "cores_at_full_flow": round(full, 3) if share else None,
        "us_a_value": round(cpu_s / max(fresh, 1.0) * 1e6, 2),
        "server_cores": round(server_s / seconds, 3),
        "seconds": seconds,
        "memory_mb": round(memory / 1e6),
        "load_before": round(load_before, 2),
        "machine_cores": os.cpu_count(),
        "history": kept,
        "aim": {"cores_max": CORES_MAX},
        "whole": whole,
        "pass": whole and share >= SHARE_MIN and full < CORES_MAX,
    }


def _written(folder: Path, url: str) -> Path:
    site = folder / "site.yaml"
    site.write_text(SITE.format(url=url, uri=URI), encoding="utf-8")
    (folder / "policy.yaml").write_text("revision: 1\nrules: []\n", encoding="utf-8")
    for name, letter, count, every in (("slow", "T", SLOW, "1s"), ("fast", "F", FAST, f"{FAST_MS}ms")):
        rows = "".join(f"{letter}{i},{letter}{i},{every}\n" for i in range(count))
        (folder / f"{name}.csv").write_text(f"name,address,every\n{rows}", encoding="utf-8")
    return site


async def _rows(home: Home) -> dict[str, int]:
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(home.people)), base_url="http://gate", timeout=30.0) as http:
        return (await http.get("/v1/status")).json()["rows"]


async def _flowing(home: Home) -> dict[str, int]:
    """Rows of each table once each grows, and ten seconds more: first values and imports are not what a box spends in a year."""
    for _ in range(READY_S_MAX):
        if all(count > 3 for count in (await _rows(home)).values()):
            await asyncio.sleep(10.0)
            return await _rows(home)
        await asyncio.sleep(1.0)
    raise TimeoutError


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _kept(home: Home, site: Path, begin: dict[str, int], end: dict[str, int]) -> tuple[dict[str, dict[str, Any]], float]:
    """(by table, cores that sealing takes: what came in the whole run, made into chunks here, by the time that it covers)."""
    known = tables(load(site).site)
    history = History(home.gate / "history.db", durable=False, tables=known)
    try:
        kept = {table.id: _judged(table, history, begin[table.id], end[table.id]) for table in known}
        covered_s = max(end[table.id] * table.period_s for table in known)
        cpu_s = time.process_time()
        history.seal(time.time_ns(), all_=True)
        return kept, (time.process_time() - cpu_s) / covered_s
    finally:
        history.close()


def _judged(table: TagTable, history: History, begin: int, end: int) -> dict[str, Any]:
    """Of the rows that came while it was measured. Value i * 1000 + n is tag i's n-th: all tags of a row are at one n or neighbours."""
    frame = history.read(table.id, 0, 2**62, 1_000_000, len(table.tags))
    frame = _between(frame, begin, end)
    owner = np.arange(len(table.tags)) * 1000.0
    bad = int((frame.status >= 0x8000_0000).sum())
    change = frame.values - owner
    wrong = int(((change < 0) | (change >= 1000)).sum())
    gaps = np.diff(frame.received_ns) > 1.5 * table.period_s * 1e9
    return {
        "rows": frame.rows,
        "expected_rows": end - begin,
        "values": frame.rows * len(table.tags),
        "bad": bad,
        "wrong": wrong,
        "late_rows": int(gaps.sum()),
        "fresh": int(np.count_nonzero(np.diff(frame.source_ns, axis=0))),
    }


def _between(frame: Frame, begin: int, end: int) -> Frame:
    first = max(begin - frame.seq, 0)
    last = max(end - frame.seq, first)
    return Frame(
        table=frame.table,
        seq=frame.seq + first,
        received_ns=frame.received_ns[first:last],
        source_ns=frame.source_ns[first:last],
        values=frame.values[first:last],
        status=frame.status[first:last],
    )
