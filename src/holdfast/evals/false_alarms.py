"""Sets the demo mill's detector limit on normal running that is kept for it, and counts the alarms' own false episodes.

`holdfast eval false-alarms` repeats the calibration and compares it with the one that is kept beside the plant;
`python -m holdfast.evals.false_alarms` renews that file after a change of plant or detector.

Every plant learns from its own quiet hour, then runs eight normal hours. The limit is the lowest at which all plants
together have as many false episodes an hour as the plant's alarm limits, or one in 80 hours where those have none.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from holdfast.agent.diagnosis.watch import Watch, detector_of
from holdfast.agent.perception.calibrate import count_interval, limit_for_episodes
from holdfast.agent.perception.join import Join
from holdfast.evals.suites import Figures, Options
from holdfast.gate.alarms.limits import AlarmWatch
from holdfast.run.mill import CALIBRATION, PAST_ROWS, mill_site
from holdfast.sim.mill import EPOCH_NS
from holdfast.sim.mill.plant import Mill
from holdfast.site.model import DetectorSpec, Site
from holdfast.site.tables import tables
from holdfast.terms import SECOND_NS, Word, plain

CALIBRATION_SEEDS = tuple(range(1000, 1010))  # never run by the demo's evaluation
HOURS_EACH = 8
HOURS_AN_EPISODE = 80.0


class FalseAlarms(Word):
    """Episodes while nothing was wrong; rates per plant hour with their exact Poisson intervals (95 %)."""

    hours: float
    alarms: int
    alarms_per_hour: tuple[float, float, float]  # rate, low, high
    detector: int
    detector_per_hour: tuple[float, float, float]
    limit: float
    confirm_rows: int
    seeds: tuple[int, ...]


def rate(episodes: int, hours: float) -> tuple[float, float, float]:
    low, high = count_interval(episodes)
    return episodes / hours, low / hours, high / hours


def scores_of(seed: int, hours: int, site: Site, spec: DetectorSpec) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], int]:
    """Scores of eight normal hours, (rows,), and how often the plant's own limits sounded."""
    names = [tag.name for tag in site.tags]
    watch = Watch(site, spec, detector_of(spec), Join(tables(site), names).tags, 1.0)
    columns = [(tag.connection, tag.address) for tag in site.tags]
    quiet, mill = Mill.quiet(seed), Mill(seed, "normal")
    limits, row_of = AlarmWatch(site.alarms), {name: i for i, name in enumerate(names)}
    at_ns = EPOCH_NS - PAST_ROWS * SECOND_NS
    scores = np.empty(hours * 3600)
    for second in range(-PAST_ROWS, hours * 3600):
        plant = quiet if second < 0 else mill
        plant.step(1.0)
        row = np.array([plant.read(*column)[0] for column in columns])
        at_ns += SECOND_NS
        watch.feed(at_ns, row)
        if second >= 0:
            scores[second] = watch.score
            for _ in limits.step(lambda tag, row=row: float(row[row_of[tag]]), at_ns):
                pass
    return scores, limits.episodes


def calibrate(seeds: Sequence[int] = CALIBRATION_SEEDS, progress: Callable[[float], None] | None = None) -> FalseAlarms:
    site = mill_site().site
    spec = site.perception[0]
    streams: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    alarms = 0
    for done, seed in enumerate(seeds):
        scores, episodes = scores_of(seed, HOURS_EACH, site, spec)
        streams.append(scores)
        alarms += episodes
        if progress is not None:
            progress((done + 1) / len(seeds))
    hours = float(len(seeds) * HOURS_EACH)
    found = limit_for_episodes(streams, hours, hours / alarms if alarms else HOURS_AN_EPISODE, spec.confirm_rows)
    return FalseAlarms(
        hours=hours,
        alarms=alarms,
        alarms_per_hour=rate(alarms, hours),
        detector=found.episodes,
        detector_per_hour=rate(found.episodes, hours),
        limit=found.limit,
        confirm_rows=spec.confirm_rows,
        seeds=tuple(seeds),
    )


def site_limit(limit: float) -> float:
    """The limit as the site file has it: rounded up, so that no calibration row is above it that was not."""
    return math.ceil(limit * 100.0) / 100.0


def run(options: Options) -> Figures:
    found = calibrate(progress=lambda share: options.progress(share, "normal running"))
    kept = json.loads(CALIBRATION.read_text())
    limit = mill_site().site.perception[0].limit
    same = kept == json.loads(json.dumps(plain(found))) and limit == site_limit(found.limit)
    return Figures(name="false-alarms", seed=options.seed, figures={**plain(found), "site_limit": limit, "as_kept": same}, pass_=same)


if __name__ == "__main__":
    renewed = calibrate()
    Path(CALIBRATION).write_text(json.dumps(plain(renewed), indent=1) + "\n")
    print(f"{CALIBRATION}: limit {renewed.limit}; the site file's `limit` must be {site_limit(renewed.limit)}")  # noqa: T201
