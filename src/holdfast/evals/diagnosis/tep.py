"""Tennessee Eastman: what the diagnosis says of each recorded fault, by a library that was written before it was scored.

Detector and statistics are learned on `normal_train` alone, the limit is set on held-out parts of it, and a finding is what the
watch on duty confirms. From then on the causes are ranked anew every ten rows (half an hour); the answer is what stands when
the recording ends, as it does for people who look at an open incident. A `_train` file is all fault, so the run-up is missing.
Where nothing is ever found nothing is claimed: "none of these" with certainty. Normal rows are also ranked by force, as if
something had been found in them.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.diagnosis.bind import Bound, bind
from holdfast.agent.diagnosis.rank import NONE, Ranking, rank
from holdfast.agent.diagnosis.watch import Stuck, Watch, detector_of
from holdfast.agent.knowledge.modes import library
from holdfast.agent.perception.calibrate import limit_for_rate
from holdfast.agent.perception.confirm import finding_of
from holdfast.agent.perception.learning import held_out_scores
from holdfast.agent.perception.named import detector_named
from holdfast.evals.detection.tables import table
from holdfast.evals.suites import SuiteError
from holdfast.site.load import load
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Finding, Word

Matrix = NDArray[np.float64]
PERIOD_S = 180.0
ONSET = 160  # row of a `_test` file from which the fault is on
FAR = 0.01  # of rows above the limit, on held-out quiet rows
RERANK_ROWS = 10
FORCED_EVERY_ROWS = 60  # of normal data
MODES: Mapping[int, str] = {
    1: "te_ac_ratio_step",
    2: "te_b_composition_step",
    3: "te_d_feed_temperature_step",
    4: "te_reactor_coolant_supply_step",
    5: "te_condenser_coolant_supply_step",
    6: "te_a_feed_loss",
    7: "te_c_header_pressure_loss",
    8: "te_feed_composition_random",
    9: "te_d_feed_temperature_random",
    10: "te_ac_feed_temperature_random",
    11: "te_reactor_coolant_supply_random",
    12: "te_condenser_coolant_supply_random",
    13: "te_reaction_kinetics_drift",
    14: "te_reactor_coolant_valve_sticking",
    15: "te_condenser_coolant_valve_sticking",
}
"""Faults with a published cause; every other one has "none of these" as its right answer."""


class Looked(Word):
    """The ranking at one row: every cause with its probability, best first."""

    row: int
    causes: tuple[tuple[str, float], ...]

    def place(self, cause: str) -> int | None:
        """1 for first; None where it is not named."""
        return next((place for place, (name, _) in enumerate(self.causes, start=1) if name == cause), None)


class Case(Word):
    """One recording. `looked` is empty where nothing was found."""

    id: str
    fault: int  # 0: normal
    right: str
    found: int | None  # row
    looked: tuple[Looked, ...]

    @property
    def standing(self) -> Looked:
        return self.looked[-1] if self.looked else Looked(row=-1, causes=((NONE, 1.0),))


class Duty:
    """A watch that has learned the quiet stretch; `case` runs one recording through it from a fresh start."""

    def __init__(self, root: Path) -> None:
        names, quiet = table(root / "normal_train.csv.gz", skip=2)
        site = load(Path(str(resources.files("holdfast.evals.diagnosis") / "tep.yaml"))).site
        columns = [names.index(tag.address) for tag in site.tags]
        self.columns = np.array(columns, dtype=np.intp)
        quiet = quiet[:, self.columns]
        tags = tuple(tag.name for tag in site.tags)
        limit = limit_for_rate(held_out_scores(detector_named("auto"), quiet, tags, lambda _: None), FAR).limit
        spec = dataclasses.replace(site.perception[0], limit=limit, quiet_rows=len(quiet))
        self.site: Site = dataclasses.replace(site, perception=(spec,))
        self.limit, self.tags = limit, tags
        watch = Watch(self.site, spec, detector_of(spec), tags, PERIOD_S)
        for row, values in enumerate(quiet):
            watch.feed(_at(row), values)
        if watch.quiet is None:
            raise SuiteError(f"{root}: normal_train.csv.gz can't be learned from; give the whole recording")
        self.state = watch.save()
        bounds = bind(self.site, library())
        self.bounds: tuple[Bound, ...] = tuple(b for b in bounds if any(sign.shows != "frozen" for sign in b.mode.signature))

    def watch(self) -> Watch:
        spec = self.site.perception[0]
        made = Watch(self.site, spec, detector_of(spec), self.tags, PERIOD_S)
        made.load(self.state)
        return made

    def case(self, id: str, fault: int, rows: Matrix) -> Case:
        watch = self.watch()
        finding: Finding | None = None
        found: int | None = None
        looked: list[Looked] = []
        ranking: Ranking | None = None
        for row, values in enumerate(rows[:, self.columns]):
            for event in watch.feed(_at(row), values):
                if not isinstance(event, Stuck) and event.kind == "found":
                    shares = watch.shares()[: len(self.tags)]
                    finding = finding_of(event, detector=watch.identity, tags=self.tags, shares=shares)
                    found = row if found is None else found
                    ranking = self.look(watch, finding, row, ranking)
                    looked.append(_looked(ranking, row))
            due = bool(looked) and row - looked[-1].row >= RERANK_ROWS
            if due and finding is not None and watch.active is not None:
                ranking = self.look(watch, finding, row, ranking)
                looked.append(_looked(ranking, row))
        return Case(id=id, fault=fault, right=MODES.get(fault, NONE), found=found, looked=tuple(looked))

    def forced(self, rows: Matrix) -> tuple[Looked, ...]:
        """Rankings of rows in which nothing was found, as if something had been."""
        watch = self.watch()
        looked: list[Looked] = []
        for row, values in enumerate(rows[:, self.columns]):
            watch.feed(_at(row), values)
            if row and row % FORCED_EVERY_ROWS == 0:
                shares = watch.shares()[: len(self.tags)]
                told = tuple(sorted(zip(self.tags, (float(s) for s in shares), strict=True), key=lambda s: -s[1])[:32])
                at_ns, onset_ns = _at(row), _at(row - 10)
                finding = Finding(
                    id="f", incident="i", detector="auto", onset_ns=onset_ns, found_ns=at_ns, confidence=0.5, score=1.0, shares=told
                )
                looked.append(_looked(self.look(watch, finding, row), row))
        return tuple(looked)

    def look(self, watch: Watch, finding: Finding, row: int, before: Ranking | None = None) -> Ranking:
        features = watch.features(since_ns=finding.onset_ns)
        return rank(self.site, self.bounds, features, finding, before=before, id="d", at_ns=_at(row))


def _looked(ranking: Ranking, row: int) -> Looked:
    return Looked(row=row, causes=tuple((match.id, match.probability) for match in ranking.matches))


def _at(row: int) -> int:
    return row * round(PERIOD_S * SECOND_NS)


def recordings(root: Path) -> tuple[tuple[str, int, Path], ...]:
    """(id, fault, file) of every recording to judge. Raises SuiteError where there is none."""
    faults = [(path.name.removesuffix(".csv.gz"), int(path.name.split("_")[1]), path) for path in sorted(root.glob("fault_*.csv.gz"))]
    normals = [(path.name.removesuffix(".csv.gz"), 0, path) for path in sorted(root.glob("normal_test_*.csv.gz"))]
    if not faults and not normals:
        raise SuiteError(f"{root}: no fault_*.csv.gz and no normal_test_*.csv.gz in it; give the folder above it")
    return (*faults, *normals)


def cases(root: Path, fit: Path, progress: Callable[[float, str], None]) -> tuple[Sequence[Case], tuple[Looked, ...], tuple[Path, ...]]:
    """Every recording's case, the forced rankings of normal rows, and the files read."""
    if not (fit / "normal_train.csv.gz").is_file():
        raise SuiteError(f"{fit}: no normal_train.csv.gz in it to learn from; give its folder's parent with --fit or --data")
    duty, found = Duty(fit), list[Case]()
    forced: list[Looked] = []
    listed = recordings(root)
    for number, (name, fault, path) in enumerate(listed):
        progress(number / len(listed), name)
        rows = table(path, skip=2)[1]
        found.append(duty.case(name, fault, rows))
        if not fault:
            forced += duty.forced(rows)
    return found, tuple(forced), (fit / "normal_train.csv.gz", *(path for _, _, path in listed))


def answer(case: Case) -> dict[str, Any]:
    """A line of --out."""
    return {
        "fault": case.fault,
        "right": case.right,
        "found_row": case.found,
        "place": case.standing.place(case.right),
        "causes": [[name, round(chance, 4)] for name, chance in case.standing.causes],
        "over_time": [[look.row, look.causes[0][0], round(look.causes[0][1], 4), look.place(case.right)] for look in case.looked],
    }
