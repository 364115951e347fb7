"""The main job measured: the demo mill's scenarios over many seeds, with and without the agent, and beside an ideal controller.

Every run is judged by the plant's own process: what it received, what it rolled. `--n` scales the number of seeds down
for a quick look; the published figures are made without it.
"""

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from holdfast.evals.false_alarms import HOURS_EACH, rate
from holdfast.evals.suites import Figures, Options
from holdfast.run.headless import Ran, run_headless
from holdfast.run.mill import mill_site
from holdfast.sim.mill.ideal import Ideal
from holdfast.sim.mill.plant import Mill
from holdfast.terms import Word

CHATTER_SEEDS, NORMAL_SEEDS, OTHER_SEEDS = 20, 10, 3
REDUCTION_MIN = 0.40
WIRE_S = {"normal": 900.0, "chatter": 2400.0, "bearing": 1800.0, "frozen-sensor": 1500.0, "lost-link": 2400.0, "operator": 2100.0}
WORKERS = 2  # processes: the smallest box that this is meant to be run on
REFUSED_WITH = {"frozen-sensor": "fresh.stuck", "lost-link": "fresh.status", "operator": "yield.operator"}


class Chatter(Word):
    """One seed: the agent's run beside the scripted operator alone and beside a controller that knows the physics."""

    seed: int
    lead_s: float | None
    defects_alone: float
    defects_agent: float
    defects_ideal: float
    tonnes_alone: float
    tonnes_agent: float
    writes: int
    outside: int
    verified: bool

    @property
    def reduction(self) -> float:
        return 1.0 - self.defects_agent / self.defects_alone

    @property
    def share_of_ideal(self) -> float:
        """What part of the reduction that the ideal controller reaches."""
        return (self.defects_alone - self.defects_agent) / (self.defects_alone - self.defects_ideal)


def headless(scenario: str, seed: int, seconds: float | None = None, wire: bool = False) -> Ran:
    return asyncio.run(run_headless(scenario, seed, seconds=seconds, wire=wire))


def chatter(seed: int) -> Chatter:
    ran = headless("chatter", seed)
    assert ran.without_agent is not None  # noqa: S101 - a run with an agent has it
    site = mill_site().site
    mill = Mill(seed, "chatter")
    tension, emulsion = site.envelope("stand-4/tension.sp"), site.envelope("stand-4/emulsion.sp")
    assert tension is not None  # noqa: S101
    assert emulsion is not None  # noqa: S101
    ideal = Ideal(mill, tension, emulsion)
    for _ in range(int(ran.seconds)):
        ideal.act()
        mill.step(1.0)
    return Chatter(
        seed=seed,
        lead_s=ran.lead_s,
        defects_alone=ran.without_agent.defect_rate,
        defects_agent=ran.defect_rate,
        defects_ideal=mill.defect_rate_per_km,
        tonnes_alone=ran.without_agent.tonnes,
        tonnes_agent=ran.tonnes,
        writes=ran.writes_sent,
        outside=ran.writes_outside,
        verified=ran.ledger.verified,
    )


def normal(seed: int) -> Ran:
    return headless("normal", seed, HOURS_EACH * 3600.0)


def other(job: tuple[str, int]) -> Ran:
    return headless(*job)


def over_wire(scenario: str) -> tuple[str, bool, int, int]:
    """(scenario, whether both forms decided alike, decisions, writes outside over the wire)."""
    near = headless(scenario, 1, WIRE_S[scenario])
    far = headless(scenario, 1, WIRE_S[scenario], wire=True)
    return scenario, near.decisions == far.decisions, len(far.decisions), far.writes_outside


def run(options: Options) -> Figures:
    share = 1.0 if options.n is None else min(options.n / CHATTER_SEEDS, 1.0)
    seeds = range(options.seed, options.seed + max(round(CHATTER_SEEDS * share), 1))
    normals = range(options.seed, options.seed + max(round(NORMAL_SEEDS * share), 1))
    others = [(scenario, options.seed + i) for scenario in REFUSED_WITH for i in range(max(round(OTHER_SEEDS * share), 1))]
    with ProcessPoolExecutor(WORKERS) as pool:
        told = _Progress(options.progress, len(seeds) + len(normals) + len(others) + len(WIRE_S))
        quiet = told.each("normal", pool.map(normal, normals))
        rolled = told.each("chatter", pool.map(chatter, seeds))
        stood_off = told.each("standing off", pool.map(other, others))
        wired = told.each("over the wire", pool.map(over_wire, WIRE_S))
    for case in rolled:
        options.answer(f"chatter-{case.seed}", {"lead_s": case.lead_s, "reduction": case.reduction, "share_of_ideal": case.share_of_ideal})
    figures = {
        "chatter": _chatter(rolled),
        "normal": _normal(quiet),
        "standing_off": _standing_off(stood_off),
        "wire": {s: {"same_decisions": same, "decisions": n, "writes_outside": out} for s, same, n, out in wired},
    }
    return Figures(name="demo", seed=options.seed, figures=figures, pass_=_passes(figures))


class _Progress:
    def __init__(self, say: Callable[[float, str], None], total: int) -> None:
        self._say, self._total, self._done = say, total, 0

    def each(self, what: str, results: Any) -> list[Any]:
        found: list[Any] = []
        for result in results:
            self._done += 1
            self._say(self._done / self._total, what)
            found.append(result)
        return found


def _chatter(rolled: Sequence[Chatter]) -> Mapping[str, Any]:
    leads = [case.lead_s for case in rolled if case.lead_s is not None]
    return {
        "seeds": len(rolled),
        "found_before_alarm": sum(lead > 0 for lead in leads),
        "lead_s_median": statistics.median(leads) if leads else None,
        "lead_s_min": min(leads, default=None),
        "reduction_median": statistics.median(case.reduction for case in rolled),
        "reduction_min": min(case.reduction for case in rolled),
        "ideal_reduction_median": statistics.median(1.0 - case.defects_ideal / case.defects_alone for case in rolled),
        "share_of_ideal_median": statistics.median(case.share_of_ideal for case in rolled),
        "fewer_tonnes": sum(case.tonnes_agent < case.tonnes_alone for case in rolled),
        "more_defects": sum(case.defects_agent > case.defects_alone for case in rolled),
        "tonnes_gain_median": statistics.median(case.tonnes_agent / case.tonnes_alone - 1.0 for case in rolled),
        "writes": sum(case.writes for case in rolled),
        "writes_outside": sum(case.outside for case in rolled),
        "ledgers_verified": sum(case.verified for case in rolled),
    }


def _normal(quiet: Sequence[Ran]) -> Mapping[str, Any]:
    hours = sum(ran.seconds for ran in quiet) / 3600.0
    alarms = sum(ran.alarm_s is not None for ran in quiet)
    findings = sum(ran.findings for ran in quiet)
    return {
        "seeds": len(quiet),
        "hours": hours,
        "writes": sum(ran.writes_sent for ran in quiet),
        "proposals": sum(ran.proposals for ran in quiet),
        "alarm_episodes": alarms,
        "alarms_per_hour": rate(alarms, hours),
        "findings": findings,
        "findings_per_hour": rate(findings, hours),
        "ledgers_verified": sum(ran.ledger.verified for ran in quiet),
    }


def _standing_off(ran: Sequence[Ran]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for scenario, code in REFUSED_WITH.items():
        runs = [one for one in ran if one.scenario == scenario]
        found[scenario] = {
            "seeds": len(runs),
            "writes": sum(one.writes_sent for one in runs),
            "writes_outside": sum(one.writes_outside for one in runs),
            "indeterminate": sum(one.indeterminate for one in runs),
            "refused_with": code,
            "runs_that_say_so": sum(code in dict(one.refusals) for one in runs),
        }
    return found


def _passes(figures: Mapping[str, Any]) -> bool:
    c, n, s, w = figures["chatter"], figures["normal"], figures["standing_off"], figures["wire"]
    return (
        c["found_before_alarm"] == c["seeds"] == c["ledgers_verified"]
        and c["reduction_median"] >= REDUCTION_MIN
        and not (c["fewer_tonnes"] or c["more_defects"] or c["writes_outside"])
        and not n["writes"]
        and not s["frozen-sensor"]["writes"]
        and not any(one["writes_outside"] for one in s.values())
        and all(one["runs_that_say_so"] for one in s.values())
        and all(one["same_decisions"] and not one["writes_outside"] for one in w.values())
    )
