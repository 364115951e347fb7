"""C-MAPSS FD001: how many cycles before failure an engine's wear is told, beyond what fixed limits tell.

Run-to-failure engines, one row a cycle, without a label: an engine's first 50 cycles count as healthy. Learned from the
healthy cycles of the first half of the development engines; the limit is the score that 0.1 % of the healthy cycles of the
other half are above. Judged are that other half, or all engines of another file. Found is three rows in a row after cycle
50; the warning is the cycles left then, none being 0; found more than 150 cycles before the end is early: rather a false
alarm. The lead is over the better of two rule engines, calibrated alike, engine by engine.
"""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.limits import Limits
from holdfast.agent.perception.runs import fitted
from holdfast.evals.detection.alarms import Found, Judged, Make, first_above, in_a_row, scored
from holdfast.evals.detection.tables import table
from holdfast.terms import Word

Matrix = NDArray[np.float64]
HEALTHY, EARLY, IN_A_ROW, FAR = 50, 150, 3, 0.001
LEAD_CYCLES, EARLY_ENGINES = 35.0, 1.0  # the aims
FILE = "train_FD001.csv.gz"


class Warned(Word, eq=False):
    """One detector on the judged engines."""

    limit: float
    cycles: NDArray[np.int64]  # (engines,) left when found, 0: never
    far: float  # share of healthy cycles above the limit, on the judged engines


def engines(path: Path) -> tuple[tuple[str, ...], dict[int, Matrix]]:
    """The sensors' names, and (cycles, sensors) of every engine."""
    names, rows = table(path)
    places = [place for place, name in enumerate(names) if name.startswith("s") and name[1:].isdigit()]
    number = rows[:, names.index("unit")].astype(int)
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), rows.shape[0]]
    return tuple(names[p] for p in places), {int(number[a]): rows[a:b, places] for a, b in itertools.pairwise(edges)}


def warned(
    make: Make, tags: tuple[str, ...], fit: Mapping[int, Matrix], limit_on: Mapping[int, Matrix], on: Mapping[int, Matrix]
) -> Warned:
    detector = make()
    fitted(detector, [rows[:HEALTHY] for rows in fit.values()], tags)
    healthy = np.concatenate([scored(detector, rows[:HEALTHY]) for rows in limit_on.values()])
    limit = float(np.quantile(healthy, 1 - FAR))
    left: list[int] = []
    above: list[float] = []
    for rows in on.values():
        scores = scored(detector, rows)
        above.append(float(np.mean(scores[:HEALTHY] > limit)))
        at = first_above(in_a_row(scores, IN_A_ROW)[HEALTHY:], limit)
        left.append(0 if at is None else rows.shape[0] - HEALTHY - at)
    return Warned(limit=limit, cycles=np.array(left), far=float(np.mean(above)))


def judge(fit_root: Path, data_root: Path, make: Make, progress: Callable[[float], None]) -> tuple[Judged, tuple[Path, ...]]:
    tags, development = engines(fit_root / FILE)
    numbers = sorted(development)
    learned_from = {n: development[n] for n in numbers[: len(numbers) // 2]}
    kept = {n: development[n] for n in numbers[len(numbers) // 2 :]}
    same = fit_root.resolve() == data_root.resolve()
    on = kept if same else engines(data_root / FILE)[1]
    found: list[Warned] = []
    for each in (make, lambda: Limits(rule="sigma"), lambda: Limits(rule="minmax")):
        found.append(warned(each, tags, learned_from, kept, on))
        progress(len(found) / 3)
    return verdict(found[0], np.maximum(found[1].cycles, found[2].cycles), on), (fit_root / FILE, *(() if same else (data_root / FILE,)))


def verdict(ours: Warned, rule: NDArray[np.int64], on: Mapping[int, Matrix]) -> Judged:
    lead = ours.cycles - rule
    early = int((ours.cycles > EARLY).sum())
    figures = (
        ("median_lead_cycles", Found(value=float(np.median(lead)), aim=LEAD_CYCLES, at_most=False)),
        ("early_engines", Found(value=float(early), aim=EARLY_ENGINES, at_most=True, rule_engine=float((rule > EARLY).sum()))),
    )
    beside = (
        ("engines", len(on)),
        ("median_warning_cycles", float(np.median(ours.cycles))),
        ("median_warning_cycles_rule_engine", float(np.median(rule))),
        ("never_found", int((ours.cycles == 0).sum())),
        ("ahead_pct", round(100 * float(np.mean(lead > 0)), 1)),
        ("far_pct", round(100 * ours.far, 3)),
    )
    cases = tuple(
        (f"cmapss/unit_{n:03}", {"limit": ours.limit, "warning_cycles": int(w), "rule_engine_warning_cycles": int(r)})
        for n, w, r in zip(on, ours.cycles.tolist(), rule.tolist(), strict=True)
    )
    return Judged(figures=figures, beside=beside, cases=cases)
