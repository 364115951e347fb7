"""One whole run of the demo mill on a virtual clock, as fast as it goes, and what came of it."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.agent.diagnosis.agent import Agent
from holdfast.clock import VirtualClock
from holdfast.gate.identity.seal import Cost
from holdfast.gate.ledger.checkpoint import PUBLIC, read_public
from holdfast.gate.ledger.verify import verify
from holdfast.gate.process import open_gate
from holdfast.link.direct import DirectLink
from holdfast.run.lockstep import Lockstep
from holdfast.run.mill import CALIBRATION, Report, SteppedMill, past
from holdfast.run.replayed import Ledgered
from holdfast.run.wired import WiredMill
from holdfast.sim.mill import EPOCH_NS
from holdfast.sim.mill.plant import Mill
from holdfast.terms import SECOND_NS, Autonomy, Record, Word

AGENT = "mill-agent"
KEEP_EVERY = 400  # frames a transaction: a run that breaks off is run again
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)  # nobody signs in a headless run


class Alone(Word):
    """The same plant with the scripted operator only."""

    alarm_s: float | None
    defect_rate: float
    tonnes: float


class Rates(Word):
    """False episodes per plant hour on normal running kept for the calibration, with 95 % intervals (exact Poisson)."""

    alarms: float
    detector: float
    alarms_interval: tuple[float, float]
    detector_interval: tuple[float, float]
    hours: float


def kept_rates() -> Rates:
    kept = json.loads(CALIBRATION.read_text())
    alarms, detector = kept["alarms_per_hour"], kept["detector_per_hour"]
    return Rates(
        alarms=alarms[0],
        detector=detector[0],
        alarms_interval=(alarms[1], alarms[2]),
        detector_interval=(detector[1], detector[2]),
        hours=kept["hours"],
    )


class Ran(Word):
    """What a run was and did. Times in plant seconds, None where a thing never happened."""

    scenario: str
    seed: int
    seconds: float
    frames: int
    first_finding_s: float | None
    alarm_s: float | None
    lead_s: float | None  # of the finding before the plant's alarm, as it sounds when nobody but the operator acts
    findings: int
    false_alarm_rate: Rates
    proposals: int
    permitted: int
    asked: int
    refused: int
    writes_sent: int
    writes_verified: int
    writes_outside: int
    indeterminate: int
    defect_rate: float  # per km of strip within the thickness tolerance
    tonnes: float
    ledger: Ledgered
    refusals: tuple[tuple[str, int], ...]  # code of each failed check, how often
    decisions: tuple[str, ...]  # in order, for comparing forms of one run
    without_agent: "Alone | None" = None


class Tally:
    """Counts what the ledger says as it says it."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self.first_finding_s: float | None = None
        self.findings = 0
        self.verdicts: list[str] = []
        self.decisions: list[str] = []
        self.refusals: dict[str, int] = {}
        self.outcomes: dict[str, int] = {}

    def __call__(self, record: Record) -> None:
        body: Any = record.body
        match record.kind:
            case "finding":
                self.findings += 1
                if self.first_finding_s is None:
                    self.first_finding_s = (body["finding"]["found_ns"] - self._start_ns) / SECOND_NS
            case "decision":
                decision = body["decision"]
                self.verdicts.append(decision["verdict"])
                self.decisions.append(_told(body["proposal"]["action"], decision))
                if decision["verdict"] == "refuse":
                    for code in dict.fromkeys(r["code"] for r in decision["reasons"] if not r["passed"]):
                        self.refusals[code] = self.refusals.get(code, 0) + 1
            case "outcome" if not body["outcome"]["code"].startswith(("outbox.", "action.")):  # of writes; orders are none
                result = body["outcome"]["result"]
                self.outcomes[result] = self.outcomes.get(result, 0) + 1
            case _:
                pass


def _told(action: Any, decision: Any) -> str:
    wanted = ", ".join(f"{tag} {value:g}" for tag, value in action.get("sets", ())) or f"{action['kind']} {action.get('target', '')}"
    failed = " ".join(dict.fromkeys(r["code"] for r in decision["reasons"] if not r["passed"]))
    return f"{'would ' if decision['would'] else ''}{decision['verdict']} {wanted} {failed}".strip()


def alone(scenario: str, seed: int, seconds: int) -> Alone:
    """What the scripted operator reaches by himself; physics only, no gate."""
    mill = Mill(seed, scenario)
    for _ in range(seconds):
        mill.step(1.0)
    return Alone(alarm_s=mill.operator.alarm.first_s, defect_rate=mill.defect_rate_per_km, tonnes=mill.tonnes)


async def run_headless(
    scenario: str,
    seed: int,
    *,
    seconds: float | None = None,
    autonomy: Autonomy = "act",
    with_agent: bool = True,
    home: Path | None = None,
    wire: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Ran:
    """`seconds` of plant time, the scenario's own length by default; `home` a folder of its own by default, which goes.

    With `wire` the plant is a process of its own and OPC UA and Modbus servers stand between, in lockstep.
    """
    if home is None:
        with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
            return await run_headless(
                scenario, seed, seconds=seconds, autonomy=autonomy, with_agent=with_agent, home=Path(folder), wire=wire, progress=progress
            )
    total = int(Mill(seed, scenario).schedule.duration_s if seconds is None else seconds)
    clock = VirtualClock(EPOCH_NS)
    plant = await (WiredMill.start(scenario, seed, home, autonomy) if wire else SteppedMill.start(scenario, seed, autonomy))
    try:
        site = plant.site
        gate, _ = open_gate(site, home / "gate", clock, plant.connectors(clock, home / "gate"), durable=False, cost=CHEAP, boot="virtual")
        gate.intake.keep_every = KEEP_EVERY
        tally = Tally(EPOCH_NS)
        gate.listeners.append(tally)
        gate.remember(past(site, seed, EPOCH_NS))
        gate.start(clock="virtual")
        agent = None
        if with_agent:
            link = DirectLink(gate, AGENT)
            agent = Agent(link, await link.site(), clock, name=AGENT)
            await agent.start()
        driver = Lockstep(plant, gate, agent, clock)
        for second in range(total):
            await driver.tick()
            if progress is not None and second % 60 == 0:
                progress(second / total)
        gate.checkpoint()
        report = await plant.report()
        for connector in gate.connectors.values():
            await connector.close()
        gate.close()
    finally:
        await plant.close()
    return _ran(scenario, seed, total, driver.frames, report, tally, home, with_agent=with_agent)


def _ran(scenario: str, seed: int, total: int, frames: int, report: Report, tally: Tally, home: Path, *, with_agent: bool) -> Ran:
    path, key = home / "gate" / "state.db", home / "gate" / PUBLIC
    verdict = verify(path, read_public(key))
    unaided = alone(scenario, seed, total) if with_agent else None
    alarm_s = unaided.alarm_s if unaided is not None else report.alarm_s
    return Ran(
        scenario=scenario,
        seed=seed,
        seconds=float(total),
        frames=frames,
        first_finding_s=tally.first_finding_s,
        alarm_s=report.alarm_s,
        lead_s=None if alarm_s is None or tally.first_finding_s is None else alarm_s - tally.first_finding_s,
        findings=tally.findings,
        false_alarm_rate=kept_rates(),
        proposals=len(tally.verdicts),
        permitted=tally.verdicts.count("permit"),
        asked=tally.verdicts.count("ask"),
        refused=tally.verdicts.count("refuse"),
        writes_sent=report.writes_sent,
        writes_verified=tally.outcomes.get("verified", 0),
        writes_outside=report.writes_outside,
        indeterminate=tally.outcomes.get("indeterminate", 0),
        defect_rate=report.defect_rate,
        tonnes=report.tonnes,
        ledger=Ledgered(records=verdict.records, root=verdict.root, verified=verdict.ok, path=str(path), key=str(key)),
        refusals=tuple(sorted(tally.refusals.items())),
        decisions=tuple(tally.decisions),
        without_agent=unaided,
    )
