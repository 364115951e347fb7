"""Runs both halves of the diagnosis suite and puts each figure beside its aim."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from holdfast.agent.diagnosis.rank import NONE
from holdfast.evals.diagnosis import mill, tep
from holdfast.evals.diagnosis.calibration import brier, forecasts, reliability
from holdfast.evals.suites import Figures, Options, SuiteError, hashed

SEEDS = 20
WORKERS = 2  # processes: the smallest box that this is meant to be run on
RIGHT_MIN = 0.95  # share of the demo plant's incidents
OBSERVABLE = (1, 4, 5, 8, 11, 12, 14)  # with a published cause, in the development half
HARDLY_SEEN = (3, 9, 15)  # told apart by custom: they hardly move any tag
PLACE_MAX, FIRST_SHARE = 3, 5 / 7  # of the faults with a published cause that are there: every one among three, so many of them first
CLASSES = ("mill", "tep")


def judged(options: Options) -> Figures:
    """Raises SuiteError."""
    wrong = [name for name in options.classes if name not in CLASSES]
    if wrong:
        raise SuiteError(f"no class {', '.join(wrong)}; there are: {', '.join(CLASSES)}")
    classes = options.classes or (CLASSES if options.data else CLASSES[:1])
    figures: dict[str, Any] = {}
    paths: tuple[Path, ...] = ()
    met = True
    if "tep" in classes:
        if options.data is None:
            raise SuiteError("the class tep needs recordings: give --data DIR with tep/ in it")
        cases, forced, paths = tep.cases(
            options.data / "tep", _fit(options.data, options.fit) / "tep", lambda share, what: options.progress(0.4 * share, what)
        )
        figures["tep"] = of_tep(cases, forced)
        met = bool(figures["tep"]["aims_met"])
        for case in cases:
            options.answer(f"tep/{case.id}", tep.answer(case))
    if "mill" in classes:
        told = _mill(options)
        figures["mill"] = of_mill(told)
        met = met and figures["mill"]["right_share"] >= RIGHT_MIN
        for one in told:
            options.answer(f"mill/{one.id}", {"right": one.right, "found_s": one.found_s, "first": one.first, "causes": one.last})
    return Figures(name="diagnosis", seed=options.seed, data=hashed(paths), figures=figures, pass_=met)


def _fit(data: Path, fit: Path | None) -> Path:
    """Where the quiet stretch lies: with the faults, or where --fit says."""
    return data if fit is None else fit


def _mill(options: Options) -> list[mill.Told]:
    jobs = [(scenario, options.seed + i) for i in range(min(options.n or SEEDS, SEEDS)) for scenario in mill.RIGHT]
    found: list[mill.Told] = []
    with ProcessPoolExecutor(WORKERS) as pool:
        for done, told in enumerate(pool.map(mill.run_one, jobs), start=1):
            options.progress(0.4 + 0.6 * done / len(jobs), f"{jobs[done - 1][0]} {jobs[done - 1][1]}")
            found += told
    return found


def of_mill(told: Sequence[mill.Told]) -> dict[str, Any]:
    scenarios: dict[str, Any] = {}
    for scenario in mill.RIGHT:
        mine = [one for one in told if one.id.startswith(f"{scenario}-")]
        if mine:
            scenarios[scenario] = {"incidents": len(mine), "right": sum(one.is_right for one in mine)}
    said = [forecasts(one.last, one.right) for one in told if one.last]
    return {
        "incidents": len(told),
        "right_share": round(sum(one.is_right for one in told) / max(len(told), 1), 4),
        "right_at_first_word": round(sum(one.was_right for one in told) / max(len(told), 1), 4),
        "aim": f">= {RIGHT_MIN}",
        "scenarios": scenarios,
        "brier": round(brier(said), 4),
        "reliability": reliability([one for ranking in said for one in ranking]),
    }


def of_tep(cases: Sequence[tep.Case], forced: Sequence[tep.Looked]) -> dict[str, Any]:
    """The answer of a fault is that of its test recording, whose run-up is whole; the other recordings are told beside it."""
    tests = {case.fault: case for case in cases if case.id.endswith("_test")}
    known = {fault: case for fault, case in tests.items() if fault in tep.MODES}
    unknown = {case.id: case for case in cases if case.right == NONE and not case.id.endswith("_train")}
    places = {fault: case.standing.place(case.right) for fault, case in known.items()}
    seen = {fault: place for fault, place in places.items() if fault not in HARDLY_SEEN}
    observable = [place for fault, place in seen.items() if fault in OBSERVABLE]
    within = [place is not None and place <= PLACE_MAX for place in seen.values()]
    none_first = {id: case.standing.place(NONE) == 1 for id, case in unknown.items()}
    firsts = sum(place == 1 for place in seen.values())
    hourly = [forecasts(look.causes, case.right) for case in cases for look in _under_fault(case)[::2]]
    standing = [forecasts(case.standing.causes, case.right) for case in cases if case.looked]
    return {
        "aims_met": all(within) and firsts >= FIRST_SHARE * len(seen) - 1e-9 and all(none_first.values()),
        "place": {str(fault): place for fault, place in sorted(seen.items())},
        "observable_within_three": sum(place is not None and place <= PLACE_MAX for place in observable),
        "observable_first": sum(place == 1 for place in observable),
        "observable": len(observable),
        "published_within_three": sum(within),
        "published_first": firsts,
        "published": len(seen),
        "place_hardly_seen": {str(fault): place for fault, place in sorted(places.items()) if fault in HARDLY_SEEN},
        "none_first": none_first,
        "normal_forced_none_first": sum(look.place(NONE) == 1 for look in forced),
        "normal_forced": len(forced),
        "all_fault_recordings_place": {case.id: case.standing.place(case.right) for case in cases if case.id.endswith("_train")},
        "first_share_of_time": {case.id: _share_first(case) for case in cases if case.looked},
        "found_row": {case.id: case.found for case in cases},
        "brier_standing": round(brier(standing), 4),
        "brier_over_time": round(brier(hourly), 4),
        "reliability_over_time": reliability([one for ranking in hourly for one in ranking]),
        "right_answers_over_time": len(hourly),
    }


def _under_fault(case: tep.Case) -> tuple[tep.Looked, ...]:
    """Rankings of rows in which the fault is on: what is said before it begins has another right answer."""
    onset = tep.ONSET if case.id.endswith("_test") and case.fault else 0
    return tuple(look for look in case.looked if look.row >= onset)


def _share_first(case: tep.Case) -> float:
    """Of the rankings since the fault began, the share with the right answer first."""
    looks = _under_fault(case)
    return round(sum(look.place(case.right) == 1 for look in looks) / max(len(looks), 1), 3)
