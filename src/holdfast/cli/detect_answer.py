"""What one call of `holdfast detect` asks, what it finds, and the answer made of both."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.cli.render import Answer
from holdfast.terms import Word, plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.agent.perception.calibrate import RowLimit
    from holdfast.agent.perception.gradual import Remaining
    from holdfast.agent.perception.over_file import Pass
    from holdfast.agent.perception.recording import Recording

    Matrix = NDArray[np.float64]

FINDINGS_SHOWN = 20


class Job(Word):
    """One call's arguments, checked as far as they can be without reading."""

    fit: Path
    fit_rows: int | None
    calibrate: tuple[Path, ...]
    data: Path
    columns: tuple[str, ...]
    detector: str
    far: float
    confirm_rows: int
    limits: tuple[tuple[str, float], ...]  # (column, value) of the plant
    out: Path
    plot: Path | None


class Quiet(Word, eq=False):
    """The quiet stretch and what was learned from it."""

    columns: tuple[str, ...]
    rows: "Matrix"  # (rows, columns)
    starts: tuple[int, ...]  # rows where another run begins


class Told(Word, eq=False):
    """All that the answer is made of."""

    quiet: Quiet
    limit: "RowLimit"
    recording: "Recording"
    over: "Pass"
    why: tuple[str, ...]
    chosen: str
    remaining: "tuple[Remaining, ...]"


def answer_of(job: Job, told: Told) -> Answer:
    limit, over, rows_scored = told.limit, told.over, told.recording.rows
    source = ", ".join(path.name for path in job.calibrate) or f"held-out parts of {job.fit.name}"
    rows = [
        ("detector", job.detector if told.chosen == job.detector else f"{job.detector}: {told.chosen}"),
        ("columns", str(len(told.quiet.columns))),
        ("quiet rows", str(told.quiet.rows.shape[0])),
        ("limit", f"{limit.limit:.4g} from {limit.rows} rows of {source}"),
        ("false alarms", f"{100 * job.far:g} % of quiet rows wanted; 95 % interval {100 * limit.low:.2g} to {100 * limit.high:.2g} %"),
        ("rows scored", f"{rows_scored}" + (f" in {over.runs} runs" if over.runs > 1 else "")),
        ("rows in alarm", f"{over.alarms} ({100 * over.alarms / rows_scored:.1f} %)"),
        ("first alarm", "none" if over.first is None else f"sample {over.first}"),
        ("highest score", f"{over.highest:.4g}"),
        ("findings", f"{len(over.found) + over.more_found}"),
    ]
    for one in over.found[:FINDINGS_SHOWN]:
        tags = ", ".join(f"{tag} {share:.0%}" for tag, share in one.shares)
        end = "to the end" if one.cleared is None else f"to {one.cleared}"
        rows.append((f"  from sample {one.onset}", f"{end}, found at {one.found}, confidence {one.confidence:.2f}: {tags}"))
    if len(over.found) > FINDINGS_SHOWN:
        rows.append(("  …", f"{len(over.found) - FINDINGS_SHOWN} more in --json"))
    rows += [(f"{one.tag} at {one.limit:g}", _when(one)) for one in told.remaining]
    rows.append(("written to", str(job.out)))
    if job.plot is not None:
        rows.append(("picture", str(job.plot)))
    data = {
        "name": "detect",
        "seed": None,
        "data": {"path": str(job.data), "sha256": told.recording.sha256},
        "figures": _figures(job, told),
        "pass": True,
    }
    return Answer(data=data, title=f"{job.data}", columns=("", ""), rows=tuple(rows))


def _figures(job: Job, told: Told) -> dict[str, Any]:
    limit, over = told.limit, told.over
    return {
        "detector": job.detector,
        "chosen": told.chosen,
        "why": list(told.why),
        "columns": list(told.quiet.columns),
        "fit_rows": int(told.quiet.rows.shape[0]),
        "runs": over.runs,
        "far": job.far,
        "limit": limit.limit,
        "calibration": {"rows": limit.rows, "above": limit.above, "clusters": limit.clusters, "low": limit.low, "high": limit.high},
        "rows": told.recording.rows,
        "alarms": over.alarms,
        "first_alarm": over.first,
        "highest_score": over.highest,
        "findings": [plain(one) for one in over.found],
        "findings_not_kept": over.more_found,
        "remaining": [plain(one) for one in told.remaining],
        "out": str(job.out),
        "plot": None if job.plot is None else str(job.plot),
    }


def _when(one: "Remaining") -> str:
    if one.rows == 0:
        return f"met: {one.level:.4g} now"
    if one.rows is None:
        soonest = "" if one.low_rows is None else f", not within {one.low_rows:.0f} rows"
        return f"not in sight: {one.level:.4g} now, not moving towards it{soonest}"
    latest = "no end" if one.high_rows is None else f"{one.high_rows:.0f}"
    return f"in {one.rows:.0f} rows if nothing changes (95 % interval {one.low_rows:.0f} to {latest}): {one.level:.4g} now"
