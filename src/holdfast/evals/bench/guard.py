"""`bench guard`: one whole decision with 20 policy rules of which 5 apply, and with all 20 applying.

All checks, the conditions, the truth table and the digests of what was decided on; no record and no device. The site is
the demo mill's with another policy, and the snapshot holds the tags that the gate would read for this proposal. Beside it,
in the same run, the floor: the five conditions alone as plain Python `eval` of code that was compiled before, which checks
no type, no freshness and no bound.
"""

import dataclasses
import gc
import time
from collections.abc import Callable
from typing import Any, Literal

from holdfast.evals.bench.quantiles import spread
from holdfast.evals.suites import Figures, Options
from holdfast.gate.guard.compile import Compiled, compile_site
from holdfast.gate.guard.decide import decide
from holdfast.gate.guard.rests import rests_on
from holdfast.run.mill import mill_site
from holdfast.site.model import Policy, Rule
from holdfast.terms import SECOND_NS, Decision, Move, Proposal, Reading, Snapshot, Wire, Write

DECISIONS = 20_000
WARM_UP = 200
P50_US_MAX, P99_US_MAX = 150.0, 500.0
CASES = 64  # different proposals and snapshots, taken in turn
SP, AGENT = "stand-4/tension.sp", "mill-agent"
NOW_NS = 1_700_000_000 * SECOND_NS
# Of the tags that are read; all others are 1.0 (permits, switches and states that must be so).
VALUES = {
    "stand-4/tension.sp_now": 100.0,
    "stand-4/tension.pv": 100.2,
    "stand-4/tension.mode": 2.0,
    "stand-4/vibration": 3.1,
    "line/grade": 0.0,
    "line/key_switch": 0.0,
    "line/speed": 900.0,
    "stand-4/bearing_temp": 55.0,
    "stand-4/emulsion.pv": 300.0,
}
# (effect, condition, the same in Python): one permit holds, nothing asks, nothing forbids.
Effect = Literal["permit", "ask", "forbid"]
CONDITIONS: tuple[tuple[Effect, str, str], ...] = (
    ("permit", 'tag("line/state") == "running" && tag("stand-4/vibration") < 7.1', "state == 'running' and vibration < 7.1"),
    ("ask", "proposed > 112.0", "proposed > 112.0"),
    ("ask", "abs(proposed - present) > 1.5", "abs(proposed - present) > 1.5"),
    ("forbid", 'tag("line/key_switch")', "key_switch"),
    ("forbid", 'tag("stand-4/bearing_temp") > 90.0 || tag("line/speed") < 100.0', "bearing_temp > 90.0 or speed < 100.0"),
)


def run(options: Options) -> Figures:
    decisions = options.n or DECISIONS
    five, all_apply = _site(applying=5), _site(applying=20)
    cases = [_case(number, five) for number in range(CASES)]
    verdicts = {decide(proposal, AGENT, compiled, known).verdict for proposal, known in cases for compiled in (five, all_apply)}
    # Side by side in one run: machines are noisy, so the ratio says more than either.
    gc.collect()
    gc.freeze()  # as the gate does when it starts: what was made by then is not walked again
    options.progress(0.0, "5 of 20 rules apply")
    of_five = _timed(lambda number: _decided(cases, five, number), decisions)
    options.progress(0.4, "all 20 apply")
    of_all = _timed(lambda number: _decided(cases, all_apply, number), decisions)
    options.progress(0.8, "plain eval")
    floor = _timed(_floor(), decisions)
    figures = {
        "decisions": decisions,
        "rules": 20,
        "verdicts": sorted(verdicts),
        "five_apply_us": spread(of_five, unit_ns=1e3),
        "all_apply_us": spread(of_all, unit_ns=1e3),
        "plain_eval_us": spread(floor, unit_ns=1e3),
        "times_plain_eval": round(sorted(of_five)[len(of_five) // 2] / max(sorted(floor)[len(floor) // 2], 1), 1),
        "aim": {"p50_us_max": P50_US_MAX, "p99_us_max": P99_US_MAX},
    }
    return Figures(name="guard", seed=options.seed, figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    told = figures["five_apply_us"]
    return figures["verdicts"] == ["permit"] and told["p50"] < P50_US_MAX and told["p99"] < P99_US_MAX


def _site(applying: int) -> Compiled:
    """The demo mill with 20 rules, of which so many are about the tension of stand 4; the others about other tags."""
    rules: list[Rule] = []
    for number in range(20):
        effect, condition, _ = CONDITIONS[number % len(CONDITIONS)]
        if number >= len(CONDITIONS):  # more of the same cost, of which none may hold
            effect, condition = "forbid", condition if effect != "permit" else 'tag("stand-4/vibration") > 40.0'
        tags = (SP if number < applying else "stand-4/emulsion.sp",)
        rules.append(Rule(id=f"rule {number}", effect=effect, agents=(AGENT,), tags=tags, when=condition))
    return compile_site(dataclasses.replace(mill_site().site, policy=Policy(revision=1, rules=tuple(rules))))


def _case(number: int, compiled: Compiled) -> tuple[Proposal, Snapshot]:
    """A trim by 0.5 or 1 kN, after three earlier ones within the hour."""
    wanted = 100.0 + (0.5, 1.0, -0.5, -1.0)[number % 4]
    at_ns = NOW_NS + number * SECOND_NS
    readings = tuple(
        Reading(tag=tag, value=VALUES.get(tag, 1.0), status=0, source_ns=at_ns, age_s=0.25 + number / CASES, still_s=1.0)
        for tag in rests_on(compiled, (SP,))
    )
    moves = tuple(
        Move(tag=SP, before=100.0, after=100.5, at_ns=at_ns - minutes * 60 * SECOND_NS, by=AGENT, ours=True) for minutes in (40, 25, 12)
    )
    action = Write(sets=((SP, wanted),))
    proposal = Proposal(id=f"p-{number}", incident="i-1", action=action, reason="vibration rises with falling lubrication")
    return proposal, Snapshot(at_ns=at_ns, readings=readings, wires=(Wire(tag=SP, asked=wanted, value=wanted),), moves=moves)


def _decided(cases: list[tuple[Proposal, Snapshot]], compiled: Compiled, number: int) -> Decision:
    proposal, known = cases[number % CASES]
    return decide(proposal, AGENT, compiled, known)


def _floor() -> Callable[[int], object]:
    codes = [compile(python, "condition", "eval") for _, _, python in CONDITIONS]
    known = {"state": "running", "vibration": 3.1, "proposed": 100.5, "present": 100.0, "key_switch": False}
    known |= {"bearing_temp": 55.0, "speed": 900.0}
    return lambda _: [eval(code, {"abs": abs}, known) for code in codes]


def _timed(act: Callable[[int], object], count: int) -> list[int]:
    """Nanoseconds of each of `count` calls, after WARM_UP that are not counted."""
    for number in range(WARM_UP):
        act(number)
    taken: list[int] = []
    for number in range(count):
        began_ns = time.perf_counter_ns()
        act(number)
        taken.append(time.perf_counter_ns() - began_ns)
    return taken
