"""From a quiet stretch to a learned state: fit, score held-out parts, set the limit, and say what it rests on."""

import copy
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.calibrate import limit_for_rate
from holdfast.agent.perception.learned import Learned
from holdfast.agent.perception.named import detector_named
from holdfast.agent.perception.runs import LearnsAlike, cut, fitted
from holdfast.ports import Detector

Matrix = NDArray[np.float64]
PARTS = 4  # of the quiet stretch, each scored by what was learned from the others
NORMAL = 0.75  # quantile of quiet scores that counts as the normal level


def held_out_scores(
    detector: Detector, quiet: Matrix, tags: Sequence[str], told: Callable[[int], None] = lambda _: None, *, starts: Sequence[int] = ()
) -> list[Matrix]:
    """Scores (rows,) of each part of the stretch (rows, tags) by a detector that never saw it. Leaves it fitted on all.

    `starts` are the rows where another run begins: a part is then whole runs, each scored from its own start. `told` gets
    the rows done. Raises the detector's ValueError for a stretch that it can't learn from.
    """
    runs, streams, done = cut(quiet, starts), list[Matrix](), 0
    fitted(detector, runs, tags)
    part = detector.alike() if isinstance(detector, LearnsAlike) else copy.deepcopy(detector)
    if len(runs) < 2 * PARTS:
        for start, end in itertools.pairwise(np.linspace(0, quiet.shape[0], PARTS + 1).astype(int).tolist()):
            part.fit(np.concatenate([quiet[:start], quiet[end:]]), tags)
            streams.append(part.score(quiet[start:end]))
            told(end)
        return streams
    for start, end in itertools.pairwise(np.linspace(0, len(runs), PARTS + 1).astype(int).tolist()):
        fitted(part, [*runs[:start], *runs[end:]], tags)
        for run in runs[start:end]:
            part.reset()
            streams.append(part.score(run))
            done += run.shape[0]
            told(done)
    return streams


def learn(
    name: str,
    tags: Sequence[str],
    quiet: Matrix,
    *,
    options: Sequence[tuple[str, str | float | bool]] = (),
    far: float = 0.001,
    limit: float | None = None,
) -> tuple[Detector, Learned]:
    """A detector fitted on quiet (rows, tags), ready to score, and its learned state.

    Without `limit` it is set so that at most `far` of held-out quiet rows are above it. Raises ValueError.
    """
    detector = detector_named(name, options)
    streams = held_out_scores(detector, quiet, tags)
    found = limit_for_rate(streams, far)
    said = (
        f"limit given; {float(np.mean(np.concatenate(streams) > limit)):.2%} of {found.rows} held-out quiet rows are above it"
        if limit is not None
        else f"{found.above} of {found.rows} held-out quiet rows above it, 95 % interval {found.low:.2%} to {found.high:.2%}"
    )
    chosen = found.limit if limit is None else limit
    if not chosen > 0:
        raise ValueError(f"the limit would be {chosen:g}, not above 0: the quiet stretch is too short or too uniform for {name}")
    learned = Learned(
        detector=name,
        tags=tuple(tags),
        options=tuple(options),
        state=detector.save(),
        limit=chosen,
        normal=float(np.quantile(np.concatenate(streams), NORMAL)),
        rows=int(quiet.shape[0]),
        calibration=said,
    )
    return detector, learned


def restored(learned: Learned) -> Detector:
    """The detector of a learned state, ready to score. Raises ValueError where it is not installed or the state is foreign."""
    detector = detector_named(learned.detector, learned.options)
    detector.load(learned.state)
    return detector
