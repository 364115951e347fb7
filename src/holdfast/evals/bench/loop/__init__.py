"""`bench loop`: from a sample's arrival through agent, link, decision, durable records, write and read-back.

Four real processes over loopback: a Modbus device, the gate (`holdfast.gate.process`, with stopwatches), an agent on
the link, and this one, which only waits. A sample comes every 20 ms whether or not the loop before it has ended, so a
slow loop is seen as slow and not as a late start. A loop begins when the last byte of the device's answer is in the
gate, and ends when the outcome is on the disk; the poll's own period and its request are not in it.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options, SuiteError
from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
from holdfast.gate.ledger.verify import verify
from holdfast.run.supervise import Child, Home, enrol, python, start
from holdfast.terms import Word

LOOPS = 5_000
WARM_UP = 50  # loops that are run and not counted: first imports, first pages
P99_MS_MAX = 12.0
PERIOD_S = 0.02  # as in site.yaml
MESSAGES_PER_S = 200.0
LINES_TOLD = 6
AGENT = "bench-agent"
FOLDER = Path(__file__).parent
SITE = FOLDER / "site.yaml"
# A loop's parts, each from the stamp before to its own.
PARTS = (
    ("taken in", "decode, history, alarms"),
    ("has sample", "link: frame to the agent"),
    ("asks", "agent"),
    ("proposed", "link: proposal to the gate"),
    ("decision durable", "decide, record, commit"),
    ("looked again", "wake the saga"),
    ("decided again", "read the device, decide again"),
    ("intent durable", "intent, commit"),
    ("acknowledged", "write, acknowledged"),
    ("read back", "read-back"),
    ("outcome durable", "outcome, commit"),
)


class Ran(Word, eq=False):
    """What the processes left. Stamps are ns of CLOCK_MONOTONIC, by proposal and by what happened."""

    stamps: Mapping[str, Mapping[str, int]]
    verdicts: Mapping[str, str]  # by proposal, in order
    written: int  # by the device's own count
    verified: bool  # the record
    records: int
    load: float  # of the machine before the run, one minute's mean
    cpu_ns: int  # that the gate took from the first proposal on


def run(options: Options) -> Figures:
    loops = options.n or LOOPS
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        ran = asyncio.run(_run(Path(folder), loops + WARM_UP, options))
    figures = judged(ran)
    return Figures(name="loop", seed=options.seed, figures=figures, pass_=good(figures, loops))


def good(figures: Mapping[str, Any], loops: int) -> bool:
    """Every sample was followed to its verified end, the device got just these writes, and 99 of 100 were quick."""
    whole = figures["loops"] == loops and figures["missed"] == 0 and figures["ledger_verified"]
    return whole and figures["writes_received"] == figures["writes_verified"] and figures["total_ms"]["p99"] < P99_MS_MAX


def judged(ran: Ran) -> dict[str, Any]:
    """Figures in ms over all loops but the first WARM_UP. A loop that did not come to its end counts as `missed`."""
    names = list(ran.verdicts)
    samples = [int(name.rpartition("-")[2]) for name in names]
    skipped = sum(b - a - 1 for a, b in zip(samples[WARM_UP:], samples[WARM_UP + 1 :], strict=False))
    ended = [name for name in names if "outcome durable" in ran.stamps.get(name, {})]
    whole = [ran.stamps[name] for name in names[WARM_UP:] if name in set(ended)]
    total = [stamps["outcome durable"] - stamps["arrived"] for stamps in whole]
    parts: dict[str, Any] = {}
    before = "arrived"
    for stamp, name in PARTS:
        parts[name] = spread([stamps[stamp] - stamps[before] for stamps in whole])
        before = stamp
    return {
        "loops": len(whole),
        "missed": len(names) - WARM_UP - len(whole) + skipped,
        "period_ms": PERIOD_S * 1000,
        "total_ms": spread(total),
        "parts_ms": parts,
        "decision_back_at_agent_ms": spread([stamps["answered"] - stamps["asks"] for stamps in whole]),
        "gate_cpu_ms_a_loop": round(ran.cpu_ns / 1e6 / max(len(names), 1), 3),
        "cores": os.cpu_count(),
        "busy_cores_before": round(ran.load, 2),  # by what else runs here: with all of them busy, a figure says little
        "writes_verified": len(ended),
        "writes_received": ran.written,
        "records": ran.records,
        "ledger_verified": ran.verified,
        "aim": {"p99_ms_max": P99_MS_MAX},
    }


async def _run(folder: Path, samples: int, options: Options) -> Ran:
    load, home = os.getloadavg()[0], Home(path=folder)
    enrol(home, [AGENT])
    env = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    stamps, answers = folder / "stamps.json", folder / "agent.json"
    children: list[Child] = []
    try:
        plant = await start("the plant", python("holdfast.evals.bench.loop.plant"), env=env, log=folder / "plant.log")
        children.append(plant)
        given = ("--site", SITE, "--home", folder, "--messages-per-s", str(MESSAGES_PER_S))
        gate = await start(
            "the gate",
            python("holdfast.evals.bench.loop.gate", stamps, *given),
            env=env | {"HOLDFAST_BENCH_PORT": str(plant.first["port"])},
            log=folder / "gate.log",
        )
        children.append(gate)
        place = ("--link", f"unix:{home.link}", "--token-file", home.agent(AGENT) / "token")
        agent = await start(
            "the agent",
            python("holdfast.evals.bench.loop.agent", *place, "--samples", str(samples), "--out", answers),
            env=env,
            log=folder / "agent.log",
        )
        children.append(agent)
        await _until_done(agent, samples, options, folder)
        await asyncio.sleep(5 * PERIOD_S)  # the last loop may still be on its way
        await gate.end()
        await plant.end()
        said = plant.process.stdout
        written = json.loads(await said.readline()) if said else {}
    finally:
        for child in reversed(children):
            await child.end()
    left = json.loads(stamps.read_text())
    return _gathered(folder, left["stamps"], json.loads(answers.read_text()), written=written["writes"], cpu_ns=left["cpu_ns"], load=load)


async def _until_done(agent: Child, samples: int, options: Options, folder: Path) -> None:
    """Raises SuiteError with what agent and gate said, where the agent gave up. Bounded by the agent's own waits."""
    lines = agent.process.stdout
    while lines is not None and (line := await lines.readline()):
        done = json.loads(line)["done"]
        options.progress(done / samples, f"{done} of {samples} loops")
    if await agent.process.wait():
        said = [line for name in ("agent.log", "gate.log") for line in (folder / name).read_text().splitlines()[-LINES_TOLD:]]
        raise SuiteError("the bench's agent gave up; agent and gate said last:\n  " + "\n  ".join(said))


def _gathered(
    folder: Path, stamps: Sequence[tuple[str, str, int]], answers: Sequence[tuple[int, int, int, int, str]], **counted: Any
) -> Ran:
    by: dict[str, dict[str, int]] = {}
    for what, whose, at_ns in stamps:
        by.setdefault(whose, {})[what] = at_ns
    for sample, has, asks, answered, _ in answers:
        by.setdefault(f"loop-{sample}", {}).update({"has sample": has, "asks": asks, "answered": answered})
    found = verify(folder / "gate", read_public(folder / "gate" / PUBLIC))
    verdicts = {f"loop-{sample}": verdict for sample, _, _, _, verdict in answers}
    return Ran(stamps=by, verdicts=verdicts, verified=found.ok, records=found.records, **counted)
