"""Tennessee Eastman: how much of a fault's time is missed, and how long before fixed limits it is found.

Rows come every 3 minutes; in every fault's test file the fault starts at row 160. Learned from `normal_train`; limits come
from the normal rows of the development half alone (the normal test run, and the rows before each onset, repeated ones
counted once) and stay as they are for another half. Three rules of alarm:

    rate      a row above the limit that 1 % of those normal rows are above
    six       six rows in a row above that same limit
    budget    k in a row (1, 2, 3 or 6, whichever finds the development faults soonest) at the lowest limit with at most
              one false episode in 48 hours of those normal rows

Faults 3, 9 and 15 hardly move any tag and are by custom told apart. The rule engine beside it is, for each fault, the
better of mean ± k·sigma and the widened range, calibrated alike.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.calibrate import limit_for_episodes, limit_for_rate
from holdfast.agent.perception.limits import Limits
from holdfast.evals.detection.alarms import Found, Judged, Make, episodes, first_above, in_a_row, scored, share_above, stretches
from holdfast.evals.detection.tables import table
from holdfast.evals.suites import SuiteError
from holdfast.terms import Word

Matrix = NDArray[np.float64]
ONSET, ROW_MIN = 160, 3
CENSORED_MIN = 801 * ROW_MIN  # the delay of a fault that is never found: one row past the end
LEAD_MIN_MAX = 1200.0  # a lead counts no more than this, so that one censored fault does not make the mean
HARDLY_SEEN = (3, 9, 15)
FAR, IN_A_ROW, BUDGET_H = 0.01, 6, 48.0
MISSED_PCT, EPISODES, LATE_MIN, LEAD_MIN, WORST_MIN = 1.0, 2.0, 9.0, 150.0, -3.0  # the aims


class Half(Word, eq=False):
    """The recordings of one half."""

    normals: tuple[Matrix, ...]
    faults: Mapping[int, Matrix]


class Alarms(Word, eq=False):
    """One rule of alarm, set on the development half and applied to the judged one."""

    limit: float
    count: int  # rows in a row
    delays_min: Mapping[int, int]
    missed: Mapping[int, float]  # share of the fault's rows
    far: float  # on the judged half's normal rows
    episodes: int


def half(root: Path) -> tuple[Half, tuple[Path, ...]]:
    """Raises SuiteError where there are no recordings."""
    normals, faults = sorted(root.glob("normal_test_*.csv.gz")), sorted(root.glob("fault_*_test.csv.gz"))
    if not normals or not faults:
        raise SuiteError(f"{root}: no normal_test_*.csv.gz and fault_*_test.csv.gz in it; give the folder above it")
    found = {int(path.name.split("_")[1]): table(path, skip=2)[1] for path in faults}
    return Half(normals=tuple(table(path, skip=2)[1] for path in normals), faults=found), (*normals, *faults)


def normal_streams(half: Half, score: Callable[[Matrix], Matrix], of_fault: Mapping[int, Matrix]) -> list[Matrix]:
    """Scores of all normal rows; the rows before an onset that several files share are taken once."""
    streams = [score(rows) for rows in half.normals]
    seen: set[bytes] = set()
    for fault, rows in half.faults.items():
        key = rows[:ONSET].tobytes()
        if key not in seen:
            seen.add(key)
            streams.append(of_fault[fault][:ONSET])
    return streams


class Scores:
    """One detector's scores of both halves."""

    def __init__(self, make: Make, quiet: Matrix, tags: Sequence[str], fit: Half, data: Half) -> None:
        self.detector = make()
        self.detector.fit(quiet, tags)
        self.fit = {fault: scored(self.detector, rows) for fault, rows in fit.faults.items()}
        self.fit_normal = normal_streams(fit, self._score, self.fit)
        same = data is fit
        self.data = self.fit if same else {fault: scored(self.detector, rows) for fault, rows in data.faults.items()}
        self.data_normal = self.fit_normal if same else normal_streams(data, self._score, self.data)

    def _score(self, rows: Matrix) -> Matrix:
        return scored(self.detector, rows)

    def rate(self, count: int) -> Alarms:
        return self._applied(limit_for_rate(self.fit_normal, FAR).limit, count)

    def budget(self) -> Alarms:
        hours = sum(stream.shape[0] for stream in self.fit_normal) * ROW_MIN / 60
        limits = {count: limit_for_episodes(self.fit_normal, hours, BUDGET_H, count).limit for count in (1, 2, 3, IN_A_ROW)}
        soon = {count: np.mean([min(_delay(self.fit[f], limit, count), 1200) for f in told(self.fit)]) for count, limit in limits.items()}
        best = min(soon, key=lambda count: (soon[count], count))
        return self._applied(limits[best], best)

    def _applied(self, limit: float, count: int) -> Alarms:
        held = [in_a_row(stream, count) for stream in self.data_normal]
        return Alarms(
            limit=limit,
            count=count,
            delays_min={fault: _delay(s, limit, count) for fault, s in self.data.items()},
            missed={fault: float(np.mean(in_a_row(s, count)[ONSET:] <= limit)) for fault, s in self.data.items()},
            far=share_above(held, limit),
            episodes=episodes(held, limit),
        )


def judge(fit_root: Path, data_root: Path, make: Make, progress: Callable[[float], None]) -> tuple[Judged, tuple[Path, ...]]:
    train = fit_root / "normal_train.csv.gz"
    tags, quiet = table(train, skip=2)
    fit, fit_paths = half(fit_root)
    data, data_paths = (fit, ()) if fit_root.resolve() == data_root.resolve() else half(data_root)
    found: list[Scores] = []
    for each in (make, lambda: Limits(rule="sigma"), lambda: Limits(rule="minmax")):
        found.append(Scores(each, quiet, tags, fit, data))
        progress(len(found) / 3)
    return verdict(found[0], found[1:]), (train, *fit_paths, *data_paths)


def verdict(ours: Scores, rules: Sequence[Scores]) -> Judged:
    """The figures of one detector beside those of the rule engines."""
    rate, six, budget = ours.rate(1), ours.rate(IN_A_ROW), ours.budget()
    of_rate, of_six, of_budget = [r.rate(1) for r in rules], [r.rate(IN_A_ROW) for r in rules], [r.budget() for r in rules]
    faults = told(ours.data)
    lead = _leads(six, of_six, faults)
    late = [-gained for gained in _leads(budget, of_budget, faults).values()]
    figures = (
        ("missed_pct", Found(value=_missed_pct(rate, faults), aim=MISSED_PCT, at_most=True, rule_engine=_best_missed(of_rate, faults))),
        (
            "false_episodes",
            Found(value=float(budget.episodes), aim=EPISODES, at_most=True, rule_engine=float(min(r.episodes for r in of_budget))),
        ),
        ("latest_behind_rule_engine_min", Found(value=float(max(late)), aim=LATE_MIN, at_most=True)),
        (
            "six_in_a_row_mean_lead_min",
            Found(value=float(np.mean(np.clip(list(lead.values()), -LEAD_MIN_MAX, LEAD_MIN_MAX))), aim=LEAD_MIN, at_most=False),
        ),
        ("six_in_a_row_worst_lead_min", Found(value=float(min(lead.values())), aim=WORST_MIN, at_most=False)),
    )
    beside = (
        ("far_pct", round(100 * rate.far, 3)),
        ("budget_rows_in_a_row", budget.count),
        ("normal_rows", sum(s.shape[0] for s in ours.data_normal)),
        ("missed_pct_hardly_seen", {str(f): round(100 * rate.missed[f], 2) for f in ours.data if f in HARDLY_SEEN}),
    )
    cases = tuple((f"tep/fault_{fault:02}", _case(ours, fault, rate, six, budget, lead.get(fault))) for fault in ours.data)
    return Judged(figures=figures, beside=beside, cases=cases)


def told(scores: Mapping[int, Matrix]) -> list[int]:
    return [fault for fault in scores if fault not in HARDLY_SEEN]


def _case(ours: Scores, fault: int, rate: Alarms, six: Alarms, budget: Alarms, lead: float | None) -> dict[str, object]:
    return {
        "limit": rate.limit,
        "alarms": stretches(ours.data[fault] > rate.limit),
        "missed_pct": round(100 * rate.missed[fault], 3),
        "delay_min": {"rate": rate.delays_min[fault], "six": six.delays_min[fault], "budget": budget.delays_min[fault]},
        "six_lead_min": lead,
    }


def _leads(ours: Alarms, rules: Sequence[Alarms], faults: Sequence[int]) -> dict[int, float]:
    return {fault: float(min(rule.delays_min[fault] for rule in rules) - ours.delays_min[fault]) for fault in faults}


def _missed_pct(alarms: Alarms, faults: Sequence[int]) -> float:
    return 100 * float(np.mean([alarms.missed[fault] for fault in faults]))


def _best_missed(rules: Sequence[Alarms], faults: Sequence[int]) -> float:
    return min(_missed_pct(rule, faults) for rule in rules)


def _delay(scores: Matrix, limit: float, count: int) -> int:
    row = first_above(in_a_row(scores, count)[ONSET:], limit)
    return CENSORED_MIN if row is None else (row + 1) * ROW_MIN
