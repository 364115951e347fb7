"""Runs the three recordings with one configuration and puts every figure beside its aim."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from holdfast.agent.perception.named import detector_named
from holdfast.evals.detection import cmapss, skab, tep
from holdfast.evals.detection.alarms import Judged, Make
from holdfast.evals.suites import Figures, Options, SuiteError, hashed
from holdfast.ports import Detector

Judge = Callable[[Path, Path, Make, Callable[[float], None]], tuple[Judged, tuple[Path, ...]]]
SETS: Mapping[str, Judge] = {"tep": tep.judge, "cmapss": cmapss.judge, "skab": skab.judge}
DETECTOR = "auto"


def judged(options: Options) -> Figures:
    fit, data = options.fit or options.data, options.data or options.fit
    if fit is None or data is None:
        raise SuiteError("eval detection needs recordings: give --fit DIR and --data DIR, each with tep/, cmapss/ and skab/ in it")
    wrong = [name for name in options.classes if name not in SETS]
    if wrong:
        raise SuiteError(f"no recording {', '.join(wrong)}; there are: {', '.join(SETS)}")
    sets = options.classes or tuple(SETS)
    figures: dict[str, Any] = {"detector": DETECTOR}
    read: list[Path] = []
    met = True
    for number, name in enumerate(sets):

        def progress(share: float, at: int = number, what: str = name) -> None:
            options.progress((at + share) / len(sets), what)

        progress(0.0)
        made: list[Detector] = []

        def make(kept: list[Detector] = made) -> Detector:
            kept.append(detector_named(DETECTOR))
            return kept[-1]

        found, paths = SETS[name](fit / name, data / name, make, progress)
        read += paths
        met = met and all(figure.met for _, figure in found.figures)
        told = {key: figure.plain() for key, figure in found.figures}
        figures[name] = {**told, **dict(found.beside), "chose": _chosen(made)}
        for case, answer in found.cases:
            options.answer(case, answer)
    figures["aims_met"] = sum(f["met"] for name in sets for f in figures[name].values() if isinstance(f, dict) and "met" in f)
    figures["aims"] = sum(isinstance(f, dict) and "met" in f for name in sets for f in figures[name].values())
    return Figures(name="detection", seed=options.seed, data=hashed(dict.fromkeys(read)), figures=figures, pass_=met)


def _chosen(made: list[Detector]) -> dict[str, int]:
    """How often `auto` chose what."""
    counts: dict[str, int] = {}
    for detector in made:
        name = str(getattr(detector, "chosen", detector.name))
        counts[name] = counts.get(name, 0) + 1
    return counts
