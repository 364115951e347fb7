"""SKAB: the benchmark's own protocol on a water loop, one anomalous stretch in each experiment.

Every experiment's rows 0..399 teach a detector of its own and the rest is judged; counts are pooled over experiments. The
limit is median + c·(99.9 % quantile - median) of those first rows' own scores, on a trailing median of m rows; c and m are
two numbers for all experiments, chosen on the development half for the best F1 with at most 13.5 % false alarms. So that one sees
what choosing is worth, `other_half` has them chosen on every other experiment and judged on the rest, both ways. More than
half of the judged rows are anomalous, so an alarm that is always on has an F1 of 0.70: F1 says nothing without the
false-alarm rate. Beside it, without an aim, stand the alarms that `holdfast detect` would give: a limit of each experiment's own,
from held-out parts of its first rows at 1 %.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.calibrate import limit_for_rate
from holdfast.agent.perception.learning import held_out_scores
from holdfast.agent.perception.limits import Limits
from holdfast.evals.detection.alarms import Found, Judged, Make, scored, stretches
from holdfast.evals.detection.tables import table
from holdfast.evals.suites import SuiteError
from holdfast.terms import Word

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]
FIT_ROWS, SETTLE_ROWS = 400, 20
FALSE_PCT_MAX, F1_AIM = 13.5, 0.84
OWN_FAR = 0.01
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 1.75, 2, 2.5, 3, 4, 5, 6, 8, 12, 16, 20, 40)  # c
SMOOTHED_ROWS = (1, 5, 15, 30)  # m


class Experiment(Word, eq=False):
    """One file: rows (rows, 8) and which of them are anomalous."""

    tags: tuple[str, ...]
    rows: Matrix
    anomalous: Flags


class Count(Word):
    """Judged rows, pooled."""

    hits: int = 0
    misses: int = 0
    false: int = 0
    quiet: int = 0  # rightly

    @property
    def f1(self) -> float:
        return 2 * self.hits / max(2 * self.hits + self.false + self.misses, 1)

    @property
    def false_pct(self) -> float:
        return 100 * self.false / max(self.false + self.quiet, 1)

    @property
    def missed_pct(self) -> float:
        return 100 * self.misses / max(self.misses + self.hits, 1)


def experiments(root: Path) -> tuple[dict[str, Experiment], tuple[Path, ...]]:
    paths = sorted(root.glob("*/*.csv.gz"))
    if not paths:
        raise SuiteError(f"{root}: no experiments (valve1/0.csv.gz …) in it; give the folder above it")
    found: dict[str, Experiment] = {}
    for path in paths:
        names, rows = table(path, separator=";", skip=1)
        label = names.index("anomaly")
        found[f"{path.parent.name}/{path.name.removesuffix('.csv.gz')}"] = Experiment(
            tags=names[:label], rows=rows[:, :label], anomalous=rows[:, label] > 0.5
        )
    return found, tuple(paths)


def shares_of_limit(make: Make, experiment: Experiment) -> Matrix:
    """(rows,): scores with the first rows' median at 0 and their 99.9 % quantile at 1."""
    detector = make()
    detector.fit(experiment.rows[:FIT_ROWS], experiment.tags)
    scores = scored(detector, experiment.rows)
    own = scores[SETTLE_ROWS:FIT_ROWS]
    median = float(np.median(own))
    return (scores - median) / max(float(np.quantile(own, 0.999)) - median, 1e-9)


def own_alarms(make: Make, experiment: Experiment) -> Matrix:
    """(rows,): 1 where the score is above the limit that held-out parts of the first rows give."""
    detector, first = make(), experiment.rows[:FIT_ROWS]
    limit = limit_for_rate(held_out_scores(detector, first, experiment.tags), OWN_FAR).limit
    return (scored(detector, experiment.rows) > limit).astype(np.float64)


def smoothed(scores: Matrix, rows: int) -> Matrix:
    """The median of the last `rows` scores, of fewer at the start."""
    out = np.array([np.median(scores[: at + 1]) for at in range(min(rows - 1, scores.shape[0]))])
    if scores.shape[0] < rows:
        return out
    return np.concatenate([out, np.median(np.lib.stride_tricks.sliding_window_view(scores, rows), axis=1)])


def counted(pairs: Iterable[tuple[Matrix, Flags]], share: float) -> Count:
    """Pooled over (scores, anomalous) of every experiment, from row FIT_ROWS on."""
    hits = misses = false = quiet = 0
    for scores, anomalous in pairs:
        alarm, label = scores[FIT_ROWS:] > share, anomalous[FIT_ROWS:]
        hits += int((alarm & label).sum())
        misses += int((~alarm & label).sum())
        false += int((alarm & ~label).sum())
        quiet += int((~alarm & ~label).sum())
    return Count(hits=hits, misses=misses, false=false, quiet=quiet)


def chosen(scores: Mapping[str, Matrix], of: Mapping[str, Experiment]) -> tuple[float, int]:
    """(c, m) with the best F1 within the false alarms allowed; the fewest false alarms where none is within."""
    grid: list[tuple[Count, float, int]] = []
    for rows in SMOOTHED_ROWS:
        pairs = [(smoothed(scores[name], rows), of[name].anomalous) for name in of]
        grid += [(counted(pairs, share), share, rows) for share in SHARES]
    allowed = [each for each in grid if each[0].false_pct <= FALSE_PCT_MAX]
    best = max(allowed, key=lambda each: (each[0].f1, each[1], each[2])) if allowed else min(grid, key=lambda each: each[0].false_pct)
    return best[1], best[2]


def other_half(scores: Mapping[str, Matrix], of: Mapping[str, Experiment]) -> list[dict[str, float]]:
    """Chosen on the first, third, … experiment by name and judged on the others; then the other way round."""
    names = sorted(of)
    told: list[dict[str, float]] = []
    for on, judged in ((names[::2], names[1::2]), (names[1::2], names[::2])):
        if on and judged:
            share, rows = chosen({name: scores[name] for name in on}, {name: of[name] for name in on})
            count = counted(((smoothed(scores[name], rows), of[name].anomalous) for name in judged), share)
            told.append({"f1": round(count.f1, 4), "false_pct": round(count.false_pct, 2)})
    return told


def judge(fit_root: Path, data_root: Path, make: Make, progress: Callable[[float], None]) -> tuple[Judged, tuple[Path, ...]]:
    fit, fit_paths = experiments(fit_root)
    data, data_paths = (fit, ()) if fit_root.resolve() == data_root.resolve() else experiments(data_root)
    made: Sequence[Make] = (make, lambda: Limits(rule="sigma"))
    found: list[tuple[Count, tuple[float, int], dict[str, Matrix]]] = []
    halves: list[dict[str, float]] = []
    for number, each in enumerate(made):
        scores: dict[str, Matrix] = {}
        for at, (name, experiment) in enumerate(fit.items()):
            scores[name] = shares_of_limit(each, experiment)
            progress((number + (at + 1) / len(fit)) / 2)
        share, rows = chosen(scores, fit)
        halves = halves or other_half(scores, fit)  # ours comes first
        judged = scores if data is fit else {name: shares_of_limit(each, experiment) for name, experiment in data.items()}
        flat = {name: smoothed(s, rows) for name, s in judged.items()}
        found.append((counted(((flat[name], data[name].anomalous) for name in data), share), (share, rows), flat))
    own = counted(((own_alarms(make, experiment), experiment.anomalous) for experiment in data.values()), 0.5)
    return verdict(found[0], found[1][0], own, data, halves), (*fit_paths, *data_paths)


def verdict(
    found: tuple[Count, tuple[float, int], dict[str, Matrix]],
    rule: Count,
    own: Count,
    data: Mapping[str, Experiment],
    halves: Sequence[Mapping[str, float]],
) -> Judged:
    count, (share, rows), scores = found
    figures = (
        ("f1", Found(value=count.f1, aim=F1_AIM, at_most=False, rule_engine=rule.f1)),
        ("false_pct", Found(value=count.false_pct, aim=FALSE_PCT_MAX, at_most=True, rule_engine=rule.false_pct)),
    )
    anomalous = float(np.mean(np.concatenate([e.anomalous[FIT_ROWS:] for e in data.values()])))
    beside = (
        ("experiments", len(data)),
        ("missed_pct", round(count.missed_pct, 2)),
        ("always_on_f1", round(2 * anomalous / (1 + anomalous), 3)),
        ("own_limit", {"f1": round(own.f1, 4), "false_pct": round(own.false_pct, 2)}),
        ("limit", {"c": float(share), "m_rows": rows}),
        ("other_half", list(halves)),
    )
    cases = tuple((f"skab/{name}", {"limit": float(share), "alarms": stretches(scores[name] > share)}) for name in data)
    return Judged(figures=figures, beside=beside, cases=cases)
