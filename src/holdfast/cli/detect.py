"""`holdfast detect`: a detector on a user's own CSV: learn the quiet stretch, set the limit, score every row."""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.render import Answer, fail, render
from holdfast.terms import Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.agent.perception.calibrate import RowLimit
    from holdfast.agent.perception.recording import Layout, Recording
    from holdfast.ports import Detector

    Matrix = NDArray[np.float64]

FIT_CELLS_MAX = 20_000_000  # rows x tags learned from
FIT_ROWS_MAX = 100_000
CALIBRATE_ROWS_MAX = 5_000_000  # of one file; the limit does not get better from more


class Job(Word):
    """One call's arguments, checked as far as they can be without reading."""

    fit: Path
    fit_rows: int | None
    calibrate: tuple[Path, ...]
    data: Path
    columns: tuple[str, ...]
    detector: str
    far: float
    out: Path


def register(app: typer.Typer) -> None:
    app.command()(detect)


def detect(
    fit: Annotated[Path, typer.Option(help="CSV (.csv.gz too) with a quiet stretch to learn from.")],
    data: Annotated[Path, typer.Option(help="CSV to score.")],
    out: Annotated[Path, typer.Option(help="CSV to write: sample,score,alarm.")],
    fit_rows: Annotated[int | None, typer.Option(help="Learn from the first so many rows of the fit file.", min=1)] = None,
    calibrate: Annotated[list[Path] | None, typer.Option(help="Quiet CSV to set the limit on; may be repeated.")] = None,
    columns: Annotated[str, typer.Option(help="Columns to watch, by name, separated by commas. Default: all numeric tags.")] = "",
    detector: Annotated[str, typer.Option(help="Which detector.")] = "dynamic",
    far: Annotated[float, typer.Option(help="Share of quiet rows that may be above the limit.")] = 0.01,
    json: Annotated[bool, typer.Option(help="Print one JSON object.")] = False,
) -> None:
    """Find trouble in a recording: learn a quiet stretch, set the limit, score every row."""
    job = Job(
        fit=fit,
        fit_rows=fit_rows,
        calibrate=tuple(calibrate or ()),
        data=data,
        columns=tuple(name.strip() for name in columns.split(",") if name.strip()),
        detector=detector,
        far=far,
        out=out,
    )
    if not 0 < far < 1:
        fail(f"--far must be between 0 and 1, not {far}", json=json)
    try:
        answer = _detect(job)
    except (ValueError, OSError) as error:
        fail(str(error), json=json)
    render(answer, json=json)


def _detect(job: Job) -> Answer:
    from holdfast.agent.perception.named import detector_named
    from holdfast.agent.perception.recording import Recording, Unreadable

    if job.out.exists() and any(job.out.samefile(path) for path in (job.fit, job.data, *job.calibrate) if path.exists()):
        raise Unreadable(f"{job.out}: --out is one of the inputs: give another name")
    model = detector_named(job.detector)
    shapes, columns = _columns(job)
    columns, quiet = _quiet(job, shapes[job.fit], columns)
    _warn_of_quiet(columns, quiet)
    with _progress("setting the limit") as told:
        limit = _limit(job, model, columns, quiet, shapes, told)
    recording = Recording(shapes[job.data], columns)
    with _progress("scoring", job.data.stat().st_size) as told:
        alarms, first, highest = _score(job, model, recording, limit.limit, told)
    if not recording.rows:
        raise Unreadable(f"{job.data}: no rows to score")
    _warn_of(job.data, recording, columns)
    return _answer(job, columns, quiet.shape[0], limit, recording, (alarms, first, highest))


def _columns(job: Job) -> "tuple[dict[Path, Layout], tuple[str, ...]]":
    """The layouts of all files and the columns to watch: numeric in all of them, no time, counter or label."""
    from holdfast.agent.perception.recording import Unreadable, layout

    shapes = {path: layout(path) for path in dict.fromkeys((job.fit, *job.calibrate, job.data))}
    fit = shapes[job.fit]
    if job.columns:
        for shape in shapes.values():
            for name in job.columns:
                if name not in shape.columns:
                    raise Unreadable(f"{shape.path}: no column {name!r}: it has {', '.join(shape.columns)}")
        if len(set(job.columns)) != len(job.columns):
            raise Unreadable("--columns names a column twice")
        return shapes, job.columns
    aside = dict(fit.set_aside)
    used: list[str] = []
    ignored: list[str] = []
    for name in fit.columns:
        # Numbers are asked of the fit file alone: in the first rows of another, a tag may have nothing but gaps.
        if name not in fit.numeric:
            ignored.append(f"{name} (no numbers)")
        elif name in aside:
            ignored.append(f"{name} ({aside[name]})")
        elif absent := [path.name for path, shape in shapes.items() if name not in shape.columns]:
            ignored.append(f"{name} (not in {', '.join(absent)})")
        else:
            used.append(name)
    for path, shape in shapes.items():
        ignored += [f"{name} (only in {path.name})" for name in shape.columns if name not in fit.columns]
    if ignored:
        _say(f"ignored: {', '.join(dict.fromkeys(ignored))}")
    if not used:
        raise Unreadable(f"{job.fit}: no numeric column that all files have: name some with --columns")
    _say(f"watching {len(used)} columns: {', '.join(used)}")
    return shapes, tuple(used)


def _quiet(job: Job, shape: "Layout", columns: tuple[str, ...]) -> "tuple[tuple[str, ...], Matrix]":
    """The quiet stretch (rows, columns), without columns that have no value in it."""
    import numpy as np

    from holdfast.agent.perception.recording import Recording, Unreadable

    bound = min(FIT_ROWS_MAX, FIT_CELLS_MAX // len(columns))
    most = bound if job.fit_rows is None else min(job.fit_rows, bound)
    recording = Recording(shape, columns)
    with _progress("reading the quiet stretch", job.fit.stat().st_size) as told:
        blocks = list(recording.blocks(rows_max=most, told=told))
    if not blocks:
        raise Unreadable(f"{job.fit}: no rows to learn from")
    quiet = np.concatenate(blocks)
    if job.fit_rows is not None and quiet.shape[0] < min(job.fit_rows, bound):
        _say(f"{job.fit} has {quiet.shape[0]} rows, fewer than --fit-rows {job.fit_rows}: learning from all of them")
    elif quiet.shape[0] == bound:
        _say(f"learning from the first {bound} rows of {job.fit}: no more are used for {len(columns)} columns")
    _warn_of(job.fit, recording, columns)
    empty = recording.gaps == recording.rows
    if empty.any():
        names = ", ".join(name for name, none in zip(columns, empty.tolist(), strict=True) if none)
        if job.columns or empty.all():
            raise Unreadable(f"{job.fit}: no number in column {names} of the quiet stretch: leave it out or choose another stretch")
        _say(f"ignored: {names} (no number in the quiet stretch)")
        columns = tuple(name for name, none in zip(columns, empty.tolist(), strict=True) if not none)
        quiet = quiet[:, ~empty]
    return columns, quiet


def _limit(
    job: Job, model: "Detector", columns: tuple[str, ...], quiet: "Matrix", shapes: "dict[Path, Layout]", told: Callable[[int], None]
) -> "RowLimit":
    """Fit `model` on the quiet stretch; its limit from the calibration files, else from held-out parts of the stretch."""
    import numpy as np

    from holdfast.agent.perception.calibrate import limit_for_rate
    from holdfast.agent.perception.learning import held_out_scores
    from holdfast.agent.perception.recording import Recording

    streams: list[Matrix] = []
    if job.calibrate:
        model.fit(quiet, columns)
        for path in job.calibrate:
            recording = Recording(shapes[path], columns)
            model.reset()
            streams.append(
                np.concatenate([np.zeros(0), *(model.score(block) for block in recording.blocks(rows_max=CALIBRATE_ROWS_MAX, told=told))])
            )
            _warn_of(path, recording, columns)
    else:
        streams += held_out_scores(model, quiet, columns, told)
    model.reset()
    limit = limit_for_rate(streams, job.far)
    if limit.rows * job.far < 1:
        _say(f"only {limit.rows} quiet rows to set the limit on: too few for a rate of {job.far:g}; the limit is the highest score seen")
    return limit


def _score(job: Job, model: "Detector", recording: "Recording", limit: float, told: Callable[[int], None]) -> tuple[int, int | None, float]:
    """Write the output whole or not at all. (rows in alarm, the first of them, highest score)"""
    import numpy as np

    alarms, first, highest, at = 0, None, float("-inf"), 0
    beside = job.out.with_name(job.out.name + ".part")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write("sample,score,alarm\n")
            for block in recording.blocks(told=told):
                scores = model.score(block)
                above = scores > limit
                file.writelines(
                    f"{at + i},{score!r},{int(alarm)}\n"
                    for i, (score, alarm) in enumerate(zip(scores.tolist(), above.tolist(), strict=True))
                )
                if first is None and above.any():
                    first = at + int(np.argmax(above))
                alarms += int(above.sum())
                highest = max(highest, float(scores.max()))
                at += scores.shape[0]
        beside.replace(job.out)
    finally:
        beside.unlink(missing_ok=True)
    return alarms, first, highest


def _answer(
    job: Job, columns: tuple[str, ...], fit_rows: int, limit: "RowLimit", recording: "Recording", found: tuple[int, int | None, float]
) -> Answer:
    alarms, first, highest = found
    source = ", ".join(path.name for path in job.calibrate) or f"held-out parts of {job.fit.name}"
    rows = (
        ("detector", job.detector),
        ("columns", str(len(columns))),
        ("quiet rows", str(fit_rows)),
        ("limit", f"{limit.limit:.4g} from {limit.rows} rows of {source}"),
        ("false alarms", f"{100 * job.far:g} % of quiet rows wanted; 95 % interval {100 * limit.low:.2g} to {100 * limit.high:.2g} %"),
        ("rows scored", str(recording.rows)),
        ("rows in alarm", f"{alarms} ({100 * alarms / recording.rows:.1f} %)"),
        ("first alarm", "none" if first is None else f"sample {first}"),
        ("highest score", f"{highest:.4g}"),
        ("written to", str(job.out)),
    )
    figures = {
        "detector": job.detector,
        "columns": list(columns),
        "fit_rows": fit_rows,
        "far": job.far,
        "limit": limit.limit,
        "calibration": {"rows": limit.rows, "above": limit.above, "clusters": limit.clusters, "low": limit.low, "high": limit.high},
        "rows": recording.rows,
        "alarms": alarms,
        "first_alarm": first,
        "highest_score": highest,
        "out": str(job.out),
    }
    data = {
        "name": "detect",
        "seed": None,
        "data": {"path": str(job.data), "sha256": recording.sha256},
        "figures": figures,
        "pass": True,
    }
    return Answer(data=data, title=f"{job.data}", columns=("", ""), rows=rows)


def _warn_of_quiet(columns: tuple[str, ...], quiet: "Matrix") -> None:
    import numpy as np

    rows, tags = quiet.shape
    if rows < tags:
        _say(f"fewer quiet rows ({rows}) than columns ({tags}): what belongs together is only roughly known; a longer stretch sees more")
    finite = np.where(np.isfinite(quiet), quiet, np.nan)
    still = [name for name, spread in zip(columns, np.nanmax(finite, axis=0) - np.nanmin(finite, axis=0), strict=True) if spread == 0]
    if still:
        _say(f"constant in the quiet stretch: {', '.join(still)}: any later change of them counts as abnormal")


def _warn_of(path: Path, recording: "Recording", columns: tuple[str, ...]) -> None:
    gaps = [(name, int(count)) for name, count in zip(columns, recording.gaps.tolist(), strict=True) if count > 0]
    if gaps:
        told = ", ".join(f"{name} ({count} of {recording.rows} rows)" for name, count in gaps[:10])
        more = f" and {len(gaps) - 10} more columns" if len(gaps) > 10 else ""
        _say(f"{path}: cells that are no number in {told}{more}: the last good value stands in for them")
    if recording.backwards is not None:
        _say(f"{path}: time runs backwards at row {recording.backwards}: rows are taken in the order of the file")


def _say(text: str) -> None:
    typer.echo(text, err=True)


@contextlib.contextmanager
def _progress(what: str, total: int | None = None) -> Generator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
